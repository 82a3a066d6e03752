# SPDX-License-Identifier: Apache-2.0
"""Passes IR → IR keep what a design does: random graphs before and after, in the interpreter; and
what each pass is for, on graphs made for it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest

from hlsc.interp import interpret
from hlsc.ir import Channel, Design, Memory, Node, Port, Process, Region
from hlsc.middle.arithmetic import balance_sums, csd_digits, multiply_by_constants
from hlsc.middle.bits import evaluate, signed
from hlsc.middle.graph import Builder
from hlsc.middle.hoist import hoist_invariants
from hlsc.middle.lowbits import fold_low_bits
from hlsc.middle.promote import promote_registers
from hlsc.middle.ranges import ProcessRanges
from hlsc.middle.simplify import rebuild, simplify_process
from hlsc.middle.variables import tidy_variables
from hlsc.middle.widths import narrow_widths

OPS = "add sub mul and or xor shl lshr ashr udiv sdiv urem srem".split()
COMPARES = "eq ne ult ule ugt uge slt sle sgt sge".split()
IN, OUT = 40, 64


class Raw:
    """Nodes as they are asked for, without any folding."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def add(self, op: str, width: int, *args: int, **more: object) -> int:
        self.nodes.append(Node(len(self.nodes), op, width, args, **more))  # type: ignore[arg-type]
        return len(self.nodes) - 1

    def const(self, value: int, width: int) -> int:
        return self.add("const", width, value=value & ((1 << width) - 1))

    def width(self, i: int) -> int:
        return self.nodes[i].width


def as_design(*processes: Process) -> Design:
    ports = (Port("x", "axis", "in", IN), Port("y", "axis", "out", OUT))
    channels = (Channel("x", IN, consumer="p"), Channel("y", OUT, producer="p"))
    return Design("p", ports, processes, channels).validate()


