# SPDX-License-Identifier: Apache-2.0
"""A kernel's C++ through hlsc into Verilator, and layers through both and the reference, bit by bit."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.verilate import Design, lint
from convloom.kernels import KernelSpec, load_kernel
from convloom.layer import ConvLayer
from convloom.lowering import Job, lower
from convloom.reference import ALGORITHMS
from hlsc.flow import rtl_kernel, synthesized
from hlsc.rtlsim import RtlKernel

__all__ = ["LINT_WAIVERS", "CompiledKernel", "compiled_kernel"]

LINT_WAIVERS = {
    "DECLFILENAME": "all modules are in one file",
    "UNUSEDSIGNAL": "a process need not use every field of a stream's word",
}
"""What -Wall says of one file of many modules with packed words, and why that is no defect."""


class CompiledKernel:
    """One kernel in one configuration, compiled and built at the first use of each property."""

    def __init__(self, name: str, config: str) -> None:
        self.spec: KernelSpec = load_kernel(name)
        self.config = config

    @property
    def _inputs(self) -> dict[str, Any]:
        return {
            "include_dirs": self.spec.include_dirs,
            "defines": self.spec.defines(self.config),
        }

    @cached_property
    def directory(self) -> Path:
        """Where `<top>.sv` and `report.json` lie."""
        return synthesized(self.spec.sources, self.spec.top, **self._inputs)

    @cached_property
    def rtl(self) -> RtlKernel:
        """The Verilated design."""
        return rtl_kernel(self.spec.sources, self.spec.top, **self._inputs)

    @cached_property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.directory / "report.json").read_text())
        return found

    @property
    def design(self) -> Design:
        return Design((self.directory / f"{self.spec.top}.sv",), self.spec.top)

    def lower(
        self,
        layer: ConvLayer,
        x: NDArray[Any],
        w: NDArray[Any],
        bias: NDArray[Any] | None,
        lowering: str | None = None,
    ) -> Job:
        return lower(layer, x, w, bias, kernel=self.spec, config=self.config, lowering=lowering)

    def check(
        self,
        layer: ConvLayer,
        x: NDArray[Any],
        w: NDArray[Any],
        bias: NDArray[Any] | None,
        stall: str,
        seed: int,
        lowering: str | None = None,
    ) -> int:
        """One layer: status 0 and every bit as the reference has it.  Returns the cycles."""
        job = self.lower(layer, x, w, bias, lowering)
        run = self.rtl.run(job.streams, job.registers, stall=stall, seed=seed)
        assert run.scalars["status"] == 0, self.spec.explain_status(run.scalars["status"])
        expected = ALGORITHMS["im2col"](layer, x, w, bias).y
        np.testing.assert_array_equal(job.result(run.streams["out"]), expected, err_msg=layer.name)
        return int(run.cycles)

    def check_refused(self, registers: Mapping[str, int], status: str) -> None:
        """With these registers the kernel ends with this status, having read and written nothing."""
        run = self.rtl.run({}, registers)
        assert run.scalars["status"] == self.spec.status[status]
        assert sum(map(len, run.streams["out"])) == 0

    def assert_hot_loops(self) -> None:
        """Every loop that the contract calls hot starts an iteration per cycle, as it asks to."""
        loops = {loop["label"]: loop for loop in self.report["loops"]}
        for label in self.spec.hot_loops:
            assert loops[label]["ii"] == loops[label]["asked_ii"] == 1, loops[label]
            assert loops[label]["file"].endswith(".h") and loops[label]["line"] > 0

    def assert_registers(self) -> None:
        """Offsets, directions and signs are those of the contract."""
        ports = {p["name"]: p for p in self.report["ports"]}
        for register in self.spec.registers:
            port = ports[register.name]
            assert port["offset"] == register.offset, register.name
            assert port["direction"] == register.direction, register.name
            assert port["signed"] == register.signed, register.name

    def lint(self) -> None:
        """Clean under Verilator's -Wall but for LINT_WAIVERS."""
        options = tuple(f"-Wno-{rule}" for rule in LINT_WAIVERS)
        lint(Design(self.design.sources, self.spec.top, options=options))


@lru_cache
def compiled_kernel(name: str, config: str = "tiny") -> CompiledKernel:
    """The one of this name and configuration."""
    return CompiledKernel(name, config)
