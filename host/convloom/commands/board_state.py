# SPDX-License-Identifier: Apache-2.0
"""Virtual boards that `convloom board start` has left running: one JSON file each in build/board."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

__all__ = ["BoardFile", "read_boards", "running_board", "state_directory"]


def state_directory() -> Path:
    """Where the files are: below the working directory, as all build output of the commands."""
    return Path("build/board")


@dataclass(frozen=True)
class BoardFile:
    """One virtual board. address: for PYNQ_REMOTE_DEVICES; started: the process's start time in ticks,
    which tells it from a later process of the same number."""

    name: str
    pid: int
    started: int
    address: str
    bitstream: Path
    kernel: str
    config: str
    profile: str

    @property
    def file(self) -> Path:
        return state_directory() / f"{self.name}.json"

    @property
    def alive(self) -> bool:
        return start_ticks(self.pid) == self.started

    def save(self) -> None:
        """Write the file, whole or not at all."""
        self.file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.file.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(json.dumps({**asdict(self), "bitstream": str(self.bitstream)}))
        temporary.replace(self.file)


def start_ticks(pid: int) -> int:
    """When a process started, in clock ticks since boot; 0 if there is none (or it has ended)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return 0 if fields[0] == "Z" else int(fields[19])


def read_boards() -> list[BoardFile]:
    """All boards that have a file, running or not."""
    found = []
    for path in sorted(state_directory().glob("*.json")):
        try:
            data = json.loads(path.read_text())
            found.append(BoardFile(**{**data, "bitstream": Path(data["bitstream"])}))
        except (ValueError, TypeError, KeyError, OSError):
            continue  # no file of ours, or one of another version
    return found


def running_board(address: str) -> BoardFile | None:
    """The board of this address, if `convloom board start` has started it."""
    return next((b for b in read_boards() if b.address == address and b.alive), None)
