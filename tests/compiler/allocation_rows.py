# SPDX-License-Identifier: Apache-2.0
"""Programs with ALLOCATION: body and what stands before the top, as in `subset_rows`."""

from __future__ import annotations

__all__ = ["OPERATORS", "SHARED"]

SHARED = {
    "shared_products": (
        """\
#pragma HLS ALLOCATION operation instances=mul limit=2
  int d[8] = {};
#pragma HLS ARRAY_PARTITION variable=d complete
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II=4
    ap_int<30> sum = 0;
    for (int k = 7; k > 0; --k) d[k] = d[k - 1];
    d[0] = in.read();
    for (int k = 0; k < 8; ++k) sum += ap_int<13>(d[k]) * ap_int<11>(d[k] >> (k + 3));
    out.write(sum);
  }""",
        "",
    ),
    "shared_products_of_all_widths": (
        """\
#pragma HLS ALLOCATION instances=mul limit=1 operation
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE
    int x = in.read();
    ap_uint<17> a = x;
    ap_int<9> b = x >> 7;
    ap_uint<5> c = x >> 20;
    out.write(a * b);
    out.write(int(b * c) + int(a * a));
    out.write(int(c * c) - int(ap_int<16>(a) * b));
  }""",
        "",
    ),
    "shared_wide_products": (
        """\
#pragma HLS ALLOCATION operation instances=mul limit=1
  int s = n;
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II=2
    int x = in.read(), y = in.read();
    s ^= x * y;
    out.write(s);
    ap_int<50> w = ap_int<50>(x) * (y >> 3);
    out.write(int(w >> 18));
  }""",
        "",
    ),
    "shared_divider": (
        """\
#pragma HLS ALLOCATION operation instances=sdiv,srem,udiv limit=1
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II=3
    int x = in.read(), y = in.read() | 1;
    ap_int<13> a = x >> 5, b = (y >> 2) | 1;
    ap_uint<10> c = x, d = y | 1;
    out.write(int(a / b) + int(c / d));
    out.write(x / (y | 1) + ap_int<7>(b) / ap_int<6>(y | 1));
    out.write(x % y - a % b);
    out.write(int(ap_uint<20>(x) / ap_uint<10>(c | 1)) + int(c / d));
  }""",
        "",
    ),
    "shared_in_all_regions": (
        """\
#pragma HLS ALLOCATION operation instances=mul limit=1
  int s = in.read();
  s = s * s + 1;
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II=1
    s = (s >> 3) * in.read();
    out.write(s);
    if (s % 11 == 0) break;
  }
  for (int i = 0; i < n; ++i) out.write(s * i);
  out.write((s >> 1) * (s >> 2) * (s >> 4));""",
        "",
    ),
    "shared_sums_and_shifts": (
        """\
#pragma HLS ALLOCATION operation instances=add limit=2
#pragma HLS ALLOCATION operation instances=sub limit=1
#pragma HLS ALLOCATION operation instances=shl,ashr,lshr limit=1
  int s = 0;
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II=3
    int x = in.read(), y = in.read();
    s += (x >> (y & 31)) + (y << (x & 15)) + (unsigned(x) >> (y & 7));
    s = s - (ap_int<9>(y) >> (x & 3)) - (x ^ 5);
    out.write(s + int(ap_int<12>(x) << (y & 3)) - y);
  }""",
        "",
    ),
    "shared_in_a_function": (
        """\
  int s = n;
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II=2
    int x = in.read();
    s += x * (s >> 3) + weigh<2>(x, s) - weigh<1>(s, 3 + x);
    out.write(s);
  }
  out.write(weigh<2>(s, n) * s);""",
        """template <int N> int weigh(int a, int b) {
#pragma HLS INLINE off
#pragma HLS ALLOCATION operation instances=mul limit=N
  short x = a, y = b;
  return x * y + ap_int<12>(x) * ap_int<5>(y) - short(a >> 9) * y;
}""",
    ),
    "shared_by_nested_functions": (
        """\
#pragma HLS ALLOCATION operation instances=mul limit=3
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II=2
    short x = in.read(), y = x >> 3, z = x ^ 99;
    out.write(square(x) + square(y) * z);
    out.write(square(z) - x * y);
  }""",
        """ap_int<24> square(short v) {
#pragma HLS ALLOCATION operation instances=mul limit=1
  ap_int<12> w = v;
  return w * w + ap_int<5>(v) * ap_int<18>(v * 3);
}""",
    ),
    "shared_across_stalls": (
        """\
#pragma HLS ALLOCATION operation instances=mul limit=1
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II=2
    short x = in.read();
    out.write(x * 77);
    short y = in.read();
    int p = x * y;
    out.write(p);
    short z = in.read();
    out.write(p ^ (x * z) ^ (y * z));
  }""",
        "",
    ),
    "shared_in_sequence": (
        """\
#pragma HLS ALLOCATION operation instances=mul limit=1
  ap_int<18> c[6];
  for (int k = 0; k < 6; ++k) c[k] = in.read();
  for (int i = 0; i < n; ++i) {
    int s = 0;
    for (int k = 0; k < 3; ++k) {
#pragma HLS PIPELINE off
      s += c[k] * c[k + 3] - c[k + 1] * ap_int<9>(i);
    }
    out.write(s);
    c[i % 6] = s;
  }""",
        "",
    ),
    "shared_at_one_per_cycle": (
        """\
#pragma HLS ALLOCATION operation instances=sdiv,mul limit=1
  int s = 1;
  for (int r = 0; r < n / 2; ++r) {
    for (int i = 0; i < 9; ++i) {
#pragma HLS PIPELINE II=1
      int x = in.read();
      out.write(x / ((r << 3) + 1));
      if ((x & 15) == 5) break;
    }
    for (int i = 0; i < 5; ++i) {
#pragma HLS PIPELINE II=2
      int x = in.read();
      out.write(x * (x >> 5) + r);
      if ((x & 7) == 3) break;
      out.write(s * x);
    }
    s = (s + r * 77) / (r + 3);
  }
  out.write(s * s);""",
        "",
    ),
    "calls_in_turn": (
        """\
#pragma HLS ALLOCATION function instances=sum limit=1
#pragma HLS ALLOCATION function instances=weigh limit=2
  int table[8], s = n;
  for (int i = 0; i < 8; ++i) table[i] = in.read();
  s = sum(in, out, table, n & 3) + weigh(s, 5);
  out.write(s);
  s -= sum(in, out, table, s & 7) - weigh(s ^ 3, s & 7);
  for (int i = 0; i < n / 2; ++i) s += weigh(in.read(), i & 3);
  int t = sum(in, out, table, 2);
  out.write(s + t + weigh(t, 1));""",
        """int sum(S& in, S& out, int table[8], int m) {
#pragma HLS INLINE off
  int s = m;
  for (int i = 0; i < m; ++i) {
#pragma HLS PIPELINE II=1
    s += in.read() ^ table[i];
    out.write(s);
  }
  return s;
}
int weigh(int x, ap_uint<3> k) {
#pragma HLS INLINE off
  int s = 0;
  for (int i = 0; i < k; ++i) s += x * (i + s);
  return s;
}""",
    ),
    "calls_in_turn_in_a_loop": (
        """\
#pragma HLS ALLOCATION instances=mix limit=1 function
  Pair p = {1, 2};
  for (int i = 0; i < n; ++i) {
    int x = in.read();
    Pair q = mix({x, i}, x);
    p = x & 1 ? mix(q, i) : mix(p, x >> 3);
    if (x % 5 == 0) continue;
    ap_int<100> w = mix(p, 7).wide;
    out.write(int(w >> 50) ^ int(w) ^ i);
  }
  out.write(p.first);""",
        """struct Pair { int first; ap_int<100> wide; };
Pair mix(Pair p, int k) {
#pragma HLS INLINE off
  for (int i = 0; i < (k & 3); ++i) p.wide = p.wide * 77 + p.first;
  p.first += k;
  return p;
}""",
    ),
}

OPERATORS = {
    "shared_products": 2,
    "shared_products_of_all_widths": 1,
    "shared_by_nested_functions": 3,
    "shared_across_stalls": 1,
    "shared_in_sequence": 1,
}
"""Multipliers in all, of programs whose factors fit a DSP48E1."""
