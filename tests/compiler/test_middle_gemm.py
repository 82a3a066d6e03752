# SPDX-License-Identifier: Apache-2.0
"""gemm_systolic through front and middle end: its IR, interpreted, gives the reference's bits."""

from __future__ import annotations

import functools
import random

import numpy as np
import pytest

from convloom.kernels import load_kernel
from convloom.lowering import lower as lower_layer
from convloom.random_layers import random_layers
from convloom.reference import ALGORITHMS
from hlsc.frontend.driver import compile_program
from hlsc.frontend.program import Program
from hlsc.interp import interpret
from hlsc.ir import Design
from hlsc.middle import Options, lower

SPEC = load_kernel("gemm_systolic")
KEEP, LAST = 0xFFFF << 64, 1 << 81  # TKEEP and TSTRB all ones; TLAST


@functools.cache
def program() -> Program:
    return compile_program(
        SPEC.sources, SPEC.top, include_dirs=SPEC.include_dirs, defines=SPEC.defines("tiny")
    )


@functools.cache
def design(widths: bool) -> Design:
    return lower(program(), options=Options(widths=widths))


def words(transfers) -> list[int]:
    out = []
    for beats in transfers:
        out += [int(b) | KEEP for b in beats]
        out[-1] |= LAST
    return out


@pytest.mark.parametrize("widths", [True, False], ids=["narrowed", "plain"])
def test_random_layers(widths: bool, seed: int) -> None:
    rng = random.Random(seed)
    for layer, x, w, bias in random_layers(4, seed, max_macs=4000, max_size=6):
        job = lower_layer(layer, x, w, bias, kernel=SPEC, config="tiny")
        streams = {name: words(transfers) for name, transfers in job.streams.items()}
        run = interpret(
            design(widths),
            streams,
            {k: int(v) for k, v in job.registers.items()},
            undefined=lambda: rng.getrandbits(256),
        )
        assert run.scalars["status"] == 0, SPEC.explain_status(run.scalars["status"])
        assert not run.left
        got = run.streams["out"]
        assert [bool(b & LAST) for b in got] == [False] * (len(got) - 1) + [True]
        beats = np.array([b & (1 << 64) - 1 for b in got], np.uint64)
        expected = ALGORITHMS["im2col"](layer, x, w, bias).y
        np.testing.assert_array_equal(job.unpack(beats), expected, err_msg=layer.name)


def test_hot_loops_are_pipelined_regions() -> None:
    """Every loop that the contract calls hot is one pipelined region that asks for II = 1."""
    asked = {
        r.label: r.ii for p in design(True).processes for r in p.regions if r.is_loop and r.pipelined
    }
    assert asked == dict.fromkeys(SPEC.hot_loops, 1)


def test_arrays_stay_memories_or_become_registers() -> None:
    """Block RAMs with dynamic addresses stay; completely partitioned arrays leave no memory."""
    memories = {
        f"{p.name}.{m.name}": (m.depth, m.width) for p in design(True).processes for m in p.memories
    }
    assert memories["read_activations.image"][1] == 64
    assert not any(name.startswith("systolic_array") for name in memories)
    assert sum(name.startswith("scale_totals.param") for name in memories) >= 2
