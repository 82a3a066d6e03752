# SPDX-License-Identifier: Apache-2.0
"""Which reads of a process can depend on its own writes, through other processes.

A read blocks the whole pipeline in front of it, so where a word written in one iteration comes back in
the same iteration (process A writes to B, B answers, A reads), the read must stand in a later cycle.
"""

from __future__ import annotations

from hlsc.ir import Design

__all__ = ["after_writes"]


def after_writes(design: Design) -> dict[str, frozenset[tuple[str, str]]]:
    """Per process: pairs (channel written, channel read) joined by a path through other processes."""
    following: dict[str, set[str]] = {p.name: set() for p in design.processes}
    for c in design.channels:
        if c.producer and c.consumer:
            following[c.producer].add(c.consumer)

    def reachable(start: str, without: str) -> set[str]:
        seen, work = set(), [start]
        while work:
            p = work.pop()
            if p not in seen and p != without:
                seen.add(p)
                work += sorted(following[p])
        return seen

    result: dict[str, frozenset[tuple[str, str]]] = {}
    for p in design.processes:
        outs = [c for c in design.channels if c.producer == p.name and c.consumer]
        ins = [c for c in design.channels if c.consumer == p.name and c.producer]
        pairs = set()
        for w in outs:
            reach = reachable(w.consumer or "", p.name)
            for r in ins:
                if r.producer in reach or r.producer == p.name == w.consumer:
                    pairs.add((w.name, r.name))
        if pairs:
            result[p.name] = frozenset(pairs)
    return result
