# SPDX-License-Identifier: Apache-2.0
"""`convloom doctor` on made-up machines: every trap where it bites and where it does not."""

from __future__ import annotations

import json
import socket
import struct
from pathlib import Path

import pytest

from convloom.cli import main
from convloom.commands import doctor
from convloom.commands import doctor_machine as machine
from convloom.commands.doctor_vendor import vendor_findings
from convloom.commands.findings import Finding
from convloom.kernels import load_kernel
from convloom.vendor_tools import find_tools
from hlsc import toolchain
from hlsc.errors import ToolError
from vboard.hwh import hwh_text
from vboard.profile import load_profile


def install(folder: Path, name: str, answer: str = "") -> Path:
    """A program that prints `answer`, in the bin folder of an installation."""
    path = folder / "bin" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(0o755)
    return path


def vendor(root: Path, platform: str = "linux", **environ: str) -> dict[str, Finding]:
    tools = find_tools({"PATH": "", **environ}, [root])
    found = vendor_findings(tools, environ, root / "home", platform)
    return {f.name.removeprefix("trap: "): f for f in found}


def test_no_tool(tmp_path: Path) -> None:
    found = vendor(tmp_path)
    assert {f.state for f in found.values()} == {"absent", "ok"}
    assert found["vivado"].works == "all but the bitstream"
    assert "hlsc needs no vendor tool" in found["vitis-run"].advice


def test_tools_are_found_in_both_layouts_and_on_the_path(tmp_path: Path) -> None:
    install(tmp_path / "Vitis_HLS" / "2022.1", "vitis_hls")
    install(tmp_path / "Vivado" / "2022.1", "vivado")
    for name in ("vitis-run", "v++"):
        install(tmp_path / "2025.1" / "Vitis", name)
    install(tmp_path / "2025.1" / "Vivado", "vivado")
    tools = find_tools({"PATH": ""}, [tmp_path])
    assert [str(t) for t in tools] == [
        *("vitis-run 2025.1", "v++ 2025.1", "vitis_hls 2022.1", "vivado 2025.1", "vivado 2022.1")
    ]
    here = install(tmp_path / "elsewhere", "vivado", "vivado v2020.2 (64-bit)")
    old = find_tools({"PATH": str(here.parent)}, [tmp_path])[3]
    assert (old.path, old.version) == (here, (2020, 2))  # the shell's choice, asked for its version
    here.write_text(here.read_text() + "touch vivado.log\n")  # as the real ones do
    by_settings = find_tools({"PATH": "", "XILINX_VIVADO": str(tmp_path / "elsewhere")}, [])
    assert [t.path for t in by_settings] == [here] and not Path("vivado.log").exists()
    found = vendor(tmp_path)
    assert found["vivado"].state == "ok" and "also 2022.1" in found["vivado"].found
    assert (
        found["vivado_hls"].state == "absent" and "2025.1 serves instead" in found["vivado_hls"].works
    )


def test_unknown_and_untried_releases(tmp_path: Path) -> None:
    install(tmp_path / "x", "vivado_hls", "no version here")
    assert "settings script" in vendor(tmp_path, XILINX_HLS=str(tmp_path / "x"))["vivado_hls"].advice
    for old, said in (("2017.4", "not taken by make"), ("2027.1", "untried")):
        install(tmp_path / "Vivado" / old, "vivado")
        found = vendor(tmp_path)["vivado"]
        assert found.state == "warning" and said in found.works and "2019.2 to 2026.1" in found.advice
    install(tmp_path / "Vitis" / "2022.1", "v++")  # its HLS is vitis_hls
    assert vendor(tmp_path)["v++"].state == "warning"
    install(tmp_path / "Vitis_HLS" / "2022.1", "vitis_hls")
    found = vendor(tmp_path)["v++"]
    assert found.state == "absent" and found.works == "vitis_hls 2022.1 serves instead"


@pytest.mark.parametrize(
    ("folder", "tool"), [("Vivado/2019.2", "vivado_hls"), ("Vitis_HLS/2021.2", "vitis_hls")]
)
def test_date_bug_until_it_is_patched(tmp_path: Path, folder: str, tool: str) -> None:
    install(tmp_path / folder, tool)
    install(tmp_path / "Vitis" / "2021.2", "v++")  # exports nothing itself
    before = vendor(tmp_path)["export fails since 2022"]
    assert before.state == "warning" and "76960" in before.advice and tool in before.found
    scripts = tmp_path / folder / "common" / "scripts"
    scripts.mkdir(parents=True)
    (scripts / "automg_patch_20220104.tcl").touch()
    assert vendor(tmp_path)["export fails since 2022"].state == "ok"


