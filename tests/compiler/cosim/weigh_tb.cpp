// SPDX-License-Identifier: Apache-2.0
// Samples of both signs and frames of several lengths; the C++ itself is the reference.
#include <ap_axi_sdata.h>
#include <ap_int.h>
#include <hls_stream.h>

typedef ap_axiu<32, 1, 1, 1> Word;
extern "C" void weigh(hls::stream<ap_int<10>>& in, hls::stream<Word>& out, ap_uint<8> n);

int main() {
  static const int lengths[] = {200, 1, 9};
  unsigned state = 1;
  for (int n : lengths) {
    hls::stream<ap_int<10>> in;
    hls::stream<Word> out;
    for (int i = 0; i < n; ++i) in.write(int((state = state * 1664525u + 1013904223u) >> 22) - 512);
    weigh(in, out, n);
    for (int i = 0; i < n; ++i) {
      if (out.read().last != (i == n - 1)) return 1;
    }
  }
  return 0;
}
