// SPDX-License-Identifier: Apache-2.0
// FIR filter on an AXI4-Stream frame: template taps, shift register, exit on TLAST.
#include <ap_axi_sdata.h>
#include <ap_int.h>
#include <hls_stream.h>

typedef ap_axiu<32, 1, 1, 1> Word;

template <int TAPS>
void filter(hls::stream<Word>& in, hls::stream<Word>& out, ap_int<7> gain, ap_uint<20>* count) {
  static const ap_int<9> coefficients[8] = {-3, 17, -64, 255, 255, -64, 17, -256};
  ap_int<12> window[TAPS];
#pragma HLS ARRAY_PARTITION variable = window complete
clear:
  for (int i = 0; i < TAPS; ++i) {
#pragma HLS UNROLL
    window[i] = 0;
  }
  ap_uint<20> n = 0;
samples:
  for (bool last = false; !last;) {
#pragma HLS PIPELINE II = 1
    Word w = in.read();
    ap_int<32> sum = 0;
  taps:
    for (int i = TAPS - 1; i >= 0; --i) {
      window[i] = i > 0 ? window[i - 1] : ap_int<12>(w.data.range(11, 0));
      sum += window[i] * coefficients[i];
    }
    last = w.last;
    w.data = sum * gain;
    out.write(w);
    n++;
  }
  *count = n;
}

extern "C" void top(hls::stream<Word>& in, hls::stream<Word>& out, ap_int<7> gain,
                    ap_uint<20>* count) {
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
#pragma HLS INTERFACE s_axilite port = gain
#pragma HLS INTERFACE s_axilite port = count
#pragma HLS INTERFACE s_axilite port = return
  filter<6>(in, out, gain, count);
}
