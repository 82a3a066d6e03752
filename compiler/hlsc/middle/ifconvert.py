# SPDX-License-Identifier: Apache-2.0
"""Basic blocks → one predicated data-flow graph.

The blocks of a region are walked in topological order.  A block's predicate is the or of its incoming
edges, or its dominator's where it post-dominates that; a phi of a join becomes selects on conditions
relative to the join's dominator, so that they are short and stay meaningful when only the rest of the
region is re-evaluated.  Loads and arithmetic are speculated; stores and stream operations are guarded.

A region may be a nest of loops, each inside the one before, run as one pipeline ("flattened").  Back
edges end the iteration.  `first[k]` is 1 when the iteration started outside loop k of the nest; loop
k's phi is then its initial value, else its register.  Values of reads and loads in the blocks before an
inner loop are held in registers while the inner loop runs; arithmetic there is simply recomputed from
what is held.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from hlsc.errors import SourceError
from hlsc.middle.cfg import dominators
from hlsc.middle.graph import Builder
from hlsc.middle.instructions import Environment, Instructions
from hlsc.middle.llvmtypes import (
    Block,
    Instr,
    Undef,
    Value,
)

__all__ = ["Leave", "RegionGraph", "convert"]

_ROOT = ""  # stands above every place where an iteration can start


@dataclass(frozen=True)
class Leave:
    """An edge that leaves the region."""

    source: str
    target: str | None  # None: return
    condition: int
    loc: object = None


@dataclass
class RegionGraph:
    b: Builder
    values: dict[str, int]  # SSA values defined here
    leaves: list[Leave]
    exit: int | None
    edge_value: Callable[[str, Value, int], int] = field(repr=False)


class _Converter(Instructions):
    def __init__(
        self, env: Environment, blocks: Sequence[str], entry: str, nest: Sequence[str]
    ) -> None:
        super().__init__(env)
        self.nest = list(nest)
        self.blocks = [x for x in self.cfg.order if x in set(blocks)]
        self.inside = set(self.blocks)
        self.entry = entry
        self.rel: dict[tuple[str, str], int] = {}
        self.regs: dict[str, int] = {}  # phi of a loop header → register
        self.reset: dict[str, int] = {}  # such phis that start from a constant → it
        self.first: list[int] = []  # per loop of the nest
        self.held: list[tuple[int, int]] = []  # (register, value now)
        self._edges()

    # Shape ---------------------------------------------------------------

    def _edges(self) -> None:
        """Forward edges inside, back edges of the nest, and what dominates and post-dominates what."""
        loops = self.cfg.loops
        self.succ: dict[str, list[str]] = {}
        self.back: dict[str, list[str]] = {h: [] for h in self.nest}  # header → latches
        heads = set(self.nest) | {self.entry}
        for x in self.blocks:
            out = []
            for s in dict.fromkeys(self.cfg.blocks[x].successors):
                if s in self.back and x in loops[s].blocks:
                    self.back[s].append(x)
                elif s in self.inside and s != self.entry:
                    out.append(s)
            self.succ[x] = out
        self.pre: dict[str, list[str]] = {x: [] for x in self.blocks}
        for x, out in self.succ.items():
            for s in out:
                self.pre[s].append(x)
        roots = {h: [_ROOT] for h in (self.nest or [self.entry])}
        preds = {x: roots.get(x, []) + self.pre[x] for x in self.blocks}
        self.idom = dominators([_ROOT, *self.blocks], preds | {_ROOT: []})
        # A block post-dominates its dominator if every path from there comes by.
        self.must: dict[str, set[str]] = {}
        for x in reversed(self.blocks):
            edges = self.cfg.blocks[x].successors
            inner = self.succ[x]
            sets = [self.must[s] for s in inner]
            leaves = len(set(edges)) > len(inner) or not edges
            common = set.intersection(*sets) if sets and not leaves else set()
            self.must[x] = common | {x}
        self.level = {}
        for x in self.blocks:
            self.level[x] = max((k for k, h in enumerate(self.nest) if x in loops[h].blocks), default=0)
        self.heads = heads

    def _reaches(self, a: str, b: str) -> bool:
        seen, work = {a}, [a]
        while work:
            x = work.pop()
            if x == b:
                return True
            for s in self.succ[x]:
                if s not in seen:
                    seen.add(s)
                    work.append(s)
        return False

    # Conditions ---------------------------------------------------------------

    def _branch(self, x: str, target: str | None) -> int:
        """Condition that the branch at the end of x goes to `target`."""
        t = self.cfg.blocks[x].terminator
        b = self.b
        if t.op == "br" and len(t.labels) == 2 and t.labels[0] != t.labels[1]:
            c = self.value(t.args[0], t.loc)
            return c if target == t.labels[0] else b.not_(c)
        if t.op == "switch":
            v = self.value(t.args[0], t.loc)
            w = b.width(v)
            hits = [
                b.binary("eq", v, b.const(c, w))
                for c, lab in zip(t.cases, t.labels[1:], strict=True)
                if lab == target
            ]
            if target == t.labels[0]:
                other = [
                    b.binary("eq", v, b.const(c, w))
                    for c, lab in zip(t.cases, t.labels[1:], strict=True)
                    if lab != target
                ]
                return b.not_(b.any_(other))
            return b.any_(hits)
        return b.const(1, 1)

    def _edge(self, x: str, target: str | None) -> int:
        return self.b.and_(self.pred[x], self._branch(x, target))

    def _relative(self, top: str, x: str) -> int:
        """Condition that control comes to x, given that it is at `top`, which dominates x."""
        if x == top or (top != _ROOT and x in self.must[top]):
            return self.b.const(1, 1)
        if top == _ROOT:
            return self.pred[x]
        key = (top, x)
        if key not in self.rel:
            d = self.idom[x]
            if d != top and x in self.must.get(d, ()):
                self.rel[key] = self._relative(top, d)
            else:
                self.rel[key] = self.b.any_(
                    [self.b.and_(self._relative(top, p), self._branch(p, x)) for p in self.pre[x]]
                )
        return self.rel[key]

    def _predicate(self, x: str) -> int:
        b = self.b
        if not self.nest:
            if x == self.entry:
                return b.const(1, 1)
        elif x in self.nest:
            k = self.nest.index(x)
            before = self.first[k + 1] if k + 1 < len(self.nest) else b.const(1, 1)
            nest = self.nest
            if all(nest[j] in self.must[nest[j - 1]] for j in range(1, k + 1)):
                return before  # started at this loop or outside it
            here = b.and_(before, b.not_(self.first[k]))
            return b.any_([here, *(self._edge(p, x) for p in self.pre[x])])
        d = self.idom[x]
        if d != _ROOT and x in self.must[d]:
            return self.pred[d]
        return b.any_([self._edge(p, x) for p in self.pre[x]])

    # Blocks ---------------------------------------------------------------

    def run(self) -> RegionGraph:
        b = self.b
        self.first = [b.const(0, 1)]
        for k in range(1, len(self.nest)):
            self.first.append(b.phi(b.const(1, 1), f"first{k}"))
        for k, h in enumerate(self.nest):
            if k == 0:
                self._outer_phis(h)
        leaves: list[Leave] = []
        for x in self.blocks:
            block = self.cfg.blocks[x]
            b.loc = None
            self.pred[x] = self._predicate(x)
            self._phis(block)
            hold = self._hold_level(x)
            for i in block.instrs[:-1]:
                if i.op != "phi":
                    b.loc = i.loc
                    self._instruction(i, x, hold)
            b.loc = block.terminator.loc
            t = block.terminator
            if t.op in ("ret", "unreachable"):
                if t.args:
                    raise SourceError(
                        "the function must return void", t.loc, "write results to a stream"
                    )
                leaves.append(Leave(x, None, self.pred[x], t.loc))
                continue
            for s in dict.fromkeys(block.successors):
                if s not in self.succ[x] and x not in self.back.get(s, ()):
                    leaves.append(Leave(x, s, self._edge(x, s), t.loc))
        if self.nest:
            self._close()
        exit_ = b.any_([e.condition for e in leaves]) if self.nest else None
        return RegionGraph(b, self.val, leaves, exit_, self._edge_value)

    def _edge_value(self, target: str, v: Value, bits: int) -> int:
        return self.value(v, None, bits)

    def _outer_phis(self, header: str) -> None:
        """Registers of the region's own loop; their initial value comes from outside."""
        for i in self.cfg.blocks[header].instrs:
            if i.op != "phi":
                break
            bits = self.env.widths[i.name]
            outside = {
                v
                for v, p in zip(i.args, i.labels, strict=True)
                if p in self.cfg.blocks and p not in self.cfg.loops[header].blocks
            } - {Undef()}
            self.b.loc = i.loc
            if not outside:
                init = self.b.const(0, bits)
            elif len(outside) == 1:
                init = self.value(outside.pop(), i.loc, bits)
            else:
                init = self.b.var(self.env.variable(i.name, bits), bits)
            self.val[i.name] = self.regs[i.name] = self.b.phi(init, i.name)

    def _phis(self, block: Block) -> None:
        b = self.b
        new: dict[str, int] = {}
        for i in block.instrs:
            if i.op != "phi":
                break
            if i.name in self.regs:
                continue
            b.loc = i.loc
            bits = self.env.widths[i.name]
            x = block.name
            if x == self.entry and not self.nest:
                new[i.name] = b.var(self.env.variable(i.name, bits), bits)
                continue
            got = self._join(i, x, bits)
            if x in self.nest:
                k = self.nest.index(x)
                if b.is_leaf(got):  # starts the same every time: the register goes back to it
                    self.reset[i.name] = got
                    got = self.regs[i.name] = b.phi(got, i.name)
                else:
                    reg = self.regs[i.name] = b.phi(b.const(0, bits), i.name)
                    got = b.select(self.first[k], got, reg)
            new[i.name] = b.name(got, i.name)
        self.val |= new

    def _join(self, i: Instr, x: str, bits: int, preds: Sequence[str] | None = None) -> int:
        """Selects among the values that a phi gets along forward edges (or along those of `preds`)."""
        b = self.b
        forward = preds is None
        sources = self.pre[x] if preds is None else list(preds)
        incoming = {p: v for v, p in zip(i.args, i.labels, strict=True)}
        groups: dict[int, list[str]] = {}
        for p in sources:
            v = incoming[p]
            if not isinstance(v, Undef):
                groups.setdefault(self.value(v, i.loc, bits), []).append(p)
        if not groups:
            return b.const(0, bits)
        items = sorted(groups.items(), key=lambda g: self.cfg.number[g[1][-1]])
        result = items[-1][0]
        top = self.idom[x] if forward and x not in self.nest else _ROOT
        for node, ps in reversed(items[:-1]):
            if top == _ROOT:
                cond = b.any_([self._edge(p, x) for p in ps])
            else:
                cond = b.any_([b.and_(self._relative(top, p), self._branch(p, x)) for p in ps])
            result = b.select(cond, node, result)
        return result

    def _hold_level(self, x: str) -> int | None:
        """k if x stands before loop k of the nest, so that its loads and reads must be held."""
        k = self.level[x] + 1
        if self.nest and k < len(self.nest) and self._reaches(x, self.nest[k]):
            return k
        return None

    def _close(self) -> None:
        """Next values of all registers."""
        b = self.b
        b.loc = None
        ends = [
            b.any_([self._edge(latch, h) for latch in self.back[h]]) for h in self.nest
        ]  # per level: this iteration ended by that back edge
        for k in range(1, len(self.nest)):
            # In the iteration that leaves the region the flag does not matter.
            b.close(self.first[k], b.not_(b.any_(ends[k:])))
        for k, h in enumerate(self.nest):
            deeper = b.any_(ends[k + 1 :])
            for i in self.cfg.blocks[h].instrs:
                if i.op != "phi":
                    break
                bits = self.env.widths[i.name]
                got = self._join(i, h, bits, self.back[h])
                if i.name in self.reset:
                    got = b.select(ends[k], got, self.reset[i.name])
                b.close(self.regs[i.name], b.select(deeper, self.val[i.name], got))
        for reg, now in self.held:
            b.close(reg, now)

    # Instructions ---------------------------------------------------------------

    def _instruction(self, i: Instr, x: str, hold: int | None) -> None:
        b = self.b
        if i.op == "store":
            self.store(i, x)
            return
        if i.op == "fill":
            self.fill(i, x)
            return
        if i.op == "load":
            got = self.load(i)
        elif i.op == "call":
            done = self.call(i, x)
            if done is None:
                return
            got = done
        else:
            self.val[i.name] = b.name(self.compute(i), i.name)
            return
        if hold is not None:
            reg = b.phi(b.const(0, b.width(got)), i.name)
            got = b.select(self.first[hold], got, reg)
            self.held.append((reg, got))
        self.val[i.name] = got


def convert(
    env: Environment, blocks: Sequence[str], entry: str, nest: Sequence[str] = ()
) -> RegionGraph:
    """The blocks as one graph; `nest` names the headers of the loops that it iterates, outermost first
    (empty: a block that runs once)."""
    return _Converter(env, blocks, entry, nest).run()
