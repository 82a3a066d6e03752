# SPDX-License-Identifier: Apache-2.0
"""Arrays between processes: what both processes make of one becomes the banks that they share.

A bank is registers where every dimension is partitioned completely, distributed RAM where it is small
(or BIND_STORAGE says so) and one process stores while the other loads, once per region; else block RAM.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hlsc.blockram import bram36
from hlsc.errors import SourceError
from hlsc.frontend.program import Between
from hlsc.ir import Buffer, Memory, Process
from hlsc.middle.banks import Plan
from hlsc.schedule.delays import memory_style

__all__ = ["join_banks"]

Banks = Mapping[str, tuple[Between, Plan]]
"""By the name that both processes know a bank by."""


def join_banks(
    processes: Sequence[Process], banks: Banks
) -> tuple[tuple[Process, ...], tuple[Buffer, ...]]:
    """The processes with their side of each bank settled, and the banks as buffers."""
    used = {m.external for p in processes for m in p.memories}
    styles = {name: _style(b, plan, _accesses(processes, name)) for name, (b, plan) in banks.items()}
    made = []
    for p in processes:
        sides = tuple(
            _side(p.name, m, *banks[x], styles[x]) if (x := m.external or "") in banks else m
            for m in p.memories
        )
        made.append(replace(p, memories=sides))
    buffers = [_buffer(name, *banks[name], styles[name], made) for name in banks if name in used]
    return tuple(made), tuple(buffers)


def _buffer(name: str, b: Between, plan: Plan, style: str, processes: Sequence[Process]) -> Buffer:
    both = any(m.ports == "2rw" for p in processes for m in p.memories if m.external == name)
    width, words = plan.leaf.bits, plan.depth - plan.half
    apart = both or bram36(width, plan.depth) > 2 * bram36(width, words)
    return Buffer(
        name,
        width,
        plan.depth,
        b.producer,
        b.consumer,
        b.loc,
        b.name,
        b.halves,
        plan.half,
        style,
        style == "bram" and apart,
    )


def _accesses(processes: Sequence[Process], bank: str) -> dict[tuple[str, str], int]:
    """Most loads and most stores of one region, by process and operation."""
    most: dict[tuple[str, str], int] = {}
    for p in processes:
        for m in (m for m in p.memories if m.external == bank):
            for r in p.regions:
                for op, n in Counter(n.op for n in r.nodes if n.ref == m.name).items():
                    most[p.name, op] = max(n, most.get((p.name, op), 0))
    return most


def _style(b: Between, plan: Plan, most: Mapping[tuple[str, str], int]) -> str:
    if all(s.kind in ("half", "complete") for s in plan.splits):
        return "register"
    one_way = set(most) <= {(b.producer, "store"), (b.consumer, "load")}
    if plan.style == "lutram" and not one_way:
        raise SourceError(
            f"BIND_STORAGE of '{b.name}' must not be lutram: '{b.producer}' must only write it and "
            f"'{b.consumer}' only read it for that",
            plan.loc,
            "write impl=bram",
        )
    small = memory_style(Memory(b.name, plan.leaf.bits, plan.depth, plan.style)) == "lutram"
    once = plan.style == "lutram" or all(n == 1 for n in most.values())
    return "lutram" if small and one_way and once else "bram"


def _side(process: str, memory: Memory, b: Between, plan: Plan, style: str) -> Memory:
    """One process's memory: its style, ports and tokens."""
    take, give = (b.free, b.full) if process == b.producer else (b.full, b.free)
    ports = "1r1w" if style != "bram" else "1rw" if plan.ports == "1rw" else memory.ports
    return replace(memory, style=style, ports=ports, take=take or None, give=give or None)
