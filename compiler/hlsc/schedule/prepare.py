# SPDX-License-Identifier: Apache-2.0
"""Rewriting of regions before they are scheduled: `Design` → `Design`, same meaning.

- Nodes that nothing observes are removed (also loads, phis that feed only themselves, and reads never:
  they consume).
- Names lose the suffixes of LLVM's passes (`row.i.sroa.0.01` is `row`).
- Products of several DSPs become sums of products of one (`multiply`).
- Logic that is wires in truth becomes wires (`tidy`).
- Comparisons of counters become flags (`retime`).
- Division and remainder by a variable become the rows of a restoring divider, one compare-and-subtract
  per quotient bit, which the scheduler then spreads over cycles like any other arithmetic.
- `acc = clear ? m : acc + m` becomes `acc = (clear ? 0 : acc) + m`, the form that is exactly one
  DSP48E1.
"""

from __future__ import annotations

import re
from dataclasses import replace

from hlsc.ir import SIDE_EFFECTS, Design, Loc, Node, Process, Region
from hlsc.schedule.multiply import split_multiplications
from hlsc.schedule.retime import retime
from hlsc.schedule.sharing import Sharing, inner_loc, mark, sharing
from hlsc.schedule.tidy import tidy

__all__ = ["find_accumulators", "live_nodes", "prepare", "prepare_region"]


def prepare(design: Design) -> Design:
    """The design as the scheduler wants it; validated."""
    processes = []
    for p in design.processes:
        shares = sharing(p)
        regions = tuple(_named(prepare_region(r, shares)) for r in p.regions)
        processes.append(mark(_drop_variables(retime(replace(p, regions=regions))), shares))
    return replace(design, processes=tuple(processes)).validate()


def _drop_variables(process: Process) -> Process:
    """Variables that no region reads need no register, and their values no computation."""
    while True:
        read = {n.ref for r in process.regions for n in r.nodes if n.op == "var"}
        keep = {v: w for v, w in process.variables.items() if v in read}
        if len(keep) == len(process.variables):
            return process
        regions = tuple(
            _sweep(replace(r, liveouts={v: i for v, i in r.liveouts.items() if v in keep}))
            for r in process.regions
        )
        process = replace(process, variables=keep, regions=regions)


def _named(region: Region) -> Region:
    """Names as the source has them: without the suffixes that LLVM's passes leave."""
    return replace(region, nodes=tuple(replace(n, name=_source_name(n.name)) for n in region.nodes))


def _source_name(name: str) -> str:
    first = name.split(".")[0]
    return "" if first == "hlsc" or not re.match(r"[A-Za-z_]", first) else first


def prepare_region(region: Region, shares: Sharing = lambda n, by_id: None) -> Region:
    """One region; operations that share an operator stay whole."""
    region = tidy(split_multiplications(_sweep(region), shares))
    return _sweep(_accumulators(_divisions(region, shares)))


def live_nodes(region: Region) -> set[int]:
    """Ids of the nodes that an observable effect depends on."""
    by_id = region.by_id()
    work = [n.id for n in region.nodes if n.op in SIDE_EFFECTS]
    work += [i for i in (region.exit, *region.liveouts.values()) if i is not None]
    work += [c for c, _ in region.successors if c is not None]
    live: set[int] = set()
    while work:
        i = work.pop()
        if i in live:
            continue
        live.add(i)
        n = by_id[i]
        work.extend(n.args)
        if n.pred is not None:
            work.append(n.pred)
    return live


def _sweep(region: Region) -> Region:
    live = live_nodes(region)
    return replace(region, nodes=tuple(n for n in region.nodes if n.id in live))


