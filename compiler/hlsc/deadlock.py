# SPDX-License-Identifier: Apache-2.0
"""Why nothing moves: who waits for whom, how full the FIFOs are, and the depths that would help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hlsc.ir import Channel, Loc

__all__ = ["Fifo", "Wait", "explain", "find_ring"]


@dataclass(frozen=True)
class Wait:
    """A process that can not go on: it `reads`, `writes` or `polls` a channel at a source line."""

    process: str
    state: str
    channel: str
    loc: Loc | None = None


@dataclass(frozen=True)
class Fifo:
    """Fill of a channel when nothing moved any more; `depth` 0 is that of a port."""

    fill: int
    depth: int


def find_ring(waits: Sequence[Wait], channels: Sequence[Channel]) -> tuple[Wait, ...]:
    """Processes each of which waits for the next, and the last for the first; () if there is none."""
    by_name = {w.process: w for w in waits}
    ends = {c.name: c for c in channels}
    for start in by_name:
        path: list[Wait] = []
        at = by_name.get(start)
        while at is not None:
            if at in path:
                return tuple(path[path.index(at) :])
            path.append(at)
            c = ends[at.channel]
            at = by_name.get((c.consumer if at.state == "writes" else c.producer) or "")
    return ()


def explain(
    waits: Sequence[Wait],
    channels: Sequence[Channel],
    fifos: Mapping[str, Fifo],
    depths: Mapping[str, int] | None = None,
    *,
    advice: bool = True,
) -> str:
    """The ring line by line, who waits beside it, and what to write; `depths` are what resolves it.

    advice: `depths` were looked for, so say so if there are none.
    """
    ring = find_ring(waits, channels)
    ends = {c.name: c for c in channels}
    lines = []
    if ring:
        names = [w.process for w in ring]
        alone = f"{names[0]} waits for itself"
        lines.append(
            "deadlock: " + (f"{', '.join(names)} wait for each other" if len(names) > 1 else alone)
        )
    else:
        lines.append("deadlock: no process can go on")
    lines += [_line(w, ends[w.channel], fifos[w.channel]) for w in ring or waits]
    beside = [w for w in waits if w not in ring]
    if ring and beside:
        lines.append("  behind them wait " + ", ".join(f"{w.process} ({w.channel})" for w in beside))
    for name, depth in (depths or {}).items():
        at = f"{ends[name].loc}: " if ends[name].loc else ""
        lines.append(
            f"  {at}the smallest depth of {name} that resolves it is {depth}, not {ends[name].depth}: "
            f"#pragma HLS STREAM variable={name} depth={depth}"
        )
    if advice and ring and not depths and any(w.state == "writes" for w in ring):
        lines.append("  no depth resolves it: the processes disagree about how many words they move")
    return "\n".join(lines)


def _line(wait: Wait, channel: Channel, fifo: Fifo) -> str:
    at = f" ({wait.loc})" if wait.loc else ""
    if channel.array:  # a token
        if channel.initial:
            what = f"a free half of array {channel.array}, which {channel.producer} has to read"
        else:
            what = f"the words of array {channel.array}, which {channel.producer} has to write"
        return f"  {wait.process}{at} waits for {what}"
    verb = {"reads": "read", "writes": "write", "polls": "find a word in"}[wait.state]
    other = (channel.consumer if wait.state == "writes" else channel.producer) or "the test bench"
    role = "read by" if wait.state == "writes" else "written by"
    held = "full" if wait.state == "writes" else "empty"
    of = f" of {fifo.depth}" if fifo.depth else ""
    words = f"{fifo.fill}{of} words"
    return f"  {wait.process}{at} waits to {verb} {channel.name}: {held}, {words}, {role} {other}"
