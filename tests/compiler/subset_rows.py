# SPDX-License-Identifier: Apache-2.0
"""A program for each row of the supported subset that changes what hardware does.

All have the signature (stream in, stream out, n); `cases` makes them cases of the differential fuzzer,
which runs them natively and as RTL under stalls, with n = 0, 1 and larger ones.
"""

from __future__ import annotations

import random

from address_rows import ADDRESSES
from allocation_rows import SHARED
from dataflow_rows import DATAFLOW_ROWS
from fuzz.case import Argument, Case, Stimulus

__all__ = ["ROWS", "cases"]

HEAD = """\
#include <ap_int.h>
#include <hls_stream.h>
typedef hls::stream<int> S;
"""
ARGUMENTS = (
    Argument("in", "in", "int", 32, True),
    Argument("out", "out", "int", 32, True),
    Argument("n", "value", "ap_uint<5>", 5),
)
WORDS = 260


def top(body: str, before: str = "") -> str:
    return f'{before}\nextern "C" void {{name}}(S& in, S& out, ap_uint<5> n) {{{{\n{body}\n}}}}\n'


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def fill_and_mix(pragmas: str, dims: str = "[19]", loops: str = "II=1") -> str:
    """Fills an array in order, changes it at data-dependent places, reads it backwards."""
    sizes = [int(x) for x in dims.strip("[]").split("][")]
    words = 1
    for s in sizes:
        words *= s

    def at(k: str) -> str:
        if len(sizes) == 1:
            return f"a[{k}]"
        return f"a[({k}) / {sizes[1]}][({k}) % {sizes[1]}]"

    return _escaped(f"""\
  ap_int<13> a{dims};
{pragmas}
  for (int i = 0; i < {words}; ++i) {{
#pragma HLS PIPELINE {loops}
    {at("i")} = in.read();
  }}
  for (int i = 0; i < n; ++i) {{
#pragma HLS PIPELINE {loops}
    unsigned k = unsigned(in.read()) % {words};
    {at("k")} += i * 3 + 1;
    {at(f"(k + 5) % {words}")} ^= {at("i % 7")};
  }}
  for (int i = {words - 1}; i >= 0; --i) {{
#pragma HLS PIPELINE
    out.write({at("i")} - {at(f"(i + 3) % {words}")});
  }}""")


PARTITIONS = {
    f"{form.lower()}_{kind}_{factor}_dim{dim}_of_{'x'.join(dims.strip('[]').split(']['))}": (
        form,
        kind,
        factor,
        dim,
        dims,
    )
    for form in ("PARTITION", "RESHAPE")
    for kind, factor, dim, dims in (
        ("cyclic", 4, 1, "[19]"),
        ("block", 4, 1, "[19]"),
        ("cyclic", 2, 2, "[3][5]"),
        ("block", 3, 2, "[3][5]"),
        ("complete", 0, 2, "[3][5]"),
        ("complete", 0, 0, "[3][5]"),
        ("cyclic", 2, 0, "[3][5]"),
        ("block", 2, 0, "[3][5]"),
    )
}


def partitioned(form: str, kind: str, factor: int, dim: int, dims: str) -> str:
    size = f" factor={factor}" if factor else ""
    return top(fill_and_mix(f"#pragma HLS ARRAY_{form} variable=a {kind}{size} dim={dim}", dims))


