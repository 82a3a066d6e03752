# SPDX-License-Identifier: Apache-2.0
"""What synthesis found, as data (`report.json`) and as a table for people.

The report holds no times, paths of this machine or versions: the same sources give the same bytes.
Lines are those of the user's files.  `clock_estimate_ns` comes from the delay table; `delays_measured`
says whether that table was measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hlsc.backend import axilite
from hlsc.backend.lower import Rtl
from hlsc.backend.top import axis_signals
from hlsc.blockram import bram36
from hlsc.estimate import buffer_bram36, frame_estimate, operators_used, process_estimate
from hlsc.interp import RunError, interpret
from hlsc.ir import Allocation, Buffer, Channel, Design, Node, Process, Region
from hlsc.schedule.delays import Timing, memory_style
from hlsc.schedule.problem import source
from hlsc.schedule.sdc import Schedule
from hlsc.schedule.sharing import governed

__all__ = ["make_report", "table", "trip_count", "warnings"]

_TRIPS = 1_000_000  # longer loops are counted as unknown

Schedules = Mapping[tuple[str, str], Schedule]


def make_report(
    design: Design, schedules: Schedules, rtl: Rtl, timing: Timing, part: str
) -> dict[str, Any]:
    """The report of a scheduled and lowered design, ready for `json.dumps`."""
    register_file = bool(design.control_bundle) or any(p.kind == "s_axilite" for p in design.ports)
    registers = axilite.registers(design) if register_file else ()
    worst = max((_path(s) for s in schedules.values()), default=0.0)
    used = timing.table.register + worst
    return {
        "top": design.top,
        "part": part,
        "clock_ns": timing.clock_ns,
        "clock_estimate_ns": round(used / (timing.budget + timing.table.register) * timing.clock_ns, 2),
        "delay_table": timing.table.name,
        "delays_measured": timing.table.measured,
        "loops": [_loop(p, r, schedules) for p in design.processes for r in p.regions if r.is_loop],
        "blocks": [
            {"process": p.name, "name": r.name, "cycles": schedules[(p.name, r.name)].length}
            for p in design.processes
            for r in p.regions
            if not r.is_loop
        ],
        "processes": [_process(p, schedules, rtl) for p in design.processes],
        "frame": frame_estimate(design, sum(r.width for r in registers)).as_dict(),
        "allocations": [_allocation(p, a, schedules) for p in design.processes for a in p.allocations],
        "memories": [
            {
                "process": p.name,
                "name": m.name,
                "width": m.width,
                "depth": m.depth,
                "style": "rom" if m.init is not None else memory_style(m),
                "bram36": bram36(m.width, m.depth) if memory_style(m) == "bram" else 0,
                **_at(m.loc),
            }
            for p in design.processes
            for m in p.memories
            if m.external is None
        ]
        + [
            {
                "process": f"{b.producer} -> {b.consumer}",
                "name": b.name,
                "width": b.width,
                "depth": b.depth,
                "style": b.style,
                "bram36": buffer_bram36(b),
                "halves": b.halves,
                **_at(b.loc),
            }
            for b in design.buffers
        ],
        "fifos": [
            {
                "name": c.name,
                "width": c.width,
                "depth": c.depth,
                "producer": c.producer,
                "consumer": c.consumer,
                **_at(c.loc),
            }
            for c in design.channels
            if c.producer and c.consumer and not c.array
        ],
        "registers": [
            {
                "name": r.name,
                "offset": r.offset,
                "width": r.width,
                "access": r.access,
                "doc": r.doc,
            }
            for r in registers
        ],
        "ports": _ports(design),
        "control": {"protocol": design.control, "bundle": design.control_bundle},
        "warnings": warnings(design, schedules),
    }


def _at(loc: Any) -> dict[str, Any]:
    return {"file": loc.file if loc else None, "line": loc.line if loc else None}


def _loop(process: Process, region: Region, schedules: Schedules) -> dict[str, Any]:
    s = schedules[(process.name, region.name)]
    trips = trip_count(region)
    ii = s.ii if s.ii is not None else s.length
    return {
        "label": region.label or region.name,
        **_at(region.loc),
        "process": process.name,
        "name": region.name,
        "pipelined": s.ii is not None,
        "ii": ii,
        "asked_ii": region.ii,
        "depth": s.length,
        "limited_by": None
        if s.limit is None
        else {
            "kind": s.limit.kind,
            "what": s.limit.text,
            "lines": [str(x) for x in s.limit.lines],
        },
        "trip_count": trips,
        "latency": None if trips is None else (trips - 1) * ii + s.length,
    }


def trip_count(region: Region) -> int | None:
    """Iterations of a loop whose exit depends on constants and phis alone; None if it does not."""
    by_id = region.by_id()
    if region.exit is None:
        return 1
    cone: dict[int, Node] = {}
    work = [region.exit]
    while work:
        n = by_id[work.pop()]
        if n.id in cone:
            continue
        if n.op in {"var", "arg", "load", "read", "empty"}:
            return None
        cone[n.id] = n
        work.extend(n.args)
    nodes = tuple(n for n in region.nodes if n.id in cone)
    alone = Process("count", (Region("loop", nodes, region.exit),))
    try:
        return interpret(Design("count", (), (alone,)), limit=_TRIPS).iterations["count.loop"]
    except RunError:
        return None


def _path(schedule: Schedule) -> float:
    """Longest register-to-register path of one region in ns, by the delay table."""
    problem, t = schedule.problem, schedule.times
    by_id = problem.region.by_id()
    arrival: dict[int, float] = {}
    worst = 0.0
    for i in problem.operations:
        n = by_id.get(i)
        if n is None or n.op == "phi":
            continue
        start = 0.0
        for a in (*n.args, *(() if n.pred is None else (n.pred,))):
            s = source(by_id, a)
            cost = problem.costs.get(s.id)
            if cost is None or s.op == "phi" or t[s.id] + cost.latency != t[i]:
                continue
            start = max(start, arrival[s.id] if cost.latency == 0 else cost.out_delay)
        arrival[i] = start + problem.costs[i].delay
        worst = max(worst, arrival[i])
    return worst


def _process(process: Process, schedules: Schedules, rtl: Rtl) -> dict[str, Any]:
    counts: dict[str, int] = {}
    mine = {r.name: schedules[(process.name, r.name)] for r in process.regions}
    for r in process.regions:
        for n in r.nodes:
            if n.id in mine[r.name].bound or n.op in {
                "const",
                "var",
                "arg",
                "phi",
                "zext",
                "sext",
                "trunc",
                "extract",
                "concat",
            }:
                continue
            counts[n.op] = counts.get(n.op, 0) + 1
    module = rtl.modules[process.name].hw
    units = rtl.units[process.name]
    for pool, unit in units.items():
        counts[unit.op] = counts.get(unit.op, 0) + len(operators_used(mine.values(), pool))
    estimate = process_estimate(process, mine, module.register_bits, units)
    return {
        "name": process.name,
        "module": module.name,
        "operators": dict(sorted(counts.items())),
        "dsp48_estimate": estimate.dsp,
        "register_bits": module.register_bits,
        "estimate": estimate.as_dict(),
    }


def _allocation(process: Process, limit: Allocation, schedules: Schedules) -> dict[str, Any]:
    """A limit: how many operations count for it, and how many operators they have."""
    operators: set[tuple[str, object]] = set()
    operations = 0
    for r in process.regions:
        by_id, bound = r.by_id(), schedules[(process.name, r.name)].bound
        for n in r.nodes:
            if limit in governed(process, n, by_id):
                operations += 1
                operators.add((n.ref, bound[n.id]) if n.ref and n.id in bound else (r.name, n.id))
    return {
        "process": process.name,
        "function": limit.function,
        "operation": limit.op,
        "limit": limit.limit,
        "operators": len(operators),
        "operations": operations,
        **_at(limit.loc),
    }


def _ports(design: Design) -> list[dict[str, Any]]:
    channels = {c.name: c for c in design.channels}
    found = []
    for p in design.ports:
        entry: dict[str, Any] = {
            "name": p.name,
            "kind": p.kind,
            "direction": p.direction,
            "width": p.width,
        }
        if p.kind == "axis":
            entry["signals"] = {s: w for s, w, _, _ in axis_signals(channels[p.name])}
        else:
            entry["signed"] = p.signed
        if p.depth:
            entry["depth"] = p.depth
        if p.offset is not None:
            entry["offset"] = p.offset
        if p.part is not None:
            entry["part"] = p.part.as_dict()
        found.append(entry)
    return found


def warnings(design: Design, schedules: Schedules) -> list[str]:
    """Missed initiation intervals, and operators slower than the clock."""
    found = []
    for b in {b.array: b for b in design.buffers}.values():
        each = "an iteration " if b.halves > 1 else ""
        for c in _late_reads(design, b):
            found.append(
                f"{b.loc or b.array}: {b.consumer} starts {each}when {b.producer} has ended "
                f"{'it ' if each else ''}(array {b.array}): "
                f"stream {c.name} must hold all that is written to it before (depth {c.depth})"
            )
        if b.halves > 1 and (past := _passed_by(design, b)):
            found.append(
                f"{b.loc or b.array}: array {b.array} goes past {past}: {b.producer} waits for "
                f"{b.consumer} to free one of its two halves; pass it on through {past}"
            )
    for p in design.processes:
        for r in p.regions:
            s = schedules[(p.name, r.name)]
            where = f"{r.loc or p.name}: loop {r.label or r.name}"
            if s.limit is not None and s.ii is not None:
                asked = r.ii or 1
                if r.ii is not None:
                    found.append(f"{where} reaches II {s.ii}, not the asked {asked}: {s.limit}")
            for i in s.problem.slow:
                n = r.by_id()[i]
                found.append(
                    f"{n.loc or p.name}: {n.op} of {n.width} bits takes longer than a clock period"
                )
    return found


def _late_reads(design: Design, b: Buffer) -> list[Channel]:
    """Streams into a buffer's consumer that its producer feeds, directly or through others."""
    reach, work = {b.producer}, [b.producer]
    while work:
        p = work.pop()
        nexts = [c.consumer for c in design.channels if c.producer == p and c.consumer and not c.array]
        nexts = [x for x in nexts if x not in reach and x != b.consumer]
        work += nexts
        reach |= set(nexts)
    return [
        c for c in design.channels if c.consumer == b.consumer and c.producer in reach and not c.array
    ]


