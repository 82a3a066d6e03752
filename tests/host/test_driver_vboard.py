# SPDX-License-Identifier: Apache-2.0
"""The driver through unmodified pynq on the virtual board: random layers, cycles, local mode.

All in one process per worker: a board per kernel, each with its own `RemoteDevice`.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pynq", reason="pynq comes with the extra board: pip install 'convloom[board]'")

from driver_support import LAYER, reference, tensors
from virtual_board import check_next, load, make_job, start

from convloom.driver import PreflightError
from convloom.lowering import lower, lowerings_for
from convloom.random_layers import random_layers

# pynq 4.0.0 uses pydantic's old names.
pytestmark = pytest.mark.filterwarnings("ignore:The `.*` method is deprecated")


DRAWS = {
    # 20 + 10 + 10 layers; small ones, since every DMA transfer costs five calls over RPC.
    "gemm_systolic": dict(count=20, max_macs=6_000, max_channels=10, max_filters=12, max_size=8),
    "conv_linebuffer": dict(count=10, max_macs=6_000, max_channels=9, max_filters=9, max_size=8),
    "conv_winograd": dict(count=10, max_macs=6_000, kernels=[(3, 3)], max_stride=1, max_dilation=1),
}
PROFILES = {"gemm_systolic": "pynq-z2", "conv_linebuffer": "kv260", "conv_winograd": "aup-zu3"}
LOWERINGS = {
    "gemm_systolic": {"im2col", "mec", "indirect"},
    "conv_linebuffer": {"stream", "pack"},
    "conv_winograd": {"pixels"},
}


def run_layers(overlay: Any, seed: int, *, count: int, **draw: Any) -> dict[str, int]:
    """`count` random layers on every lowering there is for them; how many layers each lowering ran.

    Layers that the kernel refuses with every lowering are drawn anew.
    """
    runs: dict[str, int] = {}
    done = 0
    for layer, x, w, bias in random_layers(10 * count, seed, **draw):
        lowerings = lowerings_for(layer, overlay.kernel, overlay.config)
        want = reference(layer, x, w, bias)
        for lowering in lowerings:
            y = overlay.run(layer, x, w, bias, lowering=lowering)
            assert y.dtype == want.dtype and np.array_equal(y, want), f"{layer.name} {lowering}"
            assert overlay.report.cycles > 0 and overlay.report.lowering == lowering
            runs[lowering] = runs.get(lowering, 0) + 1
        done += bool(lowerings)
        if done == count:
            return runs
    raise AssertionError(f"only {done} of {count} layers suit {overlay.kernel.name}")


@pytest.mark.parametrize("kernel", DRAWS)
def test_random_layers_are_exact_on_every_lowering(kernel: str) -> None:
    """40 layers over the three kernels, each on another board: Zynq-7000 and twice UltraScale+."""
    board = start(kernel, PROFILES[kernel])
    try:
        with load(board) as overlay:
            runs = run_layers(overlay, 11, **DRAWS[kernel])
            assert set(runs) == LOWERINGS[kernel] and min(runs.values()) >= 3, runs
            assert board.counters()["faults"] == []
        assert board.counters()["cma"]["used"] == 0, "contiguous memory is leaked"
    finally:
        board.stop()


def test_two_boards_at_once_keep_apart(gemm: tuple[Any, Any]) -> None:
    other = start("gemm_systolic", "kv260")
    try:
        with load(other) as overlay:
            x, w, bias = tensors(LAYER)
            starts = gemm[0].counters()["run"]["starts"]
            run_layers(overlay, 12, **{**DRAWS["gemm_systolic"], "count": 3})
            assert gemm[0].counters()["run"]["starts"] == starts
            assert overlay.clock_mhz == other.profile.clock_mhz == 300
            first = [overlay.run(LAYER, x, w, bias), gemm[1].run(LAYER, x, w, bias)]
            assert np.array_equal(*first)
            assert overlay.report.cycles != gemm[1].report.cycles  # the memory is another
            beats = make_job(overlay).out_beats
            said = pytest.raises(PreflightError, match="must be of the board that runs the layer")
            with gemm[1].device.allocate((beats,), "<u8") as foreign, said:
                overlay.run(LAYER, x, w, bias, receive=foreign)
            with overlay.device.allocate((beats,), "<u8") as own:
                assert np.array_equal(overlay.run(LAYER, x, w, bias, receive=own), first[0])
    finally:
        other.stop()


def test_the_same_layer_takes_the_same_cycles(gemm: tuple[Any, Any]) -> None:
    board, overlay = gemm
    x, w, bias = tensors(LAYER)
    job = lower(LAYER, x, w, bias, kernel=overlay.kernel)
    seen = set()
    for trace in (False, True, False):
        overlay.trace = trace
        overlay.download()
        overlay.run(LAYER, x, w, bias)
        seen.add(overlay.report.cycles)
    overlay.trace = False
    assert len(seen) == 1
    report = overlay.report
    assert report.modelled_seconds == pytest.approx(report.cycles / (1e6 * board.profile.clock_mhz))
    assert report.bytes_in == job.bytes_in and report.bytes_out == job.bytes_out
    assert set(report.as_json()["this_machine_seconds"]) == {"lowering", "transfer", "wait"}


def test_timeline_of_a_run(gemm: tuple[Any, Any]) -> None:
    _, overlay = gemm
    overlay.trace = True
    overlay.run(LAYER, *tensors(LAYER))
    overlay.trace = False
    report = overlay.report
    tracks = {track: [e for e in report.board if e.track == track] for track in ("in0", "in1")}
    assert {s: len(e) for s, e in tracks.items()} == {s: report.transfers[s] for s in tracks}
    for event in report.board:
        assert 0 <= event.start < event.end
    for events in tracks.values():
        assert all(a.end <= b.start for a, b in itertools.pairwise(events))
    (compute,) = [e for e in report.board if e.track == "compute"]
    assert compute.end <= report.cycles * 1.5
    assert {e.track for e in report.host} == {"lowering", "transfer", "wait"}


# Local mode on the same RTL ------------------------------------------------------------------------


def test_local_mode_on_the_same_board(gemm: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """A pynq device with mapped registers and cached buffers, as on a board, over the virtual one."""
    from pynq import Device
    from pynq.buffer import PynqBuffer

    from convloom.driver import ConvIP, ConvOverlay, HangError

    remote = gemm[1].device

    class LocalBuffer(PynqBuffer):
        def freebuffer(self) -> None:
            if getattr(self, "memory", None) is not None and not self.freed:
                self.freed = True
                self.memory.freebuffer()

    class LocalDevice(Device):
        def __init__(self) -> None:
            super().__init__("local")
            self.capabilities = {"REGISTER_RW": True}
            self.arch, self.name, self.timestamp = remote.arch, "local", ""
            self.maps: dict[int, Any] = {}

        def get_bitfile_metadata(self, name: str, partial: bool = False) -> Any:
            return remote.get_bitfile_metadata(name, partial)

        def download(self, bitstream: Any, parser: Any = None) -> None:
            remote.download(bitstream, parser)
            self.post_download(bitstream, parser, self.name)

        def _map(self, address: int) -> tuple[Any, int]:
            base = address & ~0xFFF
            if base not in self.maps:
                self.maps[base] = remote.mmap(base, 0x1000)
            return self.maps[base], address - base

        def read_registers(self, address: int, length: int) -> bytes:
            area, offset = self._map(address)
            return int(area.read(offset)).to_bytes(4, "little")

        def write_registers(self, address: int, data: bytes) -> None:
            area, offset = self._map(address)
            area.write(offset, bytes(data))

        def allocate(self, shape: Any, dtype: Any, **_: Any) -> Any:
            far = remote.allocate(shape, dtype)
            buffer = LocalBuffer(shape, dtype, device=self, bo=far, device_address=far.physical_address)
            buffer.memory = far
            return buffer

        def flush(self, bo: Any, offset: int, pointer: int, nbytes: int) -> None:
            import ctypes

            assert offset == 0 and nbytes == bo.nbytes
            ctypes.memmove(bo.__array_interface__["data"][0], pointer, nbytes)
            bo.flush()

        def invalidate(self, bo: Any, offset: int, pointer: int, nbytes: int) -> None:
            import ctypes

            bo.invalidate()
            ctypes.memmove(pointer, bo.__array_interface__["data"][0], nbytes)

    with ConvOverlay(gemm[0].bitstream, device=LocalDevice(), limit=1.0) as overlay:
        assert overlay.report is None
        for layer, x, w, bias in random_layers(4, 17, max_macs=10_000, max_size=8):
            assert np.array_equal(overlay.run(layer, x, w, bias), reference(layer, x, w, bias))
        assert overlay.report.cycles is None  # a board has no counters
        job = make_job(overlay)
        with pytest.raises(HangError, match="receive buffer") as caught:
            overlay.execute(replace(job, out_beats=job.out_beats - 8))
        assert "DMAIntErr" in str(caught.value) and "beats in completed transfers" in str(caught.value)
        assert gemm[0].counters()["cma"]["buffers"] == len(overlay._memory._kept)
        check_next(overlay)
        with monkeypatch.context() as patch:
            patch.setattr(ConvIP, "start", lambda self: None)
            with pytest.raises(HangError, match="gemm_systolic was never started"):
                overlay.run(LAYER, *tensors(LAYER))
        check_next(overlay)
    gemm[1].download()
    check_next(gemm[1])
