// SPDX-License-Identifier: Apache-2.0
// ap_int_base<W, S>: one _BitInt member, conversions, and everything that is not a binary operator.
#ifndef HLSC_AP_BASE_H
#define HLSC_AP_BASE_H

#include "hlsc_ap_bits.h"

#ifndef __HLSC_SYNTH__
#include <string>

#include "hlsc_sim.h"
#endif

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wbit-int-extension"

namespace hlsc_ap {

template <int W, bool S>
struct ap_range_ref;
template <int W, bool S>
struct ap_bit_ref;
template <class A, class B>
struct ap_concat_ref;

#ifndef __HLSC_SYNTH__
/// Parses text into the low bits of a W-bit number; radix 0 takes it from 0b, 0o, 0x (else ten).
template <int W>
box<W> parse(const char* text, int radix);

[[noreturn]] void bad_bit(int index, int width);
[[noreturn]] void bad_range(int hi, int lo, int width);

HLSC_AP_FN void check_bit(int index, int width) {
  if (__builtin_expect(static_cast<unsigned>(index) >= static_cast<unsigned>(width), 0))
    bad_bit(index, width);
}
HLSC_AP_FN void check_range(int hi, int lo, int width) {
  if (__builtin_expect(static_cast<unsigned>(hi) >= static_cast<unsigned>(width) ||
                           static_cast<unsigned>(lo) >= static_cast<unsigned>(width),
                       0))
    bad_range(hi, lo, width);
}
#else
HLSC_AP_FN void check_bit(int, int) {}
HLSC_AP_FN void check_range(int, int, int) {}
#endif

/// The integer part of a double, wrapped to W bits (not saturated), as the Xilinx headers do.
template <int W>
HLSC_AP_FN box<W> from_double(double d) {
  typedef unsigned _BitInt(max_of(W, 64)) U;
  const unsigned long long word = __builtin_bit_cast(unsigned long long, d);
  const int exponent = static_cast<int>((word >> 52) & 0x7ff) - 1075;
  const U mantissa = static_cast<U>((word & 0xfffffffffffffull) | 0x10000000000000ull);
  const U size = exponent >= 0 ? (exponent < W ? static_cast<U>(mantissa << exponent) : U(0))
                               : (exponent > -53 ? static_cast<U>(mantissa >> -exponent) : U(0));
  return {static_cast<unsigned _BitInt(W)>(word >> 63 ? static_cast<U>(U(0) - size) : size)};
}

/// The object whose V is the number that an ap_int_base holds: itself, but for ap_int<1>.
template <int W, bool S>
struct numeric {
  typedef const ap_int_base<W, S>& type;
  static HLSC_AP_FN constexpr type of(const ap_int_base<W, S>& x) { return x; }
};
template <>
struct numeric<1, true> {
  typedef ap_int_base<2, true> type;
  static HLSC_AP_FN constexpr type of(const ap_int_base<1, true>& x);
};

/// W-bit integer, signed or not.  Trivially copyable, trivially default constructible (hence
/// without a value until it is assigned), as large as the native integer that holds it.
template <int W, bool S>
struct ap_int_base {
  static_assert(W >= 1, "ap_int must have at least 1 bit, not zero or fewer");
  // Users' widths end at 4,096; products and sums of such numbers are wider.
  static_assert(W <= 16384, "ap_int must have at most 4096 bits (16384 in an intermediate result)");

  typedef typename bits<W, S>::store Store;
  typedef unsigned _BitInt(W) Raw;
  typedef typename make<W, S>::type Self;
  static constexpr int width = W;
  static constexpr bool sign_flag = S;

  Store V;

  ap_int_base() = default;

  template <class X>
  HLSC_AP_FN constexpr ap_int_base(raw, const X& v) : V(static_cast<Store>(v)) {}

  template <class T, class = typename enable<c_int<T>::is>::type>
  HLSC_AP_FN constexpr ap_int_base(T v) : V(static_cast<Store>(v)) {}

  template <int W2, bool S2>
  HLSC_AP_FN constexpr ap_int_base(const ap_int_base<W2, S2>& v)
      : V(static_cast<Store>(numeric<W2, S2>::of(v).V)) {}

