// SPDX-License-Identifier: Apache-2.0
// Static arrays with few first words, cut in every way.
#include "ap_int.h"
#include "hls_stream.h"
struct Q {
  ap_int<7> a;
  short b;
};
static const int t[64] = {5, 6, 7};
extern "C" void static_starts(hls::stream<int>& in, hls::stream<int>& out) {
  static short a[64] = {1, 2};
#pragma HLS ARRAY_PARTITION variable = a cyclic factor = 2
  static ap_int<40> w[19] = {-3, 4, 0, 9};
#pragma HLS ARRAY_RESHAPE variable = w block factor = 4
  static Q q[30] = {{1, 2}, {-3, 4}};
#pragma HLS ARRAY_PARTITION variable = q cyclic factor = 2
  static unsigned char m[20][3] = {{1, 2, 3}, {4, 5, 6}};
#pragma HLS ARRAY_PARTITION variable = m complete dim = 2
  int i = in.read();
  a[i & 63] += 3;
  w[i % 19] = w[(i + 5) % 19] * 3 + i;
  q[i % 30].b += q[(i + 1) % 30].a;
  q[i % 30].a = i;
  m[i % 20][i % 3] += m[(i + 3) % 20][(i + 1) % 3] + 1;
  out.write(t[i & 63] + a[(i + 1) & 63] + int(w[(i + 3) % 19]) + q[i % 30].b +
            m[(i * 5) % 20][(i + 2) % 3]);
}
