# SPDX-License-Identifier: Apache-2.0
"""RTL simulation of a kernel: Verilator and a C++ bench, called like C-simulation.

    rtl = RtlKernel([Path("gemm_systolic.sv"), *templates], "gemm_systolic", design)
    run = rtl.run({"in0": [beats], "in1": [weights]}, {"batch": 1}, stall="random", seed=7)
    run.streams["out"][0], run.cycles

Arguments, result and complaints are those of `hlsc.csim.Kernel.run`; besides, the stalls of every
stream, cycles, the rules of AXI4-Stream, and a report of who waits for whom when nothing moves.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hlsc import csim_wire as wire
from hlsc import rtlsim_build, toolchain
from hlsc.csim_wire import CsimError, Parameter, Run
from hlsc.errors import HlscError
from hlsc.exchange import ask
from hlsc.ir import Design
from hlsc.parts import Part
from hlsc.rtlsim_parts import join_parts, parts_of, split_parts

__all__ = ["STALLS", "RtlError", "RtlKernel", "Run"]

STALLS = ("none", "periodic", "random")
"""What a stream's far side does: always ready; three cycles in five; by chance, in changing odds."""

_UNKNOWN = (1 << 64) - 1


class RtlError(CsimError):
    """A simulated design did what a correct one does not do, or was called wrongly."""


