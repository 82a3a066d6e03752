// SPDX-License-Identifier: Apache-2.0
// The two inputs up to the array: tiles of the map transformed, raw weights to transformed kernels.
#ifndef CONVLOOM_CONV_WINOGRAD_READ_H_
#define CONVLOOM_CONV_WINOGRAD_READ_H_

#include "config.h"
#include "corner_turn.h"
#include "separable.h"

namespace convloom {
namespace winograd {

/// V = BᵀdB of each tile and channel.
///
/// Collects the T columns of 8 channels while it transforms the 8 channels before, one per cycle.
/// II = 1.
template <class C>
void transform_tiles(hls::stream<Shape>& shape, hls::stream<typename C::PixelToken>& columns,
                     hls::stream<typename C::TileToken>& tiles) {
  const int T = C::T;
  const Shape s = shape.read();
  ap_uint<64 * T> collected[C::T], window[C::T];  // [column]: T pixels of 8 channels
#pragma HLS ARRAY_PARTITION variable = collected complete
#pragma HLS ARRAY_PARTITION variable = window complete
  CornerTurn<C::T, 8, 8, TileMarks> turn;
  Counter<8> word;  // 8 channels
  bool last_word = false;

transform_tiles:
  for (bool done = !s.run; !done;) {
#pragma HLS PIPELINE II = 1
    if (turn.filling() && !columns.empty()) {
      const typename C::PixelToken in = columns.read();
      turn.fill(collected, in.data, in.marks);
    }
    if (turn.leaving()) {
      Wide d[C::T][C::T];
#pragma HLS ARRAY_PARTITION variable = d complete dim = 0
    take_channel:
      for (int e = 0; e < C::ELEMENTS; ++e) {
        d[e / T][e % T] = int8_of(window[e % T], 8 * (e / T));
      }
      typename C::TileToken out;
      out.data = transform_square<typename C::Transform, C::Transform::V_BITS, C::T>(d);
      out.marks = turn.leaving_tag;
      tiles.write(out);
      done = turn.step(window) && last_word && turn.leaving_tag.final;
    }
    if (turn.due()) {
      last_word = word.tick(s.last_channel >> 3);
      turn.exchange(collected, window, last_word ? int(s.last_channel & 7) + 1 : 8);
    }
  }
}

/// U = GgGᵀ of raw kernels, two filters per cycle.  A word holds eight, of tap t in bits 64t …
/// 64t + 63, but for the last of a group, which may hold fewer.  II = 1.
template <class C>
void transform_kernels(hls::stream<Shape>& shape, hls::stream<ap_uint<576>>& raw,
                       hls::stream<typename C::KernelPair>& kernels) {
  const Shape s = shape.read();
  Counter<16> kernel_pair, group, round;
  Counter<2> pair_of_word;
  ap_uint<576> eight = 0;

transform_kernels:
  for (bool done = !s.run; !done;) {
#pragma HLS PIPELINE II = 1
    if (pair_of_word.n == 0) eight = raw.read();
    typename C::KernelPair out;
  transform_pair:
    for (int k = 0; k < 2; ++k) {
      Wide g[3][3];
#pragma HLS ARRAY_PARTITION variable = g complete dim = 0
      for (int t = 0; t < 9; ++t) {
        g[t / 3][t % 3] = int8_of(eight, 8 * t + k);
      }
      out.of[k] = transform_square<typename C::Transform, C::Transform::U_BITS, C::T>(g);
    }
    kernels.write(out);
    eight = eight >> 16;  // the lowest bytes of each tap
    pair_of_word.tick(3);
    const bool last_group = group.n == s.weights.last_group;
    if (kernel_pair.tick(s.last_kernel_pair.of(last_group))) {
      pair_of_word.n = 0;
      if (group.tick(s.weights.last_group)) done = round.tick(s.weights.last_round);
    }
  }
}

}  // namespace winograd
}  // namespace convloom

#endif  // CONVLOOM_CONV_WINOGRAD_READ_H_
