# SPDX-License-Identifier: Apache-2.0
"""The interpreter of the IR: every operation against plain Python, channels, deadlocks, limits."""

from __future__ import annotations

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hlsc.interp import DeadlockError, RunError, interpret
from hlsc.ir import Channel, IRError, Memory, Node

sys.path.insert(0, str(Path(__file__).parent))
B = importlib.import_module("ir_build")
D = importlib.import_module("ir_designs")


def signed(v: int, w: int) -> int:
    return v - (1 << w) if v >> (w - 1) else v


def quotient(a: int, b: int) -> int:
    q = abs(a) // abs(b)
    return q if (a < 0) == (b < 0) else -q


W = 7
MASK = (1 << W) - 1
EXPECTED = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "shl": lambda a, b: a << b if b < W else 0,
    "lshr": lambda a, b: a >> b if b < W else 0,
    "ashr": lambda a, b: signed(a, W) >> min(b, W - 1),
    "udiv": lambda a, b: a // b,
    "urem": lambda a, b: a % b,
    "sdiv": lambda a, b: quotient(signed(a, W), signed(b, W)),
    "srem": lambda a, b: signed(a, W) - quotient(signed(a, W), signed(b, W)) * signed(b, W),
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "ult": lambda a, b: a < b,
    "ule": lambda a, b: a <= b,
    "ugt": lambda a, b: a > b,
    "uge": lambda a, b: a >= b,
    "slt": lambda a, b: signed(a, W) < signed(b, W),
    "sle": lambda a, b: signed(a, W) <= signed(b, W),
    "sgt": lambda a, b: signed(a, W) > signed(b, W),
    "sge": lambda a, b: signed(a, W) >= signed(b, W),
}


def binary_design(op: str):
    r = B.R("only")
    a, b = r.read("a", W), r.read("b", W)
    result = a.op(op, b)
    r.exit = r.read("last", 1).i
    r.write("y", result)
    return B.design("d", [B.process("p", [r])], {"a": W, "b": W, "last": 1}, {"y": result.width})


@pytest.mark.parametrize("op", sorted(EXPECTED))
def test_operations(op, rng):
    a, b = (rng.integers(0, 1 << W, 500).tolist() for _ in range(2))
    a[:4], b[:4] = [0, MASK, 64, 64], [MASK, 1, MASK, 64]
    if "div" in op or "rem" in op:
        b = [x or 1 for x in b]
    got = interpret(binary_design(op), {"a": a, "b": b, "last": [0] * 499 + [1]}).streams["y"]
    mask = 1 if op in B.COMPARES else MASK
    assert got == [int(EXPECTED[op](x, y)) & mask for x, y in zip(a, b, strict=True)]


def test_division_by_zero_is_what_the_divider_gives():
    for op, expected in (("udiv", MASK), ("urem", 5), ("sdiv", MASK), ("srem", 5)):
        run = interpret(binary_design(op), {"a": [5], "b": [0], "last": [1]})
        assert run.streams["y"] == [expected]
    assert interpret(binary_design("sdiv"), {"a": [123], "b": [0], "last": [1]}).streams["y"] == [1]


def test_bits_and_extensions():
    r = B.R("only")
    x = r.read("x", 6)
    r.write("y", r.concat(x.bits(1, 3), x.sext(9), x.zext(8), x.trunc(2)))
    d = B.design("d", [B.process("p", [r])], {"x": 6}, {"y": 22})
    word = 0b101101
    expected = (0b110 << 19) | (0b111101101 << 10) | (0b00101101 << 2) | 0b01
    assert interpret(d, {"x": [word]}).streams["y"] == [expected]


@pytest.mark.parametrize("case", D.all_cases(), ids=lambda c: c.design.top)
def test_hand_made_designs_leave_nothing_and_fit_their_fifos(case, rng):
    for _ in range(5):
        streams, scalars = case.stimuli(lambda bits: int(rng.integers(0, 1 << bits)))
        free = interpret(case.design, streams, scalars)
        tight = interpret(
            case.design,
            streams,
            scalars,
            bounded=True,
            undefined=lambda: int(rng.integers(0, 1 << 62)),
        )
        assert (free.streams, free.scalars) == (tight.streams, tight.scalars)
        assert not free.left


