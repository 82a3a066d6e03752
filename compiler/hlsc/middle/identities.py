# SPDX-License-Identifier: Apache-2.0
"""Identities of operations: the simpler node that equals an operation, or None.

Each works on canonical operands (see `hlsc.middle.graph`): a constant stands on the right.
"""

from __future__ import annotations

from itertools import pairwise

from hlsc.middle.bits import signed
from hlsc.middle.wires import Wires

__all__ = ["arithmetic", "comparison", "selection"]


def arithmetic(g: Wires, op: str, a: int, b: int, ca: int | None, cb: int | None) -> int | None:
    """A simpler node for a BINARY operation, given the values of constant operands."""
    w = g.width(a)
    ones = (1 << w) - 1
    if op in ("and", "or"):
        return _logic(g, op, a, b, cb)
    if op in ("add", "sub", "xor", "shl", "lshr", "ashr") and cb == 0:
        return a
    if op in ("sub", "xor") and a == b:
        return g.const(0, w)
    if op == "sub" and cb is not None:
        return g.binary("add", a, g.const(-cb, w))
    if op == "add" and w == 1:
        return g.binary("xor", a, b)
    if op == "mul" and w == 1:
        return g.and_(a, b)
    if op == "add" and cb is not None:
        n = g.nodes[a]
        if n.op == "add" and (c := g.constant(n.args[1])) is not None:
            return g.binary("add", n.args[0], g.const(c + cb, w))
    if op == "xor" and cb == ones and (x := _inverse_of(g, a)) is not None:
        return x
    if op in ("mul", "udiv", "sdiv") and cb == 1 and w > 1:
        return a
    if op == "mul" and cb is not None:
        if cb == 0:
            return b
        if cb & (cb - 1) == 0:
            return g.binary("shl", a, g.const(cb.bit_length() - 1, w))
    if op == "udiv" and cb and cb & (cb - 1) == 0:
        return g.binary("lshr", a, g.const(cb.bit_length() - 1, w))
    if op == "urem" and cb and cb & (cb - 1) == 0:
        return g.and_(a, g.const(cb - 1, w))
    if op in ("shl", "lshr", "ashr") and cb is not None:
        if cb >= w:
            return g.const(0, w) if op != "ashr" else g.sext(g.extract(a, w - 1, 1), w)
        if op == "shl":
            return g.concat([g.trunc(a, w - cb), g.const(0, cb)])
        return g.resize(g.extract(a, cb, w - cb), w, op == "ashr")
    if op in ("shl", "lshr", "ashr") and ca == 0:
        return a
    if op in ("shl", "lshr", "ashr") and (amounts := _two_constants(g, b)) is not None:
        c, x, y = amounts
        return g.select(c, g.binary(op, a, g.const(x, w)), g.binary(op, a, g.const(y, w)))
    if op == "add" and (got := _segments(g, op, a, b)) is not None:
        return got
    if op == "xor" and cb is None and (got := _segments(g, op, a, b)) is not None:
        return got
    return None


def _two_constants(g: Wires, i: int) -> tuple[int, int, int] | None:
    """(condition, value if 1, value if 0) of a node that takes two values by one bit."""
    n = g.nodes[i]
    if g.has_constant_arms(n):
        x, y = (g.constant(v) or 0 for v in n.args[1:])
        return n.args[0], x, y
    parts = n.args if n.op in ("concat", "zext") else ()
    open_ = [p for p in parts if g.nodes[p].op != "const"]
    if len(open_) != 1:
        return None
    inner = g.nodes[open_[0]]
    if inner.width == 1 and not g.has_constant_arms(inner):
        got: tuple[int, int, int] | None = (inner.id, 1, 0)
    else:
        got = _two_constants(g, inner.id)
    if got is None:
        return None
    values = []
    for v in got[1:]:
        total = 0
        for p in parts:
            total = total << g.width(p) | (v if p == inner.id else g.constant(p) or 0)
        values.append(total)
    return got[0], values[0], values[1]


