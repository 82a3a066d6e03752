# SPDX-License-Identifier: Apache-2.0
"""ARRAY_PARTITION and ARRAY_RESHAPE of array arguments: ports per bank, wires, wide words."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from hlsc.cosim import cosim
from hlsc.csim import Kernel
from hlsc.errors import HlscError
from hlsc.flow import rtl_kernel
from hlsc.interp import interpret
from hlsc.parts import Cut, Part
from hlsc.rtlsim import STALLS, RtlError
from hlsc.rtlsim_parts import gather
from hlsc.synth import synthesize

SUBSET = Path(__file__).parent / "subset"
SOURCE = [SUBSET / "cut_arguments.cpp"]
TOP = "cut_arguments"


def stimulus(rng) -> dict[str, np.ndarray]:
    return {
        "a": rng.integers(-2048, 2048, (4, 6)),
        "bins": rng.integers(-64, 64, 10),
        "weights": rng.integers(-(1 << 15), 1 << 15, 3),
        "sums": rng.integers(-100, 100, 2),
        "rows": rng.integers(0, 32, (4, 8)),
        "square": rng.integers(-256, 256, (4, 4)),
        "bytes": rng.integers(-128, 128, 10).astype(np.int8),
        "pairs": rng.integers(0, 1 << 17, (2, 6)),
    }


def test_rtl_answers_as_the_native_run(rng) -> None:
    native, rtl = Kernel(SOURCE, TOP), rtl_kernel(SOURCE, TOP)
    for number, stall in enumerate(STALLS):
        arrays, words = stimulus(rng), {"in": [rng.integers(0, 1 << 20, 12)]}
        both = {"both": number % 2}
        expected = native.run(words, both, arrays)
        run = rtl.run(words, both, arrays, stall=stall, seed=int(rng.integers(1 << 30)))
        assert np.array_equal(run.streams["out"][0], expected.streams["out"][0])
        assert run.arrays.keys() == arrays.keys() and run.scalars == expected.scalars
        for name, content in expected.arrays.items():
            assert np.array_equal(run.arrays[name], content), (stall, name)
            assert run.arrays[name].dtype == content.dtype
    with pytest.raises(RtlError, match="array bins must have 10 words, not 9"):
        rtl.run(words, both, arrays | {"bins": np.zeros(9, int)})
    with pytest.raises(RtlError, match="array rows must be given"):
        rtl.run(words, both, {k: v for k, v in arrays.items() if k != "rows"})


def test_co_simulation_of_whole_arrays() -> None:
    found = cosim(SOURCE, [SUBSET / "cut_arguments_tb.cpp"], TOP, stall="periodic")
    assert found.passed and found.bench.code == 0, found.problems
    assert [c.beats_in for c in found.calls] == [12, 12]


def test_ports_are_those_of_vitis() -> None:
    made = synthesize(SOURCE, TOP)
    ports = {p["name"]: p for p in made.report["ports"]}
    shapes = {n: (p["kind"], p["direction"], p["width"], p.get("depth", 0)) for n, p in ports.items()}
    banks = {f"a_{r}_{c}": ("ap_memory", "in", 12, 4) for r in range(2) for c in range(3)}
    assert {n: s for n, s in shapes.items() if n.startswith("a_")} == banks
    assert {n: s for n, s in shapes.items() if n.startswith("bins")} == {
        f"bins_{k}": ("ap_memory", "inout", 7, 4) for k in range(3)
    }
    assert [shapes[f"weights_{k}"] for k in range(3)] == [("ap_none", "in", 16, 0)] * 3
    assert [shapes[f"sums_{k}"] for k in range(2)] == [("ap_vld", "out", 32, 0)] * 2
    assert shapes["rows"] == ("ap_memory", "in", 5 * 8, 4)
    assert shapes["square"] == ("ap_memory", "inout", 9 * 4, 4)
    assert shapes["bytes"] == ("ap_memory", "in", 8 * 4, 3)
    assert shapes["pairs_0"] == ("ap_memory", "inout", 17 * 2, 3)
    assert shapes["pairs_1"] == ("ap_memory", "in", 17 * 2, 3)
    head = re.search(rf"^module {TOP}\(.*?\);", made.text, re.MULTILINE | re.DOTALL)
    assert head
    pins = set(re.findall(r"\b(?:sums_1|weights_2|pairs_1|bins_0)\w*", head.group()))
    bank = {f"bins_0_{pin}" for pin in ("address0", "ce0", "q0", "address1", "ce1", "we1", "d1")}
    assert bank | {"sums_1", "sums_1_ap_vld", "weights_2", "pairs_1_q0"} <= pins
    assert {x["label"]: x["ii"] for x in made.report["loops"]} == {
        "weigh": 1,
        "count": 2,
        "turn": 2,
        "split": 1,
    }


PRODUCT = """\
extern "C" void product(const short a[16][16], const short b[16][16], int c[16][16]) {
#pragma HLS ARRAY_PARTITION variable=a complete dim=2
#pragma HLS ARRAY_PARTITION variable=b complete dim=1
  for (int i = 0; i < 16; ++i)
    for (int j = 0; j < 16; ++j) {
#pragma HLS PIPELINE II=1
      int s = 0;
      for (int k = 0; k < 16; ++k) s += a[i][k] * b[k][j];
      c[i][j] = s;
    }
}
"""


def test_a_product_of_matrices_has_one_element_per_cycle(tmp_path: Path, rng) -> None:
    (tmp_path / "product.cpp").write_text(PRODUCT)
    made = synthesize([tmp_path / "product.cpp"], "product")
    (loop,) = made.report["loops"]
    assert (loop["ii"], loop["trip_count"]) == (1, 256) and not made.report["warnings"]
    assert [p["name"] for p in made.report["ports"]] == [
        *(f"a_{k}" for k in range(16)),
        *(f"b_{k}" for k in range(16)),
        "c",
    ]
    a, b = (rng.integers(-(1 << 15), 1 << 15, (16, 16)).astype(np.int16) for _ in "ab")
    arrays = {"c": [0] * 256}
    for p in made.design.ports:
        if p.part is not None:
            data = (a if p.part.argument == "a" else b).tobytes()
            arrays[p.name] = np.frombuffer(gather(p.part, data, 16), np.uint16).tolist()
    run = interpret(made.design, {}, {}, arrays=arrays)
    expected = a.astype(np.int64) @ b.astype(np.int64)
    assert run.arrays["c"] == [int(x) & 0xFFFFFFFF for x in expected.reshape(-1)]


def test_words_of_a_part() -> None:
    cuts = (Cut(2, "complete", 2), Cut(5, "cyclic", 2, True))
    assert Part("a", cuts, (1, 0)).words() == [(5, 6), (7, 8), (9, None)]
    assert Part("a", cuts, (1, 0)).name == "a_1"
    block = Part("a", (Cut(5, "block", 2),), (1,))
    assert block.words() == [(3,), (4,), (None,)] and block.name == "a_1"
    assert Part.from_dict(block.as_dict()) == block


def refused(path: Path, argument: str, body: str) -> str:
    text = "#include <ap_int.h>\n#include <hls_stream.h>\ntypedef hls::stream<int> S;\n"
    text += f'extern "C" void top({argument}, S& in, S& out) {{\n{body}\nout.write(in.read());\n}}\n'
    (path / "top.cpp").write_text(text)
    with pytest.raises(HlscError) as caught:
        synthesize([path / "top.cpp"], "top")
    assert re.match(r"\S*top\.cpp:\d+: ", str(caught.value)), str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("argument", "body", "message"),
    [
        (
            "int a[8]",
            "#pragma HLS ARRAY_RESHAPE variable=a cyclic factor=2\n"
            "for (int i = 0; i < 8; ++i) a[i] = in.read();",
            "array argument 'a' must be written by whole words of 2 elements, which ARRAY_RESHAPE",
        ),
        (
            "int a[4]",
            "#pragma HLS ARRAY_PARTITION variable=a complete\na[1] += in.read();",
            "single elements of the array argument 'a' must be only read or only written, not both",
        ),
        (
            "const ap_uint<128> a[64]",
            "#pragma HLS ARRAY_RESHAPE variable=a complete\nout.write(a[in.read() & 63]);",
            "words of the array argument 'a' must have at most 4096 bits, not 8192",
        ),
        (
            "const int a[4], int a_1",
            "#pragma HLS ARRAY_PARTITION variable=a complete\nout.write(a[in.read() & 3] + a_1);",
            "port 'a_1' must have a name of its own: a part of 'a' has it too",
        ),
        (
            "int a[4]",
            "#pragma HLS BIND_STORAGE variable=a type=ram_2p\na[in.read() & 3] = 1;",
            "must not name 'a', an argument of the top: its memory lies outside",
        ),
        (
            "int a[4][2]",
            "#pragma HLS ARRAY_PARTITION variable=a dim=3\na[in.read() & 3][0] = 1;",
            "must have dim = 0 … 2, not 3: 'a' is 4×2",
        ),
        (
            "int a[4]",
            "#pragma HLS ARRAY_PARTITION variable=a cyclic factor=9\na[in.read() & 3] = 1;",
            "must have a factor of at most 4, not 9",
        ),
        (
            "int a[4]",
            "#pragma HLS ARRAY_PARTITION variable=a cyclic factor=2\n"
            "#pragma HLS INTERFACE ap_none port=a\na[in.read() & 3] = 1;",
            "INTERFACE of 'a' must be ap_memory, not ap_none: a bank of it has 2 words",
        ),
        (
            "int* a",
            "#pragma HLS ARRAY_PARTITION variable=a\n*a = in.read();",
            "must name an array, not 'a'",
        ),
    ],
)
def test_refusals(tmp_path: Path, argument: str, body: str, message: str) -> None:
    assert message in refused(tmp_path, argument, body)


DATAFLOW = """\
#include <hls_stream.h>
typedef hls::stream<int> S;
void pass(S& x, S& y) { for (int i = 0; i < 4; ++i) y.write(x.read()); }
void take(S& x, int a[4]) { for (int i = 0; i < 4; ++i) a[i] = x.read(); }
extern "C" void top(S& in, int a[4]) {
#pragma HLS DATAFLOW
#pragma HLS ARRAY_PARTITION variable=a cyclic factor=2
  S s;
  pass(in, s);
  take(s, a);
}
"""


def test_in_a_dataflow_function(tmp_path: Path) -> None:
    (tmp_path / "top.cpp").write_text(DATAFLOW)
    made = synthesize([tmp_path / "top.cpp"], "top")
    assert [p.name for p in made.design.ports] == ["in", "a_0", "a_1"]
    run = interpret(made.design, {"in": [5, 6, 7, 8]}, {}, arrays={"a_0": [0, 0], "a_1": [0, 0]})
    assert run.arrays == {"a_0": [5, 7], "a_1": [6, 8]}


LAYER = """\
#include <ap_int.h>
extern "C" void layer(const ap_int<6> x[4], ap_int<14> y[2]) {
#pragma HLS ARRAY_RESHAPE variable=x complete dim=0
#pragma HLS ARRAY_PARTITION variable=y complete dim=0
#pragma HLS INTERFACE ap_vld port=x
#pragma HLS INTERFACE ap_none port=y
#pragma HLS PIPELINE II=1
  for (int k = 0; k < 2; ++k) y[k] = x[k] * x[k + 1] + x[3];
}
"""


def test_whole_arrays_by_wires(tmp_path: Path, rng) -> None:
    """As hls4ml writes its layers."""
    (tmp_path / "layer.cpp").write_text(LAYER)
    made = synthesize([tmp_path / "layer.cpp"], "layer")
    ports = {p.name: (p.kind, p.direction, p.width) for p in made.design.ports}
    assert ports == {
        "x": ("ap_vld", "in", 24),
        "y_0": ("ap_none", "out", 14),
        "y_1": ("ap_none", "out", 14),
    }
    x = [int(v) for v in rng.integers(-32, 32, 4)]
    run = interpret(made.design, {}, {"x": sum((v & 63) << (6 * k) for k, v in enumerate(x))})
    assert [run.scalars[f"y_{k}"] for k in range(2)] == [
        (x[k] * x[k + 1] + x[3]) & 0x3FFF for k in range(2)
    ]
    assert "x_ap_vld" in made.text and "y_0_ap_vld" not in made.text


def test_a_bank_that_no_index_reaches_keeps_its_pins(tmp_path: Path) -> None:
    text = "#include <hls_stream.h>\ntypedef hls::stream<int> S;\n"
    text += 'extern "C" void top(const int a[2][5], S& in, S& out) {\n'
    text += "#pragma HLS ARRAY_PARTITION variable=a complete dim=2\n"
    text += "for (int i = 0; i < 20; ++i) out.write(a[in.read() & 1][i & 3]);\n}\n"
    (tmp_path / "top.cpp").write_text(text)
    made = synthesize([tmp_path / "top.cpp"], "top")
    assert not any(
        n.ref == m.name
        for p in made.design.processes
        for m in p.memories
        if m.external == "a_4"
        for r in p.regions
        for n in r.nodes
    )
    assert set(re.findall(r"\ba_4_\w+", made.text)) == {"a_4_address0", "a_4_ce0"}


def drawn(rng, number: int) -> tuple[str, str, str, tuple[int, ...], int]:
    """One argument: its pragmas, its declaration, statements on it, its shape and its width."""
    shape = tuple(int(x) for x in rng.integers(1, 8, rng.integers(1, 4)))
    width, name = int(rng.integers(2, 40)), f"x{number}"
    pragmas, wide, words = [], False, 1
    for d, extent in enumerate(shape, 1):
        word = ["PARTITION", "RESHAPE", ""][rng.integers(3)]
        kind = ["complete", "cyclic", "block"][rng.integers(3)]
        factor = extent if kind == "complete" else int(rng.integers(1, extent + 1))
        words *= -(-extent // factor) if word else extent
        wide |= word == "RESHAPE" and factor > 1
        if word:
            how = kind if kind == "complete" else f"{kind} factor={factor}"
            pragmas.append(f"#pragma HLS ARRAY_{word} variable={name} {how} dim={d}")
    # Reshaped words are written as wholes only; a word alone is a wire, read or written.
    reads = wide or words == 1 or rng.integers(2)
    dims = "".join(f"[{n}]" for n in shape)
    at = "".join(
        f"[{i}]"
        for i in (
            [f"i % {n}", f"(word >> {3 * d}) % {n}", str(rng.integers(n))][rng.integers(3)]
            for d, n in enumerate(shape)
        )
    )
    linear = "".join(f"[(i + {d}) % {n}]" for d, n in enumerate(shape))
    body = f"sum += {name}{at} * 5 - {name}{linear};"
    if not reads:
        body = f"{name}{at} += word; {name}{linear} = sum + i; {body}"
    const = "const " if reads else ""
    return "\n".join(pragmas), f"{const}ap_int<{width}> {name}{dims}", body, shape, width


def random_top(rng, path: Path) -> tuple[list[Path], dict[str, tuple[tuple[int, ...], int]]]:
    made = [drawn(rng, k) for k in range(5)]
    text = "#include <ap_int.h>\n#include <hls_stream.h>\ntypedef hls::stream<int> S;\n"
    text += f'extern "C" void top({", ".join(m[1] for m in made)}, S& in, S& out) {{\n'
    text += "\n".join(m[0] for m in made) + "\nfor (int i = 0; i < 20; ++i) {\n"
    text += "unsigned word = in.read();\nint sum = 0;\n" + "\n".join(m[2] for m in made)
    (path / "top.cpp").write_text(text + "\nout.write(sum);\n}\n}\n")
    return [path / "top.cpp"], {f"x{k}": (m[3], m[4]) for k, m in enumerate(made)}


def check_random(rng, path: Path) -> None:
    source, shapes = random_top(rng, path)
    arrays = {n: rng.integers(-(1 << w - 1), 1 << w - 1, shape) for n, (shape, w) in shapes.items()}
    words = rng.integers(0, 1 << 30, 20)
    expected = Kernel(source, "top").run({"in": [words]}, {}, arrays)
    run = rtl_kernel(source, "top").run({"in": [words]}, {}, arrays, stall="random", seed=1)
    text = source[0].read_text()
    assert np.array_equal(run.streams["out"][0], expected.streams["out"][0]), text
    for name, content in expected.arrays.items():
        assert np.array_equal(run.arrays[name], content), (name, text)


@pytest.mark.nightly
@pytest.mark.parametrize("number", range(12))
def test_random_arguments_in_rtl(rng, tmp_path: Path, number: int) -> None:
    check_random(rng, tmp_path)
