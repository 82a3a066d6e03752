# SPDX-License-Identifier: Apache-2.0
"""Builder of region graphs: hash-consing and local simplification as nodes are made.

Every pass that makes nodes goes through `Builder`, so that constants fold, wires (shifts and masks by
constants, extensions) take one canonical form and equal expressions become one node:

- shl, lshr and ashr by a constant become concat, zext or sext of an extract;
- comparisons are eq, ult and slt, with `not` (xor 1) and a constant on the right;
- an `and` with a mask of low ones becomes zext(trunc);
- the lowest bits are taken by trunc, others by extract; zeros on top are a zext.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from hlsc.ir import BINARY, COMPARE, Loc, Node

__all__ = ["Builder", "evaluate", "signed"]

_COMMUTE = frozenset("add mul and or xor eq ne".split())
_SWAP = dict(ugt="ult", ule="uge", sgt="slt", sle="sge")


def signed(value: int, width: int) -> int:
    """The two's complement reading of a bit vector."""
    return value - (1 << width) if width and value >> (width - 1) else value


def evaluate(op: str, width: int, a: int, b: int) -> int:
    """A BINARY or COMPARE operation on operands of `width` bits; division by zero
    gives all ones (1 for a negative sdiv), its remainder the dividend, as the hardware does."""
    m = (1 << width) - 1
    sa, sb = signed(a, width), signed(b, width)
    match op:
        case "add":
            return a + b & m
        case "sub":
            return a - b & m
        case "mul":
            return a * b & m
        case "and":
            return a & b
        case "or":
            return a | b
        case "xor":
            return a ^ b
        case "shl":
            return a << b & m if b < width else 0
        case "lshr":
            return a >> b if b < width else 0
        case "ashr":
            return sa >> min(b, width - 1) & m
        case "udiv":
            return a // b if b else m
        case "urem":
            return a % b if b else a
        case "sdiv":
            if not b:
                return m if sa >= 0 else 1
            return (abs(sa) // abs(sb) * (1 if (sa < 0) == (sb < 0) else -1)) & m
        case "srem":
            return (abs(sa) % abs(sb) * (-1 if sa < 0 else 1)) & m if b else a
        case "eq" | "ne":
            return int((a == b) == (op == "eq"))
    x, y = (sa, sb) if op[0] == "s" else (a, b)
    return int({"lt": x < y, "le": x <= y, "gt": x > y, "ge": x >= y}[op[1:]])


class Builder:
    """Nodes of one region under construction.  Methods return node ids."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._memo: dict[tuple[object, ...], int] = {}
        self.loc: Loc | None = None

    # Making nodes ---------------------------------------------------------------

    def node(self, i: int) -> Node:
        return self.nodes[i]

    def width(self, i: int) -> int:
        return self.nodes[i].width

    def add(
        self,
        op: str,
        width: int,
        args: Sequence[int] = (),
        value: int | None = None,
        ref: str | None = None,
        pred: int | None = None,
        name: str = "",
    ) -> int:
        """A new node as it is, without looking for an equal one."""
        i = len(self.nodes)
        self.nodes.append(Node(i, op, width, tuple(args), value, ref, pred, name, self.loc))
        return i

    def _pure(
        self,
        op: str,
        width: int,
        args: Sequence[int] = (),
        value: int | None = None,
        ref: str | None = None,
    ) -> int:
        key = (op, width, tuple(args), value, ref)
        found = self._memo.get(key)
        if found is None:
            found = self._memo[key] = self.add(op, width, args, value, ref)
        return found

    def const(self, value: int, width: int) -> int:
        loc, self.loc = self.loc, None
        i = self._pure("const", width, value=value & ((1 << width) - 1))
        self.loc = loc
        return i

    def var(self, name: str, width: int) -> int:
        return self._pure("var", width, ref=name)

    def arg(self, name: str, width: int) -> int:
        return self._pure("arg", width, ref=name)

    def phi(self, init: int, name: str = "") -> int:
        """A phi whose next value is set later by `close`; until then it is the phi itself."""
        i = len(self.nodes)
        return self.add("phi", self.width(init), (init, i), name=name)

    def close(self, phi: int, next_: int) -> None:
        n = self.nodes[phi]
        self.nodes[phi] = Node(n.id, n.op, n.width, (n.args[0], next_), None, None, None, n.name, n.loc)

    def name(self, i: int, name: str) -> int:
        """Give a node a name for the emitted registers if it has none."""
        n = self.nodes[i]
        if name and not n.name and n.op not in {"const", "var", "arg"}:
            self.nodes[i] = Node(n.id, n.op, n.width, n.args, n.value, n.ref, n.pred, name, n.loc)
        return i

    def constant(self, i: int) -> int | None:
        n = self.nodes[i]
        return n.value if n.op == "const" else None

    def is_leaf(self, i: int) -> bool:
        return self.nodes[i].op in {"const", "var", "arg"}

    # Wires ---------------------------------------------------------------

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
        if self._constant_arms(n):
            return self.select(n.args[0], self.sext(n.args[1], width), self.sext(n.args[2], width))
        return self._pure("sext", width, (a,))

    def _constant_arms(self, n: Node) -> bool:
        return n.op == "select" and all(self.nodes[x].op == "const" for x in n.args[1:])

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
        if self._constant_arms(n):
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

    # Arithmetic and logic ---------------------------------------------------------------

    def not_(self, a: int) -> int:
        return self.binary("xor", a, self.const(-1, self.width(a)))

    def _inverse_of(self, a: int) -> int | None:
        """x if a is `not x`."""
        n = self.nodes[a]
        if n.op == "xor" and self.constant(n.args[1]) == (1 << n.width) - 1:
            return n.args[0]
        return None

    def _opposite(self, a: int, b: int) -> bool:
        return self._inverse_of(a) == b or self._inverse_of(b) == a

    def and_(self, a: int, b: int) -> int:
        return self.binary("and", a, b)

    def or_(self, a: int, b: int) -> int:
        return self.binary("or", a, b)

    def any_(self, items: Sequence[int]) -> int:
        return self._tree("or", items, 0)

    def all_(self, items: Sequence[int]) -> int:
        return self._tree("and", items, 1)

    def _tree(self, op: str, items: Sequence[int], empty: int) -> int:
        todo = list(dict.fromkeys(items))
        if not todo:
            return self.const(empty, 1)
        while len(todo) > 1:
            pairs = [todo[i : i + 2] for i in range(0, len(todo), 2)]
            todo = [self.binary(op, *p) if len(p) == 2 else p[0] for p in pairs]
        return todo[0]

    def binary(self, op: str, a: int, b: int) -> int:
        """A BINARY or COMPARE operation."""
        w = self.width(a)
        assert w == self.width(b), (op, self.nodes[a], self.nodes[b])
        ca, cb = self.constant(a), self.constant(b)
        if ca is not None and cb is not None:
            return self.const(evaluate(op, w, ca, cb), 1 if op in COMPARE else w)
        if op in _SWAP:
            return self.binary(_SWAP[op], b, a)
        if op in ("ne", "uge", "sge"):
            return self.not_(self.binary({"ne": "eq", "uge": "ult", "sge": "slt"}[op], a, b))
        if ca is not None and op in ("ult", "slt"):  # c < x is not x < c + 1
            if ca == (1 << w) - 1 >> (op == "slt"):
                return self.const(0, 1)
            return self.not_(self.binary(op, b, self.const(ca + 1, w)))
        if op in _COMMUTE and (ca is not None or (cb is None and a > b)):
            a, b, ca, cb = b, a, cb, ca
        simpler = self._compare(op, a, b, cb) if op in COMPARE else self._arith(op, a, b, ca, cb)
        if simpler is not None:
            return simpler
        assert op in BINARY or op in COMPARE, op
        return self._pure(op, 1 if op in COMPARE else w, (a, b))

    def _arith(self, op: str, a: int, b: int, ca: int | None, cb: int | None) -> int | None:
        w = self.width(a)
        ones = (1 << w) - 1
        if op in ("and", "or"):
            return self._logic(op, a, b, cb)
        if op in ("add", "sub", "xor", "shl", "lshr", "ashr") and cb == 0:
            return a
        if op in ("sub", "xor") and a == b:
            return self.const(0, w)
        if op == "sub" and cb is not None:
            return self.binary("add", a, self.const(-cb, w))
        if op == "add" and w == 1:
            return self.binary("xor", a, b)
        if op == "mul" and w == 1:
            return self.and_(a, b)
        if op == "add" and cb is not None:
            n = self.nodes[a]
            if n.op == "add" and (c := self.constant(n.args[1])) is not None:
                return self.binary("add", n.args[0], self.const(c + cb, w))
        if op == "xor" and cb == ones and (x := self._inverse_of(a)) is not None:
            return x
        if op in ("mul", "udiv", "sdiv") and cb == 1 and w > 1:
            return a
        if op == "mul" and cb is not None:
            if cb == 0:
                return b
            if cb & (cb - 1) == 0:
                return self.binary("shl", a, self.const(cb.bit_length() - 1, w))
        if op == "udiv" and cb and cb & (cb - 1) == 0:
            return self.binary("lshr", a, self.const(cb.bit_length() - 1, w))
        if op == "urem" and cb and cb & (cb - 1) == 0:
            return self.and_(a, self.const(cb - 1, w))
        if op in ("shl", "lshr", "ashr") and cb is not None:
            if cb >= w:
                return self.const(0, w) if op != "ashr" else self.sext(self.extract(a, w - 1, 1), w)
            if op == "shl":
                return self.concat([self.trunc(a, w - cb), self.const(0, cb)])
            return self.resize(self.extract(a, cb, w - cb), w, op == "ashr")
        if op in ("shl", "lshr", "ashr") and ca == 0:
            return a
        if op in ("shl", "lshr", "ashr") and (amounts := self._two_constants(b)) is not None:
            c, x, y = amounts
            return self.select(
                c, self.binary(op, a, self.const(x, w)), self.binary(op, a, self.const(y, w))
            )
        if op == "add" and (got := self._segments(op, a, b)) is not None:
            return got
        if op == "xor" and cb is None and (got := self._segments(op, a, b)) is not None:
            return got
        return None

    def _two_constants(self, i: int) -> tuple[int, int, int] | None:
        """(condition, value if 1, value if 0) of a node that takes two values by one bit."""
        n = self.nodes[i]
        if self._constant_arms(n):
            x, y = (self.constant(v) or 0 for v in n.args[1:])
            return n.args[0], x, y
        parts = n.args if n.op in ("concat", "zext") else ()
        open_ = [p for p in parts if self.nodes[p].op != "const"]
        if len(open_) != 1:
            return None
        inner = self.nodes[open_[0]]
        if inner.width == 1 and not self._constant_arms(inner):
            got: tuple[int, int, int] | None = (inner.id, 1, 0)
        else:
            got = self._two_constants(inner.id)
        if got is None:
            return None
        values = []
        for v in got[1:]:
            total = 0
            for p in parts:
                total = total << self.width(p) | (v if p == inner.id else self.constant(p) or 0)
            values.append(total)
        return got[0], values[0], values[1]

    def _zeros(self, i: int) -> list[tuple[int, int]]:
        """(lowest bit, bits) of the parts of a node that are the constant 0."""
        n = self.nodes[i]
        if n.op == "zext":
            k = self.width(n.args[0])
            return [*self._zeros(n.args[0]), (k, n.width - k)]
        out = []
        if n.op == "concat":
            at = 0
            for p in reversed(n.args):
                if self.constant(p) == 0:
                    out.append((at, self.width(p)))
                at += self.width(p)
        return out

    def _segments(self, op: str, a: int, b: int) -> int | None:
        """or, xor and add of values whose parts meet zeros: the parts stand side by side."""
        w = self.width(a)
        za, zb = self._zeros(a), self._zeros(b)
        if not za and not zb:
            return None
        parts: list[int] = []
        if op == "add":  # carries only rise: take the parts below the first overlap
            low = 0
            while low < w:
                for zs, other in ((za, b), (zb, a)):
                    end = next((at + k for at, k in zs if at <= low < at + k), low)
                    if end > low:
                        parts.append(self.extract(other, low, end - low))
                        low = end
                        break
                else:
                    break
            if low == 0:
                return None
            if low < w:
                rest = (self.extract(a, low, w - low), self.extract(b, low, w - low))
                parts.append(self.binary("add", *rest))
            return self.concat(parts[::-1])
        cuts = sorted({0, w, *(x for at, k in za + zb for x in (at, at + k))})
        gained = False
        for lo, hi in pairwise(cuts):
            a_zero = any(at <= lo and hi <= at + k for at, k in za)
            b_zero = any(at <= lo and hi <= at + k for at, k in zb)
            if a_zero or b_zero:
                parts.append(self.extract(b if a_zero else a, lo, hi - lo))
                gained = True
            else:
                parts.append(
                    self.binary(op, self.extract(a, lo, hi - lo), self.extract(b, lo, hi - lo))
                )
        return self.concat(parts[::-1]) if gained else None

    def _logic(self, op: str, a: int, b: int, cb: int | None) -> int | None:
        w = self.width(a)
        ones = (1 << w) - 1
        dual = "or" if op == "and" else "and"
        neutral, absorbing = (ones, 0) if op == "and" else (0, ones)
        if cb == neutral:
            return a
        if cb == absorbing:
            return b
        if a == b:
            return a
        if self._opposite(a, b):
            return self.const(absorbing, w)
        if op == "and" and cb is not None:
            k = cb.bit_length()
            if cb == (1 << k) - 1:
                return self.zext(self.trunc(a, k), w)
            low = (cb & -cb).bit_length() - 1
            if (cb >> low) & ((cb >> low) + 1) == 0:  # one run of ones
                return self.zext(self.concat([self.extract(a, low, k - low), self.const(0, low)]), w)
        for x, y in ((a, b), (b, a)):
            n = self.nodes[y]
            if n.op == op and x in n.args:
                return y
            if n.op == dual:
                if x in n.args:
                    return x
                for p, q in (n.args, n.args[::-1]):
                    if self._opposite(x, p):  # x | (!x & q) = x | q
                        return self.binary(op, x, q)
        m, n = self.nodes[a], self.nodes[b]
        if m.op == dual and n.op == dual:  # (x & y) | (x & !y) = x
            for x, y in (m.args, m.args[::-1]):
                for u, v in (n.args, n.args[::-1]):
                    if x == u and self._opposite(y, v):
                        return x
        if m.op == "zext" and n.op == "zext":
            k = max(self.width(m.args[0]), self.width(n.args[0]))
            if k < w:
                return self.zext(self.binary(op, self.zext(m.args[0], k), self.zext(n.args[0], k)), w)
        if op == "or":
            return self._segments(op, a, b)
        return None

    def _compare(self, op: str, a: int, b: int, cb: int | None) -> int | None:
        w = self.width(a)
        if a == b:
            return self.const(op == "eq", 1)
        if w == 1 and op == "eq":
            return self.not_(self.binary("xor", a, b))
        if op == "ult" and cb == 0:
            return self.const(0, 1)
        if op == "ult" and cb == 1:
            return self.binary("eq", a, self.const(0, w))
        if op == "ult" and cb == (1 << w) - 1:
            return self.not_(self.binary("eq", a, b))
        if op == "slt" and cb == 0:
            return self.extract(a, w - 1, 1)
        if op == "slt" and cb == 1 << (w - 1):
            return self.const(0, 1)
        return self._narrow_compare(op, a, b, cb)

    def _narrow_compare(self, op: str, a: int, b: int, cb: int | None) -> int | None:
        """Compare extended values at their own widths."""
        w = self.width(a)
        m, n = self.nodes[a], self.nodes[b]
        if m.op == "zext" and (n.op == "zext" or cb is not None):
            k = self.width(m.args[0])
            if cb is None:
                k = max(k, self.width(n.args[0]))
            elif cb >> k:  # the constant lies above (or, signed and negative, below) all values
                return self.const(op == "ult" or (op == "slt" and not cb >> (w - 1)), 1)
            if k < w:
                flat = "u" + op[1:] if op[0] == "s" else op
                return self.binary(flat, self.resize(m.args[0], k), self.trunc(b, k))
        if m.op == "sext" and (n.op == "sext" or cb is not None) and op in ("slt", "eq"):
            k = self.width(m.args[0])
            if cb is None:
                k = max(k, self.width(n.args[0]))
            elif not -(1 << (k - 1)) <= signed(cb, w) < 1 << (k - 1):
                return self.const(op == "slt" and not cb >> (w - 1), 1)
            if k < w:
                return self.binary(op, self.resize(m.args[0], k, True), self.trunc(b, k))
        if cb is not None and m.op == "concat" and op == "eq":
            low = m.args[-1]
            if (c := self.constant(low)) is not None:
                k = self.width(low)
                if cb & ((1 << k) - 1) != c:
                    return self.const(0, 1)
                return self.binary(op, self.concat(m.args[:-1]), self.const(cb >> k, w - k))
        return None

    def select(self, c: int, a: int, b: int) -> int:
        assert self.width(a) == self.width(b) and self.width(c) == 1
        w = self.width(a)
        cc = self.constant(c)
        if cc is not None:
            return a if cc else b
        if a == b:
            return a
        if (x := self._inverse_of(c)) is not None:
            return self.select(x, b, a)
        ca, cb = self.constant(a), self.constant(b)
        if w == 1:
            if ca is not None:
                return self.or_(c, b) if ca else self.and_(self.not_(c), b)
            if cb is not None:
                return self.or_(self.not_(c), a) if cb else self.and_(c, a)
            if a == c:
                return self.or_(c, b)
            if b == c:
                return self.and_(c, a)
        elif ca is not None and cb is not None:
            # Only the bits that differ depend on the condition.
            differ = ca ^ cb
            low, high = (differ & -differ).bit_length() - 1, differ.bit_length()
            if high - low < w:
                parts = [self.const(ca >> high, w - high)] if high < w else []
                parts.append(self.select(c, *(self.extract(x, low, high - low) for x in (a, b))))
                parts += [self.const(ca, low)] if low else []
                return self.concat(parts)
        n, m = self.nodes[a], self.nodes[b]
        if n.op == "select" and n.args[0] == c:
            return self.select(c, n.args[1], b)
        if m.op == "select" and m.args[0] == c:
            return self.select(c, a, m.args[2])
        if m.op == "select" and m.args[1] == a:  # c ? a : d ? a : x
            return self.select(self.or_(c, m.args[0]), a, m.args[2])
        if n.op == m.op and n.op in ("zext", "sext"):
            k = max(self.width(n.args[0]), self.width(m.args[0]))
            if k < w:
                s = n.op == "sext"
                x = self.select(c, self.resize(n.args[0], k, s), self.resize(m.args[0], k, s))
                return self.resize(x, w, s)
        return self._pure("select", w, (c, a, b))

    # Copying ---------------------------------------------------------------

    def copy(self, n: Node, args: Sequence[int], pred: int | None = None) -> int:
        """Node `n` of another graph on operands of this one (not for phi)."""
        self.loc = n.loc
        make: Callable[[], int]
        match n.op:
            case "const":
                return self.const(n.value or 0, n.width)
            case "var" | "arg":
                return self._pure(n.op, n.width, ref=n.ref)
            case "zext" | "sext" | "trunc":
                make = lambda: getattr(self, n.op)(args[0], n.width)  # noqa: E731
            case "select":
                make = lambda: self.select(*args)  # noqa: E731
            case "extract":
                make = lambda: self.extract(args[0], n.value or 0, n.width)  # noqa: E731
            case "concat":
                make = lambda: self.concat(args)  # noqa: E731
            case op if op in BINARY or op in COMPARE:
                make = lambda: self.binary(op, *args)  # noqa: E731
            case _:
                return self.add(n.op, n.width, args, n.value, n.ref, pred, n.name)
        return self.name(make(), n.name)
