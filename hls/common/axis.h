// SPDX-License-Identifier: Apache-2.0
// Words from beats, and beats with the side channels that AXI DMA expects.
#ifndef CONVLOOM_COMMON_AXIS_H_
#define CONVLOOM_COMMON_AXIS_H_

#include "types.h"

namespace convloom {

/// Shift a beat in at the top: after BEATS calls the first beat lies in the lowest bits.
template <int BEATS>
ap_uint<64 * BEATS> append_beat(ap_uint<64 * BEATS> word, ap_uint<64> beat) {
#pragma HLS INLINE
  return (word >> 64) | (ap_uint<64 * BEATS>(beat) << (64 * (BEATS - 1)));
}

/// A full beat; `last` ends the transfer.
inline axis64 make_beat(ap_uint<64> data, bool last) {
#pragma HLS INLINE
  axis64 beat;
  beat.data = data;
  beat.keep = 0xFF;
  beat.strb = 0xFF;
  beat.user = 0;
  beat.last = last;
  beat.id = 0;
  beat.dest = 0;
  return beat;
}

}  // namespace convloom

#endif  // CONVLOOM_COMMON_AXIS_H_
