# SPDX-License-Identifier: Apache-2.0
"""One convolution layer: its sizes, what tensors it takes, and its last step, requantisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convloom.errors import LayerError
from convloom.layer.integers import INT8_MAX, INT8_MIN, INT32_MAX, INT32_MIN, integer, integers
from convloom.layer.requant import Requant, requantize

__all__ = ["ConvLayer"]


@dataclass(frozen=True)
class ConvLayer:
    """One convolution layer; the constructor refuses what is not a convolution (LayerError).

    stride, dilation: (h, w). pads: (top, left, bottom, right), any size >= 0. groups divides c and k.
    x_zero_point: the int8 one (see the package's text). requant: None for int32 outputs.
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
            put(name, integer(f"layer {name}", getattr(self, name), 1))
        put("stride", integers("layer stride", self.stride, ("h", "w"), 1))
        put("dilation", integers("layer dilation", self.dilation, ("h", "w"), 1))
        put("pads", integers("layer pads", self.pads, ("top", "left", "bottom", "right"), 0))
        try:
            put("x_zero_point", integer("layer x_zero_point", self.x_zero_point, INT8_MIN, INT8_MAX))
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
            ("h", self.h + top + bottom, self.extent[0]),
            ("w", self.w + left + right, self.extent[1]),
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
        zero_point = integer("layer x_zero_point of a uint8 map", x_zero_point, 0, 255)
        kwargs.update(x_zero_point=zero_point - 128, x_unsigned=True)
        return cls(*args, **kwargs)

    # Shapes --------------------------------------------------------------------------------------
    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns that a filter spans with its dilation."""
        return (self.r - 1) * self.dilation[0] + 1, (self.s - 1) * self.dilation[1] + 1

    @property
    def oh(self) -> int:
        """Output height."""
        return (self.h + self.pads[0] + self.pads[2] - self.extent[0]) // self.stride[0] + 1

    @property
    def ow(self) -> int:
        """Output width."""
        return (self.w + self.pads[1] + self.pads[3] - self.extent[1]) // self.stride[1] + 1

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
