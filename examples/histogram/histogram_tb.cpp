// SPDX-License-Identifier: Apache-2.0
// Runs of equal values, values that alternate with period 2, 3 and 4, and noise.
#include <ap_int.h>
#include <hls_stream.h>

#include <cstdio>
#include <vector>

extern "C" void histogram(hls::stream<ap_uint<6>>& in, hls::stream<ap_uint<16>>& out,
                          ap_uint<12> n);

static int failures(const std::vector<int>& values) {
  hls::stream<ap_uint<6>> in;
  hls::stream<ap_uint<16>> out;
  int wanted[64] = {};
  for (int v : values) {
    in.write(v);
    ++wanted[v];
  }
  histogram(in, out, values.size());
  int wrong = 0;
  for (int i = 0; i < 64; ++i) wrong += int(out.read()) != wanted[i];
  return wrong;
}

int main() {
  int wrong = failures(std::vector<int>()) + failures(std::vector<int>(40, 0));
  for (int period = 2; period <= 5; ++period) {
    std::vector<int> values;
    for (int i = 0; i < 40; ++i) values.push_back(63 - i % period * 7);
    wrong += failures(values);
  }
  std::vector<int> noise;
  unsigned state = 7;
  for (int i = 0; i < 300; ++i) {
    state = state * 1664525u + 1013904223u;
    noise.push_back(state >> 26 & (i < 150 ? 3 : 63));
  }
  wrong += failures(noise);
  std::printf("%d bins wrong\n", wrong);
  return wrong != 0;
}
