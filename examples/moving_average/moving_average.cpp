// SPDX-License-Identifier: Apache-2.0
// Moving average of eight samples over an AXI4-Stream frame; docs/hlsc.md walks through it.
#include <ap_axi_sdata.h>
#include <ap_int.h>
#include <hls_stream.h>

constexpr int TAPS = 8;
typedef ap_axiu<32, 1, 1, 1> Word;
typedef ap_int<16> Sample;

/// One word out per word in: (bias + the last TAPS samples) / TAPS, rounded down.
///
/// \param in    16-bit signed samples in the low half of each word; TLAST ends the frame and the
/// run
/// \param out   the averages, sign-extended, with the side channels of the word that completed them
/// \param bias  added before the division: TAPS / 2 rounds to nearest
/// \param count words of this frame
extern "C" void moving_average(hls::stream<Word>& in, hls::stream<Word>& out, ap_int<8> bias,
                               ap_uint<20>* count) {
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
#pragma HLS INTERFACE s_axilite port = bias bundle = control
#pragma HLS INTERFACE s_axilite port = count bundle = control
#pragma HLS INTERFACE s_axilite port = return bundle = control
  Sample window[TAPS] = {};
#pragma HLS ARRAY_PARTITION variable = window complete
  ap_uint<20> n = 0;
average:
  for (bool last = false; !last;) {
#pragma HLS PIPELINE II = 1
    Word word = in.read();
    ap_int<20> sum = bias;  // -8 * 2^15 - 2^7 needs 20 bits
    for (int i = TAPS - 1; i > 0; --i) {
      window[i] = window[i - 1];
      sum += window[i];
    }
    window[0] = word.data.range(15, 0);
    sum += window[0];
    last = word.last;
    word.data = ap_int<32>(sum >> 3);
    out.write(word);
    n++;
  }
  *count = n;
}
