// SPDX-License-Identifier: Apache-2.0
// The two inputs up to the array: map rows to transformed tiles, raw weights to transformed
// kernels.
#ifndef CONVLOOM_CONV_WINOGRAD_READ_H_
#define CONVLOOM_CONV_WINOGRAD_READ_H_

#include "axis.h"
#include "config.h"
#include "counters.h"

namespace convloom {
namespace winograd {

/// Where a padded map row and the T − 1 below it lie in the row memory: row i of them in bank
/// (2·pair + i) mod T, in slot `base` or, past the last bank, in the slot after it.
template <class C>
struct RowPlace {
  ap_uint<index_bits(C::T / 2)> pair;  // first bank / 2: M and T are even
  ap_uint<index_bits(C::RING_WORDS)> base;
  ap_uint<index_bits(C::RING_WORDS)> next_base;
  ap_uint<8> next_slot;

  /// Place of the row M further on, or T further on.
  RowPlace<C> step(bool by_t, const Shape& s) const {
#pragma HLS INLINE
    RowPlace<C> to = *this;
    const bool wrap = int(pair) + C::M / 2 >= C::T / 2;
    if (!by_t) to.pair = wrap ? int(pair) + C::M / 2 - C::T / 2 : int(pair) + C::M / 2;
    if (by_t || wrap) {
      const bool first_slot = next_slot == s.last_slot;
      to.base = next_base;
      to.next_slot = first_slot ? 0 : int(next_slot) + 1;
      to.next_base = first_slot ? ap_uint<16>(0) : ap_uint<16>(next_base + s.row_words);
    }
    return to;
  }
};

/// Map rows in; for each tile, block and 8 channels the T columns of T pixels out.
///
/// Loads rows into a ring of T banks (a row occupies its padded place, padding is not stored) while
/// it reads the rows of the tiles, one beat of each bank per cycle.  A row is given up when no tile
/// needs it any more.  II = 1; a tile and block take T cycles per 8 channels.
template <class C>
void read_pixels(hls::stream<axis64>& in0, hls::stream<Shape>& shape,
                 hls::stream<PixelColumn<C>>& columns, hls::stream<bool>& tlast_ok) {
  typedef ap_uint<index_bits(C::RING_WORDS)> Word;
  typedef ap_uint<index_bits(C::T * C::MAX_SLOTS + 1)> Rows;
  const Shape s = shape.read();
  ap_uint<64> ring[C::T][C::RING_WORDS];
#pragma HLS ARRAY_PARTITION variable = ring complete dim = 1
  ap_uint<64> padding;
fill_padding:
  for (int c = 0; c < kBeatBytes; ++c) {
#pragma HLS UNROLL
    padding.range(8 * c + 7, 8 * c) = s.x_zero_point;
  }

  // Loading.
  Counter<16> load_beat, load_row, load_image, load_pass;
  Counter<index_bits(C::T)> load_bank;
  Counter<8> load_slot;
  Word load_base = 0;
  bool loading = s.run;
  bool load_inside = s.pad_top == 0;  // the row is not padding

  // What a row's end decides is worked out in steps, one per iteration, while neither side goes on:
  // recurrences are short for three cycles per row and tile row.  came or moved; then counters and
  // places, arrived and passed; then held and ahead; then room and enough.
  ap_uint<2> load_pause = 0, pause = 0;
  bool came = false;                 // a row is complete
  bool moved = false;                // a tile row is done
  bool arrived = false;              // one more row is held
  ap_uint<4> passed = 0;             // the tile row's top is so many rows further on,
  bool kept = false;                 // the rows above it are needed again,
  bool rewound = false;              // or it is the strip's first one again
  Rows held = 0, ahead = 0;          // rows held; of them from the tile row's top on
  bool enough = false, room = true;  // rows for a tile row, room for one more

  // Reading.
  RowPlace<C> place, strip_place;  // of the tile row, and of the first one of the strip
  place.pair = 0;
  place.base = 0;
  place.next_slot = s.last_slot == 0 ? 0 : 1;
  place.next_base = s.last_slot == 0 ? ap_uint<16>(0) : s.row_words;
  strip_place = place;
  ap_uint<16> top = 0, strip_top = 0;    // padded map row of the tile row
  Counter<16> tile_row, strip_tile_row;  // … and its number in the image
  ap_uint<16> left = 0;                  // padded map column
  Word tile_word = 0, word = 0;          // of the tile's first column; of this column
  Counter<index_bits(C::T)> column;
  Counter<8> beat_of_pixel, block;
  ap_uint<8> last_block = s.last_group == 0 ? s.final_block : s.last_block;
  Counter<16> tile_col, row_of_strip, set_image, group, strip, set;
  bool ok = true;

stream_pixels:
  for (bool done = !s.run; !done;) {
#pragma HLS PIPELINE II = 1
    const bool give = enough && pause == 0;
    const bool load = loading && room && load_pause == 0;
    if (pause != 0) pause = pause - 1;
    if (load_pause != 0) load_pause = load_pause - 1;

    // Rows are looked at, …
    enough = ahead >= C::T;
    room = held != s.ring_rows;
    load_inside = load_row.n >= s.pad_top && load_row.n < s.end_row;
    last_block = group.n == s.last_group ? s.final_block : s.last_block;
    // … counted, …
    const Rows one = arrived ? 1 : 0;
    held = held + one - (kept ? ap_uint<4>(0) : passed);
    ahead = rewound ? held : Rows(ahead + one - passed);
    arrived = false;
    passed = 0;
    rewound = false;
    // … and the next ones chosen.
    if (came) {
      arrived = true;
      if (load_bank.tick(C::T - 1)) {
        load_base = load_base + s.row_words;
        if (load_slot.tick(s.last_slot)) load_base = 0;
      }
      if (load_row.tick(s.last_padded_row)) {
        if (load_image.tick(s.last_image)) {
          loading = s.repeat_map && !load_pass.tick(s.last_group);
        }
      }
    }
    if (moved) {
      const bool last_strip = strip.n == s.last_strip;
      const bool last_set = set.n == s.last_set;
      const bool image_end = tile_row.tick(s.last_tile_row);
      kept = !s.repeat_map && group.n != s.last_group;
      passed = image_end ? C::T : C::M;
      place = place.step(image_end, s);
      top = image_end ? ap_uint<16>(0) : ap_uint<16>(top + C::M);
      if (row_of_strip.tick(last_strip ? s.final_strip_row : s.last_strip_row)) {
        if (set_image.tick(last_set ? s.final_set_image : s.last_set_image)) {
          if (kept) {
            place = strip_place;
            top = strip_top;
            tile_row = strip_tile_row;
            rewound = true;
          }
          strip_place = place;
          strip_top = top;
          strip_tile_row = tile_row;
          if (group.tick(s.last_group)) {
            if (strip.tick(s.last_strip)) done = set.tick(s.last_set);
          }
        }
      }
    }
    came = false;
    moved = false;

    if (give) {
      const bool last_group = group.n == s.last_group;
      const bool last_strip = strip.n == s.last_strip;
      const bool last_set = set.n == s.last_set;
      const bool last_strip_row =
          row_of_strip.n == (last_strip ? s.final_strip_row : s.last_strip_row);
      const bool last_image = set_image.n == (last_set ? s.final_set_image : s.last_set_image);
      const bool last_tile_row = last_strip_row && last_image;
      const bool last_pass = last_group && last_strip && last_set;

      // A beat of every bank; those of the banks before the first one are a slot further on.
      ap_uint<64> beats[C::T];
#pragma HLS ARRAY_PARTITION variable = beats complete
    read_banks:
      for (int b = 0; b < C::T; ++b) {
#pragma HLS UNROLL
        const Word at = word + (b < 2 * int(place.pair) ? place.next_base : place.base);
        beats[b] = ring[b][at];
      }
      const ap_uint<16> x = left + column.n;
      const bool inside_x = x >= s.pad_left && x < s.end_col;
      PixelColumn<C> out;
    order_rows:
      for (int i = 0; i < C::T; ++i) {
#pragma HLS UNROLL
        ap_uint<64> beat = beats[i];
        for (int p = 1; p < C::T / 2; ++p) {
#pragma HLS UNROLL
          if (place.pair == p) beat = beats[(i + 2 * p) % C::T];
        }
        const ap_uint<16> y = top + i;
        const bool inside = inside_x && y >= s.pad_top && y < s.end_row;
        out.pixels.range(64 * i + 63, 64 * i) = inside ? beat : padding;
      }
      out.call = last_tile_row && tile_col.n == s.call_tile_col && block.n == 0 &&
                 beat_of_pixel.n == 0 && !last_pass;
      out.marks.tile_end = block.n == last_block;
      out.marks.pass_end = last_tile_row && tile_col.n == s.last_tile_col;
      out.marks.bottom = tile_row.n == s.last_tile_row;
      out.marks.right = tile_col.n == s.last_tile_col;
      out.marks.final = out.marks.tile_end && out.marks.pass_end && last_pass;
      columns.write(out);

      word = word + s.pixel_beats;
      if (column.tick(C::T - 1)) {
        word = tile_word + beat_of_pixel.n + 1;
        if (beat_of_pixel.tick(s.pixel_beats - 1)) {
          word = tile_word;
          if (block.tick(last_block)) {
            tile_word = tile_word + s.pixel_beats * C::M;
            word = tile_word;
            left = left + C::M;
            if (tile_col.tick(s.last_tile_col)) {
              tile_word = 0;
              word = 0;
              left = 0;
              moved = true;
              pause = 3;
            }
          }
        }
      }
    }

    if (load) {
      came = true;
      if (load_inside) {
        const axis64 beat = in0.read();
        const Word at = load_base + s.first_word + load_beat.n;
      store_bank:
        for (int b = 0; b < C::T; ++b) {
#pragma HLS UNROLL
          if (load_bank.n == b) ring[b][at] = beat.data;
        }
        came = load_beat.tick(s.last_row_beat);
        const bool end_of_transfer =
            came && load_image.n == s.last_image && load_row.n == s.end_row - 1;
        if (bool(beat.last) != end_of_transfer) ok = false;
      }
      if (came) load_pause = 3;
    }
  }
  tlast_ok.write(ok);
}

/// V = BᵀdB of each tile and channel.
///
/// Collects the T columns of 8 channels while it transforms the 8 channels before, one per cycle.
/// II = 1.
template <class C>
void transform_tiles(hls::stream<Shape>& shape, hls::stream<PixelColumn<C>>& columns,
                     hls::stream<InputToken<C>>& tiles) {
  const int T = C::T;
  const Shape s = shape.read();
  typename C::Pixels collected[C::T], window[C::T];  // [column]
#pragma HLS ARRAY_PARTITION variable = collected complete
#pragma HLS ARRAY_PARTITION variable = window complete
clear_columns:
  for (int j = 0; j < T; ++j) {
#pragma HLS UNROLL
    collected[j] = 0;
    window[j] = 0;
  }
  Counter<index_bits(C::T)> column;
  Counter<8> beat_of_pixel;
  bool full = false;  // `collected` holds a window
  bool call = false, window_call = false;
  Marks marks = Marks(), window_marks = Marks();
  ap_uint<4> lanes_left = 0;  // channels in `window`
  bool final_window = false;  // … which is the last one

transform_tiles:
  for (bool done = !s.run; !done;) {
#pragma HLS PIPELINE II = 1
    if (!full && !final_window) {
      const PixelColumn<C> in = columns.read();
    shift_columns:
      for (int j = 0; j + 1 < T; ++j) {
#pragma HLS UNROLL
        collected[j] = collected[j + 1];
      }
      collected[T - 1] = in.pixels;
      call = in.call;
      marks = in.marks;
      full = column.tick(T - 1);
    }

    if (lanes_left != 0) {
      Wide rows[C::T][C::T], half[C::T][C::T], v[C::T][C::T];  // half: [column][row of Bᵀd]
#pragma HLS ARRAY_PARTITION variable = rows complete dim = 0
#pragma HLS ARRAY_PARTITION variable = half complete dim = 0
#pragma HLS ARRAY_PARTITION variable = v complete dim = 0
    transform_columns:
      for (int j = 0; j < T; ++j) {
#pragma HLS UNROLL
        Wide d[C::T];
#pragma HLS ARRAY_PARTITION variable = d complete
        for (int i = 0; i < T; ++i) {
#pragma HLS UNROLL
          ap_int<8> pixel;
          pixel = window[j].range(64 * i + 7, 64 * i);
          d[i] = pixel;
        }
        C::Transform::input(d, half[j]);
      }
    transform_rows:
      for (int i = 0; i < T; ++i) {
#pragma HLS UNROLL
        for (int j = 0; j < T; ++j) {
#pragma HLS UNROLL
          rows[i][j] = half[j][i];
        }
        C::Transform::input(rows[i], v[i]);
      }
      InputToken<C> out;
    pack_tile:
      for (int e = 0; e < C::ELEMENTS; ++e) {
#pragma HLS UNROLL
        out.v.set(e, v[e / T][e % T]);
      }
      out.call = window_call;
      out.marks = window_marks;
      tiles.write(out);
      window_call = false;
      lanes_left = lanes_left - 1;
      done = final_window && lanes_left == 0;
    shift_channels:
      for (int j = 0; j < T; ++j) {
#pragma HLS UNROLL
        for (int i = 0; i < T; ++i) {
#pragma HLS UNROLL
          window[j].range(64 * i + 63, 64 * i) =
              ap_uint<64>(window[j].range(64 * i + 63, 64 * i)) >> 8;
        }
      }
    }

    if (full && lanes_left == 0) {
      full = false;
    move_columns:
      for (int j = 0; j < T; ++j) {
#pragma HLS UNROLL
        window[j] = collected[j];
      }
      const bool last_beat = beat_of_pixel.tick(s.pixel_beats - 1);
      lanes_left = last_beat ? ap_uint<4>(s.last_lane + 1) : ap_uint<4>(8);
      window_call = call;
      window_marks = marks;
      final_window = last_beat && marks.final;
    }
  }
}

/// Parameters to the output side; raw weights, eight kernels a word (tap t in bits 64t … 64t + 63),
/// to a FIFO that holds the kernels of a whole group.  II = 1.
template <class C>
void read_weights(hls::stream<axis64>& in1, hls::stream<Shape>& shape,
                  hls::stream<ap_uint<64>>& params, hls::stream<ap_uint<576>>& raw,
                  hls::stream<bool>& tlast_ok) {
  const Shape s = shape.read();
  Counter<16> group, round, raw_word;
  Counter<8> block;
  Counter<index_bits(C::COLS)> filter;
  Counter<4> tap;
  ap_uint<576> assembled = 0;
  bool load_params = true;
  bool ok = true;

stream_weights:
  for (bool done = !s.run; !done;) {
#pragma HLS PIPELINE II = 1
    const bool last_group = group.n == s.last_group;
    const axis64 beat = in1.read();
    bool end_of_transfer = false;
    if (load_params) {
      params.write(beat.data);
      if (filter.tick(C::COLS - 1)) {
        load_params = !block.tick(last_group ? s.final_block : s.last_block);
      }
    } else {
      assembled = append_beat<9>(assembled, beat.data);
      if (tap.tick(8)) {
        raw.write(assembled);
        if (raw_word.tick(last_group ? s.final_group_word : s.last_group_word)) {
          load_params = true;
          end_of_transfer = group.tick(s.last_group);
          if (end_of_transfer) done = round.tick(s.last_round);
        }
      }
    }
    if (bool(beat.last) != end_of_transfer) ok = false;
  }
  tlast_ok.write(ok);
}

/// U of the raw 3×3 kernel in byte `lane` of each tap.
template <class C>
typename C::KernelTile transform_kernel(const ap_uint<576>& raw, int lane) {
#pragma HLS INLINE
  Wide half[3][C::T], u[C::T][C::T];  // half: [kernel column][row of Gg]
#pragma HLS ARRAY_PARTITION variable = half complete dim = 0
#pragma HLS ARRAY_PARTITION variable = u complete dim = 0
transform_taps:
  for (int j = 0; j < 3; ++j) {
#pragma HLS UNROLL
    Wide g[3];
#pragma HLS ARRAY_PARTITION variable = g complete
    for (int i = 0; i < 3; ++i) {
#pragma HLS UNROLL
      const int low = 64 * (3 * i + j) + 8 * lane;
      ap_int<8> tap;
      tap = raw.range(low + 7, low);
      g[i] = tap;
    }
    C::Transform::kernel(g, half[j]);
  }
  typename C::KernelTile out;
transform_kernel_rows:
  for (int i = 0; i < C::T; ++i) {
#pragma HLS UNROLL
    Wide row[3];
#pragma HLS ARRAY_PARTITION variable = row complete
    for (int j = 0; j < 3; ++j) {
#pragma HLS UNROLL
      row[j] = half[j][i];
    }
    C::Transform::kernel(row, u[i]);
    for (int j = 0; j < C::T; ++j) {
#pragma HLS UNROLL
      out.set(C::T * i + j, u[i][j]);
    }
  }
  return out;
}

/// Raw kernels to transformed ones, two filters per cycle.  II = 1.
template <class C>
void transform_kernels(hls::stream<Shape>& shape, hls::stream<ap_uint<576>>& raw,
                       hls::stream<KernelPair<C>>& kernels) {
  const Shape s = shape.read();
  Counter<16> channel, group, round;
  Counter<8> block;
  Counter<index_bits(C::COLS)> pair;
  ap_uint<576> eight = 0;
  ap_uint<3> pairs_left = 0;  // in `eight`

transform_kernels:
  for (bool done = !s.run; !done;) {
#pragma HLS PIPELINE II = 1
    if (pairs_left == 0) {
      eight = raw.read();
      pairs_left = 4;
    }
    KernelPair<C> out;
    out.even = transform_kernel<C>(eight, 0);
    out.odd = transform_kernel<C>(eight, 1);
    pairs_left = pairs_left - 1;
  shift_kernels:
    for (int t = 0; t < 9; ++t) {
#pragma HLS UNROLL
      eight.range(64 * t + 63, 64 * t) = ap_uint<64>(eight.range(64 * t + 63, 64 * t)) >> 16;
    }

    out.group_end = false;
    if (pair.tick(C::COLS / 2 - 1)) {
      if (channel.tick(s.last_channel)) {
        if (block.tick(group.n == s.last_group ? s.final_block : s.last_block)) {
          out.group_end = true;
          pairs_left = 0;
          if (group.tick(s.last_group)) done = round.tick(s.last_round);
        }
      }
    }
    kernels.write(out);
  }
}

}  // namespace winograd
}  // namespace convloom

#endif  // CONVLOOM_CONV_WINOGRAD_READ_H_