def _passed_by(design: Design, b: Buffer) -> str:
    """A process between the producer and the consumer of an array, which it does not go through."""
    after = {
        p.name: {x.consumer for x in design.buffers if x.producer == p.name} for p in design.processes
    }

    def reach(start: str) -> set[str]:
        seen, work = set[str](), [start]
        while work:
            new = after[work.pop()] - seen
            seen |= new
            work += new
        return seen

    return next((p for p in sorted(after[b.producer] - {b.consumer}) if b.consumer in reach(p)), "")


def table(report: Mapping[str, Any]) -> str:
    """The report for people."""
    lines = [
        f"{report['top']} on {report['part']}: clock {report['clock_ns']:g} ns asked, "
        f"{report['clock_estimate_ns']:g} ns estimated"
        + ("" if report["delays_measured"] else " (delay table estimated, not measured)")
    ]
    rows: list[Sequence[str]] = [("loop", "at", "II", "asked", "depth", "trips", "limited by")]
    for x in report["loops"]:
        at = f"{x['file']}:{x['line']}" if x["file"] else ""
        why = x["limited_by"]
        rows.append(
            (
                f"{x['process']}.{x['label']}",
                at,
                str(x["ii"]) if x["pipelined"] else f"({x['ii']})",
                str(x["asked_ii"] or "-"),
                str(x["depth"]),
                "?" if x["trip_count"] is None else str(x["trip_count"]),
                "" if why is None else f"{why['kind']}: {why['what']}",
            )
        )
    lines += _columns(rows)
    rows = [("process", "registers", "DSP48E1", "operators")]
    for x in report["processes"]:
        ops = " ".join(f"{k} {v}" for k, v in x["operators"].items())
        rows.append((x["name"], str(x["register_bits"]), str(x["dsp48_estimate"]), ops))
    lines += ["", *_columns(rows)]
    if report["allocations"]:
        rows = [("allocation", "at", "limit", "operators", "operations")]
        for x in report["allocations"]:
            name = f"{x['process']}: {x['operation']} of {x['function']}"
            numbers = (str(x[k]) for k in ("limit", "operators", "operations"))
            rows.append((name, f"{x['file']}:{x['line']}" if x["file"] else "", *numbers))
        lines += ["", *_columns(rows)]
    if report["memories"]:
        rows = [("memory", "words", "bits", "style", "BRAM36")]
        for x in report["memories"]:
            name = f"{x['process']}.{x['name']}"
            rows.append((name, str(x["depth"]), str(x["width"]), x["style"], f"{x['bram36']:g}"))
        lines += ["", *_columns(rows)]
    if report["fifos"]:
        rows = [("FIFO", "words", "bits", "from", "to")]
        for x in report["fifos"]:
            row = (x["name"], str(x["depth"]), str(x["width"]), x["producer"], x["consumer"])
            rows.append(row)
        lines += ["", *_columns(rows)]
    return "\n".join(lines) + "\n"


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(r[k]) for r in rows) for k in range(len(rows[0]))]
    return ["  ".join(c.ljust(w) for c, w in zip(r, widths, strict=True)).rstrip() for r in rows]
