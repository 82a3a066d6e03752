// SPDX-License-Identifier: Apache-2.0
// A top without block control.
#include <ap_int.h>
#include <hls_stream.h>

/// Starts again as soon as it ends; a frame has four words.
///
/// \param gain taken anew by each frame
extern "C" void free_running(hls::stream<int>& in, hls::stream<int>& out, ap_int<9> gain) {
#pragma HLS INTERFACE ap_ctrl_none port = return
#pragma HLS INTERFACE ap_none port = gain
  int sum = 0;
  for (int i = 0; i < 4; ++i) {
#pragma HLS PIPELINE II = 1
    sum += in.read() * gain + i;
    out.write(sum);
  }
}
