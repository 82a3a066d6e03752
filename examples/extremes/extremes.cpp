// SPDX-License-Identifier: Apache-2.0
#include <ap_int.h>
#include <hls_stream.h>

typedef ap_int<16> Sample;

/// Least and largest sample so far, on wires that say when they change (ap_vld).
///
/// \param in      samples
/// \param least   written at the end if there was a sample
/// \param largest likewise
/// \param n       samples of this call
/// \return        the place of the first largest sample, 0 if there was none
extern "C" ap_uint<10> extremes(hls::stream<Sample>& in, Sample* least, Sample* largest,
                                ap_uint<10> n) {
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE ap_vld port = least
#pragma HLS INTERFACE ap_vld port = largest
#pragma HLS INTERFACE ap_none port = n
  Sample low = 32767, high = -32768;
  ap_uint<10> place = 0;
follow:
  for (ap_uint<10> i = 0; i < n; ++i) {
#pragma HLS PIPELINE II = 1
    const Sample x = in.read();
    if (x < low) low = x;
    if (x > high) {
      high = x;
      place = i;
    }
  }
  if (n > 0) {
    *least = low;
    *largest = high;
  }
  return place;
}
