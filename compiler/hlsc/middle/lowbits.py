# SPDX-License-Identifier: Apache-2.0
"""Low bits that never change: those of a counter that steps by a multiple of a power of two.

They decide which bank an access goes to.  `for (i = 0; i < n; i += 2)` with `t[i]` and `t[i + 1]`, also
what UNROLL factor=2 makes, has one access per bank of a cyclic partition only if bit 0 of i is known.
"""

from __future__ import annotations

from dataclasses import replace

from hlsc.ir import Node, Process, Region
from hlsc.middle.bits import evaluate, signed
from hlsc.middle.graph import Builder
from hlsc.middle.simplify import rebuild

__all__ = ["fold_low_bits"]

Low = tuple[int, int]
"""(how many of the lowest bits are known, their value)"""

_CARRY_UP = frozenset("add sub and or xor".split())  # bit k depends on bits 0 … k of the operands


def fold_low_bits(process: Process) -> Process:
    """Conditions that low bits decide become constants."""
    known = _solve(process)

    def fold(region: Region) -> Region:
        values = known[region.name]
        if not any(_decided(n, values.get(n.id)) for n in region.nodes):
            return region

        def change(b: Builder, n: Node, args: list[int]) -> int | None:
            low = values.get(n.id)
            return b.const(low[1], 1) if low and _decided(n, low) else None

        return rebuild(region, change)

    return replace(process, regions=tuple(fold(r) for r in process.regions))


def _decided(n: Node, low: Low | None) -> bool:
    """Whether the node is a condition that never changes."""
    return low is not None and n.op not in ("const", "phi") and n.width == low[0] == 1


def _solve(process: Process) -> dict[str, dict[int, Low]]:
    """By region and node.  Optimistic: what has not been reached is absent, and bits only get lost."""
    variables: dict[str, Low] = {}
    known: dict[str, dict[int, Low]] = {r.name: {} for r in process.regions}
    widths = {r.name: {n.id: n.width for n in r.nodes} for r in process.regions}
    changed = True
    while changed:
        changed = False
        for r in process.regions:
            values, width = known[r.name], widths[r.name]
            for n in r.nodes:
                new = _join(values.get(n.id), _low(n, values, variables, width))
                if new is not None and new != values.get(n.id):
                    values[n.id] = new
                    changed = True
            for v, i in r.liveouts.items():
                new = _join(variables.get(v), values.get(i))
                if new is not None and new != variables.get(v):
                    variables[v] = new
                    changed = True
    return known


def _join(a: Low | None, b: Low | None) -> Low | None:
    if a is None or b is None:
        return a or b
    k = min(a[0], b[0])
    differ = (a[1] ^ b[1]) & ((1 << k) - 1)
    return _first(a, k if not differ else _zeros(differ))


def _first(a: Low, k: int) -> Low:
    k = min(a[0], k)
    return k, a[1] & ((1 << k) - 1)


def _zeros(value: int) -> int:
    return (value & -value).bit_length() - 1


def _low(
    n: Node, values: dict[int, Low], variables: dict[str, Low], widths: dict[int, int]
) -> Low | None:
    """What a node's operands say of its lowest bits; None: they have no value yet."""
    if n.op == "const":
        return n.width, n.value or 0
    if n.op == "var":
        return variables.get(n.ref or "")
    if n.op == "phi":
        return _join(values.get(n.args[0]), values.get(n.args[1]))
    args = [values.get(a) for a in n.args]
    if any(a is None for a in args):
        return None
    lows = [a for a in args if a is not None]
    match n.op:
        case "zext" | "sext":
            w = widths[n.args[0]]
            k, v = lows[0]
            if k < w:
                return k, v
            return n.width, (signed(v, w) if n.op == "sext" else v) & ((1 << n.width) - 1)
        case "trunc":
            return _first(lows[0], n.width)
        case "extract":
            k, v = lows[0]
            lowest = n.value or 0
            return _first((max(0, k - lowest), v >> lowest), n.width)
        case "concat":
            k = v = 0
            for a, low in zip(reversed(n.args), reversed(lows), strict=True):
                k, v = k + low[0], v | low[1] << k
                if low[0] < widths[a]:
                    break
            return k, v
        case "select":
            return _join(lows[1], lows[2])
        case "mul":
            return _product(lows[0], lows[1], n.width)
        case "eq":
            k = min(lows[0][0], lows[1][0])
            if _first(lows[0], k) != _first(lows[1], k):
                return 1, 0
            return (1, 1) if k == widths[n.args[0]] else (0, 0)
        case op if op in _CARRY_UP:
            k = min(lows[0][0], lows[1][0])
            a, b = (_first(x, k)[1] for x in lows)
            return k, evaluate(op, k, a, b) if k else 0
        case _:
            return 0, 0


def _product(a: Low, b: Low, width: int) -> Low:
    """(A 2^i + a) (B 2^j + b): a b is known below the lowest bit of the other terms."""
    zeros = [_zeros(v) if v else k for k, v in (a, b)]
    k = min(a[0] + zeros[1], b[0] + zeros[0], width)
    return k, a[1] * b[1] & ((1 << k) - 1)
