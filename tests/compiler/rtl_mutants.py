# SPDX-License-Identifier: Apache-2.0
"""Wrong RTL from right: all mutants of what hlsc emitted in one build, one chosen per run.

Each mutant replaces expressions of the SystemVerilog by `chosen ? wrong : right`, where `chosen` asks
the environment variable MUTANT; 0 chooses none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from hlsc.cosim import Cosim, check_rtl, cosim
from hlsc.flow import synthesized
from hlsc.rtlsim import RtlKernel

# Pattern, which the text must hold; replacement, where CHOSEN is the condition.
Mutants = Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Mutated:
    """The model with all mutants, and what co-simulation said of the design without them."""

    model: RtlKernel
    right: Cosim
    mutants: Mutants

    def problems(
        self, what: str, seeds: Iterable[int], monkeypatch: pytest.MonkeyPatch
    ) -> tuple[str, ...]:
        """What co-simulation says of a mutant ("": none), without stalls or with those of a seed."""
        monkeypatch.setenv("MUTANT", str(list(self.mutants).index(what) + 1 if what else 0))
        for stall, seed in [("none", 0), *(("random", n) for n in seeds)]:
            how = {"stall": stall, "seed": seed}
            found = check_rtl(self.model, self.right.report, self.right.bench, **how).problems
            if found:
                return found
        return ()


def mutated(
    source: Path, bench: Path, top: str, mutants: Mutants, folder: Path, *, everywhere: bool = False
) -> Mutated:
    """Build it below `folder`; a pattern that matches several places means the last one, or all."""
    right = cosim([source], [bench], top)
    assert right.problems == ()
    text = (synthesized([source], top, clock_ns=10.0) / f"{top}.sv").read_text()
    text = re.sub(r"\s*// @\[.*", "", text)
    for number, (what, (pattern, wrong)) in enumerate(mutants.items(), 1):
        places = list(re.finditer(pattern, text))
        assert places, f"nothing in the SystemVerilog matches the mutant '{what}'"
        for m in reversed(places if everywhere else places[-1:]):
            # Mutants of one place nest.
            text = text[: m.start()] + m.expand(wrong.replace("CHOSEN", "@@")) + text[m.end() :]
        text = text.replace("@@", f'($c32("std::atoi(std::getenv(\\"MUTANT\\"))") == {number})')
    path = folder / f"{top}.sv"
    path.write_text(text)
    return Mutated(RtlKernel([path], top, right.report), right, mutants)
