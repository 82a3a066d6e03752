// SPDX-License-Identifier: Apache-2.0
// Every operator on random values (and extremes) of widths up to 512 bits; argument 1 is the seed.
#include "pairs.h"

static Random source;

template <int W1, bool S1, int W2, bool S2>
void some_values() {
  Pair pair(type_name<W1, S1>() + " " + type_name<W2, S2>());
  for (int i = 0; i < 200; ++i) {
    const typename number<W1, S1>::type a = source.value<W1>();
    typename number<W2, S2>::type b = source.value<W2>();
    // Half of the wide counts and divisors are small, or shifts and quotients would all be 0.
    if (W2 > 8 && i % 2) b = b >> (W2 - 7);
    pair.all<W1, S1, W2, S2>(a, b);
  }
}

template <int W1, int W2>
void all_signs() {
  some_values<W1, false, W2, false>();
  some_values<W1, false, W2, true>();
  some_values<W1, true, W2, false>();
  some_values<W1, true, W2, true>();
}

int main(int argc, char** argv) {
  source.state = argc > 1 ? std::strtoull(argv[1], nullptr, 0) : 1;
  if (argc > 2) filter() = argv[2];
#if PART == 0
  all_signs<31, 33>();
  all_signs<100, 64>();
  all_signs<512, 300>();
#else
  all_signs<8, 13>();
  all_signs<12, 129>();
  all_signs<64, 64>();
  all_signs<128, 65>();
  all_signs<300, 100>();
  all_signs<512, 512>();
#endif
  return report();
}
