# SPDX-License-Identifier: Apache-2.0
"""Why a run stands still: what every channel and the kernel say, and the usual cause of that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from convloom.driver.dma import ERRORS, HALTED, Channel, status_text
from convloom.driver.ip import AP_IDLE, ConvIP, control_text
from convloom.kernels import KernelSpec

__all__ = ["ChannelState", "Diagnosis", "diagnose"]


@dataclass(frozen=True)
class ChannelState:
    """One channel when it stopped.

    beats: moved in all, where the board counts them, else None.
    armed: whether a transfer was ever started.
    """

    stream: str
    label: str
    status: int
    transfers: int
    transfers_expected: int
    beats_done: int
    beats_expected: int
    beats: int | None
    armed: bool = True

    @property
    def stuck(self) -> bool:
        return self.transfers < self.transfers_expected

    def __str__(self) -> str:
        moved = f"{self.beats_done:,} of {self.beats_expected:,} beats in completed transfers"
        if self.beats is not None:
            moved = f"{self.beats:,} of {self.beats_expected:,} beats moved"
        return (
            f"{self.stream} ({self.label}): {self.transfers} of {self.transfers_expected} transfers, "
            f"{moved}, "
            f"DMASR {status_text(self.status)}"
        )


@dataclass(frozen=True)
class Diagnosis:
    """The state of a run that stands still; its text is what `HangError` shows."""

    headline: str
    channels: tuple[ChannelState, ...]
    control: int
    status: int
    status_words: str
    cause: str
    faults: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [self.headline, *(f"  {channel}" for channel in self.channels)]
        lines.append(f"  kernel: ap_ctrl {control_text(self.control)}, {self.status_words}")
        lines += [f"  the board says: {fault}" for fault in self.faults]
        return "\n".join([*lines, f"  usual cause: {self.cause}"])


_ERROR_CAUSES = (
    (0x40, "the buffer's address is in no memory: it was freed, or belongs to another board"),
    (0x20, "memory refused the access: the buffer was freed, or the HP port is not enabled"),
)


def _cause(states: Mapping[str, ChannelState], control: int, done: bool, name: str) -> str:
    """In the order in which one explains the others."""
    for state in states.values():
        for bit, cause in _ERROR_CAUSES:
            if state.status & bit:
                return f"{state.stream}: {cause}"
    out = states["out"]
    if out.status & ERRORS:
        return (
            "the kernel sent more than the receive buffer holds, or no TLAST at its end: the buffer "
            "is too "
            "small, or the overlay's kernel or configuration is not the one the layer was lowered for"
        )
    for state in states.values():
        if state.status & ERRORS:
            return (
                f"{state.stream}: a transfer of length 0, or of an address that is not a multiple of 8"
            )
        if state.status & HALTED and state.stuck:
            return f"{state.stream}: the channel was stopped or reset by someone else while it worked"
    if not out.armed:
        return f"no receive was armed, so {name} can not send: arm it before ap_start"
    if control & AP_IDLE and not done:
        return f"{name} was never started (ap_start had no effect), is held in reset, or has no clock"
    waiting = [s.stream for s in states.values() if s.stuck and s.stream != "out"]
    if done and not waiting:
        return "no TLAST on the last beat of out: it must carry TLAST (hls::axis, no custom struct)"
    if done:
        left = " and ".join(waiting)
        return f"{name} ended without taking all of {left}: registers and buffers disagree"
    if not waiting:
        return (
            f"{name} waits for more input than the layer has: registers and buffers disagree, or its "
            "configuration is not the one the layer was lowered for"
        )
    taken = [s.stream for s in states.values() if not s.stuck and s.stream != "out"]
    blocked = f"more of {taken[0]} than the layer has" if taken else "room for its output"
    return (
        f"{name} does not take {' and '.join(waiting)}: it waits for {blocked}, or its configuration "
        "is not the one the layer was lowered for"
    )


def diagnose(
    ip: ConvIP,
    channels: Mapping[str, Channel],
    *,
    done: bool,
    seconds: float,
    before: Mapping[str, Any] | None,
    table: Mapping[str, Any] | None,
) -> Diagnosis:
    """Look at everything once.

    seconds: without progress. before, table: the board's counters when the run began and now, if any.
    """
    states = {}
    for stream, channel in channels.items():
        beats = None
        if table is not None and before is not None:
            # Not the board's own "since ap_start": the kernel's ports take beats before it starts.
            beats = table["streams"][stream]["beats"] - before["streams"][stream]["beats"]
        states[stream] = ChannelState(
            stream,
            channel.label,
            channel.status(),
            channel.done,
            len(channel.queue),
            channel.done_beats,
            channel.expected_beats,
            beats,
            channel.armed(),
        )
    control, status = ip.control(), ip.status()
    spec: KernelSpec = ip.spec
    failed = [s.stream for s in states.values() if s.status & ERRORS]
    stuck = [s.stream for s in states.values() if s.stuck]
    if failed:
        headline = f"{spec.name}: the DMA of {' and '.join(failed)} stopped on an error"
    else:
        what = " and ".join(stuck) or "the end of the run"
        headline = f"{spec.name}: no progress for {seconds:.1f} s, waiting for {what}"
    words = spec.explain_status(status) if status else "status 0x0: no error"
    finished = done or bool(control & 2)
    return Diagnosis(
        headline,
        tuple(states.values()),
        control,
        status,
        words,
        _cause(states, control, finished, spec.name),
        tuple(table["faults"][-4:]) if table is not None else (),
    )
