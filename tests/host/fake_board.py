# SPDX-License-Identifier: Apache-2.0
"""A pynq `Device` in memory, for the driver's local mode: registers, buffers, a kernel that misbehaves.

The kernel takes what was lowered and answers with the reference's output; what it does wrong is chosen
per test.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pynq
from driver_support import tensors
from pynq.buffer import PynqBuffer

from convloom.driver import ConvOverlay
from convloom.kernels import KernelSpec, load_kernel
from convloom.layer import ConvLayer
from convloom.lowering import Job, lower
from convloom.reference import ALGORITHMS

KERNEL, DMA0, DMA1 = 0x40000000, 0x40400000, 0x40410000
NAMES = {KERNEL: "K", DMA0: "D0", DMA1: "D1"}
HALTED, IDLE = 1, 2


@dataclass
class Way:
    """One direction of a DMA."""

    status: int = HALTED
    address: int = 0
    length: int = 0
    waiting: bool = False


@dataclass
class FakeKernel:
    """What the kernel expects and sends, and how it misbehaves."""

    job: Job | None = None
    output: bytes = b""
    fault: str = ""
    control: int = 4
    starts: int = 0
    taken: dict[str, int] = field(default_factory=lambda: {"in0": 0, "in1": 0})
    registers: dict[int, int] = field(default_factory=dict)
    status: int = 0
    over: bool = False


class FakeDevice(pynq.Device):
    """A board in memory; `log` has every register access as (read or write, IP, offset, value)."""

    def __init__(self, description: Any, cma: int = 1 << 20) -> None:
        super().__init__("fake")
        self.capabilities = {"REGISTER_RW": True}
        self.arch, self.name = "armv7l", "fake"
        self.timestamp, self._description = "", description
        self.cma, self.used, self.next = cma, 0, 0x10000000
        self.memory: dict[int, np.ndarray] = {}
        self.synced: list[tuple[str, int]] = []
        self.log: list[tuple[str, str, int, int]] = []
        self.downloads = 0
        self.bitfile_name = ""
        self.kernel = FakeKernel()
        self.reset_pl()

    def reset_pl(self) -> None:
        self.ways = {(d, b): Way() for d in (DMA0, DMA1) for b in (0, 0x30)}
        self.kernel = replace(
            self.kernel, control=4, taken={"in0": 0, "in1": 0}, status=0, over=False, registers={}
        )

    # What pynq asks of a device -----------------------------------------------------------------
    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        return self._description

    def download(self, bitstream: Any, parser: Any = None) -> None:
        self.downloads += 1
        self.reset_pl()
        self.post_download(bitstream, parser, self.name)

    def allocate(self, shape: Any, dtype: Any, **_: Any) -> Any:
        nbytes = int(np.prod(shape)) * np.dtype(dtype).itemsize
        if self.used + nbytes > self.cma:
            raise RuntimeError("Failed to allocate Memory!")
        address, self.next = self.next, self.next + -(-nbytes // 4096) * 4096
        store = np.full(nbytes, 0xA5, np.uint8)
        self.memory[address] = store
        self.used += nbytes
        buffer = FakeBuffer(shape, dtype, buffer=store, device=self, device_address=address, bo=address)
        buffer.memory = self
        return buffer

    def free(self, address: int) -> None:
        self.used -= self.memory.pop(address).nbytes

    def flush(self, bo: int, offset: int, pointer: int, nbytes: int) -> None:
        self.synced.append(("flush", bo))

    def invalidate(self, bo: int, offset: int, pointer: int, nbytes: int) -> None:
        self.synced.append(("invalidate", bo))

    def read_registers(self, address: int, length: int) -> bytes:
        base, offset = address & 0xFFFF0000, address & 0xFFFF
        value = self._read_kernel(offset) if base == KERNEL else self._read_dma(base, offset)
        self.log.append(("R", NAMES[base], offset, value))
        return struct.pack("<I", value)

    def write_registers(self, address: int, data: bytes) -> None:
        base, offset = address & 0xFFFF0000, address & 0xFFFF
        (value,) = struct.unpack("<I", bytes(data))
        self.log.append(("W", NAMES[base], offset, value))
        if base == KERNEL:
            self._write_kernel(offset, value)
        else:
            self._write_dma(base, offset, value)
        self._work()

    # The hardware ---------------------------------------------------------------------------------
    def _read_kernel(self, offset: int) -> int:
        kernel = self.kernel
        if offset == 0:
            value, kernel.control = kernel.control, kernel.control & ~2
            return value
        if kernel.job is not None and offset == offset_of(kernel.job.spec, "status"):
            return kernel.status
        return kernel.registers.get(offset, 0)

    def _write_kernel(self, offset: int, value: int) -> None:
        if offset == 0 and value & 1 and self.kernel.fault != "never started":
            self.kernel.control = 1
            self.kernel.starts += 1
            self.kernel.taken = {"in0": 0, "in1": 0}
            self.kernel.over = False
        elif offset:
            self.kernel.registers[offset] = value

    def _read_dma(self, base: int, offset: int) -> int:
        way, register = self._way(base, offset)
        return {0x04: way.status, 0x28: way.length}.get(register, 0)

    def _way(self, base: int, offset: int) -> tuple[Way, int]:
        first = 0x30 if offset >= 0x30 else 0
        return self.ways[base, first], offset - first

    def _write_dma(self, base: int, offset: int, value: int) -> None:
        way, register = self._way(base, offset)
        if register == 0 and value & 4:
            self.ways[base, 0], self.ways[base, 0x30] = Way(), Way()
        elif register == 0:
            way.status &= ~HALTED
        elif register == 0x18:
            way.address = value
        elif register == 0x28:
            way.length, way.waiting = value, True
            way.status &= ~IDLE

    def bytes_at(self, address: int, nbytes: int) -> np.ndarray:
        for base, store in self.memory.items():
            if base <= address and address + nbytes <= base + store.nbytes:
                return store[address - base : address - base + nbytes]
        raise AssertionError(f"DMA of {nbytes} bytes at 0x{address:x} is in no buffer")

    def _work(self) -> None:
        kernel = self.kernel
        if kernel.job is None or not kernel.control & 1 or kernel.over:
            return
        if kernel.fault == "status":
            kernel.status, kernel.control, kernel.over = 1, 6, True
            return
        for stream, base in (("in0", DMA0), ("in1", DMA1)):
            way, transfers = self.ways[base, 0], kernel.job.streams[stream]
            if kernel.fault == f"stuck {stream}" or not way.waiting:
                continue
            wanted = transfers[kernel.taken[stream]]
            got = self.bytes_at(way.address, way.length)
            assert got.tobytes() == wanted.tobytes(), f"{stream} transfer {kernel.taken[stream]}"
            kernel.taken[stream] += 1
            way.waiting, way.status = False, IDLE | 0x1000
        complete = all(kernel.taken[s] == len(t) for s, t in kernel.job.streams.items())
        if complete and kernel.fault != "wants more":
            self._send(self.ways[DMA0, 0x30])

    def _send(self, way: Way) -> None:
        kernel = self.kernel
        kernel.over, kernel.control = True, 6
        assert way.waiting, "output without a receive"
        output = kernel.output[:-16] if kernel.fault == "early TLAST" else kernel.output
        if kernel.fault == "too long":
            way.status = HALTED | 0x10 | 0x4000
            return
        self.bytes_at(way.address, len(output))[:] = np.frombuffer(output, np.uint8)
        if kernel.fault != "no TLAST":
            way.length, way.waiting, way.status = len(output), False, IDLE | 0x1000


class FakeBuffer(PynqBuffer):
    """Frees itself once, as pynq's buffers do."""

    def freebuffer(self) -> None:
        if getattr(self, "memory", None) is not None and not self.freed:
            self.freed = True
            self.memory.free(self.bo)