def test_zero_trips():
    case = D.fir()
    run = interpret(case.design, {"x": []}, {"n": 0, "c0": 1, "c1": 1})
    assert run.streams["y"] == []
    assert run.iterations == {"fir.loop": 1}


def test_histogram_counts():
    case = D.histogram("h", "bram", 1, 2)
    run = interpret(case.design, {"x": [3, 3, 18]}, {"n": 3})
    expected = [0] * 16
    expected[3], expected[2] = 3 * 3 + 3, 18
    assert run.streams["y"] == expected
    assert run.scalars == {"total": 3}


def test_deadlock_names_everyone():
    a, b = B.R("only"), B.R("only")
    a.write("ab", a.read("ba", 8))
    b.write("ba", b.read("ab", 8))
    channels = [Channel("ab", 8, 2, "a", "b"), Channel("ba", 8, 2, "b", "a")]
    d = B.design("d", [B.process("a", [a]), B.process("b", [b])], {}, {}, channels=channels)
    with pytest.raises(DeadlockError) as error:
        interpret(d)
    for text in ("a waits to read ba", "b waits to read ab", "held up by a", "held up by b"):
        assert text in str(error.value)


def test_deadlock_of_a_full_fifo():
    a, b = B.R("only"), B.R("only")
    for k in range(3):
        a.write("one", a.const(k, 8))
    a.write("two", a.const(9, 8))
    b.write("y", b.read("two", 8))
    for _ in range(3):
        b.write("y", b.read("one", 8))
    one, two = Channel("one", 8, 2, "a", "b"), Channel("two", 8, 2, "a", "b")
    procs = [B.process("a", [a]), B.process("b", [b])]
    with pytest.raises(DeadlockError, match=r"a waits to write one \(full, 2 of 2 words\)"):
        interpret(B.design("d", procs, {}, {"y": 8}, channels=[one, two]), bounded=True)
    deep = B.design("d", procs, {}, {"y": 8}, channels=[replace(one, depth=3), two])
    assert interpret(deep, bounded=True).streams["y"] == [9, 0, 1, 2]


def test_endless_loop_is_reported():
    r = B.R("spin")
    r.exit = r.const(0, 1).i
    with pytest.raises(RunError, match=r"p\.spin must end within 1000 iterations"):
        interpret(B.design("d", [B.process("p", [r])], {}, {}), limit=1000)


def test_unknown_stimulus_and_left_words():
    case = D.fir()
    with pytest.raises(RunError, match="stream port, not z"):
        interpret(case.design, {"z": [1]})
    run = interpret(case.design, {"x": [1, 2, 3]}, {"n": 1, "c0": 1, "c1": 1})
    assert run.left == {"x": 2}


def test_validator_refuses():
    good = D.two_processes().design
    mid = next(c for c in good.channels if c.name == "mid")

    def with_mid(**change: object):
        channels = [replace(mid, **change) if c is mid else c for c in good.channels]
        return replace(good, channels=tuple(channels))

    for bad, text in (
        (with_mid(depth=0), "depth must be 1 or more"),
        (with_mid(consumer="nobody"), "unknown process nobody"),
        (replace(good, channels=(*good.channels, mid)), "name of its own"),
        (replace(good, processes=(*good.processes, good.processes[0])), "name of its own"),
    ):
        with pytest.raises(IRError, match=text):
            bad.validate()
    table = D.tables().design
    process = replace(table.processes[0], memories=(Memory("big", 9, 1, "auto", (1, 2)),))
    with pytest.raises(IRError, match="initial words must fit"):
        replace(table, processes=(process,)).validate()
    region = replace(good.processes[0].regions[0], nodes=(Node(0, "const", 4, value=99),))
    broken = replace(good.processes[0], regions=(region,))
    with pytest.raises(IRError):
        replace(good, processes=(broken, good.processes[1])).validate()
