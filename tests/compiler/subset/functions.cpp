// SPDX-License-Identifier: Apache-2.0
// Functions that stay apart, called one after the other, in loops and under conditions; a pipelined
// function; loops that run zero times; unrolled loops with a remainder.
#include <ap_int.h>
#include <hls_stream.h>

typedef hls::stream<int> Stream;

static void sort(int a[8], int n, bool down) {
#pragma HLS INLINE off
pass:
  for (int i = 1; i < n; ++i) {
    for (int j = i; j > 0; --j) {
      const bool swap = down ? a[j - 1] < a[j] : a[j - 1] > a[j];
      if (!swap) break;
      const int kept = a[j];
      a[j] = a[j - 1];
      a[j - 1] = kept;
    }
  }
}

static ap_int<40> weigh(const int a[8], int n, ap_int<9>& last) {
#pragma HLS INLINE off
  ap_int<40> sum = 0;
  for (int i = 0; i < n; ++i) {
#pragma HLS UNROLL factor = 3
    sum += a[i] * (i + 1);
    last = a[i];
  }
  return sum;
}

static int polynomial(int x) {
#pragma HLS PIPELINE II = 1
  int y = 0;
  for (int i = 0; i < 4; ++i) y = y * x + (i + 1);
  return y;
}

static void take(Stream& in, int a[8], int n) {
#pragma HLS INLINE off
  for (int i = 0; i < n; ++i) a[i] = in.read();
}

extern "C" void functions(Stream& in, Stream& out, ap_uint<4> n, ap_uint<3> rounds) {
  int a[8], b[8];
  ap_int<9> last = 5;
  take(in, a, n);
  sort(a, n, false);
  for (int r = 0; r < rounds; ++r) {
    take(in, b, n);
    if (b[0] & 1) {
      sort(b, n, true);
    } else {
      sort(b, n, false);
    }
    out.write(weigh(b, n, last));
  }
  out.write(weigh(a, n, last) >> 3);
  out.write(last);
evaluate:
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II = 1
    out.write(polynomial(a[i]));
  }
}
