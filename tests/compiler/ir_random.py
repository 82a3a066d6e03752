# SPDX-License-Identifier: Apache-2.0
"""Random designs in hlsc's IR: expressions over every operation, loops over memories, phis and streams.

They are valid by construction and do not depend on undefined values, so the interpreter is their
oracle.
"""

from __future__ import annotations

import importlib
import random
import sys
from collections.abc import Callable
from pathlib import Path

from hlsc.ir import BINARY, COMPARE, Memory

sys.path.insert(0, str(Path(__file__).parent))
B = importlib.import_module("ir_build")
D = importlib.import_module("ir_designs")

Stimuli = tuple[dict[str, list[int]], dict[str, int]]


def _resize(draw: random.Random, v: B.V, width: int) -> B.V:
    if v.width > width:
        return (
            v.bits(draw.randrange(v.width - width + 1), width)
            if draw.random() < 0.5
            else v.trunc(width)
        )
    return v.sext(width) if draw.random() < 0.5 else v.zext(width)


def _expression(draw: random.Random, r: B.R, values: list[B.V], divide: bool) -> B.V:
    """A new value over some of `values`."""
    a, b = draw.choice(values), draw.choice(values)
    width = draw.choice((1, 3, 8, 9, 13, 17, 24))
    kind = draw.random()
    if kind < 0.12:
        return r.select(_resize(draw, a, 1), _resize(draw, b, width), _resize(draw, a, width))
    if kind < 0.2 and a.width + b.width <= 40:
        return r.concat(a, b)
    if kind < 0.4:
        op = draw.choice(sorted(COMPARE))
        return _resize(draw, a, width).op(op, _resize(draw, b, width))
    skip = {"udiv", "sdiv", "urem", "srem"} if not divide or width > 9 else set()
    op = draw.choice(sorted(BINARY - skip))
    x, y = _resize(draw, a, width), _resize(draw, b, width)
    if draw.random() < 0.2:
        y = r.const(draw.getrandbits(width), width)
    if draw.random() < 0.1:
        x = r.const(draw.getrandbits(width), width)
    return x.op(op, y)


def expressions(seed: int) -> D.Case:
    """A pipelined loop that maps words through random expressions, signed and unsigned mixed."""
    draw = random.Random(f"expressions {seed}")
    r = B.R("loop", ii=1)
    n = r.arg("n", 8)
    _, runs = B.counted(r, n)
    values = [r.read(s, w, runs) for s, w in (("a", 9), ("b", 13), ("c", 4))]
    for _ in range(45):
        values.append(_expression(draw, r, values[-14:], True))
    for k, name in enumerate(("y", "z")):
        words, width = [], 0
        for v in values[3 + k :: 2]:
            if width + v.width <= 60:
                words.append(v)
                width += v.width
        r.write(name, r.concat(*words).zext(60) if width < 60 else r.concat(*words), runs)
    process = B.process("f", [r], {"n": 8})
    ins = {"a": 9, "b": 13, "c": 4}
    d = B.design(f"expr{seed}", [process], ins, {"y": 60, "z": 60}, {"n": 8})

    def stimuli(word: Callable[[int], int]) -> Stimuli:
        n = word(6)
        edges = {9: (0, 256, 511, 255), 13: (0, 4096, 8191), 4: (0, 8, 15)}
        streams = {
            s: [edges[w][word(8) % len(edges[w])] if word(2) == 0 else word(w) for _ in range(n)]
            for s, w in ins.items()
        }
        return streams, {"n": n}

    return D.Case(d, stimuli, draw.choice((4.0, 6.0, 10.0)))


