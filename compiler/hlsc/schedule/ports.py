# SPDX-License-Identifier: Apache-2.0
"""Which port of its memory each access takes.

The ports are dealt out before scheduling, so that the scheduler only has to keep the accesses of one
port apart.  A memory of kind 1r1w has its reads on port 0 and its writes on port 1; of kind 1rw all on
port 0; of kind 2rw reads from port 0 upwards and writes from port 1 downwards, so that both ports have
half of the accesses, stores with exclusive predicates counting once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from hlsc.ir import Memory, Node

__all__ = ["deal_ports", "port_name"]


def deal_ports(
    memory: Memory, accesses: Sequence[Node], exclusive: Callable[[Node, Node], bool]
) -> Mapping[int, int]:
    """Port per access (node id) of one region; `exclusive` of two stores: they never both act."""
    if memory.ports == "1rw":
        return {n.id: 0 for n in accesses}
    if memory.ports == "1r1w":
        return {n.id: 0 if n.op == "load" else 1 for n in accesses}
    # Groups that take one slot each: a load, or stores that exclude each other.
    loads = [[n] for n in accesses if n.op == "load"]
    stores: list[list[Node]] = []
    for n in (n for n in accesses if n.op == "store"):
        group = next((g for g in stores if all(exclusive(m, n) for m in g)), None)
        if group is None:
            stores.append([n])
        else:
            group.append(n)
    row = loads + stores
    half = -(-len(row) // 2)
    return {n.id: k // half for k, group in enumerate(row) for n in group}


def port_name(memory: Memory, port: int) -> str:
    """The port in words, for the reason of a missed interval."""
    if memory.ports == "1r1w":
        return f"{'write' if port else 'read'} port of {memory.name}"
    return f"port {port} of {memory.name}" if memory.ports == "2rw" else f"the port of {memory.name}"
