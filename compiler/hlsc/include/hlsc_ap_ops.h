// SPDX-License-Identifier: Apache-2.0
// Binary operators between ap_int, part selects, concatenations and C integers.
//
// They live in the namespace of ap_int_base, so only argument-dependent lookup finds them.  A C
// integer is taken by value: by reference it would odr-use `static const` members of config
// structs.
#ifndef HLSC_AP_OPS_H
#define HLSC_AP_OPS_H

#include "hlsc_ap_ref.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wbit-int-extension"

namespace hlsc_ap {

// ---- operands
// --------------------------------------------------------------------------------------

enum kind { none = 0, number_k = 1, range_k = 2, bit_k = 4, concat_k = 8, c_k = 16 };

template <int K, int W, bool S>
struct operand_info {
  static constexpr int k = K;
  static constexpr int width = W;
  static constexpr bool sign = S;
};

// Overloads find the base of a user's class derived from ap_int too.
struct probe {
  template <int W, bool S>
  static operand_info<number_k, W, S> of(const ap_int_base<W, S>*);
  template <int W, bool S>
  static operand_info<range_k, W, false> of(const ap_range_ref<W, S>*);
  template <int W, bool S>
  static operand_info<bit_k, 1, false> of(const ap_bit_ref<W, S>*);
  template <class A, class B>
  static operand_info<concat_k, ap_concat_ref<A, B>::width, false> of(const ap_concat_ref<A, B>*);
  static operand_info<none, 1, false> of(...);
};

template <class T, bool C>
struct operand_c : operand_info<none, 1, false> {};
template <class T>
struct operand_c<T, true> : operand_info<c_k, c_int<T>::width, c_int<T>::sign> {};

template <class T, bool Class = __is_class(T)>
struct operand : operand_c<T, c_int<T>::is> {};
template <class T>
struct operand<T, true> : decltype(probe::of(static_cast<const T*>(nullptr))){};

// The object whose V is the operand's number.
template <int W, bool S>
HLSC_AP_FN constexpr typename numeric<W, S>::type num(const ap_int_base<W, S>& x) {
  return numeric<W, S>::of(x);
}
template <int W, bool S>
HLSC_AP_FN constexpr ap_uint<W> num(const ap_range_ref<W, S>& x) {
  return x.get();
}
template <int W, bool S>
HLSC_AP_FN constexpr ap_uint<1> num(const ap_bit_ref<W, S>& x) {
  return ap_uint<1>(x.get());
}
template <class A, class B>
HLSC_AP_FN constexpr ap_uint<ap_concat_ref<A, B>::width> num(const ap_concat_ref<A, B>& x) {
  return x.get();
}

// Which pairs have operators here.  A bit select is a bool: with a C integer, another bit or a part
// select the built-in operator applies (x[3] << 3 is the int 8), as in the Xilinx headers.
constexpr bool ap_pair(int a, int b) {
  return a != none && b != none && a != c_k && b != c_k &&
         !(a == bit_k && (b == bit_k || b == range_k)) && !(a == range_k && b == bit_k);
}
constexpr bool c_right(int a, int b) { return b == c_k && (a & (number_k | range_k | concat_k)); }

template <class A, class B>
struct pair_widths
    : widths<operand<A>::width, operand<A>::sign, operand<B>::width, operand<B>::sign> {};
struct no_widths {};

template <bool Is, class A, class B>
struct widths_if : no_widths {};
template <class A, class B>
struct widths_if<true, A, B> : pair_widths<A, B> {};

template <class A, class B>
struct of_ap : widths_if<ap_pair(operand<A>::k, operand<B>::k), A, B> {};
template <class A, class C>
struct of_ap_c : widths_if<c_right(operand<A>::k, operand<C>::k), A, C> {};
template <class C, class B>
struct of_c_ap : widths_if<c_right(operand<B>::k, operand<C>::k), C, B> {};

// ---- + - * & | ^
// -----------------------------------------------------------------------------------

// Every result is wide enough, so computing in its own type never overflows.
#define HLSC_BODY(R, OP, X, Y)                            \
  typedef typename bits<R::width, R::sign_flag>::value T; \
  return R(raw(), static_cast<T>(X) OP static_cast<T>(Y))

#define HLSC_BINARY(OP, RESULT)                                                       \
  template <class A, class B, class R = typename of_ap<A, B>::RESULT>                 \
  HLSC_AP_FN constexpr R operator OP(const A& a, const B& b) {                        \
    HLSC_BODY(R, OP, num(a).V, num(b).V);                                             \
  }                                                                                   \
  template <class A, class C, class R = typename of_ap_c<A, C>::RESULT, class = void> \
  HLSC_AP_FN constexpr R operator OP(const A& a, C c) {                               \
    HLSC_BODY(R, OP, num(a).V, c);                                                    \
  }                                                                                   \
  template <class C, class B, class R = typename of_c_ap<C, B>::RESULT, class = void, \
            class = void>                                                             \
  HLSC_AP_FN constexpr R operator OP(C c, const B& b) {                               \
    HLSC_BODY(R, OP, c, num(b).V);                                                    \
  }

HLSC_BINARY(+, plus)
HLSC_BINARY(-, minus)
HLSC_BINARY(*, mult)
HLSC_BINARY(&, logic)
HLSC_BINARY(|, logic)
HLSC_BINARY(^, logic)
#undef HLSC_BINARY
#undef HLSC_BODY

// ---- / %
// -------------------------------------------------------------------------------------------

#ifndef __HLSC_SYNTH__
[[noreturn]] void bad_divisor();
template <class T>
HLSC_AP_FN constexpr const T& divisor(const T& v) {
  return v == 0 ? (bad_divisor(), v) : v;
}
#else
template <class T>
HLSC_AP_FN constexpr const T& divisor(const T& v) {
  return v;
}
#endif

// With a C integer: an ap_uint takes a signed one (x % 3), which must not be negative; an ap_int
// does not take an unsigned one.  That is where the Xilinx headers are right.
#ifndef __HLSC_SYNTH__
[[noreturn]] void bad_sign();
template <bool Mixed, class T>
HLSC_AP_FN constexpr const T& not_negative(const T& v) {
  return Mixed && v < 0 ? (bad_sign(), v) : v;
}
#else
template <bool Mixed, class T>
HLSC_AP_FN constexpr const T& not_negative(const T& v) {
  return v;
}
#endif

#define HLSC_SAME_SIGN(OK)                                                                        \
  static_assert(OK,                                                                               \
                "both operands of / and % must be signed or both unsigned, not one of each: the " \
                "Xilinx headers give wrong results there; convert one, as in ap_int<W + 1>(u)")

#define HLSC_DIVIDE(OP, RESULT, C_LEFT)                                                           \
  template <class A, class B, class R = typename of_ap<A, B>::RESULT>                             \
  HLSC_AP_FN constexpr R operator OP(const A& a, const B& b) {                                    \
    HLSC_SAME_SIGN(operand<A>::sign == operand<B>::sign);                                         \
    typedef typename of_ap<A, B>::quotient T;                                                     \
    return R(raw(), static_cast<T>(num(a).V) OP divisor(static_cast<T>(num(b).V)));               \
  }                                                                                               \
  template <class A, class C, class R = typename of_ap_c<A, C>::RESULT, class = void>             \
  HLSC_AP_FN constexpr R operator OP(const A& a, C c) {                                           \
    HLSC_SAME_SIGN(!operand<A>::sign || operand<C>::sign);                                        \
    typedef typename of_ap_c<A, C>::quotient T;                                                   \
    return R(raw(), static_cast<T>(num(a).V) OP divisor(not_negative < !operand<A>::sign &&       \
                                                        operand<C>::sign > (static_cast<T>(c)))); \
  }                                                                                               \
  template <class C, class B, class R = typename of_c_ap<C, B>::RESULT, class = void,             \
            class = void>                                                                         \
  HLSC_AP_FN constexpr R operator OP(C c, const B& b) {                                           \
    static_assert(C_LEFT || always_false<C>::is,                                                  \
                  "the dividend must be an ap_int or ap_uint, not a C integer: the Xilinx "       \
                  "headers cut the quotient to the divisor's width; write ap_int<32>(c) / x");    \
    HLSC_SAME_SIGN(!operand<B>::sign || operand<C>::sign);                                        \
    typedef typename of_c_ap<C, B>::quotient T;                                                   \
    return R(raw(),                                                                               \
             not_negative < !operand<B>::sign &&                                                  \
                 operand<C>::sign > (static_cast<T>(c))OP divisor(static_cast<T>(num(b).V)));     \
  }

HLSC_DIVIDE(/, div, false)
HLSC_DIVIDE(%, mod, true)
#undef HLSC_DIVIDE
#undef HLSC_SAME_SIGN

// ---- comparison, by value
// --------------------------------------------------------------------------

#define HLSC_COMPARE(OP)                                                              \
  template <class A, class B, class T = typename of_ap<A, B>::common>                 \
  HLSC_AP_FN constexpr bool operator OP(const A& a, const B& b) {                     \
    return static_cast<T>(num(a).V) OP static_cast<T>(num(b).V);                      \
  }                                                                                   \
  template <class A, class C, class T = typename of_ap_c<A, C>::common, class = void> \
  HLSC_AP_FN constexpr bool operator OP(const A& a, C c) {                            \
    return static_cast<T>(num(a).V) OP static_cast<T>(c);                             \
  }                                                                                   \
  template <class C, class B, class T = typename of_c_ap<C, B>::common, class = void, \
            class = void>                                                             \
  HLSC_AP_FN constexpr bool operator OP(C c, const B& b) {                            \
    return static_cast<T>(c) OP static_cast<T>(num(b).V);                             \
  }

HLSC_COMPARE(==)
HLSC_COMPARE(!=)
HLSC_COMPARE(<)
HLSC_COMPARE(<=)
HLSC_COMPARE(>)
HLSC_COMPARE(>=)
#undef HLSC_COMPARE

// ---- shifts: the left operand's width; a negative count shifts the other way
// --------------------------

template <int W, bool S, int N, bool NS>
struct shifter {
  typedef typename bits<W, S>::value T;
  typedef typename bits<N, NS>::value Count;
  typedef unsigned _BitInt(W) U;
  typedef unsigned _BitInt(N) UN;
  static HLSC_AP_FN constexpr box<W> left(const T& v, const Count& n) {
    return n < 0 ? shift_right<W, S, N>(v, static_cast<UN>(UN(0) - static_cast<UN>(n)))
                 : shift_left<W, N>(static_cast<U>(v), static_cast<UN>(n));
  }
  static HLSC_AP_FN constexpr box<W> right(const T& v, const Count& n) {
    return n < 0 ? shift_left<W, N>(static_cast<U>(v), static_cast<UN>(UN(0) - static_cast<UN>(n)))
                 : shift_right<W, S, N>(v, static_cast<UN>(n));
  }
};
template <int W, bool S, int N>
struct shifter<W, S, N, false> {
  typedef typename bits<W, S>::value T;
  typedef unsigned _BitInt(W) U;
  typedef unsigned _BitInt(N) Count;
  static HLSC_AP_FN constexpr box<W> left(const T& v, const Count& n) {
    return shift_left<W, N>(static_cast<U>(v), n);
  }
  static HLSC_AP_FN constexpr box<W> right(const T& v, const Count& n) {
    return shift_right<W, S, N>(v, n);
  }
};

template <class A, class B>
struct shift_of
    : shifter<operand<A>::width, operand<A>::sign, operand<B>::width, operand<B>::sign> {};

#define HLSC_SHIFT(OP, FN)                                                                  \
  template <class A, class B, class R = typename of_ap<A, B>::arg1>                         \
  HLSC_AP_FN constexpr R operator OP(const A& a, const B& b) {                              \
    return R(raw(), shift_of<A, B>::FN(num(a).V, num(b).V).v);                              \
  }                                                                                         \
  template <class A, class C, class R = typename of_ap_c<A, C>::arg1, class = void>         \
  HLSC_AP_FN constexpr R operator OP(const A& a, C c) {                                     \
    typedef typename bits<operand<C>::width, operand<C>::sign>::value Count;                \
    return R(raw(), shift_of<A, C>::FN(num(a).V, static_cast<Count>(c)).v);                 \
  }                                                                                         \
  template <class C, class B,                                                               \
            class R = typename enable<operand<B>::k == range_k, of_c_ap<C, B>>::type::arg1, \
            class = void, class = void>                                                     \
  HLSC_AP_FN constexpr R operator OP(C c, const B& b) {                                     \
    typedef typename bits<operand<C>::width, operand<C>::sign>::value Left;                 \
    return R(raw(), shift_of<C, B>::FN(static_cast<Left>(c), num(b).V).v);                  \
  }

HLSC_SHIFT(<<, left)
HLSC_SHIFT(>>, right)
#undef HLSC_SHIFT

// ---- compound assignment wraps
// ---------------------------------------------------------------------

#define HLSC_ASSIGN(OP, BINARY)                                                           \
  template <int W, bool S, class B, class = typename of_ap<ap_int_base<W, S>, B>::plus>   \
  HLSC_AP_FN ap_int_base<W, S>& operator OP(ap_int_base<W, S>& a, const B& b) {           \
    return a = ap_int_base<W, S>(a BINARY b);                                             \
  }                                                                                       \
  template <int W, bool S, class C, class = typename of_ap_c<ap_int_base<W, S>, C>::plus, \
            class = void>                                                                 \
  HLSC_AP_FN ap_int_base<W, S>& operator OP(ap_int_base<W, S>& a, C c) {                  \
    return a = ap_int_base<W, S>(a BINARY c);                                             \
  }

HLSC_ASSIGN(+=, +)
HLSC_ASSIGN(-=, -)
HLSC_ASSIGN(*=, *)
HLSC_ASSIGN(/=, /)
HLSC_ASSIGN(%=, %)
HLSC_ASSIGN(&=, &)
HLSC_ASSIGN(|=, |)
HLSC_ASSIGN(^=, ^)
HLSC_ASSIGN(<<=, <<)
HLSC_ASSIGN(>>=, >>)
#undef HLSC_ASSIGN

// ---- unary
// -----------------------------------------------------------------------------------------

template <int W, bool S>
HLSC_AP_FN constexpr typename make<W, S>::type operator+(const ap_int_base<W, S>& a) {
  return typename make<W, S>::type(raw(), a.V);
}
template <int W, bool S>
HLSC_AP_FN constexpr typename widths<1, false, W, S>::minus operator-(const ap_int_base<W, S>& a) {
  return ap_int_base<1, false>(0) - a;
}
template <int W, bool S>
HLSC_AP_FN constexpr typename make<W, S>::type operator~(const ap_int_base<W, S>& a) {
  return typename make<W, S>::type(raw(), ~static_cast<unsigned _BitInt(W)>(a.V));
}
template <int W, bool S>
HLSC_AP_FN constexpr bool operator!(const ap_int_base<W, S>& a) {
  return a.V == 0;
}

// ---- floating point (test benches): the number as a double of any width
// ------------------------------

#define HLSC_FLOAT_OP(OP, T, RESULT)                               \
  template <int W, bool S>                                         \
  HLSC_AP_FN RESULT operator OP(const ap_int_base<W, S>& a, T b) { \
    return static_cast<T>(num(a).V) OP b;                          \
  }                                                                \
  template <int W, bool S>                                         \
  HLSC_AP_FN RESULT operator OP(T a, const ap_int_base<W, S>& b) { \
    return a OP static_cast<T>(num(b).V);                          \
  }
#define HLSC_FLOAT(T)        \
  HLSC_FLOAT_OP(+, T, T)     \
  HLSC_FLOAT_OP(-, T, T)     \
  HLSC_FLOAT_OP(*, T, T)     \
  HLSC_FLOAT_OP(/, T, T)     \
  HLSC_FLOAT_OP(<, T, bool)  \
  HLSC_FLOAT_OP(>, T, bool)  \
  HLSC_FLOAT_OP(<=, T, bool) \
  HLSC_FLOAT_OP(>=, T, bool) \
  HLSC_FLOAT_OP(==, T, bool) \
  HLSC_FLOAT_OP(!=, T, bool)
HLSC_FLOAT(float)
HLSC_FLOAT(double)
#undef HLSC_FLOAT
#undef HLSC_FLOAT_OP

// ---- pointers move by the number
// -------------------------------------------------------------------

template <class P, int W, bool S>
HLSC_AP_FN constexpr P* operator+(P* p, const ap_int_base<W, S>& n) {
  return p + n.to_int64();
}
template <class P, int W, bool S>
HLSC_AP_FN constexpr P* operator+(const ap_int_base<W, S>& n, P* p) {
  return p + n.to_int64();
}
template <class P, int W, bool S>
HLSC_AP_FN constexpr P* operator-(P* p, const ap_int_base<W, S>& n) {
  return p - n.to_int64();
}

// ---- (a, b)
// ----------------------------------------------------------------------------------------

// How an argument becomes a part: a number as its base class (const if it cannot be written), a
// reference as itself.
template <int W, bool S>
ap_int_base<W, S> part_of(ap_int_base<W, S>*);
template <int W, bool S>
const ap_int_base<W, S> part_of(const ap_int_base<W, S>*);
template <int W, bool S>
ap_range_ref<W, S> part_of(const ap_range_ref<W, S>*);
template <int W, bool S>
ap_bit_ref<W, S> part_of(const ap_bit_ref<W, S>*);
template <class A, class B>
ap_concat_ref<A, B> part_of(const ap_concat_ref<A, B>*);

template <class T>
struct part_type {  // of a temporary
  typedef decltype(part_of(static_cast<const T*>(nullptr))) type;
};
template <class T>
struct part_type<T&> {
  typedef decltype(part_of(static_cast<T*>(nullptr))) type;
};

template <class A, class B>
struct can_concat {
  static constexpr int a = operand<typename bare<A>::type>::k;
  static constexpr int b = operand<typename bare<B>::type>::k;
  static constexpr bool ap = a != none && b != none && a != c_k && b != c_k;
  static constexpr bool c = a != none && a != c_k && b == c_k;
};

template <class A, class B, class = typename enable<can_concat<A, B>::ap>::type>
HLSC_AP_FN ap_concat_ref<typename part_type<A>::type, typename part_type<B>::type> operator,(
    A&& a, B&& b) {
  return {a, b};
}

// With a C integer it is a number of the type's width.
template <class A, class C, class = typename enable<can_concat<A, C>::c>::type, class = void>
HLSC_AP_FN ap_uint<operand<A>::width + operand<C>::width> operator,(const A& a, C c) {
  typedef ap_int_base<operand<C>::width, operand<C>::sign> Low;
  return (a, Low(c)).get();
}
template <class C, class B, class = typename enable<can_concat<B, C>::c>::type, class = void,
          class = void>
HLSC_AP_FN ap_uint<operand<C>::width + operand<B>::width> operator,(C c, const B& b) {
  typedef ap_int_base<operand<C>::width, operand<C>::sign> High;
  return (High(c), b).get();
}

}  // namespace hlsc_ap

#pragma clang diagnostic pop

#endif  // HLSC_AP_OPS_H
