// SPDX-License-Identifier: Apache-2.0
// Gains of 0, 1, below and above 1, on noise and on the extremes, where they saturate.
#include <ap_int.h>
#include <hls_stream.h>

#include <cstdio>

extern "C" void scaler(hls::stream<ap_int<16>>& in, hls::stream<ap_int<16>>& out, ap_uint<12> gain);

int main() {
  static const int gains[] = {256, 0, 100, 4095, 300};
  unsigned state = 23;
  int wrong = 0;
  for (int gain : gains) {
    for (int i = 0; i < 12; ++i) {
      const int x =
          i < 2 ? (i ? 32767 : -32768) : short((state = state * 1664525u + 1013904223u) >> 16);
      hls::stream<ap_int<16>> in, out;
      in.write(x);
      scaler(in, out, gain);
      int y = x * gain >> 8;
      y = y > 32767 ? 32767 : y < -32768 ? -32768 : y;
      wrong += int(out.read()) != y;
    }
  }
  std::printf("%d wrong\n", wrong);
  return wrong != 0;
}
