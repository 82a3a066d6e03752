// SPDX-License-Identifier: Apache-2.0
// The output side: output transform, requantisation and packing to beats, two outputs per cycle.
#ifndef CONVLOOM_CONV_WINOGRAD_WRITE_H_
#define CONVLOOM_CONV_WINOGRAD_WRITE_H_

#include "config.h"
#include "counters.h"
#include "requantize.h"

namespace convloom {
namespace winograd {

/// f²·Y = AᵀMA of a tile and filter: T columns of sums in, M²/2 pairs of outputs out, row by row.
///
/// Collects the columns of one filter, each transformed as it comes, while the rows of the filter
/// before leave; a row is transformed when its first pair leaves.  II = 1.
template <class C>
void transform_outputs(hls::stream<bool>& go, hls::stream<SumToken<C>>& sums,
                       hls::stream<OutputPair<C>>& pairs) {
  typedef ap_int<C::SUM_BITS> Sum;
  const int T = C::T, M = C::M;
  Sum collected[C::M][C::T], rows[C::M][C::T];  // Aᵀm, [output row][column]
#pragma HLS ARRAY_PARTITION variable = collected complete dim = 0
#pragma HLS ARRAY_PARTITION variable = rows complete dim = 0
clear_rows:
  for (int p = 0; p < M; ++p) {
#pragma HLS UNROLL
    for (int c = 0; c < T; ++c) {
#pragma HLS UNROLL
      collected[p][c] = 0;
      rows[p][c] = 0;
    }
  }
  Counter<index_bits(C::T)> column;
  Counter<index_bits(C::COLS)> filter;
  Counter<index_bits(C::M / 2)> pair;
  ap_uint<index_bits(C::M + 1)> rows_left = 0;
  bool full = false;
  Marks marks = Marks(),
        rows_marks = Marks();  // of the filter that is collected, and of the one that leaves …
  bool ending = false;         // … which is the last
  const bool run = go.read();

transform_outputs:
  for (bool done = !run; !done;) {
#pragma HLS PIPELINE II = 1
    if (!full && !ending) {
      const SumToken<C> in = sums.read();
      Sum m[C::T], y[C::M];
#pragma HLS ARRAY_PARTITION variable = m complete
#pragma HLS ARRAY_PARTITION variable = y complete
    take_sums:
      for (int r = 0; r < T; ++r) {
#pragma HLS UNROLL
        m[r] = in.sums.get(r);
      }
      C::Transform::output(m, y);
    shift_columns:
      for (int p = 0; p < M; ++p) {
#pragma HLS UNROLL
        for (int c = 0; c + 1 < T; ++c) {
#pragma HLS UNROLL
          collected[p][c] = collected[p][c + 1];
        }
        collected[p][T - 1] = y[p];
      }
      marks = in.marks;
      full = column.tick(T - 1);
    }

    if (rows_left != 0) {
      Sum y[C::M];
#pragma HLS ARRAY_PARTITION variable = y complete
      C::Transform::output(rows[0], y);
      OutputPair<C> out;
      out.first = y[0];
      out.second = y[1];
    select_pair:
      for (int q = 1; q < M / 2; ++q) {
#pragma HLS UNROLL
        if (pair.n == q) {
          out.first = y[2 * q];
          out.second = y[2 * q + 1];
        }
      }
      out.marks = rows_marks;
      pairs.write(out);
      if (pair.tick(M / 2 - 1)) {
        rows_left = rows_left - 1;
      shift_rows:
        for (int p = 0; p + 1 < M; ++p) {
#pragma HLS UNROLL
          for (int c = 0; c < T; ++c) {
#pragma HLS UNROLL
            rows[p][c] = rows[p + 1][c];
          }
        }
      }
      done = ending && rows_left == 0;
    }

    if (full && rows_left == 0) {
      full = false;
      rows_left = M;
      rows_marks = marks;
      ending = filter.tick(C::COLS - 1) && marks.final;
    move_rows:
      for (int p = 0; p < M; ++p) {
#pragma HLS UNROLL
        for (int c = 0; c < T; ++c) {
#pragma HLS UNROLL
          rows[p][c] = collected[p][c];
        }
      }
    }
  }
}

/// Exact division by f², bias and requantisation of two outputs per cycle, packed to beats.
///
/// The parameters of a group are read before its first output.  Filters past the last are dropped,
/// or 0 where they share a beat with one that is not.  II = 1.
template <class C>
void scale_outputs(hls::stream<Shape>& shape, hls::stream<OutputPair<C>>& pairs,
                   hls::stream<ap_uint<64>>& params, hls::stream<OutBeat>& beats) {
  const int PAIRS = C::FILTER_CYCLES;
  const Shape s = shape.read();
  ap_uint<54> param[C::MAX_FILTERS];
  Counter<16> group;
  Counter<8> block;
  Counter<index_bits(C::COLS)> filter;
  Counter<index_bits(PAIRS)> pair;
  Counter<2> quarter;                          // of an int8 beat
  ap_uint<index_bits(C::MAX_FILTERS)> at = 0;  // filter of the group
  bool load_params = true;
  ap_int<18> filters_left = s.filters, group_filters_left = s.filters;  // from this one on
  ap_uint<64> packed = 0;

scale_outputs:
  for (bool done = !s.run; !done;) {
#pragma HLS PIPELINE II = 1
    const ap_uint<8> last_block = group.n == s.last_group ? s.final_block : s.last_block;
    bool end_of_filter = true;
    bool end_of_pass = false;
    if (load_params) {
      param[at] = ap_uint<64>(params.read()).range(53, 0);
    } else {
      const OutputPair<C> in = pairs.read();
      const FilterParams p = FilterParams::from_beat(param[at]);
      const ap_int<32> first = C::Transform::quotient(in.first) + p.bias;
      const ap_int<32> second = C::Transform::quotient(in.second) + p.bias;
      const bool real = filters_left > 0;
      ap_uint<16> bytes = 0;
      ap_uint<64> sums = 0;
      const ap_uint<2> row = pair.n / (C::M / 2), col = pair.n % (C::M / 2) * 2;
      const bool in_rows = real && !(in.marks.bottom && row > s.last_out_row);
      if (in_rows && !(in.marks.right && col > s.last_out_col)) {
        bytes.range(7, 0) =
            requantize(first, p.multiplier, p.shift, s.y_zero_point, s.clamp_low, s.clamp_high);
        sums.range(31, 0) = first;
      }
      if (in_rows && !(in.marks.right && col >= s.last_out_col)) {
        bytes.range(15, 8) =
            requantize(second, p.multiplier, p.shift, s.y_zero_point, s.clamp_low, s.clamp_high);
        sums.range(63, 32) = second;
      }
      packed = s.int8_output ? ap_uint<64>((packed >> 16) | (ap_uint<64>(bytes) << 48)) : sums;
      // A beat that holds several filters (int8, PAIRS < 4) is complete with an odd one.
      const bool begun = real || (s.int8_output && PAIRS < 4 && filters_left == 0 && filter.n[0]);
      const bool complete = quarter.tick(3) || !s.int8_output;
      end_of_filter = pair.tick(PAIRS - 1);
      end_of_pass = in.marks.pass_end && in.marks.tile_end;
      OutBeat out;
      out.data = packed;
      out.last = in.marks.final && filters_left <= 1 && end_of_filter;
      if (complete && begun) beats.write(out);
      done = in.marks.final && end_of_filter && filter.n == C::COLS - 1;
    }

    if (end_of_filter) {
      at = at + 1;
      if (!load_params) filters_left = filters_left - 1;
      if (filter.tick(C::COLS - 1)) {
        if (block.tick(last_block)) {
          at = 0;
          if (load_params) {
            load_params = false;
          } else {
            if (end_of_pass) {
              load_params = true;
              group_filters_left = group.tick(s.last_group) ? ap_int<18>(s.filters) : filters_left;
            }
            filters_left = group_filters_left;
          }
        }
      }
    }
  }
}

}  // namespace winograd
}  // namespace convloom

#endif  // CONVLOOM_CONV_WINOGRAD_WRITE_H_
