// SPDX-License-Identifier: Apache-2.0
// Registers are checked once, before any beat moves: a wrong one ends the run with a status code.
#ifndef CONVLOOM_GEMM_SYSTOLIC_CHECK_H_
#define CONVLOOM_GEMM_SYSTOLIC_CHECK_H_

#include "checks.h"
#include "config.h"

namespace convloom {
namespace gemm {

/// Checks every register and hands the shape to the processes.
template <class C>
void check_registers(ap_uint<32> rows, ap_uint<32> filters, ap_uint<32> groups,
                     ap_uint<32> row_tiles, ap_uint<32> row_blocks, ap_uint<32> row_blocks_last,
                     ap_uint<32> filter_tiles, ap_uint<32> filter_blocks,
                     ap_uint<32> filter_blocks_last, ap_uint<32> chunks, ap_uint<32> segments,
                     ap_uint<32> segment_words, ap_uint<32> image_words, ap_uint<32> int8_output,
                     ap_int<32> y_zero_point, ap_int<32> clamp_low, ap_int<32> clamp_high,
                     hls::stream<Shape>& to_activations, hls::stream<WeightShape>& to_split,
                     hls::stream<Shape>& to_weights, hls::stream<Shape>& to_add,
                     hls::stream<Shape>& to_scale, hls::stream<bool>& to_array,
                     hls::stream<ap_uint<8>>& to_write) {
  const ap_uint<32> chunk_words = small_product<8>(ap_uint<8>(segments), ap_uint<8>(segment_words));
  const ap_uint<32> depth = chunk_words * C::WORD;
  const ap_uint<32> entries =
      small_product<8>(ap_uint<8>(row_blocks), ap_uint<8>(segments)) * C::ROWS;
  const ap_uint<32> table_beats = (entries + 3) >> 2;
  ap_uint<32> last_row, last_filter;
  const bool rows_fit = fills_blocks(rows, row_tiles, row_blocks, row_blocks_last, C::ROWS,
                                     C::MAX_ROW_BLOCKS, last_row);
  const bool filters_fit = fills_blocks(filters, filter_tiles, filter_blocks, filter_blocks_last,
                                        C::COLS, C::MAX_FILTER_BLOCKS, last_filter);

  ap_uint<8> code = contract::ok;
  if (!rows_fit || !within(rows, 1, C::MAX_ROWS)) {
    code = contract::bad_rows;
  } else if (!filters_fit || !within(filters, 1, 65535)) {
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
  } else if (!output_in_range(int8_output, y_zero_point, clamp_low, clamp_high)) {
    code = contract::bad_output;
  }

  Shape s;
  s.run = code == contract::ok;
  s.tiles.last_group = groups - 1;
  s.tiles.last_filter_tile = filter_tiles - 1;
  s.tiles.last_row_tile = row_tiles - 1;
  s.tiles.last_filter_block = Bound<8>::lengths(filter_blocks, filter_blocks_last);
  s.tiles.last_row_block = Bound<8>::lengths(row_blocks, row_blocks_last);
  s.last_row = last_row;
  s.last_filter = last_filter;
  s.last_chunk = chunks - 1;
  s.last_segment = segments - 1;
  s.last_segment_word = segment_words - 1;
  s.last_depth = depth - 1;
  s.last_table_beat = table_beats - 1;
  s.last_image_word = image_words - 1;
  s.output = Output::from_registers(int8_output, y_zero_point, clamp_low, clamp_high);

  WeightShape w;
  w.run = s.run;
  w.last_param = Bound<16>::lengths(filter_blocks * C::COLS, filter_blocks_last * C::COLS);
  w.last_part = s.last_chunk;
  w.last_word =
      Bound<16>::lengths(small_product<8>(ap_uint<16>(depth), ap_uint<8>(filter_blocks)),
                         small_product<8>(ap_uint<16>(depth), ap_uint<8>(filter_blocks_last)));
  w.last_repeat = s.tiles.last_row_tile;
  w.last_group = s.tiles.last_filter_tile;
  w.last_round = s.tiles.last_group;

  to_activations.write(s);
  to_split.write(w);
  to_weights.write(s);
  to_add.write(s);
  to_scale.write(s);
  to_array.write(s.run);
  to_write.write(code);
}

}  // namespace gemm
}  // namespace convloom

#endif  // CONVLOOM_GEMM_SYSTOLIC_CHECK_H_
