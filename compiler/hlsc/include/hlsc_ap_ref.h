// SPDX-License-Identifier: Apache-2.0
// What x(hi, lo), x[i] and (a, b) give: references that read and write their source.
//
// Compound assignment (x(3, 0) |= y) is refused: the Xilinx headers apply it to the whole source.
#ifndef HLSC_AP_REF_H
#define HLSC_AP_REF_H

#include "hlsc_ap_base.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wbit-int-extension"

namespace hlsc_ap {

template <class T>
struct always_false {
  static constexpr bool is = false;
};

#define HLSC_REF_COMPOUND(OP)                                                             \
  template <class T>                                                                      \
  void operator OP(const T&) {                                                            \
    static_assert(                                                                        \
        always_false<T>::is,                                                              \
        "a part select must be assigned as a whole, not with a compound operator: write " \
        "x(hi, lo) = x(hi, lo) op y");                                                    \
  }

/// x(hi, lo): bits hi down to lo as an unsigned number; hi < lo gives them reversed.
template <int W, bool S>
struct ap_range_ref {
  typedef unsigned _BitInt(W) Raw;
  ap_int_base<W, S>& source;
  int h_index, l_index;

  HLSC_AP_FN ap_range_ref(ap_int_base<W, S>& x, int hi, int lo)
      : source(x), h_index(hi), l_index(lo) {
    check_range(hi, lo, W);
  }
  HLSC_AP_FN ap_range_ref(const ap_range_ref& r) = default;

  HLSC_AP_FN constexpr ap_uint<W> get() const {
    return ap_uint<W>(raw(), get_range<W>(Raw(source.V), h_index, l_index).v);
  }
  HLSC_AP_FN operator unsigned long long() const { return to_uint64(); }

  HLSC_AP_FN ap_range_ref& operator=(const ap_range_ref& v) {
    set(v.get().V);
    return *this;
  }
  template <class T>
  HLSC_AP_FN ap_range_ref& operator=(const T& v) {
    set(ap_int_base<W, false>(v).V);
    return *this;
  }
  HLSC_AP_FN void set(const Raw& v) {
    source.keep(set_range<W>(Raw(source.V), v, h_index, l_index).v);
  }

  HLSC_REF_COMPOUND(|=)
  HLSC_REF_COMPOUND(&=)
  HLSC_REF_COMPOUND(^=)
  HLSC_REF_COMPOUND(+=)
  HLSC_REF_COMPOUND(-=)
  HLSC_REF_COMPOUND(*=)
  HLSC_REF_COMPOUND(<<=)
  HLSC_REF_COMPOUND(>>=)

  HLSC_AP_FN int length() const {
    return h_index >= l_index ? h_index - l_index + 1 : l_index - h_index + 1;
  }
  HLSC_AP_FN int to_int() const { return get().to_int(); }
  HLSC_AP_FN unsigned int to_uint() const { return get().to_uint(); }
  HLSC_AP_FN long to_long() const { return get().to_long(); }
  HLSC_AP_FN unsigned long to_ulong() const { return get().to_ulong(); }
  HLSC_AP_FN long long to_int64() const { return get().to_int64(); }
  HLSC_AP_FN unsigned long long to_uint64() const { return get().to_uint64(); }
  HLSC_AP_FN bool and_reduce() const { return get().V == low_mask<W>(length()).v; }
  HLSC_AP_FN bool or_reduce() const { return get().or_reduce(); }
  HLSC_AP_FN bool xor_reduce() const { return get().xor_reduce(); }
#ifndef __HLSC_SYNTH__
  std::string to_string(int radix = 2) const { return get().to_string(radix); }
#endif
};

/// x[i]: a bool that can be assigned to; a number is true when it is not zero.
template <int W, bool S>
struct ap_bit_ref {
  ap_int_base<W, S>& source;
  int d_index;

  HLSC_AP_FN ap_bit_ref(ap_int_base<W, S>& x, int index) : source(x), d_index(index) {
    check_bit(index, W);
  }
  HLSC_AP_FN ap_bit_ref(const ap_bit_ref& r) = default;

  HLSC_AP_FN bool get() const { return source.get_bit(d_index); }
  HLSC_AP_FN operator bool() const { return get(); }
  HLSC_AP_FN bool to_bool() const { return get(); }
  HLSC_AP_FN bool operator~() const { return !get(); }

  HLSC_AP_FN ap_bit_ref& operator=(const ap_bit_ref& v) {
    source.set_bit(d_index, v.get());
    return *this;
  }
  template <class T>
  HLSC_AP_FN ap_bit_ref& operator=(const T& v) {
    source.set_bit(d_index, v != 0);
    return *this;
  }
  HLSC_AP_FN void set(const unsigned _BitInt(1) & v) { source.set_bit(d_index, v != 0); }

