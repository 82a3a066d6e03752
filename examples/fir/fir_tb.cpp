// SPDX-License-Identifier: Apache-2.0
// An impulse, a step of the largest value, then noise; the filter starts empty on every call.
#include <ap_int.h>
#include <hls_stream.h>

#include <cstdio>
#include <vector>

extern "C" void fir(hls::stream<ap_int<16>>& x, hls::stream<ap_int<16>>& y, ap_uint<10> n);

static int failures(const std::vector<int>& samples) {
  static const int c[8] = {-8, -20, -24, 12, 104, 236, 358, 430};
  hls::stream<ap_int<16>> x, y;
  for (int v : samples) x.write(v);
  fir(x, y, samples.size());
  int wrong = 0;
  for (int n = 0; n < int(samples.size()); ++n) {
    long sum = 0;
    for (int k = 0; k < 16 && k <= n; ++k) sum += c[k < 8 ? k : 15 - k] * long(samples[n - k]);
    wrong += short(sum >> 11) != int(y.read());
  }
  return wrong;
}

int main() {
  std::vector<int> impulse(20, 0), noise;
  impulse[0] = 2048;
  unsigned state = 1;
  for (int i = 0; i < 60; ++i)
    noise.push_back(int((state = state * 1664525u + 1013904223u) >> 16) - 32768);
  const int wrong = failures(impulse) + failures(std::vector<int>(20, -32768)) + failures(noise) +
                    failures(std::vector<int>(1, 32767)) + failures(std::vector<int>());
  std::printf("%d wrong\n", wrong);
  return wrong != 0;
}
