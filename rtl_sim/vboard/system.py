# SPDX-License-Identifier: Apache-2.0
"""The processing system of a virtual board: its files, its contiguous memory, its own registers.

Everything is in this process's memory and bounded; nothing here opens a file of the machine.
"""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Callable

from vboard.errors import VboardError
from vboard.profile import PAGE, Profile

__all__ = ["Cma", "Files", "PsRegisters"]

FIRMWARE = "/lib/firmware/"
FPGA_MANAGER = "/sys/class/fpga_manager/fpga0/"

# There is no call that makes a directory, so these are all that can hold files.
_WRITABLE = ("/lib/firmware", "/tmp", "/home/xilinx")
_MAX_FILES = 100  # of each directory
_MAX_PATH = 512
_MAX_FILE_BYTES = 64 << 20
_MAX_BYTES = 64 << 20  # of each directory
_MAX_BUFFERS = 4096


class Files:
    """The board's files, by absolute path.  Directories exist as far as something lies in them."""

    def __init__(self, profile: Profile) -> None:
        machine = "armv7l" if profile.is_zynq7000 else "aarch64"
        fixed = {
            "/proc/version": f"Linux version 6.6.0-vboard ({machine}) virtual PYNQ board\n",
            "/proc/device-tree/chosen/pynq_board": f"{profile.board}\0",
        }
        self._fixed = {path: text.encode() for path, text in fixed.items()}
        self._files: dict[str, bytes] = {
            FPGA_MANAGER + "state": b"unknown\n",
            FPGA_MANAGER + "flags": b"0\n",
            FPGA_MANAGER + "firmware": b"\n",
        }
        self.live: dict[str, Callable[[], bytes]] = {}
        """Files whose content is made when they are read."""

    @staticmethod
    def path(given: str) -> str:
        """A clean absolute path; VboardError for what is none."""
        if not given.startswith("/") or "\0" in given or len(given) > _MAX_PATH:
            raise VboardError(
                f"path must be absolute, without NUL, up to {_MAX_PATH} characters, not {given[:80]!r}"
            )
        return posixpath.normpath("/" + given.lstrip("/"))

    def exists(self, path: str) -> bool:
        every = (*self._fixed, *self._files, *self.live, *(f"{d}/" for d in _WRITABLE))
        return path in every or any(p.startswith(path.rstrip("/") + "/") for p in every)

    def read(self, path: str) -> bytes:
        if path in self.live:
            return self.live[path]()
        for place in (self._fixed, self._files):
            if path in place:
                return place[path]
        raise VboardError(f"file must exist on the board, not {path[:200]!r}")

    def write(self, path: str, data: bytes) -> None:
        directory, _, name = path.rpartition("/")
        control = path.startswith(FPGA_MANAGER) and path in self._files
        if not control and (directory not in _WRITABLE or not name):
            raise VboardError(
                f"file must lie in {', '.join(_WRITABLE)}, the board's directories, not {path[:200]!r}"
            )
        if len(data) > _MAX_FILE_BYTES:
            raise VboardError(f"file must have at most {_MAX_FILE_BYTES} bytes, not {len(data)}")
        beside = {p: d for p, d in self._files.items() if p.startswith(directory + "/") and p != path}
        while len(beside) >= _MAX_FILES or len(data) + sum(map(len, beside.values())) > _MAX_BYTES:
            if directory + "/" != FIRMWARE:
                raise VboardError(
                    f"files in {directory} must stay within {_MAX_FILES} and {_MAX_BYTES} bytes"
                )
            oldest = next(iter(beside))  # what was sent and never programmed must not bar the next one
            del beside[oldest], self._files[oldest]
        self._files.pop(path, None)
        self._files[path] = data

    def remove(self, path: str) -> None:
        self._files.pop(path, None)

    @staticmethod
    def size_limit() -> int:
        return _MAX_FILE_BYTES


class Cma:
    """Buffers in the contiguous memory of the board: first fit, whole pages, names never used twice."""

    def __init__(self, base: int, size: int) -> None:
        self.base, self.size = base, size
        self._buffers: dict[str, tuple[int, int]] = {}  # name → (address, bytes asked for)
        self._names = itertools.count(1)

    @property
    def used(self) -> int:
        return sum(_pages(size) for _, size in self._buffers.values())

    def __len__(self) -> int:
        return len(self._buffers)

    def bounds(self) -> list[tuple[int, int]]:
        """(first address, end) of all buffers, in rising order."""
        return sorted((a, a + _pages(n)) for a, n in self._buffers.values())

    def allocate(self, size: int) -> str:
        if size <= 0:
            raise VboardError(f"buffer must have at least 1 byte, not {size}")
        if len(self._buffers) >= _MAX_BUFFERS:
            raise VboardError(f"the board must not hold more than {_MAX_BUFFERS} buffers; free some")
        at = self.base
        for start, end in [*self.bounds(), (self.base + self.size, 0)]:
            if start - at >= _pages(size):
                name = f"buffer{next(self._names)}"
                self._buffers[name] = (at, size)
                return name
            at = end
        raise VboardError(
            f"buffer must fit into contiguous memory: {size} bytes asked, {self.size - self.used} of "
            f"{self.size} free in pieces; free buffers or allocate smaller ones"
        )

    def find(self, name: str) -> tuple[int, int]:
        """(physical address, bytes) of a buffer."""
        if name not in self._buffers:
            raise VboardError(f"buffer must be one that is allocated, not {name[:80]!r}")
        return self._buffers[name]

    def free(self, name: str) -> None:
        self.find(name)
        del self._buffers[name]

    def clear(self) -> None:
        self._buffers.clear()


def _pages(size: int) -> int:
    return -(-size // PAGE) * PAGE


class PsRegisters:
    """Registers of the processing system that pynq looks at, as plain memory with presets.

    Clocks are those of the images PYNQ ships: a 50 MHz reference and 1000 MHz from the I/O PLL on
    Zynq-7000, 33.333 MHz and 1500 MHz on UltraScale+; PL clock 0 at 100 MHz.
    """

    def __init__(self, profile: Profile) -> None:
        if profile.is_zynq7000:
            self._blocks: tuple[tuple[int, int], ...] = ((0xF8000000, 0x1000),)
            presets = {0xF8000100: 0x1A000, 0xF8000104: 0x15000, 0xF8000108: 0x14000}
            presets |= {0xF8000120: 0x1F000200}
            presets |= {0xF8000170 + 16 * n: 0x00100A00 for n in range(4)}
        else:
            self._blocks = (
                (0xFD1A0000, 0x1000),
                (0xFF5E0000, 0x1000),
                (0xFD615000, 0x1000),
                (0xFF419000, 0x1000),
                (0xFF9B0000, 0x1000),
                *((0xFD360000 + 0x10000 * n, 0x1000) for n in range(6)),
            )
            presets = {0xFF5E0020: 0x15A00, 0xFF5E0030: 0x15A00, 0xFD1A0020: 0x14800}
            presets |= {0xFD1A002C: 0x14000, 0xFD1A0038: 0x15A00, 0xFD1A0060: 0x03000100}
            presets |= {0xFF5E00C0 + 4 * n: 0x01010F00 for n in range(4)}
        self._words = dict(presets)

    def holds(self, address: int, length: int) -> bool:
        return any(base <= address and address + length <= base + n for base, n in self._blocks)

    def read(self, address: int) -> int:
        return self._words.get(address, 0)

    def write(self, address: int, value: int) -> None:
        self._words[address] = value
