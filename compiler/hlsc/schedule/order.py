# SPDX-License-Identifier: Apache-2.0
"""In which order accesses must stand: to streams, to memories, around the tokens of shared halves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hlsc.ir import Memory, Node, Region
from hlsc.schedule.delays import Cost, has_ports
from hlsc.schedule.ports import deal_ports, port_name
from hlsc.schedule.predicates import Predicates

__all__ = ["Order"]


class Order:
    """Constraints between the accesses of one region.

    `ops`: its operations; `edge(src, dst, latency, distance, why)` takes a constraint; `after`: as of
    `problem.build`.  `port_of` and `exclusive` are those of a `Problem`.
    """

    def __init__(
        self,
        region: Region,
        ops: Sequence[Node],
        costs: Mapping[int, Cost],
        memories: Mapping[str, Memory],
        after: frozenset[tuple[str, str]],
        edge: Callable[[int, int, int, int, str], None],
    ) -> None:
        self.region, self.ops, self.costs = region, ops, costs
        self.memories, self.after, self.edge = memories, after, edge
        self.predicates = Predicates(region)
        self.place = {n.id: k for k, n in enumerate(region.nodes)}
        self.port_of: dict[int, int] = {}
        self.exclusive: set[tuple[int, int]] = set()

    def channels(self) -> None:
        """Accesses to a stream in program order, also of those that come back round."""
        groups: dict[tuple[str, str], list[Node]] = {}
        for n in self.ops:
            if n.op in {"read", "empty", "write", "out"}:
                side = "in" if n.op in {"read", "empty"} else "out"
                groups.setdefault((side, n.ref or ""), []).append(n)
        for nodes in groups.values():
            self._ordered(nodes)
        if self.after:
            for w in self.ops:
                for r in self.ops:
                    comes_back = w.op == "write" and r.op == "read" and (w.ref, r.ref) in self.after
                    if not comes_back or not self._before(w, r):
                        continue
                    if not self.predicates.exclusive(w.pred, r.pred):
                        self.edge(w.id, r.id, 1, 0, "order")

    def _before(self, a: Node, b: Node) -> bool:
        return self.place[a.id] < self.place[b.id]

    def _ordered(self, nodes: list[Node]) -> None:
        """Accesses to one end of one channel, in program order."""

        def gap(a: Node, b: Node) -> int | None:
            """Least cycles from a to b behind it; None: no order."""
            if a.op == b.op == "empty":
                return None
            return 0 if a.op == "empty" else 1

        exact = len(nodes) <= 48
        for k, a in enumerate(nodes):
            for b in nodes[k + 1 :] if exact else nodes[k + 1 : k + 2]:
                g = gap(a, b) if exact else 1
                if g is None:
                    continue
                if g and exact and self.predicates.exclusive(a.pred, b.pred):
                    g = 0
                self.edge(a.id, b.id, g, 0, "order")
        later = nodes if exact else nodes[-1:]
        for b in later:  # b of one iteration, a of the next
            for a in nodes if exact else nodes[:1]:
                g = gap(b, a)
                if a is not b and g is not None:
                    self.edge(b.id, a.id, g, 1, "order")

    def memory(self) -> list[tuple[str, tuple[int, ...]]]:
        """Hazards; gives the ports that several accesses share."""
        ports: list[tuple[str, tuple[int, ...]]] = []
        for name, memory in sorted(self.memories.items()):
            nodes = [n for n in self.ops if n.op in {"load", "store"} and n.ref == name]
            if not nodes:
                continue
            self._hazards(nodes, 0 if memory.external is None else 1)
            self._tokens(nodes, memory)
            if not has_ports(memory):
                continue
            dealt = deal_ports(memory, nodes, lambda a, b: self.predicates.exclusive(a.pred, b.pred))
            self.port_of |= dealt
            for port in sorted(set(dealt.values())):
                group = [n for n in nodes if dealt[n.id] == port]
                if len(group) > 1:
                    ports.append((port_name(memory, port), tuple(n.id for n in group)))
                    for k, a in enumerate(group):
                        for b in group[k + 1 :]:
                            stores = a.op == b.op == "store"
                            if stores and self.predicates.exclusive(a.pred, b.pred):
                                self.exclusive.add((a.id, b.id))
        return ports

    def _tokens(self, nodes: list[Node], memory: Memory) -> None:
        """A half between processes is touched behind the token that it was waited for with, and its
        words are there before the token that gives it on."""
        for token in self.ops:
            for n in nodes:
                if token.op == "read" and token.ref == memory.take:
                    distance = 0 if self._before(token, n) else 1
                    self.edge(token.id, n.id, 0, distance, "order")
                elif token.op == "write" and token.ref == memory.give:
                    distance = 0 if self._before(n, token) else 1
                    self.edge(n.id, token.id, self.costs[n.id].latency, distance, "order")

    def _hazards(self, nodes: list[Node], after_read: int) -> None:
        """`after_read`: cycles from a read to a write of its word; 0 where reads come first in a cycle,
        which is not known of memories outside."""
        facts = self.region.dependences
        for k, a in enumerate(nodes):
            for j, b in enumerate(nodes):
                if a.op == b.op == "load" or self.predicates.different_constants(a.args[0], b.args[0]):
                    continue
                kind = {"store": {"load": "RAW", "store": "WAW"}, "load": {"store": "WAR"}}[a.op][b.op]
                gap = after_read if kind == "WAR" else 1
                mine = [f for f in facts if f.memory == a.ref and f.kind in {"", kind}]
                if k < j:  # a stands before b: the same iteration
                    if any(not f.inter for f in mine):
                        pass
                    elif kind == "WAW" and self.predicates.exclusive(a.pred, b.pred):
                        self.edge(a.id, b.id, 0, 0, "memory")
                    elif kind != "WAW" and self.predicates.apart(a, b):
                        pass
                    else:
                        self.edge(a.id, b.id, gap, 0, "memory")
                if a is b:  # one store, iterations apart: in order by itself
                    continue
                distances = [f.distance for f in mine if f.inter]
                if not distances:
                    self.edge(a.id, b.id, gap, 1, "memory")
                elif None not in distances:
                    self.edge(a.id, b.id, gap, max(d or 1 for d in distances), "memory")
