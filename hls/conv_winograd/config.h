// SPDX-License-Identifier: Apache-2.0
// Sizes, widths and the cycle structure of conv_winograd.
#ifndef CONVLOOM_CONV_WINOGRAD_CONFIG_H_
#define CONVLOOM_CONV_WINOGRAD_CONFIG_H_

#include "contract.h"
#include "data_pack.h"
#include "requantize.h"
#include "resources.h"
#include "tiles.h"
#include "transforms.h"
#include "weights.h"

namespace convloom {
namespace winograd {

namespace contract = conv_winograd_contract;

/// \tparam S sizes of one configuration, from contract.h.
template <class S>
struct Config {
  static const int M = S::tile;  // outputs per tile and axis
  static const int T = M + 2;    // inputs per tile and axis
  static const int ELEMENTS = T * T;
  static const int COLS = S::cols;  // filters of a block, a column of the array each
  static const int KERNEL_WORDS = S::kernel_words;  // (channel, block) pairs of resident kernels
  static const int MAX_BLOCKS = S::max_blocks;      // of a group
  static const int MAX_FILTERS = MAX_BLOCKS * COLS;
  static const int RING_WORDS = S::ring_words;  // beats per bank of map rows
  static const int RAW_WORDS = S::raw_words;    // 8 raw kernels each
  static const int LANES = 2;                   // outputs transformed and requantised per cycle

  typedef convloom::winograd::Transform<M> Transform;
  static const int SUM_BITS = Transform::SUM_BITS;

  // Cycles.  The array takes a tile of one channel per cycle: with C channels a tile and block last
  // max(C, DRAIN) cycles.
  //   in0   1 beat per cycle; a tile's new pixels are M²·C/8 beats (z2: 2·C) and serve every block
  //         of the group.
  //   rows  T beats per cycle, one of each bank: T such reads give 8 channels of a tile, in T of 8
  //         cycles, so overlapping columns and tiles of further blocks are simply read again.
  //   in1   1 beat per cycle = 8/9 kernels; 8 kernels are transformed in 4 cycles.
  //   U     COLS words per cycle, one per column; 2 are stored per cycle.
  //   sums  T per cycle leave the array: COLS·T cycles per tile and block.
  //   out   LANES outputs per cycle: M²/LANES cycles per filter and tile (z2: 48 per block, so from
  //         C = 48 on the array is never held up); int8 a beat in 4 cycles, int32 a beat per cycle.
  static const int DRAIN = COLS - 1 + COLS * T;  // from one capture of the first column to the next
  static const int MACS = COLS * M * M * 9;      // of the direct convolution, per array cycle

  static const int DSP = ELEMENTS * COLS + 2 * LANES;
  static const int BRAM36 = COLS * bram36(ELEMENTS * Transform::U_BITS, KERNEL_WORDS) +
                            T * bram36(64, RING_WORDS) + bram36(9 * 64, RAW_WORDS) +
                            bram36(54, MAX_FILTERS) + bram36(64, 2 * MAX_FILTERS);

  static_assert(M == 2 || M == 4, "there are transforms for F(2×2) and F(4×4)");
  static_assert(COLS % 2 == 0,
                "kernels are transformed in pairs, int8 beats of F(2×2) hold two filters");
  static_assert(is_power_of_two(KERNEL_WORDS), "addresses of kernels wrap round");
  static_assert(RAW_WORDS * 8 >= KERNEL_WORDS * COLS,
                "a whole group waits while the one before is used");
  static_assert(T <= 8,
                "8 channels of a tile are read in no more cycles than they take in the array");
  static_assert(9 * KERNEL_WORDS * (1 << 14) < (1 << 27), "an output fits 28 bits");
  static_assert(COLS * M * M / LANES >= DRAIN || M == 2,
                "outputs, not the drain, limit short blocks");
  static_assert(DSP <= 220, "xc7z020: 220 DSP48E1");
  static_assert(BRAM36 <= 120, "xc7z020: 140 RAMB36E1, 20 of them for FIFOs and DMA");

  typedef Pack<Transform::V_BITS, ELEMENTS> InputTile;   // V of a tile and channel
  typedef Pack<Transform::U_BITS, ELEMENTS> KernelTile;  // U of a filter and channel
  typedef Pack<SUM_BITS, T> SumColumn;                   // a column or row of the T×T sums

  // What the streams carry.
  typedef Marked<ap_uint<8 * kBeatBytes * T>> PixelToken;  // T pixels of 8 channels, top first
  typedef Marked<InputTile> TileToken;
  typedef Marked<SumColumn> SumToken;
  struct KernelPair {
    KernelTile of[2];  // filters 2i and 2i + 1 of a block, one channel
  };
};

// 36 · 6 multipliers and 2 · 2 for requantisation; 6 filters · 16 outputs · 9 taps = 864 MACs a
// cycle. U: 36 · 14 = 504 bits, 7 BRAM36 at depth 512, for each of 6 columns; map rows: 6 banks of
// 8; raw weights: 8; parameters: 2.
typedef Config<contract::z2> ConfigZ2;
static_assert(ConfigZ2::DSP == 220, "z2 uses every DSP48E1");
static_assert(ConfigZ2::MACS == 864, "z2: peak of 864 MACs per cycle");
static_assert(ConfigZ2::BRAM36 == 100, "z2: 100 BRAM36");

/// The checked registers but those of the map.  `last_x` is the highest index of x; the last group
/// may be smaller than the others.
struct Shape {
  bool run;
  ap_uint<16> last_channel;
  ap_uint<2> last_out_row;  // of the last tile
  ap_uint<2> last_out_col;
  WeightShape weights;         // groups of filters, their parameters and raw kernels
  ap_uint<16> last_real;       // filter of the last group that is one of the layer's
  Bound<16> last_kernel_pair;  // of a group: a kernel for each channel and filter
  Output output;
};

}  // namespace winograd
}  // namespace convloom

#endif  // CONVLOOM_CONV_WINOGRAD_CONFIG_H_
