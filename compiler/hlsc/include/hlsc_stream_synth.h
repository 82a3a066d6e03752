// SPDX-License-Identifier: Apache-2.0
// Synthesis half of hls::stream<T>: what hls_stream.h includes when __HLSC_SYNTH__ is defined.
//
// A stream has no state here: its address is its identity.  Every access becomes a call of one of
// the undefined function templates in namespace hlsc_ir, whose template arguments carry the packed
// width W of the element and the size M in bits of the integer that holds it in memory; the
// compiler gives them bodies (hlsc.frontend.intrinsics).  They take pointers, so that no calling
// convention splits, widens or hides a word.
//
// Packing: bool, integers, enums, _BitInt, ap_int and ap_uint are leaves; a struct is its members,
// an array its elements, first member in the lowest bits, without padding.
//
// Everything is nodebug, so that a stream operation has the source line of the user's statement.
#ifndef HLSC_STREAM_SYNTH_H_
#define HLSC_STREAM_SYNTH_H_

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wc++26-extensions"

#define HLSC_INLINE __attribute__((always_inline, nodebug)) inline

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
template <int I, int W, int M, bool SIGNED>
void scalar(void* bits);
template <int I, int W, int M, bool SIGNED>
void* result();
template <int I>
void* refused();

}  // namespace hlsc_ir

