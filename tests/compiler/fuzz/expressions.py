# SPDX-License-Identifier: Apache-2.0
"""Random typed expressions over what is in scope, without undefined behaviour by construction."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from fuzz.statements import Array, Structure
from fuzz.tree import (
    BOOL,
    C_TYPES,
    INT,
    Amount,
    Binary,
    Bit,
    Call,
    Cast,
    Concat,
    Const,
    Element,
    Expr,
    Index,
    Method,
    NonZero,
    Range,
    Select,
    Type,
    Unary,
    Var,
    as_ap,
    cast,
    number,
    promoted,
    result_type,
)

WIDTHS = (1, 2, 3, 4, 5, 7, 8, 9, 11, 13, 16, 17, 18, 23, 25, 31, 32, 33, 37, 48, 63, 64)
LIMIT = 72  # bits of an intermediate result


@dataclass
class Helper:
    """A function that expressions may call; `name` with its template arguments."""

    name: str
    type: Type
    args: tuple[Type, ...]


@dataclass
class Scope:
    """What can be read and assigned at a place; `loops` are counters with their largest value."""

    values: list[Var] = field(default_factory=list)
    mutable: list[Var] = field(default_factory=list)
    arrays: list[Array] = field(default_factory=list)
    loops: list[tuple[Var, int]] = field(default_factory=list)
    helpers: list[Helper] = field(default_factory=list)
    structures: list[Structure] = field(default_factory=list)  # arrays of them

    def inner(self) -> Scope:
        return replace(self, **{k: list(v) for k, v in vars(self).items()})

    def add(self, var: Var) -> None:
        self.values.append(var)
        self.mutable.append(var)


class Expressions:
    def __init__(self, draw: random.Random, divisions: int = 2) -> None:
        self.draw = draw
        self.divisions = divisions  # how many more are allowed: they are large
        self.makers: tuple[tuple[int, Callable[[Scope, int], Expr]], ...] = (
            (10, self.arithmetic),
            (5, self.shift),
            (4, self.c_arithmetic),
            (3, self.condition),
            (4, self.select),
            (4, self.part),
            (3, self.concat),
            (2, self.unary),
            (2, self.query),
            (3, self.conversion),
            (1, self.division),
            (2, self.call),
            (2, self.leaf),
        )

    # ---- types and constants

    def ap_type(self, most: int = 64) -> Type:
        d = self.draw
        widths = [w for w in WIDTHS if w <= most]
        width = d.choice(widths) if d.random() < 0.8 else d.randint(1, most)
        return Type(width, d.random() < 0.5)

    def any_type(self) -> Type:
        d = self.draw
        return self.ap_type() if d.random() < 0.8 else d.choice([*C_TYPES.values(), BOOL])

    def constant(self, t: Type) -> Const:
        return Const(t, self.word(t))

    def word(self, t: Type) -> int:
        """A value of type `t`, often one at the edge."""
        d = self.draw
        low = -(1 << t.width - 1) if t.signed else 0
        high = (1 << t.width - t.signed) - 1
        if d.random() < 0.5:
            return d.choice([x for x in (0, 1, -1, 2, 3, low, low + 1, high, high - 1, high // 2)
                             if low <= x <= high])  # fmt: skip
        return d.randint(low, high)

    # ---- expressions

    def typed(self, t: Type, s: Scope, depth: int) -> Expr:
        return cast(t, self.any(s, depth))

    def any(self, s: Scope, depth: int) -> Expr:
        if depth <= 0:
            return self.leaf(s, 0)
        weights = [w for w, _ in self.makers]
        e = self.draw.choices([m for _, m in self.makers], weights)[0](s, depth - 1)
        if e.type.width > LIMIT:
            return Cast(self.ap_type(), e)
        return e

    def leaf(self, s: Scope, depth: int) -> Expr:
        d = self.draw
        kind = d.random()
        if kind < 0.12:
            return self.constant(self.any_type())
        if kind < 0.2 and s.loops:
            return d.choice(s.loops)[0]
        if kind < 0.45 and s.arrays:
            return self.element(s, d.choice(s.arrays))
        if s.values:
            recent = s.values[-6:] if d.random() < 0.6 else s.values
            return d.choice(recent)
        return self.constant(self.any_type())

    def element(self, s: Scope, array: Array) -> Element:
        return Element(array.type, array.name, tuple(self.index(s, n) for n in array.dims))

    def index(self, s: Scope, size: int) -> Expr:
        """In range: an affine function of a loop's counter where one fits, else a clamped value."""
        d = self.draw
        fitting = []
        for var, most in s.loops:
            for mul in (1, 1, 2, -1):
                for add in (0, 0, 1, -1, most, size - 1):
                    ends = (add, mul * most + add)
                    if min(ends) >= 0 and max(ends) < size:
                        fitting.append(Index(INT, var, size, mul, add))
        if fitting and d.random() < 0.75:
            return d.choice(fitting)
        if d.random() < 0.2:
            return Const(INT, d.randrange(size))
        e = self.any(replace(s, arrays=[], helpers=[]), 1)
        return Index(INT, e if e.type.c and e.type != BOOL else as_ap(e), size)

    def arithmetic(self, s: Scope, depth: int) -> Expr:
        d = self.draw
        op = d.choice("+ + - - * & | ^".split())
        a, b = self.any(s, depth), self.any(s, depth)
        if op == "*":
            a, b = (Cast(self.ap_type(25), x) if x.type.width > 25 else x for x in (a, b))
        if a.type.c and b.type.c:
            a = as_ap(a)
        return Binary(result_type(op, a.type, b.type), op, a, b)

    def shift(self, s: Scope, depth: int) -> Expr:
        d = self.draw
        a = self.any(s, depth)
        if a.type.c:
            a = as_ap(a)
        w = a.type.width
        if d.random() < 0.4:
            amounts = (0, 1, 2, 3, w - 1, w, w + 1, 2 * w, 100, -1, -2, -w)
            amount: Expr = Const(INT, d.choice(amounts))
        elif d.random() < 0.7:
            amount = self.typed(self.ap_type(8), s, depth - 1)
        else:
            amount = self.any(s, depth - 1)
        return Binary(a.type, d.choice(("<<", ">>")), a, amount)

    def c_arithmetic(self, s: Scope, depth: int) -> Expr:
        """C's own arithmetic, in types that cannot overflow."""
        d = self.draw
        kind = d.random()
        if kind < 0.2:
            t = d.choice([C_TYPES["uint32_t"], C_TYPES["uint64_t"], INT])
            op = ">>" if t == INT else d.choice(("<<", ">>"))
            u32 = C_TYPES["uint32_t"]
            amount = Amount(u32, self.typed(u32, s, depth), t.width)
            return Binary(t, op, self.typed(t, s, depth), amount)
        names = "uint32_t uint32_t uint64_t int16_t int8_t uint8_t".split()
        ops = "+ - * & | ^".split()
        t = C_TYPES[d.choice(names)]
        a, b = self.typed(t, s, depth), self.typed(t, s, depth)
        if t.width == 64:
            ops.remove("*")
        if kind < 0.27 and self.divisions > 0 and t.width <= 32:
            self.divisions -= 1
            return Binary(promoted(t), d.choice("/%"), a, NonZero(t, b))
        return Binary(promoted(t), d.choice(ops), a, b)

    def condition(self, s: Scope, depth: int) -> Expr:
        d = self.draw
        kind = d.random()
        if kind < 0.15:
            a, b = self.condition(s, depth - 1), self.condition(s, depth - 1)
            return Binary(BOOL, d.choice(("&&", "||")), a, b)
        if kind < 0.22:
            return Unary(BOOL, "!", self.condition(s, depth - 1))
        if kind < 0.3:
            return cast(BOOL, self.any(s, depth))
        a = self.any(s, depth)
        b = self.any(s, depth) if d.random() < 0.6 else self.constant(self.any_type())
        return Binary(BOOL, d.choice("== != < <= > >=".split()), a, b)

    def select(self, s: Scope, depth: int) -> Expr:
        t, cond = self.any_type(), self.condition(s, depth)
        a, b = self.any(s, depth), self.any(s, depth)
        return Select(t, cond, *((cast(t, a), cast(t, b)) if t == BOOL else (a, b)))

    def position(self, s: Scope, width: int) -> Expr:
        d = self.draw
        if d.random() < 0.8:
            return Const(INT, d.randrange(width))
        return self.index(s, width)

    def part(self, s: Scope, depth: int) -> Expr:
        d = self.draw
        a = as_ap(self.any(s, depth))
        if isinstance(a, Const):
            a = Cast(a.type, a)
        w = a.type.width
        if d.random() < 0.3:
            return Bit(BOOL, a, self.position(s, w))
        hi, lo = self.position(s, w), self.position(s, w)
        known = isinstance(hi, Const) and isinstance(lo, Const)
        if known and d.random() < 0.85 and hi.value < lo.value:  # type: ignore[attr-defined]
            hi, lo = lo, hi
        whole = Range(Type(w, False), a, hi, lo)
        if known and d.random() < 0.6:
            bits = abs(hi.value - lo.value) + 1  # type: ignore[attr-defined]
            return Cast(Type(bits, d.random() < 0.3), whole)
        return whole

    def concat(self, s: Scope, depth: int) -> Expr:
        a, b = (e if e.reference else as_ap(e) for e in (self.any(s, depth), self.any(s, depth)))
        a, b = (Cast(self.ap_type(33), e) if e.type.width > 36 else e for e in (a, b))
        return Concat(Type(a.type.width + b.type.width, False), a, b)

    def unary(self, s: Scope, depth: int) -> Expr:
        a = as_ap(self.any(s, depth))
        op = self.draw.choice("-~!")
        if op == "!":
            return Unary(BOOL, op, a)
        return Unary(a.type if op == "~" else result_type("-", Type(1, False), a.type), op, a)

    def query(self, s: Scope, depth: int) -> Expr:
        names = "or_reduce and_reduce xor_reduce nor_reduce sign countLeadingZeros".split()
        name = self.draw.choice(names)
        a = as_ap(self.any(s, depth))
        return Method(INT if name == "countLeadingZeros" else BOOL, a, name)

    def conversion(self, s: Scope, depth: int) -> Expr:
        return Cast(self.any_type(), self.any(s, depth))

    def division(self, s: Scope, depth: int) -> Expr:
        d = self.draw
        if self.divisions <= 0:
            return self.arithmetic(s, depth)
        self.divisions -= 1
        sign = d.random() < 0.5
        a = cast(replace(self.ap_type(20), signed=sign), self.any(s, depth))
        t = replace(self.ap_type(16), signed=sign)
        if d.random() < 0.4:
            b: Expr = NonZero(t, Const(t, self.word(t)))
        else:
            b = NonZero(t, number(self.typed(t, s, depth)))
        op = d.choice("/%")
        return Binary(result_type(op, a.type, t), op, a, b)

    def call(self, s: Scope, depth: int) -> Expr:
        if not s.helpers:
            return self.arithmetic(s, depth)
        h = self.draw.choice(s.helpers)
        return Call(h.type, h.name, tuple(self.typed(t, s, depth) for t in h.args))
