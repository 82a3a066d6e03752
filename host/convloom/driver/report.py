# SPDX-License-Identifier: Apache-2.0
"""What a run on a board took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

__all__ = ["Event", "RunReport", "Stopwatch"]


@dataclass(frozen=True)
class Event:
    """Something with a beginning and an end, for a timeline.

    track: host: "lowering", "transfer" or "wait"; board: "in0", "in1", "compute" or "out". start, end:
    seconds of this machine since the run began, or cycles of the board since ap_start.
    """

    track: str
    start: float
    end: float


@dataclass(frozen=True)
class RunReport:
    """One layer on one board.

    seconds: time of the machine that ran the driver, split into "lowering" (beats from tensors and
    back), "transfer" (filling, flushing and fetching buffers) and "wait"; on a virtual board that is
    simulation and says nothing of a real one. cycles: from ap_start to the last beat of the output,
    exact, where the board counts them (a virtual one does). modelled_seconds: cycles at clock_mhz.
    stalls: there too, by stream the cycles of these in which no beat moved, by cause: "kernel" (not
    ready, or for out nothing to send), "latency" and "bandwidth" of the memory, "dma" (it waited
    for the next transfer) and "idle" (nobody wanted anything); with the beats since ap_start, before
    which the kernel's ports may take one or two, they are all `cycles`.
    """

    kernel: str
    config: str
    lowering: str
    layer: str
    bytes_in: int
    bytes_out: int
    transfers: dict[str, int]
    weights_kept: bool
    seconds: dict[str, float]
    clock_mhz: float | None = None
    cycles: int | None = None
    stalls: dict[str, dict[str, int]] | None = None
    macs: int = 0
    host: tuple[Event, ...] = field(default=(), repr=False)
    board: tuple[Event, ...] = field(default=(), repr=False)

    @property
    def modelled_seconds(self) -> float | None:
        if self.cycles is None or not self.clock_mhz:
            return None
        return self.cycles / (self.clock_mhz * 1e6)

    def with_lowering(self, seconds: float) -> RunReport:
        """The report of a layer that was lowered before the run, which took `seconds`."""
        host = [Event(e.track, e.start + seconds, e.end + seconds) for e in self.host]
        total = {**self.seconds, "lowering": self.seconds["lowering"] + seconds}
        return replace(self, seconds=total, host=(Event("lowering", 0.0, seconds), *host))

    def as_json(self) -> dict[str, Any]:
        """Plain values, without the timelines."""
        modelled = self.modelled_seconds
        return {
            "kernel": self.kernel,
            "config": self.config,
            "lowering": self.lowering,
            "layer": self.layer,
            "macs": self.macs,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "dma_transfers": dict(self.transfers),
            "weights_kept": self.weights_kept,
            "cycles": self.cycles,
            "macs_per_cycle": None if not self.cycles else round(self.macs / self.cycles, 3),
            "stalls": self.stalls,
            "clock_mhz": self.clock_mhz,
            "modelled_seconds": None if modelled is None else round(modelled, 9),
            "this_machine_seconds": {k: round(v, 6) for k, v in self.seconds.items()},
        }

    def __str__(self) -> str:
        text = f"{self.layer} on {self.kernel} {self.config} ({self.lowering}): "
        if self.cycles is not None:
            text += f"{self.cycles:,} cycles, {self.macs / self.cycles:.2f} MAC/cycle, "
            if self.modelled_seconds is not None:
                text += f"{1e3 * self.modelled_seconds:.3f} ms at {self.clock_mhz:g} MHz, "
        text += f"{self.bytes_in:,} bytes in, {self.bytes_out:,} out, "
        text += f"{sum(self.transfers.values())} DMA transfers; this machine: "
        return text + ", ".join(f"{name} {1e3 * s:.1f} ms" for name, s in self.seconds.items())


class Stopwatch:
    """Adds up this machine's time by what it is spent on."""

    def __init__(self) -> None:
        self._zero = time.perf_counter()
        self.seconds = {"lowering": 0.0, "transfer": 0.0, "wait": 0.0}
        self.events: list[Event] = []

    @contextmanager
    def time(self, track: str) -> Iterator[None]:
        """Count what happens inside on `track`."""
        start = time.perf_counter() - self._zero
        try:
            yield
        finally:
            end = time.perf_counter() - self._zero
            self.seconds[track] += end - start
            self.events.append(Event(track, start, end))
