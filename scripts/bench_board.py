# SPDX-License-Identifier: Apache-2.0
"""Speed of simulation: the virtual board through unmodified pynq against the bare Verilated model.

Both run the same RTL and layer; lowering, compiling and loading are not counted. The bare model is the
RTL simulation of hlsc: one process that feeds the streams, without DMA, DDR, gRPC and pynq. A DMA
transfer costs five calls over gRPC, 2 to 4 ms, whatever its length: the ratio falls with the cycles for
each transfer. `gemm_systolic` at `tiny` is shown with many channels and with few.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import vboard
from convloom.commands.text import table
from convloom.kernels import load_kernel
from convloom.layer import ConvLayer, Requant
from convloom.lowering import Job, lower

__all__ = ["CASES", "Case", "Rate", "as_json", "measure", "printed", "shortfalls"]

LEAST_RATIO = 0.5


@dataclass(frozen=True)
class Case:
    """A kernel at a size, a 3×3 layer of edge × edge × channels → filters, and its least cycles/s."""

    kernel: str
    config: str
    edge: int
    channels: int
    filters: int
    least: int

    def job(self) -> Job:
        requant = Requant.from_scales(np.full(self.filters, 1e-3))
        shape = (1, self.edge, self.edge, self.channels, self.filters, 3, 3)
        layer = ConvLayer(*shape, pads=(1, 1, 1, 1), x_zero_point=5, requant=requant)
        rng = np.random.default_rng(0)
        x = rng.integers(-128, 128, layer.x_shape, dtype=np.int8)
        w = rng.integers(-128, 128, layer.w_shape, dtype=np.int8)
        return lower(layer, x, w, kernel=load_kernel(self.kernel), config=self.config)


CASES = (
    Case("gemm_systolic", "tiny", 14, 256, 32, 100_000),
    # 88 small filter tiles, which would last longer in gRPC than in the model, each sent alone.
    Case("gemm_systolic", "tiny", 16, 32, 64, 100_000),
    Case("conv_linebuffer", "tiny", 64, 8, 32, 100_000),
    Case("conv_winograd", "tiny", 64, 8, 64, 100_000),
    Case("conv_winograd", "z2", 64, 64, 64, 30_000),
)


@dataclass(frozen=True)
class Rate:
    """Cycles of one run and seconds it took, bare and on the board; whether the outputs are equal."""

    case: Case
    layer: str
    bare_cycles: int
    bare_seconds: float
    board_cycles: int
    board_seconds: float
    same: bool

    @property
    def bare(self) -> float:
        """Cycles per second."""
        return self.bare_cycles / self.bare_seconds

    @property
    def board(self) -> float:
        return self.board_cycles / self.board_seconds


def _rate(case: Case, repeats: int) -> Rate:
    """The fastest of `repeats` runs of each, in turn: both then see the same load of the machine."""
    from hlsc.flow import rtl_kernel

    job, spec = case.job(), load_kernel(case.kernel)
    rtl = rtl_kernel(
        spec.sources, spec.top, include_dirs=spec.include_dirs, defines=spec.defines(case.config)
    )
    with vboard.Board(spec.name, config=case.config) as board:
        # The device is made by hand, so that PYNQ_REMOTE_DEVICES may name another board.
        from pynq.pl_server.remote_device import RemoteDevice

        from convloom.driver import ConvOverlay

        bare_best = board_best = float("inf")
        with ConvOverlay(board.bitstream, device=RemoteDevice(0, board.address)) as overlay:
            for _ in range(repeats):
                started = time.perf_counter()
                run = rtl.run(job.streams, job.registers, twice=False)
                bare_best = min(bare_best, time.perf_counter() - started)
                y = overlay.execute(job)
                report = overlay.report
                assert report is not None and report.cycles is not None and run.cycles is not None
                # From filling the buffers to having fetched the output.
                seconds = report.seconds["transfer"] + report.seconds["wait"]
                board_best = min(board_best, seconds)
    same = bool(np.array_equal(job.result(run.streams["out"]), y))
    return Rate(case, job.layer.name, run.cycles, bare_best, report.cycles, board_best, same)


def measure(cases: Sequence[Case], repeats: int) -> list[Rate]:
    """Each case bare and on a virtual board of its own."""
    return [_rate(case, repeats) for case in cases]


def shortfalls(rates: Sequence[Rate]) -> list[str]:
    """One line for each figure that is not what it must be."""
    wrong = []
    for rate in rates:
        what = f"{rate.case.kernel} {rate.case.config} through pynq"
        if not rate.same:
            wrong.append(f"{what}: output must be that of the bare model, and differs")
        if rate.board < rate.case.least:
            wrong.append(
                f"{what}: must reach {rate.case.least:,} cycles per second, not {rate.board:,.0f}"
            )
        if rate.board < LEAST_RATIO * rate.bare:
            ratio = rate.board / rate.bare
            wrong.append(f"{what}: must reach {LEAST_RATIO:g} of the bare model, not {ratio:.2f}")
    return wrong


def printed(rates: Sequence[Rate]) -> str:
    head = ["kernel", "size", "layer", "cycles", "bare cycles/s", "pynq cycles/s", "ratio"]
    rows = [
        [
            rate.case.kernel,
            rate.case.config,
            rate.layer,
            f"{rate.board_cycles:,}",
            f"{rate.bare:,.0f}",
            f"{rate.board:,.0f}",
            f"{rate.board / rate.bare:.2f}",
        ]
        for rate in rates
    ]
    return table(head, rows, right=head[3:])


def as_json(rates: Sequence[Rate]) -> list[dict[str, Any]]:
    return [
        {
            "kernel": rate.case.kernel,
            "config": rate.case.config,
            "layer": rate.layer,
            "bare": {"cycles": rate.bare_cycles, "seconds": rate.bare_seconds},
            "pynq": {"cycles": rate.board_cycles, "seconds": rate.board_seconds},
        }
        for rate in rates
    ]
