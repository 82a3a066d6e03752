# SPDX-License-Identifier: Apache-2.0
"""Requantisation of int32 accumulators to int8 as in TOSA."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convloom.errors import LayerError
from convloom.layer.integers import INT8_MAX, INT8_MIN, integer, integers

__all__ = ["SHIFT_MAX", "SHIFT_MIN", "Requant", "apply_scale_16", "requantize"]

SHIFT_MIN, SHIFT_MAX = 2, 62
"""Limits of the requantisation shift (TOSA 1.0, apply_scale_16)."""


def _int_array(subject: str, value: ArrayLike, low: int, high: int, dtype: type) -> NDArray[Any]:
    """A read-only one-dimensional copy of `value` as `dtype`, every element in low..high."""
    try:
        array = np.asarray(value)
    except ValueError as error:  # ragged lists
        raise LayerError(f"{subject} must be one integer per filter, not {value!r}") from error
    if array.ndim != 1 or array.size == 0:
        raise LayerError(
            f"{subject} must be one integer per filter, not an array of shape {array.shape}"
        )
    if array.dtype.kind not in "iu":
        raise LayerError(f"{subject} must be integers, not {array.dtype}")
    bad = np.flatnonzero((array < low) | (array > high))
    if bad.size:
        raise LayerError(f"{subject} must be in {low}..{high}, not {array[bad[0]]} (filter {bad[0]})")
    array = array.astype(dtype)
    array.setflags(write=False)
    return array


def apply_scale_16(value: ArrayLike, multiplier: ArrayLike, shift: ArrayLike) -> NDArray[np.int64]:
    """`(value * multiplier + 2**(shift-1)) >> shift`, exact: TOSA's apply_scale_16, round half up.

    value: integers of at most 48 bits, any shape; multiplier 0..32767 and shift 2..62 broadcast against
    it. Returns int64: the full result, which the caller clamps. (TOSA leaves results beyond int32
    undefined; here they are exact, so that saturating requantisation is well defined.)
    Source: TOSA 1.0 specification, section 'Integer scaling'.
    """
    v, m, s = np.asarray(value), np.asarray(multiplier), np.asarray(shift)
    for subject, array, low, high in (
        ("value", v, -(2**47), 2**47 - 1),
        ("multiplier", m, 0, 2**15 - 1),
        ("shift", s, SHIFT_MIN, SHIFT_MAX),
    ):
        if array.dtype.kind not in "iu":
            raise LayerError(f"apply_scale_16 {subject} must be integers, not {array.dtype}")
        if array.size and (array.min() < low or array.max() > high):
            worst = array.min() if array.min() < low else array.max()
            raise LayerError(f"apply_scale_16 {subject} must be in {low}..{high}, not {worst}")
    # 48 + 15 bits and a rounding term of at most 2**61 stay below 2**63.
    v64, s64 = v.astype(np.int64), s.astype(np.int64)
    result = (v64 * m.astype(np.int64) + (np.int64(1) << (s64 - 1))) >> s64
    return np.asarray(result, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Requant:
    """Requantisation of int32 accumulators to int8, per filter.

    multiplier: int16 (K,), 0..32767; shift: int8 (K,), 2..62; the scale of filter k is
    multiplier[k] / 2**shift[k]. zero_point: that of the output, -128..127. clamp: (low, high), int8,
    applied after the zero point is added. The arrays are copied and made read-only.
    """

    multiplier: NDArray[np.int16]
    shift: NDArray[np.int8]
    zero_point: int = 0
    clamp: tuple[int, int] = (INT8_MIN, INT8_MAX)

    def __post_init__(self) -> None:
        m = _int_array("requant multiplier", self.multiplier, 0, 2**15 - 1, np.int16)
        s = _int_array("requant shift", self.shift, SHIFT_MIN, SHIFT_MAX, np.int8)
        if m.shape != s.shape:
            raise LayerError(
                f"requant shift must have one element per multiplier ({m.size}), not {s.size}"
            )
        zero_point = integer("requant zero_point", self.zero_point, INT8_MIN, INT8_MAX)
        clamp = integers("requant clamp", self.clamp, ("low", "high"), INT8_MIN, INT8_MAX)
        if clamp[0] > clamp[1]:
            raise LayerError(f"requant clamp must have low <= high, not {clamp}")
        for name, value in (
            ("multiplier", m),
            ("shift", s),
            ("zero_point", zero_point),
            ("clamp", clamp),
        ):
            object.__setattr__(self, name, value)

    @property
    def k(self) -> int:
        """Filters it serves."""
        return int(self.multiplier.size)

    def _key(self) -> tuple:
        return self.multiplier.tobytes(), self.shift.tobytes(), self.zero_point, self.clamp

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Requant) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    @classmethod
    def from_scales(
        cls,
        scales: ArrayLike,
        zero_point: int = 0,
        clamp: tuple[int, int] = (INT8_MIN, INT8_MAX),
    ) -> Requant:
        """Nearest multipliers and shifts for float scales (K,), x_scale * w_scale[k] / y_scale each.

        Multipliers are normalised to 16384..32767, so the relative error is at most 2**-15. Scales must
        be positive, finite and below 8191.875 (multiplier 32767, shift 2, with rounding); those below
        2**-47 lose bits of the multiplier, where every int32 gives 0 anyhow.
        """
        try:
            array = np.asarray(scales)
        except ValueError:  # ragged lists; before numpy 1.24 they make an array of objects
            array = np.empty((), object)
        if array.dtype == object:
            raise LayerError(f"requant scales must be one number per filter, not {scales!r}")
        if array.ndim != 1 or array.size == 0:
            raise LayerError(f"requant scales must be one number per filter, not shape {array.shape}")
        if array.dtype.kind not in "fiu":
            raise LayerError(f"requant scales must be numbers, not {array.dtype}")
        multiplier, shift = [], []
        for index, scale in enumerate(array.tolist()):
            if not (math.isfinite(scale) and scale > 0):
                raise LayerError(
                    f"requant scales must be positive and finite, not {scale} (filter {index})"
                )
            fraction, exponent = math.frexp(
                scale
            )  # scale = fraction * 2**exponent, fraction in [0.5, 1)
            m, s = round(fraction * 2**15), 15 - exponent
            if m == 2**15:
                m, s = 2**14, s - 1
            if s > SHIFT_MAX:
                m, s = m >> (s - SHIFT_MAX), SHIFT_MAX
            if s < SHIFT_MIN:
                raise LayerError(f"requant scales must be below 8191.875, not {scale} (filter {index})")
            multiplier.append(m)
            shift.append(s)
        return cls(np.array(multiplier), np.array(shift), zero_point, clamp)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Requant:
        """From `{"multiplier": [...], "shift": [...], "zero_point": z, "clamp": [low, high]}`.

        The last two may be missing (0 and the whole int8 range); any other key is refused.
        """
        if not isinstance(data, Mapping):
            raise LayerError(f"requant must be an object with multiplier and shift, not {data!r}")
        known = ("multiplier", "shift", "zero_point", "clamp")
        for key in data:
            if key not in known:
                raise LayerError(f"requant keys must be among {', '.join(known)}, not {key!r}")
        for key in known[:2]:
            if key not in data:
                raise LayerError(f"requant must have {key!r}, not only {sorted(data)}")
        return cls(
            data["multiplier"],
            data["shift"],
            data.get("zero_point", 0),
            data.get("clamp", (INT8_MIN, INT8_MAX)),
        )

    def to_json(self) -> dict[str, Any]:
        """The dict that `from_json` takes, of plain Python values."""
        return {
            "multiplier": self.multiplier.tolist(),
            "shift": self.shift.tolist(),
            "zero_point": self.zero_point,
            "clamp": list(self.clamp),
        }


def requantize(acc: NDArray[Any], requant: Requant) -> NDArray[np.int8]:
    """int32 accumulators (..., K) to int8: clamp(apply_scale_16(acc) + zero_point)."""
    acc = np.asarray(acc)
    if acc.ndim == 0 or acc.shape[-1] != requant.k:
        raise LayerError(f"accumulator must be (..., K) with K = {requant.k}, not {acc.shape}")
    scaled = apply_scale_16(acc, requant.multiplier, requant.shift) + requant.zero_point
    return np.clip(scaled, *requant.clamp).astype(np.int8)
