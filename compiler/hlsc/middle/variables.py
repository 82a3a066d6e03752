# SPDX-License-Identifier: Apache-2.0
"""Variables between regions: one copy of every bit, and only the bits that are read.

A configuration word that arrives on a stream is used by its fields.  LLVM keeps both the word and some
of its fields alive; here the fields become slices of the word, and then the word is cut into the slices
that are read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from hlsc.ir import Node, Process, Region
from hlsc.middle.graph import Builder
from hlsc.middle.simplify import rebuild

__all__ = ["tidy_variables"]


def tidy_variables(process: Process) -> Process:
    """The process with slices merged into the variables they come from, then cut to what is read."""
    return _cut(_merge(process))


def _merge(process: Process) -> Process:
    setters: dict[str, list[Region]] = {}
    for r in process.regions:
        for v in r.liveouts:
            setters.setdefault(v, []).append(r)
    slices: dict[str, tuple[str, int]] = {}  # variable → (variable, lowest bit)
    for r in process.regions:
        nodes = r.by_id()
        alone = {v: i for v, i in r.liveouts.items() if len(setters[v]) == 1}
        holder: dict[int, str] = {}
        for v in sorted(alone):
            holder.setdefault(alone[v], v)
        for v in sorted(alone):
            n = nodes[alone[v]]
            low = n.value or 0
            if n.op in ("extract", "trunc") and n.args[0] in holder:
                slices[v] = holder[n.args[0]], low
    starts = {
        nodes[n.args[0]].ref
        for r in process.regions
        for nodes in [r.by_id()]
        for n in r.nodes
        if n.op == "phi"
    }
    slices = {v: s for v, s in slices.items() if v not in starts}  # a phi starts from a whole variable
    if not slices:
        return process

    def change(b: Builder, n: Node, args: list[int]) -> int | None:
        if n.op != "var" or n.ref not in slices:
            return None
        source, low = slices[n.ref]
        while source in slices:
            source, more = slices[source]
            low += more
        return b.extract(b.var(source, process.variables[source]), low, n.width)

    return replace(
        process,
        regions=tuple(
            rebuild(
                replace(r, liveouts={v: i for v, i in r.liveouts.items() if v not in slices}), change
            )
            for r in process.regions
        ),
        variables={v: w for v, w in process.variables.items() if v not in slices},
    )


def _read_bits(process: Process) -> dict[str, set[tuple[int, int]]]:
    """Per variable the slices (lowest bit, bits) that are read; all of it where it is used whole."""
    read: dict[str, set[tuple[int, int]]] = {}
    for r in process.regions:
        nodes = r.by_id()
        kept = {*r.liveouts.values(), *(c for c, _ in r.successors if c is not None)}
        kept |= set() if r.exit is None else {r.exit}
        for n in r.nodes:
            if n.op == "var" and n.id in kept:
                read.setdefault(n.ref or "", set()).add((0, n.width))
            for a in (*n.args, *(() if n.pred is None else (n.pred,))):
                if nodes[a].op == "var":
                    whole = n.op not in ("extract", "trunc")
                    part = (0, nodes[a].width) if whole else (n.value or 0, n.width)
                    read.setdefault(nodes[a].ref or "", set()).add(part)
    return read


def _cut(process: Process) -> Process:
    pieces: dict[str, list[tuple[int, int]]] = {}
    for v, parts in _read_bits(process).items():
        width = process.variables[v]
        runs: list[list[int]] = []  # overlapping slices stay together
        for low, bits in sorted(parts):
            if runs and low < runs[-1][1]:
                runs[-1][1] = max(runs[-1][1], low + bits)
            else:
                runs.append([low, low + bits])
        if runs != [[0, width]]:
            pieces[v] = [(lo, hi - lo) for lo, hi in runs]
    if not pieces:
        return process
    variables = {v: w for v, w in process.variables.items() if v not in pieces}
    names: dict[tuple[str, int], str] = {}
    for v in sorted(pieces):
        for low, bits in pieces[v]:
            name = f"{v}.{low}"
            while name in process.variables or name in variables:
                name += "_"
            names[v, low] = name
            variables[name] = bits

    def change(b: Builder, n: Node, args: list[int]) -> int | None:
        if n.op != "var" or n.ref not in pieces:
            return None
        parts: list[int] = []
        at = 0
        for low, bits in pieces[n.ref]:
            if low > at:
                parts.append(b.const(0, low - at))  # never read
            parts.append(b.var(names[n.ref, low], bits))
            at = low + bits
        if at < n.width:
            parts.append(b.const(0, n.width - at))
        return b.concat(parts[::-1])

    return replace(
        process,
        regions=tuple(_region(r, change, pieces, names) for r in process.regions),
        variables=variables,
    )


def _region(r: Region, change, pieces: Mapping[str, list[tuple[int, int]]], names) -> Region:  # type: ignore[no-untyped-def]
    nodes = list(r.nodes)
    liveouts = {v: i for v, i in r.liveouts.items() if v not in pieces}
    width = {n.id: n.width for n in nodes}
    fresh = max(width, default=-1) + 1
    for v, i in r.liveouts.items():
        for low, bits in pieces.get(v, ()):
            whole = low == 0 and bits == width[i]
            if not whole:
                nodes.append(Node(fresh, "extract", bits, (i,), low))
                fresh += 1
            liveouts[names[v, low]] = i if whole else fresh - 1
    return rebuild(replace(r, nodes=tuple(nodes), liveouts=liveouts), change)
