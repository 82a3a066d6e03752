// SPDX-License-Identifier: Apache-2.0
// Requantisation and packing to output beats.
#ifndef CONVLOOM_GEMM_SYSTOLIC_WRITE_H_
#define CONVLOOM_GEMM_SYSTOLIC_WRITE_H_

#include "config.h"
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
  typedef ap_uint<index_bits(C::COLS)> Column;
  const Shape s = shape.read();
  ap_uint<54> param[C::TILE_FILTERS / C::LANES][C::LANES];
#pragma HLS ARRAY_PARTITION variable = param complete dim = 2
  typename C::TotalRow current;
  current.bits = 0;
  ap_uint<64> packed = 0;

  Tile tile;
  Counter<8> filter_block, row_block, row;
  Column next = 0;  // filter of the block that the next cycle begins with
  bool load_params = true;
  const Column in_beat =
      s.output.int8 ? kBeatBytes - 1 : 1;  // low bits of a filter: place in its beat

scale_sums:
  for (bool done = !s.run; !done;) {
#pragma HLS PIPELINE II = 1
    const ap_uint<8> last_filter_block = tile.last_filter_block(s.tiles);
    const ap_uint<8> last_row_block = tile.last_row_block(s.tiles);
    const bool last_filters =
        filter_block.n == last_filter_block && tile.filter_tile.n == s.tiles.last_filter_tile;
    const bool last_rows =
        row_block.n == last_row_block && tile.row_tile.n == s.tiles.last_row_tile;
    const Column first = next;
    const ap_uint<16> filter = int(filter_block.n) * C::COLS + int(first);  // of the tile
    next = first + (load_params ? 1 : s.output.int8 ? C::LANES : 2);
    const bool end_of_row = next == 0;

    if (load_params) {
      store_params(param, filter, params.read());
      if (end_of_row) load_params = !filter_block.tick(last_filter_block);
    } else {
      if (first == 0) current = totals.read();
      const Column last_filter = last_filters ? int(s.last_filter) : C::COLS - 1;
      const ap_uint<index_bits(C::TILE_FILTERS / C::LANES)> at = filter / C::LANES;
      FilterParams of_lane[C::LANES];
#pragma HLS ARRAY_PARTITION variable = of_lane complete
    read_params:
      for (int j = 0; j < C::LANES; ++j) {
        of_lane[j] = FilterParams::from_beat(param[at][j]);
      }
      OutputLanes<C::LANES> lanes;
    scale_lanes:
      for (int j = 0; j < C::LANES; ++j) {
        // An int32 beat takes two lanes, from the first filter of this cycle on.
        const FilterParams p = of_lane[s.output.int8 ? j : (int(first) + j) % C::LANES];
        const ap_int<32> total = current.get(j) + p.bias;
        if (int(first) + j <= last_filter) lanes.set(j, total, p, s.output);
      }
      current.bits = s.output.int8 ? current.bits >> (32 * C::LANES) : current.bits >> 64;
      packed = lanes.append_to(packed, s.output);

      const bool wanted = !last_rows || row.n <= s.last_row;
      const bool complete = (next & in_beat) == 0;
      const Column beat_first = first & ~in_beat;
      OutBeat out;
      out.data = packed;
      out.last = last_filters && last_rows && tile.group.n == s.tiles.last_group &&
                 row.n == s.last_row && (first | in_beat) >= last_filter;
      if (wanted && complete && beat_first <= last_filter) beats.write(out);

      if (end_of_row && row.tick(C::ROWS - 1) && row_block.tick(last_row_block) &&
          filter_block.tick(last_filter_block)) {
        load_params = true;
        done = tile.tick(s.tiles);
      }
    }
  }
}

}  // namespace gemm
}  // namespace convloom

#endif  // CONVLOOM_GEMM_SYSTOLIC_WRITE_H_
