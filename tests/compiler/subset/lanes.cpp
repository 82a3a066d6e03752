// SPDX-License-Identifier: Apache-2.0
// Arrays of streams as arguments: whole and single ones to processes, plain and structured words.
#include <ap_axi_sdata.h>
#include <ap_int.h>
#include <hls_stream.h>

typedef hls::stream<int> S;
typedef ap_axiu<16, 1, 1, 1> Word;
constexpr int LANES = 3;

/// Adds the streams of a matrix, each with a weight of its own.
static void join(S in[2][LANES], S& out, int n) {
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II = 1
    int sum = 0;
    for (int r = 0; r < 2; ++r)
      for (int k = 0; k < LANES; ++k) sum += in[r][k].read() * (r * 4 + k + 1);
    out.write(sum);
  }
}

/// Crosses two streams of words; the data of the first gets the sum.
static void cross(hls::stream<Word> in[2], S& add, hls::stream<Word> (&out)[2], int n) {
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II = 1
    Word a = in[0].read(), b = in[1].read();
    b.data = b.data + ap_uint<16>(add.read());
    out[0].write(b);
    out[1].write(a);
  }
}

static void scale(S& in, S& out, int n, int by) {
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II = 1
    out.write(in.read() * by);
  }
}

extern "C" void lanes(S in[2][LANES], hls::stream<Word> words[2], hls::stream<Word> (&crossed)[2],
                      S lone[2], S plain[2], S scaled[2], int n) {
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = words
#pragma HLS INTERFACE s_axilite port = n
#pragma HLS DATAFLOW
  S sums;
  S middle[1];
  join(in, sums, n);
  cross(words, sums, crossed, n);
  scale(lone[0], middle[0], n, 5);
  scale(middle[0], lone[1], n, -3);
  for (int k = 0; k < 2; ++k) scale(plain[k], scaled[k], n, k + 2);
}
