// SPDX-License-Identifier: Apache-2.0
// Arrays of a class with a constructor: as a memory, as registers, in the pipeline; an index of 0
// or 1.
#include "ap_int.h"
#include "hls_stream.h"

struct Item {
  ap_uint<5> at;
  bool first;
  ap_uint<2> kind;

  Item() : at(3), first(true), kind(1) {}
};

void top(hls::stream<ap_uint<16>>& in, hls::stream<ap_uint<16>>& out) {
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
  Item items[2][70];
  Item line[3];
#pragma HLS ARRAY_PARTITION variable = line complete
  for (int i = 0; i < 100; ++i) {
#pragma HLS PIPELINE II = 1
    const ap_uint<16> x = in.read();
    const ap_uint<7> slot = (x >> 1) % 70;
    const Item e = items[x[0]][slot];
    Item fresh[2];
    for (int j = 2; j > 0; --j) line[j] = line[j - 1];
    line[0] = e;
    if (x[15]) {
      line[0].at = x;
      line[0].kind = fresh[x[1]].kind + 1;
      items[x[0]][slot] = line[0];
    }
    out.write((ap_uint<16>(line[2].at) << 8) | (ap_uint<16>(line[0].at) << 3) |
              (ap_uint<16>(line[1].first) << 2) | line[0].kind);
  }
}