def random_process(rng: random.Random, size: int = 45) -> Process:
    """A block that sets variables, a loop over them with phis, memories, and random arithmetic."""
    memories = (Memory("m", rng.randint(5, 30), 8), Memory("one", 17, 1))
    variables = {f"v{k}": rng.choice([1, 8, 13, 32, 40]) for k in range(3)}
    first = Raw()
    one = first.const(1, 1)
    word = first.add("read", IN, ref="x", pred=one)
    liveouts = {}
    for v, w in variables.items():
        low = rng.randrange(IN - w + 1)
        liveouts[v] = first.add("extract", w, word, value=low) if w < IN else word
    block = Region("start", tuple(first.nodes), liveouts=liveouts, successors=((None, "loop"),))

    r = Raw()
    true = r.const(1, 1)
    inits = [
        r.const(rng.getrandbits(9), 12),
        r.const(0, 32),
        *(r.add("var", w, ref=v) for v, w in variables.items()),
    ]
    phis = [r.add("phi", r.width(i), i, i) for i in inits]
    word = r.add("read", IN, ref="x", pred=true)
    pool = [*phis, word]

    def fit(i: int, width: int) -> int:
        w = r.width(i)
        if w == width:
            return i
        if w > width:
            low = rng.randrange(w - width + 1)
            return r.add("trunc", width, i) if low == 0 else r.add("extract", width, i, value=low)
        return r.add(rng.choice(["zext", "sext"]), width, i)

    def pick(width: int) -> int:
        if rng.random() < 0.25:
            return r.const(
                rng.choice([0, 1, -1, 3, 8, 15, 1 << (width - 1), rng.getrandbits(width)]), width
            )
        return fit(rng.choice(pool[-14:]), width)

    def bit() -> int:
        return fit(rng.choice([i for i in pool if r.width(i) == 1] or pool), 1)

    for _ in range(size):
        w = rng.choice([1, 2, 5, 8, 11, 16, 24, 32, 33, 48, 64])
        kind = rng.random()
        if kind < 0.45:
            pool.append(r.add(rng.choice(OPS), w, pick(w), pick(w)))
        elif kind < 0.6:
            pool.append(r.add(rng.choice(COMPARES), 1, pick(w), pick(w)))
        elif kind < 0.75:
            pool.append(r.add("select", w, bit(), pick(w), pick(w)))
        elif kind < 0.83:
            a, b = pick(max(1, w // 2)), pick(max(1, w - w // 2))
            pool.append(r.add("concat", r.width(a) + r.width(b), a, b))
        elif kind < 0.9:
            pool.append(fit(rng.choice(pool), w))
        else:
            m = rng.choice(memories)
            at = pick(m.address_width)
            if m.depth == 1:
                at = r.const(0, 1)
            if rng.random() < 0.5:
                r.add("store", 0, at, pick(m.width), ref=m.name, pred=bit())
            else:
                pool.append(r.add("load", m.width, at, ref=m.name))
    for p in phis[2:]:
        r.nodes[p] = replace(r.nodes[p], args=(r.nodes[p].args[0], pick(r.width(p))))
    count = phis[1]  # a counter that leaves the loop
    step = r.add("add", 32, count, r.const(1, 32))
    r.nodes[count] = replace(r.nodes[count], args=(r.nodes[count].args[0], step))
    wrap = r.add("select", 12, r.add("ult", 1, phis[0], r.const(700, 12)), pick(12), r.const(5, 12))
    r.nodes[phis[0]] = replace(r.nodes[phis[0]], args=(r.nodes[phis[0]].args[0], wrap))
    more = r.add("ult", 1, step, r.const(rng.randint(1, 12), 32))
    leave = r.add("xor", 1, more, true)
    total = r.const(0, OUT)
    for i in rng.sample(pool, 6):
        rotated = r.add("mul", OUT, total, r.const(0x9E3779B97F4A7C15, OUT))
        total = r.add("xor", OUT, rotated, fit(i, OUT))
    r.add("write", 0, total, ref="y", pred=true)
    r.add("write", 0, fit(pool[-1], OUT), ref="y", pred=bit())
    loop = Region(
        "loop", tuple(r.nodes), leave, {"v0": fit(phis[3], variables["v0"])}, ((None, "end"),)
    )
    loop = replace(loop, nodes=tuple(r.nodes))
    e = Raw()
    e.add(
        "write",
        0,
        e.add("zext", OUT, e.add("var", variables["v0"], ref="v0")),
        ref="y",
        pred=e.const(1, 1),
    )
    order = sorted(e.nodes, key=lambda n: n.op == "write")
    end = Region("end", tuple(order), successors=((None, None),))
    return Process("p", (block, loop, end), variables=variables, memories=memories)


def per_region(change: Callable[[Region], Region]) -> Callable[[Process], Process]:
    return lambda p: replace(p, regions=tuple(change(r) for r in p.regions))


PASSES: dict[str, Callable[[Process], Process]] = {
    "rebuild": per_region(rebuild),
    "simplify": simplify_process,
    "narrow": narrow_widths,
    "balance": per_region(balance_sums),
    "multiply": per_region(multiply_by_constants),
    "hoist": hoist_invariants,
    "promote": promote_registers,
    "low bits": fold_low_bits,
    "tidy": lambda p: tidy_variables(simplify_process(p)),
    "all": lambda p: simplify_process(
        narrow_widths(
            simplify_process(hoist_invariants(narrow_widths(simplify_process(promote_registers(p)))))
        )
    ),
}


@pytest.mark.parametrize("name", PASSES)
def test_pass_keeps_what_a_random_design_does(name: str, seed: int) -> None:
    rng = random.Random(f"{seed} {name}")
    for case in range(25):
        process = random_process(rng)
        before = as_design(process)
        after = as_design(PASSES[name](process))
        for _ in range(3):
            words = [rng.choice([rng.getrandbits(IN), (1 << IN) - 1, 1, 0]) for _ in range(16)]
            want = interpret(before, {"x": words})
            got = interpret(after, {"x": words})
            assert got.streams == want.streams, f"case {case}\n{before}\n{after}"


def test_ranges_hold_in_random_runs(seed: int) -> None:
    """Every value that a run shows lies in the interval found for it: variables are written out."""
    rng = random.Random(seed)
    for _ in range(15):
        process = random_process(rng)
        ranges = ProcessRanges(process)
        loop = process.regions[1]
        watch = rng.choice([n for n in loop.nodes if n.width and n.op not in ("const", "empty")])
        nodes = [n for n in loop.nodes if n.op != "write"]
        k = max(n.id for n in nodes) + 1
        true = next(n.id for n in nodes if n.op == "const" and n.width == 1 and n.value == 1)
        if watch.width < OUT:
            nodes.append(Node(k, "zext", OUT, (watch.id,)))
        shown = k if watch.width < OUT else watch.id
        nodes.append(Node(k + 1, "write", 0, (shown,), ref="y", pred=true))
        process = replace(
            process, regions=(process.regions[0], replace(loop, nodes=tuple(nodes)), process.regions[2])
        )
        got = interpret(as_design(process), {"x": [rng.getrandbits(IN) for _ in range(16)]})
        r = ranges.of("loop", watch.id)
        for value in got.streams["y"][:-1]:
            assert r.lo <= value <= r.hi, (str(watch), r, value)
            assert r.slo <= signed(value, watch.width) <= r.shi, (str(watch), r, value)


@pytest.mark.parametrize(
    ("start", "step", "bit", "left"),
    [
        (0, 2, 0, ["phi"]),
        (7, 4, 1, ["trunc"]),
        (1, -6, 0, ["trunc"]),
        (1, 4, 2, ["trunc", "phi"]),
        (2, 3, 0, ["trunc", "phi"]),
    ],
)
def test_low_bits_of_a_counter_decide_conditions(
    start: int, step: int, bit: int, left: list[str]
) -> None:
    """A write where a bit of the counter is 1, one where it is 0: one is left if it never changes."""
    r = Raw()
    first, by, one = r.const(start, 8), r.const(step, 8), r.const(1, 1)
    i = r.add("phi", 8, first, 5)
    word = r.add("read", IN, ref="x", pred=one)
    assert r.add("add", 8, i, by) == 5
    chosen = r.add("extract", 1, i, value=bit)
    r.add("write", 0, r.add("trunc", 8, word), ref="y", pred=chosen)
    r.add("write", 0, i, ref="y", pred=r.add("xor", 1, chosen, one))
    end = r.add("extract", 1, word, value=0)
    loop = Region("loop", tuple(r.nodes), exit=end, successors=((None, None),))
    (got,) = simplify_process(fold_low_bits(Process("p", (loop,)))).regions
    written = [got.by_id()[n.args[0]].op for n in got.nodes if n.op == "write"]
    assert written == left


def test_csd_digits() -> None:
    for value in [*range(-300, 300), 0x9E3779B9, -(1 << 40)]:
        digits = csd_digits(value)
        assert sum(d << at for at, d in digits) == value
        places = [at for at, _ in digits]
        assert all(b - a >= 2 for a, b in pairwise(places))


def test_builder_folds_shift_idiom_to_wires() -> None:
    b = Builder()
    x = b.var("x", 32)
    k = b.const(18, 32)
    got = b.node(b.binary("ashr", b.binary("shl", x, k), k))
    assert (got.op, b.node(got.args[0]).op, b.width(got.args[0])) == ("sext", "trunc", 14)


def test_builder_knows_complements() -> None:
    b = Builder()
    x, y = b.var("x", 1), b.var("y", 1)
    assert b.or_(x, b.not_(x)) == b.const(1, 1)
    assert b.and_(x, b.not_(x)) == b.const(0, 1)
    assert b.or_(b.and_(x, y), b.and_(x, b.not_(y))) == x
    assert b.or_(x, b.and_(b.not_(x), y)) == b.or_(x, y)
    a, c = b.var("a", 9), b.var("c", 9)
    assert b.binary("uge", a, c) == b.not_(b.binary("ult", a, c))
    assert b.binary("sgt", a, c) == b.binary("slt", c, a)


def test_parts_stand_side_by_side() -> None:
    """or and + of values in disjoint bits are wires."""
    b = Builder()
    x, y = b.var("x", 5), b.var("y", 3)
    high = b.binary("shl", b.zext(x, 8), b.const(3, 8))
    for op in ("or", "add", "xor"):
        got = b.node(b.binary(op, high, b.zext(y, 8)))
        assert (got.op, got.args) == ("concat", (x, y))


@pytest.mark.parametrize("kind", ["zext", "sext"])
def test_an_extension_on_top_extends_the_whole(kind: str) -> None:
    """A packed pair of products must show its 25 bits, or the multiplier seems to take two DSPs."""
    b = Builder()
    high, low = b.var("high", 9), b.var("low", 16)
    got = b.node(b.concat([b.resize(high, 16, kind == "sext"), low]))
    inner = b.node(got.args[0])
    assert (got.op, inner.op, inner.width, inner.args) == (kind, "concat", 25, (high, low))


def test_evaluate_divides_as_hardware_does() -> None:
    assert evaluate("udiv", 8, 7, 0) == 255
    assert evaluate("urem", 8, 7, 0) == 7
    assert evaluate("sdiv", 8, 0xF9, 2) == 0xFD  # −7 / 2 = −3
    assert evaluate("srem", 8, 0xF9, 2) == 0xFF
    assert evaluate("ashr", 8, 0x80, 20) == 0xFF


def chain(count: int) -> Region:
    b = Builder()
    acc = b.phi(b.const(0, 16), "acc")
    total = acc
    one = b.const(1, 1)
    for k in range(count):
        word = b.add("read", IN, ref="x", pred=one)
        total = b.binary("add", total, b.extract(word, k, 16))
    b.close(acc, total)
    b.add("write", 0, (b.zext(total, OUT),), ref="y", pred=one)
    leave = b.binary("eq", total, b.const(77, 16))
    return Region("loop", tuple(b.nodes), leave)


def levels(region: Region, i: int, stop: int) -> int:
    n = region.by_id()[i]
    if i == stop or not n.args or n.op == "phi":
        return 0
    return (n.op == "add") + max(levels(region, a, stop) for a in n.args)


def test_sum_of_nine_is_a_tree_and_the_accumulator_comes_last() -> None:
    balanced = balance_sums(chain(9))
    (phi,) = (n for n in balanced.nodes if n.op == "phi")
    final = balanced.by_id()[phi.args[1]]
    assert phi.id in final.args
    assert levels(chain(9), next(n for n in chain(9).nodes if n.op == "phi").args[1], -1) == 9
    assert levels(balanced, final.id, -1) == 5


def test_counter_gets_the_width_of_its_bound() -> None:
    """for (int i = 0; i < 200; i++): eight bits, found from the exit condition."""
    b = Builder()
    one = b.const(1, 1)
    i = b.phi(b.const(0, 32), "i")
    step = b.binary("add", i, b.const(1, 32))
    b.close(i, step)
    b.add("write", 0, (b.zext(i, OUT),), ref="y", pred=one)
    leave = b.not_(b.binary("slt", step, b.const(200, 32)))
    process = Process("p", (Region("loop", tuple(b.nodes), leave),))
    narrow = simplify_process(narrow_widths(process))
    (phi,) = (n for n in narrow.regions[0].nodes if n.op == "phi")
    assert phi.width == 8


def test_memory_keeps_the_bits_it_holds() -> None:
    b = Builder()
    one = b.const(1, 1)
    word = b.add("read", IN, ref="x", pred=one)
    at = b.extract(word, 0, 3)
    held = b.add("load", 32, (at,), ref="m")
    b.add("write", 0, (b.sext(held, OUT),), ref="y", pred=one)
    b.add("store", 0, (at, b.sext(b.extract(word, 3, 14), 32)), ref="m", pred=one)
    leave = b.extract(word, IN - 1, 1)
    region = Region("loop", tuple(b.nodes), leave)
    process = narrow_widths(Process("p", (region,), memories=(Memory("m", 32, 8),)))
    assert process.memories[0].width == 14
    as_design(process)


def test_invariant_work_leaves_the_loop() -> None:
    first = Builder()
    word = first.add("read", IN, ref="x", pred=first.const(1, 1))
    block = Region("start", tuple(first.nodes), liveouts={"n": word}, successors=((None, "loop"),))
    b = Builder()
    n = b.var("n", IN)
    bound = b.binary("mul", n, n)
    i = b.phi(b.const(0, IN), "i")
    b.close(i, b.binary("add", i, b.const(1, IN)))
    b.add("write", 0, (b.zext(i, OUT),), ref="y", pred=b.const(1, 1))
    leave = b.binary("eq", i, bound)
    loop = Region("loop", tuple(b.nodes), leave)
    process = simplify_process(hoist_invariants(Process("p", (block, loop), variables={"n": IN})))
    assert not any(x.op == "mul" for x in process.regions[1].nodes)
    assert any(x.op == "mul" for x in process.regions[0].nodes)
    as_design(process)