def offset_of(spec: KernelSpec, name: str) -> int:
    return next(r.offset for r in spec.registers if r.name == name)


def ip(name: str, kind: str, address: int, parameters: dict, registers: dict) -> dict[str, Any]:
    return {
        "type": kind,
        "phys_addr": address,
        "addr_range": 0x10000,
        "fullpath": name,
        "parameters": parameters,
        "registers": registers,
        "interrupts": {},
        "gpio": {},
        "state": None,
    }


def registers_of(spec: KernelSpec) -> dict[str, dict[str, Any]]:
    rows = {"CTRL": 0, **{r.name: r.offset for r in spec.registers}}
    return {
        name: {
            "address_offset": offset,
            "access": "read-write",
            "size": 32,
            "description": name,
            "fields": {},
        }
        for name, offset in rows.items()
    }


def description_of(spec: KernelSpec, bits: int = 26) -> Any:
    """What pynq's parser gives for an overlay with this kernel."""
    dma = {
        "c_include_sg": "0",
        "c_sg_length_width": str(bits),
        "c_include_mm2s": "1",
        "c_m_axi_mm2s_data_width": "64",
        "c_include_s2mm": "1",
        "c_m_axi_s2mm_data_width": "64",
    }
    kind = "xilinx.com:ip:axi_dma:7.1"
    name = f"{spec.top}_0"
    ips = {
        name: ip(name, f"xilinx.com:hls:{spec.top}:1.0", KERNEL, {}, registers_of(spec)),
        "axi_dma_0": ip("axi_dma_0", kind, DMA0, dma, {}),
        "axi_dma_1": ip("axi_dma_1", kind, DMA1, {**dma, "c_include_s2mm": "0"}, {}),
    }
    empty: dict[str, Any] = dict.fromkeys(
        (
            "mem_dict",
            "gpio_dict",
            "interrupt_pins",
            "interrupt_controllers",
            "hierarchy_dict",
            "clock_dict",
        )
    )
    return SimpleNamespace(ip_dict=ips, systemgraph=None, **{key: {} for key in empty})


