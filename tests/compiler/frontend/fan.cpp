// SPDX-License-Identifier: Apache-2.0
// Arrays of streams passed whole, by reference and as a pointer.
#include <hls_stream.h>

typedef hls::stream<int> S;

void fan(S& in, S (&out)[2][2], int n) {
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE
    const int x = in.read();
    for (int k = 0; k < 2; ++k)
      for (int j = 0; j < 2; ++j) out[k][j].write(x * (3 * k + j));
  }
}

void join(S in[2][2], S& out, int n) {
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE
    int x = 1;
    for (int k = 0; k < 4; ++k) x = 5 * x + in[k / 2][k % 2].read();
    out.write(x);
  }
}

extern "C" void top(S& in, S& out, int n) {
#pragma HLS DATAFLOW
  S middle[2][2];
#pragma HLS STREAM variable = middle depth = 9
  fan(in, middle, n);
  join(middle, out, n);
}
