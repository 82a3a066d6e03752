// SPDX-License-Identifier: Apache-2.0
// Line buffers: from a raw pixel stream to padded columns of a sliding window.
//
// The contract, from beats to windows, for a kernel with a window of TAPS × TAPS pixels:
//
//   in0 ──► slide_rows ──► PixelColumn stream ──► LineRing of columns (in the kernel) ──► windows
//
// in0 carries NHWC pixels, `words` beats of 8 channels each, row after row, image after image, the
// whole once per pass.  For output row p (a row of tiles, where stride_h is the height of a tile)
// the window covers map rows p·stride_h − pad_top … + TAPS − 1.  For each pass, image, output row
// and round slide_rows gives columns −pad_left … −pad_left + last_column of that window, left to
// right, for each the words 0 … last_word: TAPS words of 8 channels, top row lowest.  Rows and
// columns outside the map, as far as pads may reach, hold the zero point.  Rows and columns of the
// map that no window touches are read and dropped.
//
// A kernel makes windows from columns with a second LineRing whose lines are columns: memory
// [COLUMNS][WORDS] of PixelColumn::bits, read with read_taps.
#ifndef CONVLOOM_COMMON_WINDOW_H_
#define CONVLOOM_COMMON_WINDOW_H_

#include "counters.h"
#include "types.h"

namespace convloom {

/// Lines are numbered through a whole run, modulo 2^18: only differences below 2^17 have a meaning.
const int kLineBits = 18;
typedef ap_uint<kLineBits> LineIndex;

/// How many lines after `from` line `to` comes; negative if it comes before.
inline ap_int<kLineBits> lines_between(LineIndex from, LineIndex to) {
#pragma HLS INLINE
  return ap_int<kLineBits>(to - from);
}

/// The loading end of a ring of LINES lines of up to DEPTH words: line n lives in bank n mod LINES.
///
/// One word is stored and one word of every bank read per cycle.  Whoever reads decides which lines
/// are kept; a word may be stored over the lowest kept line as soon as it has been read for the
/// last time, so TAPS + STRIDE − 1 lines suffice to load behind the reading without a gap.
/// Call room and holds before store: a stored word is there from the next iteration on.
/// \tparam LINES banks, a power of two above the number of lines read at once, or equal to it.
template <int LINES, int DEPTH>
struct LineRing {
  static_assert(is_power_of_two(LINES), "the bank of a line is its lowest bits");
  typedef ap_uint<index_bits(DEPTH)> WordIndex;

  LineIndex line;                 // that is loaded …
  Counter<index_bits(DEPTH)> at;  // … and its word

  LineRing() : line(0) {}

  /// Whether the next word may be stored.  keep: lowest line still needed; if `releasing`, its
  /// words below `read` are not needed any more.
  bool room(LineIndex keep, bool releasing, WordIndex read) const {
    const ap_int<kLineBits> lead = lines_between(keep, line);
    return lead < LINES || (lead == LINES && releasing && at.n < read);
  }

  /// Whether a word has been stored.
  bool holds(LineIndex wanted, WordIndex word) const {
    const ap_int<kLineBits> lead = lines_between(wanted, line);
    return lead > 0 || (lead == 0 && word < at.n);
  }

  /// Stores the next word; true when it was the last of its line.
  template <int W>
  bool store(ap_uint<W> (&memory)[LINES][DEPTH], ap_uint<W> word, WordIndex last_word) {
#pragma HLS INLINE
    const ap_uint<index_bits(LINES)> bank = line;
  store_bank:
    for (int b = 0; b < LINES; ++b) {
#pragma HLS UNROLL
      if (bank == b) memory[b][at.n] = word;
    }
    const bool end = at.tick(last_word);
    if (end) line = line + 1;
    return end;
  }
};

/// Word `at` of the TAPS lines from `first` on, the first in the lowest bits.
template <int TAPS, int W, int LINES, int DEPTH>
ap_uint<TAPS * W> read_taps(const ap_uint<W> (&memory)[LINES][DEPTH], LineIndex first,
                            ap_uint<index_bits(DEPTH)> at) {
#pragma HLS INLINE
  ap_uint<W> banks[LINES];
#pragma HLS ARRAY_PARTITION variable = banks complete
read_banks:
  for (int b = 0; b < LINES; ++b) {
#pragma HLS UNROLL
    banks[b] = memory[b][at];
  }
  ap_uint<TAPS * W> taps = 0;
select_taps:
  for (int t = 0; t < TAPS; ++t) {
#pragma HLS UNROLL
    const ap_uint<index_bits(LINES)> bank = first + t;
    ap_uint<W> word = 0;
    for (int b = 0; b < LINES; ++b) {
#pragma HLS UNROLL
      if (bank == b) word = banks[b];
    }
    taps.range(W * t + W - 1, W * t) = word;
  }
  return taps;
}

/// TAPS pixels one above the other, 8 channels each, the top one in the lowest bits.
template <int TAPS>
struct PixelColumn {
  ap_uint<64 * TAPS> bits;
  bool last;  // of the run
};

/// What slide_rows has to know; `last_x` is the highest index of x.
struct MapShape {
  bool run;
  ap_uint<16> last_group;      // passes are counted in two levels, groups …
  ap_uint<16> last_pass;       // … and passes of each; a pass is one transfer of in0
  ap_uint<16> last_image;      // of a pass
  ap_uint<16> height;          // map rows of an image
  ap_uint<16> width;           // map columns
  ap_uint<16> last_word;       // words per pixel
  ap_uint<16> last_line_word;  // words per map row: width · words
  ap_uint<16> last_out_row;    // rows of windows per image
  ap_uint<16> last_round;      // times that the columns of a row are given
  ap_uint<17> last_column;     // columns of a row of windows
  ap_uint<8> stride_h;         // map rows from one row of windows to the next, at least 1
  ap_uint<8> pad_top;
  ap_uint<8> pad_left;
  ap_int<8> zero_point;  // what lies outside the map
};

/// The rows of the map that the present row of windows sees, by line number.
template <int TAPS>
struct RowWindow {
  ap_int<kLineBits> row;  // map row of the top tap: negative in the pad above the map
  LineIndex image;        // line of map row 0
  LineIndex first;        // line of the top tap, which may be in the pad
  LineIndex keep;         // lowest line needed now or later
  LineIndex need;         // highest line needed now
  bool inside;            // at least one tap is in the map
  bool releasing;         // `keep` is not needed by the next row of windows
  ap_uint<TAPS> real;     // taps inside the map

