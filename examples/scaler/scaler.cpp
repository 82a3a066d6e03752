// SPDX-License-Identifier: Apache-2.0
#include <ap_int.h>
#include <hls_stream.h>

typedef ap_int<16> Sample;

/// A free-running gain (ap_ctrl_none): nothing starts it, each word in gives one out.
///
/// \param in   samples
/// \param out  in * gain / 2^8, saturated to 16 bits
/// \param gain unsigned, 8 bits behind the point; a wire that may change between words
extern "C" void scaler(hls::stream<Sample>& in, hls::stream<Sample>& out, ap_uint<12> gain) {
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
#pragma HLS INTERFACE ap_none port = gain
#pragma HLS INTERFACE ap_ctrl_none port = return
  const ap_int<20> scaled = (in.read() * gain) >> 8;
  out.write(scaled > 32767 ? Sample(32767) : scaled < -32768 ? Sample(-32768) : Sample(scaled));
}
