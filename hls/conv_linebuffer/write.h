// SPDX-License-Identifier: Apache-2.0
// Requantisation and packing to output beats.
#ifndef CONVLOOM_CONV_LINEBUFFER_WRITE_H_
#define CONVLOOM_CONV_LINEBUFFER_WRITE_H_

#include "config.h"
#include "counters.h"
#include "requantize.h"
#include "results.h"

namespace convloom {
namespace linebuffer {

/// Bias and requantisation of LANES filters per cycle, packed to beats.
///
/// The parameters of a filter group are read before its first sum.  A pixel ends with the last
/// filter that is there; its last beat is filled up with 0.  II = 1.
template <class C>
void scale_sums(hls::stream<Shape>& shape, hls::stream<typename C::SumRow>& sums,
                hls::stream<ap_uint<64>>& params, hls::stream<OutBeat>& beats) {
  const int PARAM_WORDS = C::GROUP_FILTERS / C::LANES;
  const int SLOTS = kBeatBytes / C::LANES;
  const Shape s = shape.read();
  ap_uint<54> param[PARAM_WORDS][C::LANES];
#pragma HLS ARRAY_PARTITION variable = param complete dim = 2
  typename C::SumRow current;
  current.bits = 0;
  ap_uint<64> packed = 0;

  Counter<16> group, filter_group, image, out_row, out_column;
  bool final_group = false;  // in the last filter group; known one iteration after it began
  Counter<16> load;
  Counter<16> step;                 // lane groups of the pixel …
  Counter<8> block_step;            // … and of the block
  Counter<index_bits(SLOTS)> slot;  // of the beat
  bool load_params = true;

scale_sums:
  for (bool done = !s.run; !done;) {
#pragma HLS PIPELINE II = 1
    const bool next_final_group = filter_group.n == s.last_filter_group;
    if (load_params) {
      store_params(param, load.n, params.read());
      // There are at least two parameters, so an old final_group does no harm to the first.
      load_params = !load.tick(s.last_param.of(final_group));
    } else {
      if (block_step.n == 0) current = sums.read();
      const ap_uint<index_bits(PARAM_WORDS)> at = step.n;
      const bool end_of_pixel = step.tick(s.last_step.of(final_group));
      OutputLanes<C::LANES> lanes;
    scale_lanes:
      for (int j = 0; j < C::LANES; ++j) {
#pragma HLS UNROLL
        const FilterParams p = FilterParams::from_beat(param[at][j]);
        const ap_int<32> total = current.get(j) + p.bias;
        if (j == 0 || !(end_of_pixel && final_group && s.odd)) lanes.set(j, total, p, s.output);
      }
      current.bits = current.bits >> (32 * C::LANES);
    pack_bytes:
      for (int j = 0; j < SLOTS; ++j) {
#pragma HLS UNROLL
        const int low = 8 * C::LANES * j;
        if (slot.n == j) packed.range(low + 8 * C::LANES - 1, low) = lanes.bytes;
      }

      const bool end_of_map = out_column.n == s.last_out_column && out_row.n == s.last_out_row;
      const bool end_of_group = end_of_pixel && end_of_map && image.n == s.last_image;
      const bool end_of_beat = slot.tick(SLOTS - 1) || end_of_pixel;
      OutBeat out;
      out.data = s.output.int8 ? packed : lanes.sums;
      out.last = end_of_group && final_group && group.n == s.last_group;
      if (!s.output.int8 || end_of_beat) beats.write(out);

      if (end_of_beat) packed = 0;
      block_step.tick(s.last_block_step);
      if (end_of_pixel) {
        // What is left of the block are filters past the last.
        slot.n = 0;
        block_step.n = 0;
        if (out_column.tick(s.last_out_column)) {
          if (out_row.tick(s.last_out_row)) image.tick(s.last_image);
        }
      }
      if (end_of_group) {
        load_params = true;
        if (filter_group.tick(s.last_filter_group)) done = group.tick(s.last_group);
      }
    }
    final_group = next_final_group;
  }
}

}  // namespace linebuffer
}  // namespace convloom

#endif  // CONVLOOM_CONV_LINEBUFFER_WRITE_H_