ROWS = {name: partitioned(*how) for name, how in PARTITIONS.items()}
ROWS |= {
    f"storage_{kind}_{impl}": top(
        fill_and_mix(f"#pragma HLS BIND_STORAGE variable=a type={kind} impl={impl}", loops="")
    )
    for kind, impl in (
        ("ram_1p", "bram"),
        ("ram_1p", "lutram"),
        ("ram_2p", "bram"),
        ("ram_2p", "lutram"),
        ("ram_t2p", "bram"),
    )
}
ROWS |= {
    "both_reshaped_and_partitioned": top(
        fill_and_mix(
            "#pragma HLS ARRAY_PARTITION variable=a cyclic factor=2 dim=1\n"
            "#pragma HLS ARRAY_RESHAPE variable=a block factor=2 dim=2",
            "[3][5]",
        )
    ),
}
PLAIN = {
    "rom": (
        """\
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE
    unsigned k = in.read();
    out.write(table[k % 11] - wide[k & 3][k >> 3 & 1]);
  }""",
        "static const short table[11] = {3, -1, 4, -1, 5, -9, 2, -6, 5, -3, 5};\n"
        "static const ap_int<5> wide[4][2] = {{1, 2}, {-3, 4}, {5, -6}, {7, 8}};",
    ),
    "rom_in_block_ram": (
        """\
  ap_uint<9> t[16] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 257, 258, 260};
#pragma HLS BIND_STORAGE variable=t type=rom_2p impl=bram
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II=1
    unsigned k = in.read();
    out.write(t[k & 15] + t[k >> 4 & 15]);
  }""",
        "",
    ),
    "unroll_remainder": (
        """\
  int s = 0;
  for (int i = 0; i < 11; ++i) {
#pragma HLS UNROLL factor=4
    s += in.read() ^ i;
    out.write(s);
  }
  for (int i = 0; i < 13; i += 2) {
#pragma HLS PIPELINE
#pragma HLS UNROLL factor=3
    s -= i;
    out.write(s + in.read());
  }""",
        "",
    ),
    "unroll_of_variable_bounds": (
        """\
  for (int i = 0; i < n; ++i) {
#pragma HLS UNROLL factor=3
    out.write(in.read() + i);
  }
  for (int i = n - 1; i >= 0; --i) {
#pragma HLS PIPELINE
#pragma HLS UNROLL factor=2
    out.write(in.read() - i);
  }""",
        "",
    ),
    "exits_on_data": (
        """\
  int rounds = 0;
  for (;;) {
#pragma HLS PIPELINE II=1
    int x = in.read();
    if (x % 5 == 0) continue;
    out.write(x);
    if (++rounds > n || x == 77) break;
  }
  int x;
  do {
    x = in.read();
    out.write(x * 2);
  } while ((x & 3) != 0);
  for (int i = 0; i < n && (x & 1) == 0; ++i) {
    for (int j = 0; j < 6; ++j) {
#pragma HLS PIPELINE
      x = in.read();
      if (x % 7 == 3) break;
      out.write(x + i);
    }
    if (x < -1000000000) return;
  }""",
        "",
    ),
    "zero_trips": (
        """\
  int s = 1;
  for (int r = 0; r < n - 3; ++r) {
    for (int c = 0; c < n / 4; ++c) {
#pragma HLS PIPELINE II=1
      s += in.read();
    }
    out.write(s);
  }
  for (int i = n; i < 4; ++i) {
#pragma HLS PIPELINE II=1
    s ^= in.read();
  }
  out.write(s);""",
        "",
    ),
    "division": (
        """\
  for (int i = 0; i < n; ++i) {
    int a = in.read(), b = in.read();
    ap_int<23> c = a, d = b | 1;
    ap_uint<17> e = a, f = b;
    out.write(a / (b | 1));
    out.write(a % (b | 1));
    out.write(int(c / d) + int(c % d));
    if (f != 0) out.write(int(e / f) ^ int(e % f));
    out.write(a / 7 + a % 12);
  }""",
        "",
    ),
    "pipelined_division": (
        """\
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II=1
    ap_int<19> a = in.read();
    ap_int<9> b = in.read() | 1;
    out.write(a / b - a % b);
  }""",
        "",
    ),
    "pipelined_function": (
        """\
  for (int i = 0; i < n; ++i) out.write(dot(in.read(), in.read(), i));
  out.write(dot(n, 3, 4));""",
        """int dot(int a, int b, int c) {
#pragma HLS INLINE off
#pragma HLS PIPELINE
  int v[4] = {a, b, c, a ^ b}, s = 0;
  for (int i = 0; i < 4; ++i) s += v[i] * (i + 3);
  return s;
}""",
    ),
    "wide_integers": (
        """\
  ap_uint<4096> x = 0;
  for (int i = 0; i < n; ++i) x = (x << 131) ^ in.read() ^ (x >> 3997);
  for (int k = 0; k < 4096; k += 256) out.write(int(x.range(k + 40, k + 9)));
  ap_int<300> y = -1;
  for (int i = 0; i < 4; ++i) y = y * 77 + in.read();
  out.write(int(y >> 200));
  out.write(int(y % 64));""",
        "",
    ),
    "structs_and_lambdas": (
        """\
  Point p{int(n), {2}}, q = p;
  auto bump = [&](int by) { p.x += by; q.y[1] -= p.x; };
  for (int i = 0; i < n; ++i) {
    bump(in.read());
    q.y[i & 3] += scaled<3>(p.x) + scaled<ap_int<7>>(p.x);
  }
  for (int i = 0; i < 4; ++i) out.write(q.y[i] + p.y[i]);""",
        """struct Point { int x; int y[4]; };
template <int K> int scaled(int v) { return v * K; }
template <class T> int scaled(int v) { return int(T(v)) * 2; }""",
    ),
    "inline_off_and_streams": (
        """\
  int s = 0;
  for (int i = 0; i < n; ++i) s = sum(in, out, i & 3) - s;
  out.write(s);""",
        """int sum(S& in, S& out, int m) {
#pragma HLS INLINE off
  int s = m;
  for (int i = 0; i < m; ++i) {
#pragma HLS PIPELINE II=1
    s += in.read();
    out.write(s);
  }
  return s;
}""",
    ),
    "dataflow_with_feedback_and_arrays": (
        """\
#pragma HLS DATAFLOW
  S a("a"), b[2];
#pragma HLS STREAM variable=a depth=40
#pragma HLS STREAM variable=b depth=1
  short kept[32];
  split(in, a, b, n);
  store(b[0], kept, n);
  join(a, b[1], kept, out, n);""",
        """void split(S& in, S& a, S b[2], ap_uint<5> n) {
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II=1
    int x = in.read();
    a.write(x);
    b[0].write(x >> 3);
  }
  for (int i = 0; i < n; ++i) b[1].write(i * i);
}
void store(S& s, short kept[32], ap_uint<5> n) {
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II=1
    kept[n - 1 - i] = s.read();
  }
}
void join(S& a, S& b, short kept[32], S& out, ap_uint<5> n) {
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II=1
    out.write(a.read() + b.read() - kept[i]);
  }
}""",
    ),
    "dependence_and_ii": (
        """\
  int acc[16] = {};
  for (int i = 0; i < 48; ++i) {
#pragma HLS PIPELINE II=3
#pragma HLS DEPENDENCE variable=acc inter RAW distance=16 true
    acc[i & 15] = acc[i & 15] * 3 + in.read();
  }
  for (int i = 0; i < 16; ++i) out.write(acc[i] + n);""",
        "",
    ),
    "bound_operators": (
        """\
  ap_int<40> acc = 0;
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II=1
    ap_int<9> a = in.read();
    ap_uint<11> b = in.read();
    ap_int<20> p = a * b;
#pragma HLS BIND_OP variable=p op=mul impl=fabric
    ap_int<17> q;
#pragma HLS BIND_OP variable=q op=mul impl=dsp
    q = a * ap_int<8>(b);
    int r = in.read();
    int s = r * (r >> 3);
#pragma HLS BIND_OP variable=s op=mul impl=fabric
    acc += p - q + s;
    out.write(acc);
  }""",
        "",
    ),
    "nest_whose_middle_may_have_no_trip": (
        """\
  int s = 3;
  for (int y = 0; y < 3; ++y)
    for (int x = 0; x < n / 4; ++x) {
      for (int i = 0; i < 6; ++i) {
#pragma HLS PIPELINE II=1
        s += in.read() ^ y;
      }
      out.write(s);
    }""",
        "",
    ),
    "nest_of_three": (
        """\
  int s = 0;
  for (int a = 0; a < 3; ++a)
    for (int b = 0; b < n; ++b) {
      for (int c = 0; c < b % 4; ++c) {
#pragma HLS PIPELINE II=1
        s = s * 3 + in.read() + a;
      }
      out.write(s + b);
    }""",
        "",
    ),
}
ROWS |= {
    name: top(_escaped(body), _escaped(before))
    for name, (body, before) in (PLAIN | ADDRESSES | SHARED | DATAFLOW_ROWS).items()
}


def cases(seed: int) -> list[Case]:
    draw = random.Random(seed)
    found = []
    for row, source in ROWS.items():
        name = f"row_{row}"
        stimuli = tuple(
            Stimulus({"n": n}, {"in": tuple(_word(draw) for _ in range(WORDS))})
            for n in (0, 1, draw.randint(2, 30), 31)
        )
        found.append(Case(name, HEAD + source.format(name=name), ARGUMENTS, stimuli))
    return found


def _word(draw: random.Random) -> int:
    return draw.choice((draw.getrandbits(32), draw.randint(-9, 9) & 0xFFFFFFFF))
