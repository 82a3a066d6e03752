// SPDX-License-Identifier: Apache-2.0
// Generated from kernel.toml by scripts/generate.py; do not edit.
// clang-format off
#ifndef CONVLOOM_GEMM_SYSTOLIC_CONTRACT_H_
#define CONVLOOM_GEMM_SYSTOLIC_CONTRACT_H_

namespace convloom {
namespace gemm_systolic_contract {

struct tiny {
  static const int rows = 3;
  static const int cols = 8;
  static const int word_bytes = 8;
  static const int max_row_blocks = 4;
  static const int max_filter_blocks = 2;
  static const int max_chunk_words = 12;
  static const int image_words = 128;
  static const int table_beats = 32;
  static const int lanes = 2;
};

struct z2 {
  static const int rows = 13;
  static const int cols = 32;
  static const int word_bytes = 16;
  static const int max_row_blocks = 19;
  static const int max_filter_blocks = 4;
  static const int max_chunk_words = 32;
  static const int image_words = 4096;
  static const int table_beats = 1024;
  static const int lanes = 4;
};

enum Status {
  /// no error
  ok = 0,
  /// rows, row_tiles and row_blocks do not agree or are out of range
  bad_rows = 1,
  /// filters, filter_tiles and filter_blocks do not agree or are out of range
  bad_filters = 2,
  /// groups is 0 or above 65535
  bad_groups = 3,
  /// chunks is 0 or above 65535, or segments · segment_words is above max_chunk_words or too short for the array to drain
  bad_reduction = 4,
  /// image_words is 0 or above the image memory
  bad_image = 5,
  /// the table of a row tile is larger than the table memory
  bad_table = 6,
  /// int8_output, y_zero_point or a clamp is out of range
  bad_output = 7,
  /// TLAST of in0 was not on the last beat of a transfer (bit mask)
  in0_tlast = 16,
  /// TLAST of in1 was within the sequence of a filter tile, or missing on the last beat (bit mask)
  in1_tlast = 32,
};

}  // namespace gemm_systolic_contract
}  // namespace convloom

#endif  // CONVLOOM_GEMM_SYSTOLIC_CONTRACT_H_