namespace hlsc_pack {

template <int W>
using bits = unsigned _BitInt(W);

template <bool C, class A, class B>
struct pick {
  using type = A;
};
template <class A, class B>
struct pick<false, A, B> {
  using type = B;
};
template <class T>
T& lvalue();
template <class...>
using void_t = void;

enum kind { LEAF, BOOL, ENUM, AP, ARRAY, STRUCT, BAD };

template <class T>
struct builtin {
  static constexpr bool value = __is_integral(T);
  static constexpr int width = 8 * sizeof(T);
  static constexpr bool is_signed = __is_signed(T);
};
template <int N>
struct builtin<unsigned _BitInt(N)> {
  static constexpr bool value = true;
  static constexpr int width = N;
  static constexpr bool is_signed = false;
};
template <int N>
struct builtin<signed _BitInt(N)> {
  static constexpr bool value = true;
  static constexpr int width = N;
  static constexpr bool is_signed = true;
};

// ap_int and ap_uint (hlsc_ap_base.h) are known by their member types.
template <class T, class = void>
struct ap_like {
  static constexpr bool value = false;
};
template <class T>
struct ap_like<T, void_t<typename T::Store, typename T::Raw, typename T::Self>> {
  static constexpr bool value = true;
};

template <class T>
constexpr kind kind_of() {
  if constexpr (__is_same(T, bool)) return BOOL;
  if constexpr (__is_enum(T)) return ENUM;
  if constexpr (__is_array(T)) return ARRAY;
  if constexpr (builtin<T>::value) return LEAF;
  if constexpr (ap_like<T>::value) return AP;
  if constexpr (__is_class(T)) return STRUCT;
  return BAD;
}

template <class T>
constexpr int width_of();

template <class... F>
constexpr int total_width() {
  return (0 + ... + width_of<F>());
}
template <class T>
struct type_is {
  using type = T;
};
template <int... N>
struct numbers {};
template <class... F>
numbers<width_of<F>()...> widths_list(F&...);

template <class T>
constexpr auto struct_width(T& value) {
  auto& [... f] = value;
  return type_is<bits<total_width<__remove_cv(__typeof__(f))...>()>>();
}
template <class T>
constexpr auto struct_fields(T& value) {
  auto& [... f] = value;
  return numbers<width_of<__remove_cv(__typeof__(f))>()...>();
}

template <class T>
constexpr int width_of() {
  constexpr kind k = kind_of<T>();
  static_assert(k != BAD,
                "an element of hls::stream must consist of bool, integers, enums, ap_int, ap_uint, "
                "arrays and structs of them");
  if constexpr (k == BOOL) {
    return 1;
  } else if constexpr (k == ENUM) {
    return width_of<__underlying_type(T)>();
  } else if constexpr (k == ARRAY) {
    return (sizeof(T) / sizeof(lvalue<T>()[0])) * width_of<__remove_cv(__remove_extent(T))>();
  } else if constexpr (k == LEAF) {
    return builtin<T>::width;
  } else if constexpr (k == AP) {
    return T::width;
  } else {
    return builtin<typename decltype(struct_width(lvalue<T>()))::type>::width;
  }
}

template <class T>
constexpr bool signed_of() {
  if constexpr (kind_of<T>() == LEAF) return builtin<T>::is_signed;
  if constexpr (kind_of<T>() == AP) return T::sign_flag;
  return false;
}

template <int W, int OFF, int I, class E, decltype(sizeof(0)) N>
HLSC_INLINE void put_elements(bits<W>& acc, const E (&value)[N]);
template <int W, int OFF, int I, class E, decltype(sizeof(0)) N>
HLSC_INLINE void get_elements(const bits<W>& acc, E (&value)[N]);
template <int W, int OFF>
HLSC_INLINE void put_all(bits<W>&) {}
template <int W, int OFF, class H, class... R>
HLSC_INLINE void put_all(bits<W>& acc, const H& head, const R&... rest);
template <int W, int OFF>
HLSC_INLINE void get_all(const bits<W>&) {}
template <int W, int OFF, class H, class... R>
HLSC_INLINE void get_all(const bits<W>& acc, H& head, R&... rest);

template <int W, int OFF, class T>
HLSC_INLINE void put(bits<W>& acc, const T& value) {
  constexpr kind k = kind_of<T>();
  constexpr int w = width_of<T>();
  if constexpr (k == STRUCT) {
    auto& [... f] = value;
    put_all<W, OFF>(acc, f...);
  } else if constexpr (k == ARRAY) {
    put_elements<W, OFF, 0>(acc, value);
  } else if constexpr (k == AP) {
    acc |= (bits<W>)value.raw_bits() << OFF;
  } else {
    acc |= (bits<W>)(bits<w>)value << OFF;
  }
}
template <int W, int OFF, int I, class E, decltype(sizeof(0)) N>
HLSC_INLINE void put_elements(bits<W>& acc, const E (&value)[N]) {
  if constexpr (I < (int)N) {
    put<W, OFF>(acc, value[I]);
    put_elements<W, OFF + width_of<E>(), I + 1>(acc, value);
  }
}
template <int W, int OFF, class H, class... R>
HLSC_INLINE void put_all(bits<W>& acc, const H& head, const R&... rest) {
  put<W, OFF>(acc, head);
  put_all<W, OFF + width_of<H>()>(acc, rest...);
}

template <int W, int OFF, class T>
HLSC_INLINE void get(const bits<W>& acc, T& value) {
  constexpr kind k = kind_of<T>();
  constexpr int w = width_of<T>();
  if constexpr (k == STRUCT) {
    auto& [... f] = value;
    get_all<W, OFF>(acc, f...);
  } else if constexpr (k == ARRAY) {
    get_elements<W, OFF, 0>(acc, value);
  } else if constexpr (k == AP) {
    value.V = (typename T::Store)(bits<w>)(acc >> OFF);
  } else {
    value = (T)(bits<w>)(acc >> OFF);
  }
}
template <int W, int OFF, int I, class E, decltype(sizeof(0)) N>
HLSC_INLINE void get_elements(const bits<W>& acc, E (&value)[N]) {
  if constexpr (I < (int)N) {
    get<W, OFF>(acc, value[I]);
    get_elements<W, OFF + width_of<E>(), I + 1>(acc, value);
  }
}
template <int W, int OFF, class H, class... R>
HLSC_INLINE void get_all(const bits<W>& acc, H& head, R&... rest) {
  get<W, OFF>(acc, head);
  get_all<W, OFF + width_of<H>()>(acc, rest...);
}

// Side channels of an AXI4-Stream word, by name, in the order of ap_axiu.
#define HLSC_FIELD_(name)                                                    \
  template <class T, class = void>                                           \
  struct has_##name {                                                        \
    static constexpr int width = 0;                                          \
    static constexpr int at = -1;                                            \
  };                                                                         \
  template <class T>                                                         \
  struct has_##name<T, void_t<decltype(T::name)>> {                          \
    static constexpr int width = width_of<__remove_cv(decltype(T::name))>(); \
    static constexpr int at = __builtin_offsetof(T, name);                   \
  };
