// SPDX-License-Identifier: Apache-2.0
// Counters of hot loops that are written flat, so that II=1 holds across every loop of the nest.
#ifndef CONVLOOM_COMMON_COUNTERS_H_
#define CONVLOOM_COMMON_COUNTERS_H_

#include "types.h"

namespace convloom {

/// One loop of a flattened nest: n runs 0 … last, then starts again.
/// A nest is a chain, the innermost first:  if (k.tick(k_last)) if (n.tick(n_last)) done = …
template <int W>
struct Counter {
  ap_uint<W> n;

  Counter() : n(0) {}

  /// One step; true when it was the last of the round.
  bool tick(ap_uint<W> last) {
    const bool wrap = n == last;
    n = wrap ? ap_uint<W>(0) : ap_uint<W>(n + 1);
    return wrap;
  }
};

/// Highest index of a loop that is shorter in the last round of the loop around it.
template <int W>
struct Bound {
  ap_uint<W> full;
  ap_uint<W> final;

  /// Of loops of these lengths.
  static Bound lengths(ap_uint<32> full, ap_uint<32> final) {
    Bound bound;
    bound.full = full - 1;
    bound.final = final - 1;
    return bound;
  }

  ap_uint<W> of(bool last_round) const { return last_round ? final : full; }
};

/// a·b by BITS shifted additions: products of small run-time sizes take no DSP.
/// \tparam BITS width of b.  Needs width(a) + BITS <= 32.
template <int BITS>
ap_uint<32> small_product(ap_uint<32> a, ap_uint<BITS> b) {
#pragma HLS INLINE
  ap_uint<32> sum = 0;
add_shifted:
  for (int i = 0; i < BITS; ++i) {
#pragma HLS UNROLL
    if (b[i]) sum += a << i;
  }
  return sum;
}

}  // namespace convloom

#endif  // CONVLOOM_COMMON_COUNTERS_H_
