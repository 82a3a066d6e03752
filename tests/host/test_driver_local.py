# SPDX-License-Identifier: Apache-2.0
"""The driver in local mode, on a pynq `Device` in memory: exact bus transactions, memory, weights."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("pynq", reason="pynq comes with the extra board: pip install 'convloom[board]'")

from driver_support import LAYER, tensors
from fake_board import make, teach

from convloom.driver import BoardError, ConvIP, ConvOverlay, PreflightError
from convloom.driver.buffers import block_bytes, distinct
from convloom.layer import ConvLayer
from convloom.lowering import lower
from convloom.reference import ALGORITHMS


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


def test_receive_buffers_of_the_user(overlay: ConvOverlay, monkeypatch: pytest.MonkeyPatch) -> None:
    x, w, bias, y = teach(overlay, LAYER)
    job = overlay.device.kernel.job
    device = overlay.device
    inputs = sum(block_bytes(distinct(list(transfers))) for transfers in job.streams.values())
    with device.allocate((job.out_beats + 5,), "<u8") as mine:
        with monkeypatch.context() as patch:  # what Linux says is free: no room for another output
            patch.setattr("convloom.driver.overlay.free_contiguous", lambda device: inputs)
            with pytest.raises(PreflightError, match=f"buffers must fit the {inputs:,} bytes"):
                overlay.run(LAYER, x, w, bias)
            assert np.array_equal(overlay.run(LAYER, x, w, bias, receive=mine), y)
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


def test_weights_of_a_run_never_make_room_for_its_output(overlay: ConvOverlay) -> None:
    """With room for weights and map alone the run is refused, rather than fed from freed memory."""
    x, w, bias, y = teach(overlay, LAYER)
    job, device = overlay.device.kernel.job, overlay.device
    overlay.run(LAYER, x, w, bias)
    inputs = sum(block_bytes(distinct(list(job.streams[s]))) for s in ("in0", "in1"))
    for _ in range(2):  # weights that are there already, and weights that are placed now
        device.cma = inputs + job.bytes_out - 8
        with pytest.raises(BoardError, match=r"the output of layer .* must fit the board's contiguous"):
            overlay.run(LAYER, x, w, bias)
        assert device.used == overlay._memory.kept_bytes > 0
        device.cma = 1 << 20
        assert np.array_equal(overlay.run(LAYER, x, w, bias), y) and overlay.report.weights_kept
        overlay._memory.clear()


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("UNAVAILABLE", "the connection to it is lost"),
        ("DEADLINE_EXCEEDED", "must answer in time, and is silent"),
        ("NOT_FOUND", r"must fit the board's contiguous memory \(CMA\)"),
    ],
)
def test_a_board_that_does_not_answer_is_not_one_without_memory(
    overlay: ConvOverlay, monkeypatch: pytest.MonkeyPatch, status: str, said: str
) -> None:
    """Kept weights are given up for the latter only."""
    x, w, bias, _ = teach(overlay, LAYER)
    overlay.run(LAYER, x, w, bias)

    class Failed(Exception):
        def code(self) -> SimpleNamespace:
            return SimpleNamespace(name=status)

        def details(self) -> str:
            return "no such buffer"

    def fail(*_: object, **__: object) -> None:
        raise Failed

    x, w, bias, _ = teach(overlay, LAYER, 2)
    with monkeypatch.context() as patch:
        patch.setattr(overlay.device, "allocate", fail)
        with pytest.raises(BoardError, match=said):
            overlay.run(LAYER, x, w, bias)
    assert bool(overlay.device.used) == (status != "NOT_FOUND")
