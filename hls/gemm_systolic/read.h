// SPDX-License-Identifier: Apache-2.0
// The two readers: each loads one step into one half of its memory while it streams the step before
// from the other half to the array.
#ifndef CONVLOOM_GEMM_SYSTOLIC_READ_H_
#define CONVLOOM_GEMM_SYSTOLIC_READ_H_

#include "axis.h"
#include "config.h"
#include "counters.h"

namespace convloom {
namespace gemm {

/// Four 16-bit pointers per table beat: the one at `entry` of half `half`.
template <class C>
ap_uint<16> table_entry(const ap_uint<64> (&table)[2 * C::TABLE_BEATS], bool half,
                        ap_uint<18> entry) {
#pragma HLS INLINE
  const ap_uint<index_bits(C::TABLE_BEATS)> beat = entry >> 2;
  const ap_uint<64> four = table[(half ? C::TABLE_BEATS : 0) + int(beat)];
  const ap_uint<2> which = entry;
  return ap_uint<16>(four >> (which * 16));
}

/// Indirection table and activation images in, one skewed column of bytes per cycle out.
///
/// A step is (group, filter tile, row tile, chunk).  Row i of the array reads its word in slot i of
/// every WORD cycles and shifts it out byte by byte, so row i runs i cycles behind row 0: the skew
/// that the array needs.  II = 1; a step takes max(beats to load, cycles to stream).
template <class C>
void read_activations(hls::stream<axis64>& in0, hls::stream<Shape>& shape,
                      hls::stream<typename C::ActivationColumn>& activations,
                      hls::stream<bool>& tlast_ok) {
  const Shape s = shape.read();
  ap_uint<64> table[2 * C::TABLE_BEATS];
  ap_uint<8 * C::WORD> image[2 * C::IMAGE_WORDS];
  ap_uint<8 * C::WORD> row[C::ROWS];
#pragma HLS ARRAY_PARTITION variable = row complete

  Counter<16> group, filter_tile, row_tile, chunk;  // of the step that is loaded
  Counter<16> table_beat, image_word;
  Counter<index_bits(C::WORD_BEATS)> word_beat;
  ap_uint<8 * C::WORD> assembled = 0;
  bool half = false;              // of the image memory: the one that is loaded
  bool table_half = false;        // of the table memory: a table serves all chunks of its row tile
  bool load_table = true;         // the table comes first
  bool loading = s.run;           // there is a step to load
  bool loaded = !s.run;           // … and it is there
  bool streamed = true;           // all of the step before is out
  ap_uint<8> last_row_block = 0;  // of the step that is streamed
  ap_uint<8> last_filter_block = 0;
  Counter<8> filter_block, row_block, segment, segment_word;
  Counter<index_bits(C::WORD)> slot;
  ap_uint<18> entries = 0;  // table entries before the present row block and segment
  bool flushing = false;    // the last step is out; rows above 0 still hold bytes
  Counter<8> flushed;
  bool ok = true;

stream_activations:
  for (bool done = !s.run; !done;) {
#pragma HLS PIPELINE II = 1
    // Load.
    if (!loaded) {
      const axis64 beat = in0.read();
      bool end_of_image = false;
      if (load_table) {
        const ap_uint<index_bits(C::TABLE_BEATS)> at = table_beat.n;
        table[(table_half ? C::TABLE_BEATS : 0) + int(at)] = beat.data;
        if (table_beat.tick(s.last_table_beat)) load_table = false;
      } else {
        assembled = append_beat<C::WORD_BEATS>(assembled, beat.data);
        if (word_beat.tick(C::WORD_BEATS - 1)) {
          const ap_uint<index_bits(C::IMAGE_WORDS)> at = image_word.n;
          image[(half ? C::IMAGE_WORDS : 0) + int(at)] = assembled;
          end_of_image = image_word.tick(s.last_image_word);
        }
      }
      loaded = end_of_image;
      const bool end_of_transfer =
          end_of_image && chunk.n == s.last_chunk && row_tile.n == s.last_row_tile;
      if (bool(beat.last) != end_of_transfer) ok = false;
    }

    // Stream.
    const bool active = !streamed;
    const bool emit = active || flushing;
    const ap_uint<index_bits(C::WORD)> now = slot.n;
    ap_uint<8 * C::WORD> word = 0;
    if (active) {
      const ap_uint<16> pointer = table_entry<C>(table, !table_half, entries + now);
      const ap_uint<index_bits(C::IMAGE_WORDS)> at = pointer + segment_word.n;
      word = image[(half ? 0 : C::IMAGE_WORDS) + int(at)];
      if (slot.tick(C::WORD - 1)) {
        if (segment_word.tick(s.last_segment_word)) {
          entries += C::ROWS;
          if (segment.tick(s.last_segment)) {
            if (row_block.tick(last_row_block)) {
              entries = 0;
              streamed = filter_block.tick(last_filter_block);
            }
          }
        }
      }
    }
    if (emit) {
      typename C::ActivationColumn column;
    shift_rows:
      for (int i = 0; i < C::ROWS; ++i) {
#pragma HLS UNROLL
        row[i] = active && now == i ? word : ap_uint<8 * C::WORD>(row[i] >> 8);
        column.set(i, ap_int<8>(row[i]));
      }
      activations.write(column);
    }
    if (flushing) done = flushed.tick(C::ROWS - 2);

    // Change halves when both are through.
    if (loaded && streamed && !flushing) {
      flushing = !loading;
      streamed = !loading;
      last_row_block = row_tile.n == s.last_row_tile ? s.final_row_block : s.last_row_block;
      last_filter_block =
          filter_tile.n == s.last_filter_tile ? s.final_filter_block : s.last_filter_block;
      half = !half;
      if (loading) {
        if (chunk.n == 0) table_half = !table_half;
        if (chunk.tick(s.last_chunk)) {
          load_table = true;
          if (row_tile.tick(s.last_row_tile)) {
            if (filter_tile.tick(s.last_filter_tile)) loading = !group.tick(s.last_group);
          }
        }
      }
      loaded = !loading;
    }
  }
  tlast_ok.write(ok);
}

/// Parameters and weights in, one weight row per cycle out.
///
/// A step is (group, filter tile, row tile, chunk, filter block); its weights are used once for
/// every row block.  II = 1; a step takes max(beats to load, cycles to stream).
template <class C>
void read_weights(hls::stream<axis64>& in1, hls::stream<Shape>& shape,
                  hls::stream<WeightRow<C>>& rows, hls::stream<ap_uint<64>>& params,
                  hls::stream<bool>& tlast_ok) {
  const Shape s = shape.read();
  ap_uint<8 * C::COLS> weights[2 * C::MAX_DEPTH];

  Counter<16> group, filter_tile, row_tile, chunk;
  Counter<8> filter_block;  // of the step that is loaded
  Counter<8> param_block;
  Counter<index_bits(C::COLS)> param;
  Counter<16> depth;
  Counter<index_bits(C::WEIGHT_BEATS)> row_beat;
  ap_uint<8 * C::COLS> assembled = 0;
  bool half = false;
  bool load_params = true;
  bool loading = s.run;
  bool loaded = !s.run;
  bool streamed = true;
  ap_uint<8> last_row_block = 0;  // of the step that is streamed
  Counter<8> row_block;
  Counter<16> position;
  bool ok = true;

stream_weights:
  for (bool done = !s.run; !done;) {
#pragma HLS PIPELINE II = 1
    const ap_uint<8> last_filter_block =
        filter_tile.n == s.last_filter_tile ? s.final_filter_block : s.last_filter_block;
    // Load.
    if (!loaded) {
      const axis64 beat = in1.read();
      if (load_params) {
        params.write(beat.data);
        if (param.tick(C::COLS - 1)) load_params = !param_block.tick(last_filter_block);
      } else {
        assembled = append_beat<C::WEIGHT_BEATS>(assembled, beat.data);
        if (row_beat.tick(C::WEIGHT_BEATS - 1)) {
          const ap_uint<index_bits(C::MAX_DEPTH)> at = depth.n;
          weights[(half ? C::MAX_DEPTH : 0) + int(at)] = assembled;
          loaded = depth.tick(s.last_depth);
        }
      }
      const bool end_of_transfer =
          loaded && chunk.n == s.last_chunk && filter_block.n == last_filter_block;
      if (bool(beat.last) != end_of_transfer) ok = false;
    }

    // Stream.
    if (!streamed) {
      const ap_uint<index_bits(C::MAX_DEPTH)> at = position.n;
      WeightRow<C> row;
      row.weights = weights[(half ? 0 : C::MAX_DEPTH) + int(at)];
      row.first = position.n == 0;
      row.last = position.tick(s.last_depth);
      if (row.last) streamed = row_block.tick(last_row_block);
      row.end = streamed && !loading;
      done = row.end;
      rows.write(row);
    }

    // Change halves when both are through.
    if (loaded && streamed && loading) {
      streamed = false;
      last_row_block = row_tile.n == s.last_row_tile ? s.final_row_block : s.last_row_block;
      half = !half;
      if (filter_block.tick(last_filter_block)) {
        if (chunk.tick(s.last_chunk)) {
          load_params = true;
          if (row_tile.tick(s.last_row_tile)) {
            if (filter_tile.tick(s.last_filter_tile)) loading = !group.tick(s.last_group);
          }
        }
      }
      loaded = !loading;
    }
  }
  tlast_ok.write(ok);
}

}  // namespace gemm
}  // namespace convloom

#endif  // CONVLOOM_GEMM_SYSTOLIC_READ_H_
