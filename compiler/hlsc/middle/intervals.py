# SPDX-License-Identifier: Apache-2.0
"""Intervals of bit vectors, read as unsigned and as signed, and what operations make of them."""

from __future__ import annotations

from dataclasses import dataclass

from hlsc.ir import COMPARE, Node
from hlsc.middle.bits import signed

__all__ = ["Range", "transfer"]


@dataclass(frozen=True)
class Range:
    """Bounds of a `width`-bit value read as unsigned (lo … hi) and as signed (slo … shi)."""

    width: int
    lo: int
    hi: int
    slo: int
    shi: int

    @staticmethod
    def full(width: int) -> Range:
        return Range(width, 0, (1 << width) - 1, -(1 << (width - 1)), (1 << (width - 1)) - 1)

    @staticmethod
    def exactly(value: int, width: int) -> Range:
        s = signed(value, width)
        return Range(width, value, value, s, s)

    @staticmethod
    def unsigned(lo: int, hi: int, width: int) -> Range:
        """An interval of unsigned values, cut to the type."""
        if lo < 0 or hi >= 1 << width or lo > hi:
            return Range.full(width)
        half = 1 << (width - 1)
        if hi < half:
            return Range(width, lo, hi, lo, hi)
        if lo >= half:
            return Range(width, lo, hi, lo - 2 * half, hi - 2 * half)
        return Range(width, lo, hi, -half, half - 1)

    @staticmethod
    def of_signed(lo: int, hi: int, width: int) -> Range:
        """An interval of signed values; full if it does not fit."""
        half = 1 << (width - 1)
        if lo < -half or hi >= half or lo > hi:
            return Range.full(width)
        if lo >= 0:
            return Range(width, lo, hi, lo, hi)
        if hi < 0:
            return Range(width, lo + 2 * half, hi + 2 * half, lo, hi)
        return Range(width, 0, 2 * half - 1, lo, hi)

    def join(self, o: Range) -> Range:
        return Range(
            self.width,
            min(self.lo, o.lo),
            max(self.hi, o.hi),
            min(self.slo, o.slo),
            max(self.shi, o.shi),
        )

    def meet(self, o: Range) -> Range:
        """Both hold.  An empty result means code that cannot be reached: then any value will do."""
        lo, hi = max(self.lo, o.lo), min(self.hi, o.hi)
        slo, shi = max(self.slo, o.slo), min(self.shi, o.shi)
        if lo > hi or slo > shi:
            return self
        return Range(self.width, lo, hi, slo, shi).tight()

    def tight(self) -> Range:
        """Each reading helps the other."""
        half = 1 << (self.width - 1)
        lo, hi, slo, shi = self.lo, self.hi, self.slo, self.shi
        if slo >= 0:
            lo, hi = max(lo, slo), min(hi, shi)
        elif shi < 0:
            lo, hi = max(lo, slo + 2 * half), min(hi, shi + 2 * half)
        if hi < half:
            slo, shi = max(slo, lo), min(shi, hi)
        elif lo >= half:
            slo, shi = max(slo, lo - 2 * half), min(shi, hi - 2 * half)
        if lo > hi or slo > shi:
            return self
        return Range(self.width, lo, hi, slo, shi)

    @property
    def constant(self) -> int | None:
        return self.lo if self.lo == self.hi else None

    @property
    def unsigned_bits(self) -> int:
        """Bits after which zero extension restores the value."""
        return max(1, self.hi.bit_length())

    @property
    def signed_bits(self) -> int:
        """Bits after which sign extension restores the value."""
        return max(self.shi.bit_length(), (~self.slo).bit_length() if self.slo < 0 else 0) + 1