def test_newer_releases_do_not_have_the_date_bug(tmp_path: Path) -> None:
    install(tmp_path / "Vitis_HLS" / "2022.1", "vitis_hls")
    found = vendor(tmp_path)
    assert found["export fails since 2022"].found == "does not apply"
    assert "hls::axis" in found["TLAST of custom structs"].works


def test_vitis_hls_is_gone(tmp_path: Path) -> None:
    install(tmp_path / "2025.2" / "Vitis", "vitis-run")
    trap = vendor(tmp_path)["vitis_hls is removed"]
    assert trap.state == "warning" and "no v++" in trap.found
    install(tmp_path / "2025.2" / "Vitis", "v++")
    assert vendor(tmp_path)["vitis_hls is removed"].state == "ok"


def test_licence(tmp_path: Path) -> None:
    def state(**more: str) -> str:
        return vendor(tmp_path, **more)["free Vivado on Linux"].state

    install(tmp_path / "2025.2" / "Vivado", "vivado")
    assert state() == "ok"
    install(tmp_path / "2026.1" / "Vivado", "vivado")
    assert state() == "warning" and state(platform="win32") == "ok"
    assert state(LM_LICENSE_FILE="2100@server") == "ok"
    (tmp_path / "home" / ".Xilinx").mkdir(parents=True)
    (tmp_path / "home" / ".Xilinx" / "Xilinx.lic").touch()
    assert state() == "ok"


@pytest.mark.parametrize(
    ("environ", "state"),
    [
        ({}, "ok"),
        ({"https_proxy": "http://p:3128"}, "warning"),
        ({"http_proxy": "http://p:3128", "no_proxy": "localhost"}, "warning"),
        ({"http_proxy": "http://p:3128", "no_proxy": "localhost, 127.0.0.1"}, "ok"),
        ({"http_proxy": "http://p:3128", "NO_PROXY": "*"}, "ok"),
    ],
)
def test_proxy(environ: dict[str, str], state: str) -> None:
    assert machine.machine_findings(environ)[-1].state == state


def test_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {f.name: f for f in machine.package_findings()}
    assert found["numpy"].state == found["ziglang"].state == found["pynq"].state == "ok"
    versions = {"numpy": "2.3.0", "pynq": "3.1.2", "setuptools": "82.0", "ziglang": None}
    real = machine.installed_version
    monkeypatch.setattr(
        machine, "installed_version", lambda n: versions[n] if n in versions else real(n)
    )
    found = {f.name: f for f in machine.package_findings()}
    assert found["numpy"].state == "warning" and found["numpy"].advice == "pip install 'numpy<2'"
    assert found["setuptools"].state == "warning" and "<81" in found["setuptools"].advice
    assert found["pynq"].state == "ok"
    assert found["ziglang"].state == "absent" and "convloom[flow]" in found["ziglang"].advice
    versions |= {"pynq": None, "pycparser": None}  # numpy 2 is pynq's trouble only
    found = {f.name: f for f in machine.package_findings()}
    assert found["numpy"].state == "ok"
    assert found["pycparser"].state == "absent" and "convloom[board]" in found["pycparser"].advice


def test_boards_that_answer_and_do_not(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / f"vb:{machine.PYNQ_PORT}"))
        server.listen()
        addresses = f"unix:{tmp_path}/vb, unix:{tmp_path}/none"
        there, gone = machine.board_findings({"PYNQ_REMOTE_DEVICES": addresses}, tmp_path)
    assert there.state == "ok"
    assert (
        gone.state == "error" and "No such file" in gone.found and "convloom board start" in gone.advice
    )


