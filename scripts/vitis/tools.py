# SPDX-License-Identifier: Apache-2.0
"""Choosing and running the vendor's tools, out of those that `convloom doctor` finds too."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from convloom.errors import ConvloomError
from convloom.vendor_tools import HLS_TOOLS, RELEASES, VendorTool, find_tools, release_text

__all__ = ["PREPARED", "TOOLS", "HlsTool", "find_hls", "find_vivado", "run_tool"]

TOOLS = {"vitis": ("vitis-run", "v++", "vitis_hls"), "vivado": ("vivado_hls",)}
"""TOOL=… → the programs that it stands for; `auto` is all of them."""


@dataclass(frozen=True)
class HlsTool:
    """How HLS runs here.  `path`: of the program; v++ has vitis-run in the same folder."""

    path: Path

    @property
    def dialect(self) -> str:
        """vitis or vivado: whose directives and options it takes."""
        return "vivado" if self.path.name in TOOLS["vivado"] else "vitis"

    def argv(self, steps: Sequence[str]) -> list[list[str]]:
        """The calls that do these steps in a project folder."""
        if self.path.name == "v++":
            config = ["--config", "hls_config.cfg", "--work_dir", "work"]
            run = [str(self.path.with_name("vitis-run")), "--mode", "hls"]
            calls = {
                "csim": [*run, "--csim", *config],
                "csynth": [str(self.path), "-c", "--mode", "hls", *config],
                "cosim": [*run, "--cosim", *config],
                "ip": [*run, "--package", *config],
            }
            return [calls[step] for step in steps]
        if self.path.name == "vitis-run":
            return [[str(self.path), "--mode", "hls", "--tcl", "run_hls.tcl"]]
        return [[str(self.path), "-f", "run_hls.tcl"]]


PREPARED = HlsTool(Path("v++"))
"""What a project is written for that no tool is there for yet."""


def find_hls(tool: str) -> HlsTool:
    """The HLS tool for TOOL=auto, vitis or vivado; ConvloomError says what was looked for."""
    if tool != "auto" and tool not in TOOLS:
        raise ConvloomError(f"TOOL must be one of auto, {', '.join(TOOLS)}, not {tool!r}")
    wanted = [c for c in HLS_TOOLS if tool == "auto" or c in TOOLS[tool]]
    for chosen in map(_hls_of, _usable("an HLS tool of AMD", wanted)):
        if chosen is not None:
            return chosen
    raise _missing("an HLS tool of AMD", wanted, find_tools(names=wanted))


def find_vivado() -> Path:
    """The program `vivado`; ConvloomError if there is none."""
    return _usable("Vivado", ("vivado",))[0][0].path


def _usable(what: str, names: Sequence[str]) -> list[list[VendorTool]]:
    """Tools that the shell has set up, then all of the machine's; ConvloomError if there is none."""
    every = [find_tools(roots=(), names=names), find_tools(names=names)]
    usable = [[t for t in found if t.serves] for found in every]
    if not usable[-1]:
        raise _missing(what, names, every[-1])
    return [found for found in usable if found]


def _hls_of(usable: Sequence[VendorTool]) -> HlsTool | None:
    runners = {t.path for t in usable if t.name == "vitis-run"}
    for both in usable:
        if both.name == "v++" and both.path.with_name("vitis-run") in runners:
            return HlsTool(both.path)
    # v++ alone synthesises, and does no other step.
    return next((HlsTool(t.path) for t in usable if t.name != "v++"), None)


def _missing(what: str, wanted: Sequence[str], found: Sequence[VendorTool]) -> ConvloomError:
    looked = ", ".join(f"{n} {'–'.join(map(release_text, RELEASES[n]))}" for n in wanted)
    there = f", not {', '.join(map(str, found))}" if found else ""
    return ConvloomError(
        f"{what} must be on PATH or where its installer puts it{there} (looked for {looked}): "
        "convloom doctor says more"
    )


def run_tool(argv: Sequence[str | Path], folder: Path, hours: float = 12) -> None:
    """Run one call in a project folder, its output shown; ConvloomError if it fails or hangs."""
    try:
        done = subprocess.run(argv, cwd=folder, stdin=subprocess.DEVNULL, timeout=3600 * hours)
    except OSError as error:
        raise ConvloomError(f"{argv[0]} must be a program that starts: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise ConvloomError(f"{argv[0]} must end within {hours:g} hours; ended by us") from None
    if done.returncode:
        raise ConvloomError(
            f"{' '.join(map(str, argv))} must succeed, not end with exit code {done.returncode}; "
            f"its output is above, its logs are in {folder}"
        )