def _zeros(g: Wires, i: int) -> list[tuple[int, int]]:
    """(lowest bit, bits) of the parts of a node that are the constant 0."""
    n = g.nodes[i]
    if n.op == "zext":
        k = g.width(n.args[0])
        return [*_zeros(g, n.args[0]), (k, n.width - k)]
    out = []
    if n.op == "concat":
        at = 0
        for p in reversed(n.args):
            if g.constant(p) == 0:
                out.append((at, g.width(p)))
            at += g.width(p)
    return out


def _segments(g: Wires, op: str, a: int, b: int) -> int | None:
    """or, xor and add of values whose parts meet zeros: the parts stand side by side."""
    w = g.width(a)
    za, zb = _zeros(g, a), _zeros(g, b)
    if not za and not zb:
        return None
    parts: list[int] = []
    if op == "add":  # carries only rise: take the parts below the first overlap
        low = 0
        while low < w:
            for zs, other in ((za, b), (zb, a)):
                end = next((at + k for at, k in zs if at <= low < at + k), low)
                if end > low:
                    parts.append(g.extract(other, low, end - low))
                    low = end
                    break
            else:
                break
        if low == 0:
            return None
        if low < w:
            rest = (g.extract(a, low, w - low), g.extract(b, low, w - low))
            parts.append(g.binary("add", *rest))
        return g.concat(parts[::-1])
    cuts = sorted({0, w, *(x for at, k in za + zb for x in (at, at + k))})
    gained = False
    for lo, hi in pairwise(cuts):
        a_zero = any(at <= lo and hi <= at + k for at, k in za)
        b_zero = any(at <= lo and hi <= at + k for at, k in zb)
        if a_zero or b_zero:
            parts.append(g.extract(b if a_zero else a, lo, hi - lo))
            gained = True
        else:
            parts.append(g.binary(op, g.extract(a, lo, hi - lo), g.extract(b, lo, hi - lo)))
    return g.concat(parts[::-1]) if gained else None


def _logic(g: Wires, op: str, a: int, b: int, cb: int | None) -> int | None:
    w = g.width(a)
    ones = (1 << w) - 1
    dual = "or" if op == "and" else "and"
    neutral, absorbing = (ones, 0) if op == "and" else (0, ones)
    if cb == neutral:
        return a
    if cb == absorbing:
        return b
    if a == b:
        return a
    if _opposite(g, a, b):
        return g.const(absorbing, w)
    if op == "and" and cb is not None:
        k = cb.bit_length()
        if cb == (1 << k) - 1:
            return g.zext(g.trunc(a, k), w)
        low = (cb & -cb).bit_length() - 1
        if (cb >> low) & ((cb >> low) + 1) == 0:  # one run of ones
            return g.zext(g.concat([g.extract(a, low, k - low), g.const(0, low)]), w)
    for x, y in ((a, b), (b, a)):
        n = g.nodes[y]
        if n.op == op and x in n.args:
            return y
        if n.op == dual:
            if x in n.args:
                return x
            for p, q in (n.args, n.args[::-1]):
                if _opposite(g, x, p):  # x | (!x & q) = x | q
                    return g.binary(op, x, q)
    m, n = g.nodes[a], g.nodes[b]
    if m.op == dual and n.op == dual:  # (x & y) | (x & !y) = x
        for x, y in (m.args, m.args[::-1]):
            for u, v in (n.args, n.args[::-1]):
                if x == u and _opposite(g, y, v):
                    return x
    if m.op == "zext" and n.op == "zext":
        k = max(g.width(m.args[0]), g.width(n.args[0]))
        if k < w:
            return g.zext(g.binary(op, g.zext(m.args[0], k), g.zext(n.args[0], k)), w)
    if op == "or":
        return _segments(g, op, a, b)
    return None


def comparison(g: Wires, op: str, a: int, b: int, cb: int | None) -> int | None:
    """A simpler node for eq, ult or slt with `cb`, if that is not None, on the right."""
    w = g.width(a)
    if a == b:
        return g.const(op == "eq", 1)
    if w == 1 and op == "eq":
        return g.not_(g.binary("xor", a, b))
    if op == "ult" and cb == 0:
        return g.const(0, 1)
    if op == "ult" and cb == 1:
        return g.binary("eq", a, g.const(0, w))
    if op == "ult" and cb == (1 << w) - 1:
        return g.not_(g.binary("eq", a, b))
    if op == "slt" and cb == 0:
        return g.extract(a, w - 1, 1)
    if op == "slt" and cb == 1 << (w - 1):
        return g.const(0, 1)
    return _narrow_comparison(g, op, a, b, cb)


