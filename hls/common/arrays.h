// SPDX-License-Identifier: Apache-2.0
// Whole arrays in one step; they must be partitioned completely.
#ifndef CONVLOOM_COMMON_ARRAYS_H_
#define CONVLOOM_COMMON_ARRAYS_H_

#include "types.h"

namespace convloom {

/// Every element becomes `value`.
template <class T, int N>
void fill(T (&array)[N], const T& value) {
#pragma HLS INLINE
fill_elements:
  for (int i = 0; i < N; ++i) {
#pragma HLS UNROLL
    array[i] = value;
  }
}

template <class T, int N, int K>
void fill(T (&array)[N][K], const T& value) {
#pragma HLS INLINE
fill_rows:
  for (int i = 0; i < N; ++i) {
#pragma HLS UNROLL
    fill(array[i], value);
  }
}

/// Every element moves one place down, the first falls out and `value` becomes the last.
template <class T, int N>
void shift_in(T (&array)[N], const T& value) {
#pragma HLS INLINE
shift_elements:
  for (int i = 0; i + 1 < N; ++i) {
#pragma HLS UNROLL
    array[i] = array[i + 1];
  }
  array[N - 1] = value;
}

/// A delay line of N registers: takes `now` in and gives what came in `delay` steps ago, with a
/// delay of 0 `now` itself.  The delay must be a constant after unrolling: what no delay reaches
/// vanishes.
template <class T, int N>
T delayed(T (&line)[N], const T& now, int delay) {
#pragma HLS INLINE
  const T then = delay == 0 ? now : line[delay == 0 ? 0 : N - delay];
  shift_in(line, now);
  return then;
}

}  // namespace convloom

#endif  // CONVLOOM_COMMON_ARRAYS_H_
