// SPDX-License-Identifier: Apache-2.0
// The systolic array, and the sums of its chunks.
#ifndef CONVLOOM_GEMM_SYSTOLIC_COMPUTE_H_
#define CONVLOOM_GEMM_SYSTOLIC_COMPUTE_H_

#include "arrays.h"
#include "config.h"
#include "packed_multiply.h"

namespace convloom {
namespace gemm {

/// Two weights of neighbouring columns as one operand, and the marks of the block that travel with
/// them.
struct WeightPair {
  ap_int<25> packed;
  bool first;
  bool last;

  WeightPair() : packed(0), first(false), last(false) {}

  /// Of columns 2p and 2p + 1.
  template <class Row>
  static WeightPair of(const Row& row, int p) {
#pragma HLS INLINE
    WeightPair pair;
    pair.packed = pack_pair(int8_of(row.weights, 2 * p), int8_of(row.weights, 2 * p + 1));
    pair.first = row.first;
    pair.last = row.last;
    return pair;
  }
};

/// Sums of two neighbouring columns.  valid: they have been captured and are on their way out.
template <int BITS>
struct SumPair {
  ap_int<BITS> even, odd;
  bool valid;

  SumPair() : even(0), odd(0), valid(false) {}
};

/// ROWS × COLS output-stationary array; PE (i, p) takes its activation from the left, its weight
/// pair from above and works on byte k of the reduction in cycle k + i + p.
///
/// When a block ends, its sums are copied to a second register and move up, one row per cycle: the
/// sum of row i leaves the top 2i + 1 cycles after that of row 0 was formed, so rows leave in
/// order, every second cycle, while the next block accumulates (Config::MIN_DEPTH keeps them
/// apart). II = 1; TAIL more iterations than weight rows.
template <class C>
void systolic_array(hls::stream<bool>& go, hls::stream<typename C::ActivationColumn>& activations,
                    hls::stream<typename C::MarkedRow>& rows,
                    hls::stream<typename C::SumRow>& sums) {
  const int TAIL = 2 * (C::ROWS - 1) + C::PAIRS;
  const int LAST_ROW = C::ROWS - 1;
  const int LAST_PAIR = C::PAIRS - 1;
  typedef SumPair<C::SUM_BITS> Sums;
  ap_int<8> a[C::ROWS][C::PAIRS];
  WeightPair b[C::ROWS][C::PAIRS];
  Sums sum[C::ROWS][C::PAIRS];
  Sums drain[C::ROWS + 1][C::PAIRS];    // nothing comes from below the last row
  WeightPair skew[C::PAIRS][C::PAIRS];  // a pair enters column p with a delay of
                                        // p cycles …
  Sums align[C::PAIRS][C::PAIRS];       // … and what is missing delays its sums
#pragma HLS ARRAY_PARTITION variable = a complete dim = 0
#pragma HLS ARRAY_PARTITION variable = b complete dim = 0
#pragma HLS ARRAY_PARTITION variable = sum complete dim = 0
#pragma HLS ARRAY_PARTITION variable = drain complete dim = 0
#pragma HLS ARRAY_PARTITION variable = skew complete dim = 0
#pragma HLS ARRAY_PARTITION variable = align complete dim = 0
  fill(a, ap_int<8>(0));
  fill(b, WeightPair());
  fill(sum, Sums());
  fill(drain, Sums());
  fill(skew, WeightPair());
  fill(align, Sums());

  bool fed = false;  // the last weight row is in
  Counter<8> tail;
  const bool run = go.read();
run_array:
  for (bool done = !run; !done;) {
#pragma HLS PIPELINE II = 1
    typename C::ActivationColumn column;
    column.bits = 0;
    typename C::MarkedRow row;
    // Rows below the first run behind it, so activations go on ROWS − 1 cycles longer.
    if (!fed || tail.n < LAST_ROW) column = activations.read();
    if (!fed) {
      row = rows.read();
      fed = row.end;
    } else {
      done = tail.tick(TAIL - 1);
    }

    // Sums that have reached the top leave together.
    typename C::SumRow out;
    const bool leaving = drain[0][LAST_PAIR].valid;
  align_columns:
    for (int p = 0; p < C::PAIRS; ++p) {
      const Sums aligned = delayed(align[p], drain[0][p], LAST_PAIR - p);
      out.set(2 * p, aligned.even);
      out.set(2 * p + 1, aligned.odd);
    }
    if (leaving) sums.write(out);

    // Multiply and accumulate; from the last PE to the first, so that each sees its neighbours'
    // values of the cycle before.
  accumulate_columns:
    for (int p = LAST_PAIR; p >= 0; --p) {
      const WeightPair entering = delayed(skew[p], WeightPair::of(row, p), p);
      for (int i = LAST_ROW; i >= 0; --i) {
        b[i][p] = i > 0 ? b[i > 0 ? i - 1 : 0][p] : entering;
        a[i][p] = p > 0 ? a[i][p > 0 ? p - 1 : 0] : column.get(i);
        ap_int<16> even, odd;
        multiply_pair(b[i][p].packed, a[i][p], even, odd);
        const Sums before = b[i][p].first ? Sums() : sum[i][p];
        sum[i][p].even = before.even + even;
        sum[i][p].odd = before.odd + odd;
      }
    }

    // Drain: capture at the end of a block, else move up.
  drain_rows:
    for (int i = 0; i < C::ROWS; ++i) {
      for (int p = 0; p < C::PAIRS; ++p) {
        drain[i][p] = b[i][p].last ? sum[i][p] : drain[i + 1][p];
        if (b[i][p].last) drain[i][p].valid = true;
      }
    }
  }
}

/// Adds the sums of all chunks of a row tile; totals leave with the last chunk, in the order of
/// blocks.
template <class C>
void add_chunks(hls::stream<Shape>& shape, hls::stream<typename C::SumRow>& sums,
                hls::stream<typename C::TotalRow>& totals) {
  const Shape s = shape.read();
  typename C::TotalRow partial[C::SUM_WORDS];
  Tile tile;
  Counter<16> chunk;
  Counter<8> filter_block, row_block;
  Counter<index_bits(C::ROWS)> row;
  ap_uint<index_bits(C::SUM_WORDS)> at = 0;

add_chunks:
  for (bool done = !s.run; !done;) {
#pragma HLS PIPELINE II = 1
// A word is used once per chunk, and a chunk has at least ROWS words.
#pragma HLS DEPENDENCE variable = partial inter RAW distance = C::ROWS true
    const typename C::SumRow in = sums.read();
    const typename C::TotalRow before = partial[at];
    typename C::TotalRow total;
  add_columns:
    for (int n = 0; n < C::COLS; ++n) {
      const ap_int<32> start = chunk.n == 0 ? ap_int<32>(0) : before.get(n);
      total.set(n, start + in.get(n));
    }
    if (chunk.n == s.last_chunk) {
      totals.write(total);
    } else {
      partial[at] = total;
    }

    at = at + 1;
    if (row.tick(C::ROWS - 1) && row_block.tick(tile.last_row_block(s.tiles)) &&
        filter_block.tick(tile.last_filter_block(s.tiles))) {
      at = 0;
      done = chunk.tick(s.last_chunk) && tile.tick(s.tiles);
    }
  }
}

}  // namespace gemm
}  // namespace convloom

#endif  // CONVLOOM_GEMM_SYSTOLIC_COMPUTE_H_
