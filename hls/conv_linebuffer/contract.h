// SPDX-License-Identifier: Apache-2.0
// Generated from kernel.toml by scripts/generate.py; do not edit.
// clang-format off
#ifndef CONVLOOM_CONV_LINEBUFFER_CONTRACT_H_
#define CONVLOOM_CONV_LINEBUFFER_CONTRACT_H_

namespace convloom {
namespace conv_linebuffer_contract {

struct tiny {
  static const int taps = 3;
  static const int block_filters = 2;
  static const int lines = 4;
  static const int line_words = 64;
  static const int columns = 4;
  static const int pixel_words = 4;
  static const int weight_words = 8;
  static const int max_blocks = 8;
  static const int lanes = 2;
};

struct tiny5 {
  static const int taps = 5;
  static const int block_filters = 2;
  static const int lines = 8;
  static const int line_words = 64;
  static const int columns = 8;
  static const int pixel_words = 4;
  static const int weight_words = 8;
  static const int max_blocks = 8;
  static const int lanes = 2;
};

struct z2 {
  static const int taps = 3;
  static const int block_filters = 6;
  static const int lines = 4;
  static const int line_words = 2048;
  static const int columns = 4;
  static const int pixel_words = 256;
  static const int weight_words = 256;
  static const int max_blocks = 64;
  static const int lanes = 2;
};

enum Status {
  /// no error
  ok = 0,
  /// groups, batch, height or width is out of range, or a map row has more than line_words channel words
  bad_map = 1,
  /// channels is 0 or above 8 · pixel_words
  bad_channels = 2,
  /// filters, filter_groups, blocks, blocks_last and word_blocks do not agree or are out of range
  bad_filters = 3,
  /// the weights of a filter group are more than weight_words
  bad_weights = 4,
  /// kernel size, stride, pads and output size do not agree or are out of range
  bad_window = 5,
  /// int8_output, a zero point or a clamp is out of range
  bad_output = 6,
  /// TLAST of in0 was not on the last beat of a transfer (bit mask)
  in0_tlast = 16,
  /// TLAST of in1 was within the sequence of a filter group, or missing on the last beat (bit mask)
  in1_tlast = 32,
};

}  // namespace conv_linebuffer_contract
}  // namespace convloom

#endif  // CONVLOOM_CONV_LINEBUFFER_CONTRACT_H_
