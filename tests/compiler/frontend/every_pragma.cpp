// SPDX-License-Identifier: Apache-2.0
// Every pragma whose values depend on a template, in two instantiations, in odd spellings.
#include <hls_stream.h>

#define HALF(x) ((x) / 2)
#define UNROLL_ALL _Pragma("HLS unroll")

template <int N>
struct Sizes {
  static const int kDepth = 4 * N;
};

template <int N>
void work(hls::stream<int>& in, hls::stream<int>& out, int n) {
#pragma HLS INLINE
  int table[Sizes<N>::kDepth][N];
  int shaped[4 * N], bound[64];
#pragma HLS array_partition VARIABLE = table Cyclic factor = N / 2 dim = 1  // a comment
#pragma HLS ARRAY_PARTITION variable = table block factor = HALF(N) dim = 2
#pragma HLS ARRAY_RESHAPE variable = shaped type = cyclic factor = N
#pragma HLS bind_storage variable = bound type = ram_2p impl = BRAM
fill:
  for (int i = 0; i < Sizes<N>::kDepth; ++i) {
#pragma HLS Pipeline ii = N style = flp
#pragma HLS LOOP_TRIPCOUNT max = Sizes < N> ::kDepth
    for (int j = 0; j < N; ++j) table[i][j] = in.read();
    shaped[i] = bound[i] = i;
  }
use:
  for (int i = 0; i < n; ++i)
#pragma HLS PIPELINE off
  {
#pragma HLS DEPENDENCE variable = table type = inter direction = RAW distance = N + 1 dependent = \
                                                                                    true
#pragma HLS DEPENDENCE variable = shaped intra WAR false
    const int at = in.read() & (Sizes<N>::kDepth - 1);
    table[at][at % N] += shaped[at] + bound[at];
    shaped[at] = i;
    out.write(table[at][i % N]);
  }
flat:
  for (int i = 0; i < 8; ++i) {
#pragma HLS LOOP_FLATTEN off
#pragma HLS UNROLL factor = N
    out.write(table[i % 4][0] + i);
  }
  for (int i = 0; i < N; ++i) {
    UNROLL_ALL
    out.write(i);
  }
}

extern "C" void top(hls::stream<int>& in, hls::stream<int>& out, int n) {
#pragma HLS INTERFACE ap_ctrl_none port = return
  work<4>(in, out, n);
  work<2>(in, out, n);
}
