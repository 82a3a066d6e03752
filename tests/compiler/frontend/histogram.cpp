// SPDX-License-Identifier: Apache-2.0
// Histogram with initialised memory, a returned value, and a pair of equal neighbours held back.
#include <ap_int.h>
#include <hls_stream.h>

extern "C" int top(hls::stream<ap_uint<6>>& in, hls::stream<unsigned short>& out, unsigned n) {
  unsigned short bins[64] = {0};
#pragma HLS BIND_STORAGE variable = bins type = ram_2p impl = lutram
  ap_uint<6> before = 0;
  unsigned short run = 0;
  int longest = 0;
count:
  for (unsigned i = 0; i < n; ++i) {
#pragma HLS PIPELINE II = 1
#pragma HLS DEPENDENCE variable = bins inter false
#pragma HLS LOOP_TRIPCOUNT min = 1 max = 1 << 10 avg = 100
    const ap_uint<6> x = in.read();
    if (i > 0 && x == before) {
      run++;
    } else {
      bins[before] += run;
      run = 1;
    }
    before = x;
    if (run > longest) longest = run;
  }
  bins[before] += run;
write:
  for (int i = 0; i < 64; ++i) out.write(bins[i]);
  return longest;
}