@pytest.mark.parametrize(("megabytes", "state"), [(128, "ok"), (8, "warning")])
@pytest.mark.parametrize(
    ("file", "text", "environ", "name"),
    [
        ("proc/device-tree/chosen/pynq_board", "Pynq-Z2\0", {}, "Pynq-Z2"),
        (machine.FPGA_MANAGER, "", {"BOARD": "KV260"}, "KV260"),
        (machine.FPGA_MANAGER, "", {}, "without a name"),
    ],
)
def test_memory_of_a_board(
    tmp_path: Path, megabytes: int, state: str, file: str, text: str, environ: dict[str, str], name: str
) -> None:
    for path, content in (
        (tmp_path / file, text),
        (tmp_path / "proc" / "meminfo", f"MemTotal: 9 kB\nCmaTotal:  {megabytes << 10} kB\n"),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    board, cma = machine.board_findings(environ, tmp_path)
    assert board.found == name and cma.state == state and f"{megabytes} MB" in cma.found


@pytest.mark.parametrize(("package", "state"), [("0.17.1", "error"), (None, "absent")])
def test_a_board_without_the_flow_is_sound(
    monkeypatch: pytest.MonkeyPatch, package: str | None, state: str
) -> None:
    def missing() -> None:
        raise ToolError("clang must be there:\n  it is not")

    missing.__name__ = "clang"
    monkeypatch.setattr(toolchain, "clang", missing)
    monkeypatch.setattr(doctor, "installed_version", lambda name: package)
    clang = doctor._flow()[0]
    assert (clang.name, clang.state, clang.found) == (
        "clang runs",
        state,
        "clang must be there: it is not",
    )


def write_overlay(folder: Path, hwh: str) -> Path:
    """A .bit as Vivado's begins, and its .hwh."""
    bit = folder / "conv_winograd_z2.bit"
    header = struct.pack(">H", 9) + bytes(9) + struct.pack(">H", 1)
    for letter, text in zip("abcd", (bit.stem, "7z020clg400", "2024/1/1", "0:0:0"), strict=True):
        header += letter.encode() + struct.pack(">H", len(text) + 1) + text.encode() + b"\0"
    bit.write_bytes(header + b"e" + struct.pack(">I", 64) + bytes(64))
    bit.with_suffix(".hwh").write_text(hwh)
    return bit


def test_overlay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = hwh_text(load_kernel("conv_winograd"), "z2", load_profile("pynq-z2"))
    bit = write_overlay(tmp_path, good)
    found = {f.name: f for f in machine.overlay_findings(bit)}
    assert {f.state for f in found.values()} == {"ok"}
    assert "conv_winograd_0 (conv_winograd)" in found["overlay conv_winograd_z2.bit"].found
    assert "67,108,863 bytes" in found["DMA axi_dma_0"].works and "DMA axi_dma_1" in found

    def spoilt(old: str, new: str) -> dict[str, Finding]:
        assert old in good
        return {
            f.name: f for f in machine.overlay_findings(write_overlay(tmp_path, good.replace(old, new)))
        }

    narrow = spoilt('NAME="c_sg_length_width" VALUE="26"', 'NAME="c_sg_length_width" VALUE="14"')
    assert narrow["DMA axi_dma_0"].state == "warning" and "16,383" in narrow["DMA axi_dma_0"].works
    broken = spoilt('NAME="c_sg_length_width" VALUE="26"', 'NAME="c_sg_length_width" VALUE="wide"')
    assert broken["DMA axi_dma_0"].state == "error" and "'wide' bits" in broken["DMA axi_dma_0"].found
    gather = spoilt('NAME="c_include_sg" VALUE="0"', 'NAME="c_include_sg" VALUE="1"')
    assert gather["DMA axi_dma_1"].state == "error"
    as_vivado = spoilt("PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ", "PCW_OTHER")
    assert (
        as_vivado["pynq and .hwh"].state == "error"
        and "pynq 3.1.2" in as_vivado["pynq and .hwh"].advice
    )
    monkeypatch.setattr(machine, "installed_version", lambda name: "3.1.2")
    assert spoilt("PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ", "PCW_OTHER")["pynq and .hwh"].state == "ok"
    bit.with_suffix(".hwh").unlink()
    (missing,) = machine.overlay_findings(bit)
    assert missing.state == "error" and "conv_winograd_z2.hwh" in missing.found


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("PYNQ_REMOTE_DEVICES", raising=False)
    assert main(["doctor", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["ok"] and set(data["findings"]) == {"machine", "packages", "vendor tools", "board"}
    runs = {f["name"]: f for f in data["findings"]["packages"]}
    assert "clang version" in runs["clang runs"]["found"]
    assert "Verilator" in runs["verilator runs"]["found"]
    assert main(["doctor", "--overlay", str(tmp_path / "none.bit")]) == 1
    assert "must exist" in capsys.readouterr().out
    monkeypatch.setenv("PYNQ_REMOTE_DEVICES", f"unix:{tmp_path}/none")
    assert main(["doctor"]) == 1
    assert "does not answer" in capsys.readouterr().out