  HLSC_AP_FN int length() const { return 1; }
#ifndef __HLSC_SYNTH__
  std::string to_string() const { return get() ? "1" : "0"; }
#endif
};

// ---- concatenation
// ---------------------------------------------------------------------------------

// A part of a concatenation: ap_int_base by reference (its constness says whether it can be
// written), references of this file by value, so that nothing dangles.
template <class T>
struct part;
template <int W, bool S>
struct part<ap_int_base<W, S>> {
  static constexpr int width = W;
  typedef ap_int_base<W, S>& held;
  static HLSC_AP_FN box<W> get(const ap_int_base<W, S>& x) {
    return {static_cast<unsigned _BitInt(W)>(x.V)};
  }
  static HLSC_AP_FN void set(ap_int_base<W, S>& x, const unsigned _BitInt(W) & v) { x.keep(v); }
};
template <int W, bool S>
struct part<const ap_int_base<W, S>> {
  static constexpr int width = W;
  typedef const ap_int_base<W, S>& held;
  static HLSC_AP_FN box<W> get(const ap_int_base<W, S>& x) {
    return {static_cast<unsigned _BitInt(W)>(x.V)};
  }
  template <class X>
  static void set(const ap_int_base<W, S>&, const X&) {
    static_assert(always_false<X>::is,
                  "each part of a concatenation that is assigned to must be a variable, not a "
                  "constant or a temporary value");
  }
};
template <int W, bool S>
struct part<ap_range_ref<W, S>> {
  static constexpr int width = W;
  typedef ap_range_ref<W, S> held;
  static HLSC_AP_FN box<W> get(const held& x) { return {x.get().V}; }
  static HLSC_AP_FN void set(held& x, const unsigned _BitInt(W) & v) { x.set(v); }
};
template <int W, bool S>
struct part<ap_bit_ref<W, S>> {
  static constexpr int width = 1;
  typedef ap_bit_ref<W, S> held;
  static HLSC_AP_FN box<1> get(const held& x) {
    return {static_cast<unsigned _BitInt(1)>(x.get())};
  }
  static HLSC_AP_FN void set(held& x, const unsigned _BitInt(1) & v) { x.set(v); }
};
template <class A, class B>
struct part<ap_concat_ref<A, B>> {
  static constexpr int width = part<A>::width + part<B>::width;
  typedef ap_concat_ref<A, B> held;
  static HLSC_AP_FN box<width> get(const held& x) { return {x.get().V}; }
  static HLSC_AP_FN void set(held& x, const unsigned _BitInt(width) & v) { x.set(v); }
};

/// (a, b): the bits of a above those of b.  A part select counts with the bits it selects; its type
/// counts with the width of its source, so the result is at least wide enough.
template <class A, class B>
struct ap_concat_ref {
  static constexpr int W1 = part<A>::width;
  static constexpr int W2 = part<B>::width;
  static constexpr int width = W1 + W2;
  typedef unsigned _BitInt(width) Raw;
  typename part<A>::held high;
  typename part<B>::held low;

  HLSC_AP_FN ap_concat_ref(typename part<A>::held a, typename part<B>::held b) : high(a), low(b) {}
  HLSC_AP_FN ap_concat_ref(const ap_concat_ref& r) = default;

  HLSC_AP_FN ap_uint<width> get() const {
    return ap_uint<width>(
        raw(), (static_cast<Raw>(part<A>::get(high).v) << static_cast<unsigned>(low.length())) |
                   static_cast<Raw>(part<B>::get(low).v));
  }
  HLSC_AP_FN operator unsigned long long() const { return get().to_uint64(); }

  HLSC_AP_FN ap_concat_ref& operator=(const ap_concat_ref& v) {
    set(v.get().V);
    return *this;
  }
  template <class T>
  HLSC_AP_FN ap_concat_ref& operator=(const T& v) {
    set(ap_int_base<width, false>(v).V);
    return *this;
  }
  HLSC_AP_FN void set(const Raw& v) {
    // Read before the first write: the parts may belong to one variable.
    const int split = low.length();
    part<A>::set(high, static_cast<unsigned _BitInt(W1)>(v >> static_cast<unsigned>(split)));
    part<B>::set(low, static_cast<unsigned _BitInt(W2)>(v));
  }

  HLSC_AP_FN int length() const { return high.length() + low.length(); }
#ifndef __HLSC_SYNTH__
  std::string to_string(int radix = 2) const { return get().to_string(radix); }
#endif
};

#undef HLSC_REF_COMPOUND

}  // namespace hlsc_ap

#pragma clang diagnostic pop

#endif  // HLSC_AP_REF_H
