// SPDX-License-Identifier: Apache-2.0
// The systolic array with its kernels.
#ifndef CONVLOOM_CONV_WINOGRAD_COMPUTE_H_
#define CONVLOOM_CONV_WINOGRAD_COMPUTE_H_

#include "arrays.h"
#include "config.h"

namespace convloom {
namespace winograd {

/// The tile of one channel and what moves with it from column to column.
template <class C>
struct Moving {
  typename C::InputTile v;
  ap_uint<index_bits(C::KERNEL_WORDS)> at;  // address of the kernel
  bool first;                               // channel of the block: accumulators start again
  bool last;                                // channel of the block: accumulators drain
  bool free;                                // the kernel is not needed again
};

/// COLS columns of T² multiply-accumulators; column j holds the kernels of filter j of each block
/// and works j cycles behind column 0, on the tile that column j − 1 had before.
///
/// Kernels lie in a ring of addresses, written two filters per cycle as they come, each address
/// after its last reader; a tile waits for the kernels it needs.  A block's sums are captured
/// column by column and then leave column 0 by T elements a cycle, columns of the T×T sums from
/// left to right, while the next block accumulates; that one's last channel waits until they are
/// gone.  II = 1.
template <class C>
void winograd_array(hls::stream<Shape>& shape, hls::stream<typename C::TileToken>& tiles,
                    hls::stream<typename C::KernelPair>& kernels,
                    hls::stream<typename C::SumToken>& sums) {
  const int T = C::T;
  const int LAST_COL = C::COLS - 1;
  typedef ap_uint<index_bits(C::KERNEL_WORDS)> Address;
  typedef ap_uint<index_bits(C::KERNEL_WORDS) + 1> Turn;  // address, and which turn of the ring
  typedef ap_int<C::SUM_BITS> Sum;
  const Shape s = shape.read();
  typename C::KernelTile u[C::COLS][C::KERNEL_WORDS];
  Moving<C> idle = Moving<C>();
  idle.v.bits = 0;
  idle.at = 0;
  Moving<C> moving[C::COLS];
  Sum sum[C::COLS][C::ELEMENTS];
  Sum chain[C::COLS * C::ELEMENTS];  // for each column of the array its T×T sums, column by column
#pragma HLS ARRAY_PARTITION variable = u complete dim = 1
#pragma HLS ARRAY_PARTITION variable = moving complete
#pragma HLS ARRAY_PARTITION variable = sum complete dim = 0
#pragma HLS ARRAY_PARTITION variable = chain complete
  fill(moving, idle);
  fill(sum, Sum(0));

  Counter<16> channel;
  Turn at = 0, pass_at = 0;     // kernel of the next tile; of the group's first channel
  Turn written = 0, freed = 0;  // kernels complete; given up by the last column
  Counter<index_bits(C::COLS)> pair;
  // Cycles until the chain is empty; in the last COLS · T of them it leaves.
  ap_uint<index_bits(C::DRAIN + 1)> drain_left = 0;
  TileMarks chain_marks = TileMarks();  // of the last block whose sums are in it, or soon will be

run_array:
  for (bool done = !s.run; !done;) {
#pragma HLS PIPELINE II = 1
    // Sums leave, the chain of columns moves up.
    if (drain_left != 0 && drain_left <= C::COLS * T) {
      typename C::SumToken out;
    take_column:
      for (int r = 0; r < T; ++r) {
        out.data.set(r, chain[r]);
      }
      out.marks = chain_marks;
      sums.write(out);
    move_chain:
      for (int k = 0; k + T < C::COLS * C::ELEMENTS; ++k) {
        chain[k] = chain[k + T];
      }
    }
    done = chain_marks.final && drain_left <= 1;

    const bool last_channel = channel.n == s.last_channel;
    const bool go = !chain_marks.final && at != written && !(last_channel && drain_left > 1);
    const bool store = Turn(written - freed) != C::KERNEL_WORDS && !kernels.empty();
    if (drain_left != 0) drain_left = drain_left - 1;
    Moving<C> entering = idle;
    if (go) {
      const typename C::TileToken in = tiles.read();
      entering.v = in.data;
      entering.at = at;
      entering.first = channel.n == 0;
      entering.last = last_channel;
      entering.free = in.marks.pass_end;
      at = at + 1;
      if (channel.tick(s.last_channel)) {
        drain_left = C::DRAIN;
        chain_marks = in.marks;
        if (in.marks.tile_end) {
          if (in.marks.pass_end) pass_at = at;
          at = pass_at;
        }
      }
    }

    // Multiply and accumulate; from the last column to the first, so that each sees what its
    // neighbour had the cycle before.
  accumulate_columns:
    for (int j = LAST_COL; j >= 0; --j) {
      const Moving<C> edge = j > 0 ? moving[j > 0 ? j - 1 : 0] : entering;
      moving[j] = edge;
      const typename C::KernelTile kernel = u[j][edge.at];
    accumulate_elements:
      for (int e = 0; e < C::ELEMENTS; ++e) {
        const Sum product = kernel.get(e) * edge.v.get(e);
        sum[j][e] = (edge.first ? Sum(0) : sum[j][e]) + product;
        if (edge.last) chain[C::ELEMENTS * j + T * (e % T) + e / T] = sum[j][e];
      }
    }

    // Kernels come in.
    if (store) {
      const typename C::KernelPair in = kernels.read();
      const Address to = written;
    store_kernels:
      for (int j = 0; j < C::COLS; ++j) {
        if (pair.n == j / 2) u[j][to] = in.of[j % 2];
      }
      if (pair.tick(C::COLS / 2 - 1)) written = written + 1;
    }
    if (moving[LAST_COL].free) freed = freed + 1;
  }
}

}  // namespace winograd
}  // namespace convloom

#endif  // CONVLOOM_CONV_WINOGRAD_COMPUTE_H_
