// SPDX-License-Identifier: Apache-2.0
// Partial unrolling: counts that do not divide, run-time bounds, a break, a continue, a nest.
#include <hls_stream.h>

extern "C" void top(hls::stream<int>& in, hls::stream<int>& out, int n, int stop) {
  int sums[8] = {};
plain:
  for (int i = 0; i < 10; ++i) {
#pragma HLS UNROLL factor = 4
    sums[i & 7] += in.read();
  }
bounded:
  for (int i = 0; i < n; ++i) {
#pragma HLS UNROLL factor = 3
    if (i == stop) break;
    if (i & 1) continue;
    sums[i & 7] ^= in.read();
  inner:
    for (int j = 0; j < i; ++j) {
#pragma HLS UNROLL factor = 2
      sums[j & 7] += j > 3 ? i : -i;
    }
  }
  for (int i = 0; i < 8; ++i) out.write(sums[i]);
}