  template <int W2, bool S2>
  HLSC_AP_FN constexpr ap_int_base(const ap_range_ref<W2, S2>& r)
      : V(static_cast<Store>(r.get().V)) {}

  template <int W2, bool S2>
  HLSC_AP_FN constexpr ap_int_base(const ap_bit_ref<W2, S2>& r) : V(static_cast<Store>(r.get())) {}

  template <class A, class B>
  HLSC_AP_FN constexpr ap_int_base(const ap_concat_ref<A, B>& r)
      : V(static_cast<Store>(r.get().V)) {}

  HLSC_AP_FN ap_int_base(double v) : V(static_cast<Store>(from_double<W>(v).v)) {}
  HLSC_AP_FN ap_int_base(float v) : V(static_cast<Store>(from_double<W>(v).v)) {}

#ifndef __HLSC_SYNTH__
  ap_int_base(const char* text, int radix = 0) : V(static_cast<Store>(parse<W>(text, radix).v)) {}

  /// Digits in `radix` (2, 8, 10, 16) behind 0b, 0o, 0x; radix 2 shows the bits, without a sign.
  std::string to_string(int radix = 2, bool with_sign = S) const;
#endif

  /// The W bits, unsigned.  (Not used in here: see `box`.)
  HLSC_AP_FN constexpr Raw raw_bits() const { return static_cast<Raw>(V); }

  // ---- conversions ---------------------------------------------------------------------------

  typedef typename c_ret<S>::type RetType;
  HLSC_AP_FN constexpr operator RetType() const {
    return static_cast<RetType>(numeric<W, S>::of(*this).V);
  }

  HLSC_AP_FN constexpr explicit operator bool() const {
    static_assert(W <= 64,
                  "an ap_int of more than 64 bits must be compared (x != 0), not used as a "
                  "condition: the Xilinx headers would look at its low 64 bits only");
    return V != 0;
  }

  HLSC_AP_FN constexpr bool to_bool() const { return V != 0; }
#define HLSC_TO(NAME, T) \
  HLSC_AP_FN constexpr T NAME() const { return static_cast<T>(numeric<W, S>::of(*this).V); }
  HLSC_TO(to_char, char)
  HLSC_TO(to_schar, signed char)
  HLSC_TO(to_uchar, unsigned char)
  HLSC_TO(to_short, short)
  HLSC_TO(to_ushort, unsigned short)
  HLSC_TO(to_int, int)
  HLSC_TO(to_uint, unsigned int)
  HLSC_TO(to_long, long)
  HLSC_TO(to_ulong, unsigned long)
  HLSC_TO(to_int64, long long)
  HLSC_TO(to_uint64, unsigned long long)
  HLSC_TO(to_float, float)
  HLSC_TO(to_double, double)
#undef HLSC_TO

  // ---- whole-number queries and changes ------------------------------------------------------

  HLSC_AP_FN constexpr int length() const { return W; }
  HLSC_AP_FN constexpr bool iszero() const { return V == 0; }
  HLSC_AP_FN constexpr bool is_zero() const { return V == 0; }
  HLSC_AP_FN constexpr bool sign() const { return S && (Raw(V) >> (W - 1)) != 0; }

  HLSC_AP_FN constexpr bool and_reduce() const {
    return Raw(V) == static_cast<Raw>(~static_cast<Raw>(0));
  }
  HLSC_AP_FN constexpr bool nand_reduce() const { return !and_reduce(); }
  HLSC_AP_FN constexpr bool or_reduce() const { return V != 0; }
  HLSC_AP_FN constexpr bool nor_reduce() const { return V == 0; }
  HLSC_AP_FN constexpr bool xor_reduce() const { return fold<W>::parity(Raw(V)); }
  HLSC_AP_FN constexpr bool xnor_reduce() const { return !xor_reduce(); }
  HLSC_AP_FN constexpr int countLeadingZeros() const {
    return static_cast<int>(__builtin_clzg(Raw(V), W));
  }

