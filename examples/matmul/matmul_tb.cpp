// SPDX-License-Identifier: Apache-2.0
// Noise, and the largest products of both signs.
#include <ap_int.h>
#include <hls_stream.h>

#include <cstdio>

extern "C" void matmul(hls::stream<ap_int<8>>& in, hls::stream<ap_int<19>>& out);

static unsigned state = 3;

static int element(int kind) {
  if (kind == 0) return -128;
  if (kind == 1) return 127;
  return int((state = state * 1664525u + 1013904223u) >> 24) - 128;
}

int main() {
  int wrong = 0;
  for (int kind = 0; kind < 4; ++kind) {
    hls::stream<ap_int<8>> in;
    hls::stream<ap_int<19>> out;
    int a[8][8], b[8][8];
    for (int i = 0; i < 64; ++i) in.write(a[i / 8][i % 8] = element(kind == 1 ? 0 : kind));
    for (int i = 0; i < 64; ++i) in.write(b[i / 8][i % 8] = element(kind));
    matmul(in, out);
    for (int i = 0; i < 64; ++i) {
      int sum = 0;
      for (int k = 0; k < 8; ++k) sum += a[i / 8][k] * b[k][i % 8];
      wrong += int(out.read()) != sum;
    }
  }
  std::printf("%d elements wrong\n", wrong);
  return wrong != 0;
}
