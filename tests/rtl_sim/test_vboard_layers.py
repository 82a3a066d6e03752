# SPDX-License-Identifier: Apache-2.0
"""Random layers through the board's DMAs and DDR, without gRPC: bit-exact on any memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from convloom.lowering import lower
from convloom.random_layers import random_layers
from convloom.reference import ALGORITHMS
from vboard.host import Host
from vboard.library import build_library, design
from vboard.logic import Logic
from vboard.profile import load_profile


@pytest.fixture(scope="module")
def host() -> Iterator[Callable[..., Host]]:
    made = design("gemm_systolic", "tiny")
    library = build_library(made)
    logics: list[Logic] = []

    def make(board: str = "pynq-z2", **changes: object) -> Host:
        logics.append(Logic(library, replace(load_profile(board), **changes)))
        return Host(logics[-1], made.spec)

    yield make
    for logic in logics:
        logic.close()


MEMORIES = {
    "pynq-z2": {},
    "kv260": {},
    "slow": {"ddr_bytes_per_cycle": 3.0, "ddr_latency": 200},
    "patient": {"access_cycles": 500},
}


@pytest.mark.parametrize("memory", MEMORIES)
def test_random_layers(host, memory, seed):
    board = memory if memory in ("pynq-z2", "kv260") else "pynq-z2"
    made = host(board, **MEMORIES[memory])
    cycles = []
    for layer, x, w, bias in random_layers(15, seed + 77):
        job = lower(layer, x, w, bias, kernel=made.spec, config="tiny")
        out = made.run(job.registers, job.streams, job.out_beats)
        status = made.logic.read(made.kernel + made.spec.registers[-1].offset)
        assert status == 0, made.spec.explain_status(status)
        np.testing.assert_array_equal(
            job.result([out]), ALGORITHMS["im2col"](layer, x, w, bias).y, err_msg=layer.name
        )
        run = made.logic.counters()["run"]
        assert (run["bytes_in"], run["bytes_out"]) == (job.bytes_in, job.bytes_out)
        for stream, causes in run["stalls"].items():
            assert run["beats"][stream] + sum(causes.values()) == run["cycles"], (layer.name, stream)
        cycles.append((run["cycles"], job))
    assert made.logic.faults() == []
    made.logic.program()
    for before, job in cycles[:5]:
        made.run(job.registers, job.streams, job.out_beats)
        assert made.logic.counters()["run"]["cycles"] == before


def test_the_memory_bounds_the_cycles(host, seed):
    """The same layer on faster memory takes no longer, and never less than its bytes allow."""
    layer, x, w, bias = max(random_layers(10, seed + 5), key=lambda case: case[1].size * case[2].size)
    figures = []
    for rate in (1.0, 4.0, 12.2, 50.0):
        made = host(ddr_bytes_per_cycle=rate)
        job = lower(layer, x, w, bias, kernel=made.spec, config="tiny")
        made.run(job.registers, job.streams, job.out_beats)
        cycles = made.logic.counters()["run"]["cycles"]
        buffered = 8 * 512  # what the receiving DMA may still hold
        assert cycles >= (job.bytes_in + job.bytes_out - buffered) / rate - 64
        figures.append(cycles)
    assert figures == sorted(figures, reverse=True)
