// SPDX-License-Identifier: Apache-2.0
// Every entry in each quadrant, then two calls that continue one wave.
#include <ap_int.h>
#include <hls_stream.h>

#include <cmath>
#include <cstdio>

typedef ap_uint<24> Phase;
extern "C" Phase nco(hls::stream<ap_int<10>>& out, Phase start, Phase step, ap_uint<12> n);

static int failures(Phase& phase, unsigned step, int n) {
  unsigned at = phase;
  hls::stream<ap_int<10>> out;
  phase = nco(out, phase, step, n);
  int wrong = 0;
  for (int i = 0; i < n; ++i) {
    const double turn = ((at >> 16) + 0.5) / 256;
    wrong += int(out.read()) != int(std::lround(511 * std::sin(turn * 2 * M_PI)));
    at = (at + step) & 0xFFFFFF;
  }
  return wrong + (unsigned(phase) != at);
}

int main() {
  Phase phase = 0;
  int wrong = failures(phase, 1 << 16, 256);
  wrong += failures(phase, 1234567, 50) + failures(phase, 1234567, 50) + failures(phase, 1, 0);
  std::printf("%d samples wrong\n", wrong);
  return wrong != 0;
}
