# SPDX-License-Identifier: Apache-2.0
"""Expressions as immutable trees that print themselves as C++.

Every expression knows the C++ type of its value, by the width rules of ap_int.  An expression can
therefore be replaced by any other one under a cast, which is what generator and shrinker rely on.
Whether a program is free of undefined behaviour is the generator's care: divisors are `NonZero`,
indices are `Index` nodes with a stated bound, C integers are computed in types that cannot overflow.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import ClassVar, TypeVar

N = TypeVar("N", bound="Node")
Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Type:
    """ap_int, ap_uint, or (with `c`) a C integer of that name."""

    width: int
    signed: bool
    c: str = ""

    @property
    def cpp(self) -> str:
        return self.c or f"ap_{'int' if self.signed else 'uint'}<{self.width}>"


BOOL = Type(1, False, "bool")
C_TYPES = {
    t.c: t for w in (8, 16, 32, 64) for t in (Type(w, True, f"int{w}_t"), Type(w, False, f"uint{w}_t"))
}
INT = C_TYPES["int32_t"]


def promoted(t: Type) -> Type:
    """What C computes with when an operand has type `t`."""
    return t if t.width >= 32 else INT


def result_type(op: str, a: Type, b: Type) -> Type:
    """Type of `a op b` where one of them is an ap_int; see `widths` in hlsc_ap_bits.h."""
    both = max(a.width + (b.signed and not a.signed), b.width + (a.signed and not b.signed))
    sign = a.signed or b.signed
    if op == "+":
        return Type(both + 1, sign)
    if op == "-":
        return Type(both + 1, True)
    if op == "*":
        return Type(a.width + b.width, sign)
    if op == "/":
        return Type(a.width + b.signed, sign)
    if op == "%":
        return Type(min(a.width, b.width + (a.signed and not b.signed)), a.signed)
    return Type(both, sign)


class Node:
    """Base of all trees: dataclasses; children are the fields that are nodes or tuples of nodes."""

    def children(self) -> Iterator[tuple[Path, Node]]:
        for f in fields(self):  # type: ignore[arg-type]
            value = getattr(self, f.name)
            if isinstance(value, Node):
                yield (f.name,), value
            elif isinstance(value, tuple):
                yield from (((f.name, i), v) for i, v in enumerate(value) if isinstance(v, Node))

    def walk(self, at: Path = ()) -> Iterator[tuple[Path, Node]]:
        """Every node with its path, the outer ones first."""
        yield at, self
        for path, c in self.children():
            yield from c.walk((*at, *path))

    def replaced(self: N, path: Path, new: object) -> N:
        """This tree with what stands at `path` (a field, or a field and a position …) replaced."""
        name, *rest = path
        value = getattr(self, str(name))
        if isinstance(value, tuple) and rest:
            at, *deeper = rest
            assert isinstance(at, int)
            part = value[at].replaced(tuple(deeper), new) if deeper else new
            changed: object = (*value[:at], part, *value[at + 1 :])
        else:
            changed = value.replaced(tuple(rest), new) if rest else new
        return replace(self, **{str(name): changed})  # type: ignore[type-var]


@dataclass(frozen=True)
class Expr(Node):
    type: Type

    form: ClassVar[str]
    """How it prints: a format of its fields, unless the class has a `__str__` of its own."""

    reference: ClassVar[bool] = False
    """True for a part select or concatenation that C++ holds as a reference class."""

    def __str__(self) -> str:
        return self.form.format_map(vars(self))


@dataclass(frozen=True)
class Const(Expr):
    value: int

    def __str__(self) -> str:
        if self.type == BOOL:
            return "true" if self.value else "false"
        if self.type == INT:
            return str(self.value) if self.value > -(1 << 31) else f"int32_t({self.value}LL)"
        if -(1 << 31) < self.value < 1 << 31:
            return f"{self.type.cpp}({self.value})"
        if -(1 << 63) < self.value < 1 << 63:
            return f"{self.type.cpp}({self.value}LL)"
        low = self.value & (1 << 62) - 1
        t = self.type.cpp
        return f"{t}({t}({t}({self.value >> 62}LL) << 62) | {low}LL)"


@dataclass(frozen=True)
class Var(Expr):
    name: str

    form = "{name}"


@dataclass(frozen=True)
class Cast(Expr):
    a: Expr

    def __str__(self) -> str:
        if self.type == BOOL:
            return f"({self.a} != 0)"
        return f"{self.type.cpp}({self.a})"


def cast(t: Type, e: Expr) -> Expr:
    if t == BOOL and e.type.width > 64:  # refused as a condition: the Xilinx headers look at 64 bits
        return Binary(BOOL, "!=", number(e), Const(INT, 0))
    return e if e.type == t and not e.reference else Cast(t, e)


def number(e: Expr) -> Expr:
    """`e` as an object of its type: operators of one operand and methods need one."""
    return Cast(e.type, e) if e.reference else e


def as_ap(e: Expr) -> Expr:
    return number(e) if not e.type.c else Cast(Type(e.type.width, e.type.signed), e)


@dataclass(frozen=True)
class Unary(Expr):
    op: str
    a: Expr

    form = "({op}{a})"


@dataclass(frozen=True)
class Binary(Expr):
    """Arithmetic, shifts, comparisons, && and ||."""

    op: str
    a: Expr
    b: Expr

    form = "({a} {op} {b})"


@dataclass(frozen=True)
class NonZero(Expr):
    """A divisor."""

    a: Expr

    def __str__(self) -> str:
        if isinstance(self.a, Const) and self.a.value:
            return str(self.a)
        return f"{self.type.cpp}({self.a} | 1)"


@dataclass(frozen=True)
class Amount(Expr):
    """The amount of a C shift: `a` modulo `size`, a power of two."""

    a: Expr
    size: int

    def __str__(self) -> str:
        return f"({self.a} & {self.size - 1})"


@dataclass(frozen=True)
class Select(Expr):
    cond: Expr
    a: Expr
    b: Expr

    form = "({cond} ? {type.cpp}({a}) : {type.cpp}({b}))"


@dataclass(frozen=True)
class Range(Expr):
    """x(hi, lo); hi < lo reverses. Positions are `Const` or `Index` nodes."""

    a: Expr
    hi: Expr
    lo: Expr

    reference = True
    form = "{a}.range({hi}, {lo})"


@dataclass(frozen=True)
class Bit(Expr):
    a: Expr
    at: Expr

    form = "bool({a}[{at}])"


@dataclass(frozen=True)
class Concat(Expr):
    a: Expr
    b: Expr

    reference = True
    form = "({a}, {b})"


@dataclass(frozen=True)
class Method(Expr):
    """A query without arguments: or_reduce, countLeadingZeros …"""

    a: Expr
    name: str

    form = "{a}.{name}()"


@dataclass(frozen=True)
class Index(Expr):
    """An index of `size` things: `mul`·var + add, which is in range as it stands, or any value clamped.

    A clamped one is a mask where `size` is a power of two.
    """

    a: Expr
    size: int
    mul: int = 0  # 0: clamped
    add: int = 0

    def __str__(self) -> str:
        if self.mul:
            text = str(self.a) if self.mul == 1 else f"{self.mul} * {self.a}"
            return text if not self.add else f"{text} {'-' if self.add < 0 else '+'} {abs(self.add)}"
        if self.size == 1:
            return "0"
        if self.size & (self.size - 1) == 0:
            return f"int(ap_uint<{self.size.bit_length() - 1}>({self.a}))"
        return f"clamp<{self.size}>({self.a})"


@dataclass(frozen=True)
class Element(Expr):
    """array[i][j]…; `name` is that of a local array or a table, or of a structure's member with
    places for the indices."""

    name: str
    at: tuple[Expr, ...]

    def __str__(self) -> str:
        if "." in self.name:
            return self.name.format(*self.at)
        return self.name + "".join(f"[{i}]" for i in self.at)


@dataclass(frozen=True)
class Call(Expr):
    """A function of expressions; `name` with template arguments where it has some."""

    name: str
    args: tuple[Expr, ...]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.args))})"
