// SPDX-License-Identifier: Apache-2.0
// The smallest image, a bright square, noise at several levels.
#include <ap_axi_sdata.h>
#include <ap_int.h>
#include <hls_stream.h>

#include <cstdio>
#include <cstdlib>

typedef ap_axiu<16, 1, 1, 1> Word;
extern "C" void edge_runs(hls::stream<ap_uint<8>>& in, hls::stream<Word>& out, ap_uint<11> level,
                          ap_uint<13>* edges, ap_uint<7> height, ap_uint<7> width);

static int failures(int height, int width, int level, bool square) {
  static unsigned state = 31;
  static int p[64][64];
  hls::stream<ap_uint<8>> in;
  hls::stream<Word> out;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      p[y][x] = (state = state * 1664525u + 1013904223u) >> 24;
      if (square) p[y][x] = y > 2 && y < 6 && x > 3 && x < 8 ? 255 : 0;
      in.write(p[y][x]);
    }
  }
  ap_uint<13> edges = 0;
  edge_runs(in, out, level, &edges, height, width);
  int wrong = 0, count = 0;
  for (int y = 1; y < height - 1; ++y) {
    for (int x = 1; x < width - 1;) {
      const Word word = out.read();
      const int length = word.data.range(14, 0);
      for (int i = 0; i < length && x < width - 1; ++i, ++x) {
        int gx = 0, gy = 0;
        for (int k = -1; k <= 1; ++k) {
          gx += (k ? 1 : 2) * (p[y + k][x + 1] - p[y + k][x - 1]);
          gy += (k ? 1 : 2) * (p[y + 1][x + k] - p[y - 1][x + k]);
        }
        const bool edge = std::abs(gx) + std::abs(gy) >= level;
        wrong += edge != bool(word.data[15]);
        count += edge;
      }
      wrong += !length || word.last != (y == height - 2 && x == width - 1);
    }
  }
  return wrong + (int(edges) != count) + !out.empty();
}

int main() {
  const int wrong = failures(3, 3, 1, false) + failures(9, 12, 200, true) +
                    failures(5, 64, 400, false) + failures(8, 20, 1, false) +
                    failures(6, 7, 2047, false);
  std::printf("%d wrong\n", wrong);
  return wrong != 0;
}
