# SPDX-License-Identifier: Apache-2.0
"""Which operations share operators: ALLOCATION as a mark on nodes.

A limit that a process does not exceed asks for nothing.  The others form pools: limits of one kind
whose operations overlap (a limited function inlined into another one) draw on the same operators.  Pool
operators are numbered; an operation under a limit of n takes one of the first n, so every limit holds,
also for all regions of the process together.

A marked node has `ref`, its pool, and `value`, the number of operators that it may choose from.  An
operation whose origin LLVM has lost counts for every limit of its kind.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from hlsc.ir import SHAREABLE, Allocation, Loc, Node, Process, Region

__all__ = [
    "Pool",
    "Sharing",
    "governed",
    "inner_loc",
    "mark",
    "pools_of",
    "shared_nodes",
    "sharing",
]

_INNER = -1  # among the scopes of a place

Sharing = Callable[[Node, Mapping[int, Node]], "tuple[str, int] | None"]
"""Pool and number of operators to choose from of a node; None: it has an operator of its own."""


@dataclass(frozen=True)
class Pool:
    """Operations of one kind, in order, that share operators.

    `choice[i]`: operation i takes one of the first so many of them; `said`: where, by that number.
    """

    name: str
    op: str
    choice: Mapping[int, int]
    said: Mapping[int, Loc | None]

    def levels(self) -> list[tuple[int, tuple[int, ...]]]:
        """(operators, operations that have no others): at most so many of these in one slot."""
        sizes = sorted(set(self.choice.values()))
        return [(k, tuple(i for i, c in self.choice.items() if c <= k)) for k in sizes]


def pools_of(process: Process, region: Region) -> tuple[Pool, ...]:
    """The pools that marked nodes of a region draw on."""
    by_id = region.by_id()
    return tuple(
        Pool(
            name,
            nodes[0].op,
            {n.id: n.value or 1 for n in nodes},
            {a.limit: a.loc for n in nodes for a in governed(process, n, by_id)},
        )
        for name, nodes in shared_nodes(region).items()
    )


def governed(process: Process, n: Node, by_id: Mapping[int, Node]) -> list[Allocation]:
    """The limits that a node counts for; shifts by constants are wires, not operations."""
    if n.op not in SHAREABLE or all(by_id[a].op == "const" for a in n.args):
        return []
    if n.loc is not None and _INNER in n.loc.scopes:
        return []
    if n.op in {"shl", "lshr", "ashr"} and by_id[n.args[1]].op == "const":
        return []
    return [
        a
        for a in process.allocations
        if a.op == n.op and (a.whole or n.loc is None or a.scope in n.loc.scopes)
    ]


def sharing(process: Process) -> Sharing:
    """What each node of a process shares, by the limits that the process exceeds."""
    counts: dict[Allocation, int] = {}
    together: list[list[Allocation]] = []
    for region in process.regions:
        by_id = region.by_id()
        for n in region.nodes:
            limits = governed(process, n, by_id)
            together.append(limits)
            for a in limits:
                counts[a] = counts.get(a, 0) + 1
    exceeded = {a for a, n in counts.items() if n > a.limit}
    pools = _pools([[a for a in limits if a in exceeded] for limits in together], process.allocations)

    def shares(n: Node, by_id: Mapping[int, Node]) -> tuple[str, int] | None:
        limits = [a for a in governed(process, n, by_id) if a in exceeded]
        return (pools[limits[0]], min(a.limit for a in limits)) if limits else None

    return shares


def inner_loc(n: Node) -> Loc | None:
    """The place of what an operator is made of: no limit speaks of its parts."""
    return n.loc and replace(n.loc, scopes=(_INNER,))


def _pools(together: Iterable[list[Allocation]], order: Iterable[Allocation]) -> dict[Allocation, str]:
    """Name of each limit's pool; limits that stand together are of one."""
    groups: dict[Allocation, set[Allocation]] = {}
    for limits in together:
        joined = {b for a in limits for b in groups.get(a, {a})}
        for a in joined:
            groups[a] = joined
    names: dict[Allocation, str] = {}
    count: dict[str, int] = {}
    for a in order:
        if a in groups and a not in names:
            k = count[a.op] = count.get(a.op, 0) + 1
            name = f"shared_{a.op}" + (f"_{k}" if k > 1 else "")
            names |= dict.fromkeys(groups[a], name)
    return names


def mark(process: Process, shares: Sharing) -> Process:
    """The process with its sharing nodes marked."""

    def marked(region: Region) -> Region:
        by_id = region.by_id()
        nodes = []
        for n in region.nodes:
            pool, choice = shares(n, by_id) or (n.ref, n.value)
            nodes.append(replace(n, ref=pool, value=choice))
        return replace(region, nodes=tuple(nodes))

    return replace(process, regions=tuple(marked(r) for r in process.regions))


def shared_nodes(region: Region) -> dict[str, list[Node]]:
    """The marked nodes of a region by pool."""
    found: dict[str, list[Node]] = {}
    for n in region.nodes:
        if n.op in SHAREABLE and n.ref is not None:
            found.setdefault(n.ref, []).append(n)
    return found
