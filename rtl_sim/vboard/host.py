# SPDX-License-Identifier: Apache-2.0
"""A host without pynq, for tests and speed measurements: it does to the PL what a driver does.

Registers and DMA only; which beats belong to a layer is its caller's business.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from convloom.kernels import KernelSpec
from vboard.errors import VboardError
from vboard.logic import Logic
from vboard.system import Cma

__all__ = ["Host"]

Beats = NDArray[np.uint64]

CONTROL, STATUS, ADDRESS, ADDRESS_HIGH, LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
RECEIVE = 0x30
_ERRORS = 0x70


class Host:
    """One board's PL and its memory, driven from this process."""

    def __init__(self, logic: Logic, spec: KernelSpec) -> None:
        self.logic, self.spec = logic, spec
        where = logic.profile.addresses
        self.kernel = where["kernel"]
        self.channels = {
            "in0": where["axi_dma_0"],
            "in1": where["axi_dma_1"],
            "out": where["axi_dma_0"] + RECEIVE,
        }
        self.cma = Cma(logic.profile.cma_base, logic.profile.cma_bytes)
        self._offsets = {r.name: r.offset for r in spec.registers}

    def buffer(self, beats: Beats | int) -> tuple[int, Beats]:
        """(physical address, view) of a new buffer: a copy of beats, or so many beats."""
        count = beats if isinstance(beats, int) else len(beats)
        address, _ = self.cma.find(self.cma.allocate(8 * count))
        view = np.frombuffer(self.logic.memory, np.uint64, count, address - self.cma.base)
        if not isinstance(beats, int):
            view[:] = beats
        self.logic.set_buffers(self.cma.bounds())
        return address, view

    def start_channels(self) -> None:
        for base in self.channels.values():
            self.logic.write(base + CONTROL, 1)

    def transfer(self, stream: str, address: int, size: int) -> None:
        base = self.channels[stream]
        self.logic.write(base + ADDRESS, address & 0xFFFFFFFF)
        self.logic.write(base + ADDRESS_HIGH, address >> 32)
        self.logic.write(base + LENGTH, size)

    def status(self, stream: str) -> int:
        return self.logic.read(self.channels[stream] + STATUS)

    def idle(self, stream: str) -> bool:
        status = self.status(stream)
        if status & _ERRORS:
            raise VboardError(f"{stream}: DMASR 0x{status:x}: {'; '.join(self.logic.faults())}")
        return bool(status & 2)

    def wait(self, stream: str, seconds: float = 60.0) -> None:
        deadline = time.monotonic() + seconds
        while not self.idle(stream):
            if time.monotonic() > deadline:
                raise VboardError(f"{stream} must end within {seconds:g} s: {self.logic.counters()}")

    def run(
        self,
        registers: Mapping[str, int],
        streams: Mapping[str, Sequence[Beats]],
        out_beats: int,
        seconds: float = 60.0,
    ) -> Beats:
        """One run: receive armed, kernel started, every transfer as soon as its channel is free."""
        self.cma.clear()
        self.start_channels()
        for name, value in registers.items():
            self.logic.write(self.kernel + self._offsets[name], value & 0xFFFFFFFF)
        address, result = self.buffer(out_beats)
        self.transfer("out", address, 8 * out_beats)
        self.logic.write(self.kernel + CONTROL, 1)
        places: dict[int, int] = {}
        waiting = {s: deque(streams[s]) for s in ("in0", "in1")}
        first = dict.fromkeys(waiting, True)
        deadline = time.monotonic() + seconds
        while any(waiting.values()):
            for stream, queue in waiting.items():
                if queue and (first[stream] or self.idle(stream)):
                    beats = queue.popleft()
                    if id(beats) not in places:
                        places[id(beats)] = self.buffer(beats)[0]
                    self.transfer(stream, places[id(beats)], beats.nbytes)
                    first[stream] = False
            if time.monotonic() > deadline:
                raise VboardError(f"a run must end within {seconds:g} s: {self.logic.counters()}")
        self.wait("out", max(1.0, deadline - time.monotonic()))
        return result.copy()
