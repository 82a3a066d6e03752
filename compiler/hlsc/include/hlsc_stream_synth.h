// SPDX-License-Identifier: Apache-2.0
// Synthesis half of hls::stream<T>: what hls_stream.h includes when __HLSC_SYNTH__ is defined.
//
// A stream has no state here: its address is its identity.  Every access becomes a call of one of
// the undefined function templates in namespace hlsc_ir, whose template arguments carry the packed
// width W of the element and the size M in bits of the integer that holds it in memory; the
// compiler gives them bodies (hlsc.frontend.intrinsics).  They take pointers, so that no calling
// convention splits, widens or hides a word.
//
// Everything is nodebug, so that a stream operation has the source line of the user's statement.
#ifndef HLSC_STREAM_SYNTH_H_
#define HLSC_STREAM_SYNTH_H_

#include "hlsc_pack.h"

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wc++26-extensions"

namespace hlsc_ir {

template <int W, int M>
void read(void* stream, void* bits);
template <int W, int M>
void write(void* stream, const void* bits);
template <int W>
void empty(void* stream, bool* result);
// Declares the stream at an address: packed width, depth (0: not said), whether it is an
// AXI4-Stream word, widths of the members (of the side channels in the order of ap_axiu, 0 if
// absent).
template <int W, int DEPTH, bool AXIS, int... FIELDS>
void declare(void* stream);
// Arguments of the top function: the I-th one as a stream, an input scalar, an output scalar.
template <int I, int W, int DEPTH, bool AXIS, int... FIELDS>
void* port();
// An array of streams of up to three extents; E1 and E2 are 0 where it has fewer.
template <int I, int E0, int E1, int E2, int W, int DEPTH, bool AXIS, int... FIELDS>
void* ports();
template <int I, int W, int M, bool SIGNED>
void scalar(void* bits);
template <int I, int W, int M, bool SIGNED>
void* result();
// An array: width and size in memory of its elements, whether they are const, its extents.
template <int I, int W, int M, bool SIGNED, bool CONST, int... EXTENTS>
void* memory();
template <int I>
void* refused();
template <int I>
void* floating();

}  // namespace hlsc_ir

namespace hlsc_pack {

template <class T, int DEPTH, int... F>
HLSC_INLINE void declare(void* stream, numbers<F...>) {
  hlsc_ir::declare<width_of<T>(), DEPTH, is_axis<T>(), F...>(stream);
}
template <int I, class T, int DEPTH, int... F>
HLSC_INLINE void* port(numbers<F...>) {
  return hlsc_ir::port<I, width_of<T>(), DEPTH, is_axis<T>(), F...>();
}
template <int I, class A, class T, int DEPTH, int... F>
HLSC_INLINE void* ports(numbers<F...>) {
  return hlsc_ir::ports<I, __array_extent(A, 0), __array_extent(A, 1), __array_extent(A, 2),
                        width_of<T>(), DEPTH, is_axis<T>(), F...>();
}

}  // namespace hlsc_pack

namespace hls {

struct undeclared {};

template <typename T, int DEPTH = 0>
class stream;

template <typename T>
class stream<T, 0> {
  static_assert(!__is_const(T) && !__is_pointer(T),
                "an element of hls::stream must be a value type");
  unsigned char handle_;

 protected:
  HLSC_INLINE explicit stream(undeclared) {}

 public:
  HLSC_INLINE stream() { hlsc_pack::declare<T, 0>(this, decltype(hlsc_pack::fields_of<T>())()); }
  HLSC_INLINE explicit stream(const char*) {
    hlsc_pack::declare<T, 0>(this, decltype(hlsc_pack::fields_of<T>())());
  }
  stream(const stream&) = delete;
  stream& operator=(const stream&) = delete;

  HLSC_INLINE void read(T& value) {
    constexpr int w = hlsc_pack::width_of<T>();
    hlsc_pack::bits<w> word;
    hlsc_ir::read<w, 8 * sizeof(word)>(this, &word);
    hlsc_pack::get<w, 0>(word, value);
  }
  HLSC_INLINE T read() {
    T value;
    read(value);
    return value;
  }
  HLSC_INLINE void write(const T& value) {
    constexpr int w = hlsc_pack::width_of<T>();
    hlsc_pack::bits<w> word = 0;
    hlsc_pack::put<w, 0>(word, value);
    hlsc_ir::write<w, 8 * sizeof(word)>(this, &word);
  }
  HLSC_INLINE bool empty() {
    bool result;
    hlsc_ir::empty<hlsc_pack::width_of<T>()>(this, &result);
    return result;
  }
  HLSC_INLINE bool read_nb(T& value) {
    if (empty()) return false;
    read(value);
    return true;
  }
  HLSC_INLINE void operator>>(T& value) { read(value); }
  HLSC_INLINE void operator<<(const T& value) { write(value); }

  template <class U>
  bool write_nb(const U&) {
    static_assert(sizeof(U) == 0, "hls::stream::write_nb is not supported: use the blocking write");
    return false;
  }
  template <class U = T>
  bool full() {
    static_assert(sizeof(U) == 0, "hls::stream::full is not supported: use the blocking write");
    return false;
  }
  template <class U = T>
  unsigned size() {
    static_assert(sizeof(U) == 0, "hls::stream::size is not supported: count in the kernel");
    return 0;
  }
};

/// A stream with a depth of its own, which a process takes as stream<T>&.
template <typename T, int DEPTH>
class stream : public stream<T, 0> {
  static_assert(DEPTH > 0, "the depth of hls::stream<T, DEPTH> must be at least 1");

