// SPDX-License-Identifier: Apache-2.0
// The systolic array with its kernels.
#ifndef CONVLOOM_CONV_WINOGRAD_COMPUTE_H_
#define CONVLOOM_CONV_WINOGRAD_COMPUTE_H_

#include "config.h"
#include "counters.h"

namespace convloom {
namespace winograd {

/// What moves from column to column beside the tile of one channel.
template <class C>
struct Moving {
  ap_uint<index_bits(C::KERNEL_WORDS)> at;  // address of the kernel
  bool first;                               // channel of the block: accumulators start again
  bool last;                                // channel of the block: accumulators drain
  bool free;                                // the kernel is not needed again
  Marks marks;
};

/// COLS columns of T² multiply-accumulators; column j holds the kernels of filter j of each block
/// and works j cycles behind column 0, on the tile that column j − 1 had before.
///
/// Kernels lie in a ring of addresses, written two filters per cycle when the pass before has
/// called for them, each address after its last reader; a tile waits for the kernels it needs.  A
/// block's sums are captured column by column and then leave column 0 by T elements a cycle,
/// columns of the T×T sums from left to right, while the next block accumulates; that one's last
/// channel waits until they are gone.  II = 1.
template <class C>
void winograd_array(hls::stream<Shape>& shape, hls::stream<InputToken<C>>& tiles,
                    hls::stream<KernelPair<C>>& kernels, hls::stream<SumToken<C>>& sums) {
  const int T = C::T;
  const int LAST_COL = C::COLS - 1;
  typedef ap_uint<index_bits(C::KERNEL_WORDS)> Address;
  typedef ap_uint<index_bits(C::KERNEL_WORDS) + 1> Turn;  // address, and which turn of the ring
  const Shape s = shape.read();
  ap_uint<C::U_BITS * C::ELEMENTS> u[C::COLS][C::KERNEL_WORDS];
  ap_uint<C::V_BITS * C::ELEMENTS> tile[C::COLS];
  Moving<C> moving[C::COLS];
  ap_int<C::SUM_BITS> sum[C::COLS][C::ELEMENTS];
  ap_int<C::SUM_BITS> drain[C::COLS][C::ELEMENTS];  // [T·column + row of the T×T sums]
#pragma HLS ARRAY_PARTITION variable = u complete dim = 1
#pragma HLS ARRAY_PARTITION variable = tile complete
#pragma HLS ARRAY_PARTITION variable = moving complete
#pragma HLS ARRAY_PARTITION variable = sum complete dim = 0
#pragma HLS ARRAY_PARTITION variable = drain complete dim = 0
  Moving<C> idle;
  idle.at = 0;
  idle.first = false;
  idle.last = false;
  idle.free = false;
  idle.marks = Marks();
clear_array:
  for (int j = 0; j < C::COLS; ++j) {
#pragma HLS UNROLL
    tile[j] = 0;
    moving[j] = idle;
    for (int e = 0; e < C::ELEMENTS; ++e) {
#pragma HLS UNROLL
      sum[j][e] = 0;
      drain[j][e] = 0;
    }
  }

  Counter<16> channel;
  Turn at = 0, pass_at = 0;           // kernel of the next tile; of the group's first channel
  Turn written = 0, freed = 0;        // kernels complete; given up by the last column
  ap_uint<2> called = 1, stored = 0;  // groups of kernels that may be taken in; that have been
  Counter<index_bits(C::COLS)> pair;
  ap_uint<index_bits(C::DRAIN + 1)> drain_left = 0;     // cycles until the chain can capture again
  ap_uint<index_bits(C::COLS * C::T + 1)> leaving = 0;  // columns of sums that have yet to leave
  Marks drain_marks = Marks();
  bool fed = false;  // the last tile is in

run_array:
  for (bool done = !s.run; !done;) {
#pragma HLS PIPELINE II = 1
    if (drain_left != 0) drain_left = drain_left - 1;
    done = fed && drain_left == 0;
    const bool last_channel = channel.n == s.last_channel;
    const bool go = !fed && at != written && !(last_channel && drain_left != 0);
    const bool store = called != stored && Turn(written - freed) != C::KERNEL_WORDS;

    ap_uint<C::V_BITS * C::ELEMENTS> entering_tile = 0;
    Moving<C> entering = idle;
    if (go) {
      const InputToken<C> in = tiles.read();
      entering_tile = in.v.bits;
      entering.at = at;
      entering.first = channel.n == 0;
      entering.last = last_channel;
      entering.free = in.marks.pass_end;
      entering.marks = in.marks;
      if (in.call) called = called + 1;
      at = at + 1;
      if (channel.tick(s.last_channel)) {
        drain_left = C::DRAIN;
        fed = in.marks.final;
        if (in.marks.tile_end) {
          if (in.marks.pass_end) pass_at = at;
          at = pass_at;
        }
      }
    }

    // Sums leave, the chain of columns moves up.
    if (leaving != 0) {
      SumToken<C> out;
    take_column:
      for (int r = 0; r < T; ++r) {
#pragma HLS UNROLL
        out.sums.set(r, drain[0][r]);
      }
      out.marks = drain_marks;
      sums.write(out);
      leaving = leaving - 1;
    move_chain:
      for (int j = 0; j < C::COLS; ++j) {
#pragma HLS UNROLL
        for (int k = 0; k < C::ELEMENTS; ++k) {
#pragma HLS UNROLL
          const int from = k + T < C::ELEMENTS ? k + T : k + T - C::ELEMENTS;
          const int column = k + T < C::ELEMENTS || j == LAST_COL ? j : j + 1;
          drain[j][k] = drain[column][from];
        }
      }
    }

    // Multiply and accumulate; from the last column to the first, so that each sees what its
    // neighbour had the cycle before.
  accumulate_columns:
    for (int j = LAST_COL; j >= 0; --j) {
#pragma HLS UNROLL
      const Moving<C> edge = j > 0 ? moving[j > 0 ? j - 1 : 0] : entering;
      moving[j] = edge;
      typename C::InputTile v;
      v.bits = j > 0 ? tile[j > 0 ? j - 1 : 0] : entering_tile;
      tile[j] = v.bits;
      typename C::KernelTile kernel;
      kernel.bits = u[j][edge.at];
    accumulate_elements:
      for (int e = 0; e < C::ELEMENTS; ++e) {
#pragma HLS UNROLL
        const ap_int<C::U_BITS + C::V_BITS> product = kernel.get(e) * v.get(e);
        const ap_int<C::SUM_BITS> zero = 0;
        sum[j][e] = (edge.first ? zero : sum[j][e]) + product;
      }
    capture_sums:
      for (int e = 0; e < C::ELEMENTS; ++e) {
#pragma HLS UNROLL
        if (edge.last) drain[j][T * (e % T) + e / T] = sum[j][e];
      }
    }
    if (moving[LAST_COL].last) {
      leaving = C::COLS * T;
      drain_marks = moving[LAST_COL].marks;
    }

    // Kernels come in.
    if (store) {
      const KernelPair<C> in = kernels.read();
      const Address to = written;
    store_kernels:
      for (int j = 0; j < C::COLS; ++j) {
#pragma HLS UNROLL
        if (pair.n == j / 2) u[j][to] = j % 2 ? in.odd.bits : in.even.bits;
      }
      if (pair.tick(C::COLS / 2 - 1)) {
        written = written + 1;
        if (in.group_end) stored = stored + 1;
      }
    }
    if (moving[LAST_COL].free) freed = freed + 1;
  }
}

}  // namespace winograd
}  // namespace convloom

#endif  // CONVLOOM_CONV_WINOGRAD_COMPUTE_H_
