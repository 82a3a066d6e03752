# SPDX-License-Identifier: Apache-2.0
"""The kernels' IP driver: bound by VLNV, offsets from the HWH, checked against kernel.toml."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from typing import Any

from pynq import DefaultIP

from convloom.driver.errors import KernelError, PreflightError
from convloom.kernels import KernelSpec, kernel_names, load_kernel

__all__ = [
    "AP_DONE",
    "AP_IDLE",
    "AP_READY",
    "AP_START",
    "ConvIP",
    "control_text",
    "kernel_of",
    "offsets_of",
]

AP_START, AP_DONE, AP_IDLE, AP_READY = 1, 2, 4, 8
"""Bits of CTRL (UG1399, ap_ctrl_hs on AXI4-Lite)."""

_VLN = "xilinx.com:hls:"
_CONTROL = "CTRL"


def control_text(value: int) -> str:
    """CTRL in words: `0x04 (idle)`."""
    bits = ((AP_START, "start"), (AP_DONE, "done"), (AP_IDLE, "idle"), (AP_READY, "ready"))
    names = [name for bit, name in bits if value & bit]
    return f"0x{value:02x} ({', '.join(names) or 'busy'})"


def kernel_of(ip_type: str | None) -> KernelSpec | None:
    """The contract of the kernel that an IP of this VLNV is; None for other IP."""
    parts = (ip_type or "").split(":")
    for name in kernel_names():
        spec = load_kernel(name)
        if len(parts) == 4 and parts[1:3] == ["hls", spec.top]:
            return spec
    return None


def offsets_of(
    spec: KernelSpec, registers: Mapping[str, Mapping[str, Any]], where: str
) -> dict[str, int]:
    """Register name → offset as the HWH has it; PreflightError where it and kernel.toml disagree.

    registers: `ip_dict[…]["registers"]`. where: what the messages call the overlay.
    """
    rebuild = "the overlay and this convloom are of different versions: build the overlay again"
    found = {_CONTROL: 0}
    for name, offset in {_CONTROL: 0, **{r.name: r.offset for r in spec.registers}}.items():
        if name not in registers:
            known = ", ".join(sorted(registers)) or "none"
            raise PreflightError(
                f"{where}: {spec.name} must have a register {name}, not only {known}; {rebuild}"
            )
        there = int(registers[name]["address_offset"])
        if there != offset:
            raise PreflightError(
                f"{where}: register {name} of {spec.name} must be at 0x{offset:x}, "
                f"not at 0x{there:x}; {rebuild}"
            )
        found[name] = there
    return found


class ConvIP(DefaultIP):
    """A kernel on the AXI4-Lite bus. pynq makes it for every IP of the VLNVs in `bindto`.

    `spec`: the kernel's contract.
    """

    bindto = [f"{_VLN}{load_kernel(name).top}:1.0" for name in kernel_names()]  # noqa: RUF012

    def __init__(self, description: dict[str, Any]) -> None:
        super().__init__(description=description)
        spec = kernel_of(description["type"])
        if spec is None:
            raise PreflightError(f"IP must be a kernel of convloom, not {description['type']}")
        self.spec: KernelSpec = spec
        self.name = str(description["fullpath"])
        self.offsets = offsets_of(spec, description.get("registers") or {}, self.name)
        self.overlay: weakref.ref[Any] | None = None

    def run(self, *args: Any, **kwargs: Any) -> Any:
        """`ConvOverlay.run` of the overlay that this kernel belongs to."""
        overlay = None if self.overlay is None else self.overlay()
        if overlay is None:
            raise PreflightError(
                f"{self.name} must belong to a ConvOverlay to run layers, not to pynq.Overlay; "
                "load the bitstream with convloom.driver.ConvOverlay"
            )
        return overlay.run(*args, **kwargs)

    def register_writes(self, values: Mapping[str, int]) -> list[tuple[int, int]]:
        """(offset, word) of every input register, in the order of the contract.

        PreflightError where a value is missing or does not fit into its register.
        """
        writes = []
        for register in self.spec.registers:
            if register.direction != "in":
                continue
            if register.name not in values:
                raise PreflightError(f"{self.name}: register {register.name} must have a value")
            value = int(values[register.name])
            low, high = (-(2**31), 2**31 - 1) if register.signed else (0, 2**32 - 1)
            if not low <= value <= high:
                raise PreflightError(
                    f"{self.name}: register {register.name} must be in {low}..{high}, not {value}"
                )
            writes.append((self.offsets[register.name], value & 0xFFFFFFFF))
        return writes

    def write_registers(self, writes: Sequence[tuple[int, int]]) -> None:
        """Write what `register_writes` gave."""
        for offset, word in writes:
            self.mmio.write(offset, word)

    def start(self) -> None:
        """Set ap_start; one write, so neither auto-restart nor a read of ap_done comes with it."""
        self.mmio.write(self.offsets[_CONTROL], AP_START)

    def control(self) -> int:
        """CTRL. Reading it clears ap_done."""
        return int(self.mmio.read(self.offsets[_CONTROL]))

    def status(self) -> int:
        """What the last run ended with; 0 is no error."""
        return int(self.mmio.read(self.offsets["status"])) & 0xFFFFFFFF  # signed in pynq 3.1

    def check_status(self) -> None:
        """KernelError if the last run ended with an error code."""
        if status := self.status():
            raise KernelError(f"{self.spec.name} stopped with {self.spec.explain_status(status)}")
