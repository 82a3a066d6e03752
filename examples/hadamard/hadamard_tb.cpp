// SPDX-License-Identifier: Apache-2.0
// One tile, none, several; the last of each call has the largest sums of both signs.
#include <ap_int.h>
#include <hls_stream.h>

#include <cstdio>

extern "C" void hadamard(hls::stream<ap_int<8>>& in, hls::stream<ap_int<14>>& out,
                         ap_uint<8> tiles);

static int sign(int a, int b) { return __builtin_popcount(a & b) % 2 ? -1 : 1; }

int main() {
  unsigned state = 5;
  int wrong = 0;
  static const int calls[] = {1, 0, 6};
  for (int tiles : calls) {
    hls::stream<ap_int<8>> in;
    hls::stream<ap_int<14>> out;
    int x[6][8][8];
    for (int t = 0; t < tiles; ++t) {
      for (int k = 0; k < 64; ++k) {
        const int noise = int((state = state * 1664525u + 1013904223u) >> 24) - 128;
        x[t][k / 8][k % 8] = t + 1 == tiles ? -128 : noise;
        in.write(x[t][k / 8][k % 8]);
      }
    }
    hadamard(in, out, tiles);
    for (int t = 0; t < tiles; ++t) {
      for (int k = 0; k < 64; ++k) {
        int sum = 0;
        for (int i = 0; i < 8; ++i) {
          for (int j = 0; j < 8; ++j) sum += sign(k / 8, i) * sign(k % 8, j) * x[t][i][j];
        }
        wrong += int(out.read()) != sum;
      }
    }
    if (!in.empty() || !out.empty()) ++wrong;
  }
  std::printf("%d coefficients wrong\n", wrong);
  return wrong != 0;
}
