// SPDX-License-Identifier: Apache-2.0
// Rising, falling, one sample, none (nothing may be written), noise.
#include <ap_int.h>
#include <hls_stream.h>

#include <cstdio>

typedef ap_int<16> Sample;
extern "C" ap_uint<10> extremes(hls::stream<Sample>& in, Sample* least, Sample* largest,
                                ap_uint<10> n);

int main() {
  unsigned state = 19;
  int wrong = 0;
  for (int call = 0; call < 5; ++call) {
    static const int counts[] = {20, 20, 1, 0, 100};
    hls::stream<Sample> in;
    int low = 0, high = 0, place = 0;
    for (int i = 0; i < counts[call]; ++i) {
      int x = short((state = state * 1664525u + 1013904223u) >> 16);
      if (call == 0) x = -32768 + i;
      if (call == 1) x = 32767 - i;
      in.write(x);
      if (i == 0 || x < low) low = x;
      if (i == 0 || x > high) high = x, place = i;
    }
    Sample least = 0, largest = 0;
    wrong += int(extremes(in, &least, &largest, counts[call])) != place;
    wrong += int(least) != low || int(largest) != high;
  }
  std::printf("%d wrong\n", wrong);
  return wrong != 0;
}
