# SPDX-License-Identifier: Apache-2.0
"""Co-simulation catches wrong RTL: mutants of what hlsc emitted, all in one build, one chosen per run.

Each mutant replaces one expression of the SystemVerilog by `chosen ? wrong : right`, where `chosen`
asks the environment variable MUTANT; 0 chooses none.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hlsc.cosim import check_rtl, cosim
from hlsc.flow import synthesized
from hlsc.rtlsim import RtlKernel

FOLDER = Path(__file__).parent / "cosim"
SOURCE, BENCH, TOP = FOLDER / "weigh.cpp", FOLDER / "weigh_tb.cpp", "weigh"

# what: pattern, which the text must hold; replacement, where CHOSEN is the condition
MUTANTS = {
    "wrong operator": (r"(mul\w* <= )(\{[^;]*?\}) \* (\{[^;]*?\});", r"\1CHOSEN ? \2 + \3 : \2 * \3;"),
    "swapped operands": (r"( sub =\s+)(\{[^;]*?\}) - ([^;]*);", r"\1CHOSEN ? \3 - \2 : \2 - \3;"),
    "sign extension": (
        r"(assign o_products_data = )(\{(\w+)\[\d+\], \3\});",
        r"\1CHOSEN ? {1'b0, \3} : \2;",
    ),
    "register enable dropped": (r"if \(([^()]*)\)( begin[^;]*?mul\w* <=)", r"if (CHOSEN | (\1))\2"),
    "register not cleared": (r"(before\w* <= )(20'h0);", r"\1CHOSEN ? 20'h7 : \2;"),
    "one iteration too few": (r"add >= (a_n)", r"(CHOSEN ? add + 8'h1 >= \1 : add >= \1)"),
    "one iteration too many": (r"add >= (a_n)", r"(CHOSEN ? add > \1 : add >= \1)"),
    "counter": (r"(wire \[7:0\]\s+add = )(i \+ 8'h1);", r"\1CHOSEN ? i + 8'h2 : \2;"),
    "TLAST stuck at 0": (r"(assign out_TLAST = )([^;]*);", r"\1CHOSEN ? 1'b0 : \2;"),
    "TLAST stuck at 1": (r"(assign out_TLAST = )([^;]*);", r"\1CHOSEN ? 1'b1 : \2;"),
    "TKEEP": (r"(assign out_TKEEP = )([^;]*);", r"\1CHOSEN ? 4'h7 : \2;"),
    "ROM word": (r"('d1: word = )(10'h20c);", r"\1CHOSEN ? 10'h20d : \2;"),
    "FIFO data": (
        r"(if \(out_take\) out_data <= )(store_valid \? store_data : in_data);",
        r"\1CHOSEN ? in_data : \2;",
    ),
    "FIFO overflows": (r"(full +<= )(store_count_next == [^;]*);", r"\1CHOSEN ? 1'b0 : \2;"),
    "FIFO word twice": (r"(assign store_pop = )([^;]*);", r"\1CHOSEN ? 1'b0 : \2;"),
}


@pytest.fixture(scope="module")
def mutants(tmp_path_factory: pytest.TempPathFactory):
    """The model with all mutants, the report and the calls of the bench."""
    right = cosim([SOURCE], [BENCH], TOP)
    assert right.problems == ()
    text = (synthesized([SOURCE], TOP, clock_ns=10.0) / f"{TOP}.sv").read_text()
    text = re.sub(r"\s*// @\[.*", "", text)
    for number, (what, (pattern, wrong)) in enumerate(MUTANTS.items(), 1):
        chosen = f'($c32("std::atoi(std::getenv(\\"MUTANT\\"))") == {number})'
        # The last place of several, and mutants of one place nest.
        places = list(re.finditer(pattern, text))
        assert places, f"nothing in the SystemVerilog matches the mutant '{what}'"
        m = places[-1]
        text = text[: m.start()] + m.expand(wrong.replace("CHOSEN", "@@")) + text[m.end() :]
        text = text.replace("@@", chosen)
    path = tmp_path_factory.mktemp("mutants") / f"{TOP}.sv"
    path.write_text(text)
    return RtlKernel([path], TOP, right.report), right.report, right.bench


def problems(mutants, number: int, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """What co-simulation says of one mutant, without stalls and with those of four seeds."""
    kernel, report, bench = mutants
    monkeypatch.setenv("MUTANT", str(number))
    for stall, stall_seed in [("none", 0), *(("random", n) for n in range(4))]:
        found = check_rtl(kernel, report, bench, stall=stall, seed=stall_seed).problems
        if found:
            return found
    return ()


def test_the_model_itself_is_right(mutants, monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems(mutants, 0, monkeypatch) == ()


@pytest.mark.parametrize("what", MUTANTS)
def test_mutant_is_caught(mutants, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = problems(mutants, list(MUTANTS).index(what) + 1, monkeypatch)
    assert found
