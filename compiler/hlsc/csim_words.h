// SPDX-License-Identifier: Apache-2.0
// Integers and stream words from and to bytes, taken apart by templates.
//
// What includes this has included ap_int.h, of hlsc or of the open Xilinx headers.
#ifndef HLSC_CSIM_WORDS_H_
#define HLSC_CSIM_WORDS_H_

#include <cstdint>
#include <cstring>
#include <type_traits>

namespace hlsc_csim {

// Word<T>: width in bits, sign, and conversion from and to (width+7)/8 little-endian bytes.
template <class T, class Enable = void>
struct Word {
  static const bool kKnown = false;
};

template <class T>
struct Word<T, typename std::enable_if<std::is_integral<T>::value>::type> {
  static const bool kKnown = true;
  static const int kWidth = std::is_same<T, bool>::value ? 1 : 8 * sizeof(T);
  static const int kBytes = sizeof(T);
  static const bool kSigned = std::is_signed<T>::value;
  static void load(T& to, const uint8_t* from) {
    uint64_t raw = 0;
    std::memcpy(&raw, from, kBytes);
    to = static_cast<T>(raw);
  }
  static void store(const T& from, uint8_t* to) {
    const uint64_t raw = static_cast<uint64_t>(from);
    std::memcpy(to, &raw, kBytes);
  }
};

template <class T, int N, bool S>
struct ApWord {
  static const bool kKnown = true;
  static const int kWidth = N;
  static const int kBytes = (N + 7) / 8;
  static const bool kSigned = S;
  static void load(T& to, const uint8_t* from) {
    to = 0;
    for (int low = 0; low < N; low += 64) {
      uint64_t raw = 0;
      std::memcpy(&raw, from + low / 8, low + 64 <= N ? 8 : kBytes - low / 8);
      if (N <= 64) {
        to = static_cast<T>(raw);
      } else {
        to.range(low + 63 < N ? low + 63 : N - 1, low) = raw;
      }
    }
  }
  static void store(const T& from, uint8_t* to) {
    for (int low = 0; low < N; low += 64) {
      uint64_t raw;
      if (N <= 64) {
        raw = from.to_uint64();
        if (N < 64) raw &= (uint64_t(1) << (N & 63)) - 1;
      } else {
        T copy = from;  // a part of a constant value is not offered by every header set
        raw = copy.range(low + 63 < N ? low + 63 : N - 1, low).to_uint64();
      }
      std::memcpy(to + low / 8, &raw, low + 64 <= N ? 8 : kBytes - low / 8);
    }
  }
};

template <int N>
struct Word<ap_int<N>, void> : ApWord<ap_int<N>, N, true> {};
template <int N>
struct Word<ap_uint<N>, void> : ApWord<ap_uint<N>, N, false> {};

template <class... T>
struct Void {
  typedef void type;
};

// A member that a stream word may have: set it to zero or to all ones, ask whether it is all ones.
#define HLSC_CSIM_MEMBER(NAME)                                                              \
  template <class T, class Enable = void>                                                   \
  struct Member_##NAME {                                                                    \
    static void set(T&, bool) {}                                                            \
    static bool full(const T&) { return true; }                                             \
  };                                                                                        \
  template <class T>                                                                        \
  struct Member_##NAME<T, typename std::enable_if<Word<decltype(T::NAME)>::kKnown>::type> { \
    typedef Word<decltype(T::NAME)> W;                                                      \
    static void set(T& word, bool ones) {                                                   \
      uint8_t raw[W::kBytes];                                                               \
      std::memset(raw, ones ? 255 : 0, sizeof raw);                                         \
      W::load(word.NAME, raw);                                                              \
    }                                                                                       \
    static bool full(const T& word) {                                                       \
      uint8_t raw[W::kBytes];                                                               \
      W::store(word.NAME, raw);                                                             \
      for (int bit = 0; bit < W::kWidth; ++bit) {                                           \
        if (!(raw[bit / 8] >> bit % 8 & 1)) return false;                                   \
      }                                                                                     \
      return true;                                                                          \
    }                                                                                       \
  };
HLSC_CSIM_MEMBER(keep)
HLSC_CSIM_MEMBER(strb)
HLSC_CSIM_MEMBER(user)
HLSC_CSIM_MEMBER(id)
HLSC_CSIM_MEMBER(dest)
#undef HLSC_CSIM_MEMBER

// Beat<T>: what a stream carries; plain integers, or AXI4-Stream words with `data` and `last`.
template <class T, class Enable = void>
struct Beat {
  static const bool kKnown = Word<T>::kKnown;
  static const bool kAxis = false;
  typedef Word<T> Data;
  static void load(T& to, const uint8_t* from, uint8_t) { Data::load(to, from); }
  static uint8_t store(const T& from, uint8_t* to) {
    Data::store(from, to);
    return 0;
  }
};

template <class T>
struct Beat<T, typename Void<decltype(T::data), decltype(T::last)>::type> {
  typedef Word<decltype(T::data)> Data;
  static const bool kKnown = Data::kKnown;
  static const bool kAxis = true;
  static void load(T& to, const uint8_t* from, uint8_t flags) {
    Data::load(to.data, from);
    Member_keep<T>::set(to, true);
    Member_strb<T>::set(to, true);
    Member_user<T>::set(to, false);
    Member_id<T>::set(to, false);
    Member_dest<T>::set(to, false);
    to.last = flags & 1;
  }
  static uint8_t store(const T& from, uint8_t* to) {
    Data::store(from.data, to);
    return (from.last != 0 ? 1 : 0) | (Member_keep<T>::full(from) ? 0 : 2);
  }
};

}  // namespace hlsc_csim

#endif  // HLSC_CSIM_WORDS_H_
