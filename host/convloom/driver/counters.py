# SPDX-License-Identifier: Apache-2.0
"""Counters of the board: a virtual board keeps them in a file, a real one has none."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

__all__ = ["FILE", "Counters", "free_contiguous"]

FILE = "/proc/vboard/counters"


def _read(device: Any, path: str) -> bytes:
    """A file of the board, through PYNQ.remote or from this machine."""
    if hasattr(device, "read_file"):
        return bytes(device.read_file(path))
    return Path(path).read_bytes()


def _exists(device: Any, path: str) -> bool:
    if hasattr(device, "exists_file"):
        return bool(device.exists_file(path).exists)
    return Path(path).is_file()


class Counters:
    """Reads a virtual board's counters; every answer of a board without them is None."""

    def __init__(self, device: Any) -> None:
        self._device = device
        self.there = _exists(device, FILE)

    def read(self) -> dict[str, Any] | None:
        """The whole table (its layout: docs/driver.md)."""
        if not self.there:
            return None
        return json.loads(_read(self._device, FILE))

    @staticmethod
    def moved(table: dict[str, Any]) -> int:
        """Beats of all streams since programming: what shows that a design makes progress."""
        return sum(stream["beats"] for stream in table["streams"].values())


def free_contiguous(device: Any) -> int | None:
    """Bytes of contiguous memory that Linux on the board says are free; None if it does not say.

    Nor does one that has no such region (a PC as client of a board in memory says 0 of 0).
    """
    path = "/proc/meminfo"
    data = _read(device, path) if _exists(device, path) else b""
    found = dict(re.findall(r"^(Cma\w+):\s*(\d+) kB$", data.decode("ascii", "replace"), re.M))
    if "CmaFree" not in found or not int(found.get("CmaTotal", 0)):
        return None
    return int(found["CmaFree"]) * 1024
