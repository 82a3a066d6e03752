# SPDX-License-Identifier: Apache-2.0
"""A board around a small kernel (out = in0 + in1) whose TLAST the test chooses; no gRPC, no pynq."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from convloom.kernels import KernelSpec, Register, load_kernel
from vboard.host import Host
from vboard.logic import Logic
from vboard.profile import load_profile

SV = Path(__file__).with_name("test_vboard_sum.sv")
SPEC: KernelSpec = replace(
    load_kernel("gemm_systolic"),
    name="sum_kernel",
    top="sum_kernel",
    registers=(
        Register("beats", 0x10, ""),
        Register("last_at", 0x18, ""),
        Register("status", 0x20, "", "out"),
    ),
)


def make(library: Path, board: str = "pynq-z2", **changes: object) -> Host:
    return Host(Logic(library, replace(load_profile(board), **changes)), SPEC)


def beats(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(0, 1 << 62, count, np.uint64)


def add(host: Host, rng: np.random.Generator, count: int, *, last_at: int | None = None, room: int = 0):
    """Arms a receive of room beats, starts, sends count beats on both; returns the receive's view."""
    a, b = beats(rng, count), beats(rng, count)
    host.cma.clear()
    host.start_channels()
    address, view = host.buffer(room or count)
    view[:] = 0
    host.transfer("out", address, view.nbytes)
    host.logic.write(host.kernel + 0x10, count)
    host.logic.write(host.kernel + 0x18, count if last_at is None else last_at)
    host.logic.write(host.kernel, 1)
    for stream, data in (("in0", a), ("in1", b)):
        host.transfer(stream, host.buffer(data)[0], data.nbytes)
    return view, a + b
