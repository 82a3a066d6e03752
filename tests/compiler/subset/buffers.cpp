// SPDX-License-Identifier: Apache-2.0
// Arrays between the processes of a DATAFLOW region: filled in any order, updated in place, read
// twice per cycle; one of them beside a stream, two in a row.
#include <ap_int.h>
#include <hls_stream.h>

typedef hls::stream<int> Stream;
typedef ap_int<20> Wide;

static void fill(Stream& in, Stream& side, Wide block[4][8], unsigned char used[16]) {
clear:
  for (int i = 0; i < 16; ++i) {
#pragma HLS PIPELINE II = 1
    used[i] = 0;
  }
load:
  for (int i = 0; i < 32; ++i) {
#pragma HLS PIPELINE
    const int x = in.read();
    block[i % 4][i / 4] = x;
    used[x & 15]++;
  }
  side.write(block[3][7]);
}

static void transform(Wide block[4][8], unsigned char used[16], Stream& side, int sums[8],
                      Stream& out) {
  int most = side.read();
rows:
  for (int c = 0; c < 8; ++c) {
    int sum = 0;
    for (int r = 0; r < 4; ++r) {
#pragma HLS PIPELINE II = 1
      sum += block[r][c] - block[3 - r][7 - c] * 3;
    }
    sums[c] = sum + most;
  }
count:
  for (int i = 0; i < 16; ++i) {
#pragma HLS PIPELINE II = 1
    out.write(used[i]);
  }
}

static void reverse(int sums[8], Stream& out, ap_uint<4> n) {
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II = 1
    out.write(sums[7 - i]);
  }
}

extern "C" void buffers(Stream& in, Stream& counts, Stream& out, ap_uint<4> n) {
#pragma HLS DATAFLOW
  Wide block[4][8];
  unsigned char used[16];
  int sums[8];
  Stream side("side");
  fill(in, side, block, used);
  transform(block, used, side, sums, counts);
  reverse(sums, out, n);
}
