# SPDX-License-Identifier: Apache-2.0
"""Constructs of the supported subset that fit no kernel: natively and in RTL, under all stalls."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hlsc.csim import Kernel
from hlsc.flow import rtl_kernel
from hlsc.rtlsim import STALLS

SUBSET = Path(__file__).parent / "subset"


def agree(name: str, streams, scalars, stall: str, seed: int):
    """The RTL's run, whose streams and scalars are those of the native run."""
    source = [SUBSET / f"{name}.cpp"]
    expected = Kernel(source, name).run(streams, scalars)
    run = rtl_kernel(source, name).run(streams, scalars, stall=stall, seed=seed)
    assert run.scalars == expected.scalars
    for stream, transfers in expected.streams.items():
        assert len(run.streams[stream]) == len(transfers), stream
        for got, want in zip(run.streams[stream], transfers, strict=True):
            assert np.array_equal(got, want), stream
    return run


@pytest.mark.parametrize("stall", STALLS)
def test_functions_that_are_called_one_after_the_other(rng, seed, stall) -> None:
    """INLINE off, a pipelined function, loops without a trip, unrolled loops with a remainder."""
    for n, rounds in ((0, 0), (1, 0), (8, 3), (5, 2), (0, 3), (7, 1)):
        words = [rng.integers(-500, 500, n * (rounds + 1))] if n else []
        agree("functions", {"in": words}, {"n": n, "rounds": rounds}, stall, seed)
