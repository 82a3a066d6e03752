# SPDX-License-Identifier: Apache-2.0
"""Memories of one word → registers: variables between regions, phis inside loops.

A store becomes a select on its predicate, a load the value that stands at that place.  This is how
completely partitioned arrays become registers: in the predicated graph promotion is one walk.

A static one stays a memory besides: the process loads it as it begins and stores it as it ends.
"""

from __future__ import annotations

from dataclasses import replace

from hlsc.ir import Memory, Node, Process, Region
from hlsc.middle.graph import Builder
from hlsc.middle.simplify import dead_code

__all__ = ["promote_registers"]


def promote_registers(process: Process) -> Process:
    """The process without memories of depth 1, but for static ones (constant tables of depth 1 become
    constants)."""
    stored = {n.ref for r in process.regions for n in r.nodes if n.op == "store"}
    single = {
        m.name: m if m.start is None or m.name in stored else replace(m, init=m.start, start=None)
        for m in process.memories
        if m.depth == 1 and m.external is None
    }
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
    static = [x for x, m in single.items() if m.start is not None]
    regions = process.regions
    if static:
        regions = _with_ends(regions)
    return replace(
        process,
        regions=tuple(
            _region(
                r,
                single,
                names,
                static if r is regions[0] else [],
                static if r.successors == ((None, None),) and not r.is_loop else [],
            )
            for r in regions
        ),
        memories=tuple(
            replace(m, style="register") if m.name in static else m
            for m in process.memories
            if m.name not in single or m.name in static
        ),
        variables=variables,
    )


def _with_ends(regions: tuple[Region, ...]) -> tuple[Region, ...]:
    """With a block that runs once before all others and, where it ends, one after them."""
    names = {r.name for r in regions}
    first = regions[0]
    if first.is_loop or any(first.name == t for r in regions for _, t in r.successors):
        begin = Region(_fresh("begin", names), (), successors=((None, first.name),))
        regions = (begin, *regions)
    last = [r for r in regions if any(t is None for _, t in r.successors)]
    if not last or (len(last) == 1 and not last[0].is_loop and len(last[0].successors) == 1):
        return regions
    end = Region(_fresh("end", names), ())
    joined = (
        replace(r, successors=tuple((c, t or end.name) for c, t in r.successors)) for r in regions
    )
    return (*joined, end)


def _fresh(name: str, taken: set[str]) -> str:
    got, k = name, 0
    while got in taken:
        k += 1
        got = f"{name}.{k}"
    return got


def _region(
    region: Region,
    single: dict[str, Memory],
    names: dict[str, str],
    begin: list[str],
    end: list[str],
) -> Region:
    """`begin`, `end`: static memories that are loaded first and stored last here."""
    touched = {n.ref for n in region.nodes if n.op in ("load", "store") and n.ref in single}
    touched |= {*begin, *end}
    stored = {n.ref for n in region.nodes if n.op == "store" and n.ref in single} | {*begin}
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
        elif m.name in begin:
            address = b.const(0, m.address_width)
            now[m.name] = b.add("load", m.width, (address,), ref=m.name, name=m.name)
        else:
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
    for name in end:
        address, always = b.const(0, single[name].address_width), b.const(1, 1)
        b.add("store", 0, (address, now[name]), ref=name, pred=always)
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
