# SPDX-License-Identifier: Apache-2.0
"""The driver in local mode, on a pynq `Device` in memory: exact bus transactions, faults.

The device models registers, buffers and a kernel that takes what was lowered and answers with the
reference's output; what the kernel does wrong is chosen per test.
"""

from __future__ import annotations

import gc
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pynq = pytest.importorskip("pynq")

from pynq.buffer import PynqBuffer  # noqa: E402

from convloom.driver import (  # noqa: E402
    BoardError,
    ConvIP,
    ConvOverlay,
    HangError,
    KernelError,
    PreflightError,
)
from convloom.driver.ip import offsets_of  # noqa: E402
from convloom.errors import LayerError  # noqa: E402
from convloom.kernels import KernelSpec, load_kernel  # noqa: E402
from convloom.layer import ConvLayer  # noqa: E402
from convloom.lowering import Job, lower  # noqa: E402
from convloom.reference import ALGORITHMS  # noqa: E402

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
            '<EDKSYSTEM><SYSTEMINFO ARCH="zynq" DEVICE="7z020" PACKAGE="clg400" NAME="design_1"/>'
            f'<MODULES><MODULE INSTANCE="{spec.top}_0" FULLNAME="/{spec.top}_0" '
            f'VLNV="xilinx.com:hls:{spec.top}:1.0"/>'
            "</MODULES></EDKSYSTEM>"
        )
    bit.with_suffix(".hwh").write_text(hwh)
    return bit


LAYER = ConvLayer(1, 6, 5, 3, 20, 3, 3, pads=(1, 1, 1, 1), x_zero_point=3)


