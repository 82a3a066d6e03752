# SPDX-License-Identifier: Apache-2.0
"""One array cut into memories: by members, and by dimensions that are partitioned."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from math import prod

from hlsc.ir import Loc
from hlsc.middle.elements import Leaf
from hlsc.middle.llvmtypes import (
    AggregateConst,
    ArrayType,
    IntConst,
    StructType,
    Type,
    Undef,
    Value,
    field_offset,
    size_of,
)
from hlsc.parts import Cut

__all__ = ["Plan", "initial_values"]


@dataclass
class Plan:
    """One leaf of one array, and the banks that it became."""

    name: str
    leaf: Leaf
    splits: tuple[Cut, ...]
    style: str
    loc: Loc | None = None
    init: dict[tuple[int, ...], int] | None = None  # by indices; missing entries are 0
    banks: dict[tuple[int, ...], str] = field(default_factory=dict)
    ports: str = "1r1w"
    between: str = ""  # what processes that share it call it
    halves: int = 1  # 2: the first dimension tells the half

    @property
    def half(self) -> int:
        """Words from one half to the other: its bit of the address stands above all others."""
        inner = prod(s.inner for s in self.splits[1:])
        return 1 << (inner - 1).bit_length() if self.halves > 1 else 0

    @property
    def depth(self) -> int:
        inner = prod(s.inner for s in self.splits if s.kind != "half")
        return self.half + inner

    def bank_name(self, bank: tuple[int, ...]) -> str:
        cut = [str(b) for b, s in zip(bank, self.splits, strict=True) if s.factor > 1]
        return "_".join([self.name, *cut])

    def shared_name(self, bank: tuple[int, ...]) -> str:
        """What both processes call a bank; no other array's can have that name."""
        cut = [str(b) for b, s in zip(bank, self.splits, strict=True) if s.factor > 1]
        path = [self.leaf.path[1:]] if self.leaf.path else []
        return "_".join([self.between, *(["", *path, *cut] if path or cut else [])])

    def bank(self, bank: tuple[int, ...]) -> str:
        """The memory of a bank, which is there from its first use on."""
        return self.banks.setdefault(bank, self.bank_name(bank))

    def words(self, bank: tuple[int, ...]) -> tuple[int, ...] | None:
        """The first words of a bank of a constant table or static variable; None of any other."""
        if self.init is None:
            return None
        words = [0] * self.depth
        for idx, value in self.init.items():
            at = 0
            for i, s, b in zip(idx, self.splits, bank, strict=True):
                which, inner = s.place(i)
                if which != b:
                    break
                at = at * s.inner + inner
            else:
                words[at] = value
        return tuple(words)


def initial_values(t: Type, value: Value | None, leaf: Leaf) -> dict[tuple[int, ...], int]:
    """Those of a leaf of a table or static variable by its indices; missing entries are 0."""
    flat: dict[int, int] = {}
    _by_offset(t, value, flat, 0)
    found = {}
    for index in product(*(range(e) for e, _ in leaf.dims)):
        at = leaf.offset + sum(i * s for i, (_, s) in zip(index, leaf.dims, strict=True))
        if flat.get(at):
            found[index] = flat[at]
    return found


def _by_offset(t: Type, v: Value | None, out: dict[int, int], at: int) -> None:
    """Initial values by byte offset."""
    if v is None or isinstance(v, Undef) or (isinstance(v, AggregateConst) and v.elements is None):
        return
    if isinstance(v, IntConst):
        out[at] = v.value
    elif isinstance(v, AggregateConst) and v.elements is not None:
        for n, e in enumerate(v.elements):
            if isinstance(t, ArrayType):
                _by_offset(t.element, e, out, at + n * size_of(t.element))
            elif isinstance(t, StructType):
                _by_offset(t.fields[n], e, out, at + field_offset(t, n))