def write_files(
    directory: Path,
    spec: KernelSpec,
    *,
    stem: str = "",
    part: str = "7z020clg400",
    hwh: str | None = None,
) -> Path:
    """A .bit and .hwh as Vivado's look from outside; returns the .bit."""
    stem = stem or f"{spec.name}_tiny"
    header = struct.pack(">H", 9) + bytes(9) + struct.pack(">H", 1)
    for letter, text in zip("abcd", (f"{stem};Version=2022.1", part, "2024/1/1", "0:0:0"), strict=True):
        raw = text.encode() + b"\0"
        header += letter.encode() + struct.pack(">H", len(raw)) + raw
    payload = bytes(64)
    bit = directory / f"{stem}.bit"
    bit.write_bytes(header + b"e" + struct.pack(">I", len(payload)) + payload)
    if hwh is None:
        hwh = (
            '<EDKSYSTEM><SYSTEMINFO ARCH="zynq" DEVICE="7z020" NAME="design_1" PACKAGE="clg400" '
            'SPEEDGRADE="-1"/>'
            f'<MODULES><MODULE INSTANCE="{spec.top}_0" FULLNAME="/{spec.top}_0" '
            f'VLNV="xilinx.com:hls:{spec.top}:1.0"/>'
            "</MODULES></EDKSYSTEM>"
        )
    bit.with_suffix(".hwh").write_text(hwh)
    return bit


def make(directory: Path, kernel: str = "gemm_systolic", **options: Any) -> ConvOverlay:
    spec = load_kernel(kernel)
    cma = options.pop("cma", 1 << 20)
    device = FakeDevice(description_of(spec, options.pop("bits", 26)), cma)
    return ConvOverlay(write_files(directory, spec), device=device, limit=0.2, **options)


def teach(overlay: ConvOverlay, layer: ConvLayer, seed: int = 1, fault: str = "") -> tuple[Any, ...]:
    """Tell the fake kernel what it will get; returns (x, w, bias, y)."""
    x, w, bias = tensors(layer, seed)
    y = ALGORITHMS["im2col"](layer, x, w, bias).y
    job = lower(layer, x, w, bias, kernel=overlay.kernel, config=overlay.config)
    overlay.device.kernel.job = job
    overlay.device.kernel.output = job.pack(y).tobytes()
    overlay.device.kernel.fault = fault
    return x, w, bias, y
