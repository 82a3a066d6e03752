// SPDX-License-Identifier: Apache-2.0
// Registers are checked once, before any beat moves: a wrong one ends the run with a status code.
#ifndef CONVLOOM_GEMM_SYSTOLIC_CHECK_H_
#define CONVLOOM_GEMM_SYSTOLIC_CHECK_H_

#include "checks.h"
#include "config.h"
#include "counters.h"

namespace convloom {
namespace gemm {

/// Whether tiles·blocks blocks of `size` (the final tile having `blocks_last`) just cover `count`.
template <int SIZE>
bool covers(ap_uint<32> count, ap_uint<32> tiles, ap_uint<32> blocks, ap_uint<32> blocks_last,
            int max_count, int max_blocks) {
#pragma HLS INLINE
  const bool in_range = within(count, 1, max_count) && within(tiles, 1, 65535) &&
                        within(blocks, 1, max_blocks) && within(blocks_last, 1, max_blocks) &&
                        blocks_last <= blocks;
  const ap_uint<16> full_tiles = tiles - 1;
  const ap_uint<32> before = small_product<8>(full_tiles, ap_uint<8>(blocks)) + blocks_last - 1;
  const ap_uint<32> least = before * SIZE;
  return in_range && count > least && count <= least + SIZE;
}

/// Checks every register and hands the shape to the processes.
template <class C>
void check_registers(ap_uint<32> rows, ap_uint<32> filters, ap_uint<32> groups,
                     ap_uint<32> row_tiles, ap_uint<32> row_blocks, ap_uint<32> row_blocks_last,
                     ap_uint<32> filter_tiles, ap_uint<32> filter_blocks,
                     ap_uint<32> filter_blocks_last, ap_uint<32> chunks, ap_uint<32> segments,
                     ap_uint<32> segment_words, ap_uint<32> image_words, ap_uint<32> int8_output,
                     ap_int<32> y_zero_point, ap_int<32> clamp_low, ap_int<32> clamp_high,
                     hls::stream<Shape>& to_activations, hls::stream<Shape>& to_weights,
                     hls::stream<Shape>& to_add, hls::stream<Shape>& to_scale,
                     hls::stream<bool>& to_array, hls::stream<ap_uint<8>>& to_write) {
  const ap_uint<32> chunk_words = small_product<8>(ap_uint<8>(segments), ap_uint<8>(segment_words));
  const ap_uint<32> depth = chunk_words * C::WORD;
  const ap_uint<32> entries =
      small_product<8>(ap_uint<8>(row_blocks), ap_uint<8>(segments)) * C::ROWS;
  const ap_uint<32> table_beats = (entries + 3) >> 2;

  ap_uint<8> code = contract::ok;
  if (!covers<C::ROWS>(rows, row_tiles, row_blocks, row_blocks_last, (1 << 24) - 1,
                       C::MAX_ROW_BLOCKS)) {
    code = contract::bad_rows;
  } else if (!covers<C::COLS>(filters, filter_tiles, filter_blocks, filter_blocks_last, 65535,
                              C::MAX_FILTER_BLOCKS)) {
    code = contract::bad_filters;
  } else if (!within(groups, 1, 65535)) {
    code = contract::bad_groups;
  } else if (!within(chunks, 1, 65535) || !within(segments, 1, C::MAX_CHUNK_WORDS) ||
             !within(segment_words, 1, C::MAX_CHUNK_WORDS) ||
             !within(depth, C::MIN_DEPTH, C::MAX_DEPTH)) {
    code = contract::bad_reduction;
  } else if (!within(image_words, 1, C::IMAGE_WORDS)) {
    code = contract::bad_image;
  } else if (!within(table_beats, 1, C::TABLE_BEATS)) {
    code = contract::bad_table;
  } else if (int8_output > 1 || !is_int8(y_zero_point) || !is_int8(clamp_low) ||
             !is_int8(clamp_high)) {
    code = contract::bad_output;
  }

  Shape s;
  s.run = code == contract::ok;
  s.int8_output = int8_output == 1;
  s.last_row = rows - 1;
  s.filters = filters;
  s.last_group = groups - 1;
  s.last_row_tile = row_tiles - 1;
  s.last_row_block = row_blocks - 1;
  s.final_row_block = row_blocks_last - 1;
  s.last_filter_tile = filter_tiles - 1;
  s.last_filter_block = filter_blocks - 1;
  s.final_filter_block = filter_blocks_last - 1;
  s.last_chunk = chunks - 1;
  s.last_segment = segments - 1;
  s.last_segment_word = segment_words - 1;
  s.last_depth = depth - 1;
  s.last_table_beat = table_beats - 1;
  s.last_image_word = image_words - 1;
  s.y_zero_point = y_zero_point;
  s.clamp_low = clamp_low;
  s.clamp_high = clamp_high;

  to_activations.write(s);
  to_weights.write(s);
  to_add.write(s);
  to_scale.write(s);
  to_array.write(s.run);
  to_write.write(code);
}

}  // namespace gemm
}  // namespace convloom

#endif  // CONVLOOM_GEMM_SYSTOLIC_CHECK_H_
