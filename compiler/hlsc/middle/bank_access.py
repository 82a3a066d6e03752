# SPDX-License-Identifier: Apache-2.0
"""The nodes of an access to an array in banks: which bank, which address, and the word chosen.

A bank that is known at compile time costs nothing; one that is not is selected by the index.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from hlsc.middle.banks import Plan
from hlsc.middle.elements import Bounds, Index
from hlsc.middle.graph import Builder
from hlsc.middle.llvmtypes import Term
from hlsc.parts import Cut

__all__ = ["Choice", "choices", "combinations", "word"]


@dataclass(frozen=True)
class Choice:
    """One dimension of an access: the banks possible, the node that tells which (None: only one is
    possible) and the index inside the bank."""

    banks: tuple[int, ...]
    which: int | None
    inside: int


def choices(
    b: Builder,
    p: Plan,
    index: tuple[Index, ...],
    value: Callable[[Term], int],
    bounds: Bounds | None,
) -> list[Choice]:
    """Per dimension of an access its banks; `value`: the node of a term's variable."""
    aw = max(1, (p.depth - 1).bit_length())

    def total(i: Index, bits: int) -> int:
        """The index modulo 2**bits."""
        t = b.const(i.const, bits)
        for term in i.terms:
            x = b.resize(value(term), bits, term.sign)
            t = b.binary("add", t, b.binary("mul", x, b.const(term.coef, bits)))
        return t

    found: list[Choice] = []
    for i, s in zip(index, p.splits, strict=True):
        if s.kind in ("none", "half"):
            found.append(Choice((0,), None, total(i, aw)))
            continue
        if not i.terms:
            const = i.const % s.extent  # one outside can only stand under a false condition
            which, inner = s.place(const)
            found.append(Choice((which,), None, b.const(inner, aw)))
            continue
        if s.kind == "cyclic" and all(t.coef % s.factor == 0 for t in i.terms):
            inside = Index(
                i.const // s.factor,
                tuple(Term(t.coef // s.factor, t.value, t.bits, t.sign) for t in i.terms),
            )
            found.append(Choice((i.const % s.factor,), None, total(inside, aw)))
            continue
        if (block := _block(i, s, bounds)) is not None:
            found.append(Choice((block,), None, total(Index(i.const - block * s.inner, i.terms), aw)))
            continue
        bits = max(1, (s.extent - 1).bit_length())
        whole = total(i, bits)
        fb = b.const(s.factor, bits) if s.factor < 1 << bits else None
        if s.kind == "complete":
            which_node, inside_node = whole, b.const(0, aw)
        elif s.kind == "cyclic":
            assert fb is not None
            which_node, inside_node = b.binary("urem", whole, fb), b.binary("udiv", whole, fb)
        else:
            size = b.const(s.inner, bits)
            which_node, inside_node = b.binary("udiv", whole, size), b.binary("urem", whole, size)
        inside_node = b.resize(inside_node, aw)
        count = s.extent if s.kind == "complete" else s.factor
        residues = _residues(i, count if s.kind == "cyclic" else 0)
        banks = tuple(k for k in range(count) if residues is None or k in residues)
        found.append(Choice(banks, which_node if len(banks) > 1 else None, inside_node))
    return found


def combinations(b: Builder, p: Plan, dims: list[Choice]) -> list[tuple[int | None, str, int]]:
    """Every bank possible: (condition or None, memory, address)."""
    out: list[tuple[int | None, str, int]] = []
    for combo in product(*(d.banks for d in dims)):
        conds = [
            b.binary("eq", d.which, b.const(k, b.width(d.which)))
            for k, d in zip(combo, dims, strict=True)
            if d.which is not None
        ]
        out.append((b.all_(conds) if conds else None, p.bank(combo), _address(b, p, dims)))
    return out


def word(
    b: Builder,
    p: Plan,
    dims: list[Choice],
    load: Callable[[str, int], int],
    done: tuple[int, ...] = (),
) -> int:
    """The value loaded: banks not known at compile time are chosen by the bits of the index."""
    if len(done) == len(dims):
        return load(p.bank(done), _address(b, p, dims))
    d = dims[len(done)]
    words = {k: word(b, p, dims, load, (*done, k)) for k in d.banks}
    if d.which is None:
        return words[d.banks[0]]
    return _mux(b, d.which, b.width(d.which) - 1, 0, words)


def _address(b: Builder, p: Plan, dims: list[Choice]) -> int:
    """The address inside a bank: the dimensions' inner indices, row by row."""
    aw = max(1, (p.depth - 1).bit_length())
    address = b.const(0, aw)
    for d, s in zip(dims, p.splits, strict=True):
        if s.kind == "half":
            continue
        address = b.binary("add", b.binary("mul", address, b.const(s.inner, aw)), d.inside)
    if p.halves > 1:
        low = p.half.bit_length() - 1
        parts = [b.trunc(dims[0].inside, 1), *([b.trunc(address, low)] if low else [])]
        address = b.concat(parts)
    return address


def _block(i: Index, cut: Cut, bounds: Bounds | None) -> int | None:
    """The block that an index stays in, as far as the bounds of its terms tell."""
    if cut.kind != "block" or bounds is None:
        return None
    low = high = i.const
    for t in i.terms:
        ends = [x * t.coef for x in bounds(t)]
        low, high = low + min(ends), high + max(ends)
    inside = low >= 0 and high < cut.extent
    return low // cut.inner if inside and low // cut.inner == high // cut.inner else None


def _residues(i: Index, modulus: int) -> set[int] | None:
    """The residues that a sum can take when its coefficients share a factor with the modulus."""
    if modulus < 2:
        return None
    step = modulus
    for t in i.terms:
        while step and t.coef % step:
            step -= 1
            while modulus % step:
                step -= 1
    return {r for r in range(modulus) if (r - i.const) % step == 0} if step > 1 else None


def _mux(b: Builder, which: int, bit: int, base: int, words: dict[int, int]) -> int:
    """words[which] as a tree of selects; `words` all have the bits above `bit` of `base`."""
    if len(words) == 1:
        return next(iter(words.values()))
    low = {k: v for k, v in words.items() if not k >> bit & 1}
    high = {k: v for k, v in words.items() if k >> bit & 1}
    if not low or not high:
        return _mux(b, which, bit - 1, base, words)
    one = _mux(b, which, bit - 1, base | 1 << bit, high)
    return b.select(b.extract(which, bit, 1), one, _mux(b, which, bit - 1, base, low))