 public:
  HLSC_INLINE stream() : stream<T, 0>(undeclared()) {
    hlsc_pack::declare<T, DEPTH>(this, decltype(hlsc_pack::fields_of<T>())());
  }
  HLSC_INLINE explicit stream(const char*) : stream<T, 0>(undeclared()) {
    hlsc_pack::declare<T, DEPTH>(this, decltype(hlsc_pack::fields_of<T>())());
  }
};

}  // namespace hls

// How the compiler calls the top function: each argument of the declared type, by its position.
namespace hlsc_entry {

template <int I, class T>
HLSC_INLINE void* refused() {
  if constexpr (__is_floating_point(T)) {
    return hlsc_ir::floating<I>();
  } else {
    return hlsc_ir::refused<I>();
  }
}
template <int I, class A>
struct value {  // by value: an input
  using T = __remove_cv(A);
  T held;
  HLSC_INLINE value() {
    if constexpr (hlsc_pack::kind_of<T>() == hlsc_pack::BAD) {
      held = *(T*)refused<I, T>();
    } else {
      constexpr int w = hlsc_pack::width_of<T>();
      hlsc_pack::bits<w> word;
      hlsc_ir::scalar<I, w, 8 * sizeof(word), hlsc_pack::signed_of<T>()>(&word);
      hlsc_pack::get<w, 0>(word, held);
    }
  }
  HLSC_INLINE T& get() { return held; }
};
template <int I, class T>
HLSC_INLINE T* output() {
  if constexpr (__is_const(T) || hlsc_pack::kind_of<T>() == hlsc_pack::BAD ||
                hlsc_pack::kind_of<T>() == hlsc_pack::STRUCT ||
                hlsc_pack::kind_of<T>() == hlsc_pack::ARRAY) {
    return (T*)refused<I, T>();
  } else {
    return (
        T*)hlsc_ir::result<I, hlsc_pack::width_of<T>(), 8 * sizeof(T), hlsc_pack::signed_of<T>()>();
  }
}
// The type of argument I as it is declared, extents included; the compiler specialises it.
template <int I>
struct declared {
  using type = void;
};
template <class T>
struct element {
  static constexpr bool is_stream = false;
};
template <class T, int D>
struct element<hls::stream<T, D>> {
  static constexpr bool is_stream = true;
  template <int I, class A>
  HLSC_INLINE static void* ports() {
    return hlsc_pack::ports<I, A, T, D>(decltype(hlsc_pack::fields_of<T>())());
  }
};
template <int I, class E, class A, int... N>
HLSC_INLINE void* memory() {
  if constexpr (__is_array(A)) {
    return memory<I, E, __remove_extent(A), N..., int(__array_extent(A, 0))>();
  } else {
    using T = __remove_cv(E);
    return hlsc_ir::memory<I, hlsc_pack::width_of<T>(), 8 * sizeof(T), hlsc_pack::signed_of<T>(),
                           __is_const(E), N...>();
  }
}
template <int I, class A>
HLSC_INLINE void* array() {
  using E = __remove_all_extents(A);
  if constexpr (element<E>::is_stream) {
    constexpr bool sized = __array_extent(A, 0) > 0 && __array_rank(A) <= 3;
    if constexpr (sized) return element<E>::template ports<I, A>();
    return hlsc_ir::refused<I>();
  }
  using T = __remove_cv(E);
  constexpr hlsc_pack::kind k = hlsc_pack::kind_of<T>();
  if constexpr (__array_extent(A, 0) == 0 || k == hlsc_pack::BAD || k == hlsc_pack::STRUCT) {
    return refused<I, T>();
  } else {
    return memory<I, E, A>();
  }
}
template <int I, class T>
struct value<I, T*> {
  HLSC_INLINE T* get() {
    using A = typename declared<I>::type;
    if constexpr (__is_array(A)) {
      return (T*)array<I, A>();
    } else {
      return output<I, T>();
    }
  }
};
template <int I, class T, decltype(sizeof(0)) N>
struct value<I, T (&)[N]> {
  HLSC_INLINE T (&get()) [N] { return *(T(*)[N])array<I, T[N]>(); }
};
template <int I, class T>
struct value<I, T&> {
  HLSC_INLINE T& get() { return *output<I, T>(); }
};
template <int I, class T, int D>
struct value<I, hls::stream<T, D>&> {
  HLSC_INLINE hls::stream<T, D>& get() {
    return *(hls::stream<T, D>*)hlsc_pack::port<I, T, D>(decltype(hlsc_pack::fields_of<T>())());
  }
};

template <class R>
HLSC_INLINE void finish(const R& r) {
  *output<-1, R>() = r;
}

// F is a template argument, so that the call is direct and can be inlined.
template <class I, auto F, class R, class... A>
struct call;
template <int... I, auto F, class R, class... A>
struct call<hlsc_pack::numbers<I...>, F, R, A...> {
  HLSC_INLINE static void run() {
    if constexpr (__is_same(R, void)) {
      F(value<I, A>().get()...);
    } else {
      finish<R>(F(value<I, A>().get()...));
    }
  }
};
template <int N, int... I>
struct indices {
  using type = typename indices<N - 1, N - 1, I...>::type;
};
template <int... I>
struct indices<0, I...> {
  using type = hlsc_pack::numbers<I...>;
};
template <auto F>
struct top;
template <class R, class... A, R (*F)(A...)>
struct top<F> {
  HLSC_INLINE static void run() { call<typename indices<sizeof...(A)>::type, F, R, A...>::run(); }
};

}  // namespace hlsc_entry

#pragma clang diagnostic pop
#endif  // HLSC_STREAM_SYNTH_H_
