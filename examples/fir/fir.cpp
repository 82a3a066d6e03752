// SPDX-License-Identifier: Apache-2.0
#include <ap_int.h>
#include <hls_stream.h>

constexpr int TAPS = 16;
typedef ap_int<16> Sample;
typedef ap_int<12> Coefficient;
typedef ap_int<32> Sum;  // 16 + 12 bits of a product, clog2(TAPS) = 4 of the sum

/// A low-pass FIR filter of TAPS symmetric taps: y[n] = (sum of c[k] * x[n - k]) / 2^11, rounded
/// down.
///
/// \param x samples; what lies before the first one is zero
/// \param y one result per sample
/// \param n samples of this call
extern "C" void fir(hls::stream<Sample>& x, hls::stream<Sample>& y, ap_uint<10> n) {
#pragma HLS INTERFACE axis port = x
#pragma HLS INTERFACE axis port = y
#pragma HLS INTERFACE s_axilite port = n bundle = control
#pragma HLS INTERFACE s_axilite port = return bundle = control
  const Coefficient c[TAPS] = {-8,  -20, -24, 12,  104, 236, 358, 430,
                               430, 358, 236, 104, 12,  -24, -20, -8};
  Sample delay[TAPS] = {};  // a shift register: the newest sample first
#pragma HLS ARRAY_PARTITION variable = delay complete
filter:
  for (ap_uint<10> i = 0; i < n; ++i) {
#pragma HLS PIPELINE II = 1
    Sum sum = 0;
    for (int k = TAPS - 1; k >= 0; --k) {
      delay[k] = k ? delay[k - 1] : x.read();
      sum += c[k] * delay[k];
    }
    y.write(sum >> 11);
  }
}
