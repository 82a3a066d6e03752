// SPDX-License-Identifier: Apache-2.0
// Windows times weights.
#ifndef CONVLOOM_CONV_LINEBUFFER_COMPUTE_H_
#define CONVLOOM_CONV_LINEBUFFER_COMPUTE_H_

#include "axis.h"
#include "config.h"
#include "counters.h"
#include "packed_multiply.h"

namespace convloom {
namespace linebuffer {

/// The products of one window of one channel word with two filters, summed.
template <class C>
void dot_pair(ap_uint<C::FILTER_BITS> window, ap_uint<C::FILTER_BITS> even_weights,
              ap_uint<C::FILTER_BITS> odd_weights, ap_int<C::DOT_BITS>& even_sum,
              ap_int<C::DOT_BITS>& odd_sum) {
#pragma HLS INLINE
  even_sum = 0;
  odd_sum = 0;
multiply_taps:
  for (int t = 0; t < C::FILTER_BEATS; ++t) {
#pragma HLS UNROLL
    const ap_uint<64> pixels = window.range(64 * t + 63, 64 * t);
    const ap_uint<64> even_word = even_weights.range(64 * t + 63, 64 * t);
    const ap_uint<64> odd_word = odd_weights.range(64 * t + 63, 64 * t);
    for (int c = 0; c < kBeatBytes; ++c) {
#pragma HLS UNROLL
      ap_int<16> even, odd;
      multiply_pair(pack_pair(int8_of(even_word, c), int8_of(odd_word, c)), int8_of(pixels, c),
                    even, odd);
      even_sum += even;
      odd_sum += odd;
    }
  }
}

/// Columns and weights in, one sum per filter of a block out, for each output pixel and block.
///
/// Dense: for each block all channel words of the pixel.  Depthwise: for each channel word its
/// blocks, each with that word only.  The weights lie in that order.  While the windows of a filter
/// group are multiplied, the columns of the next window and the weights of the next filter group
/// are loaded.  II = 1.
template <class C>
void convolve(hls::stream<Shape>& shape, hls::stream<typename C::Column>& columns_in,
              hls::stream<ap_uint<64>>& weights_in, hls::stream<typename C::SumRow>& sums) {
  const Shape s = shape.read();
  ap_uint<C::FILTER_BITS> weights[C::CO][2 * C::WEIGHT_WORDS];
#pragma HLS ARRAY_PARTITION variable = weights complete dim = 1
  ap_uint<C::COLUMN_BITS> columns[C::COLUMNS][C::PIXEL_WORDS];
#pragma HLS ARRAY_PARTITION variable = columns complete dim = 1
  ap_int<32> sum[C::CO];
#pragma HLS ARRAY_PARTITION variable = sum complete
clear_sums:
  for (int f = 0; f < C::CO; ++f) {
#pragma HLS UNROLL
    sum[f] = 0;
  }

  // Weights that are loaded, and their filter group.
  Counter<16> group, filter_group;
  Counter<index_bits(C::FILTER_BEATS)> tap;
  Counter<index_bits(C::CO)> filter;
  Counter<16> weight;
  ap_uint<16> last_weight = s.last_weight.of(s.last_filter_group == 0);
  ap_uint<C::FILTER_BITS> assembled = 0;
  bool half = false;     // of the weight memory: the one that is loaded
  bool loading = s.run;  // there is a filter group to load
  bool loaded = !s.run;  // … and it is there
  // Columns.
  LineRing<C::COLUMNS, C::PIXEL_WORDS, C::COLUMN_NUMBER_BITS> ring;
  bool fed = !s.run;  // the last column is in
  typename C::Standing columns_are;
  // The window that is multiplied.
  bool multiplied = true;     // the filter group is through
  ap_uint<8> last_block = 0;  // depthwise: of a word
  Counter<16> image, out_row, out_column;
  Counter<index_bits(C::PIXEL_WORDS)> word;
  Counter<index_bits(C::MAX_BLOCKS)> block;                      // depthwise: of the word
  ap_uint<C::COLUMN_NUMBER_BITS> left = 0, right = C::TAPS - 1;  // its outer columns
  ap_uint<index_bits(C::WEIGHT_WORDS)> at = 0;                   // weights of this block and word

convolve_windows:
  for (bool done = !s.run; !done;) {
#pragma HLS PIPELINE II = 1
    const bool last_word = word.n == s.last_word;
    const bool last_of_blocks = block.n == last_block;
    const bool last_use = s.depthwise || last_of_blocks;
    const bool last_of_window = last_word && last_of_blocks;
    const bool last_of_row = last_of_window && out_column.n == s.last_out_column;
    // Whole columns only: waiting for single words would be part of the longest path.
    const bool multiply = !multiplied && columns_are.above;
    const bool take =
        !fed && (columns_are.room || (columns_are.full && last_use && ring.at.n < word.n));
    const bool change = loaded && multiplied;
    const bool load = !loaded;

    // Where the loading will stand to the window after this iteration: for this window, the next
    // one and the first of a row, each without and with another column.
    const ap_uint<C::COLUMN_NUMBER_BITS> next_right = right + s.stride_w;
    const ap_uint<C::COLUMN_NUMBER_BITS> row_right = right + C::TAPS;
    const typename C::Standing stay(ring.lead(right)), stay_more(ring.lead(right) + 1);
    const typename C::Standing next(ring.lead(next_right)), next_more(ring.lead(next_right) + 1);
    const typename C::Standing turn(ring.lead(row_right)), turn_more(ring.lead(row_right) + 1);
    const typename C::Standing moved = C::Standing::either(last_of_row, turn, next);
    const typename C::Standing moved_more = C::Standing::either(last_of_row, turn_more, next_more);
    const bool move = multiply && last_of_window;
    columns_are = C::Standing::either(take && ring.at.n == s.last_word,
                                      C::Standing::either(move, moved_more, stay_more),
                                      C::Standing::either(move, moved, stay));

    // Multiply.
    if (multiply) {
      const ap_uint<C::FILTER_BITS> window = read_taps<C::TAPS>(columns, left, word.n);
      const bool first = s.depthwise || word.n == 0;
      typename C::SumRow out;
      out.bits = 0;
    multiply_filters:
      for (int p = 0; p < C::PAIRS; ++p) {
#pragma HLS UNROLL
        const int address = (half ? 0 : C::WEIGHT_WORDS) + int(at);
        ap_int<C::DOT_BITS> even, odd;
        dot_pair<C>(window, weights[2 * p][address], weights[2 * p + 1][address], even, odd);
        sum[2 * p] = (first ? ap_int<32>(0) : sum[2 * p]) + even;
        sum[2 * p + 1] = (first ? ap_int<32>(0) : sum[2 * p + 1]) + odd;
        out.set(2 * p, sum[2 * p]);
        out.set(2 * p + 1, sum[2 * p + 1]);
      }
      if (s.depthwise || last_word) sums.write(out);

      at = at + 1;
      if (s.depthwise || last_word) block.tick(last_block);
      if (!s.depthwise || last_of_blocks) word.tick(s.last_word);
      if (last_of_window) {
        at = 0;
        if (out_column.tick(s.last_out_column)) {
          left = left + C::TAPS;
          right = row_right;
          if (out_row.tick(s.last_out_row)) multiplied = image.tick(s.last_image);
        } else {
          left = left + s.stride_w;
          right = next_right;
        }
      }
    }

    // Load a column.
    if (take) {
      const typename C::Column column = columns_in.read();
      fed = column.last;
      ring.store(columns, column.bits, s.last_word);
    }

    // Load weights.
    if (load) {
      assembled = append_beat<C::FILTER_BEATS>(assembled, weights_in.read());
      if (tap.tick(C::FILTER_BEATS - 1)) {
        const ap_uint<index_bits(C::WEIGHT_WORDS)> to = weight.n;
      store_filter:
        for (int f = 0; f < C::CO; ++f) {
#pragma HLS UNROLL
          if (filter.n == f) weights[f][(half ? C::WEIGHT_WORDS : 0) + int(to)] = assembled;
        }
        if (filter.tick(C::CO - 1)) {
          loaded = weight.tick(last_weight);
        }
      }
    }

    // Change halves, an iteration after both were through.
    if (change) {
      done = !loading;
      multiplied = !loading;
      half = !half;
      last_block = s.last_block.of(filter_group.n == s.last_filter_group);
      if (loading) {
        if (filter_group.tick(s.last_filter_group)) loading = !group.tick(s.last_group);
      }
      last_weight = s.last_weight.of(filter_group.n == s.last_filter_group);
      loaded = !loading;
    }
  }
}

}  // namespace linebuffer
}  // namespace convloom

#endif  // CONVLOOM_CONV_LINEBUFFER_COMPUTE_H_
