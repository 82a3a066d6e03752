# SPDX-License-Identifier: Apache-2.0
"""ARRAY_RESHAPE at a port: memories side by side become one of wider words.

Each lane of a word has been a memory of its own so far, which takes care of who sees what.  Loads of
one word become one; the stores of all its lanes, under one predicate, become one where the last stood.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import count

from hlsc.errors import SourceError
from hlsc.ir import Memory, Node, Region

__all__ = ["join_lanes"]

_Stores = dict[int, tuple[int, Node]]
"""Stores to lanes of one word so far: lane -> place in the region, node."""


def join_lanes(
    region: Region, lanes: Mapping[str, int], word: Memory, size: int, argument: str
) -> Region:
    """The region with accesses to `word`, of elements of `size` bits, instead of to the memories in
    `lanes` (lane numbers).

    Raises SourceError where it writes a part of a word, or reads what it has just written of one.
    """
    whole = word.width // size
    fresh = count(max((n.id for n in region.nodes), default=-1) + 1)
    nodes: list[Node] = []
    words: dict[int, Node] = {}  # address -> the load of its word
    stale: dict[int, set[int]] = {}  # address -> lanes stored to since
    pending: dict[tuple[int, int], _Stores] = {}  # by address and predicate
    for place, n in enumerate(region.nodes):
        lane = lanes.get(n.ref or "") if n.op in ("load", "store") else None
        if lane is None:
            nodes.append(n)
            continue
        address = n.args[0]
        if n.op == "load":
            if any(lane in stores for stores in pending.values()):
                raise _refused(argument, whole, n)
            if address not in words or lane in stale[address]:
                words[address] = replace(n, id=next(fresh), width=word.width, ref=word.name)
                stale[address] = set()
                nodes.append(words[address])
            part = (words[address].id,)
            nodes.append(Node(n.id, "extract", size, part, lane * size, name=n.name, loc=n.loc))
            continue
        for stored in stale.values():
            stored.add(lane)
        assert n.pred is not None
        here = pending.setdefault((address, n.pred), {})
        if lane in here:
            raise _refused(argument, whole, n)
        here[lane] = place, n
        if len(here) == whole:
            del pending[address, n.pred]
            if any(at < here[k][0] for other in pending.values() for k, (at, _) in other.items()):
                raise _refused(argument, whole, n)
            data = tuple(here[k][1].args[1] for k in reversed(range(whole)))
            joined = Node(next(fresh), "concat", word.width, data, loc=n.loc)
            nodes += [joined, replace(n, args=(address, joined.id), ref=word.name)]
    for left in pending.values():
        raise _refused(argument, whole, next(iter(left.values()))[1])
    names = {name: word.name for name in lanes}
    dependences = dict.fromkeys(
        replace(d, memory=names.get(d.memory, d.memory)) for d in region.dependences
    )
    return replace(region, nodes=tuple(nodes), dependences=tuple(dependences))


def _refused(argument: str, lanes: int, n: Node) -> SourceError:
    return SourceError(
        f"array argument '{argument}' must be written by whole words of {lanes} elements, which "
        "ARRAY_RESHAPE joins, not by single ones",
        n.loc,
        "unroll the loop over the elements of a word, so that one iteration writes them all and reads "
        "none of them afterwards, or write ARRAY_PARTITION",
    )
