# SPDX-License-Identifier: Apache-2.0
"""Statements, functions and whole programs as immutable trees that print themselves as C++."""

from __future__ import annotations

import abc
from dataclasses import dataclass

from fuzz.tree import Bit, Expr, Node, Type, Var


@dataclass(frozen=True)
class Stmt(Node, abc.ABC):
    @abc.abstractmethod
    def lines(self) -> list[str]:
        """Its lines of C++, indented below one another."""


def block(body: tuple[Stmt, ...]) -> list[str]:
    return [f"  {line}" if line[0] != "#" else line for s in body for line in s.lines()]


@dataclass(frozen=True)
class Declare(Stmt):
    var: Var
    value: Expr
    static: bool = False

    def lines(self) -> list[str]:
        kept = "static " if self.static else ""
        return [f"{kept}{self.var.type.cpp} {self.var.name} = {self.value};"]


@dataclass(frozen=True)
class Array(Stmt):
    """A local array with initial words (the rest is 0) and its pragmas, without `variable=`."""

    name: str
    type: Type
    dims: tuple[int, ...]
    init: tuple[int, ...] = ()
    pragmas: tuple[str, ...] = ()
    fixed: bool = False  # a table
    static: bool = False

    @property
    def declared(self) -> str:
        """As a parameter."""
        return f"{self.type.cpp} {self.name}{''.join(f'[{d}]' for d in self.dims)}"

    def lines(self) -> list[str]:
        words = ", ".join(map(str, self.init))
        kept = "static const " if self.fixed else "static " if self.static else ""
        text = [f"{kept}{self.declared} = {{{words}}};"]
        return text + [f"#pragma HLS {p.format(self.name)}" for p in self.pragmas]


@dataclass(frozen=True)
class Structure(Stmt):
    """A local variable of a structure's type, or an array of `count` of them, all zero.

    `members`: type, name and extents of each.
    """

    name: str
    members: tuple[tuple[Type, str, tuple[int, ...]], ...]
    count: int = 0
    pragmas: tuple[str, ...] = ()
    static: bool = False

    def lines(self) -> list[str]:
        kept = "static " if self.static else ""
        members = [f"{t.cpp} {m}{''.join(f'[{d}]' for d in dims)};" for t, m, dims in self.members]
        many = f"[{self.count}]" if self.count else ""
        text = [f"struct {self.name.upper()} {{ {' '.join(members)} }};",
                f"{kept}{self.name.upper()} {self.name}{many} = {{}};"]  # fmt: skip
        return text + [f"#pragma HLS {p.format(self.name)}" for p in self.pragmas]

    def arrays(self) -> list[Array]:
        """Its members as arrays whose names have a place for each index."""
        outer = (self.count,) if self.count else ()
        base = self.name + "[{}]" * len(outer)
        return [
            Array(f"{base}.{m}{'[{}]' * len(dims)}", t, outer + dims) for t, m, dims in self.members
        ]


@dataclass(frozen=True)
class Copy(Stmt):
    """One element of an array of structures taken over by another."""

    name: str
    to: Expr
    source: Expr

    def lines(self) -> list[str]:
        return [f"{self.name}[{self.to}] = {self.name}[{self.source}];"]


@dataclass(frozen=True)
class Assign(Stmt):
    """`target op value`; the target is a variable, an element, or a part of a variable."""

    target: Expr
    op: str
    value: Expr

    def lines(self) -> list[str]:
        left = self.target
        text = f"{left.a}[{left.at}]" if isinstance(left, Bit) else str(left)
        return [f"{text} {self.op} {self.value};"]


@dataclass(frozen=True)
class Do(Stmt):
    """A statement of one variable that is written as it is: `x.reverse()`, `++x`."""

    var: Var
    text: str

    def lines(self) -> list[str]:
        return [self.text.format(self.var) + ";"]


@dataclass(frozen=True)
class Read(Stmt):
    """`var` declared with the next word of a stream."""

    var: Var
    stream: str
    word: str = ""  # the type of a word, if it is a structure with `data` and `last`

    def lines(self) -> list[str]:
        return [f"{self.word or self.var.type.cpp} {self.var.name} = {self.stream}.read();"]


