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

/// The loading end of a ring of LINES lines of up to DEPTH words: line n lives in bank n mod LINES.
///
/// One word is stored and one word of every bank read per cycle.  Whoever reads decides which lines
/// are kept; a word may be stored over the lowest kept line as soon as it has been read for the
/// last time, so TAPS + stride − 1 lines suffice to load behind the reading without a gap.
/// What is decided in an iteration must be decided before store: a stored word is there from the
/// next iteration on.
/// \tparam LINES banks, a power of two, at least the number of lines read at once.
/// \tparam BITS of a line's number: lines are counted modulo 2^BITS, and differences must stay
/// below half of that.
template <int LINES, int DEPTH, int BITS>
struct LineRing {
  static_assert(is_power_of_two(LINES), "the bank of a line is its lowest bits");
  typedef ap_uint<BITS> Line;
  typedef ap_uint<index_bits(DEPTH)> Word;

  Line line;                      // that is loaded …
  Counter<index_bits(DEPTH)> at;  // … and its word

  LineRing() : line(0) {}

  /// How many lines the loading is ahead of line `of`; negative if it is behind.
  ap_int<BITS> lead(Line of) const {
#pragma HLS INLINE
    return ap_int<BITS>(line - of);
  }

  /// Stores the next word; true when it was the last of its line.
  template <int W>
  bool store(ap_uint<W> (&memory)[LINES][DEPTH], ap_uint<W> word, Word last_word) {
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

/// What a window of TAPS lines and a ring of LINES say to each other: where the loading stands when
/// it is `ahead` of the window's last line, and every line before its first is free.
template <int TAPS, int LINES, int BITS>
struct RingStanding {
  bool above;  // the last line is loaded
  bool room;   // there is a free line …
  bool full;   // … or just none, and words of the first line must be released

  RingStanding() : above(false), room(false), full(false) {}

  explicit RingStanding(ap_int<BITS> ahead)
      : above(ahead > 0), room(ahead < LINES - TAPS + 1), full(ahead == LINES - TAPS + 1) {}

  static RingStanding either(bool first, const RingStanding& a, const RingStanding& b) {
#pragma HLS INLINE
    RingStanding chosen;
    chosen.above = first ? a.above : b.above;
    chosen.room = first ? a.room : b.room;
    chosen.full = first ? a.full : b.full;
    return chosen;
  }
};

/// Word `at` of the TAPS lines from `first` on, the first in the lowest bits.
template <int TAPS, int W, int LINES, int DEPTH, int BITS>
ap_uint<TAPS * W> read_taps(const ap_uint<W> (&memory)[LINES][DEPTH], ap_uint<BITS> first,
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

/// Lines of maps are numbered through a whole run, modulo 2^18: maps have up to 2^16 rows.
const int kMapLineBits = 18;
typedef ap_uint<kMapLineBits> MapLine;
typedef ap_int<kMapLineBits> MapOffset;

/// The lines that a row of windows sees.
template <int TAPS>
struct RowWindow {
  MapLine first;       // line of the top tap, which may be in the padding
  MapLine keep;        // lowest line needed now or later
  MapLine need;        // highest line needed now
  bool inside;         // at least one tap is in the map
  bool releasing;      // `keep` is not needed by the next row of windows
  ap_uint<TAPS> real;  // taps in the map

  /// image: line of map row 0.  row: map row of the top tap, negative in the padding above.
  RowWindow(MapLine image, MapOffset row, ap_uint<16> height, ap_uint<8> stride) : real(0) {
#pragma HLS INLINE
    const MapOffset zero = 0;
    const MapOffset rows = height;
    const MapOffset last = rows - 1;
    const MapOffset bottom = row + (TAPS - 1);
    const bool above = row < 0;
    const bool below = row >= rows;
    first = image + MapLine(row);
    keep = image + MapLine(above ? zero : below ? rows : row);
    need = image + MapLine(bottom < rows ? bottom : last);
    inside = bottom >= 0 && !below;
    releasing = row + stride > 0 && !below;
  mark_taps:
    for (int t = 0; t < TAPS; ++t) {
#pragma HLS UNROLL
      real[t] = row + t >= 0 && row + t < rows;
    }
  }
};

/// Pixels in, padded columns out; the contract is at the top of this file.
///
/// Loads a beat and gives a column word per cycle, each when it can.  II = 1; a new row of windows
/// costs two cycles more.
/// \tparam LINES lines held, a power of two; loading never waits for the end of a row if it is at
/// least TAPS + stride_h − 1.  \tparam DEPTH most words of a line.
///
/// So that only comparisons stand between one iteration and the next, what follows from the lines'
/// numbers is worked out an iteration before it is used.  That is safe: `keep` and the loaded line
/// only grow, so an old answer errs towards waiting, except where a row of windows or a line has
/// just begun; the first waits until the answers are new, the second has an answer of its own.
template <int TAPS, int LINES, int DEPTH>
void slide_rows(hls::stream<axis64>& in0, hls::stream<MapShape>& shape,
                hls::stream<PixelColumn<TAPS>>& columns, hls::stream<bool>& tlast_ok) {
  static_assert(LINES >= TAPS, "a window's lines are held at once");
  const MapShape s = shape.read();
  ap_uint<64> lines[LINES][DEPTH];
#pragma HLS ARRAY_PARTITION variable = lines complete dim = 1
  ap_uint<64> padding = 0;
fill_padding:
  for (int c = 0; c < kBeatBytes; ++c) {
#pragma HLS UNROLL
    padding.range(8 * c + 7, 8 * c) = s.zero_point;
  }
  const MapOffset first_row = -MapOffset(s.pad_top);
  const MapOffset first_x = -MapOffset(s.pad_left);
  const ap_uint<16> last_row = s.height - 1;

  // Loading.
  LineRing<LINES, DEPTH, kMapLineBits> ring;
  Counter<16> load_row, load_image, load_pass, load_group;
  bool loading = s.run;
  bool room = false, full = false;  // the ring has a free line, or just none
  // Giving.
  MapLine image_line = 0;     // of map row 0
  MapOffset row = first_row;  // map row of the top tap
  RowWindow<TAPS> window(image_line, row, s.height, s.stride_h);
  Counter<1> settle;  // iterations since the row of windows began
  bool settled = false;
  bool above = false, level = false;  // the line that the window needs is loaded, or being loaded
  Counter<16> word, round, out_row, image, pass, group;
  Counter<17> column;
  MapOffset x = first_x;  // map column
  bool in_map = s.pad_left == 0;
  ap_uint<index_bits(DEPTH)> at = 0;  // next word of the map row
  bool giving = s.run;
  bool ok = true;

slide_window:
  for (bool done = !s.run; !done;) {
#pragma HLS PIPELINE II = 1
    const bool there = above || (level && at < ring.at.n);
    const bool give = giving && settled && (!in_map || !window.inside || there);
    const bool released = window.releasing && round.n == s.last_round && ring.at.n < at;
    const bool load = loading && (room || (full && released));

    // Answers for the next iteration.
    const MapOffset lead = ring.lead(window.keep);
    const MapOffset need_lead = ring.lead(window.need);
    const RowWindow<TAPS> next_window(image_line, row, s.height, s.stride_h);
    const bool next_room = lead < LINES, next_room_after_line = lead < LINES - 1;
    const bool next_full = lead == LINES, next_full_after_line = lead == LINES - 1;
    const bool next_above = need_lead > 0, next_level = need_lead == 0;
    const MapOffset next_x = x + 1;
    const bool next_in_map = next_x >= 0 && next_x < MapOffset(s.width);
    bool new_row = false;

    // Give a column.
    if (give) {
      const ap_uint<64 * TAPS> taps = read_taps<TAPS>(lines, window.first, at);
      PixelColumn<TAPS> out;
      out.bits = 0;
    pad_taps:
      for (int t = 0; t < TAPS; ++t) {
#pragma HLS UNROLL
        const ap_uint<64> tap = taps.range(64 * t + 63, 64 * t);
        out.bits.range(64 * t + 63, 64 * t) = in_map && window.real[t] ? tap : padding;
      }
      if (in_map) at = at + 1;
      if (word.tick(s.last_word)) {
        x = next_x;
        in_map = next_in_map;
        if (column.tick(s.last_column)) {
          x = first_x;
          in_map = s.pad_left == 0;
          at = 0;
          if (round.tick(s.last_round)) {
            new_row = true;
            row = row + s.stride_h;
            if (out_row.tick(s.last_out_row)) {
              row = first_row;
              image_line = image_line + s.height;
              if (image.tick(s.last_image)) {
                if (pass.tick(s.last_pass)) giving = !group.tick(s.last_group);
              }
            }
          }
        }
      }
      out.last = !giving;
      columns.write(out);
    }

    // Load a beat.
    bool new_line = false;
    if (load) {
      const axis64 beat = in0.read();
      bool end_of_transfer = false;
      new_line = ring.store(lines, beat.data, s.last_line_word);
      if (new_line) {
        if (load_row.tick(last_row)) {
          end_of_transfer = load_image.tick(s.last_image);
          if (end_of_transfer) {
            if (load_pass.tick(s.last_pass)) loading = !load_group.tick(s.last_group);
          }
        }
      }
      if (bool(beat.last) != end_of_transfer) ok = false;
    }

    window = next_window;
    room = new_line ? next_room_after_line : next_room;
    full = new_line ? next_full_after_line : next_full;
    above = next_above;
    level = next_level;
    // In the first iteration of a row the window is still the old one, in the second the answers.
    if (new_row) {
      settled = false;
      settle.n = 0;
    } else if (!settled) {
      settled = settle.tick(1);
    }
    done = !loading && !giving;
  }
  tlast_ok.write(ok);
}

}  // namespace convloom

#endif  // CONVLOOM_COMMON_WINDOW_H_
