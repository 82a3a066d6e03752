// SPDX-License-Identifier: Apache-2.0
#include <ap_int.h>
#include <hls_stream.h>

constexpr int TAPS = 8;
typedef ap_int<16> Sample;
typedef ap_int<18> Weight;  // 2^15 is 1
typedef ap_int<37> Sum;     // 16 + 18 bits of a product, clog2(TAPS) = 3 of the sum

/// Cancels an echo: learns, by least mean squares, the TAPS weights with which `far` comes back in
/// `near`, and takes that away.  Sound is slow: shared.tcl has two multipliers do the 17 products
/// of a sample.
///
/// \param far   what goes out to the loudspeaker; silence lies before the first sample
/// \param near  what the microphone hears
/// \param clean `near` less the echo as it is known so far
/// \param rate  how fast to learn, 2^15 is 1; 0 keeps the weights
/// \param n     samples of this call, which begins with weights of 0
extern "C" void echo(hls::stream<Sample>& far, hls::stream<Sample>& near,
                     hls::stream<Sample>& clean, ap_uint<15> rate, ap_uint<12> n) {
#pragma HLS INTERFACE axis port = far
#pragma HLS INTERFACE axis port = near
#pragma HLS INTERFACE axis port = clean
#pragma HLS INTERFACE s_axilite port = rate bundle = control
#pragma HLS INTERFACE s_axilite port = n bundle = control
#pragma HLS INTERFACE s_axilite port = return bundle = control
  Sample x[TAPS] = {};
  Weight w[TAPS] = {};
#pragma HLS ARRAY_PARTITION variable = x complete
#pragma HLS ARRAY_PARTITION variable = w complete
cancel:
  for (ap_uint<12> i = 0; i < n; ++i) {
#pragma HLS PIPELINE
    for (int k = TAPS - 1; k > 0; --k) x[k] = x[k - 1];
    x[0] = far.read();
    Sum heard = 0;
    for (int k = 0; k < TAPS; ++k) heard += w[k] * x[k];
    const Sample left = near.read() - Sample(heard >> 15);
    clean.write(left);
    const Sample step = (left * rate) >> 15;
    for (int k = 0; k < TAPS; ++k) w[k] += Weight((step * x[k]) >> 15);
  }
}
