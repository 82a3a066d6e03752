# SPDX-License-Identifier: Apache-2.0
"""Control flow of one function: reverse post-order, dominators, natural loops, liveness."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from hlsc.errors import SourceError
from hlsc.middle.llvmtypes import Block, Function, Instr, Local

__all__ = ["Cfg", "Loop", "dominators", "liveness", "reverse_post_order"]


def reverse_post_order(entry: str, successors: Callable[[str], Iterable[str]]) -> list[str]:
    """Reachable nodes, each before its successors except along back edges.

    Successors are visited last to first, so that a branch's first target comes first in the order.
    """
    order: list[str] = []
    seen = {entry}
    stack: list[tuple[str, list[str]]] = [(entry, list(successors(entry)))]
    while stack:
        node, todo = stack[-1]
        if todo:
            s = todo.pop()
            if s not in seen:
                seen.add(s)
                stack.append((s, list(successors(s))))
        else:
            order.append(node)
            stack.pop()
    return order[::-1]


def dominators(order: Sequence[str], preds: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Immediate dominators (Cooper, Harvey, Kennedy); `order` is a reverse post-order, its first
    node the root, which is its own dominator."""
    number = {b: i for i, b in enumerate(order)}
    idom = {order[0]: order[0]}
    changed = True
    while changed:
        changed = False
        for b in order[1:]:
            new: str | None = None
            for p in preds[b]:
                if p not in idom or p not in number:
                    continue
                if new is None:
                    new = p
                    continue
                a = p
                while a != new:
                    while number[a] > number[new]:
                        a = idom[a]
                    while number[new] > number[a]:
                        new = idom[new]
            if new is not None and idom.get(b) != new:
                idom[b] = new
                changed = True
    return idom


@dataclass(frozen=True)
class Loop:
    """A natural loop: `blocks` in reverse post-order, header first, inner loops' blocks included."""

    header: str
    latches: tuple[str, ...]
    blocks: tuple[str, ...]
    parent: str | None  # header of the loop around it
    children: tuple[str, ...]
    depth: int  # 1: outermost
    key: int | None  # in Program.loops


class Cfg:
    """Blocks reachable from the entry, with their edges, dominators and loops."""

    def __init__(self, function: Function) -> None:
        self.function = function
        blocks = {b.name: b for b in function.blocks}
        self.entry = function.blocks[0].name
        self.order = reverse_post_order(self.entry, lambda b: blocks[b].successors)
        self.number = {b: i for i, b in enumerate(self.order)}
        self.blocks: dict[str, Block] = {b: blocks[b] for b in self.order}
        self.preds: dict[str, list[str]] = {b: [] for b in self.order}
        for b in self.order:
            for s in dict.fromkeys(self.blocks[b].successors):
                self.preds[s].append(b)
        self.idom = dominators(self.order, self.preds)
        self.definitions: dict[str, tuple[str, Instr]] = {
            i.name: (b, i) for b in self.order for i in self.blocks[b].instrs if i.name
        }
        self.loops = self._loops()
        self.loop_of: dict[str, str | None] = {}
        for b in self.order:
            inner = [lp for lp in self.loops.values() if b in lp.blocks]
            self.loop_of[b] = max(inner, key=lambda lp: lp.depth).header if inner else None

    def dominates(self, a: str, b: str) -> bool:
        while self.number[b] > self.number[a]:
            b = self.idom[b]
        return a == b

    def _loops(self) -> dict[str, Loop]:
        bodies: dict[str, set[str]] = {}
        latches: dict[str, list[str]] = {}
        for b in self.order:
            for s in dict.fromkeys(self.blocks[b].successors):
                if self.number[s] > self.number[b]:
                    continue
                if not self.dominates(s, b):
                    raise SourceError(
                        "control flow must have structured loops, not a jump into the middle of one",
                        self.blocks[b].terminator.loc,
                        "replace the goto by for or while",
                    )
                latches.setdefault(s, []).append(b)
                body = bodies.setdefault(s, {s})
                work = [b]
                while work:
                    n = work.pop()
                    if n not in body:
                        body.add(n)
                        work.extend(self.preds[n])
        heads = sorted(bodies, key=self.number.__getitem__)
        parents: dict[str, str | None] = {}
        for h in heads:
            around = [g for g in heads if g != h and h in bodies[g]]
            parents[h] = min(around, key=lambda g: len(bodies[g])) if around else None
        depths: dict[str, int] = {}
        for h in heads:
            p = parents[h]
            depths[h] = 1 if p is None else depths[p] + 1
        return {
            h: Loop(
                h,
                tuple(latches[h]),
                tuple(b for b in self.order if b in bodies[h]),
                parents[h],
                tuple(g for g in heads if parents[g] == h),
                depths[h],
                next(
                    (k for x in latches[h] if (k := self.blocks[x].terminator.loop) is not None), None
                ),
            )
            for h in heads
        }


def liveness(cfg: Cfg) -> dict[str, frozenset[str]]:
    """SSA values live on entry to each block; a phi's operands are used on its incoming edges and its
    result is not live into its own block."""
    use: dict[str, set[str]] = {}
    define: dict[str, set[str]] = {}
    edge_use: dict[tuple[str, str], set[str]] = {}
    for b in cfg.order:
        u: set[str] = set()
        d: set[str] = set()
        for i in cfg.blocks[b].instrs:
            if i.op == "phi":
                for v, p in zip(i.args, i.labels, strict=True):
                    if isinstance(v, Local):
                        edge_use.setdefault((p, b), set()).add(v.name)
            else:
                u |= {a.name for a in i.args if isinstance(a, Local)} - d
            if i.name:
                d.add(i.name)
        use[b], define[b] = u, d
    live: dict[str, set[str]] = {b: set() for b in cfg.order}
    changed = True
    while changed:
        changed = False
        for b in reversed(cfg.order):
            out: set[str] = set()
            for s in cfg.blocks[b].successors:
                out |= live[s] | edge_use.get((b, s), set())
            new = use[b] | (out - define[b])
            if new != live[b]:
                live[b] = new
                changed = True
    return {b: frozenset(v) for b, v in live.items()}
