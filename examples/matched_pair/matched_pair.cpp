// SPDX-License-Identifier: Apache-2.0
#include <ap_int.h>
#include <hls_stream.h>

constexpr int FRAME = 16;
typedef ap_int<8> Sample;
typedef ap_int<12> Total;  // of FRAME samples

/// Passes each frame on, and its total behind it.
static void total(hls::stream<Sample>& in, hls::stream<Sample>& samples, hls::stream<Total>& totals,
                  ap_uint<4> frames) {
frames:
  for (ap_uint<4> f = 0; f < frames; ++f) {
    Total sum = 0;
  add:
    for (int i = 0; i < FRAME; ++i) {
#pragma HLS PIPELINE II = 1
      const Sample x = in.read();
      samples.write(x);
      sum += x;
    }
    totals.write(sum);
  }
}

/// Subtracts from each sample the mean of its frame, so it needs the total before the first sample.
static void centre(hls::stream<Sample>& samples, hls::stream<Total>& totals,
                   hls::stream<Sample>& out, ap_uint<4> frames) {
frames:
  for (ap_uint<4> f = 0; f < frames; ++f) {
    const Total sum = totals.read();
  subtract:
    for (int i = 0; i < FRAME; ++i) {
#pragma HLS PIPELINE II = 1
      out.write(samples.read() - (sum >> 4));
    }
  }
}

/// Removes the mean of each frame of FRAME samples.
///
/// Between the two processes a whole frame waits for its total.  With streams of the usual depth of
/// 2 both wait for each other for ever: depths.cfg gives `samples` the room that it needs.
///
/// \param in     samples of all frames
/// \param out    the same less the mean of their frame (rounded down), modulo 2^8
/// \param frames of this call
extern "C" void matched_pair(hls::stream<Sample>& in, hls::stream<Sample>& out, ap_uint<4> frames) {
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
#pragma HLS INTERFACE s_axilite port = frames bundle = control
#pragma HLS INTERFACE s_axilite port = return bundle = control
#pragma HLS DATAFLOW
  hls::stream<Sample> samples("samples");
  hls::stream<Total> totals("totals");
  total(in, samples, totals, frames);
  centre(samples, totals, out, frames);
}
