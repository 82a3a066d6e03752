# SPDX-License-Identifier: Apache-2.0
"""Why the RTL stopped in co-simulation: from the C++ on bounded FIFOs, else from the RTL's own.

And why it may be wrong: a DEPENDENCE pragma that the calls do not keep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hlsc.backend.mlir import identifier
from hlsc.dataflow import Dataflow, explain_run
from hlsc.deadlock import Fifo, Wait, explain, find_ring
from hlsc.errors import HlscError
from hlsc.frontend.program import Program
from hlsc.rtlsim_replay import FifoTrace
from hlsc.testbench import Result

__all__ = ["HANG", "broken_promises", "explain_hang"]

HANG = "the RTL must make progress"
"""How the simulation's message of a hang begins (rtlsim_harness.cpp)."""


def explain_hang(program: Program, bench: Result, watched: Sequence[FifoTrace]) -> list[str]:
    """What to add to the problems of a run that hung; `watched`: the FIFOs of the RTL.

    If the C++ waits for ever on FIFOs of the declared depths, then that explains it, with source lines
    and depths.  Otherwise the RTL alone does: its pipelines read what they need together, so it can
    need more room than the C++.
    """
    inside = [c for c in program.channels if c.producer and c.consumer]
    if not inside:
        return []
    try:
        flow = Dataflow(program)
        run = flow.run(bench.arguments, bench.calls)
        if run.end == "deadlock":
            return [explain_run(flow, run, bench.arguments, bench.calls)]
    except HlscError as error:
        return [f"in C-simulation on bounded FIFOs: {error}"]
    seen = {f.name: f for f in watched}
    waits = _rtl_waits(program, seen)
    fifos = {c.name: Fifo(0, 0) for c in program.channels}
    for c in inside:
        if trace := seen.get(identifier(c.name)):
            fifos[c.name] = Fifo(trace.fill, c.depth)
    ring = find_ring(waits, program.channels)
    text = explain(ring or waits, program.channels, fifos, advice=False)
    full = [w.channel for w in ring if w.state == "writes"]
    if full:
        text += (
            f"\n  the C++ does not stop at these depths, but a pipeline of the RTL takes its words "
            f"together: deepen {' or '.join(full)}"
        )
    return [text]


def broken_promises(program: Program, bench: Result) -> list[str]:
    """DEPENDENCE pragmas that a bench's calls break."""
    if not any(facts.dependences for facts in program.loops.values()):
        return []
    try:
        flow = Dataflow(program)
        run = flow.run(bench.arguments, bench.calls, depths=dict.fromkeys(flow.names, 0))
    except HlscError as error:
        return [f"DEPENDENCE is not checked: {error}"]
    return [str(v) for v in run.violations]


def _rtl_waits(program: Program, seen: Mapping[str, FifoTrace]) -> list[Wait]:
    """Per process the FIFO that it waits for, by the handshakes: a word that can not get in before a
    word that is missing."""
    waits: dict[str, Wait] = {}
    for c in program.channels:
        f = seen.get(identifier(c.name))
        if f and c.producer and f.hands[0] and not f.hands[1]:
            waits.setdefault(c.producer, Wait(c.producer, "writes", c.name, c.loc))
    for c in program.channels:
        f = seen.get(identifier(c.name))
        if f and c.consumer and not f.hands[2]:
            waits.setdefault(c.consumer, Wait(c.consumer, "reads", c.name, c.loc))
    return list(waits.values())
