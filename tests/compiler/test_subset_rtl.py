# SPDX-License-Identifier: Apache-2.0
"""Constructs of the supported subset that fit no kernel: natively and in RTL, under all stalls."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import subset_rows
from fuzz.check import check

from hlsc.csim import Kernel
from hlsc.errors import HlscError
from hlsc.flow import rtl_kernel
from hlsc.interp import interpret
from hlsc.rtlsim import STALLS
from hlsc.synth import synthesize

SUBSET = Path(__file__).parent / "subset"


def agree(name: str, streams, scalars, stall: str, seed: int):
    """The RTL's run, whose streams and scalars are those of the native run."""
    source = [SUBSET / f"{name}.cpp"]
    expected = Kernel(source, name).run(streams, scalars)
    run = rtl_kernel(source, name).run(streams, scalars, stall=stall, seed=seed)
    assert run.scalars == expected.scalars
    for stream, transfers in expected.streams.items():
        assert len(run.streams[stream]) == len(transfers), stream
        for got, want in zip(run.streams[stream], transfers, strict=True):
            assert np.array_equal(got, want), stream
    return run


def _different(cases, level: str, seed: int) -> list[str]:
    verdicts = check(cases, level=level, seed=seed)
    return [
        f"{c.name}: {v.kind} {v.text}" for c, v in zip(cases, verdicts, strict=True) if v.kind != "same"
    ]


@pytest.mark.parametrize("part", range(4))
def test_the_rows_of_the_subset_as_designs(part: int, seed: int) -> None:
    """Natively and interpreted behind the middle end; in parts, which run side by side."""
    assert not _different(subset_rows.cases(seed)[part::4], "design", seed)


@pytest.mark.nightly
def test_the_rows_of_the_subset_in_rtl(seed: int) -> None:
    assert not _different(subset_rows.cases(seed), "rtl", seed)


@pytest.mark.parametrize("stall", STALLS)
def test_functions_that_are_called_one_after_the_other(rng, seed, stall) -> None:
    """INLINE off, a pipelined function, loops without a trip, unrolled loops with a remainder."""
    for n, rounds in ((0, 0), (1, 0), (8, 3), (5, 2), (0, 3), (7, 1)):
        words = [rng.integers(-500, 500, n * (rounds + 1))] if n else []
        agree("functions", {"in": words}, {"n": n, "rounds": rounds}, stall, seed)


@pytest.mark.parametrize("stall", STALLS)
def test_scalars_and_block_control_by_wires(rng, seed, stall) -> None:
    """ap_vld written many times, ap_none, a return value; called twice, from start to done."""
    for n in (0, 1, 20):
        words = [rng.integers(-500, 500, n)] if n else []
        agree("wires", {"in": words}, {"n": n}, stall, seed)


def test_a_top_without_control_runs_again_and_again(rng, seed) -> None:
    source = [SUBSET / "free_running.cpp"]
    frames = rng.integers(-1000, 1000, (6, 4))
    native = Kernel(source, "free_running")
    expected = [native.run({"in": [f]}, {"gain": -77}).streams["out"][0] for f in frames]
    rtl = rtl_kernel(source, "free_running")
    for stall in STALLS:
        run = rtl.run({"in": [frames.reshape(-1)]}, {"gain": -77}, stall=stall, seed=seed)
        assert np.array_equal(np.concatenate(run.streams["out"]), np.concatenate(expected)), stall


@pytest.mark.parametrize("stall", STALLS)
def test_arrays_between_processes(rng, seed, stall) -> None:
    for n in (0, 8, 3):
        agree("buffers", {"in": [rng.integers(-500_000, 500_000, 32)]}, {"n": n}, stall, seed)


def test_arrays_between_processes_in_the_interpreter_and_in_the_report(rng) -> None:
    source = [SUBSET / "buffers.cpp"]
    words = rng.integers(-500_000, 500_000, 32)
    expected = Kernel(source, "buffers").run({"in": [words]}, {"n": 5})
    made = synthesize(source, "buffers")
    run = interpret(made.design, {"in": [int(x) for x in words]}, {"n": 5})
    for stream, (want,) in expected.streams.items():
        assert run.streams[stream] == [int(x) & 0xFFFFFFFF for x in want]
    rows = {x["name"]: x["process"] for x in made.report["memories"]}
    assert rows["block"] == "fill -> transform" and rows["sums"] == "transform -> reverse"
    assert any("stream side must hold all that is written to it" in w for w in made.report["warnings"])
    assert {x["label"]: x["ii"] for x in made.report["loops"]}["rows"] == 1


