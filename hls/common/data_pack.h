// SPDX-License-Identifier: Apache-2.0
// N signed lanes of W bits in one word, so that a whole vector crosses a stream or a memory port.
#ifndef CONVLOOM_COMMON_DATA_PACK_H_
#define CONVLOOM_COMMON_DATA_PACK_H_

#include "types.h"

namespace convloom {

/// Byte i of a word.
template <int W>
ap_int<8> int8_of(const ap_uint<W>& word, int i) {
#pragma HLS INLINE
  ap_int<8> value;
  value = word.range(8 * i + 7, 8 * i);
  return value;
}

/// \tparam W bits of a lane.  \tparam N lanes; lane 0 lies in the lowest bits.
/// Indices must be constants after unrolling: then a lane is wires, otherwise a multiplexer.
template <int W, int N>
struct Pack {
  ap_uint<W * N> bits;

  ap_int<W> get(int i) const {
    ap_int<W> lane;
    lane = bits.range(W * i + W - 1, W * i);
    return lane;
  }

  void set(int i, ap_int<W> value) { bits.range(W * i + W - 1, W * i) = value; }
};

}  // namespace convloom

#endif  // CONVLOOM_COMMON_DATA_PACK_H_
