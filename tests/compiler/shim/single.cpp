// SPDX-License-Identifier: Apache-2.0
// One number alone: unary operators, selects, reductions, conversions, text, and C integers beside
// it.
#include <iostream>
#include <sstream>
#include <type_traits>

#include "check.h"

static Random source;

template <class T>
std::string printed(const T& x) {
  std::ostringstream os;
  os << x;
  return os.str();
}

template <int W, bool S>
struct One {
  typedef typename number<W, S>::type A;
  const std::string n = type_name<W, S>();
  Tally &unary = tally("unary " + n), &select = tally("select " + n), &set = tally("set " + n),
        &reduce = tally("reduce " + n), &to = tally("to " + n), &text = tally("text " + n),
        &bits = tally("bits " + n), &real = tally("real " + n);

  void all(const A& a) {
    note(unary, +a);
    note(unary, -a);
    note(unary, ~a);
    note(unary, !a);
    A x = a;
    note(unary, A(++x));
    note(unary, A(--x));
    note(unary, x++);
    note(unary, x--);
    note(unary, x);

    note(reduce, a.and_reduce());
    note(reduce, a.or_reduce());
    // The Xilinx headers are wrong on nand of more than 64 bits, and on parity of signed numbers.
    note(reduce, a.nor_reduce());
    if (W <= 64) note(reduce, a.nand_reduce());
    if (!S) note(reduce, a.xor_reduce());
    if (!S) note(reduce, a.xnor_reduce());
    note(reduce, a.sign());
    note(reduce, a.iszero());
    note(reduce, static_cast<unsigned long long>(x.countLeadingZeros()));
    note(reduce, static_cast<unsigned long long>(a.length()));

    note(to, static_cast<unsigned long long>(a.to_int()));
    note(to, static_cast<unsigned long long>(a.to_uint()));
    note(to, static_cast<unsigned long long>(a.to_int64()));
    note(to, static_cast<unsigned long long>(a.to_uint64()));
    note(to, static_cast<unsigned long long>(a.to_char()));
    note(to, static_cast<unsigned long long>(a.to_ushort()));
    if (W <= 64) note(to, a.to_bool());  // they look at the low 64 bits only
    note(to, static_cast<unsigned long long>(static_cast<int>(a)));
    note(to, static_cast<unsigned long long>(static_cast<unsigned char>(a)));
    note(to, static_cast<unsigned long long>(a));
    if (W <= 33)
      note(to, static_cast<unsigned long long>(static_cast<long long>(a.to_double() * 4)));

    if (W <= 64) {  // of wide numbers their prefixes and leading zeros follow other rules
      note(text, a.to_string(2));
      note(text, a.to_string(8));
      note(text, a.to_string(16));
      note(text, a.to_string(16, false));
    }
    note(text, a.to_string(10));
    note(text, printed(a));
    note(text, A(a.to_string(10).c_str(), 10));
    note(text, A(a.to_string(16).c_str(), 16));
    note(text, A(a.to_string(10).c_str()));

    x = a;
    x.reverse();
    note(bits, x);
    x = a;
    x.b_not();
    note(bits, x);
  }

  // Selects and stores at all positions (few of them when the number is wide).
  void selects(const A& a, const ap_uint<W>& other) {
    const int step = W > 12 ? W / 5 : 1;
    for (int i = 0; i < W; i += step) {
      A x = a;
      note(select, static_cast<bool>(x[i]));
      note(select, a[i]);
      note(select, a.test(i));
      note(set, A(x << i));
      x[i] = other[W - 1 - i];
      note(set, x);
      x.set_bit(i, !a[i]);
      note(set, x);
      x.invert(i);
      note(set, x);
      x.clear(i);
      note(set, x);
      x.set(i);
      note(set, x);
      x = a;
      x.lrotate(i);
      if (!S) note(set, x);  // they fill with the sign
      x.rrotate(W - 1 - i);
      if (!S) note(set, x);
      for (int j = 0; j < W; j += step) {
        x = a;
        note(select, ap_uint<W>(x(i, j)));
        note(select, ap_uint<W>(a.range(i, j)));
        note(select, static_cast<unsigned long long>(x(i, j)));
        // A part select is unsigned; of a signed source they mark the result signed nevertheless.
        note(select, ap_int<W + 2>(x(i, j) + other));
        note(select, ap_int<W + 2>(other - x(i, j)));
        if (!S) note(select, x(i, j) + other);
        if (!S) note(select, x(i, j) * other);
        note(select, x(i, j) == other);
        note(select, x(i, j) + 1);
        note(select, x(i, j) << 1);
        note(select, static_cast<unsigned long long>(x(i, j).length()));
        note(select, x(i, j).or_reduce() || true);
        const ap_uint<2 * W> joined = (x(i, j), other);
        note(select, joined);
        const ap_uint<2 * W> reverse = (other, x(i, j));
        note(select, reverse);
        const ap_uint<W + 1> with_bit = (x[i], x(i, j));
        note(select, with_bit);
        x(i, j) = other;
        note(set, x);
        x(i, j) = -3;
        note(set, x);
        x(i, j) = a(j, i);
        note(set, x);
        ap_uint<W> y = other;
        (x(i, j), y) = ap_uint<2 * W>((a, other));
        note(set, x);
        note(set, y);
        (y, x(j, i), x[i]) = a;
        note(set, x);
        note(set, y);
      }
    }
    note(select, ap_uint<W>(a.range()));
  }

