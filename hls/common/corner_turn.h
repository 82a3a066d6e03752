// SPDX-License-Identifier: Apache-2.0
// From words that come in one after the other to the same lane of all of them.
#ifndef CONVLOOM_COMMON_CORNER_TURN_H_
#define CONVLOOM_COMMON_CORNER_TURN_H_

#include "arrays.h"
#include "counters.h"
#include "types.h"

namespace convloom {

/// Transposes N words of some lanes: words fill one array, first word first, while the lanes of the
/// words before leave the other one, lane 0 of all words first.
///
/// It holds the control alone; the two arrays, partitioned completely, are the caller's:
///     if (turn.filling() && …) turn.fill(filling, word, tag);
///     if (turn.leaving()) … lowest LANE_BITS of each leaving[i] …; done = turn.step(leaving);
///     if (turn.due()) turn.exchange(filling, leaving, lanes);
/// A word and a lane per cycle.
/// \tparam MAX_LANES most lanes that are taken from a word.  \tparam Tag what goes with the words.
template <int N, int LANE_BITS, int MAX_LANES, class Tag>
struct CornerTurn {
  typedef ap_uint<index_bits(MAX_LANES + 1)> Lanes;

  Counter<index_bits(N)> word;  // next to come in
  bool full;                    // all N are there
  Lanes left;                   // lanes that have yet to leave
  Tag tag;                      // of the last word that came in
  Tag leaving_tag;              // of the words that leave

  CornerTurn() : full(false), left(0), tag(Tag()), leaving_tag(Tag()) {}

  bool filling() const { return !full; }
  bool leaving() const { return left != 0; }
  bool due() const { return full && left == 0; }

  template <int W>
  void fill(ap_uint<W> (&filling)[N], ap_uint<W> value, const Tag& its_tag) {
#pragma HLS INLINE
    shift_in(filling, value);
    tag = its_tag;
    full = word.tick(N - 1);
  }

  /// The lane has left; true when it was the last one.
  template <int W>
  bool step(ap_uint<W> (&leaving)[N]) {
#pragma HLS INLINE
  next_lane:
    for (int i = 0; i < N; ++i) {
#pragma HLS UNROLL
      leaving[i] = leaving[i] >> LANE_BITS;
    }
    left = left - 1;
    return left == 0;
  }

  template <int W>
  void exchange(const ap_uint<W> (&filling)[N], ap_uint<W> (&leaving)[N], Lanes lanes) {
#pragma HLS INLINE
  move_words:
    for (int i = 0; i < N; ++i) {
#pragma HLS UNROLL
      leaving[i] = filling[i];
    }
    leaving_tag = tag;
    full = false;
    left = lanes;
  }
};

}  // namespace convloom

#endif  // CONVLOOM_COMMON_CORNER_TURN_H_
