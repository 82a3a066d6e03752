// SPDX-License-Identifier: Apache-2.0
// The two operands: each comes into one half of a memory while the array gets the step before from
// the other half.
#ifndef CONVLOOM_GEMM_SYSTOLIC_READ_H_
#define CONVLOOM_GEMM_SYSTOLIC_READ_H_

#include "axis.h"
#include "config.h"

namespace convloom {
namespace gemm {

/// Indirection table and activation images in, one skewed column of bytes per cycle out.
///
/// A step is a chunk of a tile.  Row i of the array reads its word in slot i of every WORD cycles
/// and shifts it out byte by byte, so row i runs i cycles behind row 0: the skew that the array
/// needs.  Streaming never waits for a beat.  II = 1; a step takes max(beats to load, cycles to
/// stream).
template <class C>
void read_activations(hls::stream<axis64>& in0, hls::stream<Shape>& shape,
                      hls::stream<typename C::ActivationColumn>& activations,
                      hls::stream<bool>& tlast_ok) {
  typedef ap_uint<8 * C::WORD> Word;
  const Shape s = shape.read();
  ap_uint<64> table[2][C::TABLE_BEATS];  // four pointers a beat
  Word image[2][C::IMAGE_WORDS];
  Word row[C::ROWS];
#pragma HLS ARRAY_PARTITION variable = row complete

  // Loading.
  Tile tile;  // and chunk, of the step that is loaded
  Counter<16> chunk, table_beat, image_word;
  Counter<index_bits(C::WORD_BEATS)> word_beat;
  Word assembled = 0;
  ap_uint<1> half = 0;        // of the image memory: the one that is loaded
  ap_uint<1> table_half = 0;  // likewise; a table serves all chunks of its tile
  bool load_table = true;     // the table comes first
  bool loading = s.run;       // there is a step to load …
  bool loaded = !s.run;       // … and it is there
  bool ok = true;
  // Streaming.
  bool streamed = true;  // all of the step is out
  ap_uint<8> last_row_block = 0, last_filter_block = 0;
  Counter<8> filter_block, row_block, segment, segment_word;
  Counter<index_bits(C::WORD)> slot;
  ap_uint<18> entries = 0;  // table entries before the present row block and segment
  bool flushing = false;    // the last step is out; rows above 0 still hold bytes
  Counter<8> flushed;

stream_activations:
  for (bool done = !s.run; !done;) {
#pragma HLS PIPELINE II = 1
    const bool active = !streamed;
    if (!loaded && (!active || !in0.empty())) {
      const axis64 beat = in0.read();
      if (load_table) {
        const ap_uint<index_bits(C::TABLE_BEATS)> at = table_beat.n;
        table[table_half][at] = beat.data;
        load_table = !table_beat.tick(s.last_table_beat);
      } else {
        assembled = append_beat<C::WORD_BEATS>(assembled, beat.data);
        if (word_beat.tick(C::WORD_BEATS - 1)) {
          const ap_uint<index_bits(C::IMAGE_WORDS)> at = image_word.n;
          image[half][at] = assembled;
          loaded = image_word.tick(s.last_image_word);
        }
      }
      const bool end_of_transfer =
          loaded && chunk.n == s.last_chunk && tile.row_tile.n == s.tiles.last_row_tile;
      if (bool(beat.last) != end_of_transfer) ok = false;
    }

    const ap_uint<index_bits(C::WORD)> now = slot.n;
    Word word = 0;
    if (active) {
      const ap_uint<18> entry = entries + now;
      const ap_uint<index_bits(C::TABLE_BEATS)> beat = entry >> 2;
      const ap_uint<2> which = entry;
      const ap_uint<64> pointers = table[ap_uint<1>(~table_half)][beat] >> (which * 16);
      const ap_uint<index_bits(C::IMAGE_WORDS)> at = ap_uint<16>(pointers) + segment_word.n;
      word = image[ap_uint<1>(~half)][at];
      if (slot.tick(C::WORD - 1) && segment_word.tick(s.last_segment_word)) {
        entries += C::ROWS;
        if (segment.tick(s.last_segment) && row_block.tick(last_row_block)) {
          entries = 0;
          streamed = filter_block.tick(last_filter_block);
        }
      }
    }
    if (active || flushing) {
      typename C::ActivationColumn column;
    shift_rows:
      for (int i = 0; i < C::ROWS; ++i) {
        row[i] = active && now == i ? word : Word(row[i] >> 8);
        column.set(i, int8_of(row[i], 0));
      }
      activations.write(column);
    }
    if (flushing) done = flushed.tick(C::ROWS - 2);

    // Change halves when both are through.
    if (loaded && streamed && !flushing) {
      flushing = !loading;
      streamed = !loading;
      last_row_block = tile.last_row_block(s.tiles);
      last_filter_block = tile.last_filter_block(s.tiles);
      half = ~half;
      if (loading) {
        if (chunk.n == 0) table_half = ~table_half;
        load_table = chunk.tick(s.last_chunk);
        if (load_table) loading = !tile.tick(s.tiles);
      }
      loaded = !loading;
    }
  }
  tlast_ok.write(ok);
}

/// Weight rows in, each step's repeated for every row block.
///
/// A step is a filter block of a chunk of a tile.  II = 1; a step takes max(rows to load, rows to
/// stream).
template <class C>
void repeat_weights(hls::stream<Shape>& shape, hls::stream<typename C::WeightRow>& words,
                    hls::stream<typename C::MarkedRow>& rows) {
  const Shape s = shape.read();
  typename C::WeightRow weights[2][C::MAX_DEPTH];

  // Loading.
  Tile tile;
  Counter<16> chunk;
  Counter<8> filter_block;
  Counter<index_bits(C::MAX_DEPTH)> depth;
  ap_uint<1> half = 0;  // that is loaded
  bool loading = s.run;
  bool loaded = !s.run;
  // Streaming.
  bool streamed = true;
  ap_uint<8> last_row_block = 0;
  Counter<8> row_block;
  Counter<index_bits(C::MAX_DEPTH)> position;

repeat_weights:
  for (bool done = !s.run; !done;) {
#pragma HLS PIPELINE II = 1
    const bool active = !streamed;
    if (!loaded && (!active || !words.empty())) {
      const ap_uint<index_bits(C::MAX_DEPTH)> to = depth.n;
      weights[half][to] = words.read();
      loaded = depth.tick(s.last_depth);
    }
    if (active) {
      const ap_uint<index_bits(C::MAX_DEPTH)> at = position.n;
      typename C::MarkedRow row;
      row.weights = weights[ap_uint<1>(~half)][at];
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
      last_row_block = tile.last_row_block(s.tiles);
      half = ~half;
      if (filter_block.tick(tile.last_filter_block(s.tiles)) && chunk.tick(s.last_chunk)) {
        loading = !tile.tick(s.tiles);
      }
      loaded = !loading;
    }
  }
}

}  // namespace gemm
}  // namespace convloom

#endif  // CONVLOOM_GEMM_SYSTOLIC_READ_H_
