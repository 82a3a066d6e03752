# SPDX-License-Identifier: Apache-2.0
"""Random statements: assignments, stream accesses, branches, loops and arrays with their pragmas."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from fuzz.expressions import Expressions, Scope
from fuzz.statements import (
    Array,
    Assign,
    Block,
    Copy,
    Declare,
    Do,
    For,
    If,
    Leave,
    Read,
    Stmt,
    Structure,
    Write,
)
from fuzz.tree import (
    BOOL,
    INT,
    Bit,
    Call,
    Cast,
    Concat,
    Expr,
    Range,
    Type,
    Var,
    cast,
)

ITERATIONS = 120  # of a statement per run: the product of the loops around it
COPIES = 8  # of a statement in hardware: the product of the unrolled loops around it


@dataclass(frozen=True)
class Port:
    """A stream that can be read or written here; `axis` words are ap_axiu of `type`'s width."""

    name: str
    type: Type
    axis: bool = False

    @property
    def word(self) -> str:
        return f"ap_axiu<{self.type.width}, 1, 1, 1>" if self.axis else self.type.cpp


@dataclass(frozen=True)
class Place:
    """Where statements stand."""

    reads: tuple[Port, ...] = ()
    writes: tuple[Port, ...] = ()
    results: tuple[Var, ...] = ()
    iterations: int = 1
    copies: int = 1
    depth: int = 0  # loops around
    pipelined: bool = False  # loops from here on must unroll
    leave: bool = False  # break and continue are allowed
    exits: bool = False  # and so is return: every output was written once


