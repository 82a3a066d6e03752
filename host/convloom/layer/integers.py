# SPDX-License-Identifier: Apache-2.0
"""Integers as a layer's fields take them, and the ends of their ranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from convloom.errors import LayerError

__all__ = ["INT8_MAX", "INT8_MIN", "INT32_MAX", "INT32_MIN", "integer", "integers"]

INT8_MIN, INT8_MAX = -128, 127
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def integer(subject: str, value: Any, low: int, high: int | None = None) -> int:
    """`value` as a Python int in low..high; bools, floats and strings are refused."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise LayerError(f"{subject} must be an integer, not {value!r}")
    number = int(value)
    if number < low or (high is not None and number > high):
        rule = f"at least {low}" if high is None else f"in {low}..{high}"
        raise LayerError(f"{subject} must be {rule}, not {number}")
    return number


def integers(
    subject: str, value: Any, parts: Sequence[str], low: int, high: int | None = None
) -> tuple:
    """`value` as a tuple of Python ints, one per name in `parts`."""
    if isinstance(value, (str, bytes)) or not isinstance(value, (Sequence, np.ndarray)):
        raise LayerError(f"{subject} must be {len(parts)} integers ({', '.join(parts)}), not {value!r}")
    if len(value) != len(parts):
        raise LayerError(f"{subject} must be {len(parts)} integers ({', '.join(parts)}), not {value!r}")
    return tuple(
        integer(f"{subject} ({part})", v, low, high) for part, v in zip(parts, value, strict=True)
    )
