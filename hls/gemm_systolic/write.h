// SPDX-License-Identifier: Apache-2.0
// Requantisation and packing to output beats.
#ifndef CONVLOOM_GEMM_SYSTOLIC_WRITE_H_
#define CONVLOOM_GEMM_SYSTOLIC_WRITE_H_

#include "config.h"
#include "counters.h"
#include "requantize.h"
#include "results.h"

namespace convloom {
namespace gemm {

/// Bias and requantisation of LANES filters per cycle (int32: two), packed to beats.
///
/// The parameters of a filter tile are read before its first total.  Rows past the last and beats
/// without a valid filter are dropped; bytes of filters past the last are 0.  II = 1.
template <class C>
void scale_totals(hls::stream<Shape>& shape, hls::stream<typename C::TotalRow>& totals,
                  hls::stream<ap_uint<64>>& params, hls::stream<OutBeat>& beats) {
  const int LANE_GROUPS = C::COLS / C::LANES;
  const Shape s = shape.read();
  ap_uint<54> param[C::MAX_FILTER_BLOCKS * LANE_GROUPS][C::LANES];
#pragma HLS ARRAY_PARTITION variable = param complete dim = 2
  typename C::TotalRow current;
  current.bits = 0;
  ap_uint<64> packed = 0;

  Counter<16> group, filter_tile, row_tile;
  Counter<8> filter_block, row_block;
  Counter<index_bits(C::ROWS)> row_of_block;
  ap_uint<index_bits(C::COLS)> column = 0;  // first filter of the block that this cycle works on
  bool load_params = true;
  ap_uint<25> row = 0, tile_row = 0;  // M, and the first of the row tile
  ap_int<18> filters_left = s.filters, tile_filters_left = s.filters;  // from the block's first on

scale_sums:
  for (bool done = !s.run; !done;) {
#pragma HLS PIPELINE II = 1
    const bool final_filter_tile = filter_tile.n == s.last_filter_tile;
    const bool final_row_tile = row_tile.n == s.last_row_tile;
    const ap_uint<8> last_filter_block =
        final_filter_tile ? s.final_filter_block : s.last_filter_block;
    const ap_uint<8> last_row_block = final_row_tile ? s.final_row_block : s.last_row_block;
    const ap_uint<index_bits(C::MAX_FILTER_BLOCKS)> block = filter_block.n;
    const ap_uint<index_bits(LANE_GROUPS)> lane_group = column / C::LANES;
    const int at = int(block) * LANE_GROUPS + int(lane_group);
    const int step = load_params ? 1 : (s.int8_output ? C::LANES : 2);
    const bool end_of_row = int(column) + step == C::COLS;
    const ap_uint<index_bits(C::COLS)> first = column;
    column = end_of_row ? 0 : int(column) + step;

    if (load_params) {
      const ap_uint<64> beat = params.read();
    store_param:
      for (int j = 0; j < C::LANES; ++j) {
#pragma HLS UNROLL
        if (int(first) % C::LANES == j) param[at][j] = beat.range(53, 0);
      }
      if (end_of_row) load_params = !filter_block.tick(last_filter_block);
    } else {
      if (first == 0) current = totals.read();
      const bool wanted = row <= s.last_row;
      FilterParams lanes[C::LANES];
#pragma HLS ARRAY_PARTITION variable = lanes complete
    read_params:
      for (int j = 0; j < C::LANES; ++j) {
#pragma HLS UNROLL
        lanes[j] = FilterParams::from_beat(param[at][j]);
      }
      ap_uint<64> sums = 0;
      ap_uint<8 * C::LANES> bytes = 0;
    scale_lanes:
      for (int j = 0; j < C::LANES; ++j) {
#pragma HLS UNROLL
        // An int32 beat takes two lanes, from the first filter of this cycle on.
        const FilterParams p = lanes[s.int8_output ? j : (int(first) + j) % C::LANES];
        const ap_int<32> sum = current.get(j) + p.bias;
        const ap_int<8> scaled =
            requantize(sum, p.multiplier, p.shift, s.y_zero_point, s.clamp_low, s.clamp_high);
        if (int(first) + j < filters_left) {
          if (j < 2) sums.range(32 * (j % 2) + 31, 32 * (j % 2)) = sum;
          bytes.range(8 * j + 7, 8 * j) = scaled;
        }
      }
      current.bits = s.int8_output ? current.bits >> (32 * C::LANES) : current.bits >> 64;
      if (s.int8_output) {
        packed = (packed >> (8 * C::LANES)) | (ap_uint<64>(bytes) << (64 - 8 * C::LANES));
      } else {
        packed = sums;
      }

      const int beat_filters = s.int8_output ? kBeatBytes : 2;
      const int beat_first = s.int8_output ? int(first) / kBeatBytes * kBeatBytes : int(first);
      const bool complete = !s.int8_output || (int(first) + step) % kBeatBytes == 0;
      const bool last_of_row =
          beat_first + beat_filters >= filters_left || beat_first + beat_filters == C::COLS;
      const bool last_block = filter_block.n == last_filter_block && final_filter_tile;
      OutBeat out;
      out.data = packed;
      out.last = last_of_row && last_block && row == s.last_row && group.n == s.last_group;
      if (wanted && complete && beat_first < filters_left) beats.write(out);

      if (end_of_row) {
        row = row + 1;
        if (row_of_block.tick(C::ROWS - 1)) {
          if (row_block.tick(last_row_block)) {
            const ap_int<18> rest = filters_left - C::COLS;
            if (filter_block.tick(last_filter_block)) {
              tile_row = row;
              load_params = true;
              filters_left = tile_filters_left;
              if (row_tile.tick(s.last_row_tile)) {
                tile_row = 0;
                filters_left = rest;
                tile_filters_left = rest;
                if (filter_tile.tick(s.last_filter_tile)) {
                  filters_left = s.filters;
                  tile_filters_left = s.filters;
                  done = group.tick(s.last_group);
                }
              }
            } else {
              filters_left = rest;
            }
            row = tile_row;
          }
        }
      }
    }
  }
}

}  // namespace gemm
}  // namespace convloom

#endif  // CONVLOOM_GEMM_SYSTOLIC_WRITE_H_
