# SPDX-License-Identifier: Apache-2.0
"""Where `make vendor-…` and `make bit` work below the build folder, for what reads the results."""

from __future__ import annotations

from pathlib import Path

from hlsc import toolchain

__all__ = ["BIT_HLS", "bit_folder", "bitstreams", "project_folder"]

BIT_HLS = ("vitis", "hlsc")
"""What makes the kernel's RTL for a bitstream: HLS=…"""


def project_folder(kernel: str, config: str, board: str) -> Path:
    """The folder of everything that vendor tools make of one kernel, configuration and board."""
    return toolchain.build_root() / "vendor" / f"{kernel}_{config}_{board}"


def bit_folder(kernel: str, config: str, board: str, hls: str) -> Path:
    """Where Vivado works, and leaves <kernel>_<config>.bit and .hwh."""
    return project_folder(kernel, config, board) / f"bit_{hls}"


def bitstreams(kernel: str, config: str, board: str) -> list[Path]:
    """The bitstreams that are there, the oldest first."""
    places = [bit_folder(kernel, config, board, h) / f"{kernel}_{config}.bit" for h in BIT_HLS]
    return sorted((p for p in places if p.is_file()), key=lambda p: p.stat().st_mtime)
