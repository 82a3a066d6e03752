// SPDX-License-Identifier: Apache-2.0
// Sizes, widths and the cycle structure of conv_winograd.
#ifndef CONVLOOM_CONV_WINOGRAD_CONFIG_H_
#define CONVLOOM_CONV_WINOGRAD_CONFIG_H_

#include "contract.h"
#include "data_pack.h"
#include "resources.h"
#include "results.h"
#include "transforms.h"
#include "types.h"

namespace convloom {
namespace winograd {

namespace contract = conv_winograd_contract;

/// \tparam S sizes of one configuration, from contract.h.
template <class S>
struct Config {
  static const int M = S::tile;  // outputs per tile and axis
  static const int TILE_BITS = index_bits(M);
  static const int T = M + 2;  // inputs per tile and axis
  static const int ELEMENTS = T * T;
  static const int COLS = S::cols;  // filters of a block, a column of the array each
  static const int KERNEL_WORDS = S::kernel_words;  // (channel, block) pairs of resident kernels
  static const int MAX_BLOCKS = S::max_blocks;      // of a group
  static const int MAX_FILTERS = MAX_BLOCKS * COLS;
  static const int RING_WORDS = S::ring_words;  // beats per bank of map rows
  static const int MAX_SLOTS = 255;             // rows per bank
  static const int RAW_WORDS = S::raw_words;    // 8 raw kernels each
  static const int LANES = 2;                   // outputs transformed and requantised per cycle

  typedef convloom::winograd::Transform<M> Transform;
  static const int V_BITS = Transform::V_BITS;
  static const int U_BITS = Transform::U_BITS;
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
  static const int FILTER_CYCLES = M * M / LANES;
  static const int MACS = COLS * M * M * 9;  // of the direct convolution, per cycle of the array

  static const int DSP = ELEMENTS * COLS + 2 * LANES;
  static const int KERNEL_BRAM36 = COLS * bram36(ELEMENTS * U_BITS, KERNEL_WORDS);
  static const int RING_BRAM36 = T * bram36(64, RING_WORDS);
  static const int RAW_BRAM36 = bram36(9 * 64, RAW_WORDS);
  static const int BRAM36 = KERNEL_BRAM36 + RING_BRAM36 + RAW_BRAM36 + bram36(54, MAX_FILTERS) +
                            bram36(64, 2 * MAX_FILTERS);

  static_assert(M == 2 || M == 4, "there are transforms for F(2×2) and F(4×4)");
  static_assert(COLS % 2 == 0,
                "kernels are transformed in pairs, int8 beats of F(2×2) hold two filters");
  static_assert(is_power_of_two(KERNEL_WORDS), "addresses of kernels wrap round");
  static_assert(RAW_WORDS * 8 >= KERNEL_WORDS * COLS,
                "a whole group waits while the one before is used");
  static_assert(T <= 8,
                "8 channels of a tile are read in no more cycles than they take in the array");
  static_assert(9 * KERNEL_WORDS * (1 << 14) < (1 << 27), "an output fits 28 bits");
  static_assert(COLS * FILTER_CYCLES >= DRAIN || M == 2,
                "outputs, not the drain, limit short blocks");
  static_assert(DSP <= 220, "xc7z020: 220 DSP48E1");
  static_assert(BRAM36 <= 120, "xc7z020: 140 RAMB36E1, 20 of them for FIFOs and DMA");

  typedef Pack<V_BITS, ELEMENTS> InputTile;    // V of a tile and channel
  typedef Pack<U_BITS, ELEMENTS> KernelTile;   // U of a filter and channel
  typedef Pack<SUM_BITS, T> SumColumn;         // one column of the T×T sums, top first
  typedef ap_uint<8 * kBeatBytes * T> Pixels;  // T pixels one above the other, 8 channels each
};

// 36 · 6 multipliers and 2 · 2 for requantisation; 6 filters · 16 outputs · 9 taps = 864 MACs a
// cycle. U: 36 · 14 = 504 bits, 7 BRAM36 at depth 512, for each of 6 columns; map rows: 6 banks of
// 8; raw weights: 8; parameters: 2.
typedef Config<contract::z2> ConfigZ2;
static_assert(ConfigZ2::DSP == 220, "z2 uses every DSP48E1");
static_assert(ConfigZ2::MACS == 864, "z2: peak of 864 MACs per cycle");
static_assert(ConfigZ2::KERNEL_BRAM36 == 42 && ConfigZ2::RING_BRAM36 == 48 &&
                  ConfigZ2::BRAM36 == 100,
              "z2: 100 BRAM36");

/// What the place of a tile and block in the run decides behind it.
struct Marks {
  bool tile_end;  // last block of the tile
  bool pass_end;  // last tile of the group's pass: its kernels are not needed again
  bool final;     // last block of the run
  bool bottom;    // last tile row of the image
  bool right;     // last tile column
};

/// T pixels of 8 channels (the pixels of one map column), and where they belong.
template <class C>
struct PixelColumn {
  typename C::Pixels pixels;
  bool call;  // kernels of the next group may be asked for
  Marks marks;
};

template <class C>
struct InputToken {
  typename C::InputTile v;
  bool call;
  Marks marks;
};

/// U of filters 2i and 2i + 1 of a block, one channel.
template <class C>
struct KernelPair {
  typename C::KernelTile even;
  typename C::KernelTile odd;
  bool group_end;
};

template <class C>
struct SumToken {
  typename C::SumColumn sums;
  Marks marks;
};

/// Two outputs side by side, times f².
template <class C>
struct OutputPair {
  ap_int<C::SUM_BITS> first;
  ap_int<C::SUM_BITS> second;
  Marks marks;
};

/// The checked registers.  `last_x` is the highest index of x, `final_x` that of the last of its
/// kind.
struct Shape {
  bool run;
  bool int8_output;
  bool repeat_map;
  ap_uint<16> pad_top;
  ap_uint<16> pad_left;
  ap_uint<16> end_row;  // pad_top + height: padded rows from here on are padding
  ap_uint<16> end_col;
  ap_uint<16> last_padded_row;  // of an image
  ap_uint<16> last_row_beat;    // width · beats per pixel
  ap_uint<16> first_word;       // pad_left · beats per pixel
  ap_uint<16> row_words;        // padded width · beats per pixel
  ap_uint<8> pixel_beats;
  ap_uint<8> last_slot;
  ap_uint<16> ring_rows;
  ap_uint<16> last_channel;
  ap_uint<3> last_lane;  // channels of the last beat
  ap_uint<16> last_image;
  ap_uint<16> last_tile_row;
  ap_uint<16> last_tile_col;
  ap_uint<16> call_tile_col;
  ap_uint<16> last_set;
  ap_uint<16> last_set_image;
  ap_uint<16> final_set_image;
  ap_uint<16> last_strip;
  ap_uint<16> last_strip_row;
  ap_uint<16> final_strip_row;
  ap_uint<16> last_round;               // times that in1 comes
  ap_uint<index_bits(4)> last_out_row;  // of the last tile
  ap_uint<index_bits(4)> last_out_col;
  ap_uint<16> filters;
  ap_uint<16> last_group;
  ap_uint<8> last_block;
  ap_uint<8> final_block;
  ap_uint<16> last_group_word;  // raw words of a group
  ap_uint<16> final_group_word;
  ap_uint<8> x_zero_point;
  ap_int<8> y_zero_point;
  ap_int<8> clamp_low;
  ap_int<8> clamp_high;
};

}  // namespace winograd
}  // namespace convloom

#endif  // CONVLOOM_CONV_WINOGRAD_CONFIG_H_
