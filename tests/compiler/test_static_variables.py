# SPDX-License-Identifier: Apache-2.0
"""Static variables: what one call leaves to the next, natively, behind the middle end and in RTL."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path

import pytest
from rtl_mutants import Mutants, mutated

from hlsc.cosim import cosim
from hlsc.frontend.llvmtext import plain_name
from hlsc.interp import interpret
from hlsc.rtlsim import STALLS
from hlsc.synth import synthesize

SUBSET = Path(__file__).parent / "subset"
PROGRAMS = ["static_variables", "static_flow", "static_starts"]


@pytest.mark.parametrize("stall", STALLS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_calls_leave_what_they_kept_to_the_next(name, stall, seed) -> None:
    """Registers, distributed and block RAM; initial values of the model are random for each seed."""
    files = [SUBSET / f"{name}.cpp"], [SUBSET / f"{name}_tb.cpp"]
    assert cosim(*files, name, stall=stall, seed=seed).problems == ()


def test_a_run_of_the_design_takes_up_what_the_last_one_left(rng) -> None:
    design = synthesize([SUBSET / "static_flow.cpp"], "static_flow").design
    kept: dict = {}
    carry, history = 2, [0] * 16
    for calls in range(1, 6):
        words = [int(x) for x in rng.integers(-1000, 1000, 9)]
        before = [history[i % 16] for i in range(9)]
        sums = [x + carry for x in accumulate(words)]
        carry, history[:9] = sums[-1], words
        run = interpret(design, {"in": words}, {"n": 9}, kept=kept)
        expected = [3 * s + old + calls for s, old in zip(sums, before, strict=True)]
        assert run.streams["out"] == [x & 0xFFFFFFFF for x in expected]
    fresh = interpret(design, {"in": [5]}, {"n": 1})
    assert fresh.streams["out"] == [(5 + 2) * 3 + 0 + 1]


def test_a_loop_on_a_static_variable_keeps_its_ii() -> None:
    made = synthesize([SUBSET / "static_variables.cpp"], "static_variables")
    assert [loop["ii"] for loop in made.report["loops"]] == [1, 2]
    styles = {m["name"]: m["style"] for m in made.report["memories"]}
    assert styles["file_state"] == styles["pairs_0_1"] == "register"
    assert styles["table"] == "lutram"


FLOW: Mutants = {
    "another first value": (r"(reg +\[31:0\] carry_0 = )(32'h2);", r"\1CHOSEN ? 32'h7 : \2;"),
    "nothing kept": (r"block1_run \? carry_0 :", "block1_run ? (CHOSEN ? 32'h2 : carry_0) :"),
    "not stored at the end": (r"carry_0 <= carry_2", "carry_0 <= CHOSEN ? carry_0 : carry_2"),
    "RAM that starts anyhow": (r"(mem\[i\] = )'0", r"\1CHOSEN ? 32'h123 : 32'h0"),
    "stored during reset": (r"end_run & ~rst", "end_run & (CHOSEN | ~rst)"),
}


@pytest.fixture(scope="module")
def flow(tmp_path_factory):
    files = SUBSET / "static_flow.cpp", SUBSET / "static_flow_tb.cpp"
    folder = tmp_path_factory.mktemp("mutants")
    return mutated(*files, "static_flow", FLOW, folder, everywhere=True)


@pytest.mark.parametrize("what", ["", *FLOW])
def test_wrong_rtl_is_caught(flow, what, monkeypatch) -> None:
    """Every mutant fails; the model without one agrees for all seeds of its initial values."""
    assert bool(flow.problems(what, range(4), monkeypatch)) == bool(what)


@pytest.mark.parametrize(
    ("symbol", "name"),
    [
        ("_ZZ3firE9shift_reg", "shift_reg"),
        ("_ZZ3fir6ap_intILi16EEPS_ILi32EEE5count", "count"),
        ("_ZL5table", "table"),
        ("_ZZ4bumpILi3EEiiE1n_0", "n"),
        ("_ZN12_GLOBAL__N_13tabE", "tab"),
        ("_ZZ1fvE1x.1", "x"),
        ("plain", "plain"),
    ],
)
def test_names_in_messages(symbol, name) -> None:
    assert plain_name(symbol) == name
