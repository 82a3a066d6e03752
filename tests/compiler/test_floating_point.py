# SPDX-License-Identifier: Apache-2.0
"""Floating point: refused with the line of the user's, the construct and what to write instead."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hlsc.errors import SourceError
from hlsc.frontend import compile_program

HEAD = """\
#include <ap_int.h>
#include <cmath>
#include <hls_stream.h>
typedef hls::stream<int> S;
struct P { int a; float b; };
"""
REFUSED = {
    "argument": ('extern "C" void top(S& in, S& out, float x) {\n  out.write(in.read() * x);\n}', 6,
                 "argument 'x' of 'top'"),
    "pointer": ('extern "C" void top(S& in, S& out, double* x) {\n  *x = in.read();\n}', 6,
                "argument 'x' of 'top'"),
    "array": ('extern "C" void top(S& in, S& out, float a[4]) {\n  out.write(a[in.read() & 3]);\n}', 6,
              "argument 'a' of 'top'"),
    "result": ('extern "C" float top(S& in, S& out) {\n  return in.read();\n}', 6,
               "the result of 'top'"),
    "stream": ('extern "C" void top(hls::stream<P>& in, S& out) {\n  out.write(in.read().b);\n}', 7,
               ""),
    "operator": ('extern "C" void top(S& in, S& out) {\n  ap_int<9> x = in.read();\n'
                 "  out.write(int(x * 0.5));\n}", 8, "double"),
    "local": ('extern "C" void top(S& in, S& out) {\n  float a[4];\n  a[in.read() & 3] = 1;\n'
              "  out.write(int(a[in.read() & 3]));\n}", 8, "float"),
    "library": ('static int root(int v) {\n  return int(std::sqrt(v));\n}\n'
                'extern "C" void top(S& in, S& out) {\n  out.write(root(in.read()));\n}', 7, "double"),
    "long": ('extern "C" void top(S& in, S& out) {\n  long double x = in.read();\n'
             "  out.write(int(x * 3));\n}", 7, "long double"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_floating_point_is_refused(tmp_path: Path, case: str) -> None:
    source, line, construct = REFUSED[case]
    (tmp_path / "top.cpp").write_text(HEAD + source + "\n")
    with pytest.raises(SourceError) as caught:
        compile_program([tmp_path / "top.cpp"], "top")
    text = str(caught.value)
    assert re.match(rf"\S*top\.cpp:{line}: ", text) and "write ap_int with a stated scale" in text, text
    assert not construct or f"floating point is not supported: {construct};" in text, text


def test_floating_point_that_the_compiler_computes_is_taken(tmp_path: Path) -> None:
    """Coefficients may be written as decimals."""
    (tmp_path / "top.cpp").write_text(
        HEAD + "constexpr int scaled(double x) { return int(x * 256 + 0.5); }\n"
        'extern "C" void top(S& in, S& out) {\n  constexpr int c = scaled(0.7071);\n'
        "  out.write(in.read() * c + int(1.5 * 4));\n}\n"
    )
    assert "mul nsw i32 %" in compile_program([tmp_path / "top.cpp"], "top").module
