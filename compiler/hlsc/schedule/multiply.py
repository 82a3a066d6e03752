# SPDX-License-Identifier: Apache-2.0
"""Products that one DSP48E1 cannot hold become sums of products that it can.

    x · y = (x_1 · 2^k + x_0) · y = ((x_1 · y + (x_0 · y >> k)) << k) + (x_0 · y mod 2^k)

Every partial product then has its own register in its DSP, and the sums between are additions like any
other, for the scheduler to place.  Left to synthesis, the parts of a wide product hang together
combinationally: 5 ns and more of cells without any net.
"""

from __future__ import annotations

from hlsc.ir import Node, Region
from hlsc.middle.graph import Builder
from hlsc.middle.simplify import rebuild
from hlsc.schedule.delays import multiplier_dsps, multiplier_pieces
from hlsc.schedule.sharing import Sharing, inner_loc

__all__ = ["split_multiplications"]


def split_multiplications(region: Region, shares: Sharing = lambda n, by_id: None) -> Region:
    """The region without products of several DSPs, but for those that share one; same meaning."""
    by_id = region.by_id()

    def splits(n: Node) -> bool:
        return n.op == "mul" and _wide(n, by_id) and shares(n, by_id) is None

    if not any(splits(n) for n in region.nodes):
        return region

    def change(b: Builder, n: Node, args: list[int]) -> int | None:
        if not splits(n):
            return None
        b.loc = inner_loc(n)
        return b.name(_split(b, n.width, args), n.name)

    return rebuild(region, change)


def _wide(n: Node, by_id: dict[int, Node]) -> bool:
    return multiplier_dsps(*(_bits(by_id[a], by_id, n.width) for a in n.args)) > 1


def _bits(n: Node, by_id: dict[int, Node] | list[Node], width: int) -> int:
    """Bits of a factor as a signed number, of `width` at most."""
    if n.op == "const":
        value = n.value or 0
        size = min(value, (1 << n.width) - 1 - value).bit_length() + 1
    elif n.op in {"zext", "sext"}:
        size = by_id[n.args[0]].width + (n.op == "zext")
    else:
        size = n.width
    return min(size, width)


def _split(b: Builder, width: int, args: list[int]) -> int:
    factors = [_bits(b.node(a), b.nodes, width) for a in args]
    limits = multiplier_pieces(*factors)
    total = None
    for low, x, xs in _pieces(b, args[0], factors[0], limits[0]):
        for high, y, ys in _pieces(b, args[1], factors[1], limits[1]):
            shift = low + high
            if shift >= width:
                continue
            size = min(width - shift, xs + ys)
            product = b.binary("mul", b.resize(x, size, True), b.resize(y, size, True))
            term = b.resize(product, width - shift, True)
            if total is None:
                total = term
            elif shift == 0:
                total = b.binary("add", total, term)
            else:
                top = b.binary("add", b.extract(total, shift, width - shift), term)
                total = b.concat([top, b.extract(total, 0, shift)])
    assert total is not None
    return total


def _pieces(b: Builder, value: int, bits: int, limit: int) -> list[tuple[int, int, int]]:
    """(place, signed piece, its bits): those below the last are unsigned, with a 0 on top."""
    found, at = [], 0
    while bits - at > limit:
        found.append((at, b.zext(b.extract(value, at, limit - 1), limit), limit))
        at += limit - 1
    return [*found, (at, b.extract(value, at, bits - at), bits - at)]
