// SPDX-License-Identifier: Apache-2.0
// Separable transforms: the same linear map along both axes of a square.
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

}  // namespace convloom

#endif  // CONVLOOM_COMMON_SEPARABLE_H_
