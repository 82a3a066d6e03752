// SPDX-License-Identifier: Apache-2.0
// One beat of an AXI4-Stream: hls::axis<T, WUser, WId, WDest>, ap_axiu<D, U, TI, TD>, ap_axis<…>.
//
// Members, always all and in this order: data, keep, strb, user, last, id, dest.  A side channel of
// width 0 is an hls::axis_absent: nothing can be read from it or written to it.
#ifndef HLSC_AP_AXI_SDATA_H
#define HLSC_AP_AXI_SDATA_H

#include "ap_int.h"

namespace hls {

/// The type of a side channel of width 0.  It takes no wire; C++ gives it a byte.
struct axis_absent {};

template <int W>
struct axis_channel {
  typedef ap_uint<W> type;
};
template <>
struct axis_channel<0> {
  typedef axis_absent type;
};

/// Bytes of the data channel.
template <class T>
struct axis_bytes {
  static constexpr int value = static_cast<int>(sizeof(T));
};
template <int W>
struct axis_bytes<ap_int<W>> {
  static constexpr int value = (W + 7) / 8;
};
template <int W>
struct axis_bytes<ap_uint<W>> {
  static constexpr int value = (W + 7) / 8;
};

/// \tparam T data; \tparam WUser, WId, WDest widths in bits of user, id and dest, each may be 0.
template <class T, int WUser = 0, int WId = 0, int WDest = 0>
struct axis {
  typedef T data_type;
  static constexpr int bytes = axis_bytes<T>::value;

  T data;
  ap_uint<bytes> keep;
  ap_uint<bytes> strb;
  typename axis_channel<WUser>::type user;
  ap_uint<1> last;
  typename axis_channel<WId>::type id;
  typename axis_channel<WDest>::type dest;

  T get_data() const { return data; }
  void set_data(const T& v) { data = v; }
  ap_uint<bytes> get_keep() const { return keep; }
  void set_keep(const ap_uint<bytes>& v) { keep = v; }
  void keep_all() { keep = -1; }
  ap_uint<bytes> get_strb() const { return strb; }
  void set_strb(const ap_uint<bytes>& v) { strb = v; }
  ap_uint<1> get_last() const { return last; }
  void set_last(const ap_uint<1>& v) { last = v; }
};

}  // namespace hls

template <int D, int U, int TI, int TD>
using ap_axiu = hls::axis<ap_uint<D>, U, TI, TD>;

template <int D, int U, int TI, int TD>
using ap_axis = hls::axis<ap_int<D>, U, TI, TD>;

#endif  // HLSC_AP_AXI_SDATA_H
