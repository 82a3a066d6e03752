// SPDX-License-Identifier: Apache-2.0
// 1, 2, 3, no and 7 iterations of random words.
#include <ap_int.h>
#include <hls_stream.h>

extern "C" void tiles(hls::stream<int>& in, hls::stream<int>& out, ap_uint<4> n);

int main() {
  unsigned state = 11;
  static const int calls[] = {1, 2, 3, 0, 7};
  for (int n : calls) {
    hls::stream<int> in, out;
    for (int i = 0; i < 16 * n; ++i) {
      state = state * 1664525u + 1013904223u;
      in.write(int(state >> 14) - 131072);
    }
    tiles(in, out, n);
    for (int i = 0; i < 16 * n; ++i) out.read();
    if (!out.empty()) return 1;
  }
  return 0;
}
