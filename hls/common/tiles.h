// SPDX-License-Identifier: Apache-2.0
// Tiles of maps: from a raw pixel stream to overlapping T × T tiles of a padded map, as often as a
// kernel needs them.
//
// The contract.  in0 carries NHWC pixels, 8 channels a beat, rows and images one after the other.
// An output map is cut into tiles of M × M; the tile of inputs for it is T × T, M rows or columns
// further on than the one before, T − M of them shared.  The rows of tiles of all images are one
// sequence, cut into parts.  For each part, each pass over it, each of its tiles from left to right
// and each block of the pass read_tiles gives the tile: for every 8 channels T columns of T pixels.
// So a kernel that holds some of the filters takes every tile of a part `blocks` times per pass,
// and may change them between passes.
//
// Either a part stays on chip during its passes (then it must fit), or the map comes again for
// every pass (then it is one part).  What lies outside the map holds the zero point.
#ifndef CONVLOOM_COMMON_TILES_H_
#define CONVLOOM_COMMON_TILES_H_

#include "checks.h"
#include "counters.h"
#include "types.h"

namespace convloom {

/// What the place of a tile and block in the run decides behind it.
struct TileMarks {
  bool tile_end;  // last block of the tile
  bool pass_end;  // last tile of the pass
  bool final;     // last block of the run
  bool bottom;    // last row of tiles of the image
  bool right;     // last column of tiles
};

template <class Data>
struct Marked {
  Data data;
  TileMarks marks;
};

/// The checked registers.  `last_x` is the highest index of x; rows and columns are those of the
/// map with its padding.
struct TileMap {
  bool run;
  bool repeat_map;  // for every pass
  ap_uint<8> zero_point;
  ap_uint<16> pad_top;
  ap_uint<16> end_row;   // pad_top + height: from here on rows are padding
  ap_uint<16> last_row;  // of an image
  ap_uint<16> last_image;
  ap_uint<16> first_word;   // of the map in a row, a word for every 8 channels
  ap_uint<16> last_word;    // … and its last one
  ap_uint<16> row_words;    // with padding
  ap_uint<16> pixel_words;  // of a pixel
  ap_uint<16> ring_rows;    // that the memory holds
  ap_uint<16> last_tile_col;
  Bound<16> last_part_row;  // rows of tiles of a part; the last one of an image may have fewer
  ap_uint<16> last_part;    // of an image, or of all if parts are whole images
  ap_uint<16> last_round;   // parts of the run
  ap_uint<16> last_pass;    // over a part
  Bound<8> last_block;      // of a tile; the last pass may have fewer
};

/// Which registers are wrong.
struct TileFaults {
  bool map, strips, rows, order;
};

/// Checks registers and makes a TileMap of them, but for its last_pass and last_block.
///
/// Parts are either strips of an image (`strips` of `strip_rows` rows of tiles, the last has
/// strip_rows_last) or, with strips = 1, sets of whole images (likewise).  row_slots: map rows per
/// bank of the memory.  Maps to 16383 × 16383, so that every sum of sizes has 16 bits.
/// \tparam T, M as above, both even, M a power of two.  \tparam WORDS of a bank, a power of two.
template <int T, int M, int WORDS>
TileFaults check_tiles(ap_uint<32> height, ap_uint<32> width, ap_uint<32> channels,
                       ap_uint<32> pad_top, ap_uint<32> pad_left, ap_uint<32> out_height,
                       ap_uint<32> out_width, ap_uint<32> image_sets, ap_uint<32> set_images,
                       ap_uint<32> set_images_last, ap_uint<32> strips, ap_uint<32> strip_rows,
                       ap_uint<32> strip_rows_last, ap_uint<32> row_slots, ap_uint<32> loop_order,
                       ap_int<32> zero_point, TileMap& s) {
#pragma HLS INLINE
  const int MOST = 16383;
  const ap_uint<16> tile_rows = (ap_uint<16>(out_height) + M - 1) / M;
  const ap_uint<16> tile_cols = (ap_uint<16>(out_width) + M - 1) / M;
  const ap_uint<8> words = (ap_uint<16>(channels) + kBeatBytes - 1) / kBeatBytes;
  const ap_uint<32> row_words = small_product<8>(tile_cols * M + T - M, words);
  const ap_uint<32> bank_words = small_product<8>(ap_uint<16>(row_words), ap_uint<8>(row_slots));
  const ap_uint<32> images =
      small_product<16>(ap_uint<16>(image_sets - 1), ap_uint<16>(set_images)) + set_images_last;
  // A part is several images, or some rows of one: one of the factors is 1.
  const ap_uint<32> part_rows = small_product<16>(ap_uint<16>(set_images), ap_uint<16>(strip_rows));
  const ap_uint<32> kept_rows =
      small_product<16>(ap_uint<16>(set_images), ap_uint<16>(ap_uint<16>(strip_rows) * M + T - M));
  const ap_uint<32> rounds = small_product<16>(ap_uint<16>(image_sets), ap_uint<16>(strips));

  TileFaults wrong;
  wrong.map = !within(height, 1, MOST) || !within(width, 1, MOST) || pad_top > MOST ||
              pad_left > MOST || !within(out_height, 1, MOST) || !within(out_width, 1, MOST) ||
              pad_top + height > out_height + (T - M) || pad_left + width > out_width + (T - M);
  wrong.strips = !adds_up(strips, strip_rows, strip_rows_last, tile_rows) ||
                 !adds_up(image_sets, set_images, set_images_last, images) ||
                 !within(images, 1, 65535) || !within(part_rows, 1, 65535) ||
                 !within(rounds, 1, 65535) || (set_images != 1 && strips != 1);
  wrong.rows = !within(row_slots, 1, 255) || !within(bank_words, 1, WORDS) || row_words > WORDS ||
               (loop_order == 0 && kept_rows > ap_uint<8>(row_slots) * T);
  wrong.order = loop_order > 1 || (loop_order == 1 && rounds != 1);

  s.repeat_map = loop_order == 1;
  s.zero_point = zero_point;
  s.pad_top = pad_top;
  s.end_row = pad_top + height;
  s.last_row = tile_rows * M + T - M - 1;
  s.last_image = images - 1;
  s.first_word = small_product<8>(ap_uint<16>(pad_left), words);
  s.last_word = small_product<8>(ap_uint<16>(pad_left + width), words) - 1;
  s.row_words = row_words;
  s.pixel_words = words;
  s.ring_rows = ap_uint<8>(row_slots) * T;
  s.last_tile_col = tile_cols - 1;
  s.last_part_row.full = part_rows - 1;
  s.last_part_row.final =
      small_product<16>(ap_uint<16>(set_images_last), ap_uint<16>(strip_rows_last)) - 1;
  s.last_part = (strips == 1 ? image_sets : strips) - 1;
  s.last_round = rounds - 1;
  return wrong;
}

/// A row of tiles: its first map row, and where the T banks hold the T rows from it on.  Line n of
/// the run lies in bank n mod T; lines of a bank follow each other, and addresses wrap round.
template <int T, int M, int WORDS>
struct TileRow {
  typedef ap_uint<12> Line;  // modulo 4096: at most T · 255 are held

