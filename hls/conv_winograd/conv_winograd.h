// SPDX-License-Identifier: Apache-2.0
// conv_winograd: 3×3 convolution by Winograd F(M×M, 3×3) in exact integers; one call is one layer.
// Registers and beat orders: docs/streams.md.
#ifndef CONVLOOM_CONV_WINOGRAD_CONV_WINOGRAD_H_
#define CONVLOOM_CONV_WINOGRAD_CONV_WINOGRAD_H_

#include "types.h"

extern "C" void conv_winograd(
    hls::stream<convloom::axis64>& in0, hls::stream<convloom::axis64>& in1,
    hls::stream<convloom::axis64>& out, ap_uint<32> height, ap_uint<32> width, ap_uint<32> channels,
    ap_uint<32> filters, ap_uint<32> pad_top, ap_uint<32> pad_left, ap_uint<32> out_height,
    ap_uint<32> out_width, ap_uint<32> image_sets, ap_uint<32> set_images,
    ap_uint<32> set_images_last, ap_uint<32> strips, ap_uint<32> strip_rows,
    ap_uint<32> strip_rows_last, ap_uint<32> groups, ap_uint<32> group_blocks,
    ap_uint<32> group_blocks_last, ap_uint<32> row_slots, ap_uint<32> loop_order,
    ap_uint<32> int8_output, ap_int<32> x_zero_point, ap_int<32> y_zero_point, ap_int<32> clamp_low,
    ap_int<32> clamp_high, ap_uint<32>* status);

#endif  // CONVLOOM_CONV_WINOGRAD_CONV_WINOGRAD_H_