@dataclass(frozen=True)
class RtlKernel:
    """A design in SystemVerilog, compiled (once per content of its files) and ready to run.

    sv_files: every file it needs, with hlsc's templates.
    top: the module; its ports are named as Vitis HLS does it: ap_clk, ap_rst_n, `<stream>_TDATA` …,
        `s_axi_<bundle>_AWADDR` …, interrupt; or ap_start, ap_done, ap_idle, ap_ready as wires.
    design: the `hlsc.ir.Design` it was made from, or report.json (its content or path): `ports` with
        name, kind, direction, width, offset and signed; `control` with protocol and bundle.
    trace, watch: build it so that a run can write its waves, and sees every FIFO.
    Raises ToolError if Verilator or the C++ compiler refuses it, HlscError if ports are missing.
    """

    sv_files: Sequence[Path]
    top: str
    design: Design | Mapping[str, Any] | Path
    trace: bool = False
    watch: bool = False
    directory: Path = field(init=False, repr=False)
    parameters: tuple[Parameter, ...] = field(init=False, repr=False)
    parts: dict[str, Part] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for path in self.sv_files:
            if not Path(path).is_file():
                raise HlscError(f"SystemVerilog source must be a file, not {path}")
        interface = _interface(self.design)
        files = [Path(p).absolute() for p in self.sv_files]
        object.__setattr__(self, "parts", parts_of(interface))
        directory = rtlsim_build.build(files, self.top, interface, self.trace, self.watch)
        found = json.loads((directory / "parameters.json").read_text())
        object.__setattr__(self, "directory", directory)
        object.__setattr__(self, "parameters", tuple(Parameter(**p) for p in found))

    def run(
        self,
        streams: Mapping[str, Sequence[np.ndarray]] | None = None,
        scalars: Mapping[str, int] | None = None,
        arrays: Mapping[str, np.ndarray] | None = None,
        *,
        stall: str | tuple[str, str] = "none",
        seed: int = 0,
        max_idle_cycles: int = 100_000,
        expected: Mapping[str, int] | None = None,
        twice: bool = True,
        timeout: float = 3600,
    ) -> Run:
        """Reset the design, start it as a driver does, and return everything it gave.

        streams, scalars, arrays, twice: as `hlsc.csim.Kernel.run`; arrays are whole, also where their
            elements are spread over ports.
        stall: one of STALLS for all streams, or (inputs, outputs).
        seed: of the random stalls, and of what registers and memories hold before they are written.
        max_idle_cycles: how many cycles may pass without a beat on any stream.
        expected: beats per output, where known: makes the report of a hang clearer.
        timeout: seconds for the whole run; a design that hangs is found by max_idle_cycles.
        Raises RtlError for everything that a correct design does not do.
        """
        cut = {part.argument for part in self.parts.values()}
        names = [x for x in (arrays or {}) if x not in cut]
        self._check_names([*(streams or {}), *(scalars or {}), *names], [*(expected or {})])
        for p in self.parameters:
            if p.kind == "pointer" and p.name not in self.parts and p.name not in (arrays or {}):
                raise RtlError(f"array {p.name} must be given")
        directions = (stall, stall) if isinstance(stall, str) else tuple(stall)
        for mode in directions:
            if mode not in STALLS:
                raise RtlError(f"stall must be one of {', '.join(STALLS)}, not {mode}")
        modes = [STALLS.index(mode) for mode in directions]
        counts = [(expected or {}).get(p.name, _UNKNOWN) for p in self.parameters]
        inputs = {p.name: (streams or {}).get(p.name, []) for p in self.parameters if _is_input(p)}
        try:
            request = struct.pack("<IIQQI", *modes, seed % (1 << 57), max_idle_cycles, 0)
            values, words = split_parts(self.parameters, self.parts, scalars or {}, arrays or {})
            request += wire.encode(self.parameters, inputs, values, words, 1 + twice)
            request += struct.pack(f"<{len(counts)}Q", *counts)
            reply = self.call(request, timeout)
            runs = wire.decode(self.top, reply, self.parameters, None, inputs, words, cycles=True)
            if twice:
                wire.compare(self.top, runs[0], runs[1])
        except RtlError:
            raise
        except CsimError as error:
            raise RtlError(str(error)) from None
        return join_parts(self.parameters, self.parts, arrays or {}, runs[0])

    def _check_names(self, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        by_name = {p.name: p for p in self.parameters}
        for way, names in (("in", inputs), ("out", outputs)):
            for name in names:
                if name not in by_name:
                    raise RtlError(
                        f"{self.top} must have an argument {name}; it has {', '.join(by_name)}"
                    )
                p = by_name[name]
                if p.kind == "pointer":
                    continue
                if p.type != way and way == "in":
                    raise RtlError(f"argument {name} must not be given: it is an output")
                if p.type != way:
                    raise RtlError(f"argument {name} must be an output to be expected, not an input")

    def call(self, request: bytes, timeout: float, env: Mapping[str, str] | None = None) -> bytes:
        """The simulation's answer to the bytes of a request (rtlsim_harness.h)."""
        what = f"RTL simulation of {self.top}"
        reply, out = ask(self.directory / "sim", request, what=what, timeout=timeout, env=env)
        if reply is not None:
            return reply
        text = (out.stdout + out.stderr).strip()
        raise RtlError(f"{self.top} must run to its end, but it {toolchain.ending(out.code)}\n{text}")


def _is_input(p: Parameter) -> bool:
    return p.kind in ("axis", "stream") and p.type == "in"


def _interface(design: Design | Mapping[str, Any] | Path) -> dict[str, Any]:
    """Ports and control as plain values; stream words get `data_width`, where the design tells it."""
    if isinstance(design, Design):
        channels = {c.name: c for c in design.channels}
        ports = []
        for port in design.ports:
            plain = {k: v for k, v in asdict(port).items() if k != "loc"}
            if port.kind == "axis":
                c = channels[port.name]
                plain["data_width"] = dict(c.fields).get("data", c.width)
            ports.append(plain)
        return dict(ports=ports, control=design.control, control_bundle=design.control_bundle)
    report = json.loads(design.read_text()) if isinstance(design, Path) else design
    for key in ("ports", "control"):
        if key not in report:
            raise HlscError(f"a design's description must have {key}, not only {', '.join(report)}")
    control = report["control"]
    ports = [dict(p) for p in report["ports"]]
    for p in ports:
        if p["kind"] == "axis":
            # TDATA itself is padded to whole bytes; the word is its data and the side channels.
            sides = (w for name, w in p.get("signals", {}).items() if name != "TDATA")
            p["data_width"] = p["width"] - sum(sides)
    return dict(
        ports=ports,
        control=control["protocol"],
        control_bundle=control["bundle"],
    )
