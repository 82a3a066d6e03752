# SPDX-License-Identifier: Apache-2.0
"""Array arguments of the top as ap_memory ports: C-simulation, interpreter and RTL under stalls."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from hlsc.csim import Kernel
from hlsc.errors import HlscError
from hlsc.flow import rtl_kernel
from hlsc.interp import interpret
from hlsc.rtlsim import STALLS
from hlsc.synth import synthesize

SOURCE = Path(__file__).parent / "subset" / "memories.cpp"
HEAD = "#include <ap_int.h>\n#include <hls_stream.h>\ntypedef hls::stream<int> S;\n"


def stimulus(rng, n: int):
    arrays = {
        "a": rng.integers(-2048, 2048, 16),
        "grid": rng.integers(-(1 << 28), 1 << 28, (4, 8)),
        "bins": rng.integers(-(1 << 14), 1 << 14, 32),
        "wide": rng.integers(0, 256, (5, 13)).astype(np.uint8) & np.uint8(15),
        "flags": rng.integers(0, 2, 16),
    }
    return {"in": [rng.integers(-100, 100, n)]}, arrays


def test_rtl_answers_as_the_native_run(rng) -> None:
    native, rtl = Kernel([SOURCE], "memories"), rtl_kernel([SOURCE], "memories")
    for stall in STALLS:
        streams, arrays = stimulus(rng, 20)
        expected = native.run(streams, {"n": 20}, arrays)
        run = rtl.run(streams, {"n": 20}, arrays, stall=stall, seed=int(rng.integers(1 << 30)))
        assert np.array_equal(run.streams["out"][0], expected.streams["out"][0])
        for name, content in expected.arrays.items():
            assert np.array_equal(run.arrays[name], content), (stall, name)


def test_the_interpreter_too(rng) -> None:
    streams, arrays = stimulus(rng, 20)
    expected = Kernel([SOURCE], "memories").run(streams, {"n": 20}, arrays)
    words = {k: [int(x) for x in v.reshape(-1)] for k, v in arrays.items() if k != "wide"}
    words["wide"] = [int.from_bytes(row.tobytes(), "little") for row in arrays["wide"]]
    design = synthesize([SOURCE], "memories").design
    run = interpret(design, {"in": [int(x) for x in streams["in"][0]]}, {"n": 20}, arrays=words)
    assert run.streams["out"] == [int(x) for x in expected.streams["out"][0]]
    for name, width in (("grid", 32), ("bins", 16), ("flags", 1)):
        content = [int(x) % (1 << width) for x in expected.arrays[name].reshape(-1)]
        assert run.arrays[name] == content


def test_ports_are_those_of_vitis_and_two_where_two_accesses_are_needed() -> None:
    made = synthesize([SOURCE], "memories")
    head = re.search(r"^module memories\(.*?\);", made.text, re.MULTILINE | re.DOTALL)
    assert head
    pins = set(re.findall(r"\b(?:a|grid|bins|wide|flags)_(?:address|ce|we|d|q)\d\b", head.group()))
    both = {f"{p}{k}" for p in ("address", "ce") for k in (0, 1)}
    assert {p for p in pins if p.startswith("a_")} == {f"a_{p}" for p in both | {"q0", "q1"}}
    assert {p for p in pins if p.startswith("flags_")} == {
        f"flags_{p}0" for p in ("address", "ce", "we", "d")
    }
    assert {p for p in pins if p.startswith("grid_")} == {
        f"grid_{p}" for p in both | {"q0", "we1", "d1"}
    }
    assert {x["label"]: x["ii"] for x in made.report["loops"]} | {"count": 0, "shift": 0} == {
        "pairs": 1,
        "compare": 1,
        "scale": 1,
        "count": 0,
        "shift": 0,
    }
    ports = {p["name"]: p for p in made.report["ports"]}
    assert [ports[n]["direction"] for n in ("a", "grid", "flags")] == ["in", "inout", "out"]
    assert (ports["wide"]["kind"], ports["wide"]["width"], ports["wide"]["depth"]) == (
        "ap_memory",
        100,
        5,
    )
    assert not made.report["memories"], "memories outside take no block RAM here"


@pytest.mark.parametrize(
    ("body", "argument", "message"),
    [
        ("a[0] = 1;", "int a[]", "an array of integers or streams of known size"),
        ("a[0].x = in.read();", "P a[4]", "an array of integers or streams of known size"),
        ("a[in.read() & 3] = 1;", "ap_uint<129> a[4]", "must have at most 128 bits, not 129"),
        ("", "int a[4]", "array argument 'a' of 'top' must be read or written"),
        (
            "#pragma HLS INTERFACE s_axilite port=a\na[in.read() & 3] = 1;",
            "int a[4]",
            "of 'a' must be ap_memory: it is an array",
        ),
        (
            "#pragma HLS INTERFACE ap_memory port=in\na[in.read() & 3] = 1;",
            "int a[4]",
            "of 'in' must be axis: it is a stream",
        ),
        (
            "#pragma HLS DATAFLOW\nS s; one(in, s, a); two(s, out, a);",
            "int a[4]",
            "array argument 'a' must be used by one process, not by 'one' and 'two'",
        ),
        (
            "#pragma HLS DATAFLOW\nS s; a[1] = 3; pass(in, s); pass(s, out);",
            "int a[4]",
            "a DATAFLOW function must leave its array arguments to its processes",
        ),
    ],
)
def test_refusals(tmp_path: Path, body: str, argument: str, message: str) -> None:
    before = (
        "struct P { int x, y; };\n"
        "void one(S& x, S& y, int a[4]) { int v = x.read(); a[v & 3] = v; y.write(v); }\n"
        "void two(S& x, S& y, int a[4]) { y.write(a[x.read() & 3]); }\n"
        "void pass(S& x, S& y) { y.write(x.read()); }\n"
    )
    if "DATAFLOW" not in body:
        body += "\nout.write(in.read());"
    text = f'{HEAD}{before}extern "C" void top({argument}, S& in, S& out) {{\n{body}\n}}\n'
    (tmp_path / "top.cpp").write_text(text)
    with pytest.raises(HlscError, match=re.escape(message)) as caught:
        synthesize([tmp_path / "top.cpp"], "top")
    assert re.match(r"\S*top\.cpp:\d+: ", str(caught.value)), str(caught.value)


STRUCTURE = """\
#include <ap_int.h>
#include <hls_stream.h>
struct Scale { short gain; ap_int<5> up; bool on; };
extern "C" void top(hls::stream<int>& in, hls::stream<int>& out, Scale by) {
#pragma HLS INTERFACE s_axilite port=by
  for (int i = 0; i < 4; ++i) {
    int x = in.read();
    out.write(by.on ? x * by.gain + int(by.up) : x);
  }
}
"""


def test_a_structure_by_value_is_one_register_of_its_members(tmp_path: Path) -> None:
    (tmp_path / "top.cpp").write_text(STRUCTURE)
    made = synthesize([tmp_path / "top.cpp"], "top")
    (port,) = (p for p in made.design.ports if p.name == "by")
    assert (port.kind, port.direction, port.width, port.offset) == ("s_axilite", "in", 22, 0x10)
    words = [5, 0, 7, 1 << 20]
    for gain, up, on in ((-300, 9, 1), (77, -16, 1), (5, 5, 0)):
        packed = (gain & 0xFFFF) | (up & 31) << 16 | on << 21
        run = interpret(made.design, {"in": words}, {"by": packed})
        expected = [x * gain + up if on else x for x in words]
        assert run.streams["out"] == [x & 0xFFFFFFFF for x in expected]
