// SPDX-License-Identifier: Apache-2.0
// What is passed for the parameters of a top function: values, references, arrays and streams.
//
// The parameters' types are taken apart by templates, so no one parses C++.
#ifndef HLSC_CSIM_ARGUMENTS_H_
#define HLSC_CSIM_ARGUMENTS_H_

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "csim_bytes.h"
#include "csim_words.h"

namespace hlsc_csim {

struct Described {
  std::string kind;  // stream, axis, value, reference, pointer, unknown
  int width;
  bool is_signed;
  std::string type;
  std::string extents;  // of an array of streams
};

template <class T>
std::string type_name() {
  const std::string text = __PRETTY_FUNCTION__;  // "... [T = X]" or "... [with T = X; ...]"
  const size_t from = text.find("T = ") + 4;
  return text.substr(from, text.find_first_of(";]", from) - from);
}

template <class T>
Described describe_word(const char* kind) {
  return Described{kind, Word<T>::kWidth, Word<T>::kSigned, type_name<T>(), ""};
}

// Argument<P>: holds what is passed for a parameter of type P.
template <class P, class Enable = void>
struct Argument {  // a type that we cannot make: csim.py refuses the kernel by this description
  static Described describe() { return Described{"unknown", 0, false, type_name<P>(), ""}; }
  explicit Argument(const std::string&) {}
  void load(Reader&, uint64_t) {}
  P pass() { throw std::runtime_error("unsupported parameter"); }
  void save(Writer&) {}
};

template <class T>
struct Scalar {
  explicit Scalar(const std::string&) : value() {}
  void load(Reader& in, uint64_t count) {
    if (count) Word<T>::load(value, in.take(Word<T>::kBytes));
  }
  void save(Writer& out) {
    out.put(uint64_t(0));
    out.put(uint64_t(0));
    out.put(uint64_t(1));
    Word<T>::store(value, out.grow(Word<T>::kBytes));
  }
  T value;
};

template <class T>
struct Argument<T, typename std::enable_if<Word<T>::kKnown>::type> : Scalar<T> {
  using Scalar<T>::Scalar;
  static Described describe() { return describe_word<T>("value"); }
  T pass() { return this->value; }
};

template <class T>
struct Argument<const T&, typename std::enable_if<Word<T>::kKnown>::type> : Scalar<T> {
  using Scalar<T>::Scalar;
  static Described describe() { return describe_word<T>("value"); }
  const T& pass() { return this->value; }
};

template <class T>
struct Argument<T&, typename std::enable_if<!std::is_const<T>::value && Word<T>::kKnown>::type>
    : Scalar<T> {
  using Scalar<T>::Scalar;
  static Described describe() { return describe_word<T>("reference"); }
  T& pass() { return this->value; }
};

// A pointer: an array, or one scalar that is read and written (count 0 or 1).
template <class Row>
struct Argument<Row*, typename std::enable_if<Word<typename std::remove_cv<
                          typename std::remove_all_extents<Row>::type>::type>::kKnown>::type> {
  typedef typename std::remove_all_extents<Row>::type Element;
  typedef typename std::remove_cv<Element>::type T;
  static Described describe() {
    return describe_word<T>(std::is_const<Element>::value ? "const_pointer" : "pointer");
  }
  explicit Argument(const std::string&) : size(1), data(new T[1]()) {}
  void load(Reader& in, uint64_t count) {
    if (!count) return;
    size = count;
    data.reset(new T[count]());
    const uint8_t* from = in.take(count * Word<T>::kBytes);
    for (uint64_t i = 0; i < count; ++i) Word<T>::load(data[i], from + i * Word<T>::kBytes);
  }
  Row* pass() { return reinterpret_cast<Row*>(data.get()); }
  void save(Writer& out) {
    out.put(uint64_t(0));
    out.put(uint64_t(0));
    out.put(size);
    uint8_t* to = out.grow(size * Word<T>::kBytes);
    for (uint64_t i = 0; i < size; ++i) Word<T>::store(data[i], to + i * Word<T>::kBytes);
  }
  uint64_t size;
  std::unique_ptr<T[]> data;
};

template <class S>
using IsStream =
    typename Void<decltype(std::declval<S&>().read()), decltype(std::declval<S&>().empty())>::type;

// What goes into one stream and comes out of it.
template <class S>
class Traffic {
 public:
  typedef typename std::decay<decltype(std::declval<S&>().read())>::type T;
  typedef typename std::conditional<Beat<T>::kKnown, Beat<T>, Beat<int>>::type B;
  static Described describe() {
    if (!Beat<T>::kKnown) return Described{"unknown", 0, false, type_name<S>(), ""};
    return Described{B::kAxis ? "axis" : "stream", B::Data::kWidth, B::Data::kSigned,
                     type_name<S>(), ""};
  }
  void load(S& stream, Reader& in, uint64_t count) {
    fill<Beat<T>::kKnown>(stream, in, count, nullptr);
  }
  void save(S& stream, Writer& out) { drain<Beat<T>::kKnown>(stream, out, nullptr); }

