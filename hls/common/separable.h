// SPDX-License-Identifier: Apache-2.0
// Linear maps along one axis, and along both axes of a square.
#ifndef CONVLOOM_COMMON_SEPARABLE_H_
#define CONVLOOM_COMMON_SEPARABLE_H_

#include "data_pack.h"

namespace convloom {

/// F·in·Fᵀ, row by row; columns are transformed first.
/// \tparam F has `static void apply(const Value (&in)[N], Value (&out)[P])`, the map along one
/// axis.
/// \tparam W bits of a result.  \tparam P results per axis.
/// \tparam Value must hold every value of F·in and of the result.
template <class F, int W, int P, int N, class Value>
Pack<W, P * P> transform_square(const Value (&in)[N][N]) {
#pragma HLS INLINE
  Value column[N][N], half[N][P], row[P][N], out[P][P];  // half: [column of in][row of F·in]
#pragma HLS ARRAY_PARTITION variable = column complete dim = 0
#pragma HLS ARRAY_PARTITION variable = half complete dim = 0
#pragma HLS ARRAY_PARTITION variable = row complete dim = 0
#pragma HLS ARRAY_PARTITION variable = out complete dim = 0
transform_columns:
  for (int j = 0; j < N; ++j) {
#pragma HLS UNROLL
    for (int i = 0; i < N; ++i) {
#pragma HLS UNROLL
      column[j][i] = in[i][j];
    }
    F::apply(column[j], half[j]);
  }
  Pack<W, P * P> packed;
transform_rows:
  for (int i = 0; i < P; ++i) {
#pragma HLS UNROLL
    for (int j = 0; j < N; ++j) {
#pragma HLS UNROLL
      row[i][j] = half[j][i];
    }
    F::apply(row[i], out[i]);
    for (int j = 0; j < P; ++j) {
#pragma HLS UNROLL
      packed.set(P * i + j, out[i][j]);
    }
  }
  return packed;
}

/// The map along one axis of packed values.
/// \tparam F has `static void apply(const ap_int<W> (&in)[N], ap_int<W> (&out)[P])`.
template <class F, int P, int W, int N>
Pack<W, P> transform_line(const Pack<W, N>& in) {
#pragma HLS INLINE
  ap_int<W> values[N], results[P];
#pragma HLS ARRAY_PARTITION variable = values complete
#pragma HLS ARRAY_PARTITION variable = results complete
unpack_line:
  for (int i = 0; i < N; ++i) {
#pragma HLS UNROLL
    values[i] = in.get(i);
  }
  F::apply(values, results);
  Pack<W, P> packed;
pack_line:
  for (int i = 0; i < P; ++i) {
#pragma HLS UNROLL
    packed.set(i, results[i]);
  }
  return packed;
}

}  // namespace convloom

#endif  // CONVLOOM_COMMON_SEPARABLE_H_
