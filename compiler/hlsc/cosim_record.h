// SPDX-License-Identifier: Apache-2.0
// Records every call of a top function: what it was given and what it gave.  See hlsc.testbench.
//
// A generated translation unit includes this file, then the source with the top, and defines with
// HLSC_RECORD_… the function that the linker puts in the place of the top (--wrap).
//
// The file named by HLSC_RECORD:  u32 arguments, the return value included; per argument text kind,
// u32 width, u32 elements (of an array of streams, else 1); then per call u32 number (from 1) and,
// per argument or stream of it, two lists of words: u64 count and count * (width+7)/8 bytes, packed
// as hlsc_pack.h says.  The first list is what the call was given (of a stream: the elements that
// it took), the second what it gave (of a stream: the elements that it wrote).  An array has as
// many words or streams as HLSC_RECORD_ARRAYS says ("position=words,…"), else one.
#ifndef HLSC_COSIM_RECORD_H_
#define HLSC_COSIM_RECORD_H_

#include <ap_axi_sdata.h>
#include <ap_int.h>
#include <hls_stream.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "csim_bytes.h"
#include "hlsc_pack.h"

namespace hlsc_record {

using hlsc_csim::Writer;

template <class T>
void put_word(Writer& out, const T& value) {
  constexpr int width = hlsc_pack::width_of<T>();
  hlsc_pack::bits<width> word = 0;
  hlsc_pack::put<width, 0>(word, value);
  constexpr int size = (width + 7) / 8;
  uint8_t* to = out.grow(size);
  std::memcpy(to, &word, size);
  if (width % 8) to[size - 1] &= static_cast<uint8_t>((1 << width % 8) - 1);
}

template <class T>
void put_words(Writer& out, const T* values, uint64_t count) {
  out.put(count);
  for (uint64_t i = 0; i < count; ++i) put_word(out, values[i]);
}

inline void append(Writer& out, const Writer& more) {
  out.bytes.insert(out.bytes.end(), more.bytes.begin(), more.bytes.end());
}

// Words, or streams, of the array argument at a position.
inline uint64_t array_words(int position) {
  const char* text = std::getenv("HLSC_RECORD_ARRAYS");
  while (text && *text) {
    char* end;
    const long at = std::strtol(text, &end, 10);
    const unsigned long long words = std::strtoull(end + 1, &end, 10);
    if (at == position) return words;
    text = *end == ',' ? end + 1 : end;
  }
  return 1;
}

// Argument<A>: before() ahead of the call, after() behind it.
template <class A>
struct Argument {  // by value
  typedef typename std::remove_cv<typename std::remove_reference<A>::type>::type T;
  static const char* kind() { return "value"; }
  static uint32_t elements(int) { return 1; }
  Argument(int, A value) : value(value) {}
  void before() { put_words(given, &value, 1); }
  void after(Writer& out) {
    append(out, given);
    out.put(uint64_t(0));
  }
  Writer given;
  const T value;
};

template <class Row>
using Element = typename std::remove_cv<typename std::remove_all_extents<Row>::type>::type;

template <class Row, class E = Element<Row>>
struct Pointer {
  typedef E T;
  static const char* kind() { return "pointer"; }
  static uint32_t elements(int) { return 1; }
  Pointer(int position, Row* at)
      : at(reinterpret_cast<const T*>(at)), count(at ? array_words(position) : 0) {}
  void before() { put_words(given, at, count); }
  void after(Writer& out) {
    append(out, given);
    put_words(out, at, count);
  }
  Writer given;
  const T* at;
  const uint64_t count;
};

// What one stream takes and gives in a call.
template <class T, int DEPTH>
struct Traffic {
  explicit Traffic(hls::stream<T, DEPTH>& stream) : stream(stream) {}
  void before() {
    taken = stream.hlsc_taken();
    put = stream.hlsc_written();
    for (std::size_t i = 0; i < stream.size(); ++i) held.push_back(stream.hlsc_peek(i));
  }
  void after(Writer& out) {
    const std::size_t took = stream.hlsc_taken() - taken;
    const std::size_t wrote = stream.hlsc_written() - put;
    // Of a stream that is written and read in one call both lists would overlap; the compiler
    // refuses such a top.
    put_words(out, held.data(), took < held.size() ? took : held.size());
    const std::size_t left = wrote < stream.size() ? wrote : stream.size();
    out.put(uint64_t(left));
    for (std::size_t i = 0; i < left; ++i)
      put_word(out, stream.hlsc_peek(stream.size() - left + i));
  }
  hls::stream<T, DEPTH>& stream;
  std::vector<T> held;
  unsigned long long taken = 0, put = 0;
};

// A stream, or an array of them.
template <class Row, class E, int DEPTH>
struct Pointer<Row, hls::stream<E, DEPTH>> {
  typedef E T;
  static const char* kind() { return "stream"; }
  static uint32_t elements(int position) { return uint32_t(array_words(position)); }
  Pointer(int position, Row* at) {
    auto* first = reinterpret_cast<hls::stream<T, DEPTH>*>(at);
    for (uint64_t i = 0; i < array_words(position); ++i) streams.emplace_back(first[i]);
  }
  void before() {
    for (auto& s : streams) s.before();
  }
  void after(Writer& out) {
    for (auto& s : streams) s.after(out);
  }
  std::vector<Traffic<T, DEPTH>> streams;
};

template <class Row>
struct Argument<Row*> : Pointer<Row> {
  using Pointer<Row>::Pointer;
};

template <class U>
struct Argument<U&> : Pointer<U> {
  Argument(int position, U& at) : Pointer<U>(position, &at) {}
};

template <class A>
void describe(Writer& out, int position) {
  out.text(Argument<A>::kind());
  out.put(uint32_t(hlsc_pack::width_of<typename Argument<A>::T>()));
  out.put(Argument<A>::elements(position));
}

// The record, open until the program ends.
class File {
 public:
  static File& instance() {
    static File file;
    return file;
  }
  uint32_t next() { return ++calls_; }
  void write(const Writer& bytes) {
    if (!file_) return;
    std::fwrite(bytes.bytes.data(), 1, bytes.bytes.size(), file_);
    std::fflush(file_);  // a bench that is killed has still recorded its calls
  }

