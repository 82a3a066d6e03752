# SPDX-License-Identifier: Apache-2.0
"""The layer contract: one int8 convolution, exact to the bit, that every level has to compute.

Dimension letters are those of the whole project: N batch, H W map height and width, C channels,
K filters, R S filter height and width. Maps are NHWC, weights OHWI (K, R, S, C/groups), and

    acc[n,p,q,k] = bias[k] + sum over r,s,c of (x[n, p*sh+r*dh-top, q*sw+s*dw-left, c] - x_zero_point)
                                               * w[k,r,s,c]

where x outside the map is the input zero point, so padding adds nothing. acc is int32 and is the
output, or is requantised to int8 as in TOSA: `clamp(apply_scale_16(acc) + zero_point)`.

Unsigned maps: kernels see int8 only. A uint8 map with zero point z is the int8 map x - 128 with zero
point z - 128. `ConvLayer.x_zero_point` **is always the int8 one** (-128..127). A layer that takes uint8
tensors is made with `ConvLayer.for_uint8(..., x_zero_point=z)`, which shifts z and lets `check_tensors`
shift x by the same 128; any other layer refuses a uint8 tensor, because the meaning of its zero point
would be a guess.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from convloom.errors import LayerError

__all__ = [
    "SHIFT_MAX",
    "SHIFT_MIN",
    "ConvLayer",
    "Requant",
    "apply_scale_16",
    "requantize",
]

SHIFT_MIN, SHIFT_MAX = 2, 62
"""Limits of the requantisation shift (TOSA 1.0, apply_scale_16)."""

INT8_MIN, INT8_MAX = -128, 127
INT32_MIN, INT32_MAX = -(2**31), 2**31 - 1


def _integer(subject: str, value: Any, low: int, high: int | None = None) -> int:
    """`value` as a Python int in low..high; bools, floats and strings are refused."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise LayerError(f"{subject} must be an integer, not {value!r}")
    number = int(value)
    if number < low or (high is not None and number > high):
        rule = f"at least {low}" if high is None else f"in {low}..{high}"
        raise LayerError(f"{subject} must be {rule}, not {number}")
    return number


def _integers(
    subject: str, value: Any, parts: Sequence[str], low: int, high: int | None = None
) -> tuple:
    """`value` as a tuple of Python ints, one per name in `parts`."""
    if isinstance(value, (str, bytes)) or not isinstance(value, (Sequence, np.ndarray)):
        raise LayerError(f"{subject} must be {len(parts)} integers ({', '.join(parts)}), not {value!r}")
    if len(value) != len(parts):
        raise LayerError(f"{subject} must be {len(parts)} integers ({', '.join(parts)}), not {value!r}")
    return tuple(
        _integer(f"{subject} ({part})", v, low, high) for part, v in zip(parts, value, strict=True)
    )


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
        zero_point = _integer("requant zero_point", self.zero_point, INT8_MIN, INT8_MAX)
        clamp = _integers("requant clamp", self.clamp, ("low", "high"), INT8_MIN, INT8_MAX)
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


