// SPDX-License-Identifier: Apache-2.0
// One frame, several frames, none.
#include <ap_int.h>
#include <hls_stream.h>

#include <cstdio>

extern "C" void matched_pair(hls::stream<ap_int<8>>& in, hls::stream<ap_int<8>>& out,
                             ap_uint<4> frames);

int main() {
  unsigned state = 13;
  int wrong = 0;
  static const int calls[] = {1, 5, 0};
  for (int frames : calls) {
    hls::stream<ap_int<8>> in, out;
    int x[15][16], sum[15] = {};
    for (int f = 0; f < frames; ++f) {
      for (int i = 0; i < 16; ++i) {
        x[f][i] = f == 1 ? -128 : int((state = state * 1664525u + 1013904223u) >> 24) - 128;
        sum[f] += x[f][i];
        in.write(x[f][i]);
      }
    }
    matched_pair(in, out, frames);
    for (int f = 0; f < frames; ++f) {
      for (int i = 0; i < 16; ++i)
        wrong += int(out.read()) != (signed char)(x[f][i] - (sum[f] >> 4));
    }
  }
  std::printf("%d samples wrong\n", wrong);
  return wrong != 0;
}
