# SPDX-License-Identifier: Apache-2.0
"""The programmable logic of one board: the C++ harness behind ctypes.

A `Logic` is not thread-safe: its caller holds a lock. ctypes lets other Python threads run meanwhile.
"""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vboard.errors import VboardError
from vboard.profile import Profile

__all__ = ["CAUSES", "STREAMS", "Logic", "check_waveform"]

STREAMS = ("in0", "in1", "out")

CAUSES = ("kernel", "latency", "bandwidth", "dma", "idle")
"""Why a stream moves no beat in a cycle."""

_DMA_COUNTS = ("transfers", "bytes", "control", "status", "left")
_WORDS = 5 + 3 * (2 + 2 * (1 + len(CAUSES))) + 3 * len(_DMA_COUNTS) + 3
_NEVER = (1 << 64) - 1
_POLL_MILLISECONDS = 100


class Logic:
    """The programmable logic of one board, in reset until `program`.

    memory: what the DMAs see as the CMA region, profile.cma_bytes long; untouched pages cost nothing.
    """

    def __init__(self, library: Path, profile: Profile) -> None:
        self.profile = profile
        self.memory = mmap.mmap(-1, profile.cma_bytes)
        self._library = _load(library)
        where = profile.addresses
        words = [profile.cma_base, profile.cma_bytes, profile.ddr_bytes]
        words += [round(1000 * profile.ddr_bytes_per_cycle), profile.ddr_latency]
        words += [profile.access_cycles, profile.dma_length_bits]
        words += [where[n] for n in ("kernel", "axi_dma_0", "axi_dma_1", "axi_gpio_led")]
        self._pointer = ctypes.c_char.from_buffer(self.memory)
        config = (ctypes.c_uint64 * len(words))(*words)
        self._handle = self._library.vb_create(config, ctypes.addressof(self._pointer))
        if not self._handle:
            raise VboardError(f"the RTL must start: {self._error()}")
        self.register_bytes = 1 << self._library.vb_register_bits()

    def _error(self) -> str:
        return self._library.vb_error().decode(errors="replace")

    def _check(self, code: int) -> None:
        if code:
            raise VboardError(self._error())

    def close(self) -> None:
        """Ends the model (and finishes a waveform); nothing may be called after it."""
        if self._handle:
            self._library.vb_destroy(self._handle)
            self._handle = None

    def program(self) -> None:
        """Reset everything in the PL and all counts."""
        self._check(self._library.vb_program(self._handle))

    def read(self, address: int) -> int:
        """One 32-bit register; a busy status runs the design, see the package's docstring."""
        value = ctypes.c_uint32()
        self._check(
            self._library.vb_read(self._handle, address, _POLL_MILLISECONDS, ctypes.byref(value))
        )
        return value.value

    def write(self, address: int, value: int) -> None:
        self._check(self._library.vb_write(self._handle, address, value))

    def run(self, cycles: int) -> None:
        """Let time pass without a host."""
        self._check(self._library.vb_run(self._handle, cycles))

    def record(self, file: Path, first: int, last: int) -> None:
        """Record cycles first to last (since programming) into an FST file, see `check_waveform`."""
        check_waveform(file, first, last)
        self._check(self._library.vb_record(self._handle, os.fsencode(file), first, last))

    def set_buffers(self, bounds: Sequence[tuple[int, int]]) -> None:
        """Physical (first address, end) of all buffers, in rising order."""
        flat = [word for pair in bounds for word in pair]
        self._library.vb_buffers(self._handle, (ctypes.c_uint64 * len(flat))(*flat), len(bounds))

    def faults(self) -> list[str]:
        """What went wrong since the last call."""
        room = ctypes.create_string_buffer(1 << 16)
        size = self._library.vb_faults(self._handle, room, len(room))
        return room.raw[:size].decode(errors="replace").splitlines()

    def counters(self) -> dict[str, Any]:
        """`cycle`, `run`, `streams`, `dma` and `ddr` of the package's docstring."""
        out = (ctypes.c_uint64 * _WORDS)()
        self._library.vb_counters(self._handle, out)
        words = iter(out)
        now, starts, started, last_out, done = (next(words) for _ in range(5))
        streams: dict[str, dict[str, int]] = {}
        beats: dict[str, int] = {}
        stalls: dict[str, dict[str, int]] = {}
        for name in STREAMS:
            packets, beats[name] = next(words), next(words)
            # Each cause twice: since programming, and in the run.
            cycles = {cause: (next(words), next(words)) for cause in ("beats", *CAUSES)}
            streams[name] = {"beats": cycles.pop("beats")[0], "packets": packets}
            streams[name] |= {f"{cause}_stalls": total for cause, (total, _) in cycles.items()}
            stalls[name] = {cause: count for cause, (_, count) in cycles.items()}
        channels = [{name: next(words) for name in _DMA_COUNTS} for _ in STREAMS]
        read, written, limited = (next(words) for _ in range(3))
        finished = started != _NEVER and last_out != _NEVER
        return {
            "cycle": now,
            "run": {
                "starts": starts,
                "started": None if started == _NEVER else started,
                "cycles": last_out - started if finished else None,
                "done": bool(done),
                "beats": beats,
                "bytes_in": 8 * (beats["in0"] + beats["in1"]),
                "bytes_out": 8 * beats["out"],
                "stalls": stalls if finished else None,
            },
            "streams": streams,
            "dma": {
                "axi_dma_0": {"mm2s": channels[0], "s2mm": channels[2]},
                "axi_dma_1": {"mm2s": channels[1]},
            },
            "ddr": {"bytes_read": read, "bytes_written": written, "limit_stalls": limited},
        }


def check_waveform(file: Path, first: int, last: int) -> None:
    """VboardError where nothing could be recorded; Verilator would not say so. Empties the file."""
    if not 0 <= first <= last < 1 << 62:
        raise VboardError(f"window must be two cycles in rising order, not {first} and {last}")
    try:
        file.open("wb").close()
    except OSError as error:
        raise VboardError(f"waveform {file} must be writable, not fail: {error.strerror}") from None


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    handle, word = ctypes.c_void_p, ctypes.c_uint64
    library.vb_error.restype = ctypes.c_char_p
    for name, result, *arguments in (
        ("create", handle, ctypes.POINTER(word), handle),
        ("register_bits", ctypes.c_uint32),
        ("destroy", None, handle),
        ("program", ctypes.c_int, handle),
        ("read", ctypes.c_int, handle, word, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32)),
        ("write", ctypes.c_int, handle, word, ctypes.c_uint32),
        ("run", ctypes.c_int, handle, word),
        ("record", ctypes.c_int, handle, ctypes.c_char_p, word, word),
        ("buffers", None, handle, ctypes.POINTER(word), word),
        ("counters", None, handle, ctypes.POINTER(word)),
        ("faults", word, handle, ctypes.c_char_p, word),
    ):
        function = getattr(library, f"vb_{name}")
        function.restype, function.argtypes = result, arguments
    return library
