// SPDX-License-Identifier: Apache-2.0
// Compiled with __HLSC_SYNTH__: each function must become plain integer arithmetic.
#include <ap_axi_sdata.h>
#include <ap_int.h>

#define TEST extern "C" void

TEST wide(const ap_uint<100>& a, const ap_uint<100>& b, ap_uint<100>& r) {
  ap_uint<100> t = a + b;
  r = (t * b) >> 3;
}
TEST narrow(const ap_int<8>& a, const ap_uint<5>& b, const ap_uint<3>& i, ap_int<16>& r) {
  r = a * b + 3;
  r(7, 4) = b(3, 0);
  r[i] = a[2];
  r <<= 2;
}
TEST select(const ap_uint<512>& a, const ap_uint<6>& i, ap_uint<8>& r) { r = a(i * 8 + 7, i * 8); }
TEST split(ap_uint<70>& a, ap_uint<4>& b, const ap_uint<74>& c) { (a, b) = c; }
TEST join(const ap_uint<70>& a, const ap_int<4>& b, ap_uint<74>& c) { c = (a, b); }
TEST parity(const ap_uint<90>& a, ap_uint<1>& r) { r = a.xor_reduce(); }
TEST turned(ap_uint<24>& a) { a = a(0, 23); }
TEST shifted(const ap_int<9>& a, const ap_uint<3>& n, ap_int<9>& r) { r = a << n; }
TEST divided(const ap_int<99>& a, const ap_int<9>& b, ap_int<99>& r) { r = a / b + a % b; }
TEST compared(const ap_int<65>& a, const ap_uint<65>& b, bool& r) { r = a < b && -a != b; }
TEST rom(const ap_uint<2>& i, ap_int<70>& r) {
  static const ap_int<70> table[4] = {1, -2, 3, 4};
  r = table[i] + 1;
}
TEST beat(ap_axiu<64, 1, 1, 1>& w) { w.data = w.data + w.keep; }
