# SPDX-License-Identifier: Apache-2.0
"""The activation operand of the GEMM as pieces with keys: what im2col, MEC and indirect differ in.

A row of the product (an output pixel) is `segments` pieces of `length` bytes.  Each piece has a key
that says where it comes from; pieces with one key are the same bytes, stored once per tile, which
is all that tells the lowerings apart:

========  =========  =============  ==========================================================
lowering  segments   length         a piece is
========  =========  =============  ==========================================================
im2col    1          R·S·C/groups   a row of the im2col matrix; none is shared
mec       R          S·C/groups     a row of MEC's matrix: one input row, the width lowered
                                    (Cho & Brand, 2017); output rows share them vertically
indirect  R·S        C/groups       an input pixel (Dukhan, 2019); shared in both directions
========  =========  =============  ==========================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from convloom.layer import ConvLayer

__all__ = ["OPERANDS", "PADDING", "Operand", "patch_matrix", "pieces"]

PADDING = -1
"""The key of a piece that lies in the padding: bytes of the input zero point."""


@dataclass(frozen=True)
class Operand:
    """`keys`: (rows, segments) int64; `fetch(keys)` gives the (len(keys), length) int8 pieces."""

    keys: NDArray[np.int64]
    length: int
    fetch: Callable[[NDArray[np.int64]], NDArray[np.int8]]

    @property
    def segments(self) -> int:
        return int(self.keys.shape[1])


def pieces(layer: ConvLayer, lowering: str) -> tuple[int, int]:
    """(segments, length in bytes) of a row under a lowering."""
    channels = layer.c // layer.groups
    return {
        "im2col": (1, layer.r * layer.s * channels),
        "mec": (layer.r, layer.s * channels),
        "indirect": (layer.r * layer.s, channels),
    }[lowering]


def _gather(matrix: NDArray[np.int8], filler: int) -> Callable[[NDArray[np.int64]], NDArray[np.int8]]:
    """Rows of `matrix` by key; padding gives rows of the filler."""

    def fetch(keys: NDArray[np.int64]) -> NDArray[np.int8]:
        rows = matrix[np.maximum(keys, 0)]
        rows[keys == PADDING] = filler
        return rows

    return fetch


def _padded(layer: ConvLayer, x: NDArray[np.int8], pads: tuple[int, int, int, int]) -> NDArray[np.int8]:
    """x with (top, left, bottom, right) of the zero point; x itself where there is nothing to add."""
    if not any(pads):
        return x
    top, left, bottom, right = pads
    edges = ((0, 0), (top, bottom), (left, right), (0, 0))
    return np.pad(x, edges, constant_values=layer.x_zero_point)


def _windows(x: NDArray[np.int8], size: tuple[int, int]) -> NDArray[np.int8]:
    """(N, H', W', C, height, width) view of every window of the map."""
    # numpy 1.26 declares `axis` as one number.
    return sliding_window_view(x, size, (1, 2))  # type: ignore[call-overload]


def patch_matrix(layer: ConvLayer, x: NDArray[np.int8]) -> NDArray[np.int8]:
    """The im2col matrix of one group's channels: (N·OH·OW, R·S·C/groups).

    A 1×1 layer of stride 1 without padding is its own matrix: a view, nothing is copied.
    """
    (sh, sw), (dh, dw) = layer.stride, layer.dilation
    patches = _windows(_padded(layer, x, layer.pads), layer.extent)[:, ::sh, ::sw, :, ::dh, ::dw]
    return patches.transpose(0, 1, 2, 4, 5, 3).reshape(layer.n * layer.oh * layer.ow, -1)


def _im2col(layer: ConvLayer, x: NDArray[np.int8]) -> Operand:
    matrix = patch_matrix(layer, x)
    keys = np.arange(len(matrix))[:, None]
    return Operand(keys, matrix.shape[1], _gather(matrix, layer.x_zero_point))


def _input_rows(layer: ConvLayer) -> NDArray[np.int64]:
    """(OH, R) input row of each output row and filter row; outside the map: PADDING."""
    rows = np.arange(layer.oh)[:, None] * layer.stride[0] + np.arange(layer.r) * layer.dilation[0]
    rows = rows - layer.pads[0]
    return np.where((rows >= 0) & (rows < layer.h), rows, PADDING)


def _mec(layer: ConvLayer, x: NDArray[np.int8]) -> Operand:
    (_, sw), (_, dw) = layer.stride, layer.dilation
    _, left, _, right = layer.pads
    wide = _padded(layer, x, (0, left, 0, right))
    lowered = _windows(wide, (1, (layer.s - 1) * dw + 1))[:, :, ::sw, :, 0, ::dw]
    matrix = lowered.transpose(0, 1, 2, 4, 3).reshape(layer.n * layer.h * layer.ow, -1)
    rows = _input_rows(layer)[None, :, None, :]  # N OH OW R
    image = np.arange(layer.n)[:, None, None, None]
    column = np.arange(layer.ow)[None, None, :, None]
    keys = np.where(rows == PADDING, PADDING, (image * layer.h + rows) * layer.ow + column)
    return Operand(keys.reshape(-1, layer.r), matrix.shape[1], _gather(matrix, layer.x_zero_point))


def _indirect(layer: ConvLayer, x: NDArray[np.int8]) -> Operand:
    columns = np.arange(layer.ow)[:, None] * layer.stride[1] + np.arange(layer.s) * layer.dilation[1]
    columns = columns - layer.pads[1]
    inside = (columns >= 0) & (columns < layer.w)
    rows = _input_rows(layer)[None, :, None, :, None]  # N OH OW R S
    image = np.arange(layer.n)[:, None, None, None, None]
    at = (image * layer.h + rows) * layer.w + columns[None, None, :, None, :]
    valid = (rows != PADDING) & inside[None, None, :, None, :]
    keys = np.where(valid, at, PADDING).reshape(-1, layer.r * layer.s)
    matrix = np.ascontiguousarray(x).reshape(layer.n * layer.h * layer.w, -1)
    return Operand(keys, matrix.shape[1], _gather(matrix, layer.x_zero_point))


OPERANDS: dict[str, Callable[[ConvLayer, NDArray[np.int8]], Operand]] = {
    "im2col": _im2col,
    "mec": _mec,
    "indirect": _indirect,
}
"""Lowering → operand of one group, from the group's channels of x (N, H, W, C/groups)."""
