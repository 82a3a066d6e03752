// SPDX-License-Identifier: Apache-2.0
// Every operator on every pair of values of every width from 1 to 5 bits, all four mixes of signs.
#include "pairs.h"

template <int W1, bool S1, int W2, bool S2>
void all_values() {
  Pair pair(type_name<W1, S1>() + " " + type_name<W2, S2>());
  for (int i = 0; i < 1 << W1; ++i) {
    for (int j = 0; j < 1 << W2; ++j) {
      const typename number<W1, S1>::type a = ap_uint<W1>(i);
      const typename number<W2, S2>::type b = ap_uint<W2>(j);
      pair.all<W1, S1, W2, S2>(a, b);
    }
  }
}

template <int W1, int W2>
void all_signs() {
  all_values<W1, false, W2, false>();
  all_values<W1, false, W2, true>();
  all_values<W1, true, W2, false>();
  all_values<W1, true, W2, true>();
}

template <int W1>
void all_widths() {
  all_signs<W1, 1>();
  all_signs<W1, 2>();
  all_signs<W1, 3>();
  all_signs<W1, 4>();
}

int main(int argc, char** argv) {
  if (argc > 2) filter() = argv[2];
#if PART == 0
  all_widths<1>();
  all_widths<2>();
  all_widths<3>();
  all_widths<4>();
  all_signs<5, 5>();
#else
  all_widths<5>();
  all_signs<1, 5>();
  all_signs<2, 5>();
  all_signs<3, 5>();
  all_signs<4, 5>();
  all_signs<6, 6>();
#endif
  return report();
}
