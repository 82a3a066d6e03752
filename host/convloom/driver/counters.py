# SPDX-License-Identifier: Apache-2.0
"""Counters of the board: a virtual board keeps them in a file, a real one has none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

__all__ = ["FILE", "Counters", "free_contiguous"]

FILE = "/proc/vboard/counters"


def _read(device: Any, path: str) -> bytes | None:
    """A file of the board, through PYNQ.remote or from this machine; None if there is none."""
    if hasattr(device, "read_file"):
        if not device.exists_file(path).exists:
            return None
        return bytes(device.read_file(path))
    try:
        return Path(path).read_bytes()
    except OSError:
        return None


class Counters:
    """Reads a virtual board's counters; every answer of a board without them is None."""

    def __init__(self, device: Any) -> None:
        self._device = device
        self.there = _read(device, FILE) is not None

    def read(self) -> dict[str, Any] | None:
        """The whole table (its layout: docs/driver.md)."""
        if not self.there:
            return None
        data = _read(self._device, FILE)
        return None if data is None else json.loads(data)

    @staticmethod
    def moved(table: dict[str, Any]) -> int:
        """Beats of all streams since programming: what shows that a design makes progress."""
        return sum(stream["beats"] for stream in table["streams"].values())


def free_contiguous(device: Any) -> int | None:
    """Bytes of contiguous memory that Linux on the board says are free; None if it does not say."""
    data = _read(device, "/proc/meminfo")
    for line in (data or b"").decode("ascii", "replace").splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "CmaFree:" and words[1].isdigit():
            return int(words[1]) * 1024
    return None
