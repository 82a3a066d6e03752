# SPDX-License-Identifier: Apache-2.0
"""An explanation (hlsc.explain) as text."""

from __future__ import annotations

from collections.abc import Iterator

from hlsc.explain import Explanation, Fill, LoopView, Port, Row

__all__ = ["blocks", "columns", "headline", "operations", "slots", "text"]

_BARS = " ▁▂▃▄▅▆▇█"
_WIDTH = 64  # columns of a fill over time


def text(found: Explanation) -> str:
    """All loops, then the FIFOs."""
    r = found.report
    lines = [f"{found.top} on {r['part']}, clock {r['clock_ns']:g} ns"]
    for loop in found.loops:
        lines += ["", *_loop(found, loop)]
    lines += ["", *blocks(found)] if r["blocks"] else []
    if found.fifos:
        lines += ["", "FIFOs in co-simulation (words over time)"]
        for fill in found.fifos:
            lines += _fill(fill)
    lines += [f"cosim: {p}" for p in found.problems]
    return "\n".join(lines) + "\n"


def blocks(found: Explanation) -> list[str]:
    """What runs once, outside loops."""
    rows = found.report["blocks"]
    return [f"block {b['process']}.{b['name']}: {b['cycles']} cycles" for b in rows]


def headline(loop: LoopView) -> str:
    """What a loop reaches, in one line."""
    at = f" ({loop.loc})" if loop.loc else ""
    ii = "iterations do not overlap" if loop.ii is None else f"II {loop.ii}"
    asked = f" of {loop.asked} asked" if loop.asked and loop.asked != loop.ii else ""
    trips = "" if loop.trips is None else f", {loop.trips} iterations"
    return f"loop {loop.process}.{loop.label}{at}: {ii}{asked}, depth {loop.depth}{trips}"


def operations(row: Row) -> str:
    """load a ×2, mul"""
    return ", ".join(name + (f" ×{count}" if count > 1 else "") for name, count in row.operations)


def slots(loop: LoopView, port: Port) -> str:
    """How much of a port the loop takes."""
    taken = len({u.cycle % loop.ii for u in port.uses}) if loop.ii else len(port.uses)
    return f"{taken} of {loop.ii} cycles" if loop.ii else f"{len(port.uses)} uses"


def columns(samples: tuple[int, ...], most: int = _WIDTH) -> list[int]:
    """Samples, at most so many: the largest of each stretch."""
    step = max(1, -(-len(samples) // most))
    return [max(samples[i : i + step]) for i in range(0, len(samples), step)]


def _loop(found: Explanation, loop: LoopView) -> Iterator[str]:
    yield headline(loop)
    if loop.limit:
        yield f"  limited by {loop.limit.article} {loop.limit.kind}: {loop.limit.text}"
        for loc in loop.limit.lines:
            yield f"    {loc}  {found.source(loc)}"
    elif loop.ii is not None:
        yield "  nothing limits it"
    if loop.advice:
        yield f"  {loop.advice.note}"
        for pragma in loop.advice.pragmas:
            yield f"    {pragma}   (in {loop.advice.function})"
    for port in loop.ports:
        yield f"  {port.name}, {slots(loop, port)}: {port.users}"
    cycle = -1
    for row in loop.rows:
        if row.cycle != cycle:
            cycle = row.cycle
            yield f"  cycle {cycle}"
        at = f"{row.loc}  {found.source(row.loc)}" if row.loc else "(several lines)"
        yield f"    {operations(row):32}  {at}"


def _fill(fill: Fill) -> Iterator[str]:
    t = fill.trace
    top = max([fill.depth, t.high_water, 1])
    bars = "".join(_BARS[-(-x * (len(_BARS) - 1) // top)] for x in columns(t.samples))
    yield (
        f"  {t.name}: depth {fill.depth}, {t.pushed} words, most at once {t.high_water}, "
        f"a word waited in {t.blocked} cycles"
    )
    yield f"    |{bars}|"
