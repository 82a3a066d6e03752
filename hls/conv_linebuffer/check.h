// SPDX-License-Identifier: Apache-2.0
// Registers are checked once, before any beat moves: a wrong one ends the run with a status code.
#ifndef CONVLOOM_CONV_LINEBUFFER_CHECK_H_
#define CONVLOOM_CONV_LINEBUFFER_CHECK_H_

#include "checks.h"
#include "config.h"

namespace convloom {
namespace linebuffer {

/// Whether `out` windows of `kernel` at `stride` just fit a map of `size` between two pads.
/// \tparam TAPS the largest kernel.
template <int TAPS>
bool window_fits(ap_uint<32> size, ap_uint<32> before, ap_uint<32> after, ap_uint<32> kernel,
                 ap_uint<32> stride, ap_uint<32> out) {
#pragma HLS INLINE
  const bool in_range = within(kernel, 1, TAPS) && within(stride, 1, 15) && before <= 255 &&
                        after <= 255 && within(out, 1, 65535);
  const ap_uint<20> padded = ap_uint<16>(size) + ap_uint<8>(before) + ap_uint<8>(after);
  const ap_uint<16> last = out - 1;
  const ap_uint<21> end = small_product<4>(last, ap_uint<4>(stride)) + ap_uint<8>(kernel);
  return in_range && padded >= end && padded < end + ap_uint<4>(stride);
}

/// Checks every register and hands the shapes to the processes.
template <class C>
void check_registers(ap_uint<32> groups, ap_uint<32> filter_groups, ap_uint<32> batch,
                     ap_uint<32> height, ap_uint<32> width, ap_uint<32> channels,
                     ap_uint<32> filters, ap_uint<32> blocks, ap_uint<32> blocks_last,
                     ap_uint<32> word_blocks, ap_uint<32> kernel_height, ap_uint<32> kernel_width,
                     ap_uint<32> out_height, ap_uint<32> out_width, ap_uint<32> stride_h,
                     ap_uint<32> stride_w, ap_uint<32> pad_top, ap_uint<32> pad_left,
                     ap_uint<32> pad_bottom, ap_uint<32> pad_right, ap_uint<32> int8_output,
                     ap_int<32> x_zero_point, ap_int<32> y_zero_point, ap_int<32> clamp_low,
                     ap_int<32> clamp_high, hls::stream<MapShape>& to_map,
                     hls::stream<WeightShape>& to_weights, hls::stream<Shape>& to_convolve,
                     hls::stream<Shape>& to_scale, hls::stream<ap_uint<8>>& to_write) {
  const bool depthwise = word_blocks != 0;
  const ap_uint<16> words = (channels + (kBeatBytes - 1)) >> 3;
  const ap_uint<32> line_words = small_product<16>(ap_uint<16>(width), words);
  const ap_uint<8> block_filters = depthwise ? C::DEPTHWISE_CO : C::CO;

  const ap_uint<8> full = blocks;
  const ap_uint<8> final = blocks_last;
  const ap_uint<16> full_filters = small_product<8>(full, block_filters);
  const ap_uint<16> final_filters = small_product<8>(final, block_filters);
  ap_uint<32> last_filter;  // of the last block that is one of the layer's
  bool filters_ok =
      within(filters, 1, 65535) && fills_blocks(filters, filter_groups, blocks, blocks_last,
                                                block_filters, C::MAX_BLOCKS, last_filter);
  if (depthwise) {
    // Blocks are counted by channel word, and all of them are one filter group.
    filters_ok = filters_ok && within(word_blocks, 1, C::MAX_BLOCKS) && filter_groups == 1 &&
                 blocks == small_product<8>(words, ap_uint<8>(word_blocks));
  }
  const ap_uint<16> last_group_filters = final_filters - block_filters + last_filter + 1;
  const ap_uint<32> full_weights = depthwise ? ap_uint<32>(full) : small_product<8>(words, full);
  const ap_uint<32> final_weights = depthwise ? ap_uint<32>(final) : small_product<8>(words, final);

  ap_uint<8> code = contract::ok;
  if (!within(groups, 1, 65535) || !within(batch, 1, 65535) || !within(height, 1, 65535) ||
      !within(width, 1, 65535)) {
    code = contract::bad_map;
  } else if (!within(channels, 1, kBeatBytes * C::PIXEL_WORDS)) {
    code = contract::bad_channels;
  } else if (!within(line_words, 1, C::LINE_WORDS)) {
    code = contract::bad_map;
  } else if (!filters_ok) {
    code = contract::bad_filters;
  } else if (!within(full_weights, 1, C::WEIGHT_WORDS)) {
    code = contract::bad_weights;
  } else if (!window_fits<C::TAPS>(height, pad_top, pad_bottom, kernel_height, stride_h,
                                   out_height) ||
             !window_fits<C::TAPS>(width, pad_left, pad_right, kernel_width, stride_w, out_width)) {
    code = contract::bad_window;
  } else if (!is_int8(x_zero_point) ||
             !output_in_range(int8_output, y_zero_point, clamp_low, clamp_high)) {
    code = contract::bad_output;
  }
  const bool run = code == contract::ok;

  const ap_uint<16> last_column_start = out_width - 1;
  MapShape m;
  m.run = run;
  m.last_group = groups - 1;
  m.last_pass = filter_groups - 1;
  m.last_image = batch - 1;
  m.height = height;
  m.width = width;
  m.last_word = words - 1;
  m.last_line_word = line_words - 1;
  m.last_out_row = out_height - 1;
  m.last_round = 0;
  m.last_column = small_product<4>(last_column_start, ap_uint<4>(stride_w)) + (C::TAPS - 1);
  m.stride_h = stride_h;
  m.pad_top = pad_top;
  m.pad_left = pad_left;
  m.zero_point = x_zero_point;

  Shape s;
  s.run = run;
  s.depthwise = depthwise;
  s.last_group = groups - 1;
  s.last_filter_group = filter_groups - 1;
  s.last_image = batch - 1;
  s.last_out_row = out_height - 1;
  s.last_out_column = out_width - 1;
  s.last_word = words - 1;
  s.last_block = depthwise ? Bound<8>::lengths(word_blocks, word_blocks)
                           : Bound<8>::lengths(blocks, blocks_last);
  s.last_weight = Bound<16>::lengths(full_weights, final_weights);
  s.last_param = Bound<16>::lengths(full_filters, final_filters);
  s.last_step = Bound<16>::lengths((full_filters + 1) >> 1, (last_group_filters + 1) >> 1);
  s.odd = last_group_filters[0];
  s.stride_w = stride_w;
  s.last_block_step = (block_filters >> 1) - 1;
  s.output = Output::from_registers(int8_output, y_zero_point, clamp_low, clamp_high);

  const ap_uint<8> weight_beats = C::CO * C::FILTER_BEATS;  // of a weight word
  WeightShape w;
  w.run = run;
  w.last_param = s.last_param;
  w.last_part = 0;
  w.last_word = Bound<16>::lengths(small_product<8>(full_weights, weight_beats),
                                   small_product<8>(final_weights, weight_beats));
  w.last_repeat = 0;
  w.last_group = s.last_filter_group;
  w.last_round = s.last_group;

  to_map.write(m);
  to_weights.write(w);
  to_convolve.write(s);
  to_scale.write(s);
  to_write.write(code);
}

}  // namespace linebuffer
}  // namespace convloom

#endif  // CONVLOOM_CONV_LINEBUFFER_CHECK_H_
