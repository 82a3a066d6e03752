# SPDX-License-Identifier: Apache-2.0
"""`make deploy` takes what `make bit` left: found where the Tcl script itself writes it."""

from __future__ import annotations

import os
import shutil
import sys
import tarfile
from pathlib import Path

import bundle
import pytest
import vendor
from tclrun import run_script
from vivado_tool import VivadoTool

from vboard.artefacts import build_overlay

KERNEL, BOARD, CONFIG = "gemm_systolic", "pynq-z2", "tiny"


@pytest.fixture
def build(tmp_path, monkeypatch):
    """A build folder in which Vivado, played, made a bitstream; the files are a virtual overlay's."""
    made = build_overlay(KERNEL, BOARD, CONFIG)
    monkeypatch.setenv("CONVLOOM_BUILD", str(tmp_path))
    argv = ["vendor.py", "bit", "--kernel", KERNEL, "--board", BOARD, "--config", CONFIG, "--prepare"]
    monkeypatch.setattr(sys, "argv", argv)
    assert vendor.main() == 0
    (script,) = tmp_path.rglob("bit.tcl")
    folder = script.parent
    (folder / "ip").mkdir()
    (folder / "ip" / "component.xml").write_text(f"xilinx.com:hls:{KERNEL}:1.0\n")
    assert run_script("bit.tcl", folder, VivadoTool(folder)).code == 0
    for kind, real in (("bit", made.bitstream), ("hwh", made.hwh)):
        (written,) = folder.glob(f"*.{kind}")
        shutil.copyfile(real, written)
    return tmp_path


def deploy(build: Path, board: str = BOARD) -> int:
    return bundle.main([KERNEL, board, "--config", CONFIG, "--out", str(build / "deploy")])


def test_the_newest_bitstream_of_the_board_is_packed(build, monkeypatch, capsys):
    monkeypatch.setattr(bundle, "wheels", lambda folder: None)  # tests/scripts/test_deploy.py has them
    folder = build / "vendor" / f"{KERNEL}_{CONFIG}_{BOARD}"
    assert deploy(build) == 0
    said = capsys.readouterr().out
    assert f"overlay {folder}/bit_vitis/{KERNEL}_{CONFIG}.bit\n" in said
    with tarfile.open(build / "deploy" / f"convloom-{KERNEL}_{CONFIG}-{BOARD}.tar.gz") as archive:
        assert sum(n.endswith((".bit", ".hwh")) for n in archive.getnames()) == 2
    shutil.copytree(folder / "bit_vitis", folder / "bit_hlsc")
    for file in (folder / "bit_vitis").iterdir():
        os.utime(file, (1, 1))
    assert deploy(build) == 0
    assert f"overlay {folder}/bit_hlsc/" in capsys.readouterr().out


def test_that_of_another_board_is_refused(build, capsys):
    assert deploy(build, "kv260") == 1
    said = capsys.readouterr().err
    assert "gemm_systolic tiny for kv260 (there is one for pynq-z2): run make bit" in said
    # Nor does it pass in the other board's place.
    there = build / "vendor" / f"{KERNEL}_{CONFIG}_{BOARD}"
    there.rename(there.with_name(f"{KERNEL}_{CONFIG}_kv260"))
    assert deploy(build, "kv260") == 1
    said = capsys.readouterr().err
    assert "must be for kv260 (xck26-sfvc784-2LV-c), not for 7z020clg400" in said
    assert said.count("\n") == 1 and not (build / "deploy").exists()
