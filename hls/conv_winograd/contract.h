// SPDX-License-Identifier: Apache-2.0
// Generated from kernel.toml by scripts/generate.py; do not edit.
// clang-format off
#ifndef CONVLOOM_CONV_WINOGRAD_CONTRACT_H_
#define CONVLOOM_CONV_WINOGRAD_CONTRACT_H_

namespace convloom {
namespace conv_winograd_contract {

struct tiny {
  static const int tile = 4;
  static const int cols = 2;
  static const int kernel_words = 32;
  static const int max_blocks = 2;
  static const int ring_words = 128;
  static const int raw_words = 8;
};

struct tiny_f2 {
  static const int tile = 2;
  static const int cols = 2;
  static const int kernel_words = 32;
  static const int max_blocks = 2;
  static const int ring_words = 128;
  static const int raw_words = 8;
};

struct z2 {
  static const int tile = 4;
  static const int cols = 6;
  static const int kernel_words = 512;
  static const int max_blocks = 16;
  static const int ring_words = 4096;
  static const int raw_words = 512;
};

enum Status {
  /// no error
  ok = 0,
  /// height, width, pad_top, pad_left, out_height or out_width is out of range, or the outputs do not reach the end of the map
  bad_map = 1,
  /// channels is 0 or above kernel_words, or channels · group_blocks is above kernel_words
  bad_channels = 2,
  /// filters, groups and group_blocks do not agree or are out of range
  bad_filters = 3,
  /// out_height, strips, strip_rows, image_sets and set_images do not agree or are out of range
  bad_strips = 4,
  /// row_slots rows of tile · ⌈out_width / tile⌉ + 2 pixels do not fit ring_words, or a strip does not fit the rows that are on chip
  bad_rows = 5,
  /// loop_order is above 1, or 1 with more than one strip
  bad_order = 6,
  /// int8_output, x_zero_point, y_zero_point or a clamp is out of range
  bad_output = 7,
  /// TLAST of in0 was not on the last beat of a transfer (bit mask)
  in0_tlast = 16,
  /// TLAST of in1 was within the sequence of a group, or missing on the last beat (bit mask)
  in1_tlast = 32,
};

}  // namespace conv_winograd_contract
}  // namespace convloom

#endif  // CONVLOOM_CONV_WINOGRAD_CONTRACT_H_
