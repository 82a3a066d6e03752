# SPDX-License-Identifier: Apache-2.0
"""An overlay's two files and its version: looked at before the PL is touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pynq", reason="pynq comes with the extra board: pip install 'convloom[board]'")

from fake_board import FakeDevice, description_of, offset_of, registers_of, write_files

from convloom.driver import ConvOverlay, PreflightError
from convloom.driver.ip import offsets_of
from convloom.kernels import load_kernel


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
