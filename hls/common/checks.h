// SPDX-License-Identifier: Apache-2.0
// Ranges of registers, for the processes that check them before any beat moves.
#ifndef CONVLOOM_COMMON_CHECKS_H_
#define CONVLOOM_COMMON_CHECKS_H_

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

}  // namespace convloom

#endif  // CONVLOOM_COMMON_CHECKS_H_
