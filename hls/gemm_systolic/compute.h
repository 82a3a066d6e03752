// SPDX-License-Identifier: Apache-2.0
// The systolic array, and the sums of its chunks.
#ifndef CONVLOOM_GEMM_SYSTOLIC_COMPUTE_H_
#define CONVLOOM_GEMM_SYSTOLIC_COMPUTE_H_

#include "config.h"
#include "counters.h"
#include "packed_multiply.h"

namespace convloom {
namespace gemm {

/// Two weights of neighbouring columns as one operand, and the marks of the block that travel with
/// them.
struct WeightPair {
  ap_int<25> packed;
  bool first;
  bool last;
};

/// The packed operand of column pair p.
template <class C>
ap_int<25> packed_pair(const WeightRow<C>& row, int p) {
#pragma HLS INLINE
  ap_int<8> even, odd;
  even = row.weights.range(16 * p + 7, 16 * p);
  odd = row.weights.range(16 * p + 15, 16 * p + 8);
  return pack_pair(even, odd);
}

/// ROWS × COLS output-stationary array; PE (i, p) takes its activation from the left, its weight
/// pair from above and works on byte k of the reduction in cycle k + i + p.
///
/// When a block ends, its sums are copied to a second register and move up, one row per cycle: the
/// sum of row i leaves the top 2i + 1 cycles after that of row 0 was formed, so rows leave in
/// order, every second cycle, while the next block accumulates (Config::MIN_DEPTH keeps them
/// apart). II = 1; TAIL more iterations than weight rows.
template <class C>
void systolic_array(hls::stream<bool>& go, hls::stream<typename C::ActivationColumn>& activations,
                    hls::stream<WeightRow<C>>& rows, hls::stream<typename C::SumRow>& sums) {
  const int TAIL = 2 * (C::ROWS - 1) + C::PAIRS;
  const int LAST_ROW = C::ROWS - 1;
  const int LAST_PAIR = C::PAIRS - 1;
  ap_int<8> a[C::ROWS][C::PAIRS];
  WeightPair b[C::ROWS][C::PAIRS];
  WeightPair skew[C::PAIRS][C::PAIRS];  // [p]: p cycles of delay before column p
  ap_int<C::SUM_BITS> sum[C::ROWS][C::COLS];
  ap_int<C::SUM_BITS> drain[C::ROWS][C::COLS];
  bool drain_valid[C::ROWS][C::PAIRS];
  ap_int<C::SUM_BITS> align[C::COLS][C::PAIRS];  // [n]: delay that brings the columns together
#pragma HLS ARRAY_PARTITION variable = a complete dim = 0
#pragma HLS ARRAY_PARTITION variable = b complete dim = 0
#pragma HLS ARRAY_PARTITION variable = skew complete dim = 0
#pragma HLS ARRAY_PARTITION variable = sum complete dim = 0
#pragma HLS ARRAY_PARTITION variable = drain complete dim = 0
#pragma HLS ARRAY_PARTITION variable = drain_valid complete dim = 0
#pragma HLS ARRAY_PARTITION variable = align complete dim = 0

  WeightPair idle;
  idle.packed = 0;
  idle.first = false;
  idle.last = false;
clear_array:
  for (int i = 0; i < C::ROWS; ++i) {
#pragma HLS UNROLL
    for (int p = 0; p < C::PAIRS; ++p) {
#pragma HLS UNROLL
      a[i][p] = 0;
      b[i][p] = idle;
      drain_valid[i][p] = false;
      sum[i][2 * p] = 0;
      sum[i][2 * p + 1] = 0;
      drain[i][2 * p] = 0;
      drain[i][2 * p + 1] = 0;
    }
  }
clear_skew:
  for (int p = 0; p < C::PAIRS; ++p) {
#pragma HLS UNROLL
    for (int d = 0; d < C::PAIRS; ++d) {
#pragma HLS UNROLL
      skew[p][d] = idle;
      align[2 * p][d] = 0;
      align[2 * p + 1][d] = 0;
    }
  }

  bool fed = false;  // the last weight row is in
  Counter<8> tail;
  const bool run = go.read();
run_array:
  for (bool done = !run; !done;) {
#pragma HLS PIPELINE II = 1
    typename C::ActivationColumn column;
    column.bits = 0;
    WeightRow<C> row;
    row.weights = 0;
    row.first = false;
    row.last = false;
    row.end = false;
    // Rows below the first run behind it, so activations go on ROWS − 1 cycles longer.
    if (!fed || tail.n < LAST_ROW) column = activations.read();
    if (!fed) {
      row = rows.read();
      fed = row.end;
    } else {
      done = tail.tick(TAIL - 1);
    }

    // Sums that have reached the top leave; earlier columns wait for the last one.
    typename C::SumRow out;
  align_columns:
    for (int n = 0; n < C::COLS; ++n) {
#pragma HLS UNROLL
      const int delay = LAST_PAIR - n / 2;
      out.set(n, delay == 0 ? drain[0][n] : align[n][0]);
      for (int d = 0; d + 1 < delay; ++d) {
#pragma HLS UNROLL
        align[n][d] = align[n][d + 1];
      }
      if (delay > 0) align[n][delay - 1] = drain[0][n];
    }
    if (drain_valid[0][LAST_PAIR]) sums.write(out);

    // Multiply and accumulate; from the last PE to the first, so that each sees its neighbours'
    // values of the cycle before.
  accumulate_rows:
    for (int i = LAST_ROW; i >= 0; --i) {
#pragma HLS UNROLL
      for (int p = LAST_PAIR; p >= 0; --p) {
#pragma HLS UNROLL
        WeightPair edge;
        if (i > 0) {
          edge = b[i > 0 ? i - 1 : 0][p];
        } else if (p > 0) {
          edge = skew[p][0];
        } else {
          edge.packed = packed_pair<C>(row, 0);
          edge.first = row.first;
          edge.last = row.last;
        }
        b[i][p] = edge;
        a[i][p] = p > 0 ? a[i][p > 0 ? p - 1 : 0] : column.get(i);
        ap_int<16> even, odd;
        multiply_pair(edge.packed, a[i][p], even, odd);
        const ap_int<C::SUM_BITS> zero = 0;
        sum[i][2 * p] = (edge.first ? zero : sum[i][2 * p]) + even;
        sum[i][2 * p + 1] = (edge.first ? zero : sum[i][2 * p + 1]) + odd;
      }
    }
  skew_columns:
    for (int p = 1; p < C::PAIRS; ++p) {
#pragma HLS UNROLL
      for (int d = 0; d + 1 < p; ++d) {
#pragma HLS UNROLL
        skew[p][d] = skew[p][d + 1];
      }
      skew[p][p - 1].packed = packed_pair<C>(row, p);
      skew[p][p - 1].first = row.first;
      skew[p][p - 1].last = row.last;
    }

    // Drain: capture at the end of a block, else move up.
  drain_rows:
    for (int i = 0; i < C::ROWS; ++i) {
#pragma HLS UNROLL
      for (int p = 0; p < C::PAIRS; ++p) {
#pragma HLS UNROLL
        const int below = i < LAST_ROW ? i + 1 : i;
        const bool capture = b[i][p].last;
        drain[i][2 * p] = capture ? sum[i][2 * p] : drain[below][2 * p];
        drain[i][2 * p + 1] = capture ? sum[i][2 * p + 1] : drain[below][2 * p + 1];
        drain_valid[i][p] = capture || (i < LAST_ROW && drain_valid[below][p]);
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
  Counter<16> group, filter_tile, row_tile, chunk;
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
#pragma HLS UNROLL
      const ap_int<32> start = chunk.n == 0 ? ap_int<32>(0) : before.get(n);
      total.set(n, start + in.get(n));
    }
    if (chunk.n == s.last_chunk) {
      totals.write(total);
    } else {
      partial[at] = total;
    }

    at = at + 1;
    if (row.tick(C::ROWS - 1)) {
      const bool final_row_tile = row_tile.n == s.last_row_tile;
      const bool final_filter_tile = filter_tile.n == s.last_filter_tile;
      if (row_block.tick(final_row_tile ? s.final_row_block : s.last_row_block)) {
        if (filter_block.tick(final_filter_tile ? s.final_filter_block : s.last_filter_block)) {
          at = 0;
          if (chunk.tick(s.last_chunk)) {
            if (row_tile.tick(s.last_row_tile)) {
              if (filter_tile.tick(s.last_filter_tile)) done = group.tick(s.last_group);
            }
          }
        }
      }
    }
  }
}

}  // namespace gemm
}  // namespace convloom

#endif  // CONVLOOM_GEMM_SYSTOLIC_COMPUTE_H_
