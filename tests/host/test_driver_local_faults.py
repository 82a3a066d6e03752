# SPDX-License-Identifier: Apache-2.0
"""The driver in local mode, on a pynq `Device` in memory: what goes wrong in a run is explained."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pynq", reason="pynq comes with the extra board: pip install 'convloom[board]'")

from driver_support import LAYER
from fake_board import make, teach

from convloom.driver import ConvOverlay, HangError, KernelError, PreflightError
from convloom.errors import LayerError
from convloom.kernels import load_kernel
from convloom.lowering import lower

HANGS = {
    "never started": ("gemm_systolic was never started", "0x04 (idle)"),
    "stuck in1": ("does not take in1", "0x01 (start)"),
    "wants more": ("waits for more input", "1 of 1 transfers"),
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
    last = [r for r in overlay.kernel.registers if r.direction == "in"][-1].name
    assert overlay.conv  # bound
    overlay.device.log.clear()
    for name, value, said in (
        ("rows", -1, "0..4294967295, not -1"),
        ("rows", 2**32, "not 4294967296"),
        (last, 2**32, "not 4294967296"),
    ):
        wrong = replace(job, registers={**job.registers, name: value})
        with pytest.raises(PreflightError, match=f"register {name} must be in .*{said}"):
            overlay.execute(wrong)
    few = {k: v for k, v in job.registers.items() if k != "chunks"}
    with pytest.raises(PreflightError, match="register chunks must have a value"):
        overlay.execute(replace(job, registers=few))
    assert overlay.device.log == [] and overlay.device.used == 0  # of no register of them
    assert np.array_equal(overlay.run(LAYER, x, w, bias), y)


def test_a_length_above_the_dma_is_refused_before_any_write(tmp_path: Path) -> None:
    with make(tmp_path, bits=10) as overlay:
        x, w, bias, _ = teach(overlay, LAYER)
        _ = overlay.conv
        overlay.device.log.clear()
        with pytest.raises(PreflightError, match=r"at most 1,023 bytes, the 10-bit length of axi_dma"):
            overlay.run(LAYER, x, w, bias)
        assert overlay.device.log == [] and overlay.device.used == 0


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


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), float("inf")])
def test_limits_are_times_that_end(overlay: ConvOverlay, seconds: float) -> None:
    x, w, bias, y = teach(overlay, LAYER)
    said = "limit must be above 0 and at most 86400 seconds, not"
    with pytest.raises(PreflightError, match=said):
        overlay.run(LAYER, x, w, bias, limit=seconds)
    with pytest.raises(PreflightError, match=said):
        ConvOverlay(overlay.files.bitstream, device=overlay.device, limit=seconds)
    with pytest.raises(PreflightError, match="answer must be above 0 and at most 86400 seconds, not"):
        ConvOverlay(overlay.files.bitstream, device=overlay.device, answer=seconds)
    assert np.array_equal(overlay.run(LAYER, x, w, bias, limit=5.0), y)


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
