# SPDX-License-Identifier: Apache-2.0
"""C/RTL co-simulation: an ordinary test bench runs natively, and every call of its top on the RTL.

    found = cosim([Path("fir.cpp")], [Path("fir_tb.cpp")], "fir", stall="random")
    found.passed, found.problems, found.calls[0].latency

The bench's exit code is the verdict on the C++; the RTL must then give, call by call, what the C++
gave: stream words with their side channels, scalars, arrays, the return value.
"""

from __future__ import annotations

import concurrent.futures
import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from hlsc import flow
from hlsc.backend.mlir import identifier
from hlsc.cosim_compare import compare_call
from hlsc.cosim_hang import HANG, broken_promises, explain_hang
from hlsc.csim_wire import Parameter
from hlsc.errors import HlscError
from hlsc.frontend import compile_program
from hlsc.ir import Port
from hlsc.parts import Part
from hlsc.rtlsim import STALLS, RtlKernel
from hlsc.rtlsim_parts import gather
from hlsc.rtlsim_replay import FifoTrace, Play, Replay, replay
from hlsc.synth import DEFAULT_PART
from hlsc.testbench import Call, Recorded, Result, Testbench, Words, recorded_arrays

__all__ = ["CallTiming", "Cosim", "check_rtl", "cosim"]


@dataclass(frozen=True)
class CallTiming:
    """One call: cycles from its accepted start to done and to the last output beat, beats moved."""

    latency: int
    last_beat: int
    beats_in: int
    beats_out: int


@dataclass(frozen=True)
class Cosim:
    """What co-simulation found.  `problems` is empty if everything agrees; `report`: synthesis's."""

    top: str
    bench: Result
    report: Mapping[str, Any] = field(repr=False)
    calls: tuple[CallTiming, ...] = ()
    problems: tuple[str, ...] = ()
    trace: Path | None = None
    fifos: tuple[FifoTrace, ...] = ()

    @property
    def passed(self) -> bool:
        return not self.problems

    def summary(self) -> str:
        """Calls, beats and cycles in one line."""
        low, high = min(c.latency for c in self.calls), max(c.latency for c in self.calls)
        span = str(low) if low == high else f"{low} to {high}"
        beats = sum(c.beats_in for c in self.calls), sum(c.beats_out for c in self.calls)
        total = len(self.bench.calls)
        done = f"{total} calls" if len(self.calls) == total else f"{len(self.calls)} of {total} calls"
        return (
            f"cosim of {self.top}: {done}, {beats[0]} beats in, {beats[1]} out, latency {span} cycles: "
            + ("RTL and C++ agree" if self.passed else "FAILED")
        )

    def as_dict(self) -> dict[str, Any]:
        """Ready for `json.dumps`."""
        return {
            "top": self.top,
            "passed": self.passed,
            "problems": list(self.problems),
            "bench": {
                "exit_code": self.bench.code,
                "timed_out": self.bench.timed_out,
                "stdout": self.bench.stdout,
                "stderr": self.bench.stderr,
                "calls": len(self.bench.calls),
            },
            "calls": [asdict(c) for c in self.calls],
            "fifos": [asdict(f) for f in self.fifos],
        }


def cosim(
    sources: Sequence[Path],
    benches: Sequence[Path],
    top: str,
    *,
    include_dirs: Sequence[Path] = (),
    defines: Mapping[str, str] | None = None,
    clock_ns: float = 10.0,
    part: str = DEFAULT_PART,
    directives: Path | None = None,
    args: Sequence[str] = (),
    data: Path | None = None,
    stall: str = "none",
    seed: int = 0,
    trace: Path | None = None,
    watch: bool = False,
    timeout: float = 600,
) -> Cosim:
    """Run the bench, then its calls on the RTL.

    args, data: command line and working directory of the bench; stall, seed: see `RtlKernel.run`;
    trace: VCD file to write; watch: count what goes through every FIFO; timeout: seconds for the bench
    and again for the simulation.
    Raises HlscError if the sources are refused or the bench fails; what differs is in the result.
    """
    if stall not in STALLS:
        raise HlscError(f"stall must be one of {', '.join(STALLS)}, not {stall}")
    options: dict[str, Any] = dict(include_dirs=include_dirs, defines=dict(defines or {}))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        # The compilers are programs of their own: the bench is built while Python synthesises.
        building = pool.submit(Testbench, sources, benches, top, record=True, **options)
        made = flow.synthesized(
            sources, top, clock_ns=clock_ns, part=part, directives=directives, **options
        )
        report = json.loads((made / "report.json").read_text())
        bench = building.result()
        arrays = recorded_arrays(_ports(report))
        recording = pool.submit(bench.run, args, data=data, arrays=arrays, timeout=timeout)
        rtl = functools.partial(RtlKernel, [made / f"{top}.sv"], top, made / "report.json")
        kernel = rtl(trace=trace is not None, watch=watch)
        result = recording.result()
    if result.ending:
        return Cosim(top, result, report, problems=(f"the test bench {result.ending}",))
    if not result.calls:
        return Cosim(top, result, report, problems=(f"the test bench must call {top}",))
    how: dict[str, Any] = dict(stall=stall, seed=seed, trace=trace, timeout=timeout)
    found = check_rtl(kernel, report, result, **how)
    if found.problems:
        program = compile_program(sources, top, directives=directives, **options)
        why: list[str] = []
        if any(HANG in p for p in found.problems):
            if not watch:  # the FIFOs tell why
                found = check_rtl(rtl(trace=trace is not None, watch=True), report, result, **how)
            why = explain_hang(program, result, found.fifos)
        why += broken_promises(program, result)
        found = replace(found, problems=(*found.problems, *why))
    shown = {identifier(f["name"]) for f in report["fifos"]}  # not the tokens of arrays
    return replace(found, fifos=tuple(f for f in found.fifos if f.name in shown))


