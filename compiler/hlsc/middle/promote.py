# SPDX-License-Identifier: Apache-2.0
"""Memories of one word → registers: variables between regions, phis inside loops.

A store becomes a select on its predicate, a load the value that stands at that place.  This is how
completely partitioned arrays become registers: in the predicated graph promotion is one walk.
"""

from __future__ import annotations

from dataclasses import replace

from hlsc.ir import Memory, Node, Process, Region
from hlsc.middle.graph import Builder
from hlsc.middle.simplify import dead_code

__all__ = ["promote_registers"]


def promote_registers(process: Process) -> Process:
    """The process without memories of depth 1 (constant tables of depth 1 become constants)."""
    single = {m.name: m for m in process.memories if m.depth == 1 and m.external is None}
    if not single:
        return process
    variables = dict(process.variables)
    names: dict[str, str] = {}
    for m in single.values():
        fresh, k = m.name, 0
        while fresh in variables:
            k += 1
            fresh = f"{m.name}.{k}"
        names[m.name] = fresh
        variables[fresh] = m.width
    return replace(
        process,
        regions=tuple(_region(r, single, names) for r in process.regions),
        memories=tuple(m for m in process.memories if m.name not in single),
        variables=variables,
    )


def _region(region: Region, single: dict[str, Memory], names: dict[str, str]) -> Region:
    touched = {n.ref for n in region.nodes if n.op in ("load", "store") and n.ref in single}
    stored = {n.ref for n in region.nodes if n.op == "store" and n.ref in single}
    if not touched:
        return region
    b = Builder()
    now: dict[str | None, int] = {}
    regs: dict[str | None, int] = {}
    for m in single.values():
        if m.name not in touched:
            continue
        if m.init is not None and m.name not in stored:
            now[m.name] = b.const(m.init[0], m.width)
            continue
        now[m.name] = b.var(names[m.name], m.width)
        if region.is_loop and m.name in stored:
            now[m.name] = regs[m.name] = b.phi(now[m.name], m.name)
    new: dict[int, int] = {}
    phis: list[Node] = []
    for n in region.nodes:
        if n.op == "phi":
            b.loc = n.loc
            new[n.id] = b.phi(new[n.args[0]], n.name)
            phis.append(n)
        elif n.op == "load" and n.ref in single:
            new[n.id] = now[n.ref]
        elif n.op == "store" and n.ref in single:
            assert n.pred is not None
            b.loc = n.loc
            value = b.select(new[n.pred], new[n.args[1]], now[n.ref])
            now[n.ref] = b.name(value, n.ref or "")
        else:
            pred = None if n.pred is None else new[n.pred]
            new[n.id] = b.copy(n, [new[a] for a in n.args], pred)
    for n in phis:
        b.close(new[n.id], new[n.args[1]])
    for name, reg in regs.items():
        b.close(reg, now[name])
    liveouts = {v: new[i] for v, i in region.liveouts.items()}
    liveouts |= {names[x]: now[x] for x in now if x in stored and x is not None}
    return dead_code(
        replace(
            region,
            nodes=tuple(b.nodes),
            exit=None if region.exit is None else new[region.exit],
            liveouts=liveouts,
            successors=tuple((None if c is None else new[c], t) for c, t in region.successors),
        )
    )
