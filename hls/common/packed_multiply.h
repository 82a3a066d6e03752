// SPDX-License-Identifier: Apache-2.0
// Two int8 products per DSP48E1.
#ifndef CONVLOOM_COMMON_PACKED_MULTIPLY_H_
#define CONVLOOM_COMMON_PACKED_MULTIPLY_H_

#include "types.h"

namespace convloom {

/// Two weights as one 25-bit operand, odd · 2^16 + even, so that one 25×18 multiplier gives both
/// products.
inline ap_int<25> pack_pair(ap_int<8> even, ap_int<8> odd) {
#pragma HLS INLINE
  return (ap_int<25>(odd) << 16) + even;
}

/// Both products of a packed pair with one activation: the low 16 bits are the even product; the
/// bits above hold the odd one less the borrow of a negative even one, which is its sign bit.
inline void multiply_pair(ap_int<25> packed, ap_int<8> activation, ap_int<16>& even,
                          ap_int<16>& odd) {
#pragma HLS INLINE
  const ap_int<33> product = packed * activation;
  even = product.range(15, 0);
  ap_int<16> above;
  above = product.range(31, 16);
  odd = above + (even < 0 ? 1 : 0);
}

}  // namespace convloom

#endif  // CONVLOOM_COMMON_PACKED_MULTIPLY_H_
