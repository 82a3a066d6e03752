# SPDX-License-Identifier: Apache-2.0
"""Bits taken, put together and extended: what costs no logic has one form.

The lowest bits are taken by trunc, others by extract; zeros on top are a zext. Wires move through wires
and to the operands of bitwise operations and selects whose operands are constants.
"""

from __future__ import annotations

from collections.abc import Sequence

from hlsc.ir import Node
from hlsc.middle.bits import signed
from hlsc.middle.nodes import Nodes

__all__ = ["Wires"]


class Wires(Nodes):
    """Nodes with extensions, extracts and concatenations."""

    def zext(self, a: int, width: int) -> int:
        n = self.nodes[a]
        if n.width == width:
            return a
        if n.op == "const":
            return self.const(n.value or 0, width)
        if n.op == "zext":
            return self.zext(n.args[0], width)
        return self._pure("zext", width, (a,))

    def sext(self, a: int, width: int) -> int:
        n = self.nodes[a]
        if n.width == width:
            return a
        if n.op == "const":
            return self.const(signed(n.value or 0, n.width), width)
        if n.op == "zext":
            return self.zext(n.args[0], width)
        if n.op == "sext":
            return self.sext(n.args[0], width)
        if n.op == "concat" and self.nodes[n.args[0]].op == "const":
            high = self.sext(n.args[0], width - n.width + self.width(n.args[0]))
            return self.concat([high, *n.args[1:]])
        if self.has_constant_arms(n):
            return self.select(n.args[0], self.sext(n.args[1], width), self.sext(n.args[2], width))
        return self._pure("sext", width, (a,))

    def trunc(self, a: int, width: int) -> int:
        return self.extract(a, 0, width)

    def resize(self, a: int, width: int, sign: bool = False) -> int:
        if self.width(a) >= width:
            return self.trunc(a, width)
        return self.sext(a, width) if sign else self.zext(a, width)

    def extract(self, a: int, low: int, width: int) -> int:
        """Bits low … low+width-1."""
        n = self.nodes[a]
        assert low >= 0 and width > 0 and low + width <= n.width, (n, low, width)
        if width == n.width:
            return a
        if n.op == "const":
            return self.const((n.value or 0) >> low, width)
        if n.op == "extract":
            return self.extract(n.args[0], low + (n.value or 0), width)
        if n.op == "trunc":
            return self.extract(n.args[0], low, width)
        if n.op in ("zext", "sext"):
            inner = n.args[0]
            w = self.width(inner)
            if low + width <= w:
                return self.extract(inner, low, width)
            if n.op == "zext":
                return (
                    self.const(0, width)
                    if low >= w
                    else self.zext(self.extract(inner, low, w - low), width)
                )
            if low < w:
                return self.sext(self.extract(inner, low, w - low), width)
            return self.sext(self.extract(inner, w - 1, 1), width)
        if n.op == "concat":
            parts: list[int] = []
            at = 0
            for p in reversed(n.args):
                w = self.width(p)
                lo, hi = max(low, at), min(low + width, at + w)
                if lo < hi:
                    parts.append(self.extract(p, lo - at, hi - lo))
                at += w
            return self.concat(parts[::-1])
        if n.op in ("and", "or", "xor") and any(
            self.nodes[x].op in ("const", "concat") for x in n.args
        ):
            return self.binary(n.op, *(self.extract(x, low, width) for x in n.args))
        if self.has_constant_arms(n):
            return self.select(n.args[0], *(self.extract(x, low, width) for x in n.args[1:]))
        if low == 0:
            return self._pure("trunc", width, (a,))
        return self._pure("extract", width, (a,), low)

    def concat(self, parts: Sequence[int]) -> int:
        """High part first."""
        flat: list[int] = []
        for p in parts:
            n = self.nodes[p]
            for q in n.args if n.op == "concat" else (p,):
                if flat and (merged := self._join(flat[-1], q)) is not None:
                    flat[-1] = merged
                else:
                    flat.append(q)
        if len(flat) == 1:
            return flat[0]
        width = sum(self.width(p) for p in flat)
        if self.constant(flat[0]) == 0:
            return self.zext(self.concat(flat[1:]), width)
        if (top := self.nodes[flat[0]]).op in ("zext", "sext"):
            inner = self.concat([top.args[0], *flat[1:]])
            return self.resize(inner, width, top.op == "sext")
        return self._pure("concat", width, flat)

    def _join(self, high: int, low: int) -> int | None:
        """Two neighbours of a concat as one node, if that is simpler."""
        h, lo = self.nodes[high], self.nodes[low]
        if h.op == "const" and lo.op == "const":
            return self.const((h.value or 0) << lo.width | (lo.value or 0), h.width + lo.width)
        if lo.op == "zext" and h.op == "const" and h.value == 0:
            return self.zext(lo.args[0], h.width + lo.width)

        def slice_(n: Node) -> tuple[int, int]:
            if n.op in ("extract", "trunc"):
                return n.args[0], n.value or 0
            return n.id, 0

        (hs, hl), (ls, ll) = slice_(h), slice_(lo)
        if hs == ls and hl == ll + lo.width and h.op == "extract":
            return self.extract(hs, ll, h.width + lo.width)
        return None
