// SPDX-License-Identifier: Apache-2.0
// All words, some, none; what is not asked for must stay.
#include <ap_int.h>

#include <cstdio>

extern "C" void vector_add(const short a[32], const short b[32], int sum[32], ap_uint<6> n);

int main() {
  static const int counts[] = {32, 7, 0, 1};
  unsigned state = 17;
  int wrong = 0;
  for (int n : counts) {
    short a[32], b[32];
    int sum[32];
    for (int i = 0; i < 32; ++i) {
      a[i] = i == 0 ? -32768 : short((state = state * 1664525u + 1013904223u) >> 16);
      b[i] = i == 0 ? -32768 : short((state = state * 1664525u + 1013904223u) >> 16);
      sum[i] = -i;
    }
    vector_add(a, b, sum, n);
    for (int i = 0; i < 32; ++i) wrong += sum[i] != (i < n ? a[i] + b[i] : -i);
  }
  std::printf("%d words wrong\n", wrong);
  return wrong != 0;
}
