# SPDX-License-Identifier: Apache-2.0
"""What every kernel's RTL must do alike: II = 1 in hot loops, the contract's registers, lint, TLAST."""

from __future__ import annotations

import pytest

from bench.layers import compiled_kernel
from convloom.kernels import kernel_names, load_kernel
from convloom.layer import ConvLayer
from convloom.suites import random_tensors

every_kernel = pytest.mark.parametrize("name", kernel_names())

# z2 takes half a minute to synthesise.
CONFIGS = [
    pytest.param(name, config, marks=[pytest.mark.nightly] * (config == "z2"))
    for name in kernel_names()
    for config in load_kernel(name).configs
]


@pytest.mark.parametrize(("name", "config"), CONFIGS)
def test_hot_loops_reach_an_initiation_interval_of_one(name, config):
    compiled_kernel(name, config).assert_hot_loops()


@every_kernel
def test_registers_of_the_report_are_those_of_the_contract(name):
    compiled_kernel(name).assert_registers()


@every_kernel
def test_verilator_lint(name):
    """Clean under -Wall but for what bench.layers waives."""
    compiled_kernel(name).lint()


@pytest.mark.parametrize("stream", ["in0", "in1"])
@every_kernel
def test_misplaced_tlast_is_reported(name, stream):
    kernel = compiled_kernel(name)
    layer = ConvLayer(1, 5, 6, 11, 5, 3, 3, pads=(1, 1, 1, 0))
    job = kernel.lower(layer, *random_tensors(layer))
    streams = {name: list(transfers) for name, transfers in job.streams.items()}
    first = streams[stream][0]
    streams[stream][:1] = [first[:7], first[7:]]
    status = kernel.rtl.run(streams, job.registers).scalars["status"]
    assert status == kernel.spec.status[f"{stream}_tlast"]
