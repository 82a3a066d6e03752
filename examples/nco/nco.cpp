// SPDX-License-Identifier: Apache-2.0
#include <ap_int.h>
#include <hls_stream.h>

typedef ap_uint<24> Phase;  // 2^24 is a turn
typedef ap_int<10> Sample;

/// A quarter of a sine: QUARTER[i] = round(511 * sin((i + 0.5) * pi / 128)).
const ap_uint<9> QUARTER[64] = {
    6,   19,  31,  44,  56,  69,  81,  94,  106, 118, 130, 142, 154, 166, 178, 190,
    201, 213, 224, 235, 246, 257, 268, 279, 289, 299, 309, 319, 329, 338, 348, 357,
    366, 374, 383, 391, 399, 407, 414, 421, 428, 435, 441, 448, 454, 459, 465, 470,
    474, 479, 483, 487, 491, 494, 497, 500, 502, 505, 506, 508, 509, 510, 511, 511,
};

/// A numerically controlled oscillator: one sample of a sine per cycle, from a quarter-wave ROM.
///
/// \param out   samples, amplitude 511
/// \param start phase of the first sample
/// \param step  phase per sample: frequency * 2^24 / sample rate
/// \param n     samples of this call
/// \return      the phase behind the last sample, where the next call goes on
extern "C" Phase nco(hls::stream<Sample>& out, Phase start, Phase step, ap_uint<12> n) {
#pragma HLS INTERFACE axis port = out
#pragma HLS INTERFACE s_axilite port = start bundle = control
#pragma HLS INTERFACE s_axilite port = step bundle = control
#pragma HLS INTERFACE s_axilite port = n bundle = control
#pragma HLS INTERFACE s_axilite port = return bundle = control
  Phase phase = start;
oscillate:
  for (ap_uint<12> i = 0; i < n; ++i) {
#pragma HLS PIPELINE II = 1
    const ap_uint<2> quadrant = phase >> 22;
    ap_uint<6> index = phase >> 16;
    if (quadrant[0]) index = ~index;  // the second and fourth quarter run backwards
    const Sample magnitude = QUARTER[index];
    out.write(quadrant[1] ? Sample(-magnitude) : magnitude);
    phase += step;
  }
  return phase;
}
