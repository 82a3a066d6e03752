// SPDX-License-Identifier: Apache-2.0
#include "conv_winograd.h"

#include "check.h"
#include "compute.h"
#include "read.h"
#include "results.h"
#include "write.h"

// The configuration is a struct of contract.h, chosen when the kernel is compiled.
#ifndef CONVLOOM_CONFIG
#define CONVLOOM_CONFIG tiny
#endif

typedef convloom::winograd::Config<convloom::conv_winograd_contract::CONVLOOM_CONFIG> Winograd;

extern "C" void conv_winograd(
    hls::stream<convloom::axis64>& in0, hls::stream<convloom::axis64>& in1,
    hls::stream<convloom::axis64>& out, ap_uint<32> height, ap_uint<32> width, ap_uint<32> channels,
    ap_uint<32> filters, ap_uint<32> pad_top, ap_uint<32> pad_left, ap_uint<32> out_height,
    ap_uint<32> out_width, ap_uint<32> image_sets, ap_uint<32> set_images,
    ap_uint<32> set_images_last, ap_uint<32> strips, ap_uint<32> strip_rows,
    ap_uint<32> strip_rows_last, ap_uint<32> groups, ap_uint<32> group_blocks,
    ap_uint<32> group_blocks_last, ap_uint<32> row_slots, ap_uint<32> loop_order,
    ap_uint<32> int8_output, ap_int<32> x_zero_point, ap_int<32> y_zero_point, ap_int<32> clamp_low,
    ap_int<32> clamp_high, ap_uint<32>* status) {
#pragma HLS INTERFACE axis port = in0
#pragma HLS INTERFACE axis port = in1
#pragma HLS INTERFACE axis port = out
#pragma HLS INTERFACE s_axilite port = height bundle = control
#pragma HLS INTERFACE s_axilite port = width bundle = control
#pragma HLS INTERFACE s_axilite port = channels bundle = control
#pragma HLS INTERFACE s_axilite port = filters bundle = control
#pragma HLS INTERFACE s_axilite port = pad_top bundle = control
#pragma HLS INTERFACE s_axilite port = pad_left bundle = control
#pragma HLS INTERFACE s_axilite port = out_height bundle = control
#pragma HLS INTERFACE s_axilite port = out_width bundle = control
#pragma HLS INTERFACE s_axilite port = image_sets bundle = control
#pragma HLS INTERFACE s_axilite port = set_images bundle = control
#pragma HLS INTERFACE s_axilite port = set_images_last bundle = control
#pragma HLS INTERFACE s_axilite port = strips bundle = control
#pragma HLS INTERFACE s_axilite port = strip_rows bundle = control
#pragma HLS INTERFACE s_axilite port = strip_rows_last bundle = control
#pragma HLS INTERFACE s_axilite port = groups bundle = control
#pragma HLS INTERFACE s_axilite port = group_blocks bundle = control
#pragma HLS INTERFACE s_axilite port = group_blocks_last bundle = control
#pragma HLS INTERFACE s_axilite port = row_slots bundle = control
#pragma HLS INTERFACE s_axilite port = loop_order bundle = control
#pragma HLS INTERFACE s_axilite port = int8_output bundle = control
#pragma HLS INTERFACE s_axilite port = x_zero_point bundle = control
#pragma HLS INTERFACE s_axilite port = y_zero_point bundle = control
#pragma HLS INTERFACE s_axilite port = clamp_low bundle = control
#pragma HLS INTERFACE s_axilite port = clamp_high bundle = control
#pragma HLS INTERFACE s_axilite port = status bundle = control
#pragma HLS INTERFACE s_axilite port = return bundle = control
#pragma HLS DATAFLOW
  using namespace convloom;
  using namespace convloom::winograd;
  hls::stream<TileMap> to_pixels("to_pixels");
  hls::stream<WeightShape> to_weights("to_weights");
  hls::stream<Shape> to_tiles("to_tiles"), to_kernels("to_kernels");
  hls::stream<Shape> to_array("to_array"), to_scale("to_scale");
  hls::stream<ap_uint<8>> to_write("to_write");
  hls::stream<Winograd::PixelToken> columns("columns");
  hls::stream<Winograd::TileToken> tiles("tiles");
  hls::stream<ap_uint<64>> params("params");
  hls::stream<ap_uint<576>> raw("raw");
  hls::stream<Winograd::KernelPair> kernels("kernels");
  hls::stream<Winograd::SumToken> sums("sums");
  hls::stream<OutBeat> beats("beats");
  hls::stream<bool> in0_tlast_ok("in0_tlast_ok"), in1_tlast_ok("in1_tlast_ok");
// The raw kernels of a group wait here while the group before is used: they are the other half of
// the double buffer.
#pragma HLS STREAM variable = raw depth = Winograd::RAW_WORDS
// The array may ask for a group's kernels while outputs of two groups before still leave.
#pragma HLS STREAM variable = params depth = 2 * Winograd::MAX_FILTERS
// A block's columns of sums come one per cycle, and the output side takes T in M²/2 cycles.
#pragma HLS STREAM variable = sums depth = 16

  check_registers<Winograd>(
      height, width, channels, filters, pad_top, pad_left, out_height, out_width, image_sets,
      set_images, set_images_last, strips, strip_rows, strip_rows_last, groups, group_blocks,
      group_blocks_last, row_slots, loop_order, int8_output, x_zero_point, y_zero_point, clamp_low,
      clamp_high, to_pixels, to_tiles, to_weights, to_kernels, to_array, to_scale, to_write);
  read_tiles<Winograd::T, Winograd::M, Winograd::RING_WORDS>(in0, to_pixels, columns, in0_tlast_ok);
  transform_tiles<Winograd>(to_tiles, columns, tiles);
  split_weights<9>(in1, to_weights, params, raw, in1_tlast_ok);
  transform_kernels<Winograd>(to_kernels, raw, kernels);
  winograd_array<Winograd>(to_array, tiles, kernels, sums);
  scale_outputs<Winograd>(to_scale, sums, params, beats);
  write_results<contract::in0_tlast, contract::in1_tlast>(beats, to_write, in0_tlast_ok,
                                                          in1_tlast_ok, out, status);
}