@dataclass(frozen=True)
class ConvLayer:
    """One convolution layer; the constructor refuses what is not a convolution (LayerError).

    stride, dilation: (h, w). pads: (top, left, bottom, right), any size >= 0. groups divides c and k.
    x_zero_point: the int8 one (see the module's text). requant: None for int32 outputs.
    x_unsigned: the caller's tensors are uint8; set by `for_uint8`, no part of the computation itself.
    """

    n: int
    h: int
    w: int
    c: int
    k: int
    r: int
    s: int
    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    x_zero_point: int = 0
    requant: Requant | None = None
    x_unsigned: bool = False

    def __post_init__(self) -> None:
        def put(name: str, value: Any) -> None:
            object.__setattr__(self, name, value)

        for name in ("n", "h", "w", "c", "k", "r", "s", "groups"):
            put(name, _integer(f"layer {name}", getattr(self, name), 1))
        put("stride", _integers("layer stride", self.stride, ("h", "w"), 1))
        put("dilation", _integers("layer dilation", self.dilation, ("h", "w"), 1))
        put("pads", _integers("layer pads", self.pads, ("top", "left", "bottom", "right"), 0))
        try:
            put("x_zero_point", _integer("layer x_zero_point", self.x_zero_point, INT8_MIN, INT8_MAX))
        except LayerError as error:
            raise LayerError(f"{error}; for uint8 maps use ConvLayer.for_uint8") from None
        for name in ("c", "k"):
            if getattr(self, name) % self.groups:
                raise LayerError(
                    f"layer {self.name}: {name} must be a multiple of groups = {self.groups}, "
                    f"not {getattr(self, name)}"
                )
        top, left, bottom, right = self.pads
        for axis, size, extent in (
            ("h", self.h + top + bottom, (self.r - 1) * self.dilation[0] + 1),
            ("w", self.w + left + right, (self.s - 1) * self.dilation[1] + 1),
        ):
            if extent > size:
                raise LayerError(
                    f"layer {self.name}: dilated filter must fit the padded map along {axis} ({size}), "
                    f"not span {extent}"
                )
        if self.requant is not None:
            if not isinstance(self.requant, Requant):
                raise LayerError(f"layer {self.name}: requant must be a Requant, not {self.requant!r}")
            if self.requant.k != self.k:
                raise LayerError(
                    f"layer {self.name}: requant must have one multiplier per filter ({self.k}), "
                    f"not {self.requant.k}"
                )

    @classmethod
    def for_uint8(cls, *args: Any, x_zero_point: int = 0, **kwargs: Any) -> ConvLayer:
        """A layer for uint8 maps with zero point `x_zero_point` in 0..255; other arguments as usual.

        The layer holds the int8 zero point, x_zero_point - 128.
        """
        zero_point = _integer("layer x_zero_point of a uint8 map", x_zero_point, 0, 255)
        kwargs.update(x_zero_point=zero_point - 128, x_unsigned=True)
        return cls(*args, **kwargs)

    # Shapes --------------------------------------------------------------------------------------
    @property
    def oh(self) -> int:
        """Output height."""
        extent = (self.r - 1) * self.dilation[0] + 1
        return (self.h + self.pads[0] + self.pads[2] - extent) // self.stride[0] + 1

    @property
    def ow(self) -> int:
        """Output width."""
        extent = (self.s - 1) * self.dilation[1] + 1
        return (self.w + self.pads[1] + self.pads[3] - extent) // self.stride[1] + 1

    @property
    def cg(self) -> int:
        """Channels per group."""
        return self.c // self.groups

    @property
    def kg(self) -> int:
        """Filters per group."""
        return self.k // self.groups

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the whole batch, those on padding included."""
        return self.n * self.oh * self.ow * self.k * self.r * self.s * self.cg

    @property
    def x_shape(self) -> tuple[int, int, int, int]:
        """(N, H, W, C)"""
        return self.n, self.h, self.w, self.c

    @property
    def w_shape(self) -> tuple[int, int, int, int]:
        """(K, R, S, C/groups): OHWI"""
        return self.k, self.r, self.s, self.cg

    @property
    def y_shape(self) -> tuple[int, int, int, int]:
        """(N, OH, OW, K)"""
        return self.n, self.oh, self.ow, self.k

    @property
    def y_dtype(self) -> np.dtype:
        """int8 with requantisation, else int32."""
        return np.dtype(np.int32 if self.requant is None else np.int8)

    @property
    def name(self) -> str:
        """`RxSs<stride>_<H>x<W>x<C>_<K>[_g<groups>]`; unequal strides as `s<h>x<w>`."""
        sh, sw = self.stride
        stride = f"{sh}" if sh == sw else f"{sh}x{sw}"
        groups = f"_g{self.groups}" if self.groups > 1 else ""
        return f"{self.r}x{self.s}s{stride}_{self.h}x{self.w}x{self.c}_{self.k}{groups}"

    # Tensors -------------------------------------------------------------------------------------
    def _tensor(self, subject: str, value: Any, dtypes: tuple[str, ...], shape: tuple) -> NDArray[Any]:
        if not isinstance(value, np.ndarray):
            raise LayerError(
                f"layer {self.name}: {subject} must be a numpy array, not {type(value).__name__}"
            )
        if value.dtype.name not in dtypes:
            hint = ""
            if value.dtype.kind == "f":
                hint = " holding NaN" if np.isnan(value).any() else ""
                hint += "; quantise it first"
            elif subject == "x" and value.dtype == np.uint8:
                hint = "; make the layer with ConvLayer.for_uint8, which shifts the zero point too"
            raise LayerError(
                f"layer {self.name}: {subject} must be {' or '.join(dtypes)}, not {value.dtype}{hint}"
            )
        if value.shape != shape:
            raise LayerError(f"layer {self.name}: {subject} must have shape {shape}, not {value.shape}")
        return value

    def check_tensors(
        self, x: NDArray[Any], w: NDArray[Any], bias: NDArray[Any] | None = None
    ) -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.int32]]:
        """The tensors as every kernel takes them: x int8 NHWC, w int8 OHWI, bias int32 (K,).

        x: int8, or uint8 on a layer made by `for_uint8` (then shifted by 128). bias: int32, or int64
        with values that fit int32; None is zeros. No copy is made where none is needed. LayerError for
        wrong types or shapes, and where some int8 map could drive a filter's accumulator out of int32:
        then no order of summation, no kernel and no map can overflow it.
        """
        x = self._tensor("x", x, ("int8", "uint8") if self.x_unsigned else ("int8",), self.x_shape)
        w = self._tensor("w", w, ("int8",), self.w_shape)
        if bias is None:
            bias = np.zeros(self.k, np.int32)
        bias = self._tensor("bias", bias, ("int32", "int64"), (self.k,))
        for index in np.flatnonzero((bias < INT32_MIN) | (bias > INT32_MAX))[:1]:
            raise LayerError(
                f"layer {self.name}: bias of filter {index} must fit int32, not {bias[index]}"
            )
        if x.dtype == np.uint8:
            x = (x ^ np.uint8(0x80)).view(np.int8)  # x - 128 without widening
        bias = bias.astype(np.int32, copy=False)
        self._check_accumulator(w, bias)
        self.folded_bias(w, bias)
        return x, w, bias

    def _check_accumulator(self, w: NDArray[np.int8], bias: NDArray[np.int32]) -> None:
        """Refuse filters whose accumulator could leave int32 for some int8 map.

        Each term is largest (and not negative) at one end of the int8 range and smallest (and not
        positive) at the other, so these two sums bound every partial sum in every order too.
        """
        flat = w.reshape(self.k, -1).astype(np.int64)
        plus, minus = np.maximum(flat, 0).sum(1), np.minimum(flat, 0).sum(1)
        top, bottom = INT8_MAX - self.x_zero_point, INT8_MIN - self.x_zero_point
        highest = bias + plus * top + minus * bottom
        lowest = bias + plus * bottom + minus * top
        for index in np.flatnonzero((highest > INT32_MAX) | (lowest < INT32_MIN))[:1]:
            worst = highest[index] if highest[index] > INT32_MAX else lowest[index]
            raise LayerError(
                f"layer {self.name}: accumulator of filter {index} must stay in int32 for every map, "
                f"not reach {worst}; use a smaller bias or split the channels into several layers"
            )

    def folded_bias(self, w: NDArray[Any], bias: NDArray[Any]) -> NDArray[np.int32]:
        """int32 (K,): bias - x_zero_point * sum of w over r, s, c.

        With it kernels multiply the raw x, padding being filled with the zero point. LayerError where
        it does not fit int32.
        """
        total = w.reshape(self.k, -1).sum(1, dtype=np.int64)
        folded = bias.astype(np.int64) - self.x_zero_point * total
        for index in np.flatnonzero((folded < INT32_MIN) | (folded > INT32_MAX))[:1]:
            raise LayerError(
                f"layer {self.name}: folded bias of filter {index} must fit int32, "
                f"not {folded[index]}; use a smaller bias"
            )
        return folded.astype(np.int32)

    def finish(self, acc: NDArray[Any]) -> NDArray[Any]:
        """The layer's output from its accumulators (..., K): int32 as they are, or requantised int8."""
        if self.requant is not None:
            return requantize(acc, self.requant)
        if acc.size and (acc.min() < INT32_MIN or acc.max() > INT32_MAX):
            raise LayerError(f"layer {self.name}: accumulator must fit int32, not {np.abs(acc).max()}")
        return acc.astype(np.int32, copy=False)

    apply_scale_16 = staticmethod(apply_scale_16)
    requantize = staticmethod(requantize)
