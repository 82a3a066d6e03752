// SPDX-License-Identifier: Apache-2.0
// Sizes, widths and the cycle structure of conv_linebuffer.
#ifndef CONVLOOM_CONV_LINEBUFFER_CONFIG_H_
#define CONVLOOM_CONV_LINEBUFFER_CONFIG_H_

#include "contract.h"
#include "data_pack.h"
#include "requantize.h"
#include "resources.h"
#include "types.h"
#include "weights.h"
#include "window.h"

namespace convloom {
namespace linebuffer {

namespace contract = conv_linebuffer_contract;

/// The largest power of two that is at most n.
constexpr int power_below(int n) { return n < 2 ? 1 : 2 * power_below(n / 2); }

/// \tparam S sizes of one configuration, from contract.h.
///
/// Cycle structure.  A cycle multiplies one window of one channel word (8 channels) with the
/// weights of one block of filters: TAPS² · 8 · CO products on half as many DSP48E1.
///   in0      1 beat = 1 channel word per cycle, needed once for the `blocks` cycles that use it
///   lines    1 word written to one bank, 1 word read from each bank: 8 B per port and cycle
///   columns  1 column of TAPS words written to one bank, 1 read from each bank
///   weights  TAPS² · CO words read: CO memories of TAPS² · 64 bits; written behind it at 8 B/cycle
///   out      LANES results per cycle: a block takes CO / LANES cycles, which is hidden behind the
///            multiplications from CO / LANES channel words on
template <class S>
struct Config {
  static const int TAPS = S::taps;         // R and S of the window
  static const int CO = S::block_filters;  // filters of a block
  static const int PAIRS = CO / 2;         // two filters share a multiplier
  static const int LANES = S::lanes;       // filters requantised per cycle
  static const int LINES = S::lines;
  static const int LINE_WORDS = S::line_words;
  static const int COLUMNS = S::columns;
  static const int PIXEL_WORDS = S::pixel_words;
  static const int WEIGHT_WORDS = S::weight_words;
  static const int MAX_BLOCKS = S::max_blocks;
  static const int GROUP_FILTERS = MAX_BLOCKS * CO;

  // A depthwise block uses one channel word only: its filters must not cross words.
  static const int DEPTHWISE_CO = power_below(least(CO, kBeatBytes));

  static const int FILTER_BEATS = TAPS * TAPS;  // weights of one filter and channel word
  static const int FILTER_BITS = 64 * FILTER_BEATS;
  static const int COLUMN_BITS = 64 * TAPS;
  static const int COLUMN_NUMBER_BITS = 6;

  // Bit growth: int8·int8 lies in −16256 … 16384, 16 bits; a window adds TERMS of them.
  static const int TERMS = FILTER_BEATS * kBeatBytes;
  static const int DOT_BITS = 16 + index_bits(TERMS);

  static const int DSP = TERMS * PAIRS + 2 * LANES;
  static const int BRAM36 =
      CO * bram36(FILTER_BITS, 2 * WEIGHT_WORDS) + LINES * bram36(64, LINE_WORDS) +
      COLUMNS * bram36(COLUMN_BITS, PIXEL_WORDS) + bram36(64, 2 * GROUP_FILTERS) +
      LANES * bram36(54, GROUP_FILTERS / LANES);

  static_assert(CO % 2 == 0, "two filters share a multiplier");
  static_assert(CO * FILTER_BEATS <= 255, "beats of a weight word are counted in 8 bits");
  static_assert(LANES == 2, "an int32 beat holds two results");
  static_assert(CO % LANES == 0 && DEPTHWISE_CO % LANES == 0, "a block is whole groups of lanes");
  static_assert(LINES >= TAPS + 1,
                "loading goes on behind a row of windows; with a word released "
                "as it is read, TAPS + 1 lines do for stride 2");
  static_assert(COLUMNS >= TAPS + 1, "likewise for the columns of a window");
  static_assert(COLUMNS + TAPS + 15 < 1 << (COLUMN_NUMBER_BITS - 1),
                "columns loaded and wanted are this far apart at most, at a stride of 15");
  static_assert(is_power_of_two(WEIGHT_WORDS),
                "the half of a double buffer is the top address bit");
  static_assert(WEIGHT_WORDS >= PIXEL_WORDS, "one block of filters fits at the most channels");
  static_assert(LINE_WORDS >= PIXEL_WORDS, "a line holds a pixel");
  static_assert(DSP <= 220, "xc7z020: 220 DSP48E1");
  static_assert(BRAM36 <= 120, "xc7z020: 140 RAMB36E1, 20 of them for FIFOs and DMA");

  typedef PixelColumn<TAPS> Column;
  typedef RingStanding<TAPS, COLUMNS, COLUMN_NUMBER_BITS> Standing;
  typedef Pack<32, CO> SumRow;  // one pixel and block
};

/// The checked registers that the processes behind the line buffers need.  `last_x` is the highest
/// index of x; bounds are those of all filter groups but the last, and of the last.
struct Shape {
  bool run;
  bool depthwise;
  ap_uint<16> last_group;
  ap_uint<16> last_filter_group;
  ap_uint<16> last_image;
  ap_uint<16> last_out_row;
  ap_uint<16> last_out_column;
  ap_uint<16> last_word;  // channel words of a pixel
  Bound<8> last_block;    // of a filter group; depthwise: of a channel word
  Bound<16> last_weight;  // weight words of a filter group
  Bound<16> last_param;   // filters that its blocks hold
  Bound<16> last_step;    // lane groups of a pixel that hold a filter
  bool odd;               // the very last lane holds none
  ap_uint<8> stride_w;
  ap_uint<8> last_block_step;  // lane groups of a block
  Output output;
};

}  // namespace linebuffer
}  // namespace convloom

#endif  // CONVLOOM_CONV_LINEBUFFER_CONFIG_H_
