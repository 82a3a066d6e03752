// SPDX-License-Identifier: Apache-2.0
// Every operator on one pair of values.  / and % of mixed signs are left out: the Xilinx headers
// get them wrong, hlsc refuses them.
#ifndef TESTS_SHIM_PAIRS_H_
#define TESTS_SHIM_PAIRS_H_

#include "check.h"

template <bool Same>
struct Division {
  template <class A, class B>
  static void all(Tally&, Tally&, const A&, const B&) {}
};
template <>
struct Division<true> {
  template <class A, class B>
  static void all(Tally& t, Tally& assign, const A& a, const B& b) {
    if (b == 0) return;
    note(t, a / b);
    note(t, a % b);
    A x = a;
    x /= b;
    note(assign, x);
    x = a;
    x %= b;
    note(assign, x);
  }
};

struct Pair {
  Tally &arith, &logic, &shift, &compare, &assign, &divide, &divide_assign, &concat, &convert;
  explicit Pair(const std::string& n)
      : arith(tally("+-* " + n)),
        logic(tally("&|^ " + n)),
        shift(tally("<<>> " + n)),
        compare(tally("== < " + n)),
        assign(tally("op= " + n)),
        divide(tally("/% " + n)),
        divide_assign(tally("/= %= " + n)),
        concat(tally("concat " + n)),
        convert(tally("convert " + n)) {}

  template <int W1, bool S1, int W2, bool S2>
  void all(const typename number<W1, S1>::type& a, const typename number<W2, S2>::type& b) {
    typedef typename number<W1, S1>::type A;
    typedef typename number<W2, S2>::type B;
    const int max_width = W1 > W2 ? W1 : W2;
    note(arith, a + b);
    note(arith, a - b);
    note(arith, a * b);
    note(logic, a & b);
    note(logic, a | b);
    note(logic, a ^ b);
    // The Xilinx headers cut the size of a count to 32 bits.
    const B beyond = b >> 31;
    const bool countable = beyond == 0 || (S2 && beyond == -1);
    if (countable) {
      note(shift, a << b);
      note(shift, a >> b);
    }
    const bool order[] = {a == b, a != b, a<b, a <= b, a> b, a >= b};
    unsigned all_orders = 0;
    for (bool o : order) all_orders = all_orders * 2 + o;
    // Of mixed signs, from 32 bits on, the Xilinx headers compare as C does (test_shim_values does
    // it).
    if (S1 == S2 || max_width < 32) note(compare, static_cast<unsigned long long>(all_orders));
#define ASSIGN(OP)   \
  {                  \
    A x = a;         \
    x OP b;          \
    note(assign, x); \
  }
    ASSIGN(+=)
    ASSIGN(-=)
    ASSIGN(*=)
    ASSIGN(&=)
    ASSIGN(|=)
    ASSIGN(^=)
    if (countable) {
      ASSIGN(<<=)
      ASSIGN(>>=)
    }
#undef ASSIGN
    Division<S1 == S2>::all(divide, divide_assign, a, b);
    A x = a;
    B y = b;
    const ap_uint<W1 + W2> joined = (x, y);
    note(concat, joined);
    note(concat, ap_uint<W1 + W2>(x.concat(y)));
    (x, y) = joined + 1;
    note(concat, x);
    note(concat, y);
    note(convert, A(b));
    x = b;
    note(convert, x);
  }
};

#endif  // TESTS_SHIM_PAIRS_H_
