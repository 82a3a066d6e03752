# SPDX-License-Identifier: Apache-2.0
"""Rewriting that shortens paths before scheduling: wires instead of logic.

- `or`, `xor` or `add` of words whose set bits cannot overlap is a concatenation;
- a shift by one of two constants is a selection between two fixed slices, not a barrel shifter.
"""

from __future__ import annotations

from dataclasses import replace

from hlsc.ir import Node, Region

__all__ = ["tidy"]


def tidy(region: Region) -> Region:
    """The region with the rewritings of this module, each node in its old place."""
    return _Tidy(region).region


class _Tidy:
    def __init__(self, region: Region) -> None:
        self.by_id = region.by_id()
        self.next_id = max(self.by_id, default=-1) + 1
        self.out: list[Node] = []
        for n in region.nodes:
            changed = self._joined(n) or self._slice(n) or n
            self.by_id[n.id] = changed
            self.out.append(changed)
        self.region = replace(region, nodes=tuple(self.out))

    def _put(self, like: Node, op: str, width: int, *args: int, value: int | None = None) -> int:
        n = Node(self.next_id, op, width, args, value, loc=like.loc)
        self.next_id += 1
        self.by_id[n.id] = n
        self.out.append(n)
        return n.id

    # ------------------------------------------------------------------------------ joining

    def _joined(self, n: Node) -> Node | None:
        """concat(…, 0 of k bits) | y below 2**k → concat(…, y)."""
        if n.op not in {"or", "xor", "add"}:
            return None
        for high, low in (n.args, n.args[::-1]):
            parts, k = self._zeros_below(high)
            if not k:
                continue
            bits = self._bits(low)
            if bits > k:
                continue
            bottom = self._cut(n, low, k)
            return replace(n, op="concat", args=(*parts, bottom))
        return None

    def _zeros_below(self, i: int) -> tuple[tuple[int, ...], int]:
        """(upper parts, k): node i is a concatenation that ends in k zero bits."""
        n = self.by_id[i]
        if n.op == "concat":
            last = self.by_id[n.args[-1]]
            if last.op == "const" and last.value == 0:
                return n.args[:-1], last.width
        return (), 0

    def _bits(self, i: int) -> int:
        """Node i is below 2**bits."""
        n = self.by_id[i]
        if n.op == "const":
            return (n.value or 0).bit_length()
        if n.op == "zext":
            return min(self.by_id[n.args[0]].width, self._bits(n.args[0]))
        if n.op == "concat":
            first = self.by_id[n.args[0]]
            if first.op == "const":
                rest = n.width - first.width
                return rest + (first.value or 0).bit_length() if first.value else rest
        return n.width

    def _cut(self, like: Node, i: int, width: int) -> int:
        """The low `width` bits of node i."""
        n = self.by_id[i]
        if n.width == width:
            return i
        if n.op == "zext":
            inner = self.by_id[n.args[0]]
            if inner.width >= width:
                return self._cut(like, inner.id, width)
            return self._put(like, "zext", width, inner.id)
        return self._put(like, "trunc", width, i)

    # ------------------------------------------------------------------------------- shifts

    def _slice(self, n: Node) -> Node | None:
        """(x >> (c ? k1 : k2)), whole or truncated → c ? slice : slice."""
        shift = self.by_id[n.args[0]] if n.op == "trunc" else n
        if shift.op != "lshr":
            return None
        amount, widened = self.by_id[shift.args[1]], []
        while amount.op in {"zext", "sext"}:
            widened.append(amount)
            amount = self.by_id[amount.args[0]]
        if amount.op != "select":
            return None
        values = []
        for k in amount.args[1:]:
            c = self.by_id[k]
            if c.op != "const" or c.value is None:
                return None
            value, width = c.value, c.width
            for e in reversed(widened):
                if e.op == "sext" and value >> (width - 1):
                    value += (1 << e.width) - (1 << width)
                width = e.width
            values.append(value)
        arms = [self._field(n, shift.args[0], value) for value in values]
        return replace(n, op="select", args=(amount.args[0], *arms))

    def _field(self, n: Node, x: int, low: int) -> int:
        """(x >> low) in n.width bits."""
        source = self.by_id[x]
        here = min(n.width, source.width - low)
        if here <= 0:
            return self._put(n, "const", n.width, value=0)
        part = x if here == source.width else self._put(n, "extract", here, x, value=low)
        return part if here == n.width else self._put(n, "zext", n.width, part)
