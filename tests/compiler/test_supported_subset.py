# SPDX-License-Identifier: Apache-2.0
"""The table of docs/hlsc.md: each row tried with the compiler, supported or refused with its message.

The page must name every construct here, under the verdict that it gets.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hlsc.errors import HlscError
from hlsc.synth import synthesize

PAGE = Path(__file__).parents[2] / "docs" / "hlsc.md"
HEAD = """\
#include <ap_axi_sdata.h>
#include <ap_int.h>
#include <hls_stream.h>
typedef hls::stream<int> S;
typedef hls::stream<ap_axiu<32, 1, 1, 1>> W;
"""


def top(body: str, arguments: str = "", before: str = "") -> str:
    more = f", {arguments}" if arguments else ""
    return HEAD + before + f'extern "C" void top(S& in, S& out{more}) {{\n{body}\n}}\n'


LOOP = "for (int i = 0; i < 9; ++i) {\n#pragma HLS PIPELINE II=1\n%s\n}"
FLOW = """void first(S& a, S& b) { for (int i = 0; i < 9; ++i) b.write(a.read()); }
void second(S& a, S& b) { for (int i = 0; i < 9; ++i) b.write(a.read()); }
"""
SUPPORTED = {
    "functions, templates, structs, lambdas": top(
        "auto f = [](int x) { return x + 3; }; P p{in.read(), 1}; out.write(f(twice<int>(p.a) + p.b));",
        before="struct P { int a, b; }; template <class T> T twice(T x) { return x + x; }\n",
    ),
    "`bool`, C integers": top("bool b = in.read() > 2; long long y = b ? 5 : 6; out.write(int(y));"),
    "`ap_int`, `ap_uint`": top(
        "ap_int<37> a = in.read(); ap_uint<300> b = a; out.write(b.range(30, 9));"
    ),
    "division by a constant": top("out.write(in.read() / 7 + in.read() % 16);"),
    "division by a variable": top("out.write(in.read() / in.read());"),
    "constant tables": top(
        LOOP % "out.write(t[in.read() & 3]);", before="static const int t[4] = {3, 1, 4, 1};\n"
    ),
    "`assert`": "#include <cassert>\n" + top("int x = in.read(); assert(x < 9); out.write(x);"),
    "`static` variables": top(
        "static int kept = 3; static short table[9]; kept += in.read();\n"
        + LOOP % "table[i] += kept; out.write(table[i]);"
    ),
    "local arrays": top(LOOP % "a[i] = in.read(); out.write(a[n]);", "ap_uint<4> n").replace(
        "for", "int a[16]; for", 1
    ),
    "loops with variable bounds": top(
        "for (int i = 0; i < n; ++i) out.write(in.read());", "ap_uint<9> n"
    ),
    "exit on data (TLAST, `break`)": HEAD
    + 'extern "C" void top(W& in, W& out) {\nfor (;;) {\n#pragma HLS PIPELINE II=1\n'
    "auto w = in.read(); out.write(w); if (w.last) break; } }\n",
    "perfect and imperfect nests": top(
        "for (int r = 0; r < n; ++r) { int s = 0; for (int c = 0; c < m; ++c) {\n"
        "#pragma HLS PIPELINE II=1\n"
        "s += in.read(); } out.write(s); }",
        "ap_uint<5> n, ap_uint<5> m",
    ),
    "`PIPELINE` on a loop or function": HEAD
    + 'extern "C" void top(S& in, S& out) {\n#pragma HLS PIPELINE\nout.write(in.read() + 1); }\n',
    "`UNROLL`, `UNROLL factor`": top(
        "for (int i = 0; i < 8; ++i) {\n#pragma HLS UNROLL factor=2\nout.write(in.read()); }"
    ),
    "`LOOP_FLATTEN`, `LOOP_TRIPCOUNT`": top(
        "for (int i = 0; i < n; ++i) {\n#pragma HLS LOOP_TRIPCOUNT min=1 max=9\n"
        "#pragma HLS LOOP_FLATTEN off\nout.write(in.read()); }",
        "ap_uint<9> n",
    ),
    "`ARRAY_PARTITION`, `ARRAY_RESHAPE`": top(
        "int a[16];\n#pragma HLS ARRAY_PARTITION variable=a cyclic factor=2\nshort b[16];\n"
        "#pragma HLS ARRAY_RESHAPE variable=b block factor=2\n"
        "for (int i = 0; i < 16; ++i) { a[i] = in.read(); b[i] = a[i]; }\nfor (int i = 0; "
        "i < 16; ++i) out.write(a[i] + b[15 - i]);"
    ),
    "`BIND_STORAGE`": top(
        "int a[99];\n#pragma HLS BIND_STORAGE variable=a type=ram_2p impl=lutram\n"
        + LOOP % "a[i] = in.read(); out.write(a[n]);",
        "ap_uint<5> n",
    ),
    "`BIND_OP`": top(
        LOOP
        % "int p = in.read() * n;\n#pragma HLS BIND_OP variable=p op=mul impl=fabric\nout.write(p);",
        "ap_uint<9> n",
    ),
    "structures by value": top(
        "out.write(in.read() * p.a + p.b);", "P p", "struct P { short a; char b; };\n"
    ),
    "array arguments: `ap_memory`": top(
        "out.write(in.read() + a[1]); b[3] = 2;", "const int a[4], int b[4]"
    ),
    "`DEPENDENCE`": top(
        "int a[99];\n"
        + (LOOP % "a[in.read() & 63] += i;").replace(
            "II=1", "II=1\n#pragma HLS DEPENDENCE variable=a inter false"
        )
        + "out.write(a[n]);",
        "ap_uint<5> n",
    ),
    "`DATAFLOW`, `STREAM`": top(
        '#pragma HLS DATAFLOW\nS s("s");\n#pragma HLS STREAM variable=s depth=4\n'
        "first(in, s); second(s, out);",
        before=FLOW,
    ),
    "arrays between processes": top(
        "#pragma HLS DATAFLOW\nint a[16]; fill(in, a); take(a, out);",
        before="void fill(S& s, int a[16]) { for (int i = 0; i < 16; ++i) a[i] = s.read(); }\n"
        "void take(int a[16], S& s) { for (int i = 0; i < 16; ++i) s.write(a[i]); }\n",
    ),
    "`DATAFLOW` in the body of a loop": top(
        "for (int t = 0; t < n; ++t) {\n#pragma HLS DATAFLOW\nP a[4]; fill(in, a, t); take(a, out); }",
        "ap_uint<5> n",
        before="struct P { int x; char y; };\n"
        "void fill(S& s, P a[4], int t) {\n"
        "for (int i = 0; i < 4; ++i) a[i].x = a[i].y = s.read() + t; }\n"
        "void take(P a[4], S& s) { for (int i = 0; i < 4; ++i) s.write(a[i].x + a[i].y); }\n",
    ),
    "arrays of streams": top(
        "#pragma HLS DATAFLOW\nS s[2]; first(in, s[0]); first(s[0], s[1]); second(s[1], out);",
        before=FLOW,
    ),
    "`INLINE`": top(
        "out.write(f(in.read()));", before="int f(int x) {\n#pragma HLS INLINE\nreturn x + 1; }\n"
    ),
    "`INLINE off`": top(
        '#pragma HLS DATAFLOW\nS s("s");\nfirst(in, s); third(s, out);',
        before=FLOW.replace("{ for", "{\n#pragma HLS INLINE off\nfor", 1)
        + "int f(int x) {\n#pragma HLS INLINE off\nreturn x + 1; }\n"
        "void third(S& a, S& b) { for (int i = 0; i < 9; ++i) b.write(f(a.read()) + f(i)); }\n",
    ),
    "`axis`, `s_axilite`, `ap_none`, `ap_vld`, `ap_ctrl_hs`, `ap_ctrl_none`": top(
        "#pragma HLS INTERFACE axis port=in\n#pragma HLS INTERFACE s_axilite port=n\n"
        "#pragma HLS INTERFACE ap_none port=m\n"
        "#pragma HLS INTERFACE ap_vld port=sum\n#pragma HLS INTERFACE s_axilite port=return\n"
        "out.write(in.read() + n + m); *sum = n;",
        "int n, int m, int* sum",
    ),
    "block control by wires or none": top(
        "#pragma HLS INTERFACE ap_ctrl_none port=return\nout.write(in.read());"
    ),
    "`read_nb`, `empty`": top(
        "int x; for (int i = 0; i < 9; ++i) { if (in.read_nb(x)) out.write(x); "
        "if (!in.empty()) out.write(i); }"
    ),
    "`ALLOCATION operation`": top(
        "#pragma HLS ALLOCATION operation instances=mul limit=1\n"
        "int a = in.read(); out.write(a * (a >> 3) * (a >> 5));"
    ),
    "`ALLOCATION function`": top(
        "#pragma HLS ALLOCATION function instances=f limit=1\nout.write(f(in.read()) + f(in.read()));",
        before="int f(int x) {\n#pragma HLS INLINE off\nreturn x * x; }\n",
    ),
}
REFUSED = {
    "scalars and structures between processes": (
        top(
            "#pragma HLS DATAFLOW\nP p; fill(in, p); take(p, out);",
            before="struct P { int x; char y; };\nvoid fill(S& s, P& p) { p.x = p.y = s.read(); }\n"
            "void take(P& p, S& s) { s.write(p.x + p.y); }\n",
        ),
        "variable 'p' must not join processes: only arrays and streams do",
    ),
    "`m_axi`": (
        top("#pragma HLS INTERFACE m_axi port=n\nout.write(in.read());", "int n"),
        "m_axi is not supported yet",
    ),
    "`ap_fixed`, `ap_ufixed`": (
        top("ap_fixed<8, 3> x = in.read(); out.write(int(x));", before="#include <ap_fixed.h>\n"),
        "use ap_int with a stated binary point",
    ),
    "floating point, but for constants that the compiler computes": (
        top("out.write(int(in.read() * 1.5f));"),
        "floating point is not supported",
    ),
    "recursion": (
        top("out.write(f(in.read()));", before="int f(int n) { return n ? f(n - 1) + n : 0; }\n"),
        "must not call itself",
    ),
    "global variables, neither `static` nor `const`": (
        top("kept += in.read(); out.write(kept);", before="int kept = 0;\n"),
        "must be static or constant",
    ),
    "pragmas on `static` arrays of structures or `ap_int` with a part of their first values": (
        top(
            "static ap_int<5> a[8] = {1, -2};\n#pragma HLS ARRAY_PARTITION variable=a\n"
            "out.write(a[in.read() & 7]++);"
        ),
        "whose first values are all written, or none, not 'a'",
    ),
    "a `static` variable of two processes": (
        HEAD
        + "int both(int x) { static int n; return n += x; }\n"
        + "void first(S& a, S& b) { b.write(both(a.read())); }\n"
        + "void second(S& a, S& b) { b.write(both(a.read())); }\n"
        + 'extern "C" void top(S& in, S& out) {\n#pragma HLS DATAFLOW\nS mid; first(in, mid);\n'
        + "second(mid, out); }\n",
        "a static variable must be used by one process (n), not by first and second",
    ),
    "`new`, `malloc`": (
        top("int* p = new int[in.read()]; p[0] = 1; out.write(p[in.read()]);"),
        "must not be allocated at run time",
    ),
    "`write_nb`": (top("out.write_nb(in.read());"), "use the blocking write"),
    "`goto` into a loop": (
        top(
            "int i = in.read(); if (i > 3) goto mid; for (i = 0; i < 9; ++i) { out.write(i);\n"
            "mid: out.write(in.read()); }"
        ),
        "jump into the middle of one",
    ),
    "a stream chosen at run time": (
        top("S& s = n ? in : out; s.write(n);", "int n"),
        "one stream that is known",
    ),
    "`ALLOCATION function` in pipelines": (
        top(
            "#pragma HLS ALLOCATION function instances=f limit=1\n"
            + LOOP % "out.write(f(i) + f(in.read()));",
            before="int f(int x) {\n#pragma HLS INLINE off\nreturn x * x; }\n",
        ),
        "whose calls cannot take turns: they stand in a pipelined loop",
    ),
    "`ALLOCATION operation` beside `DATAFLOW`": (
        top(
            "#pragma HLS DATAFLOW\n#pragma HLS ALLOCATION operation instances=mul limit=1\n"
            "S s; first(in, s); second(s, out);",
            before=FLOW,
        ),
        "whose processes run at the same time and share nothing",
    ),
    "`ram_1wnr`, `rom_np`": (
        top(
            "int a[9];\n#pragma HLS BIND_STORAGE variable=a type=ram_1wnr\na[n] = in.read(); "
            "out.write(a[1]);",
            "int n",
        ),
        "many read ports are not supported",
    ),
    "elements of arguments above 128 bits": (
        top("a[in.read() & 3] = 1;", "ap_uint<129> a[4]"),
        "must have at most 128 bits",
    ),
    "single elements of reshaped arguments written": (
        top(
            "#pragma HLS ARRAY_RESHAPE variable=a cyclic factor=2\n"
            "out.write(3);\na[in.read() & 3] = 1;",
            "int a[4]",
        ),
        "array argument 'a' must be written by whole words of 2 elements",
    ),
    "read and written elements of arguments partitioned completely": (
        top(
            "#pragma HLS ARRAY_PARTITION variable=a\nout.write(3);\na[in.read() & 3] += 1;", "int a[4]"
        ),
        "must be only read or only written, not both",
    ),
    "`DATAFLOW` below the top": (
        top(
            "f(in, out);",
            before=FLOW
            + "void f(S& a, S& b) {\n#pragma HLS DATAFLOW\nS s; first(a, s); second(s, b); }\n",
        ),
        "must stand in the top function",
    ),
    "an array that three processes share": (
        top(
            "#pragma HLS DATAFLOW\nint a[9]; S s; fill(in, a); take(a, s); add(a, s, out);",
            before="void fill(S& s, int a[9]) { for (int i = 0; i < 9; ++i) a[i] = s.read(); }\n"
            "void take(int a[9], S& s) { for (int i = 0; i < 9; ++i) s.write(a[i]); }\n"
            "void add(int a[9], S& s, S& t) { for (int i = 0; i < 9; ++i) t.write(a[i] + s.read()); }",
        ),
        "array 'a' between processes must have two processes, not 3",
    ),
    "an array from outside a DATAFLOW loop": (
        top(
            "int a[4];\nfor (int t = 0; t < n; ++t) {\n"
            "#pragma HLS DATAFLOW\nfill(in, a); take(a, out); }",
            "ap_uint<5> n",
            before="void fill(S& s, int a[4]) { for (int i = 0; i < 4; ++i) a[i] = s.read(); }\n"
            "void take(int a[4], S& s) { for (int i = 0; i < 4; ++i) s.write(a[i]); }\n",
        ),
        "array 'a' between processes must be declared in the body of the DATAFLOW loop",
    ),
    "unknown pragmas": (top("#pragma HLS FROBNICATE\nout.write(in.read());"), "must be a known pragma"),
}


def synthesised(folder: Path, source: str) -> str:
    (folder / "top.cpp").write_text(source)
    return synthesize([folder / "top.cpp"], "top").text


@pytest.mark.parametrize("row", SUPPORTED)
def test_supported(row: str, tmp_path: Path) -> None:
    assert "module top(" in synthesised(tmp_path, SUPPORTED[row])


@pytest.mark.parametrize("row", REFUSED)
def test_refused(row: str, tmp_path: Path) -> None:
    source, message = REFUSED[row]
    with pytest.raises(HlscError, match=re.escape(message)) as caught:
        synthesised(tmp_path, source)
    assert re.match(r"\S*top\.cpp:\d+: ", str(caught.value)), str(caught.value)


def test_the_page_says_the_same() -> None:
    """Two tables behind "Supported subset": rows begin with the constructs of this file."""
    text = PAGE.read_text().split("## Supported subset", 1)[1].split("\n## ", 1)[0]
    rows = [line.split("|")[1].strip() for line in text.splitlines() if re.match(r"\| (?!---)", line)]
    supported, refused = (text.index(f"| {x} |") for x in ("supported", "refused"))
    for table, start, end in ((SUPPORTED, supported, refused), (REFUSED, refused, len(text))):
        for row in table:
            assert row in rows and start < text.index(f"| {row} |") < end, row
    assert len(rows) == len(SUPPORTED) + len(REFUSED) + 2
    for row, (_, message) in REFUSED.items():
        line = next(x for x in text.splitlines() if x.startswith(f"| {row} |"))
        assert message in line, (row, message)
