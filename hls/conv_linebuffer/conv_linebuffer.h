// SPDX-License-Identifier: Apache-2.0
// conv_linebuffer: direct convolution of a raw pixel stream through line buffers; one call is one
// layer. Registers and beat orders: docs/streams.md.
#ifndef CONVLOOM_CONV_LINEBUFFER_CONV_LINEBUFFER_H_
#define CONVLOOM_CONV_LINEBUFFER_CONV_LINEBUFFER_H_

#include "types.h"

extern "C" void conv_linebuffer(
    hls::stream<convloom::axis64>& in0, hls::stream<convloom::axis64>& in1,
    hls::stream<convloom::axis64>& out, ap_uint<32> groups, ap_uint<32> filter_groups,
    ap_uint<32> batch, ap_uint<32> height, ap_uint<32> width, ap_uint<32> channels,
    ap_uint<32> filters, ap_uint<32> blocks, ap_uint<32> blocks_last, ap_uint<32> word_blocks,
    ap_uint<32> kernel_height, ap_uint<32> kernel_width, ap_uint<32> out_height,
    ap_uint<32> out_width, ap_uint<32> stride_h, ap_uint<32> stride_w, ap_uint<32> pad_top,
    ap_uint<32> pad_left, ap_uint<32> pad_bottom, ap_uint<32> pad_right, ap_uint<32> int8_output,
    ap_int<32> x_zero_point, ap_int<32> y_zero_point, ap_int<32> clamp_low, ap_int<32> clamp_high,
    ap_uint<32>* status);

#endif  // CONVLOOM_CONV_LINEBUFFER_CONV_LINEBUFFER_H_
