// SPDX-License-Identifier: Apache-2.0
#include "gemm_systolic.h"

#include "check.h"
#include "compute.h"
#include "read.h"
#include "results.h"
#include "write.h"

// The configuration is a struct of contract.h, chosen when the kernel is compiled.
#ifndef CONVLOOM_CONFIG
#define CONVLOOM_CONFIG tiny
#endif

typedef convloom::gemm::Config<convloom::gemm_systolic_contract::CONVLOOM_CONFIG> Gemm;

extern "C" void gemm_systolic(
    hls::stream<convloom::axis64>& in0, hls::stream<convloom::axis64>& in1,
    hls::stream<convloom::axis64>& out, ap_uint<32> rows, ap_uint<32> filters, ap_uint<32> groups,
    ap_uint<32> row_tiles, ap_uint<32> row_blocks, ap_uint<32> row_blocks_last,
    ap_uint<32> filter_tiles, ap_uint<32> filter_blocks, ap_uint<32> filter_blocks_last,
    ap_uint<32> chunks, ap_uint<32> segments, ap_uint<32> segment_words, ap_uint<32> image_words,
    ap_uint<32> int8_output, ap_int<32> y_zero_point, ap_int<32> clamp_low, ap_int<32> clamp_high,
    ap_uint<32>* status) {
#pragma HLS INTERFACE axis port = in0
#pragma HLS INTERFACE axis port = in1
#pragma HLS INTERFACE axis port = out
#pragma HLS INTERFACE s_axilite port = rows bundle = control
#pragma HLS INTERFACE s_axilite port = filters bundle = control
#pragma HLS INTERFACE s_axilite port = groups bundle = control
#pragma HLS INTERFACE s_axilite port = row_tiles bundle = control
#pragma HLS INTERFACE s_axilite port = row_blocks bundle = control
#pragma HLS INTERFACE s_axilite port = row_blocks_last bundle = control
#pragma HLS INTERFACE s_axilite port = filter_tiles bundle = control
#pragma HLS INTERFACE s_axilite port = filter_blocks bundle = control
#pragma HLS INTERFACE s_axilite port = filter_blocks_last bundle = control
#pragma HLS INTERFACE s_axilite port = chunks bundle = control
#pragma HLS INTERFACE s_axilite port = segments bundle = control
#pragma HLS INTERFACE s_axilite port = segment_words bundle = control
#pragma HLS INTERFACE s_axilite port = image_words bundle = control
#pragma HLS INTERFACE s_axilite port = int8_output bundle = control
#pragma HLS INTERFACE s_axilite port = y_zero_point bundle = control
#pragma HLS INTERFACE s_axilite port = clamp_low bundle = control
#pragma HLS INTERFACE s_axilite port = clamp_high bundle = control
#pragma HLS INTERFACE s_axilite port = status bundle = control
#pragma HLS INTERFACE s_axilite port = return bundle = control
#pragma HLS DATAFLOW
  using namespace convloom;
  using namespace convloom::gemm;
  hls::stream<Shape> to_activations("to_activations"), to_weights("to_weights");
  hls::stream<Shape> to_add("to_add"), to_scale("to_scale");
  hls::stream<WeightShape> to_split("to_split");
  hls::stream<bool> to_array("to_array");
  hls::stream<ap_uint<8>> to_write("to_write");
  hls::stream<Gemm::ActivationColumn> activations("activations");
  hls::stream<Gemm::WeightRow> weights("weights");
  hls::stream<Gemm::MarkedRow> weight_rows("weight_rows");
  hls::stream<ap_uint<64>> params("params");
  hls::stream<Gemm::SumRow> sums("sums");
  hls::stream<Gemm::TotalRow> totals("totals");
  hls::stream<OutBeat> beats("beats");
  hls::stream<bool> in0_tlast_ok("in0_tlast_ok"), in1_tlast_ok("in1_tlast_ok");
// A whole tile's parameters: weights behind them are loaded while the tile before is still scaled.
#pragma HLS STREAM variable = params depth = Gemm::TILE_FILTERS
// The rows of a block leave the array every second cycle; requantisation takes COLS / LANES for
// each.
#pragma HLS STREAM variable = totals depth = Gemm::ROWS

  check_registers<Gemm>(rows, filters, groups, row_tiles, row_blocks, row_blocks_last, filter_tiles,
                        filter_blocks, filter_blocks_last, chunks, segments, segment_words,
                        image_words, int8_output, y_zero_point, clamp_low, clamp_high,
                        to_activations, to_split, to_weights, to_add, to_scale, to_array, to_write);
  read_activations<Gemm>(in0, to_activations, activations, in0_tlast_ok);
  split_weights<Gemm::WEIGHT_BEATS>(in1, to_split, params, weights, in1_tlast_ok);
  repeat_weights<Gemm>(to_weights, weights, weight_rows);
  systolic_array<Gemm>(to_array, activations, weight_rows, sums);
  add_chunks<Gemm>(to_add, sums, totals);
  scale_totals<Gemm>(to_scale, totals, params, beats);
  write_results<contract::in0_tlast, contract::in1_tlast>(beats, to_write, in0_tlast_ok,
                                                          in1_tlast_ok, out, status);
}
