# SPDX-License-Identifier: Apache-2.0
"""What a lowering produces: exactly the registers and beats that a kernel takes, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from convloom.errors import ConvloomError
from convloom.kernels import KernelSpec
from convloom.layer import ConvLayer

__all__ = ["Job", "Place"]

Beats = NDArray[np.uint64]


@dataclass(frozen=True)
class Place:
    """What one output beat holds, for messages: output pixel, first filter and tile."""

    group: int
    row: int
    filter: int
    row_tile: int
    filter_tile: int

    def __str__(self) -> str:
        return (
            f"group {self.group}, output row {self.row}, filters from {self.filter}, "
            f"row tile {self.row_tile}, filter tile {self.filter_tile}"
        )


@dataclass(frozen=True)
class Job:
    """One call of a kernel.

    `streams` maps an input stream to its transfers in order, each a uint64 array of beats; a buffer
    that is sent several times stands several times.  `out_beats` is the length of the one output
    transfer, `unpack` turns it into the layer's output and `pack` the output into
    it (what a test bench expects), `locate` says what an output beat holds.
    """

    spec: KernelSpec
    config: str
    lowering: str
    layer: ConvLayer
    registers: Mapping[str, int]
    streams: Mapping[str, Sequence[Beats]]
    out_beats: int
    unpack: Callable[[Beats], NDArray] = field(repr=False)
    pack: Callable[[NDArray], Beats] = field(repr=False)
    locate: Callable[[int], Place] = field(repr=False)

    @property
    def bytes_in(self) -> int:
        """Bytes that cross the bus towards the kernel, repeats included."""
        return sum(t.nbytes for transfers in self.streams.values() for t in transfers)

    @property
    def bytes_out(self) -> int:
        return 8 * self.out_beats

    @property
    def buffer_bytes(self) -> int:
        """Bytes of the activation buffers that the host has to hold beside the layer's own tensors."""
        return sum(t.nbytes for t in {id(t): t for t in self.streams["in0"]}.values())

    def result(self, transfers: Sequence[Beats]) -> NDArray:
        """The layer's output from what the kernel sent: y (N, OH, OW, K), int32 or int8."""
        lengths = [len(t) for t in transfers]
        if lengths != [self.out_beats]:
            raise ConvloomError(
                f"{self.spec.name}: output must be one transfer of {self.out_beats} beats, "
                f"not transfers of {lengths} beats"
            )
        return self.unpack(transfers[0])
