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

from hlsc.ir import BINARY, COMPARE, Node
from hlsc.middle.bits import evaluate
from hlsc.middle.identities import arithmetic, comparison, selection
from hlsc.middle.wires import Wires

__all__ = ["Builder"]

_COMMUTE = frozenset("add mul and or xor eq ne".split())
_SWAP = dict(ugt="ult", ule="uge", sgt="slt", sle="sge")


class Builder(Wires):
    """A region's graph under construction, with every operation.  Methods return node ids."""

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
        if op in COMPARE:
            simpler = comparison(self, op, a, b, cb)
        else:
            simpler = arithmetic(self, op, a, b, ca, cb)
        if simpler is not None:
            return simpler
        assert op in BINARY or op in COMPARE, op
        return self._pure(op, 1 if op in COMPARE else w, (a, b))

    def select(self, c: int, a: int, b: int) -> int:
        assert self.width(a) == self.width(b) and self.width(c) == 1
        simpler = selection(self, c, a, b)
        return self._pure("select", self.width(a), (c, a, b)) if simpler is None else simpler

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
