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
from itertools import product

from hlsc.errors import SourceError
from hlsc.middle.arithmetic import rows_of_adders
from hlsc.middle.cfg import Cfg, dominators
from hlsc.middle.graph import Builder
from hlsc.middle.intrinsics import call_value
from hlsc.middle.llvmtypes import (
    AggregateConst,
    Block,
    Instr,
    IntConst,
    IntType,
    Local,
    Term,
    Undef,
    Value,
)
from hlsc.middle.memories import MemoryMap, access_size

__all__ = ["Environment", "Leave", "RegionGraph", "convert"]

_ROOT = ""  # stands above every place where an iteration can start


@dataclass
class Environment:
    """What a region needs to know of its process."""

    cfg: Cfg
    memories: MemoryMap
    parameters: dict[str, Callable[[Builder], int]]  # scalar parameters
    channel: Callable[[Instr], tuple[str, int]]  # stream call → channel name and width
    output: Callable[[Instr], tuple[str, int] | None]  # store to an output parameter → port and width
    variable: Callable[[str, int], str]  # SSA value kept between regions → variable's name
    widths: dict[str, int]  # bits of every SSA value


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


class _Converter:
    def __init__(
        self, env: Environment, blocks: Sequence[str], entry: str, nest: Sequence[str]
    ) -> None:
        self.env, self.cfg, self.nest = env, env.cfg, list(nest)
        self.blocks = [x for x in self.cfg.order if x in set(blocks)]
        self.inside = set(self.blocks)
        self.entry = entry
        self.b = Builder()
        self.val: dict[str, int] = {}
        self.pred: dict[str, int] = {}
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
            if k == 0 or x in self.must[self.nest[k - 1]]:
                return before  # started at this loop or outside it
            here = b.and_(before, b.not_(self.first[k]))
            return b.any_([here, *(self._edge(p, x) for p in self.pre[x])])
        d = self.idom[x]
        if d != _ROOT and x in self.must[d]:
            return self.pred[d]
        return b.any_([self._edge(p, x) for p in self.pre[x]])

    # Values ---------------------------------------------------------------

    def value(self, v: Value, loc: object = None, bits: int | None = None) -> int:
        """The node of an operand."""
        if isinstance(v, IntConst):
            return self.b.const(v.value, v.bits)
        if isinstance(v, Undef):
            assert bits is not None
            return self.b.const(0, bits)
        if isinstance(v, Local):
            if v.name in self.val:
                return self.val[v.name]
            if v.name in self.env.parameters:
                return self.env.parameters[v.name](self.b)
            bits = self.env.widths[v.name]
            return self.b.var(self.env.variable(v.name, bits), bits)
        raise SourceError(
            f"the operand {v} must be an integer", None, "do not take addresses of functions"
        )

    def term(self, t: Term) -> int:
        return self.value(Local(t.value), None, t.bits)

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
            self._store(i, x)
            return
        if i.op == "fill":
            self._fill(i, x)
            return
        if i.op == "load":
            got = self._load(i)
        elif i.op == "call":
            done = self._call(i, x)
            if done is None:
                return
            got = done
        else:
            self.val[i.name] = b.name(self._compute(i), i.name)
            return
        if hold is not None:
            reg = b.phi(b.const(0, b.width(got)), i.name)
            got = b.select(self.first[hold], got, reg)
            self.held.append((reg, got))
        self.val[i.name] = got

    def _load(self, i: Instr) -> int:
        b = self.b
        assert i.access is not None and isinstance(i.type, IntType)
        if i.access.array not in self.env.memories.arrays:
            raise SourceError(
                f"the argument {i.access.array[1:]} must be a stream or a scalar to be read",
                i.loc,
                "pass arrays through streams",
            )
        parts = []
        memories = self.env.memories
        for plan, dims in memories.places(b, i.access, access_size(i), self.term, i.loc):

            def load(memory: str, address: int, width: int = plan.leaf.bits) -> int:
                return b.add("load", width, (address,), ref=memory, name=i.name)

            word = memories.word(b, plan, dims, load)
            if (port := memories.external.get(i.access.array)) is not None:
                word = b.resize(word, max(i.type.bits, port.width), port.signed)
            parts.append(word)
        return b.resize(b.concat(parts[::-1]), i.type.bits)

    def _store(self, i: Instr, x: str) -> None:
        b = self.b
        assert i.access is not None and isinstance(i.type, IntType)
        data = self.value(i.args[0], i.loc, i.type.bits)
        pred = self.pred[x]
        for v, want in i.guards:
            c = self.value(v, i.loc, 1)
            pred = b.and_(pred, c if want else b.not_(c))
        port = self.env.output(i)
        if port is not None:
            b.add("out", 0, (b.resize(data, port[1]),), ref=port[0], pred=pred)
            return
        at = 0
        memories = self.env.memories
        for plan, dims in memories.places(b, i.access, access_size(i), self.term, i.loc):
            have = max(0, min(plan.leaf.bits, i.type.bits - at))
            word = b.resize(b.extract(data, at, have), plan.leaf.bits)
            at += plan.leaf.bits
            for cond, memory, address in memories.combinations(b, plan, dims):
                p = pred if cond is None else b.and_(pred, cond)
                b.add("store", 0, (address, word), ref=memory, pred=p)

    def _fill(self, i: Instr, x: str) -> None:
        """Word `counter` of every bank of an array gets a repeated byte."""
        b = self.b
        assert i.access is not None and isinstance(i.args[1], IntConst)
        counter = self.value(i.args[0], i.loc, 32)
        for plan in self.env.memories.plans_of(i.access.array):
            size = -(-plan.leaf.bits // 8)
            data = b.const(int.from_bytes(bytes([i.args[1].value]) * size, "little"), plan.leaf.bits)
            pred = b.and_(self.pred[x], b.binary("ult", counter, b.const(plan.depth, 32)))
            address = b.resize(counter, max(1, (plan.depth - 1).bit_length()))
            for bank in product(*(range(s.factor) for s in plan.splits)):
                b.add("store", 0, (address, data), ref=self.env.memories.bank(plan, bank), pred=pred)

    def _call(self, i: Instr, x: str) -> int | None:
        b = self.b
        if i.callee.startswith("hlsc."):
            channel, width = self.env.channel(i)
            kind = i.callee.split(".")[1]
            if kind == "read":
                return b.add("read", width, ref=channel, pred=self.pred[x], name=i.name)
            if kind == "write":
                data = self.value(i.args[0], i.loc, width)
                b.add("write", 0, (data,), ref=channel, pred=self.pred[x])
                return None
            if kind == "empty":
                return b.add("empty", 1, ref=channel, name=i.name)
            raise SourceError(
                f"the operation {i.callee} is not known", i.loc, "use read, write and empty"
            )
        bits = i.type.bits if isinstance(i.type, IntType) else 0
        args = [
            self.value(v, i.loc, getattr(t, "bits", 1))
            for v, t in zip(i.args, i.arg_types, strict=False)
        ]
        return b.name(call_value(b, i, args, bits), i.name)

    def _compute(self, i: Instr) -> int:
        b = self.b
        if i.op == "extractvalue":
            v = i.args[0]
            assert isinstance(v, Local)
            whole = self.val[v.name]  # {value, overflow} as a concat, overflow on top
            w = b.width(whole)
            return b.extract(whole, w - 1, 1) if i.indices[0] else b.extract(whole, 0, w - 1)
        if not isinstance(i.type, IntType) or any(isinstance(v, AggregateConst) for v in i.args):
            raise SourceError(
                f"`{i.op}` of type {i.type} is not supported",
                i.loc,
                "use integers of any width instead",
            )
        w = i.type.bits
        bits = [t.bits if isinstance(t, IntType) else None for t in i.arg_types] or [w]
        args = [self.value(v, i.loc, n) for v, n in zip(i.args, bits, strict=True)]
        match i.op:
            case "zext" | "sext":
                return self._extend(i, args[0], w)
            case "trunc":
                return b.trunc(args[0], w)
            case "freeze" | "bitcast":
                return args[0]
            case "select":
                if isinstance(i.args[1], Undef):
                    return args[2]
                return args[1] if isinstance(i.args[2], Undef) else b.select(*args)
            case "icmp":
                return b.binary(i.predicate, *args)
            case op if op in ("insertvalue", "ptrtoint", "inttoptr"):
                raise SourceError(
                    f"`{op}` is not supported", i.loc, "use integers instead of addresses"
                )
            case "mul" if "fabric" in i.flags:
                return rows_of_adders(b, *args)
            case op:
                return b.binary(op, *args)

    def _extend(self, i: Instr, a: int, w: int) -> int:
        """An extension moves before a sum that cannot overflow, so that chains of sums of growing
        widths become one sum (widths are narrowed again later)."""
        b = self.b
        sign = i.op == "sext"
        v = i.args[0]
        d = self.cfg.definitions.get(v.name) if isinstance(v, Local) else None
        n = b.node(a)
        if d is not None and n.op in ("add", "sub") and ("nsw" if sign else "nuw") in d[1].flags:
            # The node must be this very sum: folding may have merged it with one that does wrap.
            same = [self.value(z, i.loc, n.width) for z in d[1].args]
            if d[1].op == n.op and sorted(same) == sorted(n.args):
                return b.binary(n.op, *(b.resize(z, w, sign) for z in n.args))
        return b.sext(a, w) if sign else b.zext(a, w)


def convert(
    env: Environment, blocks: Sequence[str], entry: str, nest: Sequence[str] = ()
) -> RegionGraph:
    """The blocks as one graph; `nest` names the headers of the loops that it iterates, outermost first
    (empty: a block that runs once)."""
    return _Converter(env, blocks, entry, nest).run()
