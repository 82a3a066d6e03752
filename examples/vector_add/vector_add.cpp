// SPDX-License-Identifier: Apache-2.0
#include <ap_int.h>

constexpr int SIZE = 32;

/// sum[i] = a[i] + b[i] for arrays in memories outside (ap_memory).
///
/// \param a, b, sum SIZE words each
/// \param n         words to add; the rest of sum is left as it is
extern "C" void vector_add(const short a[SIZE], const short b[SIZE], int sum[SIZE], ap_uint<6> n) {
#pragma HLS INTERFACE ap_memory port = a
#pragma HLS INTERFACE ap_memory port = b
#pragma HLS INTERFACE ap_memory port = sum
add:
  for (ap_uint<6> i = 0; i < n; ++i) {
#pragma HLS PIPELINE II = 1
    sum[i] = a[i] + b[i];
  }
}
