# SPDX-License-Identifier: Apache-2.0
"""How tests write designs directly in hlsc's IR: values with operators, regions, processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hlsc.ir import Arg, Channel, Design, Loc, Memory, Node, Port, Process, Region

COMPARES = "eq ne ult ule ugt uge slt sle sgt sge".split()


@dataclass(frozen=True)
class V:
    """A value: node `i` of region `r`, with operators (unsigned comparison, logical right shift)."""

    r: R
    i: int
    width: int

    def _to(self, other: V | int) -> V:
        return other if isinstance(other, V) else self.r.const(other % (1 << self.width), self.width)

    def op(self, op: str, other: V | int, name: str = "") -> V:
        width = 1 if op in COMPARES else self.width
        return self.r.node(op, width, self, self._to(other), name=name)

    def __add__(self, o: V | int) -> V:
        return self.op("add", o)

    def __sub__(self, o: V | int) -> V:
        return self.op("sub", o)

    def __mul__(self, o: V | int) -> V:
        return self.op("mul", o)

    def __and__(self, o: V | int) -> V:
        return self.op("and", o)

    def __or__(self, o: V | int) -> V:
        return self.op("or", o)

    def __xor__(self, o: V | int) -> V:
        return self.op("xor", o)

    def __invert__(self) -> V:
        return self ^ ((1 << self.width) - 1)

    def sext(self, width: int) -> V:
        return self if width == self.width else self.r.node("sext", width, self)

    def zext(self, width: int) -> V:
        return self if width == self.width else self.r.node("zext", width, self)

    def trunc(self, width: int) -> V:
        return self if width == self.width else self.r.node("trunc", width, self)

    def bits(self, low: int, width: int) -> V:
        return self.r.node("extract", width, self, value=low)


class R:
    """A region under construction."""

    def __init__(self, name: str, **attributes: object) -> None:
        self.name, self.attributes = name, attributes
        self.nodes: list[Node] = []
        self.nexts: dict[int, int] = {}
        self.exit: int | None = None
        self.liveouts: dict[str, int] = {}
        self.successors: list[tuple[int | None, str | None]] = []

    def node(
        self,
        op: str,
        width: int,
        *args: V,
        value: int | None = None,
        ref: str | None = None,
        pred: V | None = None,
        name: str = "",
    ) -> V:
        i = len(self.nodes)
        ids = tuple(a.i for a in args)
        p = None if pred is None else pred.i
        self.nodes.append(Node(i, op, width, ids, value, ref, p, name, Loc("hand.cpp", i + 1)))
        return V(self, i, width)

    def const(self, value: int, width: int) -> V:
        return self.node("const", width, value=value % (1 << width))

    def var(self, name: str, width: int) -> V:
        return self.node("var", width, ref=name)

    def arg(self, name: str, width: int) -> V:
        return self.node("arg", width, ref=name)

    def phi(self, init: V, name: str = "") -> V:
        return self.node("phi", init.width, init, name=name)

    def set_next(self, phi: V, following: V) -> None:
        self.nexts[phi.i] = following.i

    def select(self, c: V, one: V, zero: V | int) -> V:
        return self.node("select", one.width, c, one, one._to(zero))

    def concat(self, *parts: V) -> V:
        return self.node("concat", sum(p.width for p in parts), *parts)

    def load(self, memory: str, address: V, width: int, name: str = "") -> V:
        return self.node("load", width, address, ref=memory, name=name)

    def store(self, memory: str, address: V, data: V, pred: V | None = None) -> V:
        return self.node("store", 0, address, data, ref=memory, pred=pred)

    def read(self, channel: str, width: int, pred: V | None = None, name: str = "") -> V:
        return self.node("read", width, ref=channel, pred=pred, name=name)

    def write(self, channel: str, data: V, pred: V | None = None) -> V:
        return self.node("write", 0, data, ref=channel, pred=pred)

    def out(self, port: str, data: V, pred: V | None = None) -> V:
        return self.node("out", 0, data, ref=port, pred=pred)

    def live(self, **values: V) -> None:
        self.liveouts.update({k: v.i for k, v in values.items()})

    def go(self, target: str | None, cond: V | None = None) -> None:
        self.successors.append((None if cond is None else cond.i, target))

    def build(self) -> Region:
        nodes = tuple(
            n if n.op != "phi" else Node(n.id, "phi", n.width, (n.args[0], self.nexts[n.id]),
                                         name=n.name, loc=n.loc)
            for n in self.nodes
        )  # fmt: skip
        if not self.successors:
            self.go(None)
        return Region(
            self.name,
            nodes,
            self.exit,
            self.liveouts,
            tuple(self.successors),
            loc=Loc("hand.cpp", 1),
            **self.attributes,  # type: ignore[arg-type]
        )


def counted(r: R, trips: V, name: str = "i") -> tuple[V, V]:
    """Counter and "this iteration runs" of a loop of `trips` iterations, tested at its head."""
    i = r.phi(r.const(0, trips.width), name)
    r.set_next(i, i + 1)
    runs = i.op("ult", trips)
    r.exit = (~runs).i
    return i, runs


def design(
    top: str,
    processes: Sequence[Process],
    ins: dict[str, int],
    outs: dict[str, int],
    args: dict[str, int] | None = None,
    results: dict[str, int] | None = None,
    channels: Sequence[Channel] = (),
    **more: object,
) -> Design:
    """A design with stream ports `ins`, `outs` (name → width), ap_none scalars and ap_vld results."""
    first = {n: p.name for p in processes for r in p.regions for x in r.nodes if (n := x.ref)
             and x.op in {"read", "empty"}}  # fmt: skip
    last = {n: p.name for p in processes for r in p.regions for x in r.nodes if (n := x.ref)
            and x.op == "write"}  # fmt: skip
    ports = [Port(n, "axis", "in", w) for n, w in ins.items()]
    ports += [Port(n, "axis", "out", w) for n, w in outs.items()]
    ports += [Port(n, "ap_none", "in", w) for n, w in (args or {}).items()]
    ports += [Port(n, "ap_vld", "out", w) for n, w in (results or {}).items()]
    links = [Channel(n, w, consumer=first[n]) for n, w in ins.items()]
    links += [Channel(n, w, producer=last[n]) for n, w in outs.items()]
    return Design(top, tuple(ports), tuple(processes), (*links, *channels), **more).validate()  # type: ignore[arg-type]


def process(
    name: str,
    regions: Sequence[R],
    args: dict[str, int] | None = None,
    memories: Sequence[Memory] = (),
    **variables: int,
) -> Process:
    arguments = tuple(Arg(n, w, n) for n, w in (args or {}).items())
    return Process(name, tuple(r.build() for r in regions), arguments, variables, tuple(memories))
