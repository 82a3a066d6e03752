// SPDX-License-Identifier: Apache-2.0
// Test programs that run over both header sets: every result goes into a hash per label, and the
// labels with their hashes are printed.  With a second program argument the results of the labels
// which contain it are printed one by one: the way to find what differs.
#ifndef TESTS_SHIM_CHECK_H_
#define TESTS_SHIM_CHECK_H_

#include <ap_int.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

template <int W, bool S>
struct number {
  typedef ap_int<W> type;
};
template <int W>
struct number<W, false> {
  typedef ap_uint<W> type;
};

struct Tally {
  uint64_t hash = 1469598103934665603u;
  unsigned long long count = 0;
  bool shown = false;
  std::string name;

  void word(uint64_t v) {
    hash = (hash ^ v) * 1099511628211u;
    hash ^= hash >> 29;
    if (shown) std::printf(" %llx", static_cast<unsigned long long>(v));
  }
  void start() {
    ++count;
    if (shown) std::printf("  %s #%llu:", name.c_str(), count);
  }
  void end() {
    if (shown) std::printf("\n");
  }
};

inline std::string& filter() {
  static std::string text;
  return text;
}

inline std::map<std::string, Tally>& tallies() {
  static std::map<std::string, Tally> all;
  return all;
}

inline Tally& tally(const std::string& name) {
  Tally& t = tallies()[name];
  if (t.name.empty()) {
    t.name = name;
    t.shown = !filter().empty() && name.find(filter()) != std::string::npos;
  }
  return t;
}

// Width, sign and all bits of a result.
template <int W, bool S, class X>
void bits_of(Tally& t, const X& value) {
  t.start();
  ap_uint<W> x = value;
  t.word(W * 2 + S);
  for (int low = 0; low < W; low += 64) {
    ap_uint<W> part = x >> low;
    uint64_t v = part.to_uint64();
    if (W - low < 64) v &= (uint64_t(1) << (W - low)) - 1;
    t.word(v);
  }
  t.end();
}
template <int W>
void note(Tally& t, const ap_int<W>& x) {
  bits_of<W, true>(t, x);
}
template <int W>
void note(Tally& t, const ap_uint<W>& x) {
  bits_of<W, false>(t, x);
}
inline void note(Tally& t, bool v) {
  t.start();
  t.word(v);
  t.end();
}
inline void note(Tally& t, unsigned long long v) {
  t.start();
  t.word(v);
  t.end();
}
inline void note(Tally& t, const std::string& s) {
  t.start();
  for (char c : s) t.word(static_cast<unsigned char>(c));
  t.end();
}

template <int W, bool S>
std::string type_name() {
  return (S ? "s" : "u") + std::to_string(W);
}

// All bits random; one value in four is an extreme.
struct Random {
  uint64_t state;
  uint64_t next() {
    state += 0x9e3779b97f4a7c15u;
    uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  template <int W>
  ap_uint<W> value() {
    ap_uint<W> x = 0;
    switch (next() % 16) {
      case 0:
        return x;
      case 1:
        return ~x;
      case 2:
        x = 1;
        return x << (W - 1);
      case 3:
        x = 1;
        return ~(x << (W - 1));
      default:
        for (int low = 0; low < W; low += 64) {
          ap_uint<W> word = next();
          x |= word << low;
        }
        return x;
    }
  }
};

inline int report() {
  for (const auto& t : tallies()) {
    std::printf("%s %llu %016llx\n", t.first.c_str(), t.second.count,
                static_cast<unsigned long long>(t.second.hash));
  }
  return 0;
}

#endif  // TESTS_SHIM_CHECK_H_
