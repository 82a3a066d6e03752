# SPDX-License-Identifier: Apache-2.0
"""Passes IR → IR: rebuild with folding, dead code, dead variables, empty blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hlsc.ir import SIDE_EFFECTS, Node, Process, Region
from hlsc.middle.graph import Builder

__all__ = ["dead_code", "drop_empty_blocks", "prune_variables", "rebuild", "simplify_process"]


def rebuild(
    region: Region, change: Callable[[Builder, Node, list[int]], int | None] | None = None
) -> Region:
    """The region made anew through `Builder`, whose local rules then apply.

    `change(builder, node, new args)` may give another node in place of one (None: as it is).
    """
    b = Builder()
    new: dict[int, int] = {}
    alias = _phi_aliases(region)
    phis: list[Node] = []
    for n in region.nodes:
        if n.op == "phi":
            if n.id in alias:
                new[n.id] = new[alias[n.id]]
                continue
            b.loc = n.loc
            new[n.id] = b.phi(new[n.args[0]], n.name)
            phis.append(n)
            continue
        args = [new[a] for a in n.args]
        got = change(b, n, args) if change else None
        if got is None:
            pred = None if n.pred is None else new[n.pred]
            got = b.copy(n, args, pred)
        new[n.id] = got
    for n in phis:
        b.close(new[n.id], new[n.args[1]])
    return dead_code(
        replace(
            region,
            nodes=tuple(b.nodes),
            exit=None if region.exit is None else new[region.exit],
            liveouts={v: new[i] for v, i in region.liveouts.items()},
            successors=tuple((None if c is None else new[c], t) for c, t in region.successors),
        )
    )


def _phi_aliases(region: Region) -> dict[int, int]:
    """Phis that never change (next is the phi itself or a constant equal to init) → their initial
    value; phis with the same initial and next values → the first of them."""
    nodes = region.by_id()
    alias: dict[int, int] = {}
    seen: dict[tuple[object, ...], int] = {}
    for n in region.nodes:
        if n.op != "phi":
            continue
        init, nxt = n.args
        a, x = nodes[init], nodes[nxt]
        if nxt == n.id or nxt == init or (a.op == x.op == "const" and a.value == x.value):
            alias[n.id] = init
            continue
        key = (n.width, a.op, a.value, a.ref, nxt)
        if key in seen:
            alias[n.id] = seen[key]
        else:
            seen[key] = n.id
    return alias


def dead_code(region: Region) -> Region:
    """Without what reaches no side effect, exit, live-out or successor; ids from 0 in order.

    A phi's next value must not stand before its use matters, so order is kept; a store, write or out
    whose predicate is the constant 0 goes too.
    """
    nodes = region.by_id()

    def acts(n: Node) -> bool:
        if n.op not in SIDE_EFFECTS:
            return False
        p = nodes[n.pred] if n.pred is not None else None
        return not (p is not None and p.op == "const" and p.value == 0 and n.op != "read")

    work = [n.id for n in region.nodes if acts(n)]
    work += region.liveouts.values()
    work += [c for c, _ in region.successors if c is not None]
    if region.exit is not None:
        work.append(region.exit)
    alive: set[int] = set()
    while work:
        i = work.pop()
        if i in alive:
            continue
        alive.add(i)
        n = nodes[i]
        work.extend(n.args)
        if n.pred is not None:
            work.append(n.pred)
    order = {n.id: k for k, n in enumerate(x for x in region.nodes if x.id in alive)}

    def renumber(n: Node) -> Node:
        args = tuple(order[a] for a in n.args)
        pred = None if n.pred is None else order[n.pred]
        return Node(order[n.id], n.op, n.width, args, n.value, n.ref, pred, n.name, n.loc)

    return replace(
        region,
        nodes=tuple(renumber(n) for n in region.nodes if n.id in alive),
        exit=None if region.exit is None else order[region.exit],
        liveouts={v: order[i] for v, i in region.liveouts.items()},
        successors=tuple((None if c is None else order[c], t) for c, t in region.successors),
    )


def prune_variables(process: Process) -> Process:
    """Without live-outs that no later region reads; a variable that is only ever set to one constant
    is that constant."""
    by_name = {r.name: r for r in process.regions}
    reads = {r.name: {n.ref for n in r.nodes if n.op == "var"} for r in process.regions}
    live: dict[str, set[str | None]] = {r.name: set(reads[r.name]) for r in process.regions}
    changed = True
    while changed:
        changed = False
        for r in process.regions:
            out = set().union(*(live[t] for _, t in r.successors if t is not None))
            new = reads[r.name] | (out - set(r.liveouts))
            if new != live[r.name]:
                live[r.name] = new
                changed = True
    regions = []
    for r in process.regions:
        out = set().union(*(live[t] for _, t in r.successors if t is not None))
        regions.append(replace(r, liveouts={v: i for v, i in r.liveouts.items() if v in out}))
    values: dict[str, set[int | None]] = {}
    for r in regions:
        nodes = r.by_id()
        for v, i in r.liveouts.items():
            n = nodes[i]
            if n.op == "var" and n.ref == v:
                continue
            values.setdefault(v, set()).add(n.value if n.op == "const" else None)
    constant = {v: s.copy().pop() for v, s in values.items() if len(s) == 1 and None not in s}

    def change(b: Builder, n: Node, args: list[int]) -> int | None:
        if n.op == "var" and n.ref in constant:
            return b.const(constant[n.ref] or 0, n.width)
        return None

    regions = [
        rebuild(replace(r, liveouts={v: i for v, i in r.liveouts.items() if v not in constant}), change)
        for r in regions
    ]
    used = {n.ref for r in regions for n in r.nodes if n.op == "var"} | {
        v for r in regions for v in r.liveouts
    }
    assert all(r.name in by_name for r in regions)
    return replace(
        process,
        regions=tuple(regions),
        variables={v: w for v, w in process.variables.items() if v in used},
    )


def drop_empty_blocks(process: Process) -> Process:
    """Without blocks that do nothing but go on, and regions that are never reached."""
    goto: dict[str, str | None] = {}
    for r in process.regions:
        if not r.is_loop and not r.nodes and not r.liveouts and len(r.successors) == 1:
            target = r.successors[0][1]
            if target != r.name:
                goto[r.name] = target

    def final(t: str | None) -> str | None:
        seen = set()
        while t in goto and t not in seen:
            seen.add(t)
            t = goto[t]
        return t

    entry = final(process.regions[0].name)
    if entry is None:  # the whole process does nothing: keep one block
        return replace(process, regions=process.regions[:1])
    kept = {
        r.name: replace(r, successors=tuple((c, final(t)) for c, t in r.successors))
        for r in process.regions
    }
    reached: list[str] = []
    work = [entry]
    while work:
        x = work.pop()
        if x not in reached:
            reached.append(x)
            work.extend(t for _, t in kept[x].successors if t is not None)
    order = [entry] + [r.name for r in process.regions if r.name in reached and r.name != entry]
    return replace(process, regions=tuple(kept[x] for x in order))


def simplify_process(process: Process) -> Process:
    """All of the above until nothing changes (at most eight rounds)."""
    for _ in range(8):
        before = str(process)
        process = replace(process, regions=tuple(rebuild(r) for r in process.regions))
        process = drop_empty_blocks(prune_variables(process))
        if str(process) == before:
            break
    return drop_unused(process)


def drop_unused(process: Process) -> Process:
    """Without memories that nothing loads, and what speaks of them; without unused arguments."""
    loaded: set[str | None] = {m.name for m in process.memories if m.external is not None}
    loaded |= {n.ref for r in process.regions for n in r.nodes if n.op == "load"}
    regions = []
    for r in process.regions:
        deps = tuple(d for d in r.dependences if d.memory in loaded)
        if any(n.op == "store" and n.ref not in loaded for n in r.nodes):
            kept = tuple(n for n in r.nodes if n.op != "store" or n.ref in loaded)
            r = dead_code(replace(r, nodes=kept))
        regions.append(replace(r, dependences=deps))
    used = {n.ref for r in regions for n in r.nodes if n.op == "arg"}
    return replace(
        process,
        regions=tuple(regions),
        memories=tuple(m for m in process.memories if m.name in loaded),
        args=tuple(a for a in process.args if a.name in used),
    )
