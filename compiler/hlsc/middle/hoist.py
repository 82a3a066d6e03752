# SPDX-License-Identifier: Apache-2.0
"""Loop-invariant arithmetic goes into the block before the loop, as variables of the process.

The exit condition of a pipelined loop stands in its first stage, and nothing there may be slow: what
does not change while the loop runs is computed once.  Wires (extensions, slices) stay in the loop, for
they cost nothing there and would cost registers outside.
"""

from __future__ import annotations

from dataclasses import replace

from hlsc.ir import BINARY, COMPARE, Node, Process, Region
from hlsc.middle.graph import Builder

__all__ = ["hoist_invariants"]

_LEAVES = frozenset({"const", "var", "arg"})
_WIRES = frozenset({"zext", "sext", "trunc", "extract", "concat"})
_WORK = BINARY | COMPARE | {"select"}


def _invariants(region: Region) -> list[int]:
    """Ids of the costly invariant nodes that the loop itself uses."""
    nodes = region.by_id()
    fixed: set[int] = set()
    for n in region.nodes:
        if n.op in _LEAVES or (n.op in _WORK | _WIRES and all(a in fixed for a in n.args)):
            fixed.add(n.id)
    wanted: set[int] = set()
    work = [
        a
        for n in region.nodes
        if n.id not in fixed
        for a in (*n.args, *(() if n.pred is None else (n.pred,)))
    ]
    work += [*region.liveouts.values(), *(c for c, _ in region.successors if c is not None)]
    work += [] if region.exit is None else [region.exit]
    seen: set[int] = set()
    while work:
        i = work.pop()
        if i in seen or i not in fixed:
            continue
        seen.add(i)
        if nodes[i].op in _WIRES:
            work.extend(nodes[i].args)
        elif nodes[i].op in _WORK:
            wanted.add(i)
    return sorted(wanted)


def _copy_cone(b: Builder, region: Region, roots: list[int], var: dict[str, int]) -> list[int]:
    """The invariant expressions in another graph; `var`: what variables hold there at its end."""
    nodes = region.by_id()
    new: dict[int, int] = {}
    cone: set[int] = set()
    work = list(roots)
    while work:
        i = work.pop()
        if i not in cone:
            cone.add(i)
            work.extend(nodes[i].args)
    for n in region.nodes:
        if n.id in cone:
            if n.op == "var" and n.ref in var:
                new[n.id] = var[n.ref]
            else:
                new[n.id] = b.copy(n, [new[a] for a in n.args])
    return [new[r] for r in roots]


def _builder_of(region: Region) -> Builder:
    b = Builder()
    b.nodes = list(region.nodes)
    return b


def hoist_invariants(process: Process) -> Process:
    """The process with loop-invariant arithmetic before its loops."""
    regions = {r.name: r for r in process.regions}
    order = [r.name for r in process.regions]
    variables = dict(process.variables)
    for name in [r.name for r in process.regions if r.is_loop]:
        loop = regions[name]
        found = _invariants(loop)
        if not found:
            continue
        preds = [p for p in order if p != name and any(t == name for _, t in regions[p].successors)]
        own = len(preds) == 1 and not regions[preds[0]].is_loop and order[0] != name
        if not own and all(loop.by_id()[i].width == 1 for i in found):
            continue  # not worth a state of its own
        if own:
            before = regions[preds[0]]
            b = _builder_of(before)
            var = dict(before.liveouts)
        else:
            before = Region(f"{name}.before", (), successors=((None, name),), loc=loop.loc)
            b, var = Builder(), {}
            for p in preds:
                regions[p] = replace(
                    regions[p],
                    successors=tuple(
                        (c, before.name if t == name else t) for c, t in regions[p].successors
                    ),
                )
            order.insert(order.index(name), before.name)
        values = _copy_cone(b, loop, found, var)
        liveouts = dict(before.liveouts)
        names: dict[int, str] = {}
        for i, v in zip(found, values, strict=True):
            n = loop.by_id()[i]
            base = n.name or f"{name}.fixed"
            fresh, k = base, 0
            while fresh in variables:
                k += 1
                fresh = f"{base}.{k}"
            variables[fresh] = n.width
            names[i] = fresh
            liveouts[fresh] = v
        regions[before.name] = replace(before, nodes=tuple(b.nodes), liveouts=liveouts)
        regions[name] = replace(
            loop,
            nodes=tuple(
                Node(n.id, "var", n.width, ref=names[n.id], loc=n.loc) if n.id in names else n
                for n in loop.nodes
            ),
        )
    return replace(process, regions=tuple(regions[x] for x in order), variables=variables)
