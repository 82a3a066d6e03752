# SPDX-License-Identifier: Apache-2.0
"""Calls of a top function, as recorded from C++, played on its RTL in one run from reset.

A call is, per port in the order of the report, a `Play`: the words that the port is given, side
channels included, and how many are expected of it.  The answer is, per call and port, an `Answer`.
The bytes are described in rtlsim_harness.h.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hlsc.exchange import Reader
from hlsc.rtlsim import STALLS, RtlKernel

__all__ = ["Answer", "CallAnswer", "FifoTrace", "Play", "Replay", "replay"]

_UNKNOWN = (1 << 64) - 1


@dataclass(frozen=True)
class Play:
    """Words given to a port, and the number that it must give (streams)."""

    count: int
    data: bytes
    expected: int = _UNKNOWN


@dataclass(frozen=True)
class Answer:
    """What a port gave.  `written`: None if the port cannot tell; `moved`: beats of a stream."""

    written: bool | None
    moved: int
    count: int
    data: bytes


@dataclass(frozen=True)
class CallAnswer:
    """One call; `last_beat` and `done` in cycles from its accepted start."""

    ports: tuple[Answer, ...]
    last_beat: int
    done: int


@dataclass(frozen=True)
class FifoTrace:
    """A FIFO of a watched design over all calls.

    pushed: words that went in; fill: words in it at the end; high_water: most at once; blocked: cycles
    in which a word waited to get in; hands: in valid, in ready, out valid, out ready at the end;
    samples: most words in each `span` cycles, from the first call on.
    """

    name: str
    pushed: int
    fill: int
    high_water: int
    blocked: int
    hands: tuple[bool, ...]
    span: int
    samples: tuple[int, ...]


@dataclass(frozen=True)
class Replay:
    """The calls that ended, and why the next one did not ("" if all did); FIFOs if watched."""

    calls: tuple[CallAnswer, ...]
    failure: str
    fifos: tuple[FifoTrace, ...] = ()


def replay(
    kernel: RtlKernel,
    calls: Sequence[Sequence[Play]],
    *,
    stall: str = "none",
    seed: int = 0,
    max_idle_cycles: int = 100_000,
    timeout: float = 600,
    trace: Path | None = None,
) -> Replay:
    """Play `calls` on the RTL.  Raises RtlError or ToolError if the simulation itself fails."""
    mode = STALLS.index(stall)
    parts = [struct.pack("<IIQQII", mode, mode, seed % (1 << 57), max_idle_cycles, 1, len(calls))]
    names = [p.name.encode() for p in kernel.parameters]
    for call in calls:
        parts.append(struct.pack("<I", len(call)))
        for name, play in zip(names, call, strict=True):
            parts += [struct.pack("<I", len(name)), name]
            parts += [struct.pack("<QQ", play.count, len(play.data)), play.data]
        parts.append(struct.pack(f"<{len(call)}Q", *(play.expected for play in call)))
    env: Mapping[str, str] = {} if trace is None else {"HLSC_TRACE": str(trace.absolute())}
    return _decode(kernel, kernel.call(b"".join(parts), timeout, env))


def _decode(kernel: RtlKernel, reply: bytes) -> Replay:
    r = Reader(reply)
    if r.number("B"):
        return Replay((), r.text())
    calls = []
    while r.number("B"):
        ports = []
        for p in kernel.parameters:
            written, moved, count = r.number("B"), r.number("Q"), r.number("Q")
            data = r.take(count * p.word_bytes)
            ports.append(Answer((False, True, None)[written], moved, count, data))
        calls.append(CallAnswer(tuple(ports), r.number("Q"), r.number("Q")))
    failure = r.text()
    fifos = []
    for _ in range(r.number("I")):
        name = r.text()
        pushed, fill, high, blocked = (r.number("Q") for _ in range(4))
        pins, span = r.number("B"), r.number("Q")
        hands = tuple(bool(pins >> i & 1) for i in range(4))
        samples = tuple(r.number("Q") for _ in range(r.number("I")))
        fifos.append(FifoTrace(name, pushed, fill, high, blocked, hands, span, samples))
    return Replay(tuple(calls), failure, tuple(fifos))
