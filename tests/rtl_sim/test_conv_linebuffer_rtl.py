# SPDX-License-Identifier: Apache-2.0
"""conv_linebuffer's C++ through hlsc into Verilator: bit-exact under stalls, II = 1, lint clean."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest

from bench.layers import CompiledKernel
from convloom.kernels import load_kernel
from convloom.layer import ConvLayer
from convloom.lowering import lowerings_for
from convloom.random_layers import random_layers
from hlsc.rtlsim import STALLS

SPEC = load_kernel("conv_linebuffer")
LOWERINGS = ("stream", "pack")


@lru_cache
def compiled(config: str = "tiny") -> CompiledKernel:
    return CompiledKernel(SPEC.name, config)


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


CONFIGS = [pytest.param(c, marks=[pytest.mark.nightly] * (c == "z2")) for c in SPEC.configs]
"""z2 takes half a minute to synthesise."""


@pytest.mark.parametrize("config", CONFIGS)
def test_hot_loops_reach_an_initiation_interval_of_one(config):
    compiled(config).assert_hot_loops()


def test_registers_of_the_report_are_those_of_the_contract():
    compiled().assert_registers()


def test_verilator_lint():
    compiled().lint()


def tensors(layer: ConvLayer, seed: int = 3) -> tuple:
    rng = np.random.default_rng(seed)
    x = rng.integers(-128, 128, layer.x_shape, np.int8)
    w = rng.integers(-128, 128, layer.w_shape, np.int8)
    return layer, x, w, rng.integers(-999, 999, layer.k, np.int32)


@pytest.mark.parametrize("stream", ["in0", "in1"])
def test_misplaced_tlast_is_reported(stream):
    job = compiled().lower(*tensors(ConvLayer(1, 5, 6, 11, 5, 3, 3, pads=(1, 1, 1, 0))))
    streams = {name: list(transfers) for name, transfers in job.streams.items()}
    first = streams[stream][0]
    streams[stream][:1] = [first[:7], first[7:]]
    status = compiled().rtl.run(streams, job.registers).scalars["status"]
    assert status & SPEC.status[f"{stream}_tlast"], status


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
    job = compiled().lower(*tensors(ConvLayer(1, 5, 6, 11, 5, 3, 3)))
    run = compiled().rtl.run({}, {**job.registers, register: value})
    assert run.scalars["status"] == SPEC.status[status]
    assert sum(map(len, run.streams["out"])) == 0


def test_cycles_repeat_and_stalls_cost_some():
    layer = tensors(ConvLayer(1, 12, 12, 16, 8, 3, 3, pads=(1, 1, 1, 1)))
    cycles = compiled().check(*layer, "none", 0)
    assert cycles == compiled().check(*layer, "none", 0)
    assert cycles < 1500  # 1152 of them multiply
    assert cycles < compiled().check(*layer, "random", 0)
