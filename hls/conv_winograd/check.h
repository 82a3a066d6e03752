// SPDX-License-Identifier: Apache-2.0
// Registers are checked once, before any beat moves: a wrong one ends the run with a status code.
#ifndef CONVLOOM_CONV_WINOGRAD_CHECK_H_
#define CONVLOOM_CONV_WINOGRAD_CHECK_H_

#include "checks.h"
#include "config.h"
#include "counters.h"

namespace convloom {
namespace winograd {

/// Whether parts·size + last is count; parts is one less than their number, last <= size, and a
/// single part has last = size.
inline bool adds_up(ap_uint<32> parts, ap_uint<32> size, ap_uint<32> last, ap_uint<32> count) {
#pragma HLS INLINE
  return within(parts, 0, 65534) && within(size, 1, 65535) && last >= 1 && last <= size &&
         (parts != 0 || last == size) &&
         small_product<16>(ap_uint<16>(parts), ap_uint<16>(size)) + last == count;
}

/// Checks every register and hands the shape to the processes.
template <class C>
void check_registers(ap_uint<32> height, ap_uint<32> width, ap_uint<32> channels,
                     ap_uint<32> filters, ap_uint<32> pad_top, ap_uint<32> pad_left,
                     ap_uint<32> out_height, ap_uint<32> out_width, ap_uint<32> image_sets,
                     ap_uint<32> set_images, ap_uint<32> set_images_last, ap_uint<32> strips,
                     ap_uint<32> strip_rows, ap_uint<32> strip_rows_last, ap_uint<32> groups,
                     ap_uint<32> group_blocks, ap_uint<32> group_blocks_last, ap_uint<32> row_slots,
                     ap_uint<32> loop_order, ap_uint<32> int8_output, ap_int<32> x_zero_point,
                     ap_int<32> y_zero_point, ap_int<32> clamp_low, ap_int<32> clamp_high,
                     hls::stream<Shape>& to_pixels, hls::stream<Shape>& to_tiles,
                     hls::stream<Shape>& to_weights, hls::stream<Shape>& to_kernels,
                     hls::stream<Shape>& to_array, hls::stream<bool>& to_outputs,
                     hls::stream<Shape>& to_scale, hls::stream<ap_uint<8>>& to_write) {
  const int MOST = 16383;  // keeps every sum below in 16 bits
  const ap_uint<32> tile_rows = (ap_uint<16>(out_height) + C::M - 1) >> C::TILE_BITS;
  const ap_uint<32> tile_cols = (ap_uint<16>(out_width) + C::M - 1) >> C::TILE_BITS;
  const ap_uint<32> padded_rows = tile_rows * C::M + 2;
  const ap_uint<32> padded_cols = tile_cols * C::M + 2;
  const ap_uint<8> pixel_beats = (ap_uint<16>(channels) + 7) >> 3;
  const ap_uint<32> row_words = small_product<8>(padded_cols, pixel_beats);
  const ap_uint<32> slot_words = small_product<8>(ap_uint<16>(row_words), ap_uint<8>(row_slots));
  const ap_uint<32> ring_rows = ap_uint<8>(row_slots) * C::T;
  const ap_uint<32> strip_map_rows = ap_uint<16>(strip_rows) * C::M + 2;
  const ap_uint<32> kept_rows =
      small_product<16>(ap_uint<16>(set_images), ap_uint<16>(strip_map_rows));
  const ap_uint<32> images =
      small_product<16>(ap_uint<16>(image_sets - 1), ap_uint<16>(set_images)) + set_images_last;
  const ap_uint<32> rounds = small_product<16>(ap_uint<16>(image_sets), ap_uint<16>(strips));
  const ap_uint<32> group_kernels =
      small_product<8>(ap_uint<16>(channels), ap_uint<8>(group_blocks));
  const ap_uint<32> final_kernels =
      small_product<8>(ap_uint<16>(channels), ap_uint<8>(group_blocks_last));
  const ap_uint<32> blocks =
      small_product<8>(ap_uint<16>(groups - 1), ap_uint<8>(group_blocks)) + group_blocks_last;
  const ap_uint<32> most_filters = blocks * C::COLS;

  ap_uint<8> code = contract::ok;
  if (!within(height, 1, MOST) || !within(width, 1, MOST) || pad_top > MOST || pad_left > MOST ||
      !within(out_height, 1, MOST) || !within(out_width, 1, MOST) ||
      pad_top + height > out_height + 2 || pad_left + width > out_width + 2) {
    code = contract::bad_map;
  } else if (!within(channels, 1, C::KERNEL_WORDS) || !within(group_blocks, 1, C::MAX_BLOCKS) ||
             group_kernels > C::KERNEL_WORDS) {
    code = contract::bad_channels;
  } else if (!within(filters, 1, 65535) || !within(groups, 1, 65535) ||
             !within(group_blocks_last, 1, C::MAX_BLOCKS) || group_blocks_last > group_blocks ||
             filters > most_filters || filters + C::COLS <= most_filters) {
    code = contract::bad_filters;
  } else if (!within(image_sets, 1, 65535) || !within(strips, 1, 65535) ||
             !adds_up(strips - 1, strip_rows, strip_rows_last, tile_rows) ||
             !adds_up(image_sets - 1, set_images, set_images_last, images) ||
             !within(images, 1, 65535) || !within(rounds, 1, 65535) ||
             (set_images != 1 && strips != 1)) {
    code = contract::bad_strips;
  } else if (!within(row_slots, 1, C::MAX_SLOTS) || !within(slot_words, 1, C::RING_WORDS) ||
             row_words > C::RING_WORDS || (loop_order == 0 && kept_rows > ring_rows)) {
    code = contract::bad_rows;
  } else if (loop_order > 1 || (loop_order == 1 && rounds != 1)) {
    code = contract::bad_order;
  } else if (int8_output > 1 || !is_int8(x_zero_point) || !is_int8(y_zero_point) ||
             !is_int8(clamp_low) || !is_int8(clamp_high)) {
    code = contract::bad_output;
  }

  Shape s;
  s.run = code == contract::ok;
  s.int8_output = int8_output == 1;
  s.repeat_map = loop_order == 1;
  s.pad_top = pad_top;
  s.pad_left = pad_left;
  s.end_row = pad_top + height;
  s.end_col = pad_left + width;
  s.last_padded_row = padded_rows - 1;
  s.last_row_beat = small_product<8>(ap_uint<16>(width), pixel_beats) - 1;
  s.first_word = small_product<8>(ap_uint<16>(pad_left), pixel_beats);
  s.row_words = row_words;
  s.pixel_beats = pixel_beats;
  s.last_slot = row_slots - 1;
  s.ring_rows = ring_rows;
  s.last_channel = channels - 1;
  s.last_lane = channels - 1;
  s.last_image = images - 1;
  s.last_tile_row = tile_rows - 1;
  s.last_tile_col = tile_cols - 1;
  // Storing kernels takes COLS / 2 cycles a channel, so it starts that many tiles before the end.
  s.call_tile_col = tile_cols > C::COLS / 2 ? ap_uint<32>(tile_cols - C::COLS / 2) : ap_uint<32>(0);
  s.last_out_row = (out_height - 1) & (C::M - 1);
  s.last_out_col = (out_width - 1) & (C::M - 1);
  s.last_set = image_sets - 1;
  s.last_set_image = set_images - 1;
  s.final_set_image = set_images_last - 1;
  s.last_strip = strips - 1;
  s.last_strip_row = strip_rows - 1;
  s.final_strip_row = strip_rows_last - 1;
  s.last_round = rounds - 1;
  s.filters = filters;
  s.last_group = groups - 1;
  s.last_block = group_blocks - 1;
  s.final_block = group_blocks_last - 1;
  s.last_group_word = (group_kernels * C::COLS - 1) >> 3;
  s.final_group_word = (final_kernels * C::COLS - 1) >> 3;
  s.x_zero_point = x_zero_point;
  s.y_zero_point = y_zero_point;
  s.clamp_low = clamp_low;
  s.clamp_high = clamp_high;

  to_pixels.write(s);
  to_tiles.write(s);
  to_weights.write(s);
  to_kernels.write(s);
  to_array.write(s);
  to_outputs.write(s.run);
  to_scale.write(s);
  to_write.write(code);
}

}  // namespace winograd
}  // namespace convloom

#endif  // CONVLOOM_CONV_WINOGRAD_CHECK_H_
