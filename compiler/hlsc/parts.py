# SPDX-License-Identifier: Apache-2.0
"""Arrays in pieces: how a dimension is cut, and which elements of an argument a port carries.

Names and order are those of Vitis HLS: bank 2 of `a` is `a_2`, element [1][0] of a completely
partitioned one `a_1_0`; a word of a reshaped array holds its elements lowest first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import product
from math import prod
from typing import Any

__all__ = ["Cut", "Part"]


@dataclass(frozen=True)
class Cut:
    """How one dimension is cut: `kind` none, complete, cyclic or block; `factor` banks.

    `wide`: the banks stand side by side in one word (ARRAY_RESHAPE).
    """

    extent: int
    kind: str = "none"
    factor: int = 1
    wide: bool = False

    @property
    def apart(self) -> bool:
        """Whether it makes banks with numbers, be it one."""
        return self.factor > 1 or self.kind == "complete"

    @property
    def inner(self) -> int:
        """Elements per bank, the last one's padding included."""
        return -(-self.extent // self.factor)

    def place(self, i: int) -> tuple[int, int]:
        """Bank and place in it of element i."""
        return divmod(i, self.inner) if self.kind == "block" else (i % self.factor, i // self.factor)

    def element(self, bank: int, inside: int) -> int | None:
        """The inverse; None for padding."""
        i = bank * self.inner + inside if self.kind == "block" else inside * self.factor + bank
        return i if i < self.extent else None


@dataclass(frozen=True)
class Part:
    """What a port carries of the array `argument`: `bank` counts, per dimension, the banks of its cut
    (0 where the cut has one, or is wide); () is all of them."""

    argument: str
    cuts: tuple[Cut, ...]
    bank: tuple[int, ...]

    def words(self) -> list[tuple[int | None, ...]]:
        """Numbers of the elements (row by row) in each word, lowest first; None is padding."""
        inner = [range(c.inner) for c in self.cuts]
        lanes = [range(c.factor) if c.wide else (b,) for c, b in zip(self.cuts, self.bank, strict=True)]
        return [tuple(self._number(lane, at) for lane in product(*lanes)) for at in product(*inner)]

    def _number(self, banks: tuple[int, ...], inside: tuple[int, ...]) -> int | None:
        number = 0
        for cut, bank, at in zip(self.cuts, banks, inside, strict=True):
            i = cut.element(bank, at)
            if i is None:
                return None
            number = number * cut.extent + i
        return number

    @property
    def name(self) -> str:
        """Of the port."""
        banks = (str(b) for b, c in zip(self.bank, self.cuts, strict=True) if c.apart and not c.wide)
        return "_".join([self.argument, *banks])

    @property
    def elements(self) -> int:
        """Of the whole array."""
        return prod(c.extent for c in self.cuts)

    @property
    def lanes(self) -> int:
        """Elements per word."""
        return prod(c.factor for c in self.cuts if c.wide)

    def as_dict(self) -> dict[str, Any]:
        """Ready for `json.dumps`."""
        return {
            "argument": self.argument,
            "cuts": [asdict(c) for c in self.cuts],
            "bank": list(self.bank),
        }

    @staticmethod
    def from_dict(plain: Mapping[str, Any]) -> Part:
        cuts = tuple(Cut(**c) for c in plain["cuts"])
        return Part(plain["argument"], cuts, tuple(plain["bank"]))
