// SPDX-License-Identifier: Apache-2.0
// Arrays of the top: read twice per cycle, written, read and written, in two dimensions, wide, of
// bool.
#include <ap_int.h>
#include <hls_stream.h>

constexpr int N = 16;
typedef ap_int<12> Sample;

extern "C" void memories(const Sample a[N], int grid[4][8], short bins[32], ap_uint<100> wide[5],
                         bool flags[N], hls::stream<int>& in, hls::stream<int>& out, ap_uint<6> n) {
#pragma HLS INTERFACE ap_memory port = bins
pairs:
  for (int i = 0; i < N / 2; ++i) {
#pragma HLS PIPELINE II = 1
    out.write(a[2 * i] + a[N - 1 - i]);
  }
compare:
  for (int i = 0; i < N; ++i) {
#pragma HLS PIPELINE II = 1
    flags[i] = a[i] > 3;
  }
scale:
  for (int r = 0; r < 4; ++r) {
    for (int c = 0; c < 8; ++c) {
#pragma HLS PIPELINE II = 1
#pragma HLS DEPENDENCE variable = grid inter false
      grid[r][c] = grid[r][c] * 3 + a[(r + c) % N];
    }
  }
count:
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE
    int x = in.read();
    bins[x & 31] += x;
    out.write(bins[(x + 1) & 31]);
  }
shift:
  for (int i = 0; i < 5; ++i) {
    wide[i] = (wide[i] << 3) + i;
  }
}