  template <class C, bool Unsigned>
  void with(const char* name, const A& a, C c) {
    Tally& t = tally(std::string("C ") + name + " " + n);
    note(t, a + c);
    note(t, c + a);
    note(t, a - c);
    note(t, c - a);
    note(t, a * c);
    note(t, c * a);
    note(t, a & c);
    note(t, c | a);
    note(t, a ^ c);
    if (S != Unsigned) {  // like signs: see pairs.h
      note(t, a == c);
      note(t, a < c);
      note(t, a >= c);
      note(t, c < a);
      note(t, c != a);
    }
    note(t, A(c));
    const int count = static_cast<int>(c % 40);
    note(t, a << count);
    note(t, a >> count);
    note(t, a << static_cast<unsigned>(count & 63));
    A x = a;
    x += c;
    note(t, x);
    x -= c;
    x *= c;
    note(t, x);
    x ^= c;
    x |= c;
    x &= c;
    note(t, x);
    x <<= count;
    note(t, x);
    x = c;
    note(t, x);
    const ap_uint<W + 8 * sizeof(C)> low = (a, c);
    note(t, low);
    const ap_uint<W + 8 * sizeof(C)> high = (c, a);
    note(t, high);
    divided<S == Unsigned, Unsigned>(t, a, c, nullptr);
  }

  // Like signs; or an unsigned number with a signed C integer that is not negative.  (A C integer
  // divided by a number is refused: they give the quotient the wrong width.)
  template <bool Mixed, bool Unsigned, class C>
  void divided(Tally& t, const A& a, C c, typename std::enable_if<!(Mixed && Unsigned)>::type*) {
    if (Mixed && c < 0) return;
    if (c != 0) {
      note(t, a / c);
      note(t, a % c);
    }
    if (a != 0) note(t, static_cast<unsigned long long>(c % a));
  }
  template <bool Mixed, bool Unsigned, class C>
  void divided(Tally&, const A&, C, typename std::enable_if<Mixed && Unsigned>::type*) {}

  void reals(double d) {
    note(real, A(d));
    note(real, A(static_cast<float>(d)));
  }
};

template <int W, bool S>
void run(int values) {
  One<W, S> one;
  static const double reals[] = {0.0,  0.25, -0.75, 1.5,   -1.5,   3.999, -3.999, 127.5,
                                 -128, 1e9,  -1e9,  2.5e9, 4.3e12, -7e15, 1e-30,  65535.99};
  for (double d : reals) one.reals(d);
  for (int i = 0; i < values; ++i) {
    const ap_uint<W> raw = W <= 5 && i < 1 << (W <= 5 ? W : 0) ? ap_uint<W>(i) : source.value<W>();
    const typename number<W, S>::type a = raw;
    one.all(a);
    if (i % 4 == 0) one.selects(a, source.value<W>());
    const uint64_t r = i < 8 ? ~uint64_t(0) << (i * 8) : source.next();
    one.template with<signed char, false>("schar", a, static_cast<signed char>(r));
    one.template with<unsigned short, true>("ushort", a, static_cast<unsigned short>(r));
    one.template with<int, false>("int", a, static_cast<int>(r));
    one.template with<unsigned, true>("unsigned", a, static_cast<unsigned>(r));
    one.template with<long long, false>("llong", a, static_cast<long long>(r));
    one.template with<unsigned long, true>("ulong", a, static_cast<unsigned long>(r));
  }
}

template <int W>
void both(int values) {
  run<W, false>(values);
  run<W, true>(values);
}

int main(int argc, char** argv) {
  source.state = argc > 1 ? std::strtoull(argv[1], nullptr, 0) : 1;
  if (argc > 2) filter() = argv[2];
#if PART == 0
  both<1>(8);
  both<5>(32);
  both<33>(24);
  both<100>(24);
#else
  both<8>(64);
  both<64>(40);
  both<129>(40);
  both<512>(16);
#endif
  return report();
}
