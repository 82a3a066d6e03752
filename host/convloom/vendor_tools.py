# SPDX-License-Identifier: Apache-2.0
"""Which AMD/Xilinx tools this machine has: their programs and versions, without starting a design.

Looked for on PATH, below what the settings scripts set (XILINX_HLS, XILINX_VITIS, XILINX_VIVADO), and
in the installer's usual folders, in both layouts: `Vitis_HLS/2022.1/bin` and, since 2025.1,
`2025.1/Vitis/bin`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = [
    "HLS_TOOLS",
    "INSTALL_ROOTS",
    "LAST",
    "RELEASES",
    "TOOLS",
    "Span",
    "VendorTool",
    "find_tools",
    "release",
    "release_text",
]

Span = tuple[tuple[int, int], tuple[int, int]]

RELEASES: dict[str, Span] = {
    "vitis-run": ((2023, 2), (2026, 1)),
    "v++": ((2023, 2), (2026, 1)),
    "vitis_hls": ((2020, 1), (2024, 2)),
    "vivado_hls": ((2019, 2), (2020, 1)),
    "vivado": ((2019, 2), (2026, 1)),
}
"""Program → first and last release in which it does what it is taken for here, the newest flow first.

The programs of HLS come first. `v++` is older; `v++ -c --mode hls` and `vitis-run` are in UG1399 from
2023.2 on (the preview of 2023.1, UG1553, has other keys in its cfg files). The same book deprecates
`vitis_hls`, which warns of it from 2024.1 (HLS 200-2053), is in all installations of 2024.2 and missing
in those of 2025.1 (tapasco 413, fpga-network-stack 48). `vivado_hls` had its last release with 2020.1
(UG1399, migration), ours begin with 2019.2.
"""

LAST = max(last for _, last in RELEASES.values())
"""The newest release that anything here was written for."""

TOOLS = tuple(RELEASES)

HLS_TOOLS = tuple(name for name in TOOLS if name != "vivado")
"""Programs that synthesise HLS C++, the newest flow first."""

INSTALL_ROOTS = (Path("/tools/Xilinx"), Path("/opt/Xilinx"), Path("/opt/AMD"), Path("/tools/AMD"))

_SETTINGS = ("XILINX_HLS", "XILINX_VITIS", "XILINX_VIVADO")
_RELEASE = re.compile(r"(?<!\d)(20[12]\d)\.([1-4])(?!\d)")
_ANSWER_SECONDS = 60  # a first `vivado -version` over NFS takes most of that


def release(text: str) -> tuple[int, int] | None:
    """The first release in a text, as (2023, 2)."""
    found = _RELEASE.search(text)
    return (int(found[1]), int(found[2])) if found else None


def release_text(version: tuple[int, int]) -> str:
    """(2023, 2) as `2023.2`."""
    return ".".join(map(str, version))


@dataclass(frozen=True)
class VendorTool:
    """One program. version: (year, number), None if neither its path nor its own answer names one."""

    name: str
    path: Path
    version: tuple[int, int] | None

    @property
    def root(self) -> Path:
        """The tool's installation: the folder above `bin`."""
        return self.path.parent.parent

    @property
    def is_known(self) -> bool:
        """Whether its release is one of those that RELEASES names for it."""
        first, last = RELEASES[self.name]
        return self.version is not None and first <= self.version <= last

    @property
    def serves(self) -> bool:
        """Whether it can be tried: not so before its first release, nor after it was replaced."""
        return self.version is None or self.is_known or self.version > LAST

    def __str__(self) -> str:
        return f"{self.name} {release_text(self.version) if self.version else '(version unknown)'}"


def _folders(environ: Mapping[str, str], roots: Sequence[Path]) -> Iterator[Path]:
    """Folders of programs, those that a shell would take first."""
    for entry in environ.get("PATH", "").split(os.pathsep):
        if entry:
            yield Path(entry)
    for variable in _SETTINGS:
        if value := environ.get(variable):
            yield Path(value) / "bin"
    for root in roots:
        found = [*root.glob("*/20*.*/bin"), *root.glob("20*.*/*/bin")]
        yield from sorted(found, key=lambda p: release(str(p)) or (0, 0), reverse=True)


def _version(path: Path) -> tuple[int, int] | None:
    """From the path, which the installer names after the release; else from the program's answer."""
    if found := release(str(path.resolve())):
        return found
    try:
        with tempfile.TemporaryDirectory() as folder:  # these tools leave logs where they are called
            done = subprocess.run(
                [path, "-version"],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_ANSWER_SECONDS,
                check=False,
            )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return release(done.stdout + done.stderr)


def find_tools(
    environ: Mapping[str, str] | None = None,
    roots: Sequence[Path] | None = None,
    names: Sequence[str] = TOOLS,
) -> list[VendorTool]:
    """Every vendor tool of this machine, in the order of `names`; of each, the shell's choice first.

    environ and roots: this process's and INSTALL_ROOTS unless given. A program that several folders
    lead to is listed once.
    """
    environ = os.environ if environ is None else environ
    folders = list(_folders(environ, INSTALL_ROOTS if roots is None else roots))
    tools = []
    for name in names:
        seen = set()
        for folder in folders:
            found = shutil.which(name, path=str(folder))
            if found and (real := Path(found).resolve()) not in seen:
                seen.add(real)
                path = Path(found).absolute()  # projects run in folders of their own
                tools.append(VendorTool(name, path, _version(path)))
    return tools
