# SPDX-License-Identifier: Apache-2.0
"""Sizes in whole parts, as all lowerings and their costs count them."""

from __future__ import annotations

__all__ = ["BEAT", "divide_up"]

BEAT = 8
"""Bytes of a beat of every stream."""


def divide_up(a: int, b: int) -> int:
    """a / b, rounded up."""
    return -(-a // b)