def transfer(n: Node, a: list[Range]) -> Range:
    """Range of a pure node from those of its operands."""
    w = n.width
    full = Range.full(w)
    op = n.op
    if op == "const":
        return Range.exactly(n.value or 0, w)
    if op in COMPARE:
        return _compare(op, a[0], a[1])
    if op in ("add", "sub", "mul"):
        return _arith(op, w, a[0], a[1])
    if op in ("and", "or", "xor"):
        return _logic(op, w, a[0], a[1])
    if op == "zext":
        return Range.unsigned(a[0].lo, a[0].hi, w)
    if op == "sext":
        return Range.of_signed(a[0].slo, a[0].shi, w)
    if op == "trunc":
        x = a[0]
        r = Range.unsigned(x.lo, x.hi, w) if x.hi < 1 << w else full
        half = 1 << (w - 1)
        return r.meet(Range.of_signed(x.slo, x.shi, w)) if -half <= x.slo and x.shi < half else r
    if op == "extract":
        k = n.value or 0
        return Range.unsigned(a[0].lo >> k, a[0].hi >> k, w) if a[0].hi >> k < 1 << w else full
    if op == "concat":
        lo = hi = 0
        for x in a:
            lo, hi = lo << x.width | x.lo, hi << x.width | x.hi
        r = Range.unsigned(lo, hi, w)
        below = w - a[0].width
        return r.meet(Range.of_signed(a[0].slo << below, (a[0].shi << below) + (1 << below) - 1, w))
    if op == "select":
        return a[1].join(a[2])
    if op == "lshr":
        return Range.unsigned(a[0].lo >> min(a[1].hi, w), a[0].hi >> min(a[1].lo, w), w)
    if op == "ashr":
        k = min(a[1].lo, w)
        lo, hi = a[0].slo, a[0].shi
        return Range.of_signed(lo >> k if lo < 0 else 0, hi >> k if hi >= 0 else -1, w)
    if op == "udiv":
        return Range.unsigned(a[0].lo // a[1].hi, a[0].hi // a[1].lo, w) if a[1].lo > 0 else full
    if op == "urem":
        top = a[0].hi if a[1].lo == 0 else min(a[0].hi, a[1].hi - 1)
        return Range.unsigned(0, top, w)
    if op == "sdiv" and a[1].slo > 0:
        lo, hi = a[0].slo, a[0].shi
        return Range.of_signed(min(lo, 0), max(hi, 0), w)
    if op == "srem":
        return Range.of_signed(min(a[0].slo, 0), max(a[0].shi, 0), w)
    return full


def _compare(op: str, a: Range, b: Range) -> Range:
    yes, no = Range.exactly(1, 1), Range.exactly(0, 1)
    if op == "ult":
        return yes if a.hi < b.lo else no if a.lo >= b.hi else Range.full(1)
    if op == "slt":
        return yes if a.shi < b.slo else no if a.slo >= b.shi else Range.full(1)
    if op == "eq":
        if a.hi < b.lo or b.hi < a.lo or a.shi < b.slo or b.shi < a.slo:
            return no
        if a.constant is not None and a.constant == b.constant:
            return yes
    return Range.full(1)


def _arith(op: str, w: int, a: Range, b: Range) -> Range:
    if op == "add":
        u, s = (a.lo + b.lo, a.hi + b.hi), (a.slo + b.slo, a.shi + b.shi)
    elif op == "sub":
        u, s = (a.lo - b.hi, a.hi - b.lo), (a.slo - b.shi, a.shi - b.slo)
    else:
        u = (a.lo * b.lo, a.hi * b.hi)
        ps = [x * y for x in (a.slo, a.shi) for y in (b.slo, b.shi)]
        s = (min(ps), max(ps))
    if u[0] >> w == u[1] >> w and op != "mul":  # all wrap alike, or none
        r = Range.unsigned(u[0] & ((1 << w) - 1), u[1] & ((1 << w) - 1), w)
    else:
        r = Range.unsigned(u[0], u[1], w)
    return r.meet(Range.of_signed(s[0], s[1], w))


def _logic(op: str, w: int, a: Range, b: Range) -> Range:
    bits = max(a.hi.bit_length(), b.hi.bit_length())
    if op == "and":
        r = Range.unsigned(0, min(a.hi, b.hi), w)
    else:
        r = Range.unsigned(max(a.lo, b.lo) if op == "or" else 0, (1 << bits) - 1, w)
    k = max(a.signed_bits, b.signed_bits)
    return r.meet(Range.of_signed(-(1 << (k - 1)), (1 << (k - 1)) - 1, w)) if k < w else r
