// SPDX-License-Identifier: Apache-2.0
// Sizes, widths and the cycle structure of gemm_systolic.
#ifndef CONVLOOM_GEMM_SYSTOLIC_CONFIG_H_
#define CONVLOOM_GEMM_SYSTOLIC_CONFIG_H_

#include "contract.h"
#include "counters.h"
#include "data_pack.h"
#include "requantize.h"
#include "resources.h"
#include "types.h"
#include "weights.h"

namespace convloom {
namespace gemm {

namespace contract = gemm_systolic_contract;

/// \tparam S sizes of one configuration, from contract.h.
template <class S>
struct Config {
  static const int ROWS = S::rows;        // M: array rows, one output pixel each
  static const int COLS = S::cols;        // N: array columns, one filter each
  static const int PAIRS = COLS / 2;      // two filters share a multiplier
  static const int WORD = S::word_bytes;  // bytes of an activation word
  static const int LANES = S::lanes;      // filters requantised per cycle
  static const int MAX_ROW_BLOCKS = S::max_row_blocks;
  static const int MAX_FILTER_BLOCKS = S::max_filter_blocks;
  static const int MAX_CHUNK_WORDS = S::max_chunk_words;
  static const int MAX_DEPTH = MAX_CHUNK_WORDS * WORD;  // K bytes of a chunk
  static const int MAX_ROWS = (1 << 24) - 1;            // of a layer
  static const int IMAGE_WORDS = S::image_words;
  static const int TABLE_BEATS = S::table_beats;
  static const int BLOCK_ROWS = MAX_ROW_BLOCKS * ROWS;
  static const int SUM_WORDS = MAX_FILTER_BLOCKS * BLOCK_ROWS;
  static const int TILE_FILTERS = MAX_FILTER_BLOCKS * COLS;

  // Bit growth: int8·int8 lies in −16256 … 16384, 16 bits; a chunk adds MAX_DEPTH of them.
  static const int SUM_BITS = 16 + index_bits(MAX_DEPTH);

  // A drained row leaves every second cycle, so a block must last longer than 2·(ROWS − 1) cycles.
  static const int MIN_DEPTH = 2 * ROWS - 1;

  // Beats per word and per weight row, and words per cycle on each stream: in0 and in1 give one
  // beat per cycle, the array takes ROWS + COLS bytes per cycle, `out` takes at most one beat per
  // cycle.
  static const int WORD_BEATS = WORD / kBeatBytes;
  static const int WEIGHT_BEATS = COLS / kBeatBytes;

  static const int DSP = ROWS * PAIRS + 2 * LANES;
  static const int BRAM36 = bram36(8 * WORD, 2 * IMAGE_WORDS) + bram36(64, 2 * TABLE_BEATS) +
                            bram36(8 * COLS, 2 * MAX_DEPTH) + bram36(32 * COLS, SUM_WORDS);

  static_assert(ROWS >= 2 && ROWS <= WORD, "each row reads its word in a slot of its own");
  static_assert(WORD % kBeatBytes == 0 && is_power_of_two(WORD), "words are whole beats");
  static_assert(COLS % kBeatBytes == 0 && is_power_of_two(COLS), "weight rows are whole beats");
  static_assert(kBeatBytes % LANES == 0 && LANES >= 2, "an int8 beat is whole groups of lanes");
  static_assert(is_power_of_two(IMAGE_WORDS) && is_power_of_two(TABLE_BEATS),
                "the half of a double buffer is the top address bit");
  static_assert(IMAGE_WORDS <= 65536, "pointers have 16 bits");
  static_assert(MAX_DEPTH >= MIN_DEPTH, "a chunk must last until the array has drained");
  static_assert(IMAGE_WORDS >= BLOCK_ROWS, "an image holds a word for every row of a full tile");
  static_assert(DSP <= 220, "xc7z020: 220 DSP48E1");
  static_assert(BRAM36 <= 120, "xc7z020: 140 RAMB36E1, 20 of them for FIFOs and DMA");

  typedef Pack<8, ROWS> ActivationColumn;  // one byte for each array row
  typedef Pack<SUM_BITS, COLS> SumRow;     // drained sums of one pixel and chunk
  typedef Pack<32, COLS> TotalRow;         // sums of one pixel over all chunks
  typedef ap_uint<8 * COLS> WeightRow;     // one byte position of the reduction for a filter block

  /// A weight row on its way into the array, and the marks that travel with it.
  struct MarkedRow {
    WeightRow weights;
    bool first;  // of the block: accumulators start again
    bool last;   // of the block: accumulators drain
    bool end;    // of the run

    MarkedRow() : weights(0), first(false), last(false), end(false) {}
  };
};

/// How often each loop over tiles and blocks goes; tiles but the last of their kind have full
/// blocks.
struct TileShape {
  ap_uint<16> last_group;
  ap_uint<16> last_filter_tile;
  ap_uint<16> last_row_tile;
  Bound<8> last_filter_block;
  Bound<8> last_row_block;
};

/// Where a process is in the tiles of a run: groups, their filter tiles, and in each all row tiles.
struct Tile {
  Counter<16> group, filter_tile, row_tile;

  ap_uint<8> last_filter_block(const TileShape& s) const {
    return s.last_filter_block.of(filter_tile.n == s.last_filter_tile);
  }
  ap_uint<8> last_row_block(const TileShape& s) const {
    return s.last_row_block.of(row_tile.n == s.last_row_tile);
  }

  /// To the next tile; true if this was the last.
  bool tick(const TileShape& s) {
    return row_tile.tick(s.last_row_tile) && filter_tile.tick(s.last_filter_tile) &&
           group.tick(s.last_group);
  }
};

/// The checked registers.  `last_x` is the highest index of x.
struct Shape {
  bool run;
  TileShape tiles;
  ap_uint<8> last_row;     // of the last block that is a row of the layer
  ap_uint<8> last_filter;  // likewise
  ap_uint<16> last_chunk;
  ap_uint<8> last_segment;
  ap_uint<8> last_segment_word;
  ap_uint<16> last_depth;  // byte positions of a chunk
  ap_uint<16> last_table_beat;
  ap_uint<16> last_image_word;
  Output output;
};

}  // namespace gemm
}  // namespace convloom

#endif  // CONVLOOM_GEMM_SYSTOLIC_CONFIG_H_
