# SPDX-License-Identifier: Apache-2.0
"""Narrow every operation to the bits that its values need and its users look at.

C++ computes in int and the IR in bytes; hardware pays per bit.  A node keeps its low k bits, where k is
the smaller of what its range needs (`ranges`) and what is demanded of it; a value whose users look
above bit k is extended again, which is wires.  Variables, phis and memories shrink with what they hold.
The pass can be switched off (`Options.widths`); tests run both ways.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hlsc.ir import COMPARE, Design, Memory, Node, Process, Region
from hlsc.middle.graph import Builder
from hlsc.middle.intervals import Range
from hlsc.middle.ranges import ProcessRanges
from hlsc.middle.simplify import dead_code, rebuild

__all__ = ["narrow_banks", "narrow_widths"]

_LOW_BITS = frozenset("add sub mul and or xor select phi".split())
"""Operations whose low k result bits depend on the low k bits of their operands only."""


_CANONICAL = frozenset("eq ult slt".split())  # what `Builder` makes of every comparison


class _Demand:
    """How many low bits of each node, variable and memory anybody looks at."""

    def __init__(self, process: Process) -> None:
        self.variables = dict.fromkeys(process.variables, 0)
        self.memories = {m.name: m.width if m.external else 0 for m in process.memories}
        self.nodes: dict[str, dict[int, int]] = {r.name: {} for r in process.regions}
        regions = process.regions
        changed = True
        while changed:
            before = (dict(self.variables), dict(self.memories))
            for r in regions:
                self._region(r)
            changed = before != (self.variables, self.memories)

    def _region(self, r: Region) -> None:
        need = self.nodes[r.name]
        nodes = r.by_id()

        def ask(i: int, bits: int) -> bool:
            bits = min(bits, nodes[i].width)
            if bits > need.get(i, 0):
                need[i] = bits
                return True
            return False

        if r.exit is not None:
            ask(r.exit, 1)
        for c, _ in r.successors:
            if c is not None:
                ask(c, 1)
        for v, i in r.liveouts.items():
            ask(i, self.variables[v])
        again = True
        while again:
            again = False
            for n in reversed(r.nodes):
                again |= self._node(n, nodes, need, ask)

    def _node(self, n: Node, nodes: dict[int, Node], need: dict[int, int], ask) -> bool:  # type: ignore[no-untyped-def]
        if n.pred is not None:
            ask(n.pred, 1)
        d = need.get(n.id, 0)
        if n.op == "store":
            ask(n.args[0], 64)
            ask(n.args[1], self.memories[n.ref or ""])
            return False
        if n.op in ("write", "out"):
            ask(n.args[0], nodes[n.args[0]].width)
            return False
        if d == 0:
            return False
        if n.op == "phi":
            ask(n.args[0], d)
            return ask(n.args[1], d)
        if n.op == "var":
            v = n.ref or ""
            self.variables[v] = max(self.variables[v], d)
        elif n.op == "load":
            ask(n.args[0], 64)
            self.memories[n.ref or ""] = max(self.memories[n.ref or ""], d)
        elif n.op in ("add", "sub", "mul", "xor", "or", "and"):
            for x, y in (n.args, n.args[::-1]):
                bits = d
                other = nodes[y]
                if n.op == "and" and other.op == "const":
                    bits = min(d, (other.value or 0).bit_length())
                ask(x, bits)
        elif n.op == "select":
            ask(n.args[0], 1)
            ask(n.args[1], d)
            ask(n.args[2], d)
        elif n.op in ("zext", "sext", "trunc"):
            ask(n.args[0], d)
        elif n.op == "extract":
            ask(n.args[0], (n.value or 0) + d)
        elif n.op == "concat":
            at = 0
            for x in reversed(n.args):
                if d > at:
                    ask(x, d - at)
                at += nodes[x].width
        elif n.op == "shl":
            ask(n.args[0], d)
            ask(n.args[1], nodes[n.args[1]].width)
        else:
            for x in n.args:
                ask(x, nodes[x].width)
        return False


@dataclass(frozen=True)
class _Shape:
    """A value kept in `bits` bits; `sign`: sign extension restores it, else zero extension does (or
    nobody looks above)."""

    bits: int
    sign: bool = False


def _shape(r: Range, demanded: int, width: int) -> _Shape:
    options = [_Shape(width)]
    if demanded < width:
        options.append(_Shape(max(1, demanded)))
    options += [_Shape(r.unsigned_bits), _Shape(r.signed_bits, True)]
    return min(options, key=lambda s: (s.bits, s.sign))


def narrow_banks(design: Design) -> Design:
    """Arrays between processes as wide as what is stored in them, or as anybody looks at."""
    stored: dict[str, Range] = {}
    demanded: dict[str, int] = {}
    between = {b.name: b for b in design.buffers}
    for p in design.processes:
        banks = {m.name: m.external for m in p.memories if m.external in between}
        if not banks:
            continue
        ranges, demand = ProcessRanges(p), _Demand(p)
        for r in p.regions:
            for n in (n for n in r.nodes if n.ref in banks):
                bank = banks[n.ref or ""] or ""
                if n.op == "store":
                    new = ranges.of(r.name, n.args[1])
                    stored[bank] = stored[bank].join(new) if bank in stored else new
                elif n.op == "load":
                    most = max(demanded.get(bank, 0), demand.nodes[r.name].get(n.id, 0))
                    demanded[bank] = most
    shapes = {bank: _shape(r, demanded.get(bank, 0), between[bank].width) for bank, r in stored.items()}
    return replace(
        design,
        processes=tuple(narrow_widths(p, shapes) for p in design.processes),
        buffers=tuple(
            replace(b, width=shapes[b.name].bits) if b.name in shapes else b for b in design.buffers
        ),
    )


def narrow_widths(process: Process, banks: Mapping[str, _Shape] | None = None) -> Process:
    """One round of narrowing; simplification afterwards may make room for another.

    `banks`: shapes of memories outside, by the name they have there; else those keep theirs.
    """
    if any(n.op in COMPARE - _CANONICAL for r in process.regions for n in r.nodes):
        process = replace(process, regions=tuple(rebuild(r) for r in process.regions))
    ranges = ProcessRanges(process)
    demand = _Demand(process)
    variables = {
        v: _shape(ranges.variables[v], demand.variables[v], w) for v, w in process.variables.items()
    }
    memories = {
        m.name: (banks or {}).get(m.external, _Shape(m.width))
        if m.external is not None
        else _shape(ranges.memories[m.name], demand.memories[m.name], m.width)
        for m in process.memories
    }
    shadows: dict[tuple[str, int], str] = {}  # (variable, bits) → the variable cut for a phi's start
    narrowed = [
        _Narrow(process, r, ranges, demand, variables, memories, shadows) for r in process.regions
    ]
    built = [n.run() for n in narrowed]
    widths = {v: s.bits for v, s in variables.items()}
    regions = []
    for n, r in zip(narrowed, built, strict=True):
        liveouts = dict(r.liveouts)
        nodes = n.b.nodes
        for (v, bits), name in sorted(shadows.items()):
            widths[name] = bits
            if v in liveouts:
                value = n.liveout_source[v]
                liveouts[name] = n.b.resize(value, bits, variables[v].sign)
        regions.append(dead_code(replace(r, nodes=tuple(nodes), liveouts=liveouts)))
    return replace(
        process,
        regions=tuple(regions),
        variables=widths,
        memories=tuple(_memory(m, memories[m.name]) for m in process.memories),
    )


def _memory(m: Memory, s: _Shape) -> Memory:
    mask = (1 << s.bits) - 1
    init, start = (None if t is None else tuple(x & mask for x in t) for t in (m.init, m.start))
    return replace(m, width=s.bits, init=init, start=start)


class _Narrow:
    def __init__(
        self,
        process: Process,
        region: Region,
        ranges: ProcessRanges,
        demand: _Demand,
        variables: dict[str, _Shape],
        memories: dict[str, _Shape],
        shadows: dict[tuple[str, int], str],
    ) -> None:
        self.process, self.region = process, region
        self.range = ranges.regions[region.name].range
        self.need = demand.nodes[region.name]
        self.variables, self.memories, self.shadows = variables, memories, shadows
        self.b = Builder()
        self.new: dict[int, int] = {}  # old id → node of the full width
        self.nodes = region.by_id()
        self.liveout_source: dict[str, int] = {}

    def run(self) -> Region:
        b, r = self.b, self.region
        phis: list[tuple[Node, int]] = []
        for n in r.nodes:
            b.loc = n.loc
            if n.op == "phi":
                s = _shape(self.range[n.id], self.need.get(n.id, 0), n.width)
                init = self._start(self.nodes[n.args[0]], s)
                got = b.phi(init, n.name)
                phis.append((n, got))
                # An argument as start keeps its width: extend from what the phi really has.
                self.new[n.id] = b.resize(got, n.width, s.sign and b.width(got) == s.bits)
            else:
                self.new[n.id] = self._node(n)
        for n, got in phis:
            b.close(got, b.trunc(self.new[n.args[1]], b.width(got)))
        liveouts = {}
        for v, i in r.liveouts.items():
            self.liveout_source[v] = self.new[i]
            liveouts[v] = b.trunc(self.new[i], self.variables[v].bits)
        return replace(
            r,
            nodes=(),
            exit=None if r.exit is None else self.new[r.exit],
            liveouts=liveouts,
            successors=tuple((None if c is None else self.new[c], t) for c, t in r.successors),
        )

    def _start(self, init: Node, s: _Shape) -> int:
        """A leaf of the phi's width."""
        b = self.b
        if init.op == "const":
            return b.const(init.value or 0, s.bits)
        if init.op == "arg":
            return b.arg(init.ref or "", init.width)
        v = init.ref or ""
        if self.variables[v].bits == s.bits:
            return b.var(v, s.bits)
        key = (v, s.bits)
        if key not in self.shadows:
            name, k = f"{v}.{s.bits}", 0
            while name in self.process.variables or name in self.shadows.values():
                k += 1
                name = f"{v}.{s.bits}.{k}"
            self.shadows[key] = name
        return b.var(self.shadows[key], s.bits)

    def _node(self, n: Node) -> int:
        b = self.b
        if n.op == "var":
            s = self.variables[n.ref or ""]
            return b.resize(b.var(n.ref or "", s.bits), n.width, s.sign)
        if n.op == "load":
            s = self.memories[n.ref or ""]
            got = b.add("load", s.bits, (self.new[n.args[0]],), ref=n.ref, name=n.name)
            return b.resize(got, n.width, s.sign)
        args = [self.new[a] for a in n.args]
        pred = None if n.pred is None else self.new[n.pred]
        if n.op == "store":
            data = b.trunc(args[1], self.memories[n.ref or ""].bits)
            return b.add("store", 0, (args[0], data), ref=n.ref, pred=pred, name=n.name)
        if n.width == 0 or n.op in ("const", "arg", "read", "empty"):
            return b.copy(n, args, pred)
        r = self.range[n.id]
        c = r.constant if r.constant is not None else None
        if c is not None:
            return b.const(c, n.width)
        if n.op in COMPARE:
            return b.name(self._compare(n, args), n.name)
        s = _shape(r, self.need.get(n.id, 0), n.width)
        if n.op in _LOW_BITS and s.bits < n.width:
            if n.op == "select":
                small = b.select(args[0], b.trunc(args[1], s.bits), b.trunc(args[2], s.bits))
            else:
                small = b.binary(n.op, b.trunc(args[0], s.bits), b.trunc(args[1], s.bits))
            return b.resize(b.name(small, n.name), n.width, s.sign)
        if n.op in ("lshr", "ashr", "udiv", "urem", "sdiv", "srem", "shl"):
            return b.name(self._shift_or_divide(n, args), n.name)
        return b.copy(n, args, pred)

    def _compare(self, n: Node, args: list[int]) -> int:
        x, y = (self.range[a] for a in n.args)
        unsigned, sign = max(x.unsigned_bits, y.unsigned_bits), max(x.signed_bits, y.signed_bits)
        op, bits = n.op, self.nodes[n.args[0]].width
        if op == "eq":
            bits = min(bits, unsigned, sign)
        elif op == "ult":
            bits = min(bits, unsigned)
        elif x.slo >= 0 and y.slo >= 0 and unsigned < bits:
            op, bits = "ult", unsigned
        else:
            bits = min(bits, sign)
        return self.b.binary(op, *(self.b.trunc(a, bits) for a in args))

    def _shift_or_divide(self, n: Node, args: list[int]) -> int:
        """Operands at the width that their ranges need."""
        b, w = self.b, n.width
        x, y = (self.range[a] for a in n.args)
        op = n.op
        if op in ("sdiv", "srem", "ashr") and x.slo >= 0 and (op == "ashr" or y.slo >= 0):
            op = {"sdiv": "udiv", "srem": "urem", "ashr": "lshr"}[op]
        if op == "shl":
            bits = max(_shape(self.range[n.id], self.need.get(n.id, 0), w).bits, y.unsigned_bits)
            sign = self.range[n.id].signed_bits <= bits < self.range[n.id].unsigned_bits
        elif op in ("lshr", "udiv", "urem"):
            bits, sign = max(x.unsigned_bits, y.unsigned_bits), False
            if op in ("udiv", "urem") and y.lo == 0:
                bits = w  # a division by zero gives all ones of its width
        elif op == "ashr":
            bits, sign = max(x.signed_bits, y.unsigned_bits), True
        else:
            # One bit more: the quotient of the smallest number by −1.
            bits, sign = max(x.signed_bits, y.signed_bits) + 1, True
            if y.slo <= 0 <= y.shi:
                bits = w
        if bits >= w:
            return b.binary(op, *args)
        return b.resize(b.binary(op, *(b.trunc(a, bits) for a in args)), w, sign)
