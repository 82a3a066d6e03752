# SPDX-License-Identifier: Apache-2.0
"""Bounded, threaded C-simulation: the processes of a design run at once, on FIFOs of declared depth.

    program = compile_program([Path("f.cpp")], "f")
    run = Dataflow(program).run(calls)         # calls recorded by hlsc.testbench
    run.deadlock, run.channels

What runs is the compiler's own view of the design (LLVM IR after the front end, compiled natively), so
processes, FIFOs, depths and pragmas are those of the hardware; only its timing is not.  Processes hand
over to each other where they wait.  For blocking reads and writes, what they compute and whether they
deadlock does not depend on the order (Kahn 1974), so a deadlock here is one in every schedule.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hlsc import toolchain
from hlsc.dataflow_claims import KINDS, Violation
from hlsc.dataflow_ir import instrument, memory_bytes
from hlsc.deadlock import Fifo, Wait, explain
from hlsc.errors import HlscError
from hlsc.exchange import Reader, ask
from hlsc.frontend import compile_program
from hlsc.frontend.program import Binding, Program
from hlsc.middle.llvmtext import parse_type
from hlsc.middle.llvmtypes import size_of
from hlsc.testbench import Call, Recorded, Result, Testbench, recorded_arrays

__all__ = [
    "ChannelRun",
    "Dataflow",
    "DataflowRun",
    "difference",
    "explain_run",
    "proposals",
    "recorded_run",
    "smallest_depths",
]

_HERE = Path(__file__).resolve().parent
_RUNTIME = (_HERE / "dataflow_run.cpp", _HERE / "csim_bytes.h")
_STATES = ("ended", "reads", "writes", "polls", "runs")
_PORT = 0xFFFFFFFF
_ENDS = ("all ended", "deadlock", "limit")


@dataclass(frozen=True)
class ChannelRun:
    """A FIFO over a run: words through it, left in it at its end, most words at once, its depth."""

    name: str
    through: int
    fill: int
    high_water: int
    depth: int


@dataclass(frozen=True)
class DataflowRun:
    """How a run ended: `end` is "all ended", "deadlock" or "limit".

    outputs: per call that ended, words of each output stream; scalars and arrays likewise, as bytes.
    channels: of the whole run, the largest of each figure over its calls; with a deadlock, at its end.
    waits: with a deadlock, the processes that have not ended.
    violations: the first of each DEPENDENCE pragma that does not hold.
    """

    end: str
    calls: int
    outputs: tuple[Mapping[str, tuple[int, bytes]], ...]
    channels: tuple[ChannelRun, ...]
    waits: tuple[Wait, ...] = ()
    violations: tuple[Violation, ...] = ()


class Dataflow:
    """A program compiled to run its processes on bounded FIFOs; compiled once per content.

    Raises HlscError if a process can not be run so.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.buffers = [p for p in program.ports if p.kind != "axis"]
        self.shared = [b.name for b in program.buffers]
        self.names = {c.name: i for i, c in enumerate(program.channels)}
        self.processes = {p.name: i for i, p in enumerate(program.processes)}
        text, self.places, self.claims = instrument(program)
        clang, gxx = toolchain.clang(), toolchain.gxx()

        def build(work: Path) -> None:
            (work / "design.ll").write_text(text)
            made: list[str | Path] = [work / "design.ll", "-c", "-O1", "-w", "-o", work / "design.o"]
            clang.run(made, what=f"compiling {program.top}")
            made = [_RUNTIME[0], "-c", "-O1", "-w", "-std=gnu++17", "-o", work / "run.o"]
            gxx.run(made, what="compiling the dataflow runtime")
            objects = [work / "design.o", work / "run.o"]
            gxx.run([*objects, "-no-pie", "-o", work / "run"], what=f"linking {program.top}")

        key = [text, _RUNTIME, clang.version, gxx.version]
        self.directory = toolchain.cached("dataflow", key, build)

    def run(
        self,
        arguments: Sequence[Recorded],
        calls: Sequence[Call],
        *,
        depths: Mapping[str, int] | None = None,
        grow: bool = False,
        limit: int = 1_000_000_000,
        timeout: float = 600,
    ) -> DataflowRun:
        """Play recorded calls.

        depths: instead of the declared ones, by FIFO; 0 is no bound.
        grow: make the shallowest full FIFO of a ring deeper instead of stopping (Parks 1995).
        limit: stream accesses of one call.
        """
        program, depths = self.program, depths or {}
        parts = [struct.pack("<IQI", grow, limit, len(program.channels))]
        for c in program.channels:
            role = 1 if c.producer is None else 2 if c.consumer is None else 0
            ends = [self.processes.get(e or "", _PORT) for e in (c.producer, c.consumer)]
            depth = depths.get(c.name, c.depth)
            bound = c.depth if c.array else depth
            parts.append(struct.pack("<IQBIII", (c.width + 7) // 8, bound, role, *ends, c.initial))
        sizes = [max(p.depth, 1) * memory_bytes(p.width) for p in self.buffers]
        parts.append(struct.pack(f"<I{len(sizes)}I", len(sizes), *sizes))
        between = [size_of(parse_type(b.type)) for b in program.buffers]
        parts.append(struct.pack(f"<I{len(between)}I", len(between), *between))
        parts.append(struct.pack("<I", len(program.processes)))
        for process in program.processes:
            codes = [i for b in process.bindings for i in self._codes(b)]
            parts.append(struct.pack(f"<I{len(codes)}I", len(codes), *codes))
        parts.append(struct.pack("<I", len(self.claims)))
        for claim in self.claims:
            distance = claim.pragma.distance or 0
            parts.append(struct.pack("<BBQ", claim.pragma.inter, claim.mask, distance))
        parts.append(struct.pack("<I", len(calls)))
        where = {a.name: i for i, a in enumerate(arguments)}
        for call in calls:
            for c in program.channels:
                if c.producer is None:
                    words = call.given[where[c.name]]
                    parts += [struct.pack("<Q", words.count), words.data]
            for p, size in zip(self.buffers, sizes, strict=True):
                given = call.given[where["return" if p.name == "ap_return" else p.name]]
                data = _padded(given.data, (p.width + 7) // 8, memory_bytes(p.width))
                parts.append(data.ljust(size, b"\0")[:size])
        return self._decode(self._call(b"".join(parts), timeout), sizes)

    def _codes(self, binding: Binding) -> list[int]:
        """Arguments of the runtime for one binding: channel * 2, or buffer * 2 + 1."""
        if binding.kind == "channel":
            return [2 * self.names[binding.target]]
        if binding.kind == "channels":
            return [2 * self.names[t] for t in binding.targets]
        if binding.kind == "const":
            return []
        if binding.target in self.shared:
            return [2 * (len(self.buffers) + self.shared.index(binding.target)) + 1]
        index = next(i for i, p in enumerate(self.buffers) if p.name == binding.target)
        return [2 * index + 1]

    def _call(self, request: bytes, timeout: float) -> bytes:
        what = f"bounded C-simulation of {self.program.top}"
        reply, out = ask(self.directory / "run", request, what=what, timeout=timeout)
        if reply is None:
            raise HlscError(
                f"{self.program.top} must run to its end, but it {toolchain.ending(out.code)}"
            )
        return reply

    def _decode(self, reply: bytes, sizes: Sequence[int]) -> DataflowRun:
        r = Reader(reply)
        channels = self.program.channels
        outputs: list[dict[str, tuple[int, bytes]]] = []
        most = [ChannelRun(c.name, 0, 0, 0, c.depth) for c in channels]
        while r.number("B"):
            found: dict[str, tuple[int, bytes]] = {}
            for c in channels:
                if c.producer is not None and c.consumer is None:
                    count = r.number("Q")
                    found[c.name] = (count, r.take(count * ((c.width + 7) // 8)))
            for p, size in zip(self.buffers, sizes, strict=True):
                data = _padded(r.take(size), memory_bytes(p.width), (p.width + 7) // 8)
                found[p.name] = (max(p.depth, 1), data)
            outputs.append(found)
            for i, m in enumerate(most):
                through, left, high, depth = (r.number("Q") for _ in range(4))
                most[i] = ChannelRun(
                    m.name,
                    max(m.through, through),
                    max(m.fill, left),
                    max(m.high_water, high),
                    max(m.depth, depth),
                )
        end = _ENDS[r.number("B")]
        waits = []
        for process in self.program.processes if end != "all ended" else ():
            state, channel, place = _STATES[r.number("B")], r.number("I"), r.number("I")
            if state not in ("ended", "runs"):
                where = self.places.get(place)
                waits.append(Wait(process.name, state, channels[channel].name, where))
        for i, m in enumerate(most if end != "all ended" else ()):
            fill, depth, through = (r.number("Q") for _ in range(3))
            most[i] = replace(m, fill=fill, depth=depth, through=through)
        broken = []
        for _ in range(r.number("I")):
            claim, call = self.claims[r.number("I")], r.number("I") + 1
            index, kind = r.number("Q"), r.number("B")
            iterations = r.number("Q"), r.number("Q")
            places = self.places.get(r.number("I")), self.places.get(r.number("I"))
            broken.append(Violation(claim, call, index, KINDS[kind], iterations, places))
        done = tuple(outputs), tuple(most), tuple(waits), tuple(broken)
        return DataflowRun(end, len(outputs), *done)


def recorded_run(
    sources: Sequence[Path],
    benches: Sequence[Path],
    top: str,
    running: Mapping[str, Any],
    *,
    include_dirs: Sequence[Path] = (),
    defines: Mapping[str, str] | None = None,
    directives: Path | None = None,
    bounded: bool = True,
) -> tuple[Dataflow, Result, DataflowRun | None]:
    """A bench's calls on the threaded design; no run if the bench itself fails.

    running: keyword arguments of `Testbench.run`; bounded: FIFOs have their declared depths, else none.
    Raises HlscError if the bench never calls the top.
    """
    options: dict[str, Any] = dict(include_dirs=include_dirs, defines=dict(defines or {}))
    flow = Dataflow(compile_program(sources, top, directives=directives, **options))
    bench = Testbench(sources, benches, top, record=True, **options)
    result = bench.run(arrays=recorded_arrays(flow.program.ports), **running)
    if result.ending:
        return flow, result, None
    if not result.calls:
        raise HlscError(f"the test bench must call {top}")
    depths = {} if bounded else dict.fromkeys(flow.names, 0)
    run = flow.run(result.arguments, result.calls, depths=depths, timeout=running.get("timeout", 600))
    return flow, result, run


def smallest_depths(
    flow: Dataflow, arguments: Sequence[Recorded], calls: Sequence[Call], *, timeout: float = 600
) -> dict[str, int]:
    """Depths of FIFOs under which the calls end, by name; only those that must be deeper than declared.

    FIFOs of a ring are deepened until nothing waits for ever; then each in turn is made as shallow as
    the others allow, so that none of the depths can be lowered alone.  Empty if no depths help.
    """
    declared = {c.name: c.depth for c in flow.program.channels}
    run = flow.run(arguments, calls, grow=True, timeout=timeout)
    if run.end != "all ended":
        return {}
    found = {c.name: c.depth for c in run.channels if c.depth > declared[c.name]}
    for name in sorted(found, key=lambda n: -found[n]):
        low, high = declared[name], found[name]
        while low < high:
            middle = (low + high) // 2
            tried = flow.run(arguments, calls, depths={**found, name: middle}, timeout=timeout)
            low, high = (low, middle) if tried.end == "all ended" else (middle + 1, high)
        found[name] = high
    return {name: depth for name, depth in found.items() if depth > declared[name]}


def proposals(
    flow: Dataflow, run: DataflowRun, arguments: Sequence[Recorded], calls: Sequence[Call]
) -> list[dict[str, Any]] | None:
    """Per FIFO its name, declared depth, needed depth, high-water mark and words; None: no depth helps.

    needed: the smallest depth without deadlock (see `smallest_depths`); the declared one may be larger.
    high_water: the most words at once, with the needed depths.
    """
    needed: dict[str, int] = {}
    if run.end != "all ended":
        needed = smallest_depths(flow, arguments, calls)
        if not needed:
            return None
        run = flow.run(arguments, calls, depths=needed)
    by_name = {c.name: c for c in run.channels}
    lowest = {c.name: needed.get(c.name, c.depth) for c in flow.program.channels}
    return [
        {
            "name": c.name,
            "declared": c.depth,
            "needed": lowest[c.name],
            "high_water": by_name[c.name].high_water,
            "words": by_name[c.name].through,
        }
        for c in flow.program.channels
        if c.producer and c.consumer and not c.array
    ]


def explain_run(
    flow: Dataflow, run: DataflowRun, arguments: Sequence[Recorded], calls: Sequence[Call]
) -> str:
    """Why a run did not end, with the smallest depths that would let it end; "" if it ended."""
    if run.end == "all ended":
        return ""
    where = f"call {run.calls + 1} of {len(calls)}: "
    if run.end == "limit":
        return where + "its processes must end, but go on accessing streams"
    program = flow.program
    inside = {c.name for c in program.channels if c.producer and c.consumer}
    fifos = {c.name: Fifo(c.fill, c.depth if c.name in inside else 0) for c in run.channels}
    depths = smallest_depths(flow, arguments, calls)
    return where + explain(run.waits, program.channels, fifos, depths)


def difference(
    flow: Dataflow, run: DataflowRun, arguments: Sequence[Recorded], calls: Sequence[Call]
) -> str:
    """The first output that is not what the C++ gave; "" if there is none.

    Blocking streams can not cause one: it comes from empty(), read_nb(), or from what C++ leaves
    undefined.
    """
    where = {a.name: i for i, a in enumerate(arguments)}
    for n, (call, found) in enumerate(zip(calls, run.outputs, strict=False), 1):
        for name, (count, data) in found.items():
            gave = call.gave[where["return" if name == "ap_return" else name]]
            if gave.count and (gave.count, gave.data) != (count, data):
                return f"call {n} of {len(calls)}: {name} must be the same as in sequence"
        for port in flow.program.channels:
            if port.producer is None or port.consumer is not None:
                continue
            if call.gave[where[port.name]].count != found[port.name][0]:
                return f"call {n} of {len(calls)}: {port.name} must have as many words as in sequence"
    return ""


def _padded(data: bytes, size: int, wanted: int) -> bytes:
    """Words of `size` bytes as words of `wanted` bytes."""
    if size == wanted:
        return data
    words = (data[i : i + size] for i in range(0, len(data), size))
    return b"".join(w[:wanted].ljust(wanted, b"\0") for w in words)
