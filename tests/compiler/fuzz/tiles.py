# SPDX-License-Identifier: Apache-2.0
"""Random programs whose top function is a DATAFLOW loop: a chain of processes joined by arrays."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from fuzz.bodies import Place, Port
from fuzz.expressions import Scope
from fuzz.statements import Array, Assign, Block, For, Function, Program, Run, Stmt, Text
from fuzz.tree import INT, Type, Var

if TYPE_CHECKING:
    from fuzz.programs import _Programs

__all__ = ["tiles"]


def tiles(make: _Programs) -> Program:
    """Each of two to four processes fills an array, in every iteration, from the one before.

    The first reads words of the stream, the last writes; all may change the arrays that they hold.
    """
    d, b = make.draw, make.b
    shared = make.scope()
    source, sink = make.port("in0", "in"), make.port("out0", "out")
    n = make.scalar("n", "value", Type(d.randint(2, 3), False))
    side = Port("side", make.e.any_type()) if d.random() < 0.5 else None
    arrays: list[Array | None] = [None]
    for _ in range(d.randint(1, 3)):
        a = b.array()
        pragmas = tuple(p for p in a.pragmas if "lutram" not in p)  # both ends may write it
        arrays.append(replace(a, init=(), pragmas=pragmas))
    arrays.append(None)
    body: list[Stmt] = make.channel(side) if side else []
    inside: list[Stmt] = []
    for a in arrays:
        if a is not None:
            inside.append(Text(f"{a.declared};"))
            inside += [Text(f"#pragma HLS {p.format(a.name)}") for p in a.pragmas]
    for before, after in pairwise(arrays):
        inside.append(_process(make, shared, source, sink, side, before, after))
    t, most = Var(INT, "t"), (1 << n.type.width) - 1
    body.append(For(t, most, Block(tuple(inside)), ("DATAFLOW",), 1, Var(n.type, "n")))
    return make.finished(body)


def _process(
    make: _Programs,
    shared: Scope,
    source: Port,
    sink: Port,
    side: Port | None,
    before: Array | None,
    after: Array | None,
) -> Run:
    """From `before`, or the input, to `after`, or the output; the first also writes `side`, which the
    last reads."""
    d, b = make.draw, make.b
    name, s = b.fresh("process"), shared.inner()
    params, names = [], []
    place = Place(depth=1)
    state = make.state(s, d.randint(0, 2), d.choice((0, 0, 1)))
    s.values.append(Var(INT, "t"))
    for port, used in ((source, before is None), (sink, after is None)):
        if used:
            params.append(f"hls::stream<{port.word}>& {port.name}")
            names.append(port.name)
    for a in (before, after):
        if a is not None:
            params.append(a.declared)
            names.append(a.name)
    b.room = make.room // 2
    body = list(state)
    if side and not (before and after):
        params.append(f"hls::stream<{side.word}>& side")
        names.append("side")
    if before is not None:
        s.arrays.append(before)
    if side and after is None:
        body.append(b.read_of(side, s))
    body.append(_fill(make, s, source, sink, before, after))
    if after is not None:
        s.arrays.append(after)
    body += b.statements(s, replace(place, iterations=1), 2)
    if d.random() < 0.4:
        body += b.loop(s, place)
    if side and before is None:
        body.append(b.write_of(side, s))
    head = f"static void {name}({', '.join([*params, 'int t'])})"
    make.globals.append(Function(head, make.limits(), Block(tuple(body))))
    return Run(name, tuple(names), (Var(INT, "t"),))


def _fill(
    make: _Programs,
    s: Scope,
    source: Port,
    sink: Port,
    before: Array | None,
    after: Array | None,
) -> For:
    """The loop that gives every word of `after` a value, or writes words of the output."""
    d, b = make.draw, make.b
    i = Var(INT, b.fresh("i"))
    words = d.randint(1, 9)
    if after is not None:
        words = after.dims[0] * (after.dims[1] if len(after.dims) > 1 else 1)
    inner = s.inner()
    inner.loops.append((i, words - 1))
    pipelined = d.random() < 0.7
    place = Place(iterations=words, depth=1, pipelined=pipelined)
    body: list[Stmt] = []
    if before is None:
        body.append(b.read_of(source, inner))
    body += b.statements(inner, place, 3)
    if after is None:
        body.append(b.write_of(sink, inner))
    else:
        at = d.choice((i.name, f"({words - 1} - {i.name})"))
        index = f"[{at}]"
        if len(after.dims) > 1:
            index = f"[{at} / {after.dims[1]}][{at} % {after.dims[1]}]"
        value = b.value(after.type, inner)
        body.append(Assign(Var(after.type, f"{after.name}{index}"), "=", value))
    pragmas = (f"PIPELINE II={d.choice((1, 1, 2))}",) if pipelined else ()
    return For(i, words, Block(tuple(body)), pragmas)
