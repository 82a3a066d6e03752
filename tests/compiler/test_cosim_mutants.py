# SPDX-License-Identifier: Apache-2.0
"""Co-simulation catches wrong RTL: every mutant of what hlsc emitted."""

from __future__ import annotations

from pathlib import Path

import pytest
from rtl_mutants import Mutated, mutated

FOLDER = Path(__file__).parent / "cosim"
SOURCE, BENCH, TOP = FOLDER / "weigh.cpp", FOLDER / "weigh_tb.cpp", "weigh"

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
def built(tmp_path_factory: pytest.TempPathFactory) -> Mutated:
    return mutated(SOURCE, BENCH, TOP, MUTANTS, tmp_path_factory.mktemp("mutants"))


def test_the_model_itself_is_right(built: Mutated, monkeypatch: pytest.MonkeyPatch) -> None:
    assert built.problems("", range(4), monkeypatch) == ()


@pytest.mark.parametrize("what", MUTANTS)
def test_mutant_is_caught(built: Mutated, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert built.problems(what, range(4), monkeypatch)
