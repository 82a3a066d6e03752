// SPDX-License-Identifier: Apache-2.0
// ap_int as text, and its failures: C-simulation only.
#ifndef HLSC_AP_SIM_H
#define HLSC_AP_SIM_H

#include <algorithm>
#include <istream>
#include <ostream>
#include <string>

#include "hlsc_ap_ops.h"
#include "hlsc_sim.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wbit-int-extension"

namespace hlsc_ap {

inline void bad_bit(int index, int width) {
  hlsc::sim::fail("the index of a bit of a number of " + std::to_string(width) +
                  " bits must be 0 to " + std::to_string(width - 1) + ", not " +
                  std::to_string(index));
}

inline void bad_range(int hi, int lo, int width) {
  hlsc::sim::fail("a part select of a number of " + std::to_string(width) +
                  " bits must stay within " + std::to_string(width - 1) + " to 0, not (" +
                  std::to_string(hi) + ", " + std::to_string(lo) + ")");
}

inline void bad_divisor() { hlsc::sim::fail("the divisor of / and % must not be zero"); }

inline void bad_sign() {
  hlsc::sim::fail(
      "a C integer in / or % with an ap_uint must not be negative (the Xilinx headers give wrong "
      "results); convert the ap_uint to an ap_int");
}

[[noreturn]] inline void bad_text(const char* text, int radix) {
  hlsc::sim::fail("the text of a number must be digits of radix " + std::to_string(radix) +
                  " (2, 8, 10 or 16), not '" + text + "'");
}

inline int digit_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return 99;
}

// 2, 8 or 16 for the prefixes 0b, 0o and 0x (either case), else 0.
inline int prefix_radix(const char* text) {
  if (text[0] != '0') return 0;
  switch (text[1]) {
    case 'b':
    case 'B':
      return 2;
    case 'o':
    case 'O':
      return 8;
    case 'x':
    case 'X':
      return 16;
    default:
      return 0;
  }
}

template <int W>
box<W> parse(const char* text, int radix) {
  typedef unsigned _BitInt(max_of(W, 8)) U;
  const char* p = text;
  const bool negative = *p == '-';
  if (*p == '-' || *p == '+') ++p;
  const int prefix = prefix_radix(p);
  if (radix == 0) radix = prefix ? prefix : 10;
  if (prefix == radix) p += 2;
  if (!*p || (radix != 2 && radix != 8 && radix != 10 && radix != 16)) bad_text(text, radix);
  U v = 0;
  for (; *p; ++p) {
    const int digit = digit_of(*p);
    if (digit >= radix) bad_text(text, radix);
    v = static_cast<U>(v * static_cast<U>(radix) + static_cast<U>(digit));
  }
  return {static_cast<unsigned _BitInt(W)>(negative ? static_cast<U>(U(0) - v) : v)};
}

template <int W, bool S>
std::string ap_int_base<W, S>::to_string(int radix, bool with_sign) const {
  typedef unsigned _BitInt(max_of(W, 8)) U;
  if (radix != 2 && radix != 8 && radix != 10 && radix != 16)
    hlsc::sim::fail("the radix of to_string must be 2, 8, 10 or 16, not " + std::to_string(radix));
  const bool negative = (with_sign || radix == 10) && radix != 2 && sign();
  U rest = static_cast<U>(raw_bits());
  if (negative) rest = static_cast<U>(static_cast<Raw>(static_cast<Raw>(0) - raw_bits()));
  std::string text;
  do {
    text += "0123456789abcdef"[static_cast<int>(rest % static_cast<U>(radix))];
    rest = static_cast<U>(rest / static_cast<U>(radix));
  } while (rest != 0);
  // Other radices than ten: a leading 0 where the first bit would look like a sign, if W allows.
  const int bits_each = radix == 2 ? 1 : radix == 8 ? 3 : 4;
  const std::size_t most = static_cast<std::size_t>((W + bits_each - 1) / bits_each);
  if (!negative && radix != 10 && 2 * digit_of(text.back()) >= radix && text.size() < most)
    text += '0';
  text += radix == 2 ? "b0" : radix == 8 ? "o0" : radix == 16 ? "x0" : "";
  if (negative) text += '-';
  std::reverse(text.begin(), text.end());
  return text;
}

/// Digits in the stream's base, never a character, whatever the width.
template <int W, bool S>
std::ostream& operator<<(std::ostream& os, const ap_int_base<W, S>& x) {
  const std::ios_base::fmtflags base = os.flags() & std::ios_base::basefield;
  return os << x.to_string(base == std::ios_base::hex ? 16 : base == std::ios_base::oct ? 8 : 10);
}
template <int W, bool S>
std::ostream& operator<<(std::ostream& os, const ap_range_ref<W, S>& x) {
  return os << x.get();
}
template <class A, class B>
std::ostream& operator<<(std::ostream& os, const ap_concat_ref<A, B>& x) {
  return os << x.get();
}

template <int W, bool S>
std::istream& operator>>(std::istream& is, ap_int_base<W, S>& x) {
  const std::ios_base::fmtflags base = is.flags() & std::ios_base::basefield;
  std::string text;
  if (is >> text)
    x = ap_int_base<W, S>(text.c_str(), base == std::ios_base::hex   ? 16
                                        : base == std::ios_base::oct ? 8
                                                                     : 0);
  return is;
}

}  // namespace hlsc_ap

#pragma clang diagnostic pop

#endif  // HLSC_AP_SIM_H
