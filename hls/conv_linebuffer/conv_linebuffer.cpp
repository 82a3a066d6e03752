// SPDX-License-Identifier: Apache-2.0
#include "conv_linebuffer.h"

#include "check.h"
#include "compute.h"
#include "results.h"
#include "window.h"
#include "write.h"

// The configuration is a struct of contract.h, chosen when the kernel is compiled.
#ifndef CONVLOOM_CONFIG
#define CONVLOOM_CONFIG tiny
#endif

typedef convloom::linebuffer::Config<convloom::conv_linebuffer_contract::CONVLOOM_CONFIG>
    LineBuffer;

extern "C" void conv_linebuffer(
    hls::stream<convloom::axis64>& in0, hls::stream<convloom::axis64>& in1,
    hls::stream<convloom::axis64>& out, ap_uint<32> groups, ap_uint<32> filter_groups,
    ap_uint<32> batch, ap_uint<32> height, ap_uint<32> width, ap_uint<32> channels,
    ap_uint<32> filters, ap_uint<32> blocks, ap_uint<32> blocks_last, ap_uint<32> word_blocks,
    ap_uint<32> kernel_height, ap_uint<32> kernel_width, ap_uint<32> out_height,
    ap_uint<32> out_width, ap_uint<32> stride_h, ap_uint<32> stride_w, ap_uint<32> pad_top,
    ap_uint<32> pad_left, ap_uint<32> pad_bottom, ap_uint<32> pad_right, ap_uint<32> int8_output,
    ap_int<32> x_zero_point, ap_int<32> y_zero_point, ap_int<32> clamp_low, ap_int<32> clamp_high,
    ap_uint<32>* status) {
#pragma HLS INTERFACE axis port = in0
#pragma HLS INTERFACE axis port = in1
#pragma HLS INTERFACE axis port = out
#pragma HLS INTERFACE s_axilite port = groups bundle = control
#pragma HLS INTERFACE s_axilite port = filter_groups bundle = control
#pragma HLS INTERFACE s_axilite port = batch bundle = control
#pragma HLS INTERFACE s_axilite port = height bundle = control
#pragma HLS INTERFACE s_axilite port = width bundle = control
#pragma HLS INTERFACE s_axilite port = channels bundle = control
#pragma HLS INTERFACE s_axilite port = filters bundle = control
#pragma HLS INTERFACE s_axilite port = blocks bundle = control
#pragma HLS INTERFACE s_axilite port = blocks_last bundle = control
#pragma HLS INTERFACE s_axilite port = word_blocks bundle = control
#pragma HLS INTERFACE s_axilite port = kernel_height bundle = control
#pragma HLS INTERFACE s_axilite port = kernel_width bundle = control
#pragma HLS INTERFACE s_axilite port = out_height bundle = control
#pragma HLS INTERFACE s_axilite port = out_width bundle = control
#pragma HLS INTERFACE s_axilite port = stride_h bundle = control
#pragma HLS INTERFACE s_axilite port = stride_w bundle = control
#pragma HLS INTERFACE s_axilite port = pad_top bundle = control
#pragma HLS INTERFACE s_axilite port = pad_left bundle = control
#pragma HLS INTERFACE s_axilite port = pad_bottom bundle = control
#pragma HLS INTERFACE s_axilite port = pad_right bundle = control
#pragma HLS INTERFACE s_axilite port = int8_output bundle = control
#pragma HLS INTERFACE s_axilite port = x_zero_point bundle = control
#pragma HLS INTERFACE s_axilite port = y_zero_point bundle = control
#pragma HLS INTERFACE s_axilite port = clamp_low bundle = control
#pragma HLS INTERFACE s_axilite port = clamp_high bundle = control
#pragma HLS INTERFACE s_axilite port = status bundle = control
#pragma HLS INTERFACE s_axilite port = return bundle = control
#pragma HLS DATAFLOW
  using namespace convloom;
  using namespace convloom::linebuffer;
  hls::stream<MapShape> to_map("to_map");
  hls::stream<WeightShape> to_weights("to_weights");
  hls::stream<Shape> to_convolve("to_convolve"), to_scale("to_scale");
  hls::stream<ap_uint<8>> to_write("to_write");
  hls::stream<LineBuffer::Column> columns("columns");
  hls::stream<ap_uint<64>> weights("weights"), params("params");
  hls::stream<LineBuffer::SumRow> sums("sums");
  hls::stream<OutBeat> beats("beats");
  hls::stream<bool> in0_tlast_ok("in0_tlast_ok"), in1_tlast_ok("in1_tlast_ok");
// The parameters of two filter groups: weights behind those of the next one are loaded while the
// sums of the one before are still scaled.
#pragma HLS STREAM variable = params depth = 2 * LineBuffer::GROUP_FILTERS

  check_registers<LineBuffer>(
      groups, filter_groups, batch, height, width, channels, filters, blocks, blocks_last,
      word_blocks, kernel_height, kernel_width, out_height, out_width, stride_h, stride_w, pad_top,
      pad_left, pad_bottom, pad_right, int8_output, x_zero_point, y_zero_point, clamp_low,
      clamp_high, to_map, to_weights, to_convolve, to_scale, to_write);
  slide_rows<LineBuffer::TAPS, LineBuffer::LINES, LineBuffer::LINE_WORDS>(in0, to_map, columns,
                                                                          in0_tlast_ok);
  split_weights<1>(in1, to_weights, params, weights, in1_tlast_ok);
  convolve<LineBuffer>(to_convolve, columns, weights, sums);
  scale_sums<LineBuffer>(to_scale, sums, params, beats);
  write_results<contract::in0_tlast, contract::in1_tlast>(beats, to_write, in0_tlast_ok,
                                                          in1_tlast_ok, out, status);
}