 private:
  File() {
    const char* path = std::getenv("HLSC_RECORD");
    file_ = path ? std::fopen(path, "wb") : nullptr;
  }
  std::FILE* file_;
  uint32_t calls_ = 0;
};

template <class R, class... A>
struct Top {
  typedef R Result;
  template <std::size_t I>
  using Parameter = typename std::tuple_element<I, std::tuple<A...>>::type;

  static R call(R (*top)(A...), A... values) {
    return run(top, std::index_sequence_for<A...>(), values...);
  }

 private:
  template <std::size_t... I>
  static R run(R (*top)(A...), std::index_sequence<I...>, A... values) {
    File& file = File::instance();
    const uint32_t number = file.next();
    std::tuple<Argument<A>...> arguments(Argument<A>(int(I), values)...);
    Writer head;
    if (number == 1) {
      head.put(uint32_t(sizeof...(A) + !std::is_void<R>::value));
      (describe<A>(head, int(I)), ...);
      if constexpr (!std::is_void<R>::value) {
        head.text("return");
        head.put(uint32_t(hlsc_pack::width_of<typename std::remove_cv<R>::type>()));
        head.put(uint32_t(1));
      }
    }
    file.write(head);
    (std::get<I>(arguments).before(), ...);
    auto finish = [&] {
      Writer out;
      out.put(number);
      (std::get<I>(arguments).after(out), ...);
      return out;
    };
    if constexpr (std::is_void<R>::value) {
      top(values...);
      file.write(finish());
    } else {
      const R result = top(values...);
      Writer out = finish();
      out.put(uint64_t(0));
      put_words(out, &result, 1);
      file.write(out);
      return result;
    }
  }
};

template <class R, class... A>
Top<R, A...> top_of(R (*)(A...));

}  // namespace hlsc_record

#endif  // HLSC_COSIM_RECORD_H_