def check_rtl(
    kernel: RtlKernel,
    report: Mapping[str, Any],
    bench: Result,
    *,
    stall: str = "none",
    seed: int = 0,
    trace: Path | None = None,
    timeout: float = 600,
) -> Cosim:
    """Play the calls that a bench made on the RTL and compare."""
    by_name = {a.name: i for i, a in enumerate(bench.arguments)}
    order: list[int] = []
    for port in kernel.parameters:
        part = kernel.parts.get(port.name)
        name = part.argument if part else port.name
        if name not in by_name:
            raise HlscError(f"port {port.name} must be an argument of {kernel.top}")
        order.append(by_name[name])
        seen = bench.arguments[order[-1]]
        width = port.width // part.lanes if part else port.word or port.width
        if seen.width != width:
            raise HlscError(
                f"port {port.name} must have the {seen.width} bits of its argument, not {width}"
            )
    plays = [_plays(kernel, c, bench.arguments, order) for c in bench.calls]
    answer = replay(kernel, plays, stall=stall, seed=seed, timeout=timeout, trace=trace)
    problems = _problems(kernel, report, bench, order, answer)
    timings = tuple(
        CallTiming(
            a.done,
            a.last_beat,
            sum(x.moved for p, x in zip(kernel.parameters, a.ports, strict=True) if p.type == "in"),
            sum(x.moved for p, x in zip(kernel.parameters, a.ports, strict=True) if p.type == "out"),
        )
        for a in answer.calls
    )
    return Cosim(kernel.top, bench, report, timings, tuple(problems), trace, answer.fifos)


def _ports(report: Mapping[str, Any]) -> tuple[Port, ...]:
    """The ports as far as the report describes them."""
    return tuple(
        Port(
            p["name"],
            p["kind"],
            p["direction"],
            p["width"],
            signed=p.get("signed", False),
            depth=p.get("depth", 0),
            part=Part.from_dict(p["part"]) if "part" in p else None,
        )
        for p in report["ports"]
    )


def _plays(
    kernel: RtlKernel, call: Call, arguments: Sequence[Recorded], order: Sequence[int]
) -> list[Play]:
    found = []
    for port, i in zip(kernel.parameters, order, strict=True):
        given, gave = (_words(kernel, port, words) for words in (call.given[i], call.gave[i]))
        if port.kind in ("axis", "stream"):
            way = given if port.type == "in" else None
            wrong = gave if port.type == "in" else given
            if wrong.count:
                raise HlscError(f"stream {port.name} must be {port.type} only in C++, as in RTL")
            found.append(Play(way.count if way else 0, way.data if way else b"", gave.count))
        elif port.kind == "pointer" or port.type == "in":
            found.append(Play(given.count, given.data))
        else:
            found.append(Play(0, b""))
    return found


def _words(kernel: RtlKernel, port: Parameter, words: Words) -> Words:
    """What a port carries of its argument."""
    part = kernel.parts.get(port.name)
    if part is None or not words.count:
        return words
    data = gather(part, words.data, port.width // part.lanes)
    return Words(len(data) // port.bytes, data)


def _problems(
    kernel: RtlKernel,
    report: Mapping[str, Any],
    bench: Result,
    order: Sequence[int],
    answer: Replay,
) -> list[str]:
    problems: list[str] = []
    signals = {p["name"]: p for p in report["ports"]}
    signals["return"] = signals.get("ap_return", {})
    for n, (call, got) in enumerate(zip(bench.calls, answer.calls, strict=False), 1):
        for port, i, a in zip(kernel.parameters, order, got.ports, strict=True):
            problems += [
                f"call {n} of {len(bench.calls)}: {text}"
                for text in compare_call(
                    port,
                    signals[port.name],
                    _words(kernel, port, call.given[i]),
                    _words(kernel, port, call.gave[i]),
                    a,
                )
            ]
        if len(problems) >= 8:
            return [*problems[:8], "…"]
    if answer.failure:
        n = len(answer.calls) + 1
        problems.append(f"call {n} of {len(bench.calls)}: {answer.failure}")
    return problems
