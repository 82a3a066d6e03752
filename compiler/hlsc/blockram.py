# SPDX-License-Identifier: Apache-2.0
"""What a memory takes of the block RAMs of a 7-series part."""

__all__ = ["bram36"]


def bram36(width: int, depth: int) -> float:
    """Block RAM36 of a simple dual-port memory, in halves: widths 1, 2, 4, 9, 18, 36 (72 as RAMB36)."""
    best = float("inf")
    for w, d in ((1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024), (36, 512)):
        best = min(best, -(-width // w) * -(-depth // d) / 2)
    return best
