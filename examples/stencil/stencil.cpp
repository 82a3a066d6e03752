// SPDX-License-Identifier: Apache-2.0
#include <ap_axi_sdata.h>
#include <ap_int.h>
#include <hls_stream.h>

constexpr int MAX_WIDTH = 64;
typedef ap_uint<8> Pixel;
typedef ap_axiu<8, 1, 1, 1> Word;

/// A 3 x 3 Gaussian (1 2 1, 2 4 2, 1 2 1) / 16, rounded to nearest: each pixel crosses the bus
/// once.
///
/// Two line buffers keep the rows above; a window of registers moves along the row.  There is no
/// padding: an image of height x width gives (height - 2) x (width - 2) pixels.
///
/// \param in     pixels row by row
/// \param out    pixels row by row, TLAST on the last one
/// \param height rows, 3 and more
/// \param width  columns, 3 to MAX_WIDTH
extern "C" void stencil(hls::stream<Word>& in, hls::stream<Word>& out, ap_uint<10> height,
                        ap_uint<7> width) {
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
#pragma HLS INTERFACE s_axilite port = height bundle = control
#pragma HLS INTERFACE s_axilite port = width bundle = control
#pragma HLS INTERFACE s_axilite port = return bundle = control
  Pixel line[2][MAX_WIDTH];
#pragma HLS ARRAY_PARTITION variable = line complete dim = 1
  Pixel window[3][3];
#pragma HLS ARRAY_PARTITION variable = window complete dim = 0
rows:
  for (ap_uint<10> y = 0; y < height; ++y) {
  columns:
    for (ap_uint<7> x = 0; x < width; ++x) {
#pragma HLS PIPELINE II = 1
// Each column of the line buffers is read and written once per row, and a row has 3 pixels or more.
#pragma HLS DEPENDENCE variable = line inter false
      const Pixel column[3] = {line[0][x], line[1][x], in.read().data};
      line[0][x] = column[1];
      line[1][x] = column[2];
      for (int r = 0; r < 3; ++r) {
        window[r][0] = window[r][1];
        window[r][1] = window[r][2];
        window[r][2] = column[r];
      }
      ap_uint<12> sum = 8;
      for (int r = 0; r < 3; ++r) {
        const ap_uint<10> across = window[r][0] + 2 * window[r][1] + window[r][2];
        sum += across;
        if (r == 1) sum += across;
      }
      if (y >= 2 && x >= 2) {
        Word word;
        word.data = sum >> 4;
        word.keep = 1;
        word.strb = 1;
        word.user = 0;
        word.id = 0;
        word.dest = 0;
        word.last = y == height - 1 && x == width - 1;
        out.write(word);
      }
    }
  }
}
