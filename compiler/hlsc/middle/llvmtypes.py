# SPDX-License-Identifier: Apache-2.0
"""LLVM types, constants and instructions as plain data: the subset that reaches the middle end.

Sizes follow the data layout of the front end's target (little endian, i64 aligned to 8): an array of
i14 takes 2 bytes per element, a struct pads its members to their alignment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

from hlsc.ir import Loc

__all__ = [
    "Access",
    "AggregateConst",
    "ArrayType",
    "Block",
    "ConstGep",
    "Function",
    "GlobalRef",
    "GlobalTable",
    "Instr",
    "IntConst",
    "IntType",
    "Local",
    "Module",
    "OtherType",
    "StructType",
    "Term",
    "Type",
    "Undef",
    "Value",
    "align_of",
    "field_offset",
    "size_of",
]


@dataclass(frozen=True)
class IntType:
    bits: int

    def __str__(self) -> str:
        return f"i{self.bits}"


@dataclass(frozen=True)
class OtherType:
    """ptr, void, label and everything that is parsed only to be refused (double …)."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True)
class ArrayType:
    count: int
    element: Type

    def __str__(self) -> str:
        return f"[{self.count} x {self.element}]"


@dataclass(frozen=True)
class StructType:
    fields: tuple[Type, ...]
    packed: bool = False

    def __str__(self) -> str:
        return "{ " + ", ".join(map(str, self.fields)) + " }"


Type = IntType | OtherType | ArrayType | StructType


@cache
def align_of(t: Type) -> int:
    """ABI alignment in bytes."""
    if isinstance(t, IntType):
        size = 1
        while size * 8 < t.bits:
            size *= 2
        return min(size, 16 if t.bits > 64 else 8)
    if isinstance(t, ArrayType):
        return align_of(t.element)
    if isinstance(t, StructType):
        return 1 if t.packed else max((align_of(f) for f in t.fields), default=1)
    return 8


@cache
def size_of(t: Type) -> int:
    """Allocation size in bytes, padding at the end included."""
    if isinstance(t, IntType):
        a = align_of(t)
        return -(-((t.bits + 7) // 8) // a) * a
    if isinstance(t, ArrayType):
        return t.count * size_of(t.element)
    if isinstance(t, StructType):
        end = field_offset(t, len(t.fields))
        a = align_of(t)
        return -(-end // a) * a
    return 8


@cache
def field_offset(t: StructType, index: int) -> int:
    """Byte offset of a member; for index == number of members the end of the last one."""
    at = 0
    for i, f in enumerate(t.fields):
        a = 1 if t.packed else align_of(f)
        at = -(-at // a) * a
        if i == index:
            return at
        at += size_of(f)
    return at


@dataclass(frozen=True)
class Local:
    """An SSA value or a parameter, without the %."""

    name: str


@dataclass(frozen=True)
class IntConst:
    value: int  # 0 <= value < 2**bits
    bits: int


@dataclass(frozen=True)
class Undef:
    """undef, poison; also null, which nothing in the subset reads."""


@dataclass(frozen=True)
class GlobalRef:
    name: str


@dataclass(frozen=True)
class ConstGep:
    """A constant expression: a global and a byte offset."""

    base: str
    offset: int


@dataclass(frozen=True)
class AggregateConst:
    """An initialiser; `elements` None: all zero."""

    elements: tuple[Value, ...] | None


Value = Local | IntConst | Undef | GlobalRef | ConstGep | AggregateConst


@dataclass(frozen=True)
class Term:
    """coef · value, the value of `bits` bits read as signed or not.

    `stride`: bytes of the elements that the index counted, 0 if not known.  Terms of different
    strides are not added up: of `t[i][i]`, both sides index a dimension of their own.
    """

    coef: int
    value: str  # name of the SSA value
    bits: int
    sign: bool
    stride: int = 0


@dataclass(frozen=True)
class Access:
    """An address: `array` is "%alloca", "%parameter" or "@global"; offset and coefficients in bytes.

    `known`: bytes of the offset that belong to variable indices, with the stride of those.
    """

    array: str
    offset: int = 0
    terms: tuple[Term, ...] = ()
    known: tuple[tuple[int, int], ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Instr:
    """One instruction.

    `args` are its value operands: both sides of a binary operation; address (and data first) of a
    load (store); base and indices of a getelementptr; condition of a branch; arguments of a call;
    incoming values of a phi, whose blocks are `labels`.  `labels` of br and switch: the targets, for
    a switch the default first, then one per entry of `cases`.
    """

    op: str
    name: str  # without %; "" if there is no result
    type: Type  # of the result; of the data for a store
    args: tuple[Value, ...] = ()
    arg_types: tuple[Type, ...] = ()
    flags: frozenset[str] = frozenset()
    predicate: str = ""  # icmp
    callee: str = ""
    source_type: Type | None = None  # getelementptr, alloca
    labels: tuple[str, ...] = ()
    cases: tuple[int, ...] = ()
    indices: tuple[int, ...] = ()  # extractvalue, insertvalue
    loc: Loc | None = None
    loop: int | None = None  # key in Program.loops (on a latch's branch)
    access: Access | None = None  # after address resolution: load, store, calls on streams
    source: Access | None = None  # memcpy
    guards: tuple[tuple[Value, bool], ...] = ()  # a store happens only if all hold


@dataclass(frozen=True)
class Block:
    name: str
    instrs: tuple[Instr, ...]  # the last is the terminator

    @property
    def terminator(self) -> Instr:
        return self.instrs[-1]

    @property
    def successors(self) -> tuple[str, ...]:
        return self.terminator.labels


@dataclass(frozen=True)
class Function:
    name: str
    params: tuple[tuple[str, Type], ...]
    blocks: tuple[Block, ...]  # the first is the entry
    loc: Loc | None = None


@dataclass(frozen=True)
class GlobalTable:
    name: str
    type: Type
    init: Value | None
    constant: bool
    loc: Loc | None = None


@dataclass(frozen=True)
class Module:
    functions: dict[str, Function] = field(default_factory=dict)
    globals: dict[str, GlobalTable] = field(default_factory=dict)
