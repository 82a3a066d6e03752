# SPDX-License-Identifier: Apache-2.0
"""One direction of an AXI DMA in simple mode, over pynq's channel objects.

pynq arms receives and brings received data to the host. This module looks at the status register,
because pynq's own `wait` has no time limit and raises "DMA channel not started" for every error, and
starts sends, because pynq's `transfer` reads that register twice more: remotely each read is a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from pynq import MMIO

from convloom.driver.errors import PreflightError

__all__ = ["ERRORS", "HALTED", "IDLE", "Channel", "Region", "find_channels", "status_text"]

HALTED, IDLE = 0x1, 0x2
_BITS = (
    (HALTED, "Halted"),
    (IDLE, "Idle"),
    (0x8, "SGIncld"),
    (0x10, "DMAIntErr"),
    (0x20, "DMASlvErr"),
    (0x40, "DMADecErr"),
    (0x100, "SGIntErr"),
    (0x200, "SGSlvErr"),
    (0x400, "SGDecErr"),
    (0x1000, "IOC_Irq"),
    (0x2000, "Dly_Irq"),
    (0x4000, "Err_Irq"),
)
"""DMASR (PG021)."""
ERRORS = 0x770

_CONTROL, _STATUS, _ADDRESS, _ADDRESS_HIGH, _LENGTH = 0x00, 0x04, 0x18, 0x1C, 0x28
_RESET = 0x4
_S2MM = 0x30
"""The receive channel's registers lie this far above those of the send channel."""


def status_text(value: int) -> str:
    """DMASR in words: `0x1002 (Idle, IOC_Irq)`."""
    names = [name for bit, name in _BITS if value & bit]
    return f"0x{value:x} ({', '.join(names) or 'running'})"


class Buffer(Protocol):
    """The part of pynq's buffers that a region needs."""

    def invalidate(self) -> None: ...


class Region:
    """A piece of a buffer as pynq's `transfer` takes it.

    pynq flushes a buffer whole at each send, which moves it over the network in remote mode, and asks
    for its address three times. Here what was flushed once is sent as often as needed, and only the
    owner of the buffer flushes.
    """

    def __init__(self, buffer: Buffer, address: int, nbytes: int) -> None:
        self.buffer, self.physical_address, self.nbytes = buffer, address, nbytes

    @property
    def beats(self) -> int:
        return self.nbytes // 8

    def flush(self) -> None:
        """Nothing: see the class."""

    def invalidate(self) -> None:
        """Bring what the DMA wrote to the host."""
        self.buffer.invalidate()


class Channel:
    """One stream's DMA channel and its queue of transfers."""

    def __init__(self, stream: str, name: str, dma: Any, receive: bool) -> None:
        self.stream = stream
        self.label = f"{name} {'S2MM' if receive else 'MM2S'}"
        self.receive = receive
        self.limit = int(dma.buffer_max_size)
        self._mmio = dma.mmio
        self._base = _S2MM if receive else 0
        self._channel = dma.recvchannel if receive else dma.sendchannel
        self.queue: Sequence[Region] = ()
        self.started = self.done = 0
        self.last_status = 0

    @property
    def expected_beats(self) -> int:
        return sum(region.beats for region in self.queue)

    @property
    def done_beats(self) -> int:
        """Beats of completed transfers."""
        return sum(region.beats for region in self.queue[: self.done])

    @property
    def finished(self) -> bool:
        return self.done == len(self.queue)

    def load(self, regions: Sequence[Region]) -> None:
        """Take the transfers of a run; none is started."""
        self.queue, self.started, self.done, self.last_status = regions, 0, 0, 0

    def start_next(self) -> None:
        """Start the next transfer; the channel must be idle."""
        region = self.queue[self.started]
        if self.receive:
            self._channel.transfer(region)
        else:  # the writes of pynq's `transfer`, in its order
            self._mmio.write(_ADDRESS, region.physical_address & 0xFFFFFFFF)
            self._mmio.write(_ADDRESS_HIGH, region.physical_address >> 32)
            self._mmio.write(_LENGTH, region.nbytes)
        self.started += 1

    def poll(self) -> bool:
        """Read DMASR; whether the transfer under way has ended without error."""
        self.last_status = int(self._mmio.read(self._base + _STATUS))
        if self.last_status & (ERRORS | HALTED) or not self.last_status & IDLE:
            return False
        self.done += 1
        return True

    def status(self) -> int:
        """DMASR, for diagnosis."""
        self.last_status = int(self._mmio.read(self._base + _STATUS))
        return self.last_status

    def armed(self) -> bool:
        """Whether a length was written since the reset, so that a transfer is or was under way."""
        return int(self._mmio.read(self._base + _LENGTH)) != 0

    @property
    def stopped(self) -> bool:
        """Whether the last look showed an error or a halt."""
        return bool(self.last_status & (ERRORS | HALTED))

    def collect(self) -> int:
        """After a receive has ended: bring the data to the host; returns the bytes received."""
        self._channel.wait()  # idle already: invalidates the buffer and reads the length
        return int(self._channel.transferred)

    def abort(self) -> None:
        """Soft reset, of both directions of this DMA: nothing moves any more, buffers may be freed."""
        self._mmio.write(self._base + _CONTROL, _RESET)

    def restart(self) -> None:
        """Set the run bit."""
        self._channel.start()
        self.queue, self.started, self.done = (), 0, 0


_WIRING = (("in0", "axi_dma_0", False), ("in1", "axi_dma_1", False), ("out", "axi_dma_0", True))


def find_channels(overlay: Any, where: str) -> dict[str, Channel]:
    """The channels of in0, in1 and out, as DESIGN wires them; PreflightError if one is missing."""
    channels = {}
    # pynq waits without a limit for a DMA to run, and one in an error does so only after a reset.
    for name in dict.fromkeys(name for _, name, _ in _WIRING):
        mmio = MMIO(overlay.ip_dict[name]["phys_addr"], 0x1000, device=overlay.device)
        mmio.write(_CONTROL, _RESET)
    for stream, name, receive in _WIRING:
        dma = getattr(overlay, name)
        channel = getattr(dma, "recvchannel" if receive else "sendchannel", None)
        if channel is None:
            raise PreflightError(
                f"{where}: {name} must have a {'receive' if receive else 'send'} channel, which "
                "carries "
                f"{stream}; enable {'S2MM' if receive else 'MM2S'} in the block design"
            )
        channels[stream] = Channel(stream, name, dma, receive)
    return channels
