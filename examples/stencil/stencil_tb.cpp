// SPDX-License-Identifier: Apache-2.0
// The smallest image, one column, one row, the widest, and all white.
#include <ap_axi_sdata.h>
#include <ap_int.h>
#include <hls_stream.h>

#include <cstdio>

typedef ap_axiu<8, 1, 1, 1> Word;
extern "C" void stencil(hls::stream<Word>& in, hls::stream<Word>& out, ap_uint<10> height,
                        ap_uint<7> width);

static unsigned state = 5;

static int failures(int height, int width, bool white) {
  static int image[16][64];
  hls::stream<Word> in, out;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image[y][x] = white ? 255 : int((state = state * 1664525u + 1013904223u) >> 24);
      Word word;
      word.data = image[y][x];
      word.keep = word.strb = 1;
      word.user = word.id = word.dest = 0;
      word.last = y == height - 1 && x == width - 1;
      in.write(word);
    }
  }
  stencil(in, out, height, width);
  int wrong = 0;
  for (int y = 2; y < height; ++y) {
    for (int x = 2; x < width; ++x) {
      int sum = 8;
      for (int r = 0; r < 3; ++r) {
        for (int c = 0; c < 3; ++c) {
          sum += (r == 1 ? 2 : 1) * (c == 1 ? 2 : 1) * image[y - 2 + r][x - 2 + c];
        }
      }
      const Word word = out.read();
      wrong += int(word.data) != sum >> 4 || word.last != (y == height - 1 && x == width - 1);
    }
  }
  return wrong + !out.empty();
}

int main() {
  const int wrong = failures(3, 3, false) + failures(7, 3, false) + failures(3, 9, true) +
                    failures(4, 64, false) + failures(8, 11, false);
  std::printf("%d pixels wrong\n", wrong);
  return wrong != 0;
}
