// SPDX-License-Identifier: Apache-2.0
// Ranges of registers, for the processes that check them before any beat moves.
#ifndef CONVLOOM_COMMON_CHECKS_H_
#define CONVLOOM_COMMON_CHECKS_H_

#include "counters.h"
#include "types.h"

namespace convloom {

inline bool within(ap_uint<32> value, int low, int high) {
#pragma HLS INLINE
  return value >= ap_uint<32>(low) && value <= ap_uint<32>(high);
}

inline bool is_int8(ap_int<32> value) {
#pragma HLS INLINE
  return value >= -128 && value <= 127;
}

/// The registers of the requantisation.
inline bool output_in_range(ap_uint<32> int8_output, ap_int<32> zero_point, ap_int<32> clamp_low,
                            ap_int<32> clamp_high) {
#pragma HLS INLINE
  return int8_output <= 1 && is_int8(zero_point) && is_int8(clamp_low) && is_int8(clamp_high);
}

/// Whether count is cut into `parts` parts of `size` but for the last, which has 1 … size; a single
/// part has last = size.  Sizes and parts to 65535.
inline bool adds_up(ap_uint<32> parts, ap_uint<32> size, ap_uint<32> last, ap_uint<32> count) {
#pragma HLS INLINE
  return within(parts, 1, 65535) && within(size, 1, 65535) && last >= 1 && last <= size &&
         (parts != 1 || last == size) &&
         small_product<16>(ap_uint<16>(parts - 1), ap_uint<16>(size)) + last == count;
}

/// Whether `count`, above 0, fills `parts` parts of `blocks` blocks of `size` each, but for the
/// last part, which has blocks_last blocks, and the last block, which may be partly filled.  Parts
/// to 65535, blocks to `most`, at most 255. last: the highest index in the last block that counts.
inline bool fills_blocks(ap_uint<32> count, ap_uint<32> parts, ap_uint<32> blocks,
                         ap_uint<32> blocks_last, ap_uint<8> size, int most, ap_uint<32>& last) {
#pragma HLS INLINE
  const ap_uint<24> before =
      small_product<8>(ap_uint<16>(parts - 1), ap_uint<8>(blocks)) + blocks_last - 1;
  last = count - 1 - small_product<8>(before, size);
  return within(parts, 1, 65535) && within(blocks, 1, most) && within(blocks_last, 1, most) &&
         blocks_last <= blocks && last < size;
}

}  // namespace convloom

#endif  // CONVLOOM_COMMON_CHECKS_H_
