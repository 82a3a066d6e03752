# SPDX-License-Identifier: Apache-2.0
"""LLVM's integer intrinsics as nodes."""

from __future__ import annotations

from hlsc.errors import SourceError
from hlsc.middle.graph import Builder
from hlsc.middle.llvmtypes import Instr

__all__ = ["call_value"]

_MINMAX = {"smax": "sgt", "smin": "slt", "umax": "ugt", "umin": "ult"}


def call_value(b: Builder, i: Instr, args: list[int], bits: int) -> int:
    """The node of a call; a `with.overflow` result is {overflow, value} as one bit vector."""
    parts = i.callee.split(".")
    if parts[0] != "llvm":
        raise SourceError(
            f"the function {i.callee} must be inlined",
            i.loc,
            "remove recursion and INLINE off, and call no library functions",
        )
    kind = parts[1]
    a = args[0] if args else 0
    if kind in _MINMAX:
        return b.select(b.binary(_MINMAX[kind], a, args[1]), a, args[1])
    if kind == "abs":
        negative = b.binary("slt", a, b.const(0, bits))
        return b.select(negative, b.binary("sub", b.const(0, bits), a), a)
    if kind in ("fshl", "fshr"):
        return _funnel(b, kind, args, bits)
    if kind == "bswap":
        return b.concat([b.extract(a, 8 * k, 8) for k in range(bits // 8)])
    if kind == "bitreverse":
        return b.concat([b.extract(a, k, 1) for k in range(bits)])
    if kind == "ctpop":
        return _sum([b.extract(a, k, 1) for k in range(bits)], b, bits)
    if kind in ("ctlz", "cttz"):
        order = range(bits - 1, -1, -1) if kind == "cttz" else range(bits)
        got = b.const(bits, bits)
        for k in order:
            got = b.select(
                b.extract(a, k, 1), b.const(k if kind == "cttz" else bits - 1 - k, bits), got
            )
        return got
    if len(parts) > 2 and parts[2] in ("sat", "with"):
        return _overflow(b, kind, args, parts[2] == "sat")
    if kind in ("scmp", "ucmp"):
        s = kind[0]
        less, more = b.binary(f"{s}lt", a, args[1]), b.binary(f"{s}gt", a, args[1])
        return b.select(less, b.const(-1, bits), b.zext(more, bits) if bits > 1 else more)
    if kind == "expect":
        return a
    raise SourceError(
        f"the intrinsic {i.callee} is not supported", i.loc, "write it with plain integers"
    )


def _sum(items: list[int], b: Builder, bits: int) -> int:
    items = [b.zext(x, bits) for x in items]
    while len(items) > 1:
        items = [
            b.binary("add", items[k], items[k + 1]) if k + 1 < len(items) else items[k]
            for k in range(0, len(items), 2)
        ]
    return items[0]


def _funnel(b: Builder, kind: str, args: list[int], bits: int) -> int:
    high, low, amount = args
    n = b.constant(amount)
    both = b.concat([high, low])
    if n is not None:
        n %= bits
        start = bits - n if kind == "fshl" else n
        return b.extract(both, start, bits)
    amount = b.binary("urem", amount, b.const(bits, bits))
    wide = b.zext(amount, 2 * bits)
    if kind == "fshr":
        return b.trunc(b.binary("lshr", both, wide), bits)
    return b.extract(b.binary("shl", both, wide), bits, bits)


def _overflow(b: Builder, kind: str, args: list[int], saturate: bool) -> int:
    sign, op = kind[0] == "s", kind[1:]
    w = b.width(args[0])
    wide = 2 * w if op == "mul" else w + 2
    if op == "shl":
        raise SourceError("a saturating shift is not supported", b.loc, "compare before shifting")
    x, y = (b.resize(v, wide, sign) for v in args[:2])
    exact = b.binary(op, x, y)
    value = b.trunc(exact, w)
    fits = b.binary("eq", b.resize(value, wide, sign), exact)
    if not saturate:
        return b.concat([b.not_(fits), value])
    top = b.extract(exact, wide - 1, 1)
    if sign:
        low, high = b.const(1 << (w - 1), w), b.const((1 << (w - 1)) - 1, w)
    else:
        low, high = b.const(0, w), b.const(-1, w)
        if op == "add":
            low = high
    return b.select(fits, value, b.select(top, low, high))
