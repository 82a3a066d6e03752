// SPDX-License-Identifier: Apache-2.0
// What becomes memset, memcpy and selected addresses: whole arrays and structures, filled and
// copied.
#include <ap_int.h>
#include <hls_stream.h>

struct Cell {
  ap_uint<100> wide;
  bool set;
  short id;
};

extern "C" void top(hls::stream<int>& in, hls::stream<ap_int<40>>& out, ap_uint<4> pick) {
  static const int kStart[24] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8,
                                 9, 7, 9, 3, 2, 3, 8, 4, 6, 2, 6};
  int work[24];
  Cell cells[16], spare[4][2] = {};
  ap_int<24> odd[3] = {1, 2};
  for (int i = 0; i < 24; ++i) work[i] = kStart[i];
  for (int i = 0; i < 16; ++i) {
    Cell fresh = {};
    fresh.id = i;
    cells[i] = fresh;
  }
  int copy[24];
  __builtin_memcpy(copy, work, sizeof(work));
mix:
  for (int i = 0; i < 24; ++i) {
    const int x = in.read();
    const Cell& chosen = x & 1 ? cells[x >> 1 & 15] : cells[pick];
    Cell next = (x & 2) ? chosen : spare[x >> 3 & 3][x & 1];
    if (x & 4) spare[x >> 3 & 3][1] = next;
    next.wide = (next.wide << 7) ^ ap_uint<100>(x);
    next.set = !next.set;
    cells[x >> 8 & 15] = next;
    copy[i] += next.set ? int(next.wide.range(60, 40)) : next.id;
    odd[i % 3] += x;
    out.write(ap_int<40>(next.wide.range(99, 60)));
    out.write(odd[(i + 1) % 3]);
    out.write(copy[i]);
  }
}
