# SPDX-License-Identifier: Apache-2.0
"""Many programs as RTL: each synthesised by hlsc, all in one Verilated model (see ir_rtl)."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import ir_rtl

from fuzz.case import Argument, Case, Stimulus
from fuzz.native import Expected
from hlsc.frontend import compile_program
from hlsc.ir import Channel, Design
from hlsc.middle import lower as middle
from hlsc.synth import synthesize

__all__ = ["PAUSES", "Made", "build", "difference", "inputs", "run", "synthesised"]

PAUSES = ((0, 0), (40, 40), (0, 85), (85, 0), (70, 20))
"""Percent of cycles in which inputs have no word and outputs take none, stimulus by stimulus."""


@dataclass(frozen=True)
class Made:
    """What hlsc made of a program: the middle end's design, and SystemVerilog if it was asked for."""

    design: Design
    text: str = ""


def synthesised(case: Case, *, back_end: bool = True) -> Made:
    """Raises HlscError if hlsc refuses the program, anything else if hlsc is at fault."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        path = Path(folder, f"{case.name}.cpp")
        path.write_text(case.source)
        if back_end:
            made = synthesize([path], case.name, clock_ns=case.clock_ns)
            return Made(made.design, made.text)
        return Made(middle(compile_program([path], case.name)))


def build(made: Sequence[Made]) -> Path:
    """The simulator over these designs, cached; ToolError if Verilator refuses one."""
    return ir_rtl.build([m.design for m in made], [m.text for m in made])


def _places(design: Design, name: str) -> dict[str, tuple[int, int]]:
    channel: Channel = next(c for c in design.channels if c.name == name)
    places, low = {}, 0
    for member, width in channel.fields:
        places[member] = (low, (1 << width) - 1)
        low += width
    return places


def words_for(design: Design, a: Argument, words: Sequence[int]) -> list[int]:
    """Words of a case as those of the design's channel, with all side channels."""
    if not a.axis:
        return list(words)
    at = _places(design, a.name)
    fixed = sum(at[m][1] << at[m][0] for m in ("keep", "strb") if m in at)
    data, last = (1 << a.width) - 1, at["last"][0]
    return [fixed | (w & data) << at["data"][0] | (w >> a.width) << last for w in words]


def _as_case(design: Design, a: Argument, words: Sequence[int]) -> tuple[int, ...]:
    if not a.axis:
        return tuple(words)
    at = _places(design, a.name)
    (data, mask), last = at["data"], at["last"][0]
    return tuple((w >> data & mask) | (w >> last & 1) << a.width for w in words)


def difference(
    case: Case, design: Design, expected: Expected, streams: dict[str, list[int]],
    scalars: dict[str, int], arrays: dict[str, list[int]],
) -> str:  # fmt: skip
    """The first difference between what is expected and what a design gave, or ""."""
    for a in case.arguments:
        if a.kind == "out":
            got, want = _as_case(design, a, streams.get(a.name, [])), expected.streams[a.name]
            if text := _first(a.name, got, want):
                return text
        elif a.kind == "array":
            if text := _first(a.name, arrays.get(a.name, []), expected.arrays[a.name]):
                return text
        elif a.kind == "result":
            value = scalars.get(a.name, 0) & (1 << a.width) - 1
            if value != expected.scalars[a.name]:
                return f"{a.name} is {value:#x}, not {expected.scalars[a.name]:#x}"
    return ""


def _first(name: str, got: Sequence[int], want: Sequence[int]) -> str:
    for n, (x, y) in enumerate(zip(got, want, strict=False)):
        if x != y:
            return f"{name}[{n}] is {x:#x}, not {y:#x}"
    return "" if len(got) == len(want) else f"{name} has {len(got)} words, not {len(want)}"


def inputs(case: Case, design: Design, s: Stimulus, e: Expected) -> dict[str, list[int]]:
    """The words that the native program took, per input stream."""
    return {
        a.name: words_for(design, a, s.streams[a.name][: e.taken[a.name]])
        for a in case.arguments
        if a.kind == "in"
    }


def run(program: Path, case: Case, design: Design, expected: Sequence[Expected], seed: int) -> str:
    """All stimuli of a case, one after the other in one simulation; the first difference, or ""."""
    runs = []
    for i, (s, e) in enumerate(zip(case.stimuli, expected, strict=True)):
        streams = inputs(case, design, s, e)
        pause = PAUSES[i % len(PAUSES)]
        rest = {"seed": seed + i, "limit": 200_000, "arrays": s.arrays}
        runs.append(ir_rtl.Run(case.name, streams, s.scalars, *pause, **rest))
    for i, outcome in enumerate(ir_rtl.run(program, runs, seed)):
        where = f"stimulus {i}, pauses {PAUSES[i % len(PAUSES)]}"
        if outcome.fault:
            return f"the RTL breaks a rule: {outcome.fault} ({where})"
        if not outcome.done:
            left = ", ".join(f"{n} words of {s} left" for s, n in outcome.left.items() if n)
            return f"the RTL does not end ({where}; {left or 'inputs taken'})"
        if left := [s for s, n in outcome.left.items() if n]:
            return f"the RTL leaves words of {left[0]} ({where})"
        answer = (outcome.streams, outcome.scalars, outcome.arrays)
        found = difference(case, design, expected[i], *answer)
        if found:
            return f"{found} in RTL ({where})"
    return ""
