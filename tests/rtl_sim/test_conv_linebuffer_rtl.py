# SPDX-License-Identifier: Apache-2.0
"""conv_linebuffer's C++ through hlsc into Verilator: bit-exact under stalls, II = 1, lint clean."""

from __future__ import annotations

from functools import partial

import pytest

from bench.layers import compiled_kernel
from convloom.kernels import load_kernel
from convloom.layer import ConvLayer
from convloom.lowering import lower, lowerings_for
from convloom.random_layers import random_layers
from convloom.suites import random_tensors
from hlsc.rtlsim import STALLS

SPEC = load_kernel("conv_linebuffer")
compiled = partial(compiled_kernel, SPEC.name)
LOWERINGS = ("stream", "pack")


def sweep(config: str, lowering: str, stall: str, count: int, seed: int) -> None:
    """`count` layers that the kernel takes this way, of all that are drawn."""
    done = 0
    kernels = [(r, s) for r in (1, 2, 3) for s in (1, 2, 3)] + [(3, 3)] * 3
    layers = random_layers(4 * count, seed, kernels=kernels, max_dilation=1)
    for i, (layer, x, w, bias) in enumerate(layers):
        if done < count and lowering in lowerings_for(layer, SPEC, config):
            compiled(config).check(layer, x, w, bias, stall, seed + i, lowering)
            done += 1
    assert done == count, f"{done} of {4 * count} layers fit"


@pytest.mark.parametrize("stall", STALLS)
@pytest.mark.parametrize("lowering", LOWERINGS)
def test_random_layers(lowering, stall, seed):
    sweep("tiny", lowering, stall, 20, seed)


@pytest.mark.nightly
@pytest.mark.parametrize("config", SPEC.configs)
@pytest.mark.parametrize("stall", STALLS)
@pytest.mark.parametrize("lowering", LOWERINGS)
def test_random_layers_long(config, lowering, stall, seed):
    sweep(config, lowering, stall, 100, seed + 9)


@pytest.mark.parametrize(
    ("register", "value", "status"),
    [
        ("height", 0, "bad_map"),
        ("channels", 999, "bad_channels"),
        ("filters", 0, "bad_filters"),
        ("kernel_height", 4, "bad_window"),
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
    assert cycles < 1500  # 1152 of them multiply
    assert cycles < compiled().check(*sample, "random", 0)