class Bodies:
    """Statements that share one random source and one supply of names."""

    def __init__(self, draw: random.Random, room: int) -> None:
        self.draw = draw
        self.e = Expressions(draw)
        self.count = 0
        self.room = room  # statements that are still allowed

    def fresh(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}{self.count}"

    def value(self, t: Type, s: Scope, depth: int = 2) -> Expr:
        return self.e.typed(t, s, depth)

    def statements(self, s: Scope, p: Place, most: int) -> tuple[Stmt, ...]:
        """Statements in order; what they declare is added to `s`."""
        found: list[Stmt] = []
        for _ in range(self.draw.randint(1, most)):
            self.room -= 1
            found += self.statement(s, p)
        return tuple(found)

    def statement(self, s: Scope, p: Place) -> list[Stmt]:
        stored = [a for a in s.arrays if not a.fixed]
        can_loop = self.room > 0 and p.depth < 3 and p.iterations < ITERATIONS
        can_loop &= p.copies * 2 <= COPIES if p.pipelined else p.copies <= 4
        choices = (
            (5, True, self.declare),
            (5, bool(s.mutable), self.assign),
            (2, bool(s.mutable), self.part),
            (6, bool(stored), self.store),
            (3, bool(p.reads), self.read),
            (4, bool(p.writes), self.write),
            (3, self.room > 0, self.branch),
            (6 if p.depth == 0 else 3, can_loop, self.loop),
            (3 if p.exits else 1, p.leave, self.leave),
            (1, bool(s.mutable), self.change),
            (1, bool(p.results), self.result),
            (3, bool(s.structures), self.copy),
        )
        allowed = [(w, make) for w, ok, make in choices if ok]
        make = self.draw.choices([m for _, m in allowed], [w for w, _ in allowed])[0]
        return make(s, p)

    # ---- values

    def declare(self, s: Scope, p: Place) -> list[Stmt]:
        v = Var(self.e.any_type(), self.fresh("v"))
        found = Declare(v, self.value(v.type, s))
        s.add(v)
        return [found]

    def assign(self, s: Scope, p: Place) -> list[Stmt]:
        d = self.draw
        v = d.choice(s.mutable)
        if not v.type.c and d.random() < 0.4:
            op = d.choice("+= -= &= |= ^= *= <<= >>=".split())
            value = self.e.any(s, 2)
            if op == "*=" and value.type.width > 25:
                value = Cast(self.e.ap_type(25), value)
            return [Assign(v, op, value)]
        return [Assign(v, "=", self.value(v.type, s))]

    def part(self, s: Scope, p: Place) -> list[Stmt]:
        """Assigns to a range, a bit or a concatenation."""
        d = self.draw
        wide = [v for v in s.mutable if not v.type.c]
        if not wide:
            return self.assign(s, p)
        v = d.choice(wide)
        kind = d.random()
        value = self.e.any(s, 2)
        if kind < 0.3:
            return [Assign(Bit(BOOL, v, self.e.position(s, v.type.width)), "=", cast(BOOL, value))]
        others = [w for w in wide if w.name != v.name and w.type.width + v.type.width <= 64]
        if kind < 0.5 and others:
            o = d.choice(others)
            both = Type(v.type.width + o.type.width, False)
            return [Assign(Concat(both, v, o), "=", cast(both, value))]
        hi, lo = (self.e.position(s, v.type.width) for _ in "hl")
        target = Range(Type(v.type.width, False), v, hi, lo)
        return [Assign(target, "=", value if not value.type.c else cast(v.type, value))]

    def change(self, s: Scope, p: Place) -> list[Stmt]:
        d = self.draw
        wide = [v for v in s.mutable if not v.type.c]
        if not wide:
            return self.declare(s, p)
        v = d.choice(wide)
        n = d.randrange(v.type.width)
        texts = ("++{}", "{}--", "{}.reverse()", f"{{}}.lrotate({n})", f"{{}}.rrotate({n})",
                 "{}.b_not()", f"{{}}.invert({n})", f"{{}}.set({n})", f"{{}}.clear({n})")  # fmt: skip
        return [Do(v, d.choice(texts))]

    def result(self, s: Scope, p: Place) -> list[Stmt]:
        v = self.draw.choice(p.results)
        return [Assign(v, "=", self.value(v.type, s))]

    # ---- arrays and streams

    def array(self, fixed: bool = False) -> Array:
        d = self.draw
        t = self.e.ap_type(40)
        dims = (d.choice((2, 3, 4, 5, 7, 8, 12, 16, 19)),)
        if d.random() < 0.3:
            dims = (d.randint(2, 4), d.randint(2, 6))
        words = dims[0] * (dims[1] if len(dims) > 1 else 1)
        init = tuple(self.e.word(t) for _ in range(words)) if fixed or d.random() < 0.5 else ()
        if not fixed and d.random() < 0.2:
            init = init[: words // 2]
        name = self.fresh("t" if fixed else "a")
        return Array(name, t, dims, init, () if fixed else self.layout(dims), fixed)

    def structure(self, s: Scope) -> Structure:
        d = self.draw
        members = []
        for k in range(d.randint(1, 3)):
            dims = d.choice(((), (), (2,), (3,), (5,), (4,), (2, 3), (3, 2)))
            members.append((self.e.any_type(), f"m{k}", dims))
        count = d.choice((0, 0, 2, 3, 4))
        form = d.random()
        pragmas = ("ARRAY_PARTITION variable={} complete dim=1",) if count and form < 0.25 else ()
        if count > 2 and form > 0.75:
            pragmas = (f"ARRAY_PARTITION variable={{}} {d.choice(('cyclic', 'block'))} factor=2 dim=1",)
        found = Structure(self.fresh("s"), tuple(members), count, pragmas)
        s.arrays += found.arrays()
        if count:
            s.structures.append(found)
        return found

    def copy(self, s: Scope, p: Place) -> list[Stmt]:
        x = self.draw.choice(s.structures)
        return [Copy(x.name, self.e.index(s, x.count), self.e.index(s, x.count))]

    def layout(self, dims: tuple[int, ...]) -> tuple[str, ...]:
        d = self.draw
        kind, found = d.random(), []
        dim = d.randint(1, len(dims))
        if kind < 0.2:
            found.append("ARRAY_PARTITION variable={} complete dim=" + str(d.choice((0, dim))))
        elif kind < 0.55:
            form = d.choice(("ARRAY_PARTITION", "ARRAY_PARTITION", "ARRAY_RESHAPE"))
            factor = d.randint(2, min(4, dims[dim - 1]))
            found.append(
                f"{form} variable={{}} {d.choice(('cyclic', 'block'))} factor={factor} dim={dim}"
            )
        elif kind < 0.6:
            found.append(f"ARRAY_RESHAPE variable={{}} complete dim={dim}")
        if d.random() < 0.4:
            impl = d.choice(("bram", "lutram"))
            if "complete" not in "".join(found):
                found.append("BIND_STORAGE variable={} type=ram_2p impl=" + impl)
        return tuple(found)

    def store(self, s: Scope, p: Place) -> list[Stmt]:
        d = self.draw
        a = d.choice([a for a in s.arrays if not a.fixed])
        op = d.choice(("=", "=", "=", "+=", "-=", "^=", "<<="))
        target = self.e.element(s, a)
        return [Assign(target, op, self.value(a.type, s) if op == "=" else self.e.any(s, 2))]

    def read(self, s: Scope, p: Place) -> list[Stmt]:
        return [self.read_of(self.draw.choice(p.reads), s)]

    def read_of(self, port: Port, s: Scope) -> Read:
        name = self.fresh("x")
        if port.axis:
            data = Var(Type(port.type.width, False), f"{name}.data")
            s.values += [data, Var(Type(1, False), f"{name}.last")]
            return Read(Var(port.type, name), port.name, port.word)
        v = Var(port.type, name)
        s.add(v)
        return Read(v, port.name)

    def write(self, s: Scope, p: Place) -> list[Stmt]:
        return [self.write_of(self.draw.choice(p.writes), s)]

    def write_of(self, port: Port, s: Scope, value: Expr | None = None) -> Write:
        value = cast(port.type, value) if value else self.value(port.type, s, 3)
        if port.axis:
            value = Call(port.type, f"packed<{port.type.width}>",
                         (value, self.value(Type(1, False), s, 1)))  # fmt: skip
        return Write(port.name, value)

    # ---- control

    def branch(self, s: Scope, p: Place) -> list[Stmt]:
        cond = self.e.condition(s, 2)
        then = Block(self.statements(s.inner(), p, 3))
        other = self.statements(s.inner(), p, 2) if self.draw.random() < 0.5 else ()
        return [If(cond, then, Block(other))]

    def leave(self, s: Scope, p: Place) -> list[Stmt]:
        words = ("break", "break", "continue", *(["return"] * 3 if p.exits else []))
        word = self.draw.choice(words)
        cond = self.e.condition(s, 1)
        if not any(
            isinstance(n, Var) for _, n in cond.walk()
        ):  # clang would see a loop that ends at once
            return []
        return [Leave(cond, word)]

    def loop(self, s: Scope, p: Place) -> list[Stmt]:
        """A loop: pipelined, unrolled, partly unrolled or plain; counted, bounded or data-dependent."""
        d = self.draw
        found: list[Stmt] = []
        most = COPIES // p.copies if p.pipelined else max(2, ITERATIONS // p.iterations)
        trips = d.randint(1, min(most, 6 if p.pipelined else 14))
        var, step, bound, go = Var(INT, self.fresh("i")), 1, None, None
        pragmas: list[str] = []
        kind = d.random()
        unrolled = p.pipelined
        inside = p.pipelined
        if not p.pipelined:
            if kind < 0.4:
                pragmas.append(d.choice(("PIPELINE II=1", "PIPELINE II=1", "PIPELINE", "PIPELINE II=2",
                                         "PIPELINE II=3")))  # fmt: skip
                inside = True
            elif kind < 0.5 and trips * p.copies <= COPIES:
                pragmas.append("UNROLL")
                unrolled = True
            elif kind < 0.6:
                pragmas.append(f"UNROLL factor={d.randint(2, 4)}")
        form = d.random()
        if form < 0.25:
            bits = max(1, trips.bit_length() - 1)
            if not unrolled and pragmas[-1:] != ["UNROLL"]:
                bound = Var(Type(bits, False), self.fresh("n"))
                found.append(Declare(bound, self.value(bound.type, s)))
                trips = (1 << bits) - 1
                if "UNROLL" in "".join(pragmas):
                    pragmas = []
                if d.random() < 0.3:
                    pragmas.append(f"LOOP_TRIPCOUNT min=0 max={trips}")
        elif form < 0.35:
            step = -1
        elif form < 0.45:
            step = d.choice((2, 3))
        elif form < 0.6 and not unrolled and not any("UNROLL" in x for x in pragmas):
            go = self.e.condition(s, 1)
        if step == 1 and d.random() < 0.3:
            var = replace(var, type=Type(trips.bit_length() + d.randrange(2), False))
        if d.random() < 0.1 and not p.pipelined:
            pragmas.append("LOOP_FLATTEN off")
        inner = s.inner()
        inner.loops.append((var, (trips - 1) * abs(step)))
        place = replace(
            p,
            iterations=p.iterations * trips,
            copies=p.copies * (trips if unrolled else 1),
            depth=p.depth + 1,
            pipelined=inside,
            leave=True,
        )
        body: list[Stmt] = []
        if d.random() < 0.15 and p.depth == 0:
            a = replace(self.array(), dims=(d.randint(2, 5),), init=(), pragmas=())
            a = replace(a, pragmas=("ARRAY_PARTITION variable={} complete",))
            inner.arrays.append(a)
            body.append(a)
        body += self.statements(inner, place, 4)
        label = self.fresh("loop") if d.random() < 0.4 else ""
        block = Block(tuple(body))
        return [*found, For(var, trips, block, tuple(pragmas), step, bound, go, label)]
