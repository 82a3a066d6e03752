# SPDX-License-Identifier: Apache-2.0
"""The nodes of a graph under construction: equal expressions become one node."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from hlsc.ir import Loc, Node

__all__ = ["Nodes"]


class Nodes(ABC):
    """Nodes of one region under construction.  Methods return node ids.

    Wires and operations simplify one another, so `binary` and `select` are named here and defined in
    `hlsc.middle.graph.Builder`.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._memo: dict[tuple[object, ...], int] = {}
        self.loc: Loc | None = None

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

    def has_constant_arms(self, n: Node) -> bool:
        """Whether `n` selects one of two constants."""
        return n.op == "select" and all(self.nodes[x].op == "const" for x in n.args[1:])

    # Operations ---------------------------------------------------------------

    @abstractmethod
    def binary(self, op: str, a: int, b: int) -> int:
        """A BINARY or COMPARE operation."""

    @abstractmethod
    def select(self, c: int, a: int, b: int) -> int:
        """`a` where the bit `c` is 1, else `b`."""

    def not_(self, a: int) -> int:
        return self.binary("xor", a, self.const(-1, self.width(a)))

    def and_(self, a: int, b: int) -> int:
        return self.binary("and", a, b)

    def or_(self, a: int, b: int) -> int:
        return self.binary("or", a, b)
