// SPDX-License-Identifier: Apache-2.0
// Test kernel for C-simulation against RTL: signed and unsigned scalars, one wider than a register,
// a scalar output, a return value, a stream with TLAST in, one without TLAST and of odd width out.
#include "ap_axi_sdata.h"
#include "ap_int.h"
#include "hls_stream.h"

typedef ap_axis<32, 1, 1, 1> axis32;

ap_uint<16> clamp(hls::stream<axis32>& values, hls::stream<ap_int<11>>& clamped, ap_uint<16> count,
                  ap_int<11> low, ap_uint<40> start, ap_uint<40>& sum) {
#pragma HLS INTERFACE axis port = values
#pragma HLS INTERFACE axis port = clamped
#pragma HLS INTERFACE s_axilite port = count bundle = control
#pragma HLS INTERFACE s_axilite port = low bundle = control
#pragma HLS INTERFACE s_axilite port = start bundle = control
#pragma HLS INTERFACE s_axilite port = sum bundle = control
#pragma HLS INTERFACE s_axilite port = return bundle = control
  ap_uint<40> total = start;
  ap_uint<16> changed = 0;
  for (ap_uint<16> i = 0; i < count; ++i) {
#pragma HLS PIPELINE II = 1
    const axis32 word = values.read();
    const bool below = word.data < low;
    const ap_int<11> value = below ? low : ap_int<11>(word.data);
    if (below) ++changed;
    total += ap_uint<11>(value);
    clamped.write(value);
  }
  sum = total;
  return changed;
}
