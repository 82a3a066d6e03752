# SPDX-License-Identifier: Apache-2.0
"""One layer on one kernel behind the virtual board's DMA and DDR model: measured once, then cached."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from convloom.commands.board_level import run_on_board, simulated
from convloom.commands.levels import LevelError
from convloom.commands.ways import Way, difference, exact
from convloom.kernels import load_kernel
from convloom.layer import ConvLayer
from convloom.lowering import Job, lower
from convloom.roofline import Array, Bus, Roofline, array_of, roofline
from convloom.suites import random_tensors

__all__ = ["Measurement", "Task", "bus_of", "measure", "plan"]


@dataclass(frozen=True)
class Task:
    """A job to measure. partial: the layer is the upper rows of a larger one."""

    way: Way
    layer: ConvLayer
    partial: bool
    job: Job
    tensors: tuple[NDArray[Any], ...]
    roof: Roofline

    @property
    def array(self) -> Array:
        return array_of(self.way.kernel, load_kernel(self.way.kernel).config(self.way.config))


@dataclass(frozen=True)
class Measurement:
    """cycles: from ap_start to the last beat of the output; stalls: by stream and cause; seconds of
    this machine, or None where the figures come from the cache."""

    cycles: int
    stalls: dict[str, dict[str, int]]
    transfers: dict[str, int]
    seconds: float | None


def bus_of(profile: str) -> Bus:
    """Rates of a board profile's memory; ConvloomError for an unknown one."""
    found = simulated(lambda vboard: vboard.load_profile(profile))
    return Bus(found.port_bytes_per_cycle, found.ddr_bytes_per_cycle)


def _upper_rows(layer: ConvLayer, rows: int) -> ConvLayer:
    """The layer cut to its first `rows` output rows, which do not reach the lower padding."""
    height = (rows - 1) * layer.stride[0] + layer.extent[0] - layer.pads[0]
    top, left, _, right = layer.pads
    return replace(layer, h=height, pads=(top, left, 0, right))


def plan(layer: ConvLayer, way: Way, bus: Bus, cycle_budget: int) -> Task:
    """Lower the layer; one whose roofline is above the budget is cut to whole rows of tiles."""
    spec = load_kernel(way.kernel)

    def task(one: ConvLayer, partial: bool) -> Task:
        tensors = random_tensors(one)
        job = lower(one, *tensors, kernel=spec, config=way.config, lowering=way.lowering)
        return Task(way, one, partial, job, tensors, roofline(job, bus))

    whole = task(layer, False)
    if whole.roof.cycles <= cycle_budget:
        return whole
    tile = spec.config(way.config).get("tile", 1)
    rows = layer.oh * cycle_budget // whole.roof.cycles // tile * tile
    rows = max(rows, tile)
    lowest = (rows - 1) * layer.stride[0] + layer.extent[0] - 1 - layer.pads[0]
    return task(_upper_rows(layer, rows), True) if 0 <= lowest < layer.h else whole


def _job_digest(job: Job) -> str:
    """Hash of registers and beats, and of the order of transfers."""
    sha = hashlib.sha256(repr(sorted(job.registers.items())).encode())
    for name, transfers in sorted(job.streams.items()):
        numbers = {id(t): n for n, t in enumerate({id(t): t for t in transfers}.values())}
        sha.update(f"{name} {[numbers[id(t)] for t in transfers]}".encode())
        for array in {id(t): t for t in transfers}.values():
            sha.update(array.tobytes())
    return sha.hexdigest()


def measure(task: Task, profile: str) -> Measurement:
    """Run the job on a virtual board, compare the output with the reference, keep the figures.

    The cache's key is what the figures depend on: the overlay (the kernel's RTL), the profile, the
    board's model, the driver, registers and every beat. LevelError where the output differs.
    """
    from hlsc import toolchain

    spec, config = task.job.spec, task.way.config
    overlay = simulated(lambda vboard: vboard.build_overlay(spec.name, profile, config))
    numbers = simulated(lambda vboard: asdict(vboard.load_profile(profile)))
    model = simulated(lambda vboard: Path(vboard.__file__).parent)
    driver = Path(__file__).parents[1] / "driver"
    files = sorted(p for root in (model, driver) for p in root.rglob("*"))
    sources = [p for p in files if p.suffix in (".py", ".cpp", ".h")]
    seconds: list[float] = []

    def run(directory: Path) -> None:
        y, report = run_on_board(task.job, spec, config, private=True)
        if wrong := difference(y, exact(task.layer, *task.tensors)):
            raise LevelError(f"{task.layer.name} on {task.way}: output differs: {wrong}")
        seconds.append(report.seconds["wait"])
        found = {"cycles": report.cycles, "stalls": report.stalls, "transfers": report.transfers}
        (directory / "figures.json").write_text(json.dumps(found), encoding="utf-8")

    key = [overlay.digest, numbers, *sources, _job_digest(task.job)]
    figures = json.loads(Path(toolchain.cached("measured", key, run), "figures.json").read_text())
    return Measurement(**figures, seconds=seconds[0] if seconds else None)
