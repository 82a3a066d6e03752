// SPDX-License-Identifier: Apache-2.0
// AXI4-Stream words for the open Xilinx headers, which lack them: ap_axiu, ap_axis, hls::axis.
//
// The members and their widths are those that Vivado HLS and Vitis HLS document (UG902, UG1399): D
// bits of data, a byte enable per byte of it, and U, TI, TD bits of user, id and dest.  A width of
// 0 leaves the member one bit wide and unused, as a signal that a design does not connect.
#ifndef HLSC_XILINX_COMPAT_AP_AXI_SDATA_H_
#define HLSC_XILINX_COMPAT_AP_AXI_SDATA_H_

#include "ap_int.h"

namespace hlsc_compat {

constexpr int at_least_one(int width) { return width > 0 ? width : 1; }

template <typename T, int Bits, int U, int TI, int TD>
struct AxisWord {
  static_assert(Bits % 8 == 0, "AXI4-Stream data must be whole bytes wide");
  T data;
  ap_uint<Bits / 8> keep;
  ap_uint<Bits / 8> strb;
  ap_uint<at_least_one(U)> user;
  ap_uint<1> last;
  ap_uint<at_least_one(TI)> id;
  ap_uint<at_least_one(TD)> dest;
};

template <typename T>
struct Bits {
  enum { value = 8 * sizeof(T) };
};
template <int N>
struct Bits<ap_int<N>> {
  enum { value = N };
};
template <int N>
struct Bits<ap_uint<N>> {
  enum { value = N };
};

}  // namespace hlsc_compat

template <int D, int U, int TI, int TD>
struct ap_axiu : hlsc_compat::AxisWord<ap_uint<D>, D, U, TI, TD> {};

template <int D, int U, int TI, int TD>
struct ap_axis : hlsc_compat::AxisWord<ap_int<D>, D, U, TI, TD> {};

namespace hls {

template <typename T, int WUser = 0, int WId = 0, int WDest = 0>
struct axis : hlsc_compat::AxisWord<T, hlsc_compat::Bits<T>::value, WUser, WId, WDest> {};

}  // namespace hls

#endif  // HLSC_XILINX_COMPAT_AP_AXI_SDATA_H_
