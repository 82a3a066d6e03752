// SPDX-License-Identifier: Apache-2.0
// A DATAFLOW loop whose arrays between processes are of every kind: two block RAMs, one, LUTs,
// registers.
#include <ap_int.h>
#include <hls_stream.h>

typedef hls::stream<int> Stream;
typedef ap_int<20> Wide;

static void load(Stream& in, Wide a[16], Wide b[4], unsigned char c[16], int t) {
load:
  for (int i = 0; i < 16; ++i) {
#pragma HLS PIPELINE II = 1
    const int x = in.read();
    a[i] = x + t;
    if (i < 4) b[i] = x;
    c[15 - i] = x;
  }
}

// The slowest: 24 cycles per iteration.  Reads a twice per cycle, all of b at once.
static void blend(Wide a[16], Wide b[4], unsigned char c[16], int d[24]) {
blend:
  for (int i = 0; i < 24; ++i) {
#pragma HLS PIPELINE II = 1
    int sum = a[i % 16] - 3 * a[15 - i % 16] + c[i % 16];
    for (int k = 0; k < 4; ++k) sum += k == i % 4 ? int(b[k]) : -int(b[k]);
    d[i] = sum;
  }
}

static void store(int d[24], Stream& out, int t) {
store:
  for (int i = 0; i < 16; ++i) {
#pragma HLS PIPELINE II = 1
    out.write(d[23 - i] ^ t);
  }
}

extern "C" void tiles(Stream& in, Stream& out, ap_uint<4> n) {
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
  for (int t = 0; t < n; ++t) {
#pragma HLS DATAFLOW
    Wide a[16], b[4];
    unsigned char c[16];
    int d[24];
#pragma HLS ARRAY_PARTITION variable = b complete
#pragma HLS BIND_STORAGE variable = d type = ram_2p impl = bram
    load(in, a, b, c, t);
    blend(a, b, c, d);
    store(d, out, t);
  }
}
