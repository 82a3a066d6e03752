# SPDX-License-Identifier: Apache-2.0
"""Random C++ programs natively against their RTL, kept failures, and proof that the fuzzer can fail."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import fuzz.rtl
import pytest
from fuzz.case import Argument, Case, Stimulus
from fuzz.check import Verdict, check
from fuzz.features import FEATURES, covering, features
from fuzz.programs import sample
from fuzz.rtl import Made
from fuzz.shrink import candidates, shrunk
from fuzz.statements import Program

import hlsc.synth
from hlsc.middle.graph import Builder

REGRESSIONS = sorted((Path(__file__).parent / "fuzz_regressions").glob("*.cpp"))
POOL = 150  # programs of which a few are taken that have every feature
PINS = """\
#include <ap_int.h>
#include <hls_stream.h>

typedef hls::stream<ap_uint<12>> Words;
extern "C" void pins(Words& in, Words& out, ap_uint<12> mem[5], ap_uint<9> add, ap_uint<40>* sum) {
#pragma HLS INTERFACE s_axilite port=add
#pragma HLS INTERFACE s_axilite port=sum
#pragma HLS INTERFACE s_axilite port=return
  ap_uint<40> s = 0;
  for (int i = 0; i < 5; ++i) {
    ap_uint<12> was = mem[i];
    s = s * 1000 + in.read();
    out.write(was);
    mem[i] = was + add;
  }
  *sum = s;
}
"""
PIN_FAULTS = {
    r"(?<=assign BRESP = 2'b)00": "10",
    r"(?<=reg_sum)\[39:32\]": "[38:31]",
    r"(?<=reg_sum_ap_vld <= 1'b)1": "0",
    r"\w+_fresh \? m_mem_q0 : \w+_kept": "m_mem_q0",
}


def report(cases: list[Case], verdicts: list[Verdict]) -> Counter[str]:
    """How many of each kind; fails with the texts if one program answers otherwise than it must."""
    for case, v in zip(cases, verdicts, strict=True):
        if v.kind != "same":
            print(f"{case.name} {v.kind}: {v.text}")
    bad = [f"{c.name}: {v.kind}" for c, v in zip(cases, verdicts, strict=True) if v.failed]
    assert not bad, bad
    return Counter(v.kind for v in verdicts)


def test_random_programs_and_kept_failures(seed: int) -> None:
    """One Verilator build for all. A program that hlsc refuses is a gap, but no wrong answer."""
    kept = [Case.load(p) for p in REGRESSIONS]
    pool = (sample(seed, k, runs=2, room=5) for k in range(POOL))
    # Operators of several limits in one program are dealt out by a search that takes half a minute.
    drawn = [s.case for s in covering(s for s in pool if s.case.source.count("ALLOCATION") < 2)]
    verdicts = check([*kept, *drawn], seed=seed % 1000 + 1)
    counts = report([*kept, *drawn], verdicts)
    assert all(v.kind == "same" for v in verdicts[: len(kept)])
    assert counts["same"] >= len(verdicts) - 1, counts


@pytest.mark.nightly
def test_many_random_programs(seed: int) -> None:
    counts = Counter[str]()
    for first in range(1000, 1300, 50):
        cases = [sample(seed, k).case for k in range(first, first + 50)]
        counts += report(cases, check(cases, seed=first))
    assert counts["same"] == 300, counts


def test_programs_follow_from_the_seed() -> None:
    assert sample(3, 1).case == sample(3, 1).case != sample(3, 2).case


def test_a_case_is_read_as_it_was_written(tmp_path: Path) -> None:
    for case in (sample(3, k, runs=1).case for k in range(20)):
        path = tmp_path / f"{case.name}.cpp"
        path.write_text(case.file_text())
        assert Case.load(path) == case


def test_every_feature_is_drawn_and_few_programs_have_them_all() -> None:
    few = covering(sample(1, k, room=5) for k in range(POOL))
    assert set().union(*(features(s.program) for s in few)) == set(FEATURES)
    assert len(few) < 20
    assert not features(Program("empty", ()))


def test_a_sign_lost_in_a_shift_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Builder.binary

    def unsigned(self: Builder, op: str, *args: int) -> int:
        return original(self, "lshr" if op == "ashr" else op, *args)

    monkeypatch.setattr(Builder, "binary", unsigned)
    shifts = [c for k in range(60) if " >> " in (c := sample(10, k, room=5).case).source]
    verdicts = check(sorted(shifts, key=lambda c: len(c.source))[:6], level="design")
    assert any(v.kind == "different" for v in verdicts), verdicts


def test_a_dropped_hazard_is_found_in_rtl(monkeypatch: pytest.MonkeyPatch) -> None:
    """The edges between accesses to one memory, dropped where the verifier would not see it."""
    build = hlsc.synth.build

    def careless(*args):
        problem = build(*args)
        kept = tuple(c for c in problem.constraints if c.why != "memory")
        return replace(problem, constraints=kept)

    monkeypatch.setattr(hlsc.synth, "build", careless)
    monkeypatch.setattr(hlsc.synth, "verify", lambda process, found, timing: found)
    case = Case.load(next(p for p in REGRESSIONS if p.stem == "histogram"))
    (verdict,) = check([case])
    assert verdict.kind == "different" and "design before the back end is right" in verdict.text


def test_faults_at_registers_and_memories_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = (
        Argument("in", "in", "ap_uint<12>", 12),
        Argument("out", "out", "ap_uint<12>", 12),
        Argument("mem", "array", "ap_uint<12>", 12, dims=(5,)),
        Argument("add", "value", "ap_uint<9>", 9),
        Argument("sum", "result", "ap_uint<40>", 40),
    )
    stimulus = Stimulus({"add": 300}, {"in": tuple(range(200, 205))}, {"mem": (1, 2, 3, 4, 4095)})
    cases = [
        Case(name, re.sub(r"\bpins\b", name, PINS), arguments, (stimulus,) * 4)
        for name in ("pins", *(f"pins_{k}" for k in range(len(PIN_FAULTS))))
    ]
    original = fuzz.rtl.synthesised

    def faulty(case: Case, *, back_end: bool = True) -> Made:
        made = original(case, back_end=back_end)
        for k, (place, text) in enumerate(PIN_FAULTS.items()):
            if case.name == f"pins_{k}":
                changed, count = re.subn(place, text, made.text)
                assert count == 1, place
                return replace(made, text=changed)
        return made

    monkeypatch.setattr(fuzz.rtl, "synthesised", faulty)
    right, *wrong = check(cases)
    assert right.kind == "same", right
    for verdict in wrong:
        assert verdict.kind == "different", wrong
        assert "design before the back end is right" in verdict.text


def test_a_failure_is_shrunk() -> None:
    """To the one construct that the oracle objects to, here a concatenation in a pipelined loop."""
    wanted = ("PIPELINE", ".range(", "for (")
    start = next(
        s for s in (sample(1, k) for k in range(50)) if all(w in str(s.program) for w in wanted)
    )
    small = shrunk(start, lambda cases: [all(w in c.source for w in wanted) for c in cases])
    before, after = len(str(start.program)), len(str(small.program))
    assert all(w in str(small.program) for w in wanted)
    assert after < before / 2, str(small.program)
    assert next(candidates(small.program), None) is None or after < before
