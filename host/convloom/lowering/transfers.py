# SPDX-License-Identifier: Apache-2.0
"""Weights in few DMA transfers: a simple-mode DMA stands still while the host starts its next one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["JOINED_BYTES", "joined"]

Beats = NDArray[np.uint64]

JOINED_BYTES = 1 << 18
"""Up to here one transfer is better than several: the next one costs five register accesses of the
host, remotely calls over a network, while a port moves 256 KB in 33,000 cycles. Against that stands
memory for the copies."""


def joined(pieces: Sequence[Beats]) -> list[Beats]:
    """The same beats in the same order, in transfers of whole pieces and up to JOINED_BYTES.

    A larger piece stays a transfer of its own. Transfers of the same pieces are the same array, as
    `Job` asks of what is sent again.
    """
    runs: list[list[Beats]] = []
    room = 0
    for piece in pieces:
        if piece.nbytes > room:
            runs.append([])
            room = JOINED_BYTES
        runs[-1].append(piece)
        room -= piece.nbytes
    made: dict[tuple[int, ...], Beats] = {}
    for run in runs:
        key = tuple(id(piece) for piece in run)
        if key not in made:
            made[key] = run[0] if len(run) == 1 else np.concatenate(run)
    return [made[tuple(id(piece) for piece in run)] for run in runs]
