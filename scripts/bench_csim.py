# SPDX-License-Identifier: Apache-2.0
"""Speed of C-simulation: hlsc's headers against the open Xilinx ones; same kernel, layer, compiler."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from convloom.commands.text import size, table
from convloom.kernels import load_kernel
from convloom.layer import ConvLayer, Requant
from convloom.lowering import Job, lower
from hlsc.csim import Kernel

__all__ = ["Speed", "as_json", "measure", "printed"]

KERNEL, CONFIG = "gemm_systolic", "tiny"
HEADERS = {"shim": "hlsc", "xilinx": "open Xilinx"}


@dataclass(frozen=True)
class Speed:
    """Seconds and output of the layer by headers."""

    layer: ConvLayer
    seconds: dict[str, float]
    outputs: dict[str, bytes]

    @property
    def gain(self) -> float:
        return self.seconds["xilinx"] / self.seconds["shim"]

    @property
    def same(self) -> bool:
        return self.outputs["xilinx"] == self.outputs["shim"]


def _job(edge: int) -> Job:
    """A 3×3 layer on an edge × edge map, 16 channels to 32 filters, requantised."""
    requant = Requant.from_scales(np.full(32, 1e-3))
    layer = ConvLayer(1, edge, edge, 16, 32, 3, 3, pads=(1, 1, 1, 1), x_zero_point=5, requant=requant)
    rng = np.random.default_rng(0)
    x = rng.integers(-128, 128, layer.x_shape, dtype=np.int8)
    w = rng.integers(-128, 128, layer.w_shape, dtype=np.int8)
    return lower(layer, x, w, kernel=load_kernel(KERNEL), config=CONFIG)


def _run(headers: str, job: Job, repeats: int) -> tuple[float, bytes]:
    """Seconds of the fastest of `repeats` runs, and the output's bytes. Compiling is not counted."""
    spec = load_kernel(KERNEL)
    kernel = Kernel(
        spec.sources,
        spec.top,
        include_dirs=spec.include_dirs,
        defines=spec.defines(CONFIG),
        headers=headers,
    )
    best, output = float("inf"), b""
    for _ in range(repeats):
        started = time.perf_counter()
        run = kernel.run(job.streams, job.registers, twice=False, isolated=False, timeout=300)
        best = min(best, time.perf_counter() - started)
        output = b"".join(t.tobytes() for t in run.streams["out"])
    return best, output


def measure(edge: int, repeats: int) -> Speed:
    """The layer on an edge × edge map with both headers."""
    job = _job(edge)
    runs = {headers: _run(headers, job, repeats) for headers in HEADERS}
    return Speed(job.layer, {h: r[0] for h, r in runs.items()}, {h: r[1] for h, r in runs.items()})


def printed(speed: Speed) -> str:
    macs = speed.layer.macs
    rows = [
        [
            HEADERS[headers],
            speed.layer.name,
            size(macs),
            f"{seconds:.3f}",
            size(macs / seconds),
            f"{speed.seconds['xilinx'] / seconds:.1f}",
        ]
        for headers, seconds in speed.seconds.items()
    ]
    head = ["headers", "layer", "MACs", "seconds", "MAC/s", "times"]
    return table(head, rows, right=head[2:])


def as_json(speed: Speed) -> dict[str, Any]:
    layer = speed.layer
    return {"layer": layer.name, "macs": layer.macs, "seconds": speed.seconds, "gain": speed.gain}
