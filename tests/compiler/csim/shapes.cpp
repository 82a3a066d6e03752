// SPDX-License-Identifier: Apache-2.0
// Test kernels with every kind of argument that C-simulation takes.
#include "shapes.h"

#include "ap_axi_sdata.h"
#include "ap_int.h"
#include "hls_stream.h"

typedef ap_axiu<128, 1, 1, 1> axis128;
typedef ap_axis<32, 1, 1, 1> axis32;

void wide(hls::stream<axis128>& in, hls::stream<axis32>& out) {
  bool last = false;
  while (!last) {
    axis128 word = in.read();
    last = word.last;
    for (int lane = 0; lane < 4; ++lane) {
      axis32 part;
      part.data = word.data.range(32 * lane + 31, 32 * lane);
      part.keep = -1;
      part.strb = -1;
      part.user = 0;
      part.id = 0;
      part.dest = 0;
      part.last = last && lane == 3;
      out.write(part);
    }
  }
}

namespace shapes {
int arrays(const int a[4], ap_int<5> b[4], int matrix[2][3], bool flip, ap_uint<100> big,
           ap_uint<100>& twice_big) {
  int sum = 0;
  for (int i = 0; i < 4; ++i) {
    sum += a[i];
    b[i] = flip ? ap_int<5>(-b[i]) : b[i];
  }
  for (int i = 0; i < 2; ++i) {
    for (int j = 0; j < 3; ++j) matrix[i][j] += kStep * (3 * i + j);
  }
  twice_big = big + big;
  return -sum;
}
}  // namespace shapes

void plain(hls::stream<ap_int<9>>& in, hls::stream<int>& out, int n) {
  for (int i = 0; i < n; ++i) out.write(in.read() * 2);
}

struct Pair {
  int a, b;
};
void structured(hls::stream<Pair>& in, int n) {
  for (int i = 0; i < n; ++i) in.read();
}
