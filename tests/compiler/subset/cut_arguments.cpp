// SPDX-License-Identifier: Apache-2.0
// Array arguments that are partitioned and reshaped in every form, odd widths and sizes included.
#include <ap_int.h>
#include <hls_stream.h>

typedef hls::stream<int> S;

/// \param a       a bank per two columns and half of the rows
/// \param bins    blocks of 4, 4 and 2, at places that data choose
/// \param weights a wire each
/// \param sums    a wire each, the second one not always written
/// \param rows    whole rows as words, read at places that data choose
/// \param square  rows as words, changed in place
/// \param bytes   every fourth one in a word of its own lane, padded
/// \param pairs   a bank per row, words of halves of it
extern "C" void cut_arguments(const ap_int<12> a[4][6], ap_int<7> bins[10], const short weights[3],
                              int sums[2], const ap_uint<5> rows[4][8], ap_int<9> square[4][4],
                              const signed char bytes[10], ap_uint<17> pairs[2][6], S& in, S& out,
                              bool both) {
#pragma HLS ARRAY_PARTITION variable = a cyclic factor = 3 dim = 2
#pragma HLS ARRAY_PARTITION variable = a block factor = 2 dim = 1
#pragma HLS ARRAY_PARTITION variable = bins block factor = 3
#pragma HLS ARRAY_PARTITION variable = weights complete
#pragma HLS ARRAY_PARTITION variable = sums complete
#pragma HLS ARRAY_RESHAPE variable = rows complete dim = 2
#pragma HLS ARRAY_RESHAPE variable = square complete dim = 2
#pragma HLS ARRAY_RESHAPE variable = bytes cyclic factor = 4
#pragma HLS ARRAY_PARTITION variable = pairs complete dim = 1
#pragma HLS ARRAY_RESHAPE variable = pairs block factor = 2 dim = 2
  int sum = 0;
weigh:
  for (int i = 0; i < 4; ++i)
    for (int j = 0; j < 2; ++j) {
#pragma HLS PIPELINE II = 1
      for (int k = 0; k < 3; ++k) sum += a[i][3 * j + k] * weights[k];
    }
count:
  for (unsigned i = 0; i < 12; ++i) {
    unsigned word = in.read(), at = word % 10;
    bins[at] = bins[at] + rows[at & 3][(word >> 4) & 7] - bytes[i % 10];
  }
turn:
  for (int i = 0; i < 4; ++i) {
#pragma HLS PIPELINE II = 1
    int sum = 0;
    for (int j = 0; j < 4; ++j) {
      sum += square[i][j];
      square[i][j] = square[i][j] * 3 + a[j][i] - j;
    }
    out.write(sum);
  }
split:
  for (int j = 0; j < 3; ++j) {
#pragma HLS PIPELINE II = 1
    int highs = 0;
    for (int k = 0; k < 2; ++k) {
      ap_uint<17> high = pairs[1][j + 3 * k];
      pairs[0][j + 3 * k] = rows[j][k] * 1000 + high;
      highs += high;
    }
    out.write(highs);
  }
  sums[0] = sum;
  if (both) sums[1] = sum + pairs[0][4];
}