@dataclass(frozen=True)
class Write(Stmt):
    stream: str
    value: Expr

    def lines(self) -> list[str]:
        return [f"{self.stream}.write({self.value});"]


@dataclass(frozen=True)
class If(Stmt):
    cond: Expr
    then: Block
    other: Block

    def lines(self) -> list[str]:
        text = [f"if ({self.cond}) {{", *self.then.lines()]
        if self.other.body:
            text += ["} else {", *self.other.lines()]
        return [*text, "}"]


@dataclass(frozen=True)
class Block(Stmt):
    """Statements in order, printed without braces."""

    body: tuple[Stmt, ...] = ()

    def lines(self) -> list[str]:
        return block(self.body)


@dataclass(frozen=True)
class Leave(Stmt):
    """break, continue or return, if."""

    cond: Expr
    word: str = "break"

    def lines(self) -> list[str]:
        return [f"if ({self.cond}) {self.word};"]


@dataclass(frozen=True)
class For(Stmt):
    """A counted loop of at most `trips` iterations; `bound` and `go` can end it earlier."""

    var: Var
    trips: int
    body: Block
    pragmas: tuple[str, ...] = ()
    step: int = 1  # -1: downwards
    bound: Expr | None = None
    go: Expr | None = None
    label: str = ""

    def lines(self) -> list[str]:
        v, t = self.var.name, self.var.type.cpp
        if self.step < 0:
            head = f"{t} {v} = {self.trips - 1}; {v} >= 0"
        else:
            head = f"{t} {v} = 0; {v} < {self.bound or (self.trips - 1) * self.step + 1}"
        head += f" && {self.go}" if self.go else ""
        head += f"; {v} += {self.step}" if abs(self.step) != 1 else f"; {'+-'[self.step < 0] * 2}{v}"
        text = [f"{self.label}:"] if self.label else []
        text += [f"for ({head}) {{", *(f"#pragma HLS {p}" for p in self.pragmas)]
        return [*text, *self.body.lines(), "}"]


@dataclass(frozen=True)
class Run(Stmt):
    """A call for its effects: arguments are names and expressions."""

    name: str
    args: tuple[str, ...]
    values: tuple[Expr, ...] = ()

    def lines(self) -> list[str]:
        return [f"{self.name}({', '.join([*self.args, *map(str, self.values)])});"]


@dataclass(frozen=True)
class Text(Stmt):
    """A line that the shrinker can only drop."""

    text: str

    def lines(self) -> list[str]:
        return [self.text]


@dataclass(frozen=True)
class Function(Stmt):
    """`head` up to its brace; a result where it has one."""

    head: str
    pragmas: tuple[str, ...]
    body: Block
    result: Expr | None = None

    def lines(self) -> list[str]:
        end = [f"  return {self.result};"] if self.result else []
        pragmas = [f"#pragma HLS {p}" for p in self.pragmas]
        return [f"{self.head} {{", *pragmas, *self.body.lines(), *end, "}"]


@dataclass(frozen=True)
class Program(Node):
    """`globals`: tables and functions in order, the top function last."""

    name: str
    globals: tuple[Stmt, ...]

    def __str__(self) -> str:
        return "\n".join([PRELUDE, *(line for s in self.globals for line in s.lines())]) + "\n"


PRELUDE = """\
#include <ap_axi_sdata.h>
#include <ap_int.h>
#include <hls_stream.h>
#include <stdint.h>

template <int N>
int clamp(unsigned i) {
  return i < unsigned(N) ? int(i) : N - 1;
}

template <int W, class T, class L>
ap_axiu<W, 1, 1, 1> packed(const T& data, const L& last) {
  ap_axiu<W, 1, 1, 1> word;
  word.data = data;
  word.keep = -1;
  word.strb = -1;
  word.user = 0;
  word.last = last;
  word.id = 0;
  word.dest = 0;
  return word;
}
"""