HLSC_FIELD_(data)
HLSC_FIELD_(keep)
HLSC_FIELD_(strb)
HLSC_FIELD_(user)
HLSC_FIELD_(last)
HLSC_FIELD_(id)
HLSC_FIELD_(dest)
#undef HLSC_FIELD_

// Whether a structure has data and a one-bit last, and nothing but side channels, in that order.
template <class T>
constexpr bool is_axis() {
  if constexpr (kind_of<T>() == STRUCT) {
    if (!has_data<T>::width || has_last<T>::width != 1) return false;
    const int places[] = {has_data<T>::at, has_keep<T>::at, has_strb<T>::at, has_user<T>::at,
                          has_last<T>::at, has_id<T>::at,   has_dest<T>::at};
    int before = -1;
    for (int at : places) {
      if (at >= 0 && at <= before) return false;
      if (at >= 0) before = at;
    }
    return width_of<T>() == has_data<T>::width + has_keep<T>::width + has_strb<T>::width +
                                has_user<T>::width + has_last<T>::width + has_id<T>::width +
                                has_dest<T>::width;
  }
  return false;
}

template <class T>
constexpr auto fields_of() {
  if constexpr (is_axis<T>()) {
    return numbers<has_data<T>::width, has_keep<T>::width, has_strb<T>::width, has_user<T>::width,
                   has_last<T>::width, has_id<T>::width, has_dest<T>::width>();
  } else if constexpr (kind_of<T>() == STRUCT) {
    return struct_fields(lvalue<T>());
  } else {
    return numbers<>();
  }
}

template <class T, int DEPTH, int... F>
HLSC_INLINE void declare(void* stream, numbers<F...>) {
  hlsc_ir::declare<width_of<T>(), DEPTH, is_axis<T>(), F...>(stream);
}
template <int I, class T, int DEPTH, int... F>
HLSC_INLINE void* port(numbers<F...>) {
  return hlsc_ir::port<I, width_of<T>(), DEPTH, is_axis<T>(), F...>();
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

template <int I, class A>
struct value {  // by value: an input
  using T = __remove_cv(A);
  T held;
  HLSC_INLINE value() {
    constexpr int w = hlsc_pack::width_of<T>();
    hlsc_pack::bits<w> word;
    hlsc_ir::scalar<I, w, 8 * sizeof(word), hlsc_pack::signed_of<T>()>(&word);
    hlsc_pack::get<w, 0>(word, held);
  }
  HLSC_INLINE T& get() { return held; }
};
template <int I, class T>
HLSC_INLINE T* output() {
  if constexpr (__is_const(T) || hlsc_pack::kind_of<T>() == hlsc_pack::BAD ||
                hlsc_pack::kind_of<T>() == hlsc_pack::STRUCT ||
                hlsc_pack::kind_of<T>() == hlsc_pack::ARRAY) {
    return (T*)hlsc_ir::refused<I>();
  } else {
    return (
        T*)hlsc_ir::result<I, hlsc_pack::width_of<T>(), 8 * sizeof(T), hlsc_pack::signed_of<T>()>();
  }
}
template <int I, class T>
struct value<I, T*> {
  HLSC_INLINE T* get() { return output<I, T>(); }
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
template <int I, class T, int D>
struct value<I, hls::stream<T, D>*> {
  HLSC_INLINE hls::stream<T, D>* get() { return (hls::stream<T, D>*)hlsc_ir::refused<I>(); }
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
