// SPDX-License-Identifier: Apache-2.0
// The ground under ap_int: storage, result widths, and the few bit tricks it needs.
//
// Everything is a small always-inline function of `_BitInt` values without loops, so that LLVM sees
// plain iN arithmetic after inlining and SROA.  `nodebug` gives inlined instructions the location
// of the user's line instead of a line in here.
#ifndef HLSC_AP_BITS_H
#define HLSC_AP_BITS_H

#ifndef __clang__
#error "hlsc's ap_int.h needs clang (its _BitInt); with another compiler use the vendor's headers"
#endif
#ifndef __BITINT_MAXWIDTH__
#error "hlsc's ap_int.h needs a clang with _BitInt (version 15 or newer)"
#endif

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wbit-int-extension"

#define HLSC_AP_FN __attribute__((always_inline, nodebug)) inline

template <int W>
struct ap_int;
template <int W>
struct ap_uint;

namespace hlsc_ap {

template <int W, bool S>
struct ap_int_base;

constexpr int max_of(int a, int b) { return a > b ? a : b; }
constexpr int min_of(int a, int b) { return a < b ? a : b; }

template <bool C, class T = void>
struct enable {};
template <class T>
struct enable<true, T> {
  typedef T type;
};

template <class T>
struct bare {
  typedef T type;
};
template <class T>
struct bare<T&> : bare<T> {};
template <class T>
struct bare<T&&> : bare<T> {};
template <class T>
struct bare<const T> : bare<T> {};

/// What a member holds (`store`) and what arithmetic takes (`value`).
///
/// They differ for one type only: `signed _BitInt(1)` is illegal, so ap_int<1> holds an unsigned
/// bit and computes with two bits.
template <int W, bool S>
struct bits {
  typedef _BitInt(W) store;
  typedef _BitInt(W) value;
};
template <int W>
struct bits<W, false> {
  typedef unsigned _BitInt(W) store;
  typedef unsigned _BitInt(W) value;
};
template <>
struct bits<1, true> {
  typedef unsigned _BitInt(1) store;
  typedef _BitInt(2) value;
};

/// The C integer that an ap_int converts to on its own, as in the Xilinx headers.
template <bool S>
struct c_ret {
  typedef long long type;
};
template <>
struct c_ret<false> {
  typedef unsigned long long type;
};

/// Constructor tag: the argument is a _BitInt (or C integer) whose low bits are the result.
struct raw {};

// C integers as operands: width and sign.  Unscoped enumerations count as what they promote to.

template <int W, bool S>
struct c_type {
  static constexpr bool is = true;
  static constexpr int width = W;
  static constexpr bool sign = S;
};
struct not_c_type {
  static constexpr bool is = false;
};

template <class T, bool Enum>
struct c_enum : not_c_type {};

template <class T>
struct c_int : c_enum<T, __is_enum(T) && __is_convertible_to(T, int)> {};

#define HLSC_C_INT(T) \
  template <>         \
  struct c_int<T> : c_type<int(sizeof(T)) * 8, (static_cast<T>(-1) < static_cast<T>(0))> {};
HLSC_C_INT(char)
HLSC_C_INT(signed char)
HLSC_C_INT(unsigned char)
HLSC_C_INT(short)
HLSC_C_INT(unsigned short)
HLSC_C_INT(int)
HLSC_C_INT(unsigned int)
HLSC_C_INT(long)
HLSC_C_INT(unsigned long)
HLSC_C_INT(long long)
HLSC_C_INT(unsigned long long)
#ifdef __SIZEOF_INT128__
HLSC_C_INT(__int128)
HLSC_C_INT(unsigned __int128)
#endif
#undef HLSC_C_INT
template <>
struct c_int<bool> : c_type<1, false> {};

template <class T>
struct c_enum<T, true> : c_int<decltype(+T())> {};

/// ap_int or ap_uint of width W.
template <int W, bool S>
struct make {
  typedef ap_int<W> type;
};
template <int W>
struct make<W, false> {
  typedef ap_uint<W> type;
};

/// Width and sign of every binary operator's result, as in the Xilinx headers.
template <int W1, bool S1, int W2, bool S2>
struct widths {
  static constexpr bool sign = S1 || S2;
  static constexpr int both = max_of(W1 + (S2 && !S1), W2 + (S1 && !S2));
  typedef typename make<both + 1, sign>::type plus;
  typedef typename make<both + 1, true>::type minus;
  typedef typename make<W1 + W2, sign>::type mult;
  typedef typename make<W1 + S2, sign>::type div;
  typedef typename make<min_of(W1, W2 + (S1 && !S2)), S1>::type mod;
  typedef typename make<both, sign>::type logic;
  typedef typename make<W1, S1>::type arg1;
  /// holds both operands and the quotient, by value
  typedef typename bits<both + 1, sign>::value quotient;
  /// holds both operands, by value
  typedef typename bits<both, sign>::value common;
};

/// A raw number on its way out of a function.
///
/// No function here takes or returns a `_BitInt` itself: calling conventions split one of 65 to 128
/// bits into two words, which LLVM does not put together again.  References and classes are clean.
template <int W>
struct box {
  unsigned _BitInt(W) v;
};

// Too large a shift count (unsigned here) gives 0 or the sign, as the value would.

/// A count of N bits that cannot reach W needs no comparison (nor hardware for it).
template <int W, int N>
struct always_below {
  static constexpr bool is = N < 14 && (1 << (N < 14 ? N : 0)) <= W;
};

template <int W, int N>
HLSC_AP_FN constexpr bool below(const unsigned _BitInt(N) & n) {
  return always_below<W, N>::is || static_cast<unsigned _BitInt(max_of(N, 16))>(n) < W;
}

template <int W, int N>
HLSC_AP_FN constexpr box<W> shift_left(const unsigned _BitInt(W) & v,
                                       const unsigned _BitInt(N) & n) {
  return {below<W, N>(n) ? static_cast<unsigned _BitInt(W)>(v << static_cast<unsigned>(n))
                         : static_cast<unsigned _BitInt(W)>(0)};
}

template <int W, bool S, int N>
HLSC_AP_FN constexpr box<W> shift_right(const typename bits<W, S>::value& v,
                                        const unsigned _BitInt(N) & n) {
  typedef unsigned _BitInt(W) U;
  return {S ? static_cast<U>(v >> (below<W, N>(n) ? static_cast<unsigned>(n) : W - 1u))
            : (below<W, N>(n) ? static_cast<U>(v >> static_cast<unsigned>(n)) : static_cast<U>(0))};
}

// Bit reversal: log2 steps of swapped neighbours, each a pair of constant shifts and masks.

constexpr int power_above(int w, int p = 1) { return p >= w ? p : power_above(w, 2 * p); }

template <int P, int Step>
struct swap_steps {
  typedef unsigned _BitInt(P) U;
  static constexpr U mask =  // ...0011 with runs of Step ones
      static_cast<U>(-1) /
      static_cast<U>((static_cast<U>(1) << (Step < P ? Step : 0)) + static_cast<U>(1));
  static HLSC_AP_FN constexpr box<P> run(const U& v) {
    return swap_steps<P, Step / 2>::run(
        static_cast<U>(((v & U(mask)) << Step) | ((v >> Step) & U(mask))));
  }
};
template <int P>
struct swap_steps<P, 0> {
  static HLSC_AP_FN constexpr box<P> run(const unsigned _BitInt(P) & v) { return {v}; }
};

template <int W>
struct reversal {
  static constexpr int P = power_above(W);
  static constexpr int spare = P - W;
};

template <int W>
HLSC_AP_FN constexpr box<W> reversed(const unsigned _BitInt(W) & v) {
  return {static_cast<unsigned _BitInt(W)>(swap_steps<reversal<W>::P, reversal<W>::P / 2>::run(
                                               static_cast<unsigned _BitInt(reversal<W>::P)>(v))
                                               .v >>
                                           reversal<W>::spare)};
}

// Parity: halves folded onto each other.

template <int W>
struct fold {
  static constexpr int H = (W + 1) / 2;
  static HLSC_AP_FN constexpr bool parity(const unsigned _BitInt(W) & v) {
    return fold<H>::parity(static_cast<unsigned _BitInt(H)>(v ^ (v >> int(H))));
  }
};
template <>
struct fold<1> {
  static HLSC_AP_FN constexpr bool parity(const unsigned _BitInt(1) & v) { return v != 0; }
};

// Part selects of W bits at run-time positions; hi < lo selects the reversed bits.

template <int W>
HLSC_AP_FN constexpr box<W> low_mask(int length) {
  return {static_cast<unsigned _BitInt(W)>(
      static_cast<unsigned _BitInt(W)>(~static_cast<unsigned _BitInt(W)>(0)) >> (W - length))};
}

template <int W>
HLSC_AP_FN constexpr box<W> get_up(const unsigned _BitInt(W) & v, int hi, int lo) {
  return {static_cast<unsigned _BitInt(W)>((v >> lo) & low_mask<W>(hi - lo + 1).v)};
}

template <int W>
HLSC_AP_FN constexpr box<W> reverse_low(const unsigned _BitInt(W) & v, int length) {
  return {static_cast<unsigned _BitInt(W)>(reversed<W>(v).v >> (W - length))};
}

template <int W>
HLSC_AP_FN constexpr box<W> get_range(const unsigned _BitInt(W) & v, int hi, int lo) {
  return hi >= lo ? get_up<W>(v, hi, lo) : reverse_low<W>(get_up<W>(v, lo, hi).v, lo - hi + 1);
}

template <int W>
HLSC_AP_FN constexpr box<W> put(const unsigned _BitInt(W) & old, const unsigned _BitInt(W) & part,
                                const unsigned _BitInt(W) & mask, int lo) {
  return {static_cast<unsigned _BitInt(W)>((old & ~(mask << lo)) | ((part & mask) << lo))};
}

template <int W>
HLSC_AP_FN constexpr box<W> set_range(const unsigned _BitInt(W) & old,
                                      const unsigned _BitInt(W) & part, int hi, int lo) {
  return hi >= lo
             ? put<W>(old, part, low_mask<W>(hi - lo + 1).v, lo)
             : put<W>(old, reverse_low<W>(part, lo - hi + 1).v, low_mask<W>(lo - hi + 1).v, hi);
}

}  // namespace hlsc_ap

#pragma clang diagnostic pop

#endif  // HLSC_AP_BITS_H
