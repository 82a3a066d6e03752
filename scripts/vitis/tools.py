# SPDX-License-Identifier: Apache-2.0
"""Finding and running the vendor's tools: which command does what in which release.

`v++ --mode hls` and `vitis-run` are those of Vitis 2023.2 and later, `vitis_hls` went away after
2024.1, `vivado_hls` is that of Vivado HLS up to 2020.1.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from convloom.errors import ConvloomError

__all__ = ["COMMANDS", "TOOLS", "HlsTool", "find_hls", "find_vivado", "run_tool"]

COMMANDS = ("vitis-run", "v++", "vitis_hls", "vivado_hls", "vivado")
"""All commands that are looked for, in this order."""

TOOLS = {"vitis": ("vitis-run", "v++", "vitis_hls"), "vivado": ("vivado_hls",)}
"""TOOL=… → the commands that it stands for; `auto` is all of them."""

Which = Callable[[str], "str | None"]


@dataclass(frozen=True)
class HlsTool:
    """How HLS runs here.  `dialect`: vitis or vivado, whose directives and options it takes."""

    command: str
    dialect: str

    def argv(self, steps: Sequence[str]) -> list[list[str]]:
        """The calls that do these steps in a project folder."""
        if self.command == "v++":  # with vitis-run beside it, as all releases have that have it
            config = ["--config", "hls_config.cfg", "--work_dir", "work"]
            calls = {
                "csim": ["vitis-run", "--mode", "hls", "--csim", *config],
                "csynth": ["v++", "-c", "--mode", "hls", *config],
                "cosim": ["vitis-run", "--mode", "hls", "--cosim", *config],
                "ip": ["vitis-run", "--mode", "hls", "--package", *config],
            }
            return [calls[step] for step in steps]
        if self.command == "vitis-run":
            return [["vitis-run", "--mode", "hls", "--tcl", "run_hls.tcl"]]
        return [[self.command, "-f", "run_hls.tcl"]]


def find_hls(tool: str, which: Which = shutil.which) -> HlsTool:
    """The HLS tool for TOOL=auto, vitis or vivado; ConvloomError says what was looked for."""
    if tool != "auto" and tool not in TOOLS:
        raise ConvloomError(f"TOOL must be one of auto, {', '.join(TOOLS)}, not {tool!r}")
    wanted = [c for t, commands in TOOLS.items() if tool in ("auto", t) for c in commands]
    found = [c for c in wanted if which(c)]
    if {"vitis-run", "v++"} <= set(found):
        return HlsTool("v++", "vitis")
    # v++ alone is that of a release whose HLS is vitis_hls.
    usable = [c for c in found if c != "v++"]
    if not usable:
        raise _missing("an HLS tool of AMD", wanted)
    return HlsTool(usable[0], "vivado" if usable[0] == "vivado_hls" else "vitis")


def find_vivado(which: Which = shutil.which) -> str:
    """The command `vivado`; ConvloomError if there is none."""
    if not which("vivado"):
        raise _missing("Vivado", COMMANDS[-1:])
    return "vivado"


def _missing(what: str, wanted: Sequence[str]) -> ConvloomError:
    return ConvloomError(
        f"{what} must be on PATH (looked for {', '.join(wanted)}): source its settings64.sh first"
    )


def run_tool(argv: Sequence[str], folder: Path, hours: float = 12) -> None:
    """Run one call in a project folder, its output shown; ConvloomError if it fails or hangs."""
    try:
        done = subprocess.run(argv, cwd=folder, stdin=subprocess.DEVNULL, timeout=3600 * hours)
    except OSError as error:
        raise ConvloomError(f"{argv[0]} must be a program that starts: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise ConvloomError(f"{argv[0]} must end within {hours:g} hours; ended by us") from None
    if done.returncode:
        raise ConvloomError(
            f"{' '.join(argv)} must succeed, not end with exit code {done.returncode}; "
            f"its output is above, its logs are in {folder}"
        )
