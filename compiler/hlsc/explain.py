# SPDX-License-Identifier: Apache-2.0
"""Why a design is as fast as it is: per loop its limit in the source, its schedule, its memory ports.

    found = explain([Path("matmul.cpp")], "matmul")
    print(text(found)); page = html(found)          # hlsc.explain_text, hlsc.explain_html

With a test bench, FIFO fills over time come from co-simulation.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hlsc.cosim import cosim
from hlsc.explain_advice import Advice, advise
from hlsc.ir import Loc, Memory, Node, Process, Region
from hlsc.report import trip_count
from hlsc.rtlsim_replay import FifoTrace
from hlsc.schedule.ports import port_name
from hlsc.schedule.sdc import Limit, Schedule
from hlsc.synth import DEFAULT_PART, SynthResult, synthesize

__all__ = ["Explanation", "Fill", "LoopView", "Port", "Row", "Use", "explain"]

_SILENT = frozenset("const var arg phi zext sext trunc extract concat".split())


@dataclass(frozen=True)
class Row:
    """What one source line does in one cycle of an iteration: operations, each with its count."""

    cycle: int
    loc: Loc | None
    operations: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Use:
    """One access of a memory port: its cycle in the iteration, its line."""

    cycle: int
    operation: str
    loc: Loc | None


@dataclass(frozen=True)
class Port:
    """A memory port and who uses it in one iteration."""

    name: str
    uses: tuple[Use, ...]

    @property
    def users(self) -> str:
        """Each operation and line with its cycles."""
        cycles: dict[str, list[str]] = {}
        for u in self.uses:
            at = f" ({u.loc})" if u.loc else ""
            cycles.setdefault(f"{u.operation}{at}", []).append(str(u.cycle))
        return "; ".join(f"{who} in cycle {', '.join(c)}" for who, c in cycles.items())


@dataclass(frozen=True)
class LoopView:
    """One loop.  `ii` None: iterations do not overlap; `limit`: why the II is not smaller."""

    process: str
    label: str
    loc: Loc | None
    ii: int | None
    asked: int | None
    depth: int
    trips: int | None
    limit: Limit | None
    advice: Advice | None
    rows: tuple[Row, ...]
    ports: tuple[Port, ...]


@dataclass(frozen=True)
class Fill:
    """A FIFO in co-simulation: its depth and what went through it."""

    depth: int
    trace: FifoTrace


@dataclass(frozen=True)
class Explanation:
    """Of a whole design; `sources`: text of the files that lines speak of, by name."""

    top: str
    report: Mapping[str, Any] = field(repr=False)
    loops: tuple[LoopView, ...]
    fifos: tuple[Fill, ...] = ()
    problems: tuple[str, ...] = ()
    sources: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    def source(self, loc: Loc | None) -> str:
        """The line that a place names; "" if it is not known."""
        lines = self.sources.get(loc.file, ()) if loc else ()
        return lines[loc.line - 1].strip() if loc and 0 < loc.line <= len(lines) else ""


def explain(
    sources: Sequence[Path],
    top: str,
    *,
    benches: Sequence[Path] = (),
    running: Mapping[str, Any] | None = None,
    clock_ns: float = 10.0,
    part: str = DEFAULT_PART,
    directives: Path | None = None,
    include_dirs: Sequence[Path] = (),
    defines: Mapping[str, str] | None = None,
) -> Explanation:
    """Synthesise, try pragmas that may lift the limits, co-simulate if there is a bench.

    running: `args`, `data` and `timeout` of `hlsc.cosim.cosim`.  Raises HlscError as synthesis does.
    """
    options: dict[str, Any] = dict(clock_ns=clock_ns, part=part, directives=directives)
    options |= dict(include_dirs=include_dirs, defines=defines)
    result = synthesize(sources, top, **options)
    loops = []
    for process in result.prepared.processes:
        for region in process.regions:
            if region.is_loop:
                found = advise(sources, top, options, result, process, region)
                loops.append(_loop(process, region, result, found))
    fifos: tuple[Fill, ...] = ()
    problems: tuple[str, ...] = ()
    if benches:
        run = cosim(sources, benches, top, watch=True, **options, **(running or {}))
        depths = {f["name"]: f["depth"] for f in result.report["fifos"]}
        fifos = tuple(Fill(depths.get(t.name, 0), t) for t in run.fifos)
        problems = run.problems
    texts = _texts(result, [*(s.absolute().parent for s in sources), *include_dirs])
    return Explanation(top, result.report, tuple(loops), fifos, problems, texts)


def _loop(process: Process, region: Region, result: SynthResult, advice: Advice | None) -> LoopView:
    s = result.schedules[(process.name, region.name)]
    return LoopView(
        process.name,
        region.label or region.name,
        region.loc,
        s.ii,
        region.ii,
        s.length,
        trip_count(region),
        s.limit,
        advice,
        _rows(region, s),
        _ports(process, region, s),
    )


def _operation(n: Node, s: Schedule) -> str:
    if n.id in s.bound:
        return f"{n.op} {n.ref}_{s.bound[n.id]}"
    return f"{n.op} {n.ref}" if n.ref else n.op


def _rows(region: Region, s: Schedule) -> tuple[Row, ...]:
    """The schedule by cycle and line, wires left out."""
    found: dict[tuple[int, Loc | None], Counter[str]] = {}
    for n in region.nodes:
        if n.op not in _SILENT and n.id in s.times:
            loc = n.loc if n.loc and n.loc.line else None
            found.setdefault((s.times[n.id], loc), Counter())[_operation(n, s)] += 1

    def place(key: tuple[int, Loc | None]) -> tuple[int, str, int]:
        cycle, loc = key
        return cycle, loc.file if loc else "", loc.line if loc else 0

    return tuple(Row(k[0], k[1], tuple(sorted(found[k].items()))) for k in sorted(found, key=place))


def _ports(process: Process, region: Region, s: Schedule) -> tuple[Port, ...]:
    memories: dict[str, Memory] = {m.name: m for m in process.memories}
    found: dict[str, list[Use]] = {}
    for i, port in s.problem.port_of.items():
        n = region.by_id()[i]
        name = port_name(memories[n.ref or ""], port)
        found.setdefault(name, []).append(Use(s.times[i], n.op, n.loc))
    for i, operator in s.bound.items():
        n = region.by_id()[i]
        found.setdefault(f"{n.ref}_{operator}", []).append(Use(s.times[i], n.op, n.loc))
    return tuple(Port(n, tuple(sorted(u, key=lambda x: x.cycle))) for n, u in sorted(found.items()))


def _texts(result: SynthResult, folders: Sequence[Path]) -> dict[str, tuple[str, ...]]:
    """Files that the design's lines speak of, found in these folders and those above them."""
    names = {n.loc.file for p in result.prepared.processes for r in p.regions for n in r.nodes if n.loc}
    names |= {r.loc.file for p in result.prepared.processes for r in p.regions if r.loc}
    texts = {}
    for name in names:
        tries = [Path(name)]
        tries += [up / name for f in folders for up in (f.absolute(), *f.absolute().parents)]
        path = next((t for t in tries if t.is_file()), None)
        if path:
            texts[name] = tuple(path.read_text(errors="replace").splitlines())
    return texts
