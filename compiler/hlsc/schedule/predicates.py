# SPDX-License-Identifier: Apache-2.0
"""What can be said about predicates and addresses of one region without knowing values.

Used by the scheduling problem; `verify` has its own, separately written.
"""

from __future__ import annotations

from functools import cached_property

from hlsc.ir import Node, Region

__all__ = ["Predicates"]

_Literal = tuple[int, bool]  # node, value it must have
_LIMIT = 64  # literals of one predicate


class Predicates:
    """Facts about the nodes of `region`; answers are safe: False means "not known"."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self._memo: dict[int, frozenset[_Literal]] = {}

    @cached_property
    def by_id(self) -> dict[int, Node]:
        return self.region.by_id()

    def literals(self, i: int) -> frozenset[_Literal]:
        """Conditions that all hold where node `i` (one bit) is 1."""
        if i not in self._memo:
            found: set[_Literal] = set()
            work: list[_Literal] = [(i, True)]
            while work and len(found) < _LIMIT:
                j, value = work.pop()
                n = self.by_id[j]
                if (j, value) in found:
                    continue
                found.add((j, value))
                if (n.op == "and" and value) or (n.op == "or" and not value):
                    work += [(a, value) for a in n.args]
                elif n.op == "xor" and n.width == 1:
                    for a, b in (n.args, n.args[::-1]):
                        c = self.by_id[b]
                        if c.op == "const":
                            work.append((a, value != bool(c.value)))
                elif n.op == "select" and n.width == 1:
                    cond, one, zero = (self.by_id[a] for a in n.args)
                    if value and zero.op == "const" and zero.value == 0:
                        work += [(cond.id, True), (one.id, True)]
                    elif value and one.op == "const" and one.value == 0:
                        work += [(cond.id, False), (zero.id, True)]
            self._memo[i] = frozenset(found)
        return self._memo[i]

    def exclusive(self, p: int | None, q: int | None) -> bool:
        """In one iteration p and q are never both 1."""
        if p is None or q is None:
            return False
        a, b = self.literals(p), self.literals(q)
        if any((i, not value) in b for i, value in a):
            return True
        return any(self._contradict(x, y) for x in a for y in b if x[0] != y[0])

    def _contradict(self, x: _Literal, y: _Literal) -> bool:
        """Comparisons of one value with different constants."""
        n, m = self.by_id[x[0]], self.by_id[y[0]]
        if n.op in {"eq", "ne"} and m.op in {"eq", "ne"} and n.args[0] == m.args[0]:
            c, d = self.by_id[n.args[1]], self.by_id[m.args[1]]
            if c.op == d.op == "const":
                equal_n, equal_m = (n.op == "eq") == x[1], (m.op == "eq") == y[1]
                if equal_n and equal_m:
                    return c.value != d.value
                return equal_n != equal_m and c.value == d.value
        pairs = ({"eq", "ne"}, {"ult", "uge"}, {"ule", "ugt"}, {"slt", "sge"}, {"sle", "sgt"})
        if n.op != m.op and {n.op, m.op} in pairs and self._operands(n) == self._operands(m):
            return x[1] == y[1]
        return False

    def _operands(self, n: Node) -> list[tuple[str, int]]:
        """Operands such that equal constants are equal."""
        nodes = [self.by_id[a] for a in n.args]
        return [("const", a.value or 0) if a.op == "const" else ("node", a.id) for a in nodes]

    def apart(self, a: Node, b: Node) -> bool:
        """Two accesses of one iteration that never touch one word (both act, that is)."""
        if a.op == b.op == "store" and self.exclusive(a.pred, b.pred):
            return True
        x, y = self._linear(a.args[0]), self._linear(b.args[0])
        if x[0] != y[0]:
            return False
        return x[1] != y[1]

    def different_constants(self, i: int, j: int) -> bool:
        """Addresses that differ in every pair of iterations."""
        a, b = self.by_id[i], self.by_id[j]
        return a.op == b.op == "const" and a.value != b.value

    def _linear(self, i: int) -> tuple[int, int]:
        """(node, constant) with address = node + constant modulo its width."""
        n, total = self.by_id[i], 0
        while n.op in {"add", "sub"}:
            a, b = self.by_id[n.args[0]], self.by_id[n.args[1]]
            if b.op == "const":
                total += (b.value or 0) * (1 if n.op == "add" else -1)
                n = a
            elif a.op == "const" and n.op == "add":
                total += a.value or 0
                n = b
            else:
                break
        return n.id, total % (1 << n.width)
