// SPDX-License-Identifier: Apache-2.0
// The output port and the status register, the last process of every kernel.
#ifndef CONVLOOM_COMMON_RESULTS_H_
#define CONVLOOM_COMMON_RESULTS_H_

#include "axis.h"

namespace convloom {

struct OutBeat {
  ap_uint<64> data;
  bool last;
};

/// Beats until the last of the layer, then the status: the code that the registers' check found (0:
/// none, else no beat moves), or the bits of inputs whose TLAST was misplaced.
/// \tparam IN0_TLAST, IN1_TLAST these bits.
template <int IN0_TLAST, int IN1_TLAST>
void write_results(hls::stream<OutBeat>& beats, hls::stream<ap_uint<8>>& code,
                   hls::stream<bool>& in0_tlast_ok, hls::stream<bool>& in1_tlast_ok,
                   hls::stream<axis64>& out, ap_uint<32>* status) {
  const ap_uint<8> found = code.read();
write_beats:
  for (bool done = found != 0; !done;) {
#pragma HLS PIPELINE II = 1
    const OutBeat beat = beats.read();
    out.write(make_beat(beat.data, beat.last));
    done = beat.last;
  }
  const bool ok0 = in0_tlast_ok.read();
  const bool ok1 = in1_tlast_ok.read();
  *status = found | ap_uint<8>(ok0 ? 0 : IN0_TLAST) | ap_uint<8>(ok1 ? 0 : IN1_TLAST);
}

}  // namespace convloom

#endif  // CONVLOOM_COMMON_RESULTS_H_