def test_counters_by_two_reach_both_banks_in_one_cycle(tmp_path: Path) -> None:
    (tmp_path / "top.cpp").write_text(
        """#include <hls_stream.h>
extern "C" void top(hls::stream<int>& in, hls::stream<int>& out) {
  short t[12];
#pragma HLS ARRAY_PARTITION variable=t cyclic factor=2
  for (int i = 0; i < 12; i += 2) {
#pragma HLS PIPELINE II=1
    int v = in.read();
    t[i] = v;
    t[i + 1] = v >> 16;
  }
  for (int i = 0; i < 12; ++i) {
#pragma HLS PIPELINE II=2
#pragma HLS UNROLL factor=2
    out.write(t[i]);
  }
}
"""
    )
    made = synthesize([tmp_path / "top.cpp"], "top")
    assert [x["ii"] for x in made.report["loops"]] == [1, 2] and not made.report["warnings"]
    (process,) = made.design.processes
    assert [m.ports for m in process.memories] == ["1r1w"] * 2  # one access of each kind per bank


PROCESSES = """#include <hls_stream.h>
#include <ap_int.h>
typedef hls::stream<int> S;
void fill(S& s, int a[8]) { for (int i = 0; i < 8; ++i) a[i] = s.read(); }
void take(int a[8], S& s) { for (int i = 0; i < 8; ++i) s.write(a[i]); }
void give(int a[8], S& s, S& back) { for (int i = 0; i < 8; ++i) { s.write(a[i]); back.write(i); } }
void wait(S& s, S& back, int a[8]) { for (int i = 0; i < 8; ++i) a[i] = s.read() + back.read(); }
void wide(S& s, ap_int<200> a[8]) { for (int i = 0; i < 8; ++i) a[i] = s.read(); }
void thin(ap_int<200> a[8], S& s) { for (int i = 0; i < 8; ++i) s.write(a[i]); }
"""


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("S b; wait(in, b, a); give(a, out, b);", "must not stand in a cycle: 'give'"),
        ("S s; fill(in, a); take(a, s); fill(s, a); take(a, out);", "must have two processes, not 4"),
        ("a[3] = 7; fill(in, a); take(a, out);", "must be filled by the first of them"),
        ("fill(in, a); a[3] += 7; take(a, out);", "must be read by them alone, not beside their calls"),
        ("take(a, out); fill(in, a);", "array 'a' must be written by 'take'"),
        ("ap_int<200> w[8]; wide(in, w); thin(w, out);", "elements of at most 128 bits, not "),
    ],
)
def test_arrays_between_processes_that_are_refused(tmp_path: Path, body: str, message: str) -> None:
    text = f'extern "C" void top(S& in, S& out) {{\n#pragma HLS DATAFLOW\nint a[8];\n{body}\n}}\n'
    (tmp_path / "top.cpp").write_text(PROCESSES + text)
    with pytest.raises(HlscError, match=re.escape(message)) as caught:
        synthesize([tmp_path / "top.cpp"], "top")
    assert re.match(r"\S*top\.cpp:\d+: ", str(caught.value)), str(caught.value)


def test_a_pointer_that_a_loop_moves_is_refused(tmp_path: Path) -> None:
    (tmp_path / "top.cpp").write_text(
        PROCESSES + 'extern "C" void top(S& in, S& out) {\n  int a[8];\n  int* p = a;\n'
        "  while (in.read()) *p++ = in.read();\n  out.write(a[in.read() & 7]);\n}\n"
    )
    message = "a pointer must not change from one pass of control flow to another; index the array"
    with pytest.raises(HlscError, match=message) as caught:
        synthesize([tmp_path / "top.cpp"], "top")
    assert re.match(r"\S*top\.cpp:\d+: ", str(caught.value)), str(caught.value)
