// SPDX-License-Identifier: Apache-2.0
// Three loops deep, the sums of the two inner ones kept in memory; bounds from registers.
#include <hls_stream.h>

extern "C" void top(hls::stream<int>& in, hls::stream<long long>& out, int rows, int cols,
                    int depth) {
  long long sums[16];
rows:
  for (int r = 0; r < rows; ++r) {
  cols:
    for (int c = 0; c < cols; ++c) {
      if (r == 0) sums[c] = 0;
    depth:
      for (int d = 0; d < depth; ++d) {
#pragma HLS PIPELINE
        sums[c] += static_cast<long long>(in.read()) * (d + 1);
      }
    }
  }
drain:
  for (int c = 0; c < cols; ++c) {
#pragma HLS PIPELINE
    out.write(sums[c]);
  }
}
