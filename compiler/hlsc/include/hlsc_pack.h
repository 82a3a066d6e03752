// SPDX-License-Identifier: Apache-2.0
// How a value becomes bits: bool, integers, enums, _BitInt, ap_int and ap_uint are leaves; a struct
// is its members, an array its elements, first member in the lowest bits, without padding.
//
// Synthesis and co-simulation share it, so that a word recorded from C++ is the word on the wires.
// Needs clang (structured bindings as packs).
#ifndef HLSC_PACK_H_
#define HLSC_PACK_H_

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wc++26-extensions"

#define HLSC_INLINE __attribute__((always_inline, nodebug)) inline

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
  static_assert(
      k != BAD,
      "an element of hls::stream must consist of bool, integers, enums, ap_int, ap_uint, "
      "arrays and structs of them; instead of floating point write ap_int with a stated scale");
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

}  // namespace hlsc_pack

#pragma clang diagnostic pop

#endif  // HLSC_PACK_H_
