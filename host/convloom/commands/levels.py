# SPDX-License-Identifier: Apache-2.0
"""Where a lowered layer can run: C-simulation, RTL simulation, a board.

The compiler and the simulators are imported only when a level is used: a board has neither.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convloom.errors import ConvloomError
from convloom.kernels import KernelSpec, load_kernel
from convloom.lowering import Job

__all__ = ["LEVELS", "Level", "LevelError", "LevelRun"]


class LevelError(ConvloomError):
    """A compiler, simulator or kernel failed; its text may have several lines."""


@dataclass(frozen=True)
class LevelRun:
    """What one run gave: the layer's output, and cycles from start to last beat where exact.

    report: on a board, the driver's `RunReport`.
    """

    y: NDArray[Any]
    seconds: float
    cycles: int | None = None
    report: Any = None


@dataclass(frozen=True)
class Level:
    """`run(job, spec, config)` computes a lowered layer.

    On a slow level `convloom run` takes each kernel's default lowering only.
    """

    name: str
    doc: str
    run: Callable[[Job, KernelSpec, str], LevelRun]
    slow: bool = False


@lru_cache
def _csim_kernel(name: str, config: str) -> Any:
    from hlsc.csim import Kernel

    spec = load_kernel(name)
    return Kernel(spec.sources, spec.top, include_dirs=spec.include_dirs, defines=spec.defines(config))


@lru_cache
def _rtl_kernel(name: str, config: str) -> Any:
    from hlsc.flow import rtl_kernel

    spec = load_kernel(name)
    return rtl_kernel(
        spec.sources, spec.top, include_dirs=spec.include_dirs, defines=spec.defines(config)
    )


def _simulated(load: Callable[[str, str], Any]) -> Callable[[Job, KernelSpec, str], LevelRun]:
    """A level over one of hlsc's simulators; `load(kernel, config)` gives what has its `run`."""

    def run(job: Job, spec: KernelSpec, config: str) -> LevelRun:
        try:
            from hlsc.errors import HlscError
        except ImportError as error:
            raise LevelError(f"simulation needs pip install 'convloom[flow]' ({error})") from None
        try:
            kernel = load(spec.name, config)  # compiled before the clock starts
            started = time.perf_counter()
            done = kernel.run(job.streams, job.registers, twice=False)
        except HlscError as error:
            raise LevelError(str(error)) from error
        seconds = time.perf_counter() - started
        if status := int(done.scalars["status"]):
            raise LevelError(f"{spec.name} stopped with {spec.explain_status(status)}")
        y = np.asarray(job.result(done.streams["out"]))
        return LevelRun(y, seconds, getattr(done, "cycles", None))

    return run


def _on_board(job: Job, spec: KernelSpec, config: str) -> LevelRun:
    from convloom.commands.board_level import run_on_board

    try:
        y, report = run_on_board(job, spec, config)
    except ConvloomError as error:
        raise LevelError(str(error)) from error
    return LevelRun(y, sum(report.seconds.values()), report.cycles, report)


LEVELS: dict[str, Level] = {
    level.name: level
    for level in (
        Level(
            "csim", "the kernel's C++, compiled and called on this machine", _simulated(_csim_kernel)
        ),
        Level("rtl", "the SystemVerilog that hlsc makes of it, in Verilator", _simulated(_rtl_kernel)),
        Level(
            "board",
            "a PYNQ board through pynq, or a virtual one around that RTL",
            _on_board,
            slow=True,
        ),
    )
}
"""By name, in the order in which they come closer to hardware."""
