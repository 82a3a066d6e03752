// SPDX-License-Identifier: Apache-2.0
// The output side: output transform, requantisation and packing to beats, two outputs per cycle.
#ifndef CONVLOOM_CONV_WINOGRAD_WRITE_H_
#define CONVLOOM_CONV_WINOGRAD_WRITE_H_

#include "config.h"
#include "corner_turn.h"
#include "results.h"
#include "separable.h"

namespace convloom {
namespace winograd {

/// AᵀMA of a tile and filter, exact division by f², bias and requantisation, packed to beats:
/// T columns of sums in, M² outputs out, row by row, two per cycle.
///
/// Collects the columns of one filter, each transformed as it comes, while the rows of the filter
/// before leave.  The parameters of a group are read before its first output.  Filters past the
/// last are dropped, or 0 where they share a beat with one that is not; outputs outside the map are
/// 0.  II = 1.
template <class C>
void scale_outputs(hls::stream<Shape>& shape, hls::stream<typename C::SumToken>& sums,
                   hls::stream<ap_uint<64>>& params, hls::stream<OutBeat>& beats) {
  typedef ap_int<C::SUM_BITS> Sum;
  const int M = C::M;
  const Shape s = shape.read();
  ap_uint<54> param[C::MAX_FILTERS];
  ap_uint<C::M * C::SUM_BITS> collected[C::T], rows[C::T];  // columns of AᵀM
#pragma HLS ARRAY_PARTITION variable = collected complete
#pragma HLS ARRAY_PARTITION variable = rows complete
  CornerTurn<C::T, C::SUM_BITS, C::M, TileMarks> turn;
  Counter<16> filter, group;  // filter of the group
  Counter<2> pair, quarter;   // two outputs of a row; two bytes of an int8 beat
  bool load_params = true;
  ap_uint<64> packed = 0;

scale_outputs:
  for (bool done = !s.run; !done;) {
#pragma HLS PIPELINE II = 1
    const bool last_group = group.n == s.weights.last_group;
    if (turn.filling() && !sums.empty()) {
      const typename C::SumToken in = sums.read();
      turn.fill(collected, transform_line<typename C::Transform, C::M>(in.data).bits, in.marks);
    }

    const TileMarks marks = turn.leaving_tag;
    bool end_of_filter = load_params;
    if (load_params) {
      param[filter.n] = ap_uint<64>(params.read()).range(53, 0);
    } else if (turn.leaving()) {
      const FilterParams p = FilterParams::from_beat(param[filter.n]);
      typename C::SumColumn row;
    take_row:
      for (int c = 0; c < C::T; ++c) {
        row.set(c, Sum(rows[c].range(C::SUM_BITS - 1, 0)));
      }
      const Pack<C::SUM_BITS, C::M> y = transform_line<typename C::Transform, C::M>(row);
      const bool outside_row = marks.bottom && M - turn.left > s.last_out_row;
      OutputLanes<C::LANES> lanes;
    scale_lanes:
      for (int j = 0; j < C::LANES; ++j) {
        Sum sum = y.get(j);
        for (int q = 1; q < M / 2; ++q) {
          if (pair.n == q) sum = y.get(2 * q + j);
        }
        const bool outside = outside_row || (marks.right && 2 * pair.n + j > s.last_out_col);
        const bool real = !last_group || filter.n <= s.last_real;
        const ap_int<32> total = C::Transform::quotient(sum) + p.bias;
        if (real && !outside) lanes.set(j, total, p, s.output);
      }
      packed = lanes.append_to(packed, s.output);
      const bool complete = quarter.tick(3) || !s.output.int8;
      // An int8 beat of F(2×2) holds two filters: it begins with the even one.
      const bool shared = M == 2 && s.output.int8;
      const ap_uint<16> beat_filter = shared ? ap_uint<16>(filter.n >> 1 << 1) : filter.n;
      if (pair.tick(M / 2 - 1)) end_of_filter = turn.step(rows);
      OutBeat out;
      out.data = packed;
      out.last = marks.final && end_of_filter && filter.n >= s.last_real;
      if (complete && (!last_group || beat_filter <= s.last_real)) beats.write(out);
    }

    if (end_of_filter && filter.tick(s.weights.last_param.of(last_group))) {
      done = !load_params && marks.final;
      const bool end_of_pass = !load_params && marks.pass_end;
      if (end_of_pass) group.tick(s.weights.last_group);
      load_params = end_of_pass;
    }
    if (turn.due()) turn.exchange(collected, rows, M);
  }
}

}  // namespace winograd
}  // namespace convloom

#endif  // CONVLOOM_CONV_WINOGRAD_WRITE_H_
