// SPDX-License-Identifier: Apache-2.0
// 3×3 box sums of a colour picture: structures on the streams and in the line buffer.
#include <ap_int.h>
#include <hls_stream.h>

struct Pixel {
  ap_uint<5> red;
  ap_uint<6> green;
  ap_uint<5> blue;
};
struct Sums {
  ap_uint<9> red;
  bool valid;
  ap_uint<10> green[2];  // [1]: the middle pixel
  ap_int<11> difference;
};

const int kMaxWidth = 32;

extern "C" void top(hls::stream<Pixel>& in, hls::stream<Sums>& out, ap_uint<6> width,
                    ap_uint<6> height) {
  Pixel lines[2][kMaxWidth];
#pragma HLS ARRAY_PARTITION variable = lines complete dim = 1
  Pixel window[3][3];
#pragma HLS ARRAY_PARTITION variable = window complete dim = 0
rows:
  for (int r = 0; r < height; ++r) {
  cols:
    for (int c = 0; c < width; ++c) {
#pragma HLS PIPELINE II = 1
#pragma HLS DEPENDENCE variable = lines inter false
    shift:
      for (int i = 0; i < 3; ++i)
#pragma HLS UNROLL
        for (int j = 0; j < 2; ++j) window[i][j] = window[i][j + 1];
      const Pixel fresh = in.read();
      window[0][2] = lines[0][c];
      window[1][2] = lines[1][c];
      window[2][2] = fresh;
      lines[0][c] = lines[1][c];
      lines[1][c] = fresh;
      Sums s;
      s.red = 0;
      s.green[0] = 0;
      ap_uint<9> blue = 0;
      for (int i = 0; i < 3; ++i) {
        for (int j = 0; j < 3; ++j) {
          s.red += window[i][j].red;
          s.green[0] += window[i][j].green;
          blue += window[i][j].blue;
        }
      }
      s.green[1] = window[1][1].green;
      s.difference = ap_int<11>(s.red) - ap_int<11>(blue);
      s.valid = r >= 2 && c >= 2;
      if (s.valid) out.write(s);
    }
  }
}
