// SPDX-License-Identifier: Apache-2.0
// int32 sums to int8, as TOSA 1.0 RESCALE with apply_scale_16 defines it.
#ifndef CONVLOOM_COMMON_REQUANTIZE_H_
#define CONVLOOM_COMMON_REQUANTIZE_H_

#include "types.h"

namespace convloom {

/// Per-filter parameters, one 8-byte beat: bias (folded with the input zero point), multiplier,
/// shift.
struct FilterParams {
  ap_int<32> bias;
  ap_int<16> multiplier;
  ap_uint<6> shift;  // 2 … 62

  static FilterParams from_beat(ap_uint<64> beat) {
    FilterParams p;
    p.bias = beat.range(31, 0);
    p.multiplier = beat.range(47, 32);
    p.shift = beat.range(53, 48);
    return p;
  }
};

/// clamp(round_half_up(sum · multiplier / 2^shift) + zero_point, low, high).
///
/// floor((p + 2^(s-1)) / 2^s) is computed as (floor(p / 2^(s-1)) + 1) >> 1, which needs no rounding
/// constant wider than the product and is right for every shift.  The 32×16 product takes two
/// DSP48E1.
inline ap_int<8> requantize(ap_int<32> sum, ap_int<16> multiplier, ap_uint<6> shift,
                            ap_int<8> zero_point, ap_int<8> low, ap_int<8> high) {
#pragma HLS INLINE
  const ap_int<48> product = sum * multiplier;
  const ap_uint<6> shift_less_one = shift - 1;
  const ap_int<48> halves = product >> shift_less_one;
  const ap_int<49> rounded = (halves + ap_int<48>(1)) >> 1;
  const ap_int<50> shifted = rounded + zero_point;
  if (shifted < low) return low;
  if (shifted > high) return high;
  return ap_int<8>(shifted);
}

}  // namespace convloom

#endif  // CONVLOOM_COMMON_REQUANTIZE_H_