  Line line;                                   // number in the run
  ap_uint<16> y;                               // … and in the image
  ap_uint<index_bits(T / 2)> pair;             // its bank / 2
  ap_uint<index_bits(WORDS)> base, next_base;  // address in banks from there on, and before

  explicit TileRow(ap_uint<16> row_words) : line(0), y(0), pair(0), base(0), next_base(row_words) {}

  /// To the next row of tiles; those of an image end with their last one's last map row.
  void advance(bool image_end, ap_uint<16> row_words) {
#pragma HLS INLINE
    const bool wrap = image_end || int(pair) + M / 2 >= T / 2;
    line = line + (image_end ? T : M);
    y = image_end ? ap_uint<16>(0) : ap_uint<16>(y + M);
    if (!image_end) pair = int(pair) + M / 2 - (wrap ? T / 2 : 0);
    if (wrap) {
      base = next_base;
      next_base = next_base + row_words;
    }
  }
};

/// The contract at the top of this file.
///
/// Loads rows into a ring of T banks (a row occupies its padded place, padding is not stored) while
/// it reads the rows of the tiles, one beat of each bank per cycle.  A row is given up when no tile
/// needs it any more.  II = 1; a tile and block take T cycles per 8 channels, a new row of tiles
/// and a loaded map row one cycle more.
///
/// What the end of a row changes is looked at in the next iteration, in which that side pauses: so
/// no more than a comparison stands between two iterations.  An old answer may otherwise be used,
/// because lines are only loaded while tiles are given, and only given up while lines are loaded.
template <int T, int M, int WORDS>
void read_tiles(hls::stream<axis64>& in0, hls::stream<TileMap>& shape,
                hls::stream<Marked<ap_uint<64 * T>>>& columns, hls::stream<bool>& tlast_ok) {
  static_assert(T % 2 == 0 && M % 2 == 0, "rows come in the order of T / 2 places of the banks");
  static_assert(is_power_of_two(M) && is_power_of_two(WORDS), "addresses wrap round");
  typedef ap_uint<index_bits(WORDS)> Word;
  typedef typename TileRow<T, M, WORDS>::Line Line;
  const TileMap s = shape.read();
  const ap_uint<16> last_top = s.last_row - (T - 1);
  ap_uint<64> ring[T][WORDS];
#pragma HLS ARRAY_PARTITION variable = ring complete dim = 1
  ap_uint<64> padding;
fill_padding:
  for (int c = 0; c < kBeatBytes; ++c) {
#pragma HLS UNROLL
    padding.range(8 * c + 7, 8 * c) = s.zero_point;
  }

  // Loading.
  Counter<index_bits(T)> load_bank;
  Counter<16> load_row, load_image, load_pass;
  ap_uint<16> load_word = s.first_word;
  Word load_base = 0;
  Line loaded = 0;
  bool loading = s.run, came = true, room = false, load_inside = false;
  // Giving: the row of tiles, and the first one that is needed again.
  TileRow<T, M, WORDS> row(s.row_words), first(s.row_words);
  Counter<16> part_row, pass, part, round, tile_col, beat;
  Counter<8> block;
  Counter<index_bits(T)> column;
  ap_uint<16> tile_word = 0, word = 0;  // of the tile's first column; of this one
  bool turned = true, enough = false;
  bool last_row = false, last_pass = false, last_of_all = false;  // is this one
  ap_uint<8> last_block = 0;
  ap_uint<T> inside = 0;  // rows in the map
  bool ok = true;

stream_pixels:
  for (bool done = !s.run; !done;) {
#pragma HLS PIPELINE II = 1
    const bool give = enough && !turned;
    const bool load = loading && room && !came;
    turned = false;
    came = false;
    enough = Line(loaded - row.line) >= T;
    room = Line(loaded - first.line) != s.ring_rows;
    load_inside = load_row.n >= s.pad_top && load_row.n < s.end_row;
    const bool kept = !s.repeat_map && !last_pass;

    if (give) {
      // A beat of every bank; those of the banks before the first one are of the lines after.
      ap_uint<64> beats[T];
#pragma HLS ARRAY_PARTITION variable = beats complete
    read_banks:
      for (int b = 0; b < T; ++b) {
#pragma HLS UNROLL
        const Word at = word + (b < 2 * int(row.pair) ? row.next_base : row.base);
        beats[b] = ring[b][at];
      }
      const bool inside_row = word >= s.first_word && word <= s.last_word;
      Marked<ap_uint<64 * T>> out;
    order_rows:
      for (int i = 0; i < T; ++i) {
#pragma HLS UNROLL
        ap_uint<64> pixel = beats[i];
        for (int p = 1; p < T / 2; ++p) {
#pragma HLS UNROLL
          if (row.pair == p) pixel = beats[(i + 2 * p) % T];
        }
        out.data.range(64 * i + 63, 64 * i) = inside_row && inside[i] ? pixel : padding;
      }
      out.marks.bottom = row.y == last_top;
      out.marks.right = tile_col.n == s.last_tile_col;
      out.marks.tile_end = block.n == last_block;
      out.marks.pass_end = last_row && out.marks.right;
      out.marks.final = last_of_all && out.marks.right && out.marks.tile_end;
      columns.write(out);

      word = word + s.pixel_words;
      if (column.tick(T - 1)) {
        word = tile_word + beat.n + 1;
        if (beat.tick(s.pixel_words - 1)) {
          if (block.tick(last_block)) {
            tile_word = tile_word + s.pixel_words * M;
            if (tile_col.tick(s.last_tile_col)) {
              tile_word = 0;
              turned = true;
              row.advance(out.marks.bottom, s.row_words);
              if (last_row && kept) row = first;
              if (!kept) first = row;
              if (part_row.tick(s.last_part_row.of(part.n == s.last_part))) {
                if (pass.tick(s.last_pass)) {
                  part.tick(s.last_part);
                  done = round.tick(s.last_round);
                }
              }
            }
          }
          word = tile_word;
        }
      }
    }
    last_row = part_row.n == s.last_part_row.of(part.n == s.last_part);
    last_pass = pass.n == s.last_pass;
    last_of_all = last_row && last_pass && round.n == s.last_round;
    last_block = s.last_block.of(last_pass);
  mark_rows:
    for (int i = 0; i < T; ++i) {
#pragma HLS UNROLL
      inside[i] = row.y + i >= s.pad_top && row.y + i < s.end_row;
    }

    if (load) {
      came = true;
      if (load_inside) {
        const axis64 in = in0.read();
        const Word at = load_base + load_word;
      store_bank:
        for (int b = 0; b < T; ++b) {
#pragma HLS UNROLL
          if (load_bank.n == b) ring[b][at] = in.data;
        }
        came = load_word == s.last_word;
        load_word = came ? s.first_word : ap_uint<16>(load_word + 1);
        const bool end = came && load_image.n == s.last_image && load_row.n == s.end_row - 1;
        if (bool(in.last) != end) ok = false;
      }
      if (came) {
        loaded = loaded + 1;
        if (load_bank.tick(T - 1)) load_base = load_base + s.row_words;
        if (load_row.tick(s.last_row)) {
          if (load_image.tick(s.last_image)) {
            loading = s.repeat_map && !load_pass.tick(s.last_pass);
          }
        }
      }
    }
  }
  tlast_ok.write(ok);
}

}  // namespace convloom

#endif  // CONVLOOM_COMMON_TILES_H_
