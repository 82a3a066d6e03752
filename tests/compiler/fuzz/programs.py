# SPDX-License-Identifier: Apache-2.0
"""Random programs with their arguments and stimuli: one process, or processes joined by FIFOs or, in a
DATAFLOW loop, by arrays."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from fuzz.bodies import Bodies, Place, Port
from fuzz.case import Argument, Case, Stimulus
from fuzz.expressions import Helper, Scope
from fuzz.statements import (
    Array,
    Assign,
    Block,
    Declare,
    For,
    Function,
    Program,
    Run,
    Stmt,
    Structure,
    Text,
)
from fuzz.tiles import tiles
from fuzz.tree import (
    INT,
    Expr,
    Type,
    Var,
    cast,
)

__all__ = ["Sample", "sample"]

CLOCKS = (2.5, 3.3, 4.0, 5.0, 6.7, 10.0, 10.0, 20.0)
WORDS = 400  # offered to each input stream: more than any program takes


@dataclass(frozen=True)
class Sample:
    """A random program as a tree, with everything else that makes it a case."""

    program: Program
    arguments: tuple[Argument, ...]
    stimuli: tuple[Stimulus, ...]
    clock_ns: float

    @property
    def case(self) -> Case:
        p = self.program
        return Case(p.name, str(p), self.arguments, self.stimuli, self.clock_ns)


def sample(seed: int, number: int, runs: int = 3, room: int = 16) -> Sample:
    """Program `number` of a seed; the same for every run of the fuzzer.

    `runs`: stimuli; `room`: about how many statements a body has.
    """
    draw = random.Random(f"{seed} {number}")
    make = _Programs(draw, f"fuzz_{seed}_{number}", room)
    kind = draw.random()
    program = tiles(make) if kind < 0.1 else make.dataflow() if kind < 0.35 else make.single()
    return Sample(program, tuple(make.arguments), make.stimuli(runs), draw.choice(CLOCKS))


class _Programs:
    def __init__(self, draw: random.Random, name: str, room: int) -> None:
        self.draw, self.name, self.room = draw, name, room
        self.b = Bodies(draw, room)
        self.e = self.b.e
        self.arguments: list[Argument] = []
        self.globals: list[Stmt] = []
        self.types: dict[str, Type] = {}

    # ---- arguments

    def port(self, name: str, kind: str) -> Port:
        d = self.draw
        axis = d.random() < 0.35
        t = Type(d.choice((8, 16, 32, 64)), False) if axis else self.e.any_type()
        p = Port(name, t, axis)
        self.arguments.append(Argument(name, kind, p.word, t.width, t.signed, axis))
        self.types[name] = t
        return p

    def scalar(self, name: str, kind: str, t: Type | None = None) -> Var:
        t = t or self.e.any_type()
        self.arguments.append(Argument(name, kind, t.cpp, t.width, t.signed))
        self.types[name] = t
        return Var(t, name if kind == "value" else f"*{name}")

    def memory(self, name: str, kind: str) -> Array:
        a = replace(self.b.array(), name=name, init=(), pragmas=(), fixed=kind == "table")
        t = self.types[name] = a.type
        self.arguments.append(Argument(name, kind, t.cpp, t.width, t.signed, dims=a.dims))
        return a

    def head(self) -> str:
        forms = {"in": "hls::stream<{}>& {}{}", "out": "hls::stream<{}>& {}{}", "value": "{} {}{}",
                 "result": "{}* {}{}", "array": "{} {}{}", "table": "const {} {}{}"}  # fmt: skip
        args = ", ".join(
            forms[a.kind].format(a.type, a.name, "".join(f"[{n}]" for n in a.dims))
            for a in self.arguments
        )
        return f'extern "C" void {self.name}({args})'

    def stimuli(self, runs: int) -> tuple[Stimulus, ...]:
        return tuple(self.stimulus() for _ in range(runs))

    def stimulus(self) -> Stimulus:
        scalars, streams, arrays = {}, {}, {}
        for a in self.arguments:
            t = self.types[a.name]
            mask = (1 << t.width) - 1
            if a.kind == "value":
                scalars[a.name] = self.e.word(t) & mask
            elif a.dims:
                arrays[a.name] = tuple(self.e.word(t) & mask for _ in range(prod(a.dims)))
            elif a.kind == "in":
                words = []
                for k in range(WORDS):
                    last = (k == WORDS - 1 or self.draw.random() < 0.1) if a.axis else False
                    words.append(self.e.word(t) & mask | last << t.width)
                streams[a.name] = tuple(words)
        return Stimulus(scalars, streams, arrays)

    # ---- what programs share

    def scope(self) -> Scope:
        """Tables and helper functions."""
        s = Scope()
        for _ in range(self.draw.choice((0, 0, 1, 2))):
            table = self.b.array(fixed=True)
            self.globals.append(table)
            s.arrays.append(table)
        for _ in range(self.draw.choice((0, 1, 2))):
            s.helpers += self.helper(s)
        return s

    def helper(self, outer: Scope) -> list[Helper]:
        """A pure function; a template has two instantiations."""
        d, b, e = self.draw, self.b, self.e
        name, result = b.fresh("f"), e.ap_type(40)
        kinds = [e.any_type() for _ in range(d.randint(1, 2))]
        template = d.random() < 0.5
        s = Scope(arrays=list(outer.arrays), helpers=list(outer.helpers))
        body: list[Stmt] = []
        if template:
            k = Var(INT, "K")
            s.values.append(k)
            params = [f"const A{i}& p{i}" for i in range(len(kinds))]
            for i, t in enumerate(kinds):
                v = Var(t, b.fresh("v"))
                body.append(Declare(v, cast(t, Var(Type(65, True), f"p{i}"))))
                s.add(v)
            head = f"template <int K, {', '.join(f'class A{i}' for i in range(len(kinds)))}> "
        else:
            params, head = [], "static "
            for i, t in enumerate(kinds):
                params.append(f"{t.cpp} p{i}")
                s.add(Var(t, f"p{i}"))
        body += b.statements(s, Place(copies=6, depth=2, pipelined=True), 3)
        end = b.value(result, s)
        pragmas = d.choice(((), ("INLINE",), ("INLINE off",), ("INLINE off", "PIPELINE")))
        head += f"{result.cpp} {name}({', '.join(params)})"
        self.globals.append(Function(head, (*pragmas, *self.limits()), Block(tuple(body)), end))
        if not template:
            return [Helper(name, result, tuple(kinds))]
        found = []
        for _ in range(2):
            types = tuple(e.ap_type(50) for _ in kinds)
            found.append(Helper(f"{name}<{d.randint(0, 7)}>", result, types))
        return found

    def finished(self, body: Sequence[Stmt], pragmas: tuple[str, ...] = ()) -> Program:
        top = Function(self.head(), (*pragmas, *self.interfaces()), Block(tuple(body)))
        return Program(self.name, (*self.globals, top))

    # ---- one process

    def single(self) -> Program:
        d, b = self.draw, self.b
        s = self.scope()
        reads = tuple(self.port(f"in{k}", "in") for k in range(d.randint(1, 2)))
        writes = tuple(self.port(f"out{k}", "out") for k in range(d.randint(1, 2)))
        for k in range(d.randint(0, 3)):
            s.values.append(self.scalar(f"arg{k}", "value"))
        results = tuple(self.scalar(f"res{k}", "result") for k in range(d.choice((0, 0, 1, 2))))
        memories = [
            self.memory(f"mem{k}", d.choice(("array", "array", "table")))
            for k in range(d.choice((0, 0, 1, 2)))
        ]
        s.arrays += memories
        body: list[Stmt] = [b.read_of(p, s) for p in reads]
        body += self.state(s, d.randint(1, 3), d.randint(0, 3))
        if d.random() < 0.4:
            body.append(self.kept(b.structure(s)))
        place = Place(reads, writes, results, exits=d.random() < 0.5)
        if place.exits:  # what every path behind this leaves undone is done here
            body += self.outcome(s, place, memories)
        for _ in range(d.randint(1, 2)):
            body += b.statements(s, place, 2)
            body += b.loop(s, place)
        body += self.outcome(s, place, memories)
        return self.finished(body, self.limits())

    def outcome(self, s: Scope, p: Place, memories: Sequence[Array]) -> list[Stmt]:
        """Writes every output, and uses every memory, in a way that is of effect whatever follows."""
        b = self.b
        found: list[Stmt] = [b.write_of(x, s) for x in p.writes]
        for a in memories:
            found.append(
                b.write_of(p.writes[0], s, self.e.element(s, a)) if a.fixed else self.mark(s, a)
            )
        return found + [Assign(r, "=", b.value(r.type, s)) for r in p.results]

    def mark(self, s: Scope, a: Array) -> Assign:
        """Stores a constant: what was read before it is no reason to drop it."""
        return Assign(self.e.element(s, a), "=", self.e.constant(a.type))

    def interfaces(self) -> tuple[str, ...]:
        """Pragmas of some scalars; the protocols of the others are the defaults."""
        protocols = {"value": ("ap_none", "s_axilite"), "result": ("ap_none", "ap_vld", "s_axilite")}
        found = [
            f"INTERFACE {self.draw.choice(protocols[a.kind])} port={a.name}"
            for a in self.arguments
            if a.kind in protocols and self.draw.random() < 0.5
        ]
        if self.draw.random() < 0.2:
            found.append("INTERFACE s_axilite port=return")
        return tuple(found)

    def limits(self) -> tuple[str, ...]:
        """A pragma that makes operations of a function share operators, or none."""
        d = self.draw
        if d.random() < 0.8:
            return ()
        ops = d.choice(("mul", "mul", "add", "sub", "shl,lshr,ashr", "udiv,sdiv", "urem,srem"))
        return (f"ALLOCATION operation instances={ops} limit={d.randint(1, 3)}",)

    def state(self, s: Scope, variables: int, arrays: int) -> list[Stmt]:
        found: list[Stmt] = []
        for _ in range(variables):
            found += self.b.declare(s, Place())
        for _ in range(arrays):
            a = self.b.array()
            s.arrays.append(a)
            found.append(a)
        return [self.kept(x) for x in found]

    def kept(self, x: Stmt) -> Stmt:
        """At times static, so that a run finds what the runs before it left."""
        if not isinstance(x, Declare | Array | Structure) or self.draw.random() < 0.8:
            return x
        if isinstance(x, Declare) and self.draw.random() < 0.5:  # else set by the first run
            x = replace(x, value=self.e.constant(x.var.type))
        if isinstance(x, Array) and len(x.init) < prod(x.dims):  # else pragmas may be refused
            x = replace(x, init=())
        return replace(x, static=True)

    # ---- processes

    def dataflow(self) -> Program:
        """A fork of one to three branches of processes, joined again; every process maps n words."""
        d, b = self.draw, self.b
        shared = self.scope()
        source, sink = self.port("in0", "in"), self.port("out0", "out")
        n = self.scalar("n", "value", Type(d.randint(2, 4), False))
        result = self.scalar("res0", "result") if d.random() < 0.5 else None
        memory = self.memory("mem0", "array") if d.random() < 0.3 else None
        branches = d.randint(1, 3)
        body: list[Stmt] = []
        calls: list[Stmt] = []
        as_array = branches > 1 and d.random() < 0.5
        first = self.e.any_type()
        ports = [
            Port(f"fork[{k}]" if as_array else f"fork{k}", first if as_array else self.e.any_type())
            for k in range(branches)
        ]
        if as_array:
            body.append(Text(f"hls::stream<{first.cpp}> fork[{branches}];"))
            if d.random() < 0.7:
                body.append(Text(f"#pragma HLS STREAM variable=fork depth={d.randint(1, 5)}"))
        else:
            for p in ports:
                body += self.channel(p)
        calls.append(self.process(shared, (source,), tuple(ports), n))
        ends = []
        for p in ports:
            for _ in range(d.randint(0, 2)):
                following = Port(b.fresh("s"), self.e.any_type())
                body += self.channel(following)
                calls.append(self.process(shared, (p,), (following,), n))
                p = following
            ends.append(p)
        calls.append(self.process(shared, tuple(ends), (sink,), n, result, memory))
        return self.finished([*body, *calls], ("DATAFLOW",))

    def channel(self, p: Port) -> list[Stmt]:
        d = self.draw
        found: list[Stmt] = [Text(f'hls::stream<{p.type.cpp}> {p.name}("{p.name}");')]
        if d.random() < 0.6:
            found.append(Text(f"#pragma HLS STREAM variable={p.name} depth={d.randint(1, 6)}"))
        return found

    def process(
        self,
        shared: Scope,
        reads: tuple[Port, ...],
        writes: tuple[Port, ...],
        n: Var,
        result: Var | None = None,
        memory: Array | None = None,
    ) -> Run:
        """A function that takes n words from each of `reads` and gives n to each of `writes`."""
        d, b = self.draw, self.b
        name = b.fresh("process")
        s = shared.inner()
        params = []
        inner = {"r": [], "w": []}  # type: dict[str, list[Port]]
        for way, ports in (("r", reads), ("w", writes)):
            for k, p in enumerate(ports):
                inner[way].append(Port(f"{way}{k}", p.type, p.axis))
                params.append(f"hls::stream<{p.word}>& {way}{k}")
        params.append(f"{n.type.cpp} n")
        names = [p.name for p in (*reads, *writes)]
        if memory is not None:
            s.arrays.append(memory)
        values: tuple[Expr, ...] = (n,)
        state = self.state(s, d.randint(0, 2), d.choice((0, 0, 1)))
        s.values.append(Var(n.type, "n"))
        i = Var(INT, b.fresh("i"))
        most = (1 << n.type.width) - 1
        loop_scope = s.inner()
        loop_scope.loops.append((i, most - 1))
        pipelined = d.random() < 0.7
        place = Place(iterations=most, depth=1, pipelined=pipelined)
        b.room = self.room // 2
        body: list[Stmt] = [b.read_of(p, loop_scope) for p in inner["r"]]
        body += b.statements(loop_scope, place, 4)
        body += [b.write_of(p, loop_scope) for p in inner["w"]]
        pragmas = (f"PIPELINE II={d.choice((1, 1, 2))}",) if pipelined else ()
        loop = For(i, most, Block(tuple(body)), pragmas, 1, Var(n.type, "n"))
        end: list[Stmt] = []
        if memory is not None:
            params.append(memory.declared)
            values = (*values, Var(memory.type, memory.name))
            end.append(self.mark(s, memory))
        if result is not None:
            params.append(f"{result.type.cpp}* result")
            names_after = [result.name.removeprefix("*")]
            end.append(Assign(Var(result.type, "*result"), "=", b.value(result.type, s)))
        else:
            names_after = []
        head = f"static void {name}({', '.join(params)})"
        self.globals.append(Function(head, self.limits(), Block((*state, loop, *end))))
        after = tuple(Var(INT, x) for x in names_after)
        return Run(name, tuple(names), (*values, *after))
