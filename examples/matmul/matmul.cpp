// SPDX-License-Identifier: Apache-2.0
#include <ap_int.h>
#include <hls_stream.h>

constexpr int N = 8;
typedef ap_int<8> Operand;
typedef ap_int<19> Sum;  // 16 bits of a product, clog2(N) = 3 of the sum

/// C = A * B for N x N matrices: one element of C per N products.
///
/// How many elements of a and b one cycle reads bounds the initiation interval of `multiply`.  As
/// it stands, a and b have one read port each: II = N.  halves.cfg splits both in two, complete.cfg
/// into N memories.
///
/// \param in   A, then B, row by row
/// \param out  C row by row
extern "C" void matmul(hls::stream<Operand>& in, hls::stream<Sum>& out) {
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
  Operand a[N][N], b[N][N];
load_a:
  for (int i = 0; i < N; ++i) {
    for (int k = 0; k < N; ++k) {
#pragma HLS PIPELINE II = 1
      a[i][k] = in.read();
    }
  }
load_b:
  for (int k = 0; k < N; ++k) {
    for (int j = 0; j < N; ++j) {
#pragma HLS PIPELINE II = 1
      b[k][j] = in.read();
    }
  }
multiply:
  for (int i = 0; i < N; ++i) {
    for (int j = 0; j < N; ++j) {
#pragma HLS PIPELINE
      Sum sum = 0;
      for (int k = 0; k < N; ++k) sum += a[i][k] * b[k][j];
      out.write(sum);
    }
  }
}
