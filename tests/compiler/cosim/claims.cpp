// SPDX-License-Identifier: Apache-2.0
// DEPENDENCE pragmas that hold or not, by the argument `mode`: the stride of the accesses.
#include <ap_int.h>

constexpr int N = 32;
typedef ap_uint<12> Item;

extern "C" void claims(Item bins[4][8], ap_uint<24> sums[N], ap_uint<4> stride, ap_uint<2> mode) {
  Item local[N];
fill:
  for (int i = 0; i < N; ++i) local[i] = i;
near:
  for (int i = 0; i < 8; ++i) {
#pragma HLS PIPELINE
#pragma HLS DEPENDENCE variable = bins inter false
    const int at = mode == 0 ? i : i / 2;
    bins[at / 8 + 2][at % 8] += 1;
  }
apart:
  for (int i = 8; i < 16; ++i) {
#pragma HLS PIPELINE
#pragma HLS DEPENDENCE variable = local inter RAW dependent = true distance = 4
    local[i] = local[i - stride] + 1;
  }
within:
  for (int i = 0; i < 8; ++i) {
#pragma HLS PIPELINE
#pragma HLS DEPENDENCE variable = sums intra RAW false
    sums[i] = i;
    sums[mode == 1 ? i : i + 8] += local[i + 8];
  }
}
