// SPDX-License-Identifier: Apache-2.0
// Registers are checked once, before any beat moves: a wrong one ends the run with a status code.
#ifndef CONVLOOM_CONV_WINOGRAD_CHECK_H_
#define CONVLOOM_CONV_WINOGRAD_CHECK_H_

#include "checks.h"
#include "config.h"

namespace convloom {
namespace winograd {

/// Checks every register and hands the shapes to the processes.
template <class C>
void check_registers(ap_uint<32> height, ap_uint<32> width, ap_uint<32> channels,
                     ap_uint<32> filters, ap_uint<32> pad_top, ap_uint<32> pad_left,
                     ap_uint<32> out_height, ap_uint<32> out_width, ap_uint<32> image_sets,
                     ap_uint<32> set_images, ap_uint<32> set_images_last, ap_uint<32> strips,
                     ap_uint<32> strip_rows, ap_uint<32> strip_rows_last, ap_uint<32> groups,
                     ap_uint<32> group_blocks, ap_uint<32> group_blocks_last, ap_uint<32> row_slots,
                     ap_uint<32> loop_order, ap_uint<32> int8_output, ap_int<32> x_zero_point,
                     ap_int<32> y_zero_point, ap_int<32> clamp_low, ap_int<32> clamp_high,
                     hls::stream<TileMap>& to_pixels, hls::stream<Shape>& to_tiles,
                     hls::stream<WeightShape>& to_weights, hls::stream<Shape>& to_kernels,
                     hls::stream<Shape>& to_array, hls::stream<Shape>& to_scale,
                     hls::stream<ap_uint<8>>& to_write) {
  TileMap map;
  const TileFaults wrong = check_tiles<C::T, C::M, C::RING_WORDS>(
      height, width, channels, pad_top, pad_left, out_height, out_width, image_sets, set_images,
      set_images_last, strips, strip_rows, strip_rows_last, row_slots, loop_order, x_zero_point,
      map);
  const ap_uint<32> full_words = small_product<8>(ap_uint<16>(channels), ap_uint<8>(group_blocks));
  const ap_uint<32> final_words =
      small_product<8>(ap_uint<16>(channels), ap_uint<8>(group_blocks_last));
  const ap_uint<32> full_filters = ap_uint<8>(group_blocks) * C::COLS;
  const ap_uint<32> final_filters = ap_uint<8>(group_blocks_last) * C::COLS;
  ap_uint<32> last_filter;  // of the last block that is one of the layer's
  const bool filters_fit = fills_blocks(filters, groups, group_blocks, group_blocks_last, C::COLS,
                                        C::MAX_BLOCKS, last_filter);

  ap_uint<8> code = contract::ok;
  if (wrong.map) {
    code = contract::bad_map;
  } else if (!within(channels, 1, C::KERNEL_WORDS) || !within(group_blocks, 1, C::MAX_BLOCKS) ||
             full_words > C::KERNEL_WORDS) {
    code = contract::bad_channels;
  } else if (!filters_fit || !within(filters, 1, 65535)) {
    code = contract::bad_filters;
  } else if (wrong.strips) {
    code = contract::bad_strips;
  } else if (wrong.rows) {
    code = contract::bad_rows;
  } else if (wrong.order) {
    code = contract::bad_order;
  } else if (!is_int8(x_zero_point) ||
             !output_in_range(int8_output, y_zero_point, clamp_low, clamp_high)) {
    code = contract::bad_output;
  }

  Shape s;
  s.run = code == contract::ok;
  s.last_channel = channels - 1;
  s.last_out_row = (out_height - 1) & (C::M - 1);
  s.last_out_col = (out_width - 1) & (C::M - 1);
  s.weights.run = s.run;
  s.weights.last_param = Bound<16>::lengths(full_filters, final_filters);
  s.weights.last_part = 0;
  s.weights.last_word =
      Bound<16>::lengths((full_words * C::COLS + 7) >> 3, (final_words * C::COLS + 7) >> 3);
  s.weights.last_repeat = 0;
  s.weights.last_group = groups - 1;
  s.weights.last_round = map.last_round;
  s.last_real = final_filters - C::COLS + last_filter;
  s.last_kernel_pair = Bound<16>::lengths(full_words * (C::COLS / 2), final_words * (C::COLS / 2));
  s.output = Output::from_registers(int8_output, y_zero_point, clamp_low, clamp_high);
  map.run = s.run;
  map.last_pass = groups - 1;
  map.last_block = Bound<8>::lengths(group_blocks, group_blocks_last);

  to_pixels.write(map);
  to_tiles.write(s);
  to_weights.write(s.weights);
  to_kernels.write(s);
  to_array.write(s);
  to_scale.write(s);
  to_write.write(code);
}

}  // namespace winograd
}  // namespace convloom

#endif  // CONVLOOM_CONV_WINOGRAD_CHECK_H_
