# SPDX-License-Identifier: Apache-2.0
"""The driver through unmodified pynq on the virtual board: random layers, and faults on the RTL.

All in one process per worker: a board per kernel, each with its own `RemoteDevice`.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pynq")
vboard = pytest.importorskip("vboard")

from convloom.kernels import load_kernel  # noqa: E402
from convloom.layer import ConvLayer  # noqa: E402
from convloom.lowering import lower, lowerings_for  # noqa: E402
from convloom.random_layers import random_layers  # noqa: E402
from convloom.reference import ALGORITHMS  # noqa: E402

# pynq 4.0.0 uses pydantic's old names.
pytestmark = pytest.mark.filterwarnings("ignore:The `.*` method is deprecated")

LAYER = ConvLayer(1, 6, 5, 3, 20, 3, 3, pads=(1, 1, 1, 1), x_zero_point=3)


def tensors(layer: ConvLayer, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.integers(-128, 128, layer.x_shape, dtype=np.int8)
    w = rng.integers(-128, 128, layer.w_shape, dtype=np.int8)
    return x, w, rng.integers(-1000, 1000, layer.k, dtype=np.int32)


def reference(layer: ConvLayer, x: Any, w: Any, bias: Any) -> Any:
    return ALGORITHMS["im2col"](layer, x, w, bias).y


def load(board: Any, **options: Any) -> Any:
    """A ConvOverlay on this board, whatever other boards there are."""
    from pynq.pl_server.remote_device import RemoteDevice

    from convloom.driver import ConvOverlay

    options = {"limit": 1.0, **options}
    return ConvOverlay(board.bitstream, device=RemoteDevice(0, board.address), **options)


def start(kernel: str, profile: str = "pynq-z2", **options: Any) -> Any:
    """A board of this test. PYNQ_REMOTE_DEVICES stays unset: other tests here have boards too."""
    return vboard.start(kernel, board=profile, **options)


@pytest.fixture(scope="module")
def gemm() -> Iterator[tuple[Any, Any]]:
    """(board, overlay) of gemm_systolic tiny on a PYNQ-Z2."""
    board = start("gemm_systolic")
    try:
        with load(board) as overlay:
            yield board, overlay
        assert board.counters()["cma"]["used"] == 0, "contiguous memory is leaked"
    finally:
        board.stop()


def run_layers(overlay: Any, count: int, seed: int) -> int:
    """Random layers on every lowering there is for them; returns how many runs."""
    runs = 0
    for layer, x, w, bias in random_layers(
        count, seed, max_macs=15_000, max_channels=12, max_size=9, max_stride=2
    ):
        for lowering in lowerings_for(layer, overlay.kernel, overlay.config):
            y = overlay.run(layer, x, w, bias, lowering=lowering)
            want = reference(layer, x, w, bias)
            assert y.dtype == want.dtype and np.array_equal(y, want), f"{layer.name} {lowering}"
            assert overlay.report.cycles > 0 and overlay.report.lowering == lowering
            runs += 1
    return runs


def test_random_layers_are_exact(gemm: tuple[Any, Any]) -> None:
    board, overlay = gemm
    assert run_layers(overlay, 15, 11) >= 15
    assert board.counters()["faults"] == []


def test_random_layers_on_ultrascale_and_two_boards_keep_apart(gemm: tuple[Any, Any]) -> None:
    other = start("gemm_systolic", "kv260")
    try:
        with load(other) as overlay:
            x, w, bias = tensors(LAYER)
            starts = gemm[0].counters()["run"]["starts"]
            assert run_layers(overlay, 5, 12) >= 5
            assert gemm[0].counters()["run"]["starts"] == starts
            assert overlay.clock_mhz == other.profile.clock_mhz == 300
            first = [overlay.run(LAYER, x, w, bias), gemm[1].run(LAYER, x, w, bias)]
            assert np.array_equal(*first)
            assert overlay.report.cycles != gemm[1].report.cycles  # the memory is another
    finally:
        other.stop()


@pytest.mark.nightly
@pytest.mark.parametrize("kernel", ["conv_linebuffer", "conv_winograd"])
def test_other_kernels_are_exact(kernel: str) -> None:
    board = start(kernel)
    try:
        with load(board) as overlay:
            layers = random_layers(40, 13, max_macs=15_000, kernels=[(3, 3)], max_stride=1)
            done = 0
            for layer, x, w, bias in layers:
                for lowering in lowerings_for(layer, overlay.kernel, overlay.config):
                    y = overlay.run(layer, x, w, bias, lowering=lowering)
                    assert np.array_equal(y, reference(layer, x, w, bias)), f"{layer.name} {lowering}"
                    done += 1
            assert done >= 10
    finally:
        board.stop()


def test_the_same_layer_takes_the_same_cycles(gemm: tuple[Any, Any]) -> None:
    _, overlay = gemm
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
    assert report.modelled_seconds == pytest.approx(report.cycles / 150e6)
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


# Faults: each is told, returns in time, and the next run works ------------------------------------


def check_next(overlay: Any) -> None:
    x, w, bias = tensors(LAYER, 7)
    assert np.array_equal(overlay.run(LAYER, x, w, bias), reference(LAYER, x, w, bias))


def make_job(overlay: Any) -> Any:
    return lower(LAYER, *tensors(LAYER), kernel=overlay.kernel, config=overlay.config)


def test_registers_out_of_the_kernels_range(gemm: tuple[Any, Any]) -> None:
    from convloom.driver import KernelError

    _, overlay = gemm
    job = make_job(overlay)
    for name, value, said in (("rows", 0, "bad|rows, row_tiles"), ("int8_output", 7, "int8_output")):
        with pytest.raises(KernelError, match=f"gemm_systolic stopped with status 0x.*{said}"):
            overlay.execute(replace(job, registers={**job.registers, name: value}))
    check_next(overlay)


def test_tlast_in_the_wrong_place(gemm: tuple[Any, Any]) -> None:
    """Two transfers in one (TLAST missing), and one in two (TLAST early)."""
    from convloom.driver import KernelError

    _, overlay = gemm
    job = make_job(overlay)
    in1 = list(job.streams["in1"])
    assert len(in1) > 2
    joined = [np.concatenate(in1[:2]), *in1[2:]]
    split = [in1[0][:5], in1[0][5:], *in1[1:]]
    for transfers in (joined, split):
        with pytest.raises(KernelError, match="TLAST of in1 was not on the last beat"):
            overlay.execute(replace(job, streams={**job.streams, "in1": transfers}))
        check_next(overlay)


def test_a_receive_that_is_too_small_and_one_that_is_too_long(gemm: tuple[Any, Any]) -> None:
    from convloom.driver import HangError, KernelError

    _, overlay = gemm
    job = make_job(overlay)
    with pytest.raises(HangError, match="receive buffer") as caught:
        overlay.execute(replace(job, out_beats=job.out_beats - 8))
    assert "DMAIntErr" in str(caught.value) and "axi_dma_0 S2MM" in str(caught.value)
    check_next(overlay)
    with pytest.raises(KernelError, match="TLAST came early"):
        overlay.execute(replace(job, out_beats=job.out_beats + 8))
    check_next(overlay)


def test_missing_input_is_a_hang_with_a_diagnosis(gemm: tuple[Any, Any]) -> None:
    from convloom.driver import HangError

    _, overlay = gemm
    job = make_job(overlay)
    began = time.monotonic()
    with pytest.raises(HangError) as caught:
        overlay.execute(replace(job, streams={**job.streams, "in1": job.streams["in1"][:-1]}))
    assert time.monotonic() - began < 30
    text = str(caught.value)
    expected = sum(len(t) for t in job.streams["in1"][:-1])
    for part in (
        "does not take in0: it waits for more of in1 than the layer has",
        f"{expected:,} of {expected:,} beats moved",
        "out (axi_dma_0 S2MM): 0 of 1 transfers",
        "ap_ctrl",
        "no progress for 1.",
    ):
        assert part in text, text
    check_next(overlay)


def test_a_kernel_that_is_never_started(gemm: tuple[Any, Any], monkeypatch: Any) -> None:
    from convloom.driver import ConvIP, HangError

    _, overlay = gemm
    with monkeypatch.context() as patch:
        patch.setattr(ConvIP, "start", lambda self: None)
        with pytest.raises(HangError, match="gemm_systolic was never started"):
            overlay.run(LAYER, *tensors(LAYER))
    check_next(overlay)


def test_exhausted_memory(gemm: tuple[Any, Any]) -> None:
    from convloom.driver import BoardError

    board, overlay = gemm
    overlay._memory.clear()  # kept weights would be given up first
    free = board.counters()["cma"]["bytes"] - board.counters()["cma"]["used"]
    x, w, bias = tensors(LAYER, 21)
    hog = overlay.device.allocate((free - 4096,), "u1")
    assert hog.physical_address
    try:
        with pytest.raises(BoardError, match=r"contiguous memory \(CMA\), which has no .* bytes left"):
            overlay.run(LAYER, x, w, bias)
    finally:
        hog.freebuffer()
    check_next(overlay)


def test_receive_buffers_and_views(gemm: tuple[Any, Any]) -> None:
    from convloom.driver import PreflightError

    _, overlay = gemm
    x, w, bias = tensors(LAYER)
    job = make_job(overlay)
    with overlay.device.allocate((job.out_beats,), "<u8") as mine:
        y = overlay.run(LAYER, x, w, bias, receive=mine)
        assert np.array_equal(y, reference(LAYER, x, w, bias))
        with pytest.raises(PreflightError, match="a whole buffer, not a view"):
            overlay.run(LAYER, x, w, bias, receive=mine[8:])
    with (
        overlay.device.allocate((job.out_beats - 1,), "<u8") as small,
        pytest.raises(PreflightError, match="must hold the layer's"),
    ):
        overlay.run(LAYER, x, w, bias, receive=small)
    check_next(overlay)


def test_another_overlay_is_refused_by_name(gemm: tuple[Any, Any], tmp_path: Path) -> None:
    from convloom.driver import ConvOverlay, PreflightError

    board, overlay = gemm
    bit = tmp_path / "x.bit"
    bit.write_bytes(board.bitstream.read_bytes())
    with pytest.raises(PreflightError, match=r"must have x.hwh beside it"):
        ConvOverlay(bit, device=overlay.device)
    text = board.bitstream.with_suffix(".hwh").read_text()
    bit.with_suffix(".hwh").write_text(text.replace("gemm_systolic_tiny", "gemm_systolic_z2"))
    with pytest.raises(PreflightError, match=r"x\.hwh must be of the same build as x\.bit"):
        ConvOverlay(bit, device=overlay.device)
    moved = text.replace('NAME="ADDRESS_OFFSET" VALUE="0x18"', 'NAME="ADDRESS_OFFSET" VALUE="0x1c"')
    bit.with_suffix(".hwh").write_text(moved)
    with pytest.raises(PreflightError, match=r"must be (at 0x18, not at 0x1c|of the same build)"):
        ConvOverlay(bit, device=overlay.device)
    other = lower(LAYER, *tensors(LAYER), kernel=load_kernel("conv_winograd"))
    with pytest.raises(PreflightError, match="not for conv_winograd tiny"):
        overlay.execute(other)
    check_next(overlay)


def test_a_server_that_dies_in_mid_transfer() -> None:
    from convloom.driver import BoardError

    board = start("gemm_systolic")
    layer = ConvLayer(1, 40, 40, 8, 16, 3, 3)
    try:
        overlay = load(board)
        killer = threading.Timer(0.4, lambda: os.kill(board.pid, 9))
        killer.start()
        began = time.monotonic()
        try:
            with pytest.raises(BoardError, match="the board must answer"):
                for _ in range(50):
                    overlay.run(layer, *tensors(layer))
        finally:
            killer.join()
        assert time.monotonic() - began < 30
        with pytest.raises(BoardError, match="the board must answer"):
            overlay.run(LAYER, *tensors(LAYER))
        overlay.close()
    finally:
        board.stop()
    again = start("gemm_systolic")
    try:
        with load(again) as overlay:
            check_next(overlay)
    finally:
        again.stop()


# Local mode on the same RTL ------------------------------------------------------------------------


def test_local_mode_on_the_same_board(gemm: tuple[Any, Any]) -> None:
    """A pynq device with mapped registers and cached buffers, as on a board, over the virtual one."""
    from pynq import Device
    from pynq.buffer import PynqBuffer

    from convloom.driver import ConvOverlay

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
    gemm[1].download()
    check_next(gemm[1])


# Command and notebook -----------------------------------------------------------------------------


def test_the_command_on_a_board_of_its_own_and_on_one_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from convloom.cli import main

    monkeypatch.chdir(tmp_path)
    x, w, bias = tensors(LAYER)
    for name, array in (("x", x), ("w", w), ("b", bias)):
        np.save(tmp_path / f"{name}.npy", array)
    environment = {k: v for k, v in os.environ.items() if k != "PYNQ_REMOTE_DEVICES"}

    def call(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "convloom", *words],
            cwd=tmp_path,
            env={**environment, **more},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def here(*words: str) -> Any:
        capsys.readouterr()
        assert main(["board", *words]) == 0
        return json.loads(capsys.readouterr().out)

    conv = ["conv", "--input", "x.npy", "--weights", "w.npy", "--bias", "b.npy", "--output", "y.npy"]
    conv += ["--x-zero-point", "3", "--pads", *"1111", "--kernel", "gemm", "--on", "board", "--json"]
    own = call(*conv)
    assert own.returncode == 0, own.stderr
    assert np.array_equal(np.load(tmp_path / "y.npy"), reference(LAYER, x, w, bias))
    board = json.loads(own.stdout)["board"]
    assert board["cycles"] > 0 and board["modelled_seconds"] > 0
    assert set(board["dma_transfers"]) == {"in0", "in1", "out"}

    started = call("board", "start", "gemm", "--json")
    assert started.returncode == 0, started.stderr
    try:
        address = json.loads(started.stdout)["address"]
        (tmp_path / "y.npy").unlink()
        other = call(*conv, PYNQ_REMOTE_DEVICES=address)
        assert other.returncode == 0, other.stderr
        assert json.loads(other.stdout)["board"]["cycles"] == board["cycles"]
        assert np.array_equal(np.load(tmp_path / "y.npy"), reference(LAYER, x, w, bias))
        (status,) = here("status", "--json")
        assert status["running"] and status["counters"]["run"]["cycles"] == board["cycles"]
        assert status["counters"]["cma"]["used"] == 0, "the command leaks contiguous memory"
        wrong = call(*conv, PYNQ_REMOTE_DEVICES="unix:/nowhere/vb")
        assert wrong.returncode == 1 and "Traceback" not in wrong.stderr and wrong.stderr.strip()
    finally:
        assert main(["board", "stop"]) == 0
    assert "stopped vboard-" in capsys.readouterr().out
    assert here("status", "--json") == []
    for words, said in (("start toaster", "kernel must be one of"), ("stop x", "(none), not x")):
        assert main(["board", *words.split()]) == 1
        assert said in capsys.readouterr().err


def test_the_notebook_runs_unchanged(gemm: tuple[Any, Any], tmp_path: Path) -> None:
    path = Path(__file__).parents[2] / "host" / "notebooks" / "quickstart.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    cells = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    assert all(c["outputs"] == [] and c["execution_count"] is None for c in cells)
    program = tmp_path / "quickstart.py"
    program.write_text("\n\n".join("".join(c["source"]) for c in cells), encoding="utf-8")
    board = gemm[0]
    environment = {**os.environ, **board.environment, "CONVLOOM_BITSTREAM": str(board.bitstream)}
    done = subprocess.run(
        [sys.executable, str(program)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    for part in ("exact to the bit", "cycles", "weights kept: True", "gemm_systolic_0 tiny"):
        assert part in done.stdout
    gemm[1].download()  # the notebook programmed the PL
