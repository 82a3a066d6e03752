# SPDX-License-Identifier: Apache-2.0
"""Faults on the virtual board: each is told in words within the run's limit, and the next run works."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pynq", reason="pynq comes with the extra board: pip install 'convloom[board]'")

from driver_support import LAYER, reference, tensors
from virtual_board import check_next, load, make_job

from convloom.driver import BoardError, ConvOverlay, HangError, KernelError, PreflightError
from convloom.driver.buffers import block_bytes, distinct
from convloom.driver.dma import Channel
from convloom.driver.ip import ConvIP
from convloom.errors import LayerError
from convloom.kernels import load_kernel
from convloom.lowering import lower, transfers

# pynq 4.0.0 uses pydantic's old names.
pytestmark = pytest.mark.filterwarnings("ignore:The `.*` method is deprecated")

# Streams ------------------------------------------------------------------------------------------


def test_tlast_of_an_input_in_the_wrong_place(gemm: tuple[Any, Any]) -> None:
    """A transfer that is too long (TLAST missing), and one in two (TLAST early)."""
    _, overlay = gemm
    job = make_job(overlay)
    in0, in1 = job.streams["in0"], job.streams["in1"]
    for stream, parts, message in (
        ("in0", [np.concatenate(in0[:2]), *in0[2:]], "TLAST of in0 was not on the last beat"),
        ("in1", [in1[0][:5], in1[0][5:], *in1[1:]], "TLAST of in1 was within the sequence"),
        ("in1", [*in1[:-1], np.append(in1[-1], np.uint64(0))], "or missing on the last beat"),
    ):
        with pytest.raises(KernelError, match=message):
            overlay.execute(replace(job, streams={**job.streams, stream: parts}))
        check_next(overlay)


def test_a_kernel_that_gives_no_tlast(tmp_path: Path) -> None:
    """The usual hang of `recvchannel.wait()`: RTL with out_TLAST tied to 0.

    It is a model of its own, so it is the kernel that compiles fastest.
    """
    import vboard
    from vboard.library import build_library, design

    right = design("conv_linebuffer", "tiny")
    text = right.sv.read_text()
    start = text.index("assign out_TLAST = ")
    wrong = tmp_path / right.sv.name
    wrong.write_text(text[:start] + "assign out_TLAST = 1'b0;" + text[text.index(";", start) + 1 :])
    board = vboard.Board("conv_linebuffer")
    board._prebuilt[0] = str(build_library(replace(right, sv=wrong)))
    with board, load(board) as overlay:
        beats = f"{make_job(overlay).out_beats:,}"
        for _ in range(2):  # and the next call says the same
            with pytest.raises(HangError) as caught:
                overlay.run(LAYER, *tensors(LAYER))
            text = str(caught.value)
            for part in (
                "no TLAST on the last beat of out: it must carry TLAST",
                "out (axi_dma_0 S2MM): 0 of 1 transfers",
                f"{beats} of {beats} beats moved",
                "DMASR 0x0 (running)",
            ):
                assert part in text, text
        assert board.counters()["cma"]["buffers"] == 1  # the weights, which stay


def test_a_receive_that_is_too_small_and_one_that_is_too_long(gemm: tuple[Any, Any]) -> None:
    """To the DMA the second is a packet with TLAST before its end."""
    _, overlay = gemm
    job = make_job(overlay)
    with pytest.raises(HangError, match="receive buffer") as caught:
        overlay.execute(replace(job, out_beats=job.out_beats - 8))
    assert "DMAIntErr" in str(caught.value) and "axi_dma_0 S2MM" in str(caught.value)
    check_next(overlay)
    with pytest.raises(KernelError, match="TLAST came early") as early:
        overlay.execute(replace(job, out_beats=job.out_beats + 8))
    assert f"{job.bytes_out + 64:,} bytes, not {job.bytes_out:,}" in str(early.value)
    check_next(overlay)


def test_a_send_without_a_receive(gemm: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    _, overlay = gemm
    start = Channel.start_next

    def forget(channel: Channel) -> None:
        if channel.receive:
            channel.started += 1
        else:
            start(channel)

    overlay.download()
    with monkeypatch.context() as patch:
        patch.setattr(Channel, "start_next", forget)
        with pytest.raises(HangError, match="no receive was armed, so gemm_systolic can not send"):
            overlay.run(LAYER, *tensors(LAYER))
    check_next(overlay)


def test_missing_input_is_a_hang_with_a_diagnosis(
    gemm: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, overlay = gemm
    # Several row tiles, whatever the tiling: with weights for the first alone, in0 can not be taken to
    # its end.
    layer = replace(LAYER, h=40, w=40)
    with monkeypatch.context() as patch:
        patch.setattr(transfers, "JOINED_BYTES", 0)
        job = lower(layer, *tensors(layer), kernel=overlay.kernel, config=overlay.config)
    assert job.registers["row_tiles"] > 4
    expected = len(job.streams["in1"][0])
    with pytest.raises(HangError) as caught:
        overlay.execute(replace(job, streams={**job.streams, "in1": job.streams["in1"][:1]}))
    text = str(caught.value)
    for part in (
        "does not take in0: it waits for more of in1 than the layer has",
        f"{expected:,} of {expected:,} beats moved",
        "out (axi_dma_0 S2MM): 0 of 1 transfers",
        "ap_ctrl",
        "no progress for 1.",
    ):
        assert part in text, text
    check_next(overlay)


def test_a_length_above_the_width_of_the_dma(gemm: tuple[Any, Any]) -> None:
    board, overlay = gemm
    job = make_job(overlay)
    before = board.counters()["cycle"]
    long = np.broadcast_to(np.uint64(0), (1 << 23,))  # 64 MiB: one byte more than 26 bits hold
    said = r"a transfer of in0 must be at most 67,108,863 bytes, the 26-bit length of axi_dma_0 MM2S"
    with pytest.raises(PreflightError, match=said):
        overlay.execute(replace(job, streams={**job.streams, "in0": [long]}))
    with pytest.raises(PreflightError, match="26-bit length of axi_dma_0 S2MM, not 67,108,864"):
        overlay.execute(replace(job, out_beats=1 << 23))
    with pytest.raises(PreflightError, match="a transfer of in1 must have beats, not 0"):
        overlay.execute(replace(job, streams={**job.streams, "in1": [long[:0]]}))
    assert board.counters()["cycle"] == before  # no register was written
    check_next(overlay)


# Kernel -------------------------------------------------------------------------------------------


def test_registers_out_of_range(gemm: tuple[Any, Any]) -> None:
    """Of 32 bits, which the driver refuses, and of the kernel's range, which the kernel does."""
    board, overlay = gemm
    job = make_job(overlay)
    assert overlay.conv  # bound, which writes registers
    before = board.counters()["cycle"]
    for value in (-1, 1 << 32):
        with pytest.raises(
            PreflightError, match=f"register rows must be in 0..4294967295, not {value}"
        ):
            overlay.execute(replace(job, registers={**job.registers, "rows": value}))
    assert board.counters()["cycle"] == before
    for name, value, said in (("rows", 0, "bad|rows, row_tiles"), ("int8_output", 7, "int8_output")):
        with pytest.raises(KernelError, match=f"gemm_systolic stopped with status 0x.*{said}"):
            overlay.execute(replace(job, registers={**job.registers, name: value}))
        check_next(overlay)