def loops(seed: int) -> D.Case:
    """Clear two memories, then loop: predicated reads, loads, stores, phis, writes at some II."""
    draw = random.Random(f"loops {seed}")
    depth = draw.choice((4, 7, 16))
    aw = max(1, (depth - 1).bit_length())
    memories = [
        Memory(
            f"m{k}",
            w,
            depth,
            draw.choice(("bram", "bram", "bram", "lutram", "register")),
            ports=draw.choice(("1r1w", "1rw", "2rw")),
        )
        for k, w in enumerate((8, 13))
    ]
    clear = B.R("clear")
    i = clear.phi(clear.const(0, 5))
    clear.set_next(i, i + 1)
    clear.exit = i.op("eq", depth - 1).i
    for m in memories:
        clear.store(m.name, i.trunc(aw), clear.const(5 + m.width, m.width))
    clear.go("work")
    asked = draw.choice((None, 1, 1, 2, 3, 4))
    r = B.R("work", ii=asked, pipelined=draw.random() < 0.85)
    n = r.arg("n", 8)
    count, runs = B.counted(r, n, "count")
    phis = [r.phi(r.const(draw.getrandbits(w), w)) for w in (1, 8, 13)]
    values = [*phis, count]

    def some_predicate() -> B.V:
        return runs & _resize(draw, draw.choice(values), 1)

    def address() -> B.V:
        v = _resize(draw, draw.choice(values), aw)
        return v if depth == 1 << aw else r.select(v.op("ult", depth), v, 0)

    toggle = r.phi(r.const(0, 2))
    r.set_next(toggle, toggle + 1)
    for _ in range(draw.randrange(1, 3)):  # a word now and then; `toggle` keeps the count known
        p = runs & (toggle.bits(0, 1) if draw.random() < 0.5 else toggle.op("ne", 2))
        word = r.read("x", 11, p)
        values.append(r.select(p, word, 0))
    for _ in range(draw.randrange(6, 16)):
        kind = draw.random()
        m = draw.choice(memories)
        if kind < 0.2:
            values.append(r.load(m.name, address(), m.width))
        elif kind < 0.35:
            p = some_predicate()
            r.store(m.name, address(), _resize(draw, draw.choice(values), m.width), p)
            if draw.random() < 0.3:
                r.store(m.name, address(), _resize(draw, draw.choice(values), m.width), runs & ~p)
        elif kind < 0.45:
            r.write("y", _resize(draw, draw.choice(values), 16), some_predicate())
        else:
            values.append(_expression(draw, r, values, False))
    for p in phis:
        following = _resize(draw, draw.choice(values), p.width)
        r.set_next(p, r.select(runs, following, p) if draw.random() < 0.5 else following)
    r.write("y", _resize(draw, values[-1], 16), runs)
    r.live(a=phis[2], b=count)
    r.go("tail", phis[1].op("ult", 128))
    r.go("dump")
    tail, dump = B.R("tail"), B.R("dump")
    tail.write("y", tail.var("a", 13).zext(16))
    tail.go("dump")
    j = dump.phi(dump.const(0, 5))
    dump.set_next(j, j + 1)
    dump.exit = j.op("eq", depth - 1).i
    dump.write(
        "y", dump.load("m0", j.trunc(aw), 8).zext(16) + dump.load("m1", j.trunc(aw), 13).zext(16)
    )
    dump.out("seen", dump.var("b", 8), j.op("eq", 0))
    process = B.process("f", [clear, r, tail, dump], {"n": 8}, memories, a=13, b=8)
    d = B.design(f"loop{seed}", [process], {"x": 11}, {"y": 16}, {"n": 8}, {"seen": 8})
    reads = [x for x in process.regions[1].nodes if x.op == "read"]
    by_id = process.regions[1].by_id()
    odd = sum(by_id[by_id[x.pred or 0].args[1]].op == "extract" for x in reads)

    def stimuli(word: Callable[[int], int]) -> Stimuli:
        n = word(5)
        need = sum(odd * (k & 1) + (len(reads) - odd) * (k % 4 != 2) for k in range(n))
        return {"x": [word(11) for _ in range(need)]}, {"n": n}

    return D.Case(d, stimuli, draw.choice((5.0, 8.0, 10.0, 15.0)))
