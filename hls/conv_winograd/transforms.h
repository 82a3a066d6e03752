// SPDX-License-Identifier: Apache-2.0
// The transforms of Winograd F(M×M, 3×3) along one axis, in integers.
//
// Y = Aᵀ(U ∘ V)A with V = BᵀdB and U = GgGᵀ (Lavin, Gray, CVPR 2016).  G has fractions; its rows,
// each scaled to small integers, make U an integer, and what a row lacks of the common factor f is
// multiplied in before Aᵀ: powers of two all.  Then Aᵀ…A gives exactly f²·Y.
#ifndef CONVLOOM_CONV_WINOGRAD_TRANSFORMS_H_
#define CONVLOOM_CONV_WINOGRAD_TRANSFORMS_H_

#include "types.h"

namespace convloom {
namespace winograd {

/// Holds every value of the input and kernel transforms.
typedef ap_int<16> Wide;

/// Static functions of Transform<M>, T = M + 2:
///   apply(d[T], v[T])   one axis of Bᵀd…
///   apply(g[3], u[T])   one axis of the scaled Gg…
///   apply(m[T], y[M])   one axis of Aᵀm…, the rows of m scaled first; modulo 2^SUM_BITS
///   quotient(sum)       sum / f², exact
/// V_BITS, U_BITS: of int8 maps and weights.  SUM_BITS: f²·Y modulo 2^SUM_BITS gives Y modulo 2^28,
/// so sums wrap and are right all the same as long as Y fits 28 bits.
template <int M>
struct Transform;

/// F(2×2): f² = 4.  V within ±4·128, U within ±9·128.
template <>
struct Transform<2> {
  static const int V_BITS = 10;
  static const int U_BITS = 12;
  static const int SUM_BITS = 30;

  static void apply(const Wide (&d)[4], Wide (&v)[4]) {
#pragma HLS INLINE
    v[0] = d[0] - d[2];
    v[1] = d[1] + d[2];
    v[2] = d[2] - d[1];
    v[3] = d[1] - d[3];
  }

  static void apply(const Wide (&g)[3], Wide (&u)[4]) {
#pragma HLS INLINE
    const Wide outer = g[0] + g[2];
    u[0] = g[0] << 1;
    u[1] = outer + g[1];
    u[2] = outer - g[1];
    u[3] = g[2] << 1;
  }

  static void apply(const ap_int<SUM_BITS> (&m)[4], ap_int<SUM_BITS> (&y)[2]) {
#pragma HLS INLINE
    y[0] = m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] - m[3];
  }

  static ap_int<28> quotient(ap_int<SUM_BITS> sum) {
#pragma HLS INLINE
    ap_int<28> y;
    y = sum.range(29, 2);
    return y;
  }
};

/// F(4×4): f² = 576.  V within −12768 … 12750, U within −6272 … 6243.
template <>
struct Transform<4> {
  static const int V_BITS = 15;
  static const int U_BITS = 14;
  static const int SUM_BITS = 34;

  static void apply(const Wide (&d)[6], Wide (&v)[6]) {
#pragma HLS INLINE
    const Wide even = d[4] - d[2], odd = d[3] - d[1];
    const Wide twice = odd << 1, far = odd << 2;
    const Wide low = Wide(d[0] - d[2]) << 2;
    const Wide sum = Wide(d[1] + d[2]) << 2, difference = Wide(d[1] - d[2]) << 2;
    v[0] = low + even;
    v[1] = d[4] + d[3] - sum;
    v[2] = d[4] - d[3] + difference;
    v[3] = even + twice;
    v[4] = even - twice;
    v[5] = d[5] - d[3] - far;
  }

  /// Rows (3,0,0) (−1,−1,−1) (−1,1,−1) (1,2,4) (1,−2,4) (0,0,3): they lack 2, 4, 4, 1, 1, 8 of
  /// 24·G.
  static void apply(const Wide (&g)[3], Wide (&u)[6]) {
#pragma HLS INLINE
    const Wide outer = g[0] + g[2];
    const Wide weighted = g[0] + Wide(g[2] << 2), middle = g[1] << 1;
    u[0] = g[0] + Wide(g[0] << 1);
    u[1] = -outer - g[1];
    u[2] = g[1] - outer;
    u[3] = weighted + middle;
    u[4] = weighted - middle;
    u[5] = g[2] + Wide(g[2] << 1);
  }

  static void apply(const ap_int<SUM_BITS> (&m)[6], ap_int<SUM_BITS> (&y)[4]) {
#pragma HLS INLINE
    typedef ap_int<SUM_BITS> Sum;
    const Sum near = Sum(m[1] + m[2]) << 2, near_odd = Sum(m[1] - m[2]) << 2;
    const Sum far = m[3] + m[4], far_odd = m[3] - m[4];
    y[0] = Sum(m[0] << 1) + near + far;
    y[1] = near_odd + Sum(far_odd << 1);
    y[2] = near + Sum(far << 2);
    y[3] = near_odd + Sum(far_odd << 3) + Sum(m[5] << 3);
  }

  /// sum / 576: a shift by 6, then times 9⁻¹ modulo 2^28 = 0x8E38E39 =
  /// (1−8)(1+2^6)(1+2^12)(1+2^24).
  /// Only the bits that each factor changes are added: compilers would join four sums y ± (y << n)
  /// to one product, which takes DSPs.
  static ap_int<28> quotient(ap_int<SUM_BITS> sum) {
#pragma HLS INLINE
    ap_uint<28> y;
    y = sum.range(33, 6);
    y.range(27, 3) = ap_uint<25>(y.range(27, 3)) - ap_uint<25>(y.range(24, 0));
    y.range(27, 6) = ap_uint<22>(y.range(27, 6)) + ap_uint<22>(y.range(21, 0));
    y.range(27, 12) = ap_uint<16>(y.range(27, 12)) + ap_uint<16>(y.range(15, 0));
    y.range(27, 24) = ap_uint<4>(y.range(27, 24)) + ap_uint<4>(y.range(3, 0));
    return ap_int<28>(y);
  }
};

}  // namespace winograd
}  // namespace convloom

#endif  // CONVLOOM_CONV_WINOGRAD_TRANSFORMS_H_
