// SPDX-License-Identifier: Apache-2.0
// Two processes with a ROM, a signed product, a FIFO, a difference and TLAST: a target for mutants.
#include <ap_axi_sdata.h>
#include <ap_int.h>
#include <hls_stream.h>

typedef ap_axiu<32, 1, 1, 1> Word;
typedef ap_int<20> Product;
const ap_int<10> WEIGHT[8] = {3, -500, 77, 411, -1, 255, -256, 19};

static void multiply(hls::stream<ap_int<10>>& in, hls::stream<Product>& products, ap_uint<8> n) {
multiply:
  for (ap_uint<8> i = 0; i < n; ++i) {
#pragma HLS PIPELINE II = 1
    products.write(in.read() * WEIGHT[i & 7]);
  }
}

static void subtract(hls::stream<Product>& products, hls::stream<Word>& out, ap_uint<8> n) {
  Product before = 0;
subtract:
  for (ap_uint<8> i = 0; i < n; ++i) {
#pragma HLS PIPELINE II = 1
    const Product x = products.read();
    Word word;
    word.data = ap_int<32>(before - x);
    word.keep = 15;
    word.strb = 15;
    word.user = 0;
    word.id = 0;
    word.dest = 0;
    word.last = i == n - 1;
    out.write(word);
    before = x;
  }
}

extern "C" void weigh(hls::stream<ap_int<10>>& in, hls::stream<Word>& out, ap_uint<8> n) {
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE axis port = out
#pragma HLS DATAFLOW
  hls::stream<Product> products("products");
#pragma HLS STREAM variable = products depth = 3
  multiply(in, products, n);
  subtract(products, out, n);
}
