# SPDX-License-Identifier: Apache-2.0
"""conv_winograd's C++ through hlsc into Verilator: bit-exact under stalls, II = 1, lint clean."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from bench.layers import compiled_kernel
from convloom.kernels import load_kernel
from convloom.layer import ConvLayer
from convloom.lowering import lower
from convloom.lowering.winograd import ORDERS, winograd_job
from convloom.random_layers import random_layers
from convloom.reference import ALGORITHMS
from convloom.suites import random_tensors
from hlsc.rtlsim import STALLS

SPEC = load_kernel("conv_winograd")
compiled = partial(compiled_kernel, SPEC.name)


def sweep(config: str, stall: str, count: int, seed: int) -> None:
    """3×3 layers of stride 1 in both loop orders, bit by bit."""
    layers = random_layers(
        count, seed, kernels=[(3, 3)], max_stride=1, max_dilation=1, exclude=("groups", "depthwise")
    )
    rtl = compiled(config).rtl
    for i, (layer, x, w, bias) in enumerate(layers):
        expected = ALGORITHMS["im2col"](layer, x, w, bias).y
        for order in ORDERS:
            job = winograd_job(SPEC, config, layer, *layer.check_tensors(x, w, bias), order=order)
            run = rtl.run(job.streams, job.registers, stall=stall, seed=seed + i)
            assert run.scalars["status"] == 0, SPEC.explain_status(run.scalars["status"])
            result = job.result(run.streams["out"])
            np.testing.assert_array_equal(result, expected, err_msg=f"{layer.name} {order}")


@pytest.mark.parametrize("stall", STALLS)
def test_random_layers(stall, seed):
    sweep("tiny", stall, 20, seed)


@pytest.mark.nightly
@pytest.mark.parametrize("config", SPEC.configs)
@pytest.mark.parametrize("stall", STALLS)
def test_random_layers_long(config, stall, seed):
    sweep(config, stall, 100, seed + 9)


@pytest.mark.parametrize(
    ("register", "value", "status"),
    [
        ("height", 0, "bad_map"),
        ("channels", 33, "bad_channels"),
        ("filters", 0, "bad_filters"),
        ("strips", 0, "bad_strips"),
        ("row_slots", 0, "bad_rows"),
        ("loop_order", 2, "bad_order"),
        ("clamp_low", -129, "bad_output"),
    ],
)
def test_bad_register_ends_the_run_with_its_status(register, value, status):
    layer = ConvLayer(1, 5, 6, 11, 5, 3, 3)
    job = lower(layer, *random_tensors(layer), kernel=SPEC, config="tiny")
    compiled().check_refused({**job.registers, register: value}, status)


def test_cycles_repeat_and_stalls_cost_some():
    layer = ConvLayer(1, 12, 12, 16, 8, 3, 3, pads=(1, 1, 1, 1))
    sample = layer, *random_tensors(layer)
    cycles = compiled().check(*sample, "none", 0)
    assert cycles == compiled().check(*sample, "none", 0)
    assert cycles < 1000  # 576 of them multiply
    assert cycles < compiled().check(*sample, "random", 0)
