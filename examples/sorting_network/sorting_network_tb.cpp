// SPDX-License-Identifier: Apache-2.0
// Every pattern of two values (which proves a sorting network), then noise.
#include <ap_int.h>
#include <hls_stream.h>

#include <algorithm>
#include <cstdio>

extern "C" void sorting_network(hls::stream<ap_uint<64>>& in, hls::stream<ap_uint<64>>& out,
                                ap_uint<8> sets);

int main() {
  unsigned state = 11;
  int wrong = 0;
  for (int call = 0; call < 3; ++call) {
    hls::stream<ap_uint<64>> in, out;
    const int sets = call == 2 ? 40 : 128;
    static signed char keys[128][8];
    for (int s = 0; s < sets; ++s) {
      unsigned long long word = 0;
      for (int i = 0; i < 8; ++i) {
        keys[s][i] = (call * 128 + s) >> i & 1 ? 127 : -128;
        if (call == 2) keys[s][i] = (state = state * 1664525u + 1013904223u) >> 24;
        word |= (unsigned long long)(unsigned char)(keys[s][i]) << 8 * i;
      }
      in.write(word);
    }
    sorting_network(in, out, sets);
    for (int s = 0; s < sets; ++s) {
      std::sort(keys[s], keys[s] + 8);
      const ap_uint<64> word = out.read();
      for (int i = 0; i < 8; ++i) {
        wrong += ap_int<8>(word.range(8 * i + 7, 8 * i)) != ap_int<8>(keys[s][i]);
      }
    }
  }
  std::printf("%d keys wrong\n", wrong);
  return wrong != 0;
}
