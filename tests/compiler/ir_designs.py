# SPDX-License-Identifier: Apache-2.0
"""Designs written directly in hlsc's IR, for the tests of its back half."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ir_build import R, counted, design, process

from hlsc.ir import Channel, Dependence, Design, Memory


@dataclass(frozen=True)
class Case:
    """A design, and stimuli: (random source of words) → (streams, scalars)."""

    design: Design
    stimuli: Callable[[Callable[[int], int]], tuple[dict[str, list[int]], dict[str, int]]]
    clock_ns: float = 10.0
    ii: dict[str, int] = field(default_factory=dict)  # expected, by region


def fir(top: str = "fir", taps: int = 4) -> Case:
    """y = sum of taps: signed products, shift register of phis, arithmetic shift and clamp."""
    r = R("loop", ii=1)
    n = r.arg("n", 8)
    _, runs = counted(r, n)
    x = r.read("x", 8, runs, "x")
    window = [r.phi(r.const(0, 8), f"w{k}") for k in range(taps)]
    row = [x, *window[:-1]]
    total = r.const(0, 20)
    for k, (w, v) in enumerate(zip(window, row, strict=True)):
        r.set_next(w, r.select(runs, v, w))
        c = r.arg(f"c{k % 2}", 8)
        total = total + v.sext(20) * c.sext(20)
    y = total.op("ashr", 3).trunc(16)
    low = y.op("slt", -1000)
    r.write("y", r.select(low, r.const(-1000, 16), y), runs)
    args = {"n": 8, "c0": 8, "c1": 8}
    d = design(top, [process("fir", [r], args)], {"x": 8}, {"y": 16}, args)

    def stimuli(word: Callable[[int], int]) -> tuple[dict[str, list[int]], dict[str, int]]:
        n = word(6)
        return {"x": [word(8) for _ in range(n)]}, {"n": n, "c0": word(8), "c1": word(8)}

    return Case(d, stimuli, ii={"loop": 1})


def line_buffer(top: str = "linebuf", style: str = "bram", clock: float = 10.0) -> Case:
    """3×3 sum over rows of 10: two line memories that shift into each other, window in phis."""
    cols = 10
    r = R("loop", ii=1)
    rows = r.arg("rows", 5)
    col = r.phi(r.const(0, 4), "col")
    row = r.phi(r.const(0, 5), "row")
    last = col.op("eq", cols - 1)
    done = row.op("eq", rows)
    r.exit = done.i
    runs = ~done
    r.set_next(col, r.select(last, r.const(0, 4), col + 1))
    r.set_next(row, row + last.zext(5))
    x = r.read("x", 8, runs)
    a = r.load("line0", col, 8)
    b = r.load("line1", col, 8)
    r.store("line0", col, x, runs)
    r.store("line1", col, a, runs)
    total = r.const(0, 12)
    for v in (x, a, b):
        w1, w2 = r.phi(r.const(0, 8)), r.phi(r.const(0, 8))
        r.set_next(w1, v)
        r.set_next(w2, w1)
        for p in (v, w1, w2):
            total = total + p.zext(12)
    inside = row.op("uge", 2) & col.op("uge", 2) & runs
    r.write("y", total, inside)
    memories = [Memory(f"line{k}", 8, cols, style) for k in range(2)]
    p = process("conv", [r], {"rows": 5}, memories)
    d = design(top, [p], {"x": 8}, {"y": 12}, {"rows": 5})

    def stimuli(word: Callable[[int], int]) -> tuple[dict[str, list[int]], dict[str, int]]:
        n = word(3)
        return {"x": [word(8) for _ in range(n * cols)]}, {"rows": n}

    return Case(d, stimuli, clock, {"loop": 1})


def histogram(
    top: str, style: str, asked: int, ii: int, clock: float = 10.0, free: bool = False
) -> Case:
    """clear; count (read-modify-write); dump: three regions over one memory."""
    bins = 16
    facts = (Dependence("h", "RAW", True, 4),) if free else ()
    clear, count, dump = R("clear", ii=1), R("count", ii=asked, dependences=facts), R("dump")
    i = clear.phi(clear.const(0, 5))
    clear.set_next(i, i + 1)
    clear.exit = i.op("eq", bins - 1).i
    clear.store("h", i.trunc(4), clear.const(0, 16))
    clear.go("count")
    n = count.arg("n", 8)
    k, runs = counted(count, n)
    x = count.read("x", 8, runs)
    # The promise of `free`: a word comes back after 4 iterations at the earliest.
    address = count.concat(x.bits(0, 2), k.trunc(2)) if free else x.trunc(4)
    h = count.load("h", address, 16)
    count.store("h", address, h * 3 + x.zext(16), runs)
    count.live(total=k)
    count.go("dump")
    j = dump.phi(dump.const(0, 5))
    dump.set_next(j, j + 1)
    dump.exit = j.op("eq", bins - 1).i
    dump.write("y", dump.load("h", j.trunc(4), 16))
    dump.out("total", dump.var("total", 8), j.op("eq", 0))
    p = process("hist", [clear, count, dump], {"n": 8}, [Memory("h", 16, bins, style)], total=8)
    d = design(top, [p], {"x": 8}, {"y": 16}, {"n": 8}, {"total": 8})

    def stimuli(word: Callable[[int], int]) -> tuple[dict[str, list[int]], dict[str, int]]:
        n = word(6)
        return {"x": [word(8) for _ in range(n)]}, {"n": n}

    return Case(d, stimuli, clock, {"count": ii, "clear": 1})


def nested(top: str = "nested") -> Case:
    """Flattened nest: an accumulator over `inner`, cleared by its first, written by its last."""
    r = R("loop", ii=1)
    outer, inner = r.arg("outer", 4), r.arg("inner", 4)
    i, j = r.phi(r.const(0, 4), "i"), r.phi(r.const(0, 4), "j")
    acc = r.phi(r.const(0, 24), "acc")
    done = i.op("eq", outer)
    runs = ~done
    r.exit = done.i
    last = j.op("eq", inner - 1)
    r.set_next(j, r.select(last, r.const(0, 4), j + 1))
    r.set_next(i, i + last.zext(4))
    a, b = r.read("a", 8, runs), r.read("b", 8, runs)
    first = j.op("eq", 0)
    product = a.sext(24) * b.zext(24)
    total = r.select(first, product, acc + product)
    r.set_next(acc, r.select(runs, total, acc))
    r.write("y", total, runs & last)
    args = {"outer": 4, "inner": 4}
    p = process("nest", [r], args)
    d = design(top, [p], {"a": 8, "b": 8}, {"y": 24}, args)

    def stimuli(word: Callable[[int], int]) -> tuple[dict[str, list[int]], dict[str, int]]:
        m, n = word(3), 1 + word(3)
        return (
            {s: [word(8) for _ in range(m * n)] for s in "ab"},
            {"outer": m, "inner": n},
        )

    return Case(d, stimuli, ii={"loop": 1})


def counters(top: str = "counters") -> Case:
    """Three nested counters in one loop, limits given at run time, one of them a choice; run twice."""
    first, again, end = R("head"), R("nest", ii=1), R("again")
    first.live(left=first.const(1, 1))
    first.go("nest")
    r = again
    k_last, j_last, i_last = (r.arg(n, 4) for n in ("kl", "jl", "il"))
    i, j, k = (r.phi(r.const(c, 4), n) for n, c in (("i", 0), ("j", 2), ("k", 0)))
    k_wrap = k.op("eq", k_last)
    last_j = r.select(i.op("eq", i_last), r.arg("jf", 4), j_last)
    j_wrap = j.op("eq", last_j)
    i_wrap = i.op("eq", i_last)
    turn_j, turn_i = k_wrap, k_wrap & j_wrap
    r.set_next(k, r.select(k_wrap, r.const(0, 4), k + 1))
    r.set_next(j, r.select(turn_j, r.select(j_wrap, r.const(2, 4), j + 1), j))
    r.set_next(i, r.select(turn_i, r.select(i_wrap, r.const(0, 4), i + 1), i))
    r.exit = (turn_i & i_wrap).i
    r.write("y", r.concat(i, j, k) ^ r.read("x", 12))
    r.go("again")
    end.live(left=end.const(0, 1))
    end.go("nest", end.var("left", 1))
    end.go(None)
    args = {"kl": 4, "jl": 4, "il": 4, "jf": 4}
    p = process("count", [first, again, end], args, left=1)
    d = design(top, [p], {"x": 12}, {"y": 12}, args)

    def stimuli(word: Callable[[int], int]) -> tuple[dict[str, list[int]], dict[str, int]]:
        a = {"kl": word(2), "jl": 2 + word(2), "il": word(2), "jf": 2 + word(2)}
        rows = a["il"] * (a["jl"] - 1) + a["jf"] - 1
        return {"x": [word(12) for _ in range(2 * rows * (a["kl"] + 1))]}, a

    return Case(d, stimuli, 3.5, {"nest": 1})


def phases(top: str = "phases") -> Case:
    """Straight-line regions, a branch, a sequential loop and division: variables carry values."""
    head, big, small, tail = R("head"), R("big", pipelined=False), R("small"), R("tail")
    a, b, c = (head.read("x", 12, name=n) for n in "abc")
    head.live(a=a, b=b, c=c)
    head.go("big", a.op("sgt", b))
    head.go("small")
    v, k = big.phi(big.var("a", 12), "v"), big.phi(big.const(0, 12), "k")
    more = v.op("ugt", 9)
    big.exit = (~more).i
    nv = v.op("udiv", big.var("b", 12) | 3)
    big.set_next(v, nv)
    big.set_next(k, k + 1)
    big.write("y", v, more)
    x = big.read("x", 12, more)
    big.write("y", x ^ k, more)
    big.live(a=v, b=k)
    big.go("tail")
    s = small.var("a", 12).op("sdiv", small.var("b", 12))
    t = small.var("a", 12).op("srem", small.var("b", 12))
    small.live(a=small.var("b", 12), b=small.var("a", 12), c=s + t)
    small.go("tail")
    tail.write("y", tail.var("a", 12))
    tail.write("y", tail.var("b", 12))
    tail.write("y", tail.var("c", 12).op("ashr", 2))
    tail.out("r", tail.var("c", 12) * tail.var("a", 12))
    p = process("phases", [head, big, small, tail], a=12, b=12, c=12)
    d = design(top, [p], {"x": 12}, {"y": 12}, {}, {"r": 12})

    def stimuli(word: Callable[[int], int]) -> tuple[dict[str, list[int]], dict[str, int]]:
        a, b, c = word(12), word(12), word(12)
        words, v, signed = [a, b, c], a, lambda z: z - 4096 if z >= 2048 else z
        while signed(a) > signed(b) and v > 9:
            words.append(word(12))
            v //= b | 3
        return {"x": words}, {}

    return Case(d, stimuli)


def two_processes(top: str = "pair", depth: int = 2) -> Case:
    """A producer that expands words and a consumer that folds them at II = 2, joined by a FIFO."""
    r = R("make", ii=1)
    n = r.arg("n", 8)
    i, runs = counted(r, n)
    half = i.bits(0, 1)
    kept = r.phi(r.const(0, 8))
    x = r.read("x", 8, runs & ~half)
    word = r.select(half, kept, x)
    r.set_next(kept, word)
    r.write("mid", word + i, runs)
    s = R("fold", ii=2)
    m = s.arg("n", 8)
    _, go = counted(s, m.op("lshr", 1))
    a = s.read("mid", 8, go)
    b = s.read("mid", 8, go)
    acc = s.phi(s.const(1, 16))
    total = acc * 5 + a.zext(16) * b.sext(16)
    s.set_next(acc, total)
    s.write("y", total, go)
    s.live(last=acc)
    s.go("end")
    e = R("end")
    e.out("last", e.var("last", 16))
    p = process("make", [r], {"n": 8})
    q = process("fold", [s, e], {"n": 8}, last=16)
    mid = Channel("mid", 8, depth, "make", "fold")
    d = design(top, [p, q], {"x": 8}, {"y": 16}, {"n": 8}, {"last": 16}, [mid])

    def stimuli(word: Callable[[int], int]) -> tuple[dict[str, list[int]], dict[str, int]]:
        n = 2 * word(5)
        return {"x": [word(8) for _ in range(n // 2)]}, {"n": n}

    return Case(d, stimuli, ii={"make": 1, "fold": 2})


def tables(top: str = "tables") -> Case:
    """ROMs (block and logic), registers with addresses, three loads of one block RAM at II 3."""
    fill, use = R("fill"), R("use", ii=3)
    i = fill.phi(fill.const(0, 5))
    fill.set_next(i, i + 1)
    fill.exit = i.op("eq", 15).i
    x = fill.read("x", 10)
    fill.store("ram", i.trunc(4), x)
    fill.store("regs", i.trunc(2), x.trunc(7), i.op("ult", 4))
    fill.go("use")
    _, runs = counted(use, use.arg("n", 6))
    y = use.read("x", 10, runs)
    at = y.trunc(4)
    u, v, w = (use.load("ram", at + k, 10) for k in (0, 3, 7))
    r1, r2 = use.load("regs", y.bits(4, 2), 7), use.load("regs", y.bits(6, 2), 7)
    use.store("regs", y.bits(8, 2), r1 + 1, runs & y.bits(0, 1))
    use.store("ram", at, u + 1, runs & y.bits(1, 1))
    t, s = use.load("big", y.trunc(8), 9), use.load("little", y.trunc(3), 5)
    total = u + v.op("shl", 1) + w.op("lshr", 1) + r1.zext(10) + r2.sext(10) + t.zext(10) + s.sext(10)
    use.write("y", use.select(y.bits(9, 1), total, total.op("shl", y.bits(0, 3).zext(10))), runs)
    memories = [
        Memory("ram", 10, 16, "bram"),
        Memory("regs", 7, 4, "register"),
        Memory("big", 9, 256, "auto", tuple((k * 37 + 11) % 512 for k in range(256))),
        Memory("little", 5, 8, "auto", tuple((k * 13 + 5) % 32 for k in range(8))),
    ]
    p = process("tables", [fill, use], {"n": 6}, memories)
    d = design(top, [p], {"x": 10}, {"y": 10}, {"n": 6})

    def stimuli(word: Callable[[int], int]) -> tuple[dict[str, list[int]], dict[str, int]]:
        n = word(5)
        return {"x": [word(10) for _ in range(16 + n)]}, {"n": n}

    return Case(d, stimuli, ii={"use": 3})


def axis_words(top: str = "words") -> Case:
    """Words with TLAST and TKEEP: the exit depends on the data (TLAST ends the loop)."""
    fields = (("data", 16), ("keep", 2), ("last", 1))
    r = R("loop", ii=1)
    x = r.read("x", 19, name="word")
    last = x.bits(18, 1)
    count = r.phi(r.const(0, 8), "count")
    r.set_next(count, count + 1)
    data = x.trunc(16).op("sub", 0) + count.zext(16)
    negative = data.op("slt", 0)
    r.write("y", r.concat(last, r.const(3, 2), r.select(negative, r.const(0, 16), data)))
    r.exit = last.i
    r.live(n=count + 1)
    r.go("end")
    e = R("end")
    e.out("n", e.var("n", 8))
    d = design(top, [process("words", [r, e], n=8)], {"x": 19}, {"y": 19}, {}, {"n": 8})
    channels = tuple(
        Channel(c.name, c.width, c.depth, c.producer, c.consumer, fields) for c in d.channels
    )
    d = Design(d.top, d.ports, d.processes, channels).validate()

    def stimuli(word: Callable[[int], int]) -> tuple[dict[str, list[int]], dict[str, int]]:
        n = 1 + word(5)
        words = [word(16) | 3 << 16 | (k == n - 1) << 18 for k in range(n)]
        return {"x": words}, {}

    return Case(d, stimuli, ii={"loop": 1})


def all_cases() -> list[Case]:
    """Every design of this file, with distinct names."""
    return [
        fir(),
        line_buffer("linebuf", "bram"),
        line_buffer("linelut", "lutram", 6.0),
        histogram("hist1", "lutram", 1, 1),
        histogram("hist2", "bram", 1, 2, 12.0),
        histogram("hist3", "bram", 1, 3, 10.0),
        histogram("hist4", "bram", 4, 4),
        histogram("histfree", "bram", 1, 1, free=True),
        nested(),
        counters(),
        phases(),
        two_processes("pair2", 2),
        two_processes("pair1", 1),
        tables(),
        axis_words(),
    ]