def test_a_kernel_that_is_never_started(gemm: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    _, overlay = gemm
    with monkeypatch.context() as patch:
        patch.setattr(ConvIP, "start", lambda self: None)
        with pytest.raises(HangError, match="gemm_systolic was never started"):
            overlay.run(LAYER, *tensors(LAYER))
    check_next(overlay)


def test_a_dma_that_someone_left_in_an_error(gemm: tuple[Any, Any]) -> None:
    """pynq's driver would wait for ever for such a channel to run."""
    board, overlay = gemm
    overlay._memory.clear()  # of the two overlays only one holds buffers
    mmio = overlay.axi_dma_0.mmio
    mmio.write(0x28, 0)  # a length of 0
    assert mmio.read(0x04) & 0x10
    with ConvOverlay(board.bitstream, device=overlay.device, download=False, limit=1.0) as other:
        check_next(other)
    overlay.download()


# Memory and tensors -------------------------------------------------------------------------------


def test_exhausted_memory(gemm: tuple[Any, Any]) -> None:
    """Told before the first register, by what Linux says is free, and else when allocating."""
    board, overlay = gemm
    overlay._memory.clear()  # kept weights would be given up first
    assert overlay.conv  # bound, which writes registers
    job, memory, before = make_job(overlay), board.counters()["cma"], board.counters()["cycle"]
    taken = [*(block_bytes(distinct(list(t))) for t in job.streams.values()), job.bytes_out]
    pages = sum(-(-n // 4096) for n in taken)
    assert sum(taken) <= 4096 * (pages - 1)
    for left, error, said in (
        (1, PreflightError, r"must fit the 4,096 bytes of contiguous memory \(CMA\) that are free"),
        # Enough of them, but not in whole pages. The output is not given those of the weights.
        (
            pages - 1,
            BoardError,
            r"the output of .* contiguous memory \(CMA\), which has no .* bytes left",
        ),
    ):
        with overlay.device.allocate((memory["bytes"] - memory["used"] - 4096 * left,), "u1") as hog:
            assert hog.physical_address
            with pytest.raises(error, match=said):
                overlay.execute(job)
        overlay._memory.clear()
    assert board.counters()["cycle"] == before
    check_next(overlay)


def test_receive_buffers_that_can_not_be_used(gemm: tuple[Any, Any]) -> None:
    _, overlay = gemm
    x, w, bias = tensors(LAYER)
    beats = make_job(overlay).out_beats
    with (
        overlay.device.allocate((beats,), "<u8") as mine,
        overlay.device.allocate((2 * beats,), "<u8") as wide,
        overlay.device.allocate((beats - 1,), "<u8") as small,
    ):
        y = overlay.run(LAYER, x, w, bias, receive=mine)
        assert np.array_equal(y, reference(LAYER, x, w, bias))
        for buffer, said in (
            (mine[8:], "a whole buffer, not a view"),
            (wide[::2], "a whole buffer, not a view"),
            (np.zeros(beats, "<u8"), "a pynq buffer, not ndarray"),
            (small, "must hold the layer's .* bytes, not"),
        ):
            with pytest.raises(PreflightError, match=said):
                overlay.run(LAYER, x, w, bias, receive=buffer)
        del buffer
    check_next(overlay)


def test_tensors_that_are_not_integers(gemm: tuple[Any, Any]) -> None:
    board, overlay = gemm
    x, w, bias = tensors(LAYER)
    before = board.counters()["cycle"]
    nan = np.full(LAYER.x_shape, np.nan, np.float32)
    with pytest.raises(LayerError, match="not float32 holding NaN; quantise"):
        overlay.run(LAYER, nan, w, bias)
    with pytest.raises(LayerError, match="not float64"):
        overlay.run(LAYER, x, w.astype(float), bias)
    assert board.counters()["cycle"] == before
    check_next(overlay)


# Files --------------------------------------------------------------------------------------------


def test_another_overlay_is_refused_by_name(gemm: tuple[Any, Any], tmp_path: Path) -> None:
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
    assert moved != text
    bit.with_suffix(".hwh").write_text(moved)
    with pytest.raises(PreflightError, match=r"x\.hwh must be of the same build as x\.bit"):
        ConvOverlay(bit, device=overlay.device)
    other = lower(LAYER, *tensors(LAYER), kernel=load_kernel("conv_winograd"))
    with pytest.raises(PreflightError, match="not for conv_winograd tiny"):
        overlay.execute(other)
    check_next(overlay)


@pytest.mark.filterwarnings("ignore")  # pynq's, about a clock that this board can not have
def test_an_overlay_for_another_board_is_refused_when_it_is_programmed(
    gemm: tuple[Any, Any], tmp_path: Path
) -> None:
    from vboard.artefacts import build_overlay

    board, overlay = gemm
    other = build_overlay("gemm_systolic", "kv260", "tiny", out=tmp_path)
    with pytest.raises(BoardError, match=f"overlay must be for board {board.profile.name}, not kv260"):
        ConvOverlay(other.bitstream, device=overlay.device)
    overlay.download()
    check_next(overlay)
