# SPDX-License-Identifier: Apache-2.0
"""What a memory takes of the block RAMs of a 7-series part."""

__all__ = ["bram36"]


_SHAPES = ((1, 16384), (2, 8192), (4, 4096), (9, 2048), (18, 1024), (36, 512))


def bram36(width: int, depth: int, *, two_ports: bool = False) -> float:
    """Block RAM36 of a simple dual-port memory, in halves: widths 1, 2, 4, 9, 18, 36 (72 as RAMB36).

    `two_ports`: both ports read and write, at most 18 bits each (36 as RAMB36).
    """
    best = float("inf")
    for w, d in _SHAPES[:-1] if two_ports else _SHAPES:
        best = min(best, -(-width // w) * -(-depth // d) / 2)
    return best
