// SPDX-License-Identifier: Apache-2.0
#include <ap_int.h>
#include <hls_stream.h>

constexpr int BINS = 64;
typedef ap_uint<6> Value;
typedef ap_uint<16> Count;

/// Counts of each value of a stream: a read-modify-write of block RAM in every cycle.
///
/// A bin read back two cycles after its write is needed at once by an equal value.  The two bins
/// last written are therefore kept in registers, and a value that hits them does not read the
/// memory.
///
/// \param in   values
/// \param out  BINS counts, bin 0 first
/// \param n    values of this call
extern "C" void histogram(hls::stream<Value>& in, hls::stream<Count>& out, ap_uint<12> n) {
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
  Count bins[BINS];
#pragma HLS BIND_STORAGE variable = bins type = ram_2p impl = bram
clear:
  for (int i = 0; i < BINS; ++i) {
#pragma HLS PIPELINE II = 1
    bins[i] = 0;
  }
  Value last[2] = {0, 0};
  Count kept[2] = {0, 0};  // what bins[last[k]] holds; equal last[k] hold equal counts
#pragma HLS ARRAY_PARTITION variable = last complete
#pragma HLS ARRAY_PARTITION variable = kept complete
count:
  for (ap_uint<12> i = 0; i < n; ++i) {
#pragma HLS PIPELINE II = 1
// A bin written in the last two iterations is last[0] or last[1], and those are not read.
#pragma HLS DEPENDENCE variable = bins inter RAW dependent = true distance = 3
    const Value v = in.read();
    Count c;
    if (v == last[0]) {
      c = kept[0];
    } else if (v == last[1]) {
      c = kept[1];
    } else {
      c = bins[v];
    }
    ++c;
    bins[v] = c;
    last[1] = last[0];
    kept[1] = kept[0];
    last[0] = v;
    kept[0] = c;
  }
give:
  for (int i = 0; i < BINS; ++i) {
#pragma HLS PIPELINE II = 1
    out.write(bins[i]);
  }
}