  HLSC_AP_FN void b_not() { keep(static_cast<Raw>(~Raw(V))); }
  HLSC_AP_FN ap_int_base& reverse() { return keep(reversed<W>(Raw(V)).v); }
  HLSC_AP_FN ap_int_base& lrotate(int n) {
    check_bit(n, W);
    return n == 0 ? *this
                  : keep(static_cast<Raw>((Raw(V) << static_cast<unsigned>(n)) |
                                          (Raw(V) >> static_cast<unsigned>(W - n))));
  }
  HLSC_AP_FN ap_int_base& rrotate(int n) { return lrotate(n == 0 ? 0 : W - n); }

  // ---- bits ----------------------------------------------------------------------------------

  HLSC_AP_FN bool get_bit(int i) const {
    check_bit(i, W);
    return ((Raw(V) >> static_cast<unsigned>(i)) & static_cast<Raw>(1)) != 0;
  }
  HLSC_AP_FN bool test(int i) const { return get_bit(i); }
  HLSC_AP_FN void set_bit(int i, bool v) {
    check_bit(i, W);
    keep(put<W>(Raw(V), static_cast<Raw>(v), static_cast<Raw>(1), i).v);
  }
  HLSC_AP_FN void set(int i, bool v) { set_bit(i, v); }
  HLSC_AP_FN void set(int i) { set_bit(i, true); }
  HLSC_AP_FN void clear(int i) { set_bit(i, false); }
  HLSC_AP_FN void invert(int i) { set_bit(i, !get_bit(i)); }

  HLSC_AP_FN ap_bit_ref<W, S> operator[](int i) { return ap_bit_ref<W, S>(*this, i); }
  HLSC_AP_FN bool operator[](int i) const { return get_bit(i); }
  HLSC_AP_FN ap_bit_ref<W, S> bit(int i) { return ap_bit_ref<W, S>(*this, i); }
  HLSC_AP_FN bool bit(int i) const { return get_bit(i); }

  // A const source gives a const reference object, and only a non-const one can be assigned to.
  HLSC_AP_FN ap_range_ref<W, S> range(int hi, int lo) { return {*this, hi, lo}; }
  HLSC_AP_FN const ap_range_ref<W, S> range(int hi, int lo) const {
    return {const_cast<ap_int_base&>(*this), hi, lo};
  }
  HLSC_AP_FN ap_range_ref<W, S> range() { return range(W - 1, 0); }
  HLSC_AP_FN const ap_range_ref<W, S> range() const { return range(W - 1, 0); }
  HLSC_AP_FN ap_range_ref<W, S> operator()(int hi, int lo) { return range(hi, lo); }
  HLSC_AP_FN const ap_range_ref<W, S> operator()(int hi, int lo) const { return range(hi, lo); }

  template <int W2, bool S2>
  HLSC_AP_FN ap_concat_ref<ap_int_base, ap_int_base<W2, S2>> concat(ap_int_base<W2, S2>& low) {
    return {*this, low};
  }
  template <int W2, bool S2>
  HLSC_AP_FN ap_concat_ref<const ap_int_base, const ap_int_base<W2, S2>> concat(
      const ap_int_base<W2, S2>& low) const {
    return {*this, low};
  }

  // ---- increment -----------------------------------------------------------------------------

  HLSC_AP_FN ap_int_base& operator++() {
    return keep(static_cast<Raw>(Raw(V) + static_cast<Raw>(1)));
  }
  HLSC_AP_FN ap_int_base& operator--() {
    return keep(static_cast<Raw>(Raw(V) - static_cast<Raw>(1)));
  }
  HLSC_AP_FN const Self operator++(int) {
    const Self old(raw(), V);
    ++*this;
    return old;
  }
  HLSC_AP_FN const Self operator--(int) {
    const Self old(raw(), V);
    --*this;
    return old;
  }

  /// Takes over W bits.
  HLSC_AP_FN ap_int_base& keep(const Raw& v) {
    V = static_cast<Store>(v);
    return *this;
  }
};

HLSC_AP_FN constexpr ap_int_base<2, true> numeric<1, true>::of(const ap_int_base<1, true>& x) {
  return ap_int_base<2, true>(raw(), static_cast<_BitInt(2)>(-static_cast<_BitInt(2)>(x.V)));
}

}  // namespace hlsc_ap

#pragma clang diagnostic pop

#endif  // HLSC_AP_BASE_H
