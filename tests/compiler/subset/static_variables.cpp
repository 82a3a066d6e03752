// SPDX-License-Identifier: Apache-2.0
// Static variables of every kind: scalars, wide ones, structures, arrays, in files, functions and
// templates.
#include "ap_int.h"
#include "hls_stream.h"
struct Pair {
  ap_int<12> a;
  unsigned char b;
};
template <int N>
int bump(int by) {
  static int n = N;
  n += by;
  return n;
}
static int file_state = 3;
static short table[40] = {5, 6, 7, 0, 9};
static int run_length(int x) {
#pragma HLS INLINE off
  static int last = -1, length = 0;
  length = x == last ? length + 1 : 1;
  last = x;
  return length;
}
extern "C" void static_variables(int x, int n, int* out) {
  static Pair pairs[3] = {{1, 2}, {-3, 4}, {5, 6}};
#pragma HLS ARRAY_PARTITION variable = pairs complete
  static ap_uint<100> wide = 1;
  static bool seen[8];
  static int dyn = x + 1;  // at the first call
  int sum = 0;
loop:
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II = 1
    file_state += i ^ x;
    sum += file_state;
    wide = (wide << 3) ^ (wide >> 90) ^ ap_uint<100>(x);
    if (sum == 123456) break;
  }
  Pair p = pairs[2];
  pairs[2] = pairs[1];
  pairs[1] = pairs[0];
  pairs[0].a = x;
  pairs[0].b = p.b + 1;
  for (int i = 0; i < 40; ++i) {
#pragma HLS PIPELINE II = 2
    table[i] = table[i] * 3 + i + x;
  }
  bool before = seen[x & 7];
  seen[x & 7] = true;
  int runs = run_length(x) * 10;
  runs += run_length(x & 1);
  *out = sum + p.a * 7 + before * 1000 + table[x & 31] + bump<3>(x) * 5 + bump<4>(1) + runs + dyn +
         int(wide.range(63, 40));
}
