# SPDX-License-Identifier: Apache-2.0
"""Rows of the subset that are about addresses: members of structures, places that branches choose."""

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
}
