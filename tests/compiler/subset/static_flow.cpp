// SPDX-License-Identifier: Apache-2.0
// Processes with static variables of their own, joined by a static stream.
#include "hls_stream.h"
static void scale(hls::stream<int>& in, hls::stream<int>& mid, int n) {
  static int carry = 2;
  static int history[16];
#pragma HLS BIND_STORAGE variable = history type = ram_t2p impl = bram
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE
    int v = in.read();
    int old = history[i & 15];
    history[i & 15] = v;
    carry += v;
    mid.write(carry * 3 + old);
  }
}
static void last(hls::stream<int>& mid, hls::stream<int>& out, int n) {
  static unsigned calls = 0;
  ++calls;
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II = 1
    out.write(mid.read() + calls);
  }
}
extern "C" void static_flow(hls::stream<int>& in, hls::stream<int>& out, int n) {
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
#pragma HLS DATAFLOW
  static hls::stream<int> mid("mid");
  scale(in, mid, n);
  last(mid, out, n);
}