class _Builder:
    """Nodes that take the place of one node: same source location, fresh ids."""

    def __init__(self, region: Region) -> None:
        self.next_id = max((n.id for n in region.nodes), default=-1) + 1
        self.nodes: list[Node] = []

    def put(
        self, like: Node, op: str, width: int, *args: int, value: int | None = None, name: str = ""
    ) -> int:
        made = Node(self.next_id, op, width, args, value, name=name, loc=inner_loc(like))
        self.nodes.append(made)
        self.next_id += 1
        return self.next_id - 1

    def take(self) -> list[Node]:
        taken, self.nodes = self.nodes, []
        return taken


def _divisions(region: Region, shares: Sharing) -> Region:
    by_id = region.by_id()
    divides = {
        n.id
        for n in region.nodes
        if n.op in {"udiv", "urem", "sdiv", "srem"} and shares(n, by_id) is None
    }
    if not divides:
        return region
    b = _Builder(region)
    out: list[Node] = []
    alias: dict[int, int] = {}
    for n in region.nodes:
        n = _renamed(n, alias)
        if n.id not in divides:
            out.append(n)
        elif n.op in {"udiv", "urem"}:
            quotient, remainder = _divider(b, n, n.args[0], n.args[1])
            alias[n.id] = quotient if n.op == "udiv" else remainder
            out += b.take()
        else:
            w, (x, y) = n.width, n.args
            zero = b.put(n, "const", w, value=0)
            negative = [b.put(n, "extract", 1, i, value=w - 1) for i in (x, y)]
            sizes = [
                b.put(n, "select", w, s, b.put(n, "sub", w, zero, i), i)
                for s, i in zip(negative, (x, y), strict=True)
            ]
            quotient, remainder = _divider(b, n, sizes[0], sizes[1])
            size = quotient if n.op == "sdiv" else remainder
            # The remainder has the dividend's sign, the quotient the product of both; a zero divisor
            # gives -1 or 1, as in the interpreter.
            sign = negative[0]
            if n.op == "sdiv":
                sign = b.put(n, "xor", 1, negative[0], negative[1])
            minus = b.put(n, "sub", w, zero, size)
            alias[n.id] = b.put(n, "select", w, sign, minus, size, name=n.name)
            out += b.take()
    moved = [replace(n, args=tuple(alias.get(a, a) for a in n.args)) for n in out]  # phis look ahead
    return _region_renamed(replace(region, nodes=tuple(moved)), alias)


def _divider(b: _Builder, n: Node, x: int, y: int) -> tuple[int, int]:
    """Quotient and remainder, unsigned; one row per bit of the dividend."""
    w = n.width
    one, zero = b.put(n, "const", 1, value=1), b.put(n, "const", 1, value=0)
    wide = b.put(n, "zext", w + 1, y)
    rest = b.put(n, "const", w, value=0)
    bits = []
    for k in reversed(range(w)):
        bit = b.put(n, "extract", 1, x, value=k)
        shifted = b.put(n, "concat", w + 1, rest, bit)
        reduced = b.put(n, "sub", w + 1, shifted, wide)
        fits = b.put(n, "uge", 1, shifted, wide)
        bits.append(b.put(n, "select", 1, fits, one, zero))
        rest = b.put(n, "trunc", w, b.put(n, "select", w + 1, fits, reduced, shifted))
    quotient = bits[0] if w == 1 else b.put(n, "concat", w, *bits, name=n.name)
    return quotient, rest


def _renamed(n: Node, alias: dict[int, int]) -> Node:
    if not alias:
        return n
    pred = None if n.pred is None else alias.get(n.pred, n.pred)
    return replace(n, args=tuple(alias.get(a, a) for a in n.args), pred=pred)


def _region_renamed(region: Region, alias: dict[int, int]) -> Region:
    return replace(
        region,
        exit=None if region.exit is None else alias.get(region.exit, region.exit),
        liveouts={v: alias.get(i, i) for v, i in region.liveouts.items()},
        successors=tuple((None if c is None else alias.get(c, c), t) for c, t in region.successors),
    )


