# SPDX-License-Identifier: Apache-2.0
"""Arrays of streams as arguments of the top: one AXI4-Stream port per element."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from hlsc.cosim import cosim
from hlsc.csim import Kernel
from hlsc.errors import HlscError
from hlsc.flow import rtl_kernel
from hlsc.interp import interpret
from hlsc.rtlsim import STALLS
from hlsc.synth import synthesize

SUBSET = Path(__file__).parent / "subset"
SOURCE = [SUBSET / "lanes.cpp"]
INPUTS = [f"in_{r}_{k}" for r in range(2) for k in range(3)]
INPUTS += ["words_0", "words_1", "lone_0", "plain_0", "plain_1"]
OUTPUTS = ["crossed_0", "crossed_1", "lone_1", "scaled_0", "scaled_1"]


def test_rtl_answers_as_the_native_run(rng) -> None:
    native, rtl = Kernel(SOURCE, "lanes"), rtl_kernel(SOURCE, "lanes")
    assert {p.name for p in native.parameters} == {p.name for p in rtl.parameters}
    for stall in STALLS:
        n = int(rng.integers(1, 25))
        streams = {name: [rng.integers(0, 1 << 15, n)] for name in INPUTS}
        expected = native.run(streams, {"n": n}, isolated=stall == "none")
        assert sorted(expected.streams) == OUTPUTS
        run = rtl.run(streams, {"n": n}, stall=stall, seed=int(rng.integers(1 << 30)))
        for name, (words,) in expected.streams.items():
            assert np.array_equal(run.streams[name][0], words), (stall, name)


def test_co_simulation_records_every_stream_of_an_array() -> None:
    found = cosim(SOURCE, [SUBSET / "lanes_tb.cpp"], "lanes", stall="random", seed=3)
    assert found.passed and found.bench.code == 0, found.problems
    assert [c.beats_in for c in found.calls] == [11 * n for n in (7, 1, 12)]
    assert [a.name for a in found.bench.arguments][:8] == INPUTS[:8]


def test_ports_are_named_as_by_vitis() -> None:
    made = synthesize(SOURCE, "lanes")
    head = re.search(r"^module lanes\(.*?\);", made.text, re.MULTILINE | re.DOTALL)
    assert head
    assert set(re.findall(r"\b(\w+)_TVALID\b", head.group())) == {*INPUTS, *OUTPUTS}
    assert set(re.findall(r"\b(\w+)_TLAST\b", head.group())) == {
        f"{a}_{k}" for a in ("words", "crossed") for k in (0, 1)
    }
    ports = {p["name"]: p for p in json.loads(json.dumps(made.report))["ports"]}
    assert ports["in_1_2"]["part"]["argument"] == "in" and ports["in_1_2"]["part"]["bank"] == [1, 2]
    assert [p["name"] for p in made.report["ports"]][:7] == [*INPUTS[:6], "words_0"]
    assert {x["label"] or x["name"]: x["ii"] for x in made.report["loops"]}.popitem()[1] == 1


SEQUENTIAL = """\
  for (int i = 0; i < 6; ++i) {
#pragma HLS PIPELINE II=1
    int sum = 0;
    for (int k = 0; k < 3; ++k) sum += in[k].read() << k;
    out[i & 1 ? 0 : 0].write(sum);
    if (i & 1) out[1].write(i);
  }
"""


def write(path: Path, arguments: str, body: str) -> list[Path]:
    text = "#include <hls_stream.h>\n#include <ap_int.h>\ntypedef hls::stream<int> S;\n"
    text += "void pass(S& x, S& y) { y.write(x.read()); }\n"
    text += f'extern "C" void top({arguments}) {{\n{body}\n}}\n'
    (path / "top.cpp").write_text(text)
    return [path / "top.cpp"]


def test_without_dataflow(tmp_path: Path, rng) -> None:
    source = write(tmp_path, "S (&in)[3], S out[2]", SEQUENTIAL)
    streams = {f"in_{k}": rng.integers(0, 1000, 6) for k in range(3)}
    expected = Kernel(source, "top").run({n: [x] for n, x in streams.items()})
    run = interpret(
        synthesize(source, "top").design, {n: list(map(int, x)) for n, x in streams.items()}
    )
    for name in ("out_0", "out_1"):
        assert run.streams[name] == expected.streams[name][0].tolist()


@pytest.mark.parametrize(
    ("arguments", "body", "message"),
    [
        ("S in[], S& out", "out.write(in[1].read());", "array of integers or streams of known size"),
        ("S* in, S& out", "out.write(in[0].read());", "array of integers or streams of known size"),
        ("S in[2][2][2][2], S& out", "out.write(in[0][0][0][0].read());", "streams of known size"),
        ("S in[2], S& out", "out.write(in[0].read());", "argument 'in_1' of 'top' must be read or "),
        (
            "S in[2], S& out, int n",
            "out.write(in[n & 1].read());",
            "every stream access must be on one stream that is known at compile time",
        ),
        (
            "S in[2], S& out",
            "#pragma HLS INTERFACE s_axilite port=in\nout.write(in[0].read() + in[1].read());",
            "of 'in' must be axis: it is a stream",
        ),
        (
            "S in[2], S& out",
            "#pragma HLS INTERFACE axis port=in_0\nout.write(in[0].read() + in[1].read());",
            "must name an argument of 'top', not 'in_0'; arguments are in, out",
        ),
        (
            "S s[2]",
            "s[0].write(s[1].read());\ns[1].write(2);",
            "'s_1' must be read or written, not both",
        ),
        (
            "S in[2], S out[2]",
            "#pragma HLS DATAFLOW\npass(in[0], out[0]); pass(in[0], out[1]);",
            "stream 'in_0' must be read by one process",
        ),
        (
            "S in[2], S out[2]",
            "#pragma HLS DATAFLOW\n#pragma HLS STREAM variable=in depth=4\n"
            "pass(in[0], out[0]); pass(in[1], out[1]);",
            "must name a stream that 'top' declares, not 'in'",
        ),
        (
            "S in[2], S& in_1, S& out",
            "out.write(in[0].read() + in[1].read() + in_1.read());",
            "stream 'in_1' must have a name of its own",
        ),
    ],
)
def test_refusals(tmp_path: Path, arguments: str, body: str, message: str) -> None:
    with pytest.raises(HlscError, match=re.escape(message)) as caught:
        synthesize(write(tmp_path, arguments, body), "top")
    assert re.match(r"\S*top\.cpp:\d+: ", str(caught.value)), str(caught.value)


def test_streams_of_unknown_number_are_refused_natively_too(tmp_path: Path) -> None:
    with pytest.raises(HlscError, match="argument in must be a stream, "):
        Kernel(write(tmp_path, "S* in, S& out", "out.write(in[0].read());"), "top")
