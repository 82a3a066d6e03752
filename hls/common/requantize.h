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

/// Parameters lie in LANES banks, so that LANES filters in a row are read at once: filter n in bank
/// n mod LANES.  The memory must be partitioned completely in dim 2.
template <int WORDS, int LANES>
void store_params(ap_uint<54> (&memory)[WORDS][LANES], ap_uint<16> filter, ap_uint<64> beat) {
#pragma HLS INLINE
  const ap_uint<index_bits(WORDS)> at = filter / LANES;
store_param:
  for (int j = 0; j < LANES; ++j) {
#pragma HLS UNROLL
    if (filter % LANES == j) memory[at][j] = beat.range(53, 0);
  }
}

/// What a layer does with its sums, from checked registers.
struct Output {
  bool int8;  // requantised; else the sums themselves
  ap_int<8> zero_point;
  ap_int<8> low;
  ap_int<8> high;

  static Output from_registers(ap_uint<32> int8_output, ap_int<32> zero_point, ap_int<32> low,
                               ap_int<32> high) {
    Output o;
    o.int8 = int8_output == 1;
    o.zero_point = zero_point;
    o.low = low;
    o.high = high;
    return o;
  }
};

/// The outputs of one cycle in both forms, lane 0 lowest; lanes that are not set are 0.
template <int LANES>
struct OutputLanes {
  ap_uint<32 * LANES> sums;
  ap_uint<8 * LANES> bytes;

  OutputLanes() : sums(0), bytes(0) {}

  void set(int lane, ap_int<32> sum, const FilterParams& p, const Output& output) {
#pragma HLS INLINE
    sums.range(32 * lane + 31, 32 * lane) = sum;
    bytes.range(8 * lane + 7, 8 * lane) =
        requantize(sum, p.multiplier, p.shift, output.zero_point, output.low, output.high);
  }

  /// The beat with these lanes behind those that it holds: an int8 beat takes 8 / LANES steps, an
  /// int32 one, of the first two lanes, one.
  ap_uint<64> append_to(ap_uint<64> beat, const Output& output) const {
#pragma HLS INLINE
    const ap_uint<64> grown = (beat >> (8 * LANES)) | (ap_uint<64>(bytes) << (64 - 8 * LANES));
    return output.int8 ? grown : ap_uint<64>(sums);
  }
};

}  // namespace convloom

#endif  // CONVLOOM_COMMON_REQUANTIZE_H_
