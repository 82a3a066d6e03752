# SPDX-License-Identifier: Apache-2.0
"""Rows of the subset that are about addresses: members of structures, places that branches choose,
banks that counters choose."""

from __future__ import annotations

__all__ = ["ADDRESSES"]

ADDRESSES = {
    "structures_of_arrays": (
        """\
  T s;
  for (int i = 0; i < 3; ++i) {
    s.a[i] = in.read();
    s.u[i].p = in.read();
    for (int k = 0; k < 4; ++k) s.u[i].q[k] = in.read();
    for (int k = 0; k < 5; ++k) s.b[i][k] = in.read();
  }
  for (int k = 0; k < 5; ++k) s.c[k] = in.read();
  for (int r = 0; r < n; ++r)
    for (int j = 1; j < 6; ++j) {
#pragma HLS PIPELINE
      unsigned x = in.read();
      int m = x % 3 - 9;
      out.write(s.c[j - 1] + s.b[m + 9][j - 1] - s.a[m + 9]);
      s.c[5 - j] ^= s.b[2][j - 1] + s.u[m + 9].p;
      s.u[m + 9].q[j % 3 + 1] += s.u[2].q[j / 2] - r;
      s.b[j / 3 + 1][x >> 8 & 3] += s.u[j % 3].q[3 - (x >> 5 & 1)];
    }
  for (int k = 0; k < 4; ++k) out.write(s.u[k % 3].q[k] + s.b[k % 3][k] + s.a[k % 3] + s.c[k]);""",
        """struct U { short p; int q[4]; };
struct T { int a[3]; U u[3]; short b[3][5]; int c[5]; };""",
    ),
    "chosen_places": (
        """\
  int a[5] = {1, 2, 3, 4, 5};
  T t[3];
  for (int i = 0; i < 3; ++i) t[i].x = t[i].y[0] = t[i].y[1] = i;
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE
    unsigned k = in.read();
    int &place = k & 8 ? a[k % 5] : k & 16 ? t[k % 3].x : t[i % 3].y[k & 1];
    place += i;
    out.write(place + (k & 32 ? table[k % 7] : a[i % 5]));
    const T &from = k & 64 ? t[0] : t[k % 3];
    if (k & 128) t[2] = from;
    int least = 0;
    for (int j = 1; j < 5; ++j)
      if (a[j] < a[least]) least = j;
    out.write(least - from.x + from.y[i & 1]);
  }
  for (int i = 0; i < n; ++i) {
    unsigned k = in.read();
    int *place = &a[k % 5];
    if (k & 8) {
      out.write(*place);
      place = &t[k % 3].x;
    } else if (k & 16) {
      place = &t[i % 3].y[in.read() & 1];
    }
    *place ^= k;
    out.write(*place);
  }
  for (int i = 0; i < 3; ++i) out.write(t[i].x + t[i].y[0] - t[i].y[1]);""",
        """struct T { int x; int y[2]; };
static const int table[7] = {3, 1, -4, 1, 5, -9, 2};""",
    ),
    "chosen_members": (
        """\
  T s = {}, u = {};
  for (int i = 0; i < n; ++i) {
    unsigned v = in.read();
    T *p = v & 1 ? &u : &s;
    short *q = v & 2 ? p->a : p->b;
    q[i * (v >> 2 & 7) & 3] += v >> 5;
    p->n += q[i & 3];
    short (*r)[2] = v & 4 ? p->pair.d : p->pair.c;
    r[v >> 9 & 1][v >> 8 & 1] ^= p->n;
    out.write(p->n - r[i & 1][v & 1]);
  }
  int sum = 0;
  for (int i = 0; i < 4; ++i) {
#pragma HLS PIPELINE II=1
    const short *q = i & 1 ? s.a : i & 2 ? u.a : u.b;
    sum += q[3 - i] * (i + 1) - s.pair.c[i >> 1][i & 1] + u.pair.d[i & 1][i >> 1];
  }
  out.write(sum);""",
        """struct P { short c[2][2]; short d[2][2]; };
struct T { int n; short a[4]; short b[4]; P pair; };""",
    ),
    "counters_by_two_and_four": (
        """\
  ap_int<16> t[12], u[16], w[4][4];
#pragma HLS ARRAY_PARTITION variable=t cyclic factor=2
#pragma HLS ARRAY_PARTITION variable=u cyclic factor=4
#pragma HLS ARRAY_PARTITION variable=w cyclic factor=2 dim=1
  for (int r = 0; r < n; ++r) {
    for (int i = 1; i < 12; i += 2) {
#pragma HLS PIPELINE II=1
      int v = in.read();
      t[i] = v;
      t[i - 1] = v >> 16;
    }
    for (int i = 0; i < 16; ++i) {
#pragma HLS PIPELINE II=1
#pragma HLS UNROLL factor=4
      u[i] = t[i % 12] + r;
    }
    for (int y = 2; y >= 0; y -= 2)
      for (int x = 0; x < 4; ++x) {
#pragma HLS PIPELINE II=1
        w[y][x] = u[4 * y + x];
        w[y + 1][x] = u[4 * y + 4 + x] ^ r;
      }
    for (int i = 0; i < 16; ++i) out.write(w[i & 3][i / 4]);
  }""",
        "",
    ),
}
