// SPDX-License-Identifier: Apache-2.0
// gemm_systolic: C[M,N] = A[M,K]·B[K,N] on an output-stationary systolic array; one call is one
// layer. Registers and beat orders: docs/streams.md.
#ifndef CONVLOOM_GEMM_SYSTOLIC_GEMM_SYSTOLIC_H_
#define CONVLOOM_GEMM_SYSTOLIC_GEMM_SYSTOLIC_H_

#include "types.h"

extern "C" void gemm_systolic(
    hls::stream<convloom::axis64>& in0, hls::stream<convloom::axis64>& in1,
    hls::stream<convloom::axis64>& out, ap_uint<32> rows, ap_uint<32> filters, ap_uint<32> groups,
    ap_uint<32> row_tiles, ap_uint<32> row_blocks, ap_uint<32> row_blocks_last,
    ap_uint<32> filter_tiles, ap_uint<32> filter_blocks, ap_uint<32> filter_blocks_last,
    ap_uint<32> chunks, ap_uint<32> segments, ap_uint<32> segment_words, ap_uint<32> image_words,
    ap_uint<32> int8_output, ap_int<32> y_zero_point, ap_int<32> clamp_low, ap_int<32> clamp_high,
    ap_uint<32>* status);

#endif  // CONVLOOM_GEMM_SYSTOLIC_GEMM_SYSTOLIC_H_
