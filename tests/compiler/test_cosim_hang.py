# SPDX-License-Identifier: Apache-2.0
"""Why RTL that hangs does so where the C++ would not: from the handshakes of its FIFOs."""

from __future__ import annotations

from pathlib import Path

import pytest

from hlsc.cosim import Cosim, cosim
from hlsc.cosim_hang import explain_hang
from hlsc.frontend import compile_program
from hlsc.frontend.program import Program
from hlsc.rtlsim_replay import FifoTrace

FOLDER = Path(__file__).parents[2] / "examples" / "matched_pair"
SOURCE, BENCH, TOP = FOLDER / "matched_pair.cpp", FOLDER / "matched_pair_tb.cpp", "matched_pair"
DEPTHS = FOLDER / "depths.cfg"  # with these the C++ ends

FULL, EMPTY, IDLE = (True, False, True, False), (False, True, False, True), (False, True, True, False)


@pytest.fixture(scope="module")
def right() -> tuple[Program, Cosim]:
    found = cosim([SOURCE], [BENCH], TOP, directives=DEPTHS, watch=True)
    assert found.passed and found.fifos
    return compile_program([SOURCE], TOP, directives=DEPTHS), found


def traces(found: Cosim, hands: dict[str, tuple[bool, ...]]) -> list[FifoTrace]:
    """The FIFOs as they would stand if the simulation had stopped with these handshakes."""
    return [
        FifoTrace(f.name, f.pushed, 1, f.high_water, 0, hands.get(f.name, IDLE), f.span, f.samples)
        for f in found.fifos
    ]


def test_a_ring_of_waits_is_named_and_what_to_deepen(right: tuple[Program, Cosim]) -> None:
    """Both FIFOs lead from one process to the other: one is full while the other is empty."""
    program, found = right
    hands = {"samples": FULL, "totals": EMPTY}
    (text,) = explain_hang(program, found.bench, traces(found, hands))
    assert "waits to write samples" in text and "waits to read totals" in text
    assert "the C++ does not stop at these depths" in text
    assert text.endswith("deepen samples")


def test_without_a_ring_the_waits_alone_are_told(right: tuple[Program, Cosim]) -> None:
    program, found = right
    (text,) = explain_hang(program, found.bench, traces(found, {"totals": EMPTY}))
    assert "waits to read totals" in text and "deepen" not in text