def _narrow_comparison(g: Wires, op: str, a: int, b: int, cb: int | None) -> int | None:
    """Compare extended values at their own widths."""
    w = g.width(a)
    m, n = g.nodes[a], g.nodes[b]
    if m.op == "zext" and (n.op == "zext" or cb is not None):
        k = g.width(m.args[0])
        if cb is None:
            k = max(k, g.width(n.args[0]))
        elif cb >> k:  # the constant lies above (or, signed and negative, below) all values
            return g.const(op == "ult" or (op == "slt" and not cb >> (w - 1)), 1)
        if k < w:
            flat = "u" + op[1:] if op[0] == "s" else op
            return g.binary(flat, g.resize(m.args[0], k), g.trunc(b, k))
    if m.op == "sext" and (n.op == "sext" or cb is not None) and op in ("slt", "eq"):
        k = g.width(m.args[0])
        if cb is None:
            k = max(k, g.width(n.args[0]))
        elif not -(1 << (k - 1)) <= signed(cb, w) < 1 << (k - 1):
            return g.const(op == "slt" and not cb >> (w - 1), 1)
        if k < w:
            return g.binary(op, g.resize(m.args[0], k, True), g.trunc(b, k))
    if cb is not None and m.op == "concat" and op == "eq":
        low = m.args[-1]
        if (c := g.constant(low)) is not None:
            k = g.width(low)
            if cb & ((1 << k) - 1) != c:
                return g.const(0, 1)
            return g.binary(op, g.concat(m.args[:-1]), g.const(cb >> k, w - k))
    return None


def selection(g: Wires, c: int, a: int, b: int) -> int | None:
    """A simpler node that is `a` where `c` is 1, else `b`."""
    w = g.width(a)
    cc = g.constant(c)
    if cc is not None:
        return a if cc else b
    if a == b:
        return a
    if (x := _inverse_of(g, c)) is not None:
        return g.select(x, b, a)
    ca, cb = g.constant(a), g.constant(b)
    if w == 1:
        if ca is not None:
            return g.or_(c, b) if ca else g.and_(g.not_(c), b)
        if cb is not None:
            return g.or_(g.not_(c), a) if cb else g.and_(c, a)
        if a == c:
            return g.or_(c, b)
        if b == c:
            return g.and_(c, a)
    elif ca is not None and cb is not None:
        # Only the bits that differ depend on the condition.
        differ = ca ^ cb
        low, high = (differ & -differ).bit_length() - 1, differ.bit_length()
        if high - low < w:
            parts = [g.const(ca >> high, w - high)] if high < w else []
            parts.append(g.select(c, *(g.extract(x, low, high - low) for x in (a, b))))
            parts += [g.const(ca, low)] if low else []
            return g.concat(parts)
    n, m = g.nodes[a], g.nodes[b]
    if n.op == "select" and n.args[0] == c:
        return g.select(c, n.args[1], b)
    if m.op == "select" and m.args[0] == c:
        return g.select(c, a, m.args[2])
    if m.op == "select" and m.args[1] == a:  # c ? a : d ? a : x
        return g.select(g.or_(c, m.args[0]), a, m.args[2])
    if n.op == m.op and n.op in ("zext", "sext"):
        k = max(g.width(n.args[0]), g.width(m.args[0]))
        if k < w:
            s = n.op == "sext"
            x = g.select(c, g.resize(n.args[0], k, s), g.resize(m.args[0], k, s))
            return g.resize(x, w, s)
    return None


def _inverse_of(g: Wires, a: int) -> int | None:
    """x if a is `not x`."""
    n = g.nodes[a]
    if n.op == "xor" and g.constant(n.args[1]) == (1 << n.width) - 1:
        return n.args[0]
    return None


def _opposite(g: Wires, a: int, b: int) -> bool:
    return _inverse_of(g, a) == b or _inverse_of(g, b) == a