  void move(LineIndex to_image, ap_int<kLineBits> to_row, ap_uint<16> height, ap_uint<8> stride) {
#pragma HLS INLINE
    const ap_int<kLineBits> bottom = to_row + (TAPS - 1);
    const ap_int<kLineBits> rows = height;
    const bool above = to_row < 0;
    const bool below = to_row >= rows;
    image = to_image;
    row = to_row;
    first = to_image + LineIndex(to_row);
    keep = to_image + LineIndex(above ? ap_int<kLineBits>(0) : below ? rows : to_row);
    need = to_image + LineIndex(bottom < rows ? bottom : ap_int<kLineBits>(rows - 1));
    inside = bottom >= 0 && !below;
    releasing = to_row + stride > 0 && !below;
  mark_taps:
    for (int t = 0; t < TAPS; ++t) {
#pragma HLS UNROLL
      real[t] = to_row + t >= 0 && to_row + t < rows;
    }
  }
};

/// Pixels in, padded columns out; the contract is at the top of this file.
///
/// Loads a beat and gives a column word per cycle, each when it can.  II = 1.
/// \tparam LINES lines held, a power of two; loading never waits for the end of a row if it is at
/// least TAPS + stride_h − 1.  \tparam DEPTH most words of a line.
template <int TAPS, int LINES, int DEPTH>
void slide_rows(hls::stream<axis64>& in0, hls::stream<MapShape>& shape,
                hls::stream<PixelColumn<TAPS>>& columns, hls::stream<bool>& tlast_ok) {
  static_assert(LINES >= TAPS, "a window's lines are held at once");
  const MapShape s = shape.read();
  ap_uint<64> lines[LINES][DEPTH];
#pragma HLS ARRAY_PARTITION variable = lines complete dim = 1
  ap_uint<64> padding;
fill_padding:
  for (int c = 0; c < kBeatBytes; ++c) {
#pragma HLS UNROLL
    padding.range(8 * c + 7, 8 * c) = s.zero_point;
  }

  LineRing<LINES, DEPTH> ring;
  Counter<16> load_row, load_image, load_pass, load_group;
  bool loading = s.run;
  RowWindow<TAPS> window;
  window.move(0, -ap_int<kLineBits>(s.pad_top), s.height, s.stride_h);
  Counter<16> word, round, out_row, image, pass, group;
  Counter<17> column;
  ap_int<kLineBits> x = -ap_int<kLineBits>(s.pad_left);  // map column
  ap_uint<index_bits(DEPTH)> at = 0;                     // next word of the map row to be read
  bool giving = s.run;
  bool ok = true;

slide_window:
  for (bool done = !s.run; !done;) {
#pragma HLS PIPELINE II = 1
    const bool in_map = x >= 0 && x < ap_int<kLineBits>(s.width);
    const bool give = giving && (!in_map || !window.inside || ring.holds(window.need, at));
    const bool load =
        loading && ring.room(window.keep, window.releasing && round.n == s.last_round, at);

    // Give a column.
    if (give) {
      const ap_uint<64 * TAPS> taps = read_taps<TAPS>(lines, window.first, at);
      PixelColumn<TAPS> out;
    pad_taps:
      for (int t = 0; t < TAPS; ++t) {
#pragma HLS UNROLL
        const bool real = in_map && window.real[t];
        out.bits.range(64 * t + 63, 64 * t) =
            real ? ap_uint<64>(taps.range(64 * t + 63, 64 * t)) : padding;
      }
      if (in_map) at = at + 1;
      if (word.tick(s.last_word)) {
        x = x + 1;
        if (column.tick(s.last_column)) {
          x = -ap_int<kLineBits>(s.pad_left);
          at = 0;
          if (round.tick(s.last_round)) {
            if (out_row.tick(s.last_out_row)) {
              window.move(window.image + s.height, -ap_int<kLineBits>(s.pad_top), s.height,
                          s.stride_h);
              if (image.tick(s.last_image)) {
                if (pass.tick(s.last_pass)) giving = !group.tick(s.last_group);
              }
            } else {
              window.move(window.image, window.row + s.stride_h, s.height, s.stride_h);
            }
          }
        }
      }
      out.last = !giving;
      columns.write(out);
    }

    // Load a beat.
    if (load) {
      const axis64 beat = in0.read();
      bool end_of_transfer = false;
      if (ring.store(lines, beat.data, s.last_line_word)) {
        if (load_row.tick(s.height - 1)) {
          end_of_transfer = load_image.tick(s.last_image);
          if (end_of_transfer) {
            if (load_pass.tick(s.last_pass)) loading = !load_group.tick(s.last_group);
          }
        }
      }
      if (bool(beat.last) != end_of_transfer) ok = false;
    }
    done = !loading && !giving;
  }
  tlast_ok.write(ok);
}

}  // namespace convloom

#endif  // CONVLOOM_COMMON_WINDOW_H_
