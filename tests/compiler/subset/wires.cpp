// SPDX-License-Identifier: Apache-2.0
// Block control and every scalar by wires.
#include <ap_int.h>
#include <hls_stream.h>

/// \param n     words
/// \param most  written whenever a larger word comes
/// \param last  written once, without a valid
/// \return the number of odd words
extern "C" ap_uint<7> wires(hls::stream<int>& in, hls::stream<int>& out, ap_uint<5> n,
                            ap_int<33>* most, int* last) {
#pragma HLS INTERFACE ap_ctrl_hs port = return
#pragma HLS INTERFACE ap_none port = n
#pragma HLS INTERFACE ap_vld port = most
#pragma HLS INTERFACE ap_none port = last
  ap_uint<7> odd = 0;
  ap_int<33> best = -1000000;
  int x = 0;
  *most = best;
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II = 1
    x = in.read();
    if (x > best) {
      best = x;
      *most = best;
    }
    odd += x & 1;
    out.write(x - i);
  }
  *last = x;
  return odd;
}