def _accumulators(region: Region) -> Region:
    """select(c, m, phi + m) → select(c, 0, phi) + m, where nothing else uses the inner sum."""
    by_id = region.by_id()
    uses: dict[int, int] = {}
    for n in region.nodes:
        for a in (*n.args, *(() if n.pred is None else (n.pred,))):
            uses[a] = uses.get(a, 0) + 1
    for i in (region.exit, *region.liveouts.values(), *(c for c, _ in region.successors)):
        if i is not None:
            uses[i] = uses.get(i, 0) + 1
    b = _Builder(region)
    out: list[Node] = []
    for n in region.nodes:
        found = _clearing_sum(n, by_id, uses) if n.op == "select" else None
        if found is None:
            out.append(n)
            continue
        clear_if, phi, m, total = found
        zero = b.put(n, "const", n.width, value=0)
        arms = (zero, phi) if clear_if else (phi, zero)
        kept = b.put(n, "select", n.width, n.args[0], *arms)
        out += b.take()
        out.append(replace(n, op="add", args=(kept, m), loc=_as_of(n.loc, total.loc)))
    return replace(region, nodes=tuple(out))


def _clearing_sum(
    n: Node, by_id: dict[int, Node], uses: dict[int, int]
) -> tuple[bool, int, int, Node] | None:
    _, if_one, if_zero = n.args
    for clear_if, m, s in ((True, if_one, if_zero), (False, if_zero, if_one)):
        total = by_id[s]
        if total.op != "add" or uses[s] != 1 or m not in total.args:
            continue
        other = total.args[1] if total.args[0] == m else total.args[0]
        if by_id[other].op == "phi" and _is_product(by_id, m):
            following = by_id[by_id[other].args[1]]
            held = following.op == "select" and {n.id, other} == set(following.args[1:])
            if following.id == n.id or held:
                return clear_if, other, m, total
    return None


def _as_of(place: Loc | None, other: Loc | None) -> Loc | None:
    """A place that belongs to the functions of another one."""
    return place if place is None or other is None else replace(place, scopes=other.scopes)


def _is_product(by_id: dict[int, Node], i: int) -> bool:
    while by_id[i].op in {"sext", "zext"}:
        i = by_id[i].args[0]
    return by_id[i].op == "mul"


def find_accumulators(region: Region) -> dict[int, tuple[int, int]]:
    """Multiply-accumulates: id of the sum → (phi, product).

    The sum is the phi's next value, perhaps behind a hold (select of the phi itself); one operand is
    the phi or `select` of the phi and 0, the other a product that nothing else uses, perhaps extended.
    """
    by_id = region.by_id()
    users: dict[int, set[int]] = {}
    for n in region.nodes:
        for a in (*n.args, *(() if n.pred is None else (n.pred,))):
            users.setdefault(a, set()).add(n.id)
    for i in (region.exit, *region.liveouts.values(), *(c for c, _ in region.successors)):
        if i is not None:
            users.setdefault(i, set()).add(-1)
    found: dict[int, tuple[int, int]] = {}
    for phi in region.nodes:
        if phi.op != "phi":
            continue
        total = by_id[phi.args[1]]
        if total.op == "select" and phi.id in total.args[1:]:
            total = by_id[total.args[2] if total.args[1] == phi.id else total.args[1]]
        if total.op != "add":
            continue
        for a, m in (total.args, total.args[::-1]):
            kept, product, only = by_id[a], m, True
            while by_id[product].op in {"sext", "zext"} and users[product] == {total.id}:
                product = by_id[product].args[0]
            only = by_id[product].op == "mul" and len(users[product]) == 1
            clears = kept.op == "select" and phi.id in kept.args[1:]
            if clears:
                other = by_id[kept.args[2] if kept.args[1] == phi.id else kept.args[1]]
                clears = other.op == "const" and other.value == 0
            if only and (kept.id == phi.id or clears):
                found[total.id] = (phi.id, product)
                break
    return found
