// SPDX-License-Identifier: Apache-2.0
// ap_int<W> and ap_uint<W>: integers of any width from 1 to 4,096 bits.
//
// Results of operators are as wide as their values need (8 + 8 bits give 9, 8 * 8 give 16),
// comparison is by value, assignment and compound operators wrap; widths and values are those of
// the Xilinx headers.  What those get wrong is refused at compile time: / and % of an ap_int and an
// ap_uint, compound assignment to a part select, a number of more than 64 bits as a condition.
//
// With __HLSC_SYNTH__ defined nothing but the numbers is left: no printing, no text, no checks, no
// standard headers.
#ifndef HLSC_AP_INT_H
#define HLSC_AP_INT_H

#include "hlsc_ap_base.h"
#include "hlsc_ap_ref.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wbit-int-extension"

#ifndef __HLSC_SYNTH__
#define HLSC_FROM_TEXT(NAME) \
  NAME(const char* text, int radix = 0) : Base(text, radix) {}
#else
#define HLSC_FROM_TEXT(NAME)
#endif

// Base's constructors are not inherited: C++ leaves out the one that takes the base itself.
#define HLSC_NUMBER(NAME, S)                                                          \
  template <int W>                                                                    \
  struct NAME : hlsc_ap::ap_int_base<W, S> {                                          \
    typedef hlsc_ap::ap_int_base<W, S> Base;                                          \
    NAME() = default;                                                                 \
    template <class X>                                                                \
    HLSC_AP_FN constexpr NAME(hlsc_ap::raw t, const X& v) : Base(t, v) {}             \
    template <class T, class = typename hlsc_ap::enable<hlsc_ap::c_int<T>::is>::type> \
    HLSC_AP_FN constexpr NAME(T v) : Base(v) {}                                       \
    template <int W2, bool S2>                                                        \
    HLSC_AP_FN constexpr NAME(const hlsc_ap::ap_int_base<W2, S2>& v) : Base(v) {}     \
    template <int W2, bool S2>                                                        \
    HLSC_AP_FN constexpr NAME(const hlsc_ap::ap_range_ref<W2, S2>& v) : Base(v) {}    \
    template <int W2, bool S2>                                                        \
    HLSC_AP_FN constexpr NAME(const hlsc_ap::ap_bit_ref<W2, S2>& v) : Base(v) {}      \
    template <class A, class B>                                                       \
    HLSC_AP_FN constexpr NAME(const hlsc_ap::ap_concat_ref<A, B>& v) : Base(v) {}     \
    HLSC_AP_FN NAME(double v) : Base(v) {}                                            \
    HLSC_AP_FN NAME(float v) : Base(v) {}                                             \
    HLSC_FROM_TEXT(NAME)                                                              \
  };

HLSC_NUMBER(ap_int, true)
HLSC_NUMBER(ap_uint, false)
#undef HLSC_NUMBER
#undef HLSC_FROM_TEXT

#pragma clang diagnostic pop

#include "hlsc_ap_ops.h"

#ifndef __HLSC_SYNTH__
#include "hlsc_ap_sim.h"
#endif

// Names that code written for the Xilinx headers may use.
using hlsc_ap::ap_bit_ref;
using hlsc_ap::ap_concat_ref;
using hlsc_ap::ap_int_base;
using hlsc_ap::ap_range_ref;

#endif  // HLSC_AP_INT_H