 private:
  template <bool Known>
  void fill(S& stream, Reader& in, uint64_t count, typename std::enable_if<Known>::type*) {
    // ~0 is "not given": an output, or an input that the caller forgot.
    given_ = count != ~uint64_t(0);
    if (!given_) return;
    const uint8_t* data = in.take(count * B::Data::kBytes);
    const uint8_t* flags = in.take(count);
    for (uint64_t i = 0; i < count; ++i) {
      T word = T();
      B::load(word, data + i * B::Data::kBytes, flags[i]);
      stream.write(word);
    }
  }
  template <bool Known>
  void fill(S&, Reader&, uint64_t, typename std::enable_if<!Known>::type*) {}

  template <bool Known>
  void drain(S& stream, Writer& out, typename std::enable_if<Known>::type*) {
    std::vector<uint8_t> data;
    std::vector<uint8_t> flags;
    uint8_t raw[B::Data::kBytes];
    while (!stream.empty()) {
      flags.push_back(B::store(stream.read(), raw));
      data.insert(data.end(), raw, raw + sizeof raw);
    }
    out.put(uint64_t(given_ ? flags.size() : 0));
    out.put(uint64_t(flags.size()));
    out.put(uint64_t(given_ ? 0 : flags.size()));
    if (given_) return;
    if (flags.empty()) return;
    std::memcpy(out.grow(data.size()), data.data(), data.size());
    std::memcpy(out.grow(flags.size()), flags.data(), flags.size());
  }
  template <bool Known>
  void drain(S&, Writer&, typename std::enable_if<!Known>::type*) {}

  bool given_ = false;
};

template <class S>
struct Argument<S&, IsStream<S>> {
  static Described describe() { return Traffic<S>::describe(); }
  explicit Argument(const std::string& name) : stream(name.c_str()) {}
  void load(Reader& in, uint64_t count) { traffic.load(stream, in, count); }
  S& pass() { return stream; }
  void save(Writer& out) { traffic.save(stream, out); }

  S stream;
  Traffic<S> traffic;
};

// An array of streams, as many as the request gives it: its bytes are a list of arguments.
template <class S>
struct StreamArray {
  explicit StreamArray(const std::string&) {}
  StreamArray(const StreamArray&) = delete;
  ~StreamArray() {
    for (size_t i = 0; i < traffic.size(); ++i) first[i].~S();
    ::operator delete(first);
  }
  void load(Reader& in, uint64_t) {
    std::vector<Given> given = read_arguments(in);
    first = static_cast<S*>(::operator new(given.size() * sizeof(S)));
    traffic.reserve(given.size());
    for (Given& g : given) {
      S* stream = new (first + traffic.size()) S(g.name.c_str());
      traffic.emplace_back();
      traffic.back().load(*stream, g.bytes, g.count);
    }
  }
  void save(Writer& out) {
    for (size_t i = 0; i < traffic.size(); ++i) traffic[i].save(first[i], out);
  }
  static Described describe(const std::string& extents) {
    Described one = Traffic<S>::describe();
    one.extents = extents;
    return one;
  }

  S* first = nullptr;
  std::vector<Traffic<S>> traffic;
};

// "4,2" for T[4][2].
template <class T>
std::string extents() {
  const std::string inner = std::rank<T>::value > 1
                                ? "," + extents<typename std::remove_extent<T>::type>()
                                : std::string();
  return std::rank<T>::value ? std::to_string(std::extent<T>::value) + inner : inner;
}

template <class Row>
struct Argument<Row*, IsStream<typename std::remove_all_extents<Row>::type>>
    : StreamArray<typename std::remove_all_extents<Row>::type> {
  typedef StreamArray<typename std::remove_all_extents<Row>::type> Base;
  using Base::Base;
  // The first extent is lost in the type; csim.py knows it.
  static Described describe() {
    return Base::describe(std::is_array<Row>::value ? "?," + extents<Row>() : "?");
  }
  Row* pass() { return reinterpret_cast<Row*>(this->first); }
};

template <class Row, size_t N>
struct Argument<Row (&)[N], IsStream<typename std::remove_all_extents<Row>::type>>
    : StreamArray<typename std::remove_all_extents<Row>::type> {
  typedef StreamArray<typename std::remove_all_extents<Row>::type> Base;
  using Base::Base;
  static Described describe() { return Base::describe(extents<Row[N]>()); }
  Row (&pass()) [N] { return *reinterpret_cast<Row(*)[N]>(this->first); }
};

}  // namespace hlsc_csim

#endif  // HLSC_CSIM_ARGUMENTS_H_