def tensors(layer: ConvLayer, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.integers(-128, 128, layer.x_shape, dtype=np.int8)
    w = rng.integers(-128, 128, layer.w_shape, dtype=np.int8)
    return x, w, rng.integers(-1000, 1000, layer.k, dtype=np.int32)


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


@pytest.fixture
def overlay(tmp_path: Path) -> Iterator[ConvOverlay]:
    with make(tmp_path) as made:
        yield made
        device = made.device
    gc.collect()
    assert device.used == 0, "contiguous memory is leaked"


@pytest.mark.parametrize("kernel", ["gemm_systolic", "conv_winograd"])
def test_a_layer_is_exact_and_reported(tmp_path: Path, kernel: str) -> None:
    with make(tmp_path, kernel) as overlay:
        x, w, bias, y = teach(overlay, LAYER)
        got = overlay.run(LAYER, x, w, bias)
        assert got.dtype == y.dtype and np.array_equal(got, y)
        report = overlay.report
        assert report is not None and report.cycles is None and report.modelled_seconds is None
        job = overlay.device.kernel.job
        assert (report.bytes_in, report.bytes_out) == (job.bytes_in, job.bytes_out)
        assert report.transfers == {
            "in0": len(job.streams["in0"]),
            "in1": len(job.streams["in1"]),
            "out": 1,
        }
        assert not report.weights_kept and all(s > 0 for s in report.seconds.values())
        assert report.as_json()["dma_transfers"] == report.transfers
    assert overlay.device.used == 0


def test_bus_transactions_are_exactly_these(overlay: ConvOverlay) -> None:
    x, w, bias, _ = teach(overlay, LAYER)
    conv = overlay.conv
    assert isinstance(conv, ConvIP) and conv.name == "gemm_systolic_0"
    device = overlay.device
    device.log.clear()
    job = device.kernel.job
    overlay.run(LAYER, x, w, bias)
    writes = [(ip, offset, value) for way, ip, offset, value in device.log if way == "W"]
    registers = [r for r in overlay.kernel.registers if r.direction == "in"]
    expected = [("K", r.offset, job.registers[r.name] & 0xFFFFFFFF) for r in registers]
    assert writes[: len(expected)] == expected
    rest = writes[len(expected) :]
    # The receive is armed first, then both inputs, then the kernel; lengths last.
    starts = [(ip, offset) for ip, offset, _ in rest]
    assert starts[:10] == [
        *(("D0", 0x48), ("D0", 0x4C), ("D0", 0x58)),
        *(("D0", 0x18), ("D0", 0x1C), ("D0", 0x28)),
        *(("D1", 0x18), ("D1", 0x1C), ("D1", 0x28)),
        ("K", 0),
    ]
    assert rest[2][2] == job.bytes_out and rest[9][2] == 1
    for ip_name, stream in (("D0", "in0"), ("D1", "in1")):
        lengths = [value for ip, offset, value in rest if (ip, offset) == (ip_name, 0x28)]
        assert lengths == [t.nbytes for t in job.streams[stream]]
    # One array sent several times is one buffer sent several times.
    addresses = [value for ip, offset, value in rest if (ip, offset) == ("D0", 0x18)]
    assert len(job.streams["in0"]) == len(addresses) > len(set(addresses)) == 1
    # Every buffer is flushed once, however often it is sent, and the output fetched once.
    kinds = [kind for kind, _ in device.synced]
    assert kinds == ["flush", "flush", "invalidate"]


def test_conv_run_batches_and_uint8(overlay: ConvOverlay) -> None:
    layer = ConvLayer.for_uint8(3, 5, 5, 4, 6, 3, 3, x_zero_point=130)
    signed, w, bias = tensors(layer)
    x = signed.view(np.uint8)
    y = ALGORITHMS["im2col"](layer, x, w, bias).y
    job = lower(layer, x, w, bias, kernel=overlay.kernel)
    overlay.device.kernel.job, overlay.device.kernel.output = job, job.pack(y).tobytes()
    assert np.array_equal(overlay.conv.run(layer, x, w, bias, lowering="im2col"), y)
    assert overlay.device.kernel.starts == 1
    strided = np.repeat(x, 2, axis=2)[:, :, ::2]
    assert not strided.flags.c_contiguous
    assert np.array_equal(overlay.run(layer, strided, w, bias), y)


def test_weights_stay_by_content_and_the_oldest_go_first(tmp_path: Path) -> None:
    with make(tmp_path) as overlay:
        for seed, kept in ((1, False), (1, True), (2, False), (1, True)):
            x, w, bias, y = teach(overlay, LAYER, seed)
            assert np.array_equal(overlay.run(LAYER, x.copy(), w.copy(), bias.copy()), y)
            assert overlay.report is not None and overlay.report.weights_kept is kept
        both = overlay._memory.kept_bytes
        assert overlay.device.used == both
        overlay._memory.keep_bytes = both // 2
        x, w, bias, y = teach(overlay, LAYER, 3)
        assert np.array_equal(overlay.run(LAYER, x, w, bias), y)
        assert overlay.device.used == overlay._memory.kept_bytes == both // 2
        overlay._memory.clear()
        overlay._memory.keep_bytes = 8
        assert np.array_equal(overlay.run(LAYER, x, w, bias), y)
        assert overlay.device.used == 0


HANGS = {
    "never started": ("gemm_systolic was never started", "0x04 (idle)"),
    "stuck in1": ("does not take in1", "0x01 (start)"),
    "wants more": ("waits for more input", "6 of 6 transfers"),
    "no TLAST": ("no TLAST on the last beat of out", "0 of 1 transfers"),
    "too long": ("receive buffer", "DMAIntErr"),
}


@pytest.mark.parametrize("fault", HANGS)
def test_a_hang_is_explained_and_the_next_run_works(overlay: ConvOverlay, fault: str) -> None:
    x, w, bias, y = teach(overlay, LAYER, fault=fault)
    downloads = overlay.device.downloads
    with pytest.raises(HangError) as caught:
        overlay.run(LAYER, x, w, bias)
    text = str(caught.value)
    for part in (*HANGS[fault], "ap_ctrl", "status 0x0", "axi_dma_0 S2MM", "DMASR 0x", "beats"):
        assert part in text, text
    assert overlay.report is None
    # The DMAs were stopped before their buffers were freed.
    resets = [
        (ip, v) for way, ip, o, v in overlay.device.log if way == "W" and o % 0x30 == 0 and v == 4
    ]
    assert {"D0", "D1"} <= {ip for ip, _ in resets}
    assert overlay.device.used == overlay._memory.kept_bytes
    overlay.device.kernel.fault = ""
    assert np.array_equal(overlay.run(LAYER, x, w, bias), y)
    assert overlay.device.downloads == downloads + 1


def test_early_tlast_is_told(overlay: ConvOverlay) -> None:
    x, w, bias, y = teach(overlay, LAYER, fault="early TLAST")
    with pytest.raises(KernelError, match="TLAST came early") as caught:
        overlay.run(LAYER, x, w, bias)
    size = overlay.device.kernel.job.bytes_out
    assert f"{size:,} bytes, not {size - 16:,}" in str(caught.value)
    overlay.device.kernel.fault = ""
    assert np.array_equal(overlay.run(LAYER, x, w, bias), y)


def test_an_error_code_of_the_kernel_is_explained(overlay: ConvOverlay) -> None:
    x, w, bias, y = teach(overlay, LAYER, fault="status")
    with pytest.raises(KernelError, match="gemm_systolic stopped with status 0x1: rows, row_tiles"):
        overlay.run(LAYER, x, w, bias)
    overlay.device.kernel.fault = ""
    assert np.array_equal(overlay.run(LAYER, x, w, bias), y)


def test_registers_must_fit(overlay: ConvOverlay) -> None:
    x, w, bias, y = teach(overlay, LAYER)
    job = overlay.device.kernel.job
    for name, value, said in (("rows", -1, "0..4294967295, not -1"), ("rows", 2**32, "not 4294967296")):
        wrong = replace(job, registers={**job.registers, name: value})
        with pytest.raises(PreflightError, match=f"register {name} must be in .*{said}"):
            overlay.execute(wrong)
    few = {k: v for k, v in job.registers.items() if k != "chunks"}
    with pytest.raises(PreflightError, match="register chunks must have a value"):
        overlay.execute(replace(job, registers=few))
    assert np.array_equal(overlay.run(LAYER, x, w, bias), y)


def test_a_length_above_the_dma_is_refused_before_any_write(tmp_path: Path) -> None:
    with make(tmp_path, bits=10) as overlay:
        x, w, bias, _ = teach(overlay, LAYER)
        _ = overlay.conv
        overlay.device.log.clear()
        with pytest.raises(PreflightError, match=r"at most 1,023 bytes, the 10-bit length of axi_dma"):
            overlay.run(LAYER, x, w, bias)
        assert overlay.device.log == [] and overlay.device.used == 0


def test_receive_buffers_of_the_user(overlay: ConvOverlay) -> None:
    x, w, bias, y = teach(overlay, LAYER)
    job = overlay.device.kernel.job
    device = overlay.device
    with device.allocate((job.out_beats + 5,), "<u8") as mine:
        for _ in range(2):
            assert np.array_equal(overlay.run(LAYER, x, w, bias, receive=mine), y)
        starts = device.kernel.starts
        wrong = {
            "not a view": mine[1:],
            "a pynq buffer, not ndarray": np.zeros(job.out_beats, "<u8"),
            "view": mine.reshape(1, -1)[:, ::2],
        }
        for said, buffer in wrong.items():
            with pytest.raises(PreflightError, match=said):
                overlay.run(LAYER, x, w, bias, receive=buffer)
        small = device.allocate((job.out_beats - 1,), "<u8")
        with pytest.raises(PreflightError, match=r"must hold the layer's .* bytes, not"):
            overlay.run(LAYER, x, w, bias, receive=small)
        small.freebuffer()
        with pytest.raises(PreflightError, match="not freed already"):
            overlay.run(LAYER, x, w, bias, receive=small)
        assert device.kernel.starts == starts
        del wrong, buffer, small


def test_exhausted_memory_gives_up_kept_weights_then_says_so(tmp_path: Path) -> None:
    with make(tmp_path) as overlay:
        x, w, bias, y = teach(overlay, LAYER)
        overlay.run(LAYER, x, w, bias)
        need = overlay.device.used
        overlay.device.cma = need + overlay.device.kernel.job.bytes_out + 2048
        x, w, bias, y = teach(overlay, LAYER, 2)
        assert np.array_equal(overlay.run(LAYER, x, w, bias), y)
        with overlay.device.allocate((overlay.device.cma - overlay.device.used - 512,), "u1"):
            x, w, bias, y = teach(overlay, LAYER, 3)
            with pytest.raises(BoardError, match=r"must fit the board's contiguous memory \(CMA\)"):
                overlay.run(LAYER, x, w, bias)
        assert np.array_equal(overlay.run(LAYER, x, w, bias), y)


def test_wrong_tensors_never_reach_the_board(overlay: ConvOverlay) -> None:
    x, w, bias, _ = teach(overlay, LAYER)
    log = list(overlay.device.log)
    nan = np.full(LAYER.x_shape, np.nan, np.float32)
    for bad, said in ((nan, "not float32 holding NaN; quantise"), (x.astype(float), "not float64")):
        with pytest.raises(LayerError, match=said):
            overlay.run(LAYER, bad, w, bias)
    with pytest.raises(LayerError, match="must have shape"):
        overlay.run(LAYER, x[:, 1:], w, bias)
    assert overlay.device.log == log


def test_jobs_of_another_kernel_or_configuration_are_refused(overlay: ConvOverlay) -> None:
    x, w, bias, _ = teach(overlay, LAYER)
    for kernel, config in (("conv_winograd", "tiny"), ("gemm_systolic", "z2")):
        job = lower(LAYER, x, w, bias, kernel=load_kernel(kernel), config=config)
        with pytest.raises(PreflightError, match=f"not for {kernel} {config}"):
            overlay.execute(job)


def test_another_overlay_on_the_board_is_noticed(overlay: ConvOverlay) -> None:
    x, w, bias, y = teach(overlay, LAYER)
    overlay.device.timestamp, overlay.device.bitfile_name = "another", "/x/base.bit"
    with pytest.raises(PreflightError, match=r"must be loaded to run a layer, not base.bit"):
        overlay.run(LAYER, x, w, bias)
    overlay.download()
    assert np.array_equal(overlay.run(LAYER, x, w, bias), y)


def test_files_that_do_not_belong_together(tmp_path: Path) -> None:
    spec = load_kernel("gemm_systolic")
    device = FakeDevice(description_of(spec))

    def load(bit: Path, said: str, **options: Any) -> None:
        with pytest.raises(PreflightError, match=said):
            ConvOverlay(bit, device=device, **options)

    load(tmp_path / "none.bit", "must exist")
    bit = write_files(tmp_path, spec)
    bit.with_suffix(".hwh").unlink()
    load(bit, "must have gemm_systolic_tiny.hwh beside it")
    load(write_files(tmp_path, spec, hwh="<EDK"), "must be XML")
    load(write_files(tmp_path, spec, part="xczu3egsfvc784"), "of the same build .* part")
    text = write_files(tmp_path, spec).with_suffix(".hwh").read_text()
    other = text.replace('NAME="design_1"', 'NAME="design_1" VIVADOVERSION="2019.2"')
    load(write_files(tmp_path, spec, hwh=other), "Vivado must be 2022.1, not 2019.2")
    led = text.replace("xilinx.com:hls:gemm_systolic", "xilinx.com:ip:axi_gpio")
    load(
        write_files(tmp_path, spec, hwh=led),
        "must hold a kernel of convloom .*not only gemm_systolic_0",
    )
    bit = write_files(tmp_path, spec, stem="mine")
    load(bit, "must say which configuration .*pass config=")
    assert ConvOverlay(bit, device=device, config="z2").config == "z2"
    bit.write_bytes(bit.read_bytes()[:-3])
    load(bit, "must be a whole .bit file")
    assert device.log == []


def test_overlays_of_another_version_are_refused_by_name(tmp_path: Path) -> None:
    spec = load_kernel("gemm_systolic")
    registers = registers_of(spec)
    assert offsets_of(spec, registers, "x")["status"] == offset_of(spec, "status")
    registers["chunks"]["address_offset"] += 8
    with pytest.raises(PreflightError, match="register chunks of gemm_systolic must be at 0x58, not"):
        offsets_of(spec, registers, "overlay x.bit")
    description = description_of(spec)
    del description.ip_dict["gemm_systolic_0"]["registers"]["rows"]
    device = FakeDevice(description)
    with pytest.raises(PreflightError, match="must have a register rows"):
        ConvOverlay(write_files(tmp_path, spec), device=device)
    del description.ip_dict["axi_dma_1"]
    description.ip_dict["gemm_systolic_0"]["registers"] = registers_of(spec)
    with pytest.raises(PreflightError, match="must hold axi_dma_1"):
        ConvOverlay(write_files(tmp_path, spec), device=FakeDevice(description))
    assert device.downloads == 0
