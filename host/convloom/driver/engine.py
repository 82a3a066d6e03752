# SPDX-License-Identifier: Apache-2.0
"""One run of a kernel: feed both inputs, collect the output, notice when nothing moves any more.

Register writes happen only when a transfer has ended, never after an amount of this machine's time: on
a virtual board, where each write takes modelled cycles, a layer so takes the same cycles every time.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from convloom.driver.counters import Counters
from convloom.driver.diagnosis import diagnose
from convloom.driver.dma import Channel
from convloom.driver.errors import HangError, KernelError
from convloom.driver.ip import AP_DONE, AP_IDLE, AP_START, ConvIP
from convloom.driver.report import Event

__all__ = ["Engine"]

_SPIN = 64
"""Polls without a pause; then the host sleeps a little between them."""
_NAP = 0.0005
_ASIDE = 4
"""Looks at the inputs for one at output and kernel, while inputs work: remotely each look is a call."""
_MOST_EVENTS = 1000
"""Of a timeline: what goes on after that many is left out, so that tracing stays cheap."""
_LOOK = 0.25
"""Seconds between looks at a board's counters, when nothing ended meanwhile."""


class Engine:
    """Drives one run. `channels` have their transfers loaded; registers are written.

    limit: seconds without progress after which the run counts as hung. Progress is a transfer that
    ends, and on a board with counters every beat that moves.
    """

    def __init__(
        self,
        ip: ConvIP,
        channels: Mapping[str, Channel],
        counters: Counters,
        limit: float,
        *,
        trace: bool = False,
    ) -> None:
        self.ip, self.channels, self.counters, self.limit = ip, channels, counters, limit
        self.trace = trace and counters.there
        self._before = counters.read()
        self.events: list[Event] = []
        self._since: dict[str, float] = {}
        self._done = False
        self._received = 0
        self._fruitless = 0

    def start(self) -> None:
        """Arm the receive, then start the first transfer of each input, then the kernel.

        So no beat of the output can meet a DMA that is not ready, and the first beats wait at the
        kernel when it starts.
        """
        self.channels["out"].start_next()
        for channel in self._inputs():
            if not channel.finished:
                channel.start_next()
        self.ip.start()
        self._open("out", "compute", *(c.stream for c in self._inputs()))

    def _inputs(self) -> list[Channel]:
        return [channel for channel in self.channels.values() if not channel.receive]

    def wait(self) -> int:
        """Until the layer is out; returns the bytes received.

        HangError when nothing moves or a DMA stops, KernelError for an error code of the kernel.
        """
        out = self.channels["out"]
        watch = _Watch(self.counters, self.limit)
        polls = 0
        while not (out.finished and self._done and all(c.finished for c in self._inputs())):
            if self._step():
                watch.progress()
                polls = 0
                continue
            if any(channel.stopped for channel in self.channels.values()):
                self.ip.check_status()
                raise self._hang(watch)
            if self._done:
                # An error code ends a run with input left over: nothing more will come.
                self.ip.check_status()
            if watch.expired():
                raise self._hang(watch)
            polls += 1
            if polls > _SPIN:
                time.sleep(_NAP)
        self.ip.check_status()
        return self._received

    def _collect(self, out: Channel) -> None:
        """Fetch the output as soon as it has ended: one that is too short explains all that follows."""
        self._received = out.collect()
        expected = out.queue[0].nbytes
        if self._received != expected:
            self.ip.check_status()
            raise KernelError(
                f"{self.ip.spec.name}: output must be one transfer of {expected:,} bytes, not "
                f"{self._received:,}: TLAST came early; usual cause: the overlay's kernel or "
                "configuration "
                "is not the one the layer was lowered for"
            )

    def _step(self) -> bool:
        """Look at the inputs, then at the output, then at the kernel; whether anything ended."""
        inputs = [channel for channel in self._inputs() if channel.done < channel.started]
        ended = False
        for channel in inputs:
            if channel.poll():
                ended = True
                self._close(channel)
                if not channel.finished:
                    channel.start_next()
        self._fruitless = 0 if ended else self._fruitless + 1
        if inputs and self._fruitless % _ASIDE != _ASIDE - 1:
            return ended
        out = self.channels["out"]
        if out.done < out.started and out.poll():
            ended = True
            self._close(out)
            self._collect(out)
        if not ended and not self._done:
            control = self.ip.control()
            if control & AP_DONE or (control & AP_IDLE and not control & AP_START):
                # Idle without ap_start after a start is done: someone else may have read the done bit.
                self._done = self._really_done(control)
                ended = self._done
                if ended:
                    self._close(None)
        return ended

    def _really_done(self, control: int) -> bool:
        """Idle alone may also be a kernel that never started; beats of the output tell them apart."""
        return bool(control & AP_DONE) or self.channels["out"].finished

    def _hang(self, watch: _Watch) -> HangError:
        return HangError(
            diagnose(
                self.ip,
                self.channels,
                done=self._done,
                seconds=watch.seconds,
                before=self._before,
                table=self.counters.read(),
            )
        )

    # Timeline --------------------------------------------------------------------------------------
    def _now(self) -> float | None:
        """The board's cycle since ap_start."""
        if not self.trace:
            return None
        table = self.counters.read()
        if table is None or table["run"]["started"] is None:
            return None
        return float(table["cycle"] - table["run"]["started"])

    def _open(self, *tracks: str) -> None:
        if (now := self._now()) is not None:
            self._since.update(dict.fromkeys(tracks, now))

    def _close(self, channel: Channel | None) -> None:
        """A transfer has ended, and the channel's next begins; None: the kernel has ended."""
        more = channel is not None and not channel.finished
        if more and len(self.events) >= _MOST_EVENTS:
            return  # the rest of the channel's transfers become one event
        track = "compute" if channel is None else channel.stream
        if track in self._since and (now := self._now()) is not None:
            self.events.append(Event(track, self._since.pop(track), now))
            if more:
                self._since[track] = now


class _Watch:
    """Time since the last progress."""

    def __init__(self, counters: Counters, limit: float) -> None:
        self._counters, self._limit = counters, limit
        self._last = self._looked = time.monotonic()
        self._moved: int | None = None

    @property
    def seconds(self) -> float:
        """Without progress so far."""
        return time.monotonic() - self._last

    def progress(self) -> None:
        """Something ended."""
        self._last = time.monotonic()

    def expired(self) -> bool:
        """Whether the limit is over; where the board counts beats, those that moved extend it."""
        now = time.monotonic()
        if self._counters.there and now - self._looked >= min(_LOOK, self._limit / 4):
            self._looked = now
            table = self._counters.read()
            moved = None if table is None else Counters.moved(table)
            if moved is not None and moved != self._moved:
                self._moved = moved
                self._last = now
        return time.monotonic() - self._last > self._limit
