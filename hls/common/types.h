// SPDX-License-Identifier: Apache-2.0
// Words, widths and the one place where the kernels take in the vendor (or hlsc) headers.
#ifndef CONVLOOM_COMMON_TYPES_H_
#define CONVLOOM_COMMON_TYPES_H_

#include <ap_axi_sdata.h>
#include <ap_int.h>
#include <hls_stream.h>

// Labels name loops for the HLS tools; a C++ compiler sees no use of them.
#pragma GCC diagnostic ignored "-Wunused-label"

namespace convloom {

/// The AXI4-Stream word of every kernel port: 8 bytes, TKEEP and TLAST.  The side channels are one
/// bit wide because Vivado HLS 2019.2 does not take zero.
typedef ap_axiu<64, 1, 1, 1> axis64;

const int kBeatBytes = 8;

/// Bits that hold the numbers 0 … n-1; at least 1, since a width of 0 is no type.
constexpr int index_bits(int n, int bits = 1) {
  return (1 << bits) >= n ? bits : index_bits(n, bits + 1);
}

constexpr bool is_power_of_two(int n) { return n > 0 && (n & (n - 1)) == 0; }

constexpr int divide_up(int a, int b) { return (a + b - 1) / b; }

}  // namespace convloom

#endif  // CONVLOOM_COMMON_TYPES_H_
