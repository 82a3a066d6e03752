// SPDX-License-Identifier: Apache-2.0
// The stream that carries parameters and weights, taken apart.
#ifndef CONVLOOM_COMMON_WEIGHTS_H_
#define CONVLOOM_COMMON_WEIGHTS_H_

#include "axis.h"
#include "counters.h"

namespace convloom {

/// Filters come in groups, the last of which may be smaller; `last_x` is the highest index of x.
struct WeightShape {
  bool run;
  Bound<16> last_param;     // of a group, one beat each
  ap_uint<16> last_part;    // of a group's weights
  Bound<16> last_word;      // of a part
  ap_uint<16> last_repeat;  // times that a group comes before the next
  ap_uint<16> last_group;
  ap_uint<16> last_round;  // times that all groups come
};

/// For each round, group and repeat the parameters, then the weights, part by part, in words of
/// BEATS beats, the first in the lowest bits.  A transfer is any number of whole repeats: TLAST may
/// end each and must end the last of all.  II = 1, a beat per cycle.
template <int BEATS>
void split_weights(hls::stream<axis64>& in1, hls::stream<WeightShape>& shape,
                   hls::stream<ap_uint<64>>& params, hls::stream<ap_uint<64 * BEATS>>& words,
                   hls::stream<bool>& tlast_ok) {
  const WeightShape s = shape.read();
  Counter<16> param, word, part, repeat, group, round;
  Counter<index_bits(BEATS)> beat;
  ap_uint<64 * BEATS> assembled = 0;
  bool load_params = true;
  bool ok = true;

stream_weights:
  for (bool done = !s.run; !done;) {
#pragma HLS PIPELINE II = 1
    const bool last_group = group.n == s.last_group;
    const axis64 in = in1.read();
    bool end_of_repeat = false;
    if (load_params) {
      params.write(in.data);
      load_params = !param.tick(s.last_param.of(last_group));
    } else {
      assembled = append_beat<BEATS>(assembled, in.data);
      if (beat.tick(BEATS - 1)) {
        words.write(assembled);
        if (word.tick(s.last_word.of(last_group)) && part.tick(s.last_part)) {
          load_params = true;
          end_of_repeat = true;
          if (repeat.tick(s.last_repeat) && group.tick(s.last_group)) {
            done = round.tick(s.last_round);
          }
        }
      }
    }
    if (in.last ? !end_of_repeat : done) ok = false;
  }
  tlast_ok.write(ok);
}

}  // namespace convloom

#endif  // CONVLOOM_COMMON_WEIGHTS_H_
