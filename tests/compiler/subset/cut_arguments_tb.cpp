// SPDX-License-Identifier: Apache-2.0
// Two calls of cut_arguments on the same arrays; the C++ itself is the reference.
#include <ap_int.h>
#include <hls_stream.h>

typedef hls::stream<int> S;
extern "C" void cut_arguments(const ap_int<12> a[4][6], ap_int<7> bins[10], const short weights[3],
                              int sums[2], const ap_uint<5> rows[4][8], ap_int<9> square[4][4],
                              const signed char bytes[10], ap_uint<17> pairs[2][6], S& in, S& out,
                              bool both);

int main() {
  ap_int<12> a[4][6];
  ap_int<7> bins[10];
  short weights[3] = {3, -5, 7};
  int sums[2] = {11, 12};
  ap_uint<5> rows[4][8];
  ap_int<9> square[4][4];
  signed char bytes[10];
  ap_uint<17> pairs[2][6];
  for (int i = 0; i < 32; ++i) {
    a[i % 4][i % 6] = a[i % 4][(i + 2) % 6] = a[i % 4][(i + 4) % 6] = 97 * i;
    bins[i % 10] = i;
    rows[i / 8][i % 8] = 5 * i;
    square[i / 4 % 4][i % 4] = 31 * i;
    bytes[i % 10] = -7 * i;
    pairs[i % 2][i % 6] = pairs[i % 2][(i + 2) % 6] = 4001 * i;
  }
  for (int call = 0; call < 2; ++call) {
    S in, out;
    for (int i = 0; i < 12; ++i) in.write(i * 77 + call);
    cut_arguments(a, bins, weights, sums, rows, square, bytes, pairs, in, out, call);
    if (out.size() != 7) return 1;
    while (!out.empty()) out.read();
  }
  return sums[1] == 12;
}
