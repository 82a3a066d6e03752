# SPDX-License-Identifier: Apache-2.0
"""Rarer faults on the virtual board, made by reaching into the driver, and random ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pynq", reason="pynq comes with the extra board: pip install 'convloom[board]'")

from driver_support import LAYER, reference, tensors
from virtual_board import check_next, make_job

from convloom.driver import ConvIP, ConvOverlay, DriverError, HangError, PreflightError
from convloom.driver.dma import Channel, Region
from convloom.lowering import Job, lower, lowerings_for

# pynq 4.0.0 uses pydantic's old names.
pytestmark = pytest.mark.filterwarnings("ignore:The `.*` method is deprecated")


NOWHERE = 0xF0000000
ADDRESSES = {
    "no buffer": ("in0", 0x4000000, "DMASlvErr", "memory refused the access: the buffer was freed"),
    "no memory": ("in1", NOWHERE, "DMADecErr", "the buffer's address is in no memory"),
    "no memory for the output": ("out", NOWHERE, "DMADecErr", "the buffer's address is in no memory"),
    "unaligned": ("in1", 4, "DMAIntErr", "a transfer of length 0, or of an address that is not a mult"),
}
"""Stream, what its first transfer's address becomes or is moved by, bit of DMASR, cause."""


@pytest.mark.parametrize("wrong", ADDRESSES)
def test_addresses_that_are_wrong(
    gemm: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    _, overlay = gemm
    stream, move, bit, cause = ADDRESSES[wrong]
    load = Channel.load

    def moved(channel: Channel, regions: list[Region]) -> None:
        if channel.stream == stream:
            first = regions[0]
            address = move if move == NOWHERE else first.physical_address + move
            regions = [Region(first.buffer, address, first.nbytes), *regions[1:]]
        load(channel, regions)

    with monkeypatch.context() as patch:
        patch.setattr(Channel, "load", moved)
        with pytest.raises(HangError) as caught:
            overlay.run(LAYER, *tensors(LAYER))
    text = str(caught.value)
    assert f"the DMA of {stream} stopped on an error" in text
    assert (
        bit in text and f"usual cause: {stream}: {cause}" in text and "the board says: axi_dma_" in text
    )
    check_next(overlay)


def test_a_channel_that_someone_else_resets(
    gemm: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, overlay = gemm
    start = ConvIP.start

    def disturbed(kernel: ConvIP) -> None:
        overlay.axi_dma_1.mmio.write(0, 4)
        start(kernel)

    with monkeypatch.context() as patch:
        patch.setattr(ConvIP, "start", disturbed)
        with pytest.raises(HangError, match="in1: the channel was stopped or reset by someone else"):
            overlay.run(LAYER, *tensors(LAYER))
    check_next(overlay)


def test_more_input_than_the_layer_has(gemm: tuple[Any, Any]) -> None:
    _, overlay = gemm
    job = make_job(overlay)
    more = {**job.streams, "in0": [*job.streams["in0"], job.streams["in0"][0]]}
    with pytest.raises(HangError, match="gemm_systolic ended without taking all of in0") as caught:
        overlay.execute(replace(job, streams=more), limit=0.3)
    assert "no progress for 0." in str(caught.value)
    check_next(overlay)


def test_the_kernel_in_an_overlay_of_pynqs(gemm: tuple[Any, Any]) -> None:
    """Bound by its VLNV there too; but a layer needs the DMAs and the files."""
    from pynq import Overlay

    board, overlay = gemm
    kernel = Overlay(str(board.bitstream), device=overlay.device, download=False).gemm_systolic_0
    assert isinstance(kernel, ConvIP) and kernel.spec.name == "gemm_systolic"
    with pytest.raises(PreflightError, match="gemm_systolic_0 must belong to a ConvOverlay to run"):
        kernel.run(LAYER, *tensors(LAYER))
    with pytest.raises(PreflightError, match=r"config of gemm_systolic_tiny\.bit must be tiny, as its"):
        ConvOverlay(board.bitstream, device=overlay.device, config="z2")
    check_next(overlay)


def spoil(rng: np.random.Generator, job: Job) -> Job:
    """The job with one thing wrong: a stream, a register or the room for the output."""
    streams = {name: list(transfers) for name, transfers in job.streams.items()}
    registers = dict(job.registers)
    name = str(rng.choice(list(streams)))
    first, *rest = streams[name]
    at = int(rng.integers(1, len(first)))
    spoiled = {
        "short": [first[:at], *rest],
        "more": [first, *rest, first],
        "split": [first[:at], first[at:], *rest],
        "nothing": [],
    }
    fault = str(rng.choice([*spoiled, "register", "room"]))
    streams[name] = spoiled.get(fault, streams[name])
    out_beats = job.out_beats
    if fault == "register":
        register = str(rng.choice(list(registers)))
        registers[register] = int(rng.choice([0, 1, 7, 1 << 16, registers[register] + 1]))
    if fault == "room":
        out_beats = int(rng.choice([1, out_beats - 1, out_beats + 1, out_beats + 600]))
    return replace(job, streams=streams, registers=registers, out_beats=out_beats)


@pytest.mark.parametrize("count", [12, pytest.param(150, marks=pytest.mark.nightly)])
def test_whatever_is_wrong_ends_and_the_next_run_works(
    gemm: tuple[Any, Any], rng: np.random.Generator, count: int
) -> None:
    """With an error of the driver, or the right output where nothing was wrong for the kernel."""
    _, overlay = gemm
    tensors_ = tensors(LAYER)
    want = reference(LAYER, *tensors_)
    told = 0
    for _ in range(count):
        right = lower(
            LAYER,
            *tensors_,
            kernel=overlay.kernel,
            lowering=str(rng.choice(lowerings_for(LAYER, overlay.kernel, overlay.config))),
        )
        job = spoil(rng, right)
        try:
            y = overlay.execute(job, limit=0.2)
        except DriverError as error:
            told += 1
            assert str(error)
        else:  # another zero point, say, is no fault
            assert job.registers != right.registers or np.array_equal(y, want)
        check_next(overlay)
    assert told > count // 3
