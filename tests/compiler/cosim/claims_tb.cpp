// SPDX-License-Identifier: Apache-2.0
// Calls the top with the stride and the mode of the command line, after a call that holds.
#include <ap_int.h>

#include <cstdlib>

typedef ap_uint<12> Item;
extern "C" void claims(Item bins[4][8], ap_uint<24> sums[32], ap_uint<4> stride, ap_uint<2> mode);

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  static Item bins[4][8];
  static ap_uint<24> sums[32];
  claims(bins, sums, 4, 0);
  claims(bins, sums, std::atoi(argv[1]), std::atoi(argv[2]));
  return bins[2][0] != (argv[2][0] == '0' ? 2 : 3);
}
