# SPDX-License-Identifier: Apache-2.0
"""Shared operators as hardware: a pipeline of its own that takes one pair of operands per cycle.

An operator is as wide as the widest of its operations needs; all are computed in two's complement, with
a sign bit more for unsigned factors.  Its body is a region like any other, prepared and scheduled at
II = 1, so a product of several DSPs or a division is a pipeline of as many stages as the clock asks.
It ends in a register: no path of one cycle leads through two shared operators, so that multiplexers
before and behind them never close a loop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hlsc.ir import Node, Process, Region
from hlsc.schedule.delays import Cost, Timing
from hlsc.schedule.prepare import prepare_region
from hlsc.schedule.problem import build, source
from hlsc.schedule.sdc import Schedule, schedule
from hlsc.schedule.sharing import shared_nodes
from hlsc.schedule.verify import verify

__all__ = ["Unit", "factor_bits", "units_of"]

_SIGNED = frozenset({"sdiv", "srem", "ashr"})


@dataclass(frozen=True)
class Unit:
    """The operators of one pool, all alike.

    `count`: how many; `users`: operations that use them; `operands`: widths, `signed`: how operands are
    widened; `width`: of the result, which is signed if the operands are.  `process` holds `schedule`'s
    region, which reads `a` and `b` and writes `result`; `latency` in cycles from operands to result.
    """

    pool: str
    op: str
    count: int
    users: int
    operands: tuple[int, int]
    signed: bool
    width: int
    process: Process
    schedule: Schedule
    latency: int
    cost: Cost


def units_of(process: Process, timing: Timing) -> dict[str, Unit]:
    """The shared operators of a prepared process by pool."""
    found: dict[str, list[tuple[Node, Mapping[int, Node]]]] = {}
    crowd: dict[str, int] = {}
    for region in process.regions:
        by_id = region.by_id()
        for pool, nodes in shared_nodes(region).items():
            found.setdefault(pool, []).extend((n, by_id) for n in nodes)
            count = max(n.value or 1 for n in nodes)
            crowd[pool] = crowd.get(pool, 0) + -(-len(nodes) // count)
    return {pool: _unit(pool, users, crowd[pool], timing) for pool, users in found.items()}


def factor_bits(by_id: Mapping[int, Node], i: int) -> tuple[int, bool]:
    """Bits of an operand before its extension, and whether it is unsigned there."""
    n = by_id[i]
    if n.op == "const" and n.value is not None:
        high = n.value >> (n.width - 1)
        size = ((1 << n.width) - n.value - 1) if high else n.value
        return max(1, size.bit_length() + high), not high
    inner = source(by_id, i)
    return (n.width, False) if inner is n else (_inner_width(by_id, n), n.op == "zext")


def _inner_width(by_id: Mapping[int, Node], n: Node) -> int:
    return by_id[n.args[0]].width


def _unit(pool: str, users: list[tuple[Node, Mapping[int, Node]]], crowd: int, timing: Timing) -> Unit:
    """`crowd`: operations that one operator serves, about."""
    op = users[0][0].op
    width = max(n.width for n, _ in users)
    sizes = (width, width)
    if op == "mul":
        factors = [sorted(b + u for b, u in (factor_bits(ids, a) for a in n.args)) for n, ids in users]
        sizes = (max(f[1] for f in factors), max(f[0] for f in factors))
        width = min(width, sum(sizes))
    count = max(n.value or 1 for n, _ in users)
    choose = timing.table.select * max(1, (max(crowd, 2) - 1).bit_length())
    table = replace(timing.table, stream_in=choose, stream_out=0.0)
    inside = replace(timing, table=table)
    process = Process(pool, (prepare_region(_body(pool, op, sizes, width)),))
    region = process.regions[0]
    made = verify(process, schedule(build(process, region, inside)), inside)
    first, last = _ends(made)
    end = next(made.times[n.id] for n in region.nodes if n.op == "write")
    latency = max(1, end)
    cost = Cost(first, latency, (last if end else 0.0) + timing.table.select)
    signed = op in _SIGNED or op == "mul"
    return Unit(pool, op, count, len(users), sizes, signed, width, process, made, latency, cost)


def _body(pool: str, op: str, sizes: tuple[int, int], width: int) -> Region:
    """A loop without end: read both operands, write the result."""
    nodes = [Node(0, "const", 1, value=0)]
    operands = []
    for name, size in zip("ab", sizes, strict=True):
        i = len(nodes)
        nodes.append(Node(i, "read", size, ref=f"{pool}_{name}"))
        if size < width:
            nodes.append(Node(i + 1, "sext", width, (i,)))
        operands.append(nodes[-1].id)
    i = len(nodes)
    nodes.append(Node(i, op, width, tuple(operands)))
    nodes.append(Node(i + 1, "write", 0, (i,), ref=f"{pool}_result"))
    return Region(pool, tuple(nodes), exit=0, ii=1)


def _ends(made: Schedule) -> tuple[float, float]:
    """Longest path within the first cycle, and to the result within the last one."""
    problem, t = made.problem, made.times
    by_id = problem.region.by_id()
    arrival: dict[int, float] = {}
    first = last = 0.0
    for n in problem.region.nodes:
        if n.id not in problem.costs:
            continue
        start = 0.0
        for s in (source(by_id, a) for a in n.args):
            cost = problem.costs.get(s.id)
            if cost is not None and t[s.id] + cost.latency == t[n.id]:
                start = max(start, cost.out_delay if cost.latency else arrival[s.id])
        arrival[n.id] = start + problem.costs[n.id].delay
        if t[n.id] == 0:
            first = max(first, arrival[n.id])
        if n.op == "write":
            last = arrival[n.id]
    return first, last
