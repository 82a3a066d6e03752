# SPDX-License-Identifier: Apache-2.0
"""im2col: every window written out as a row (NHWC) or a column (NCHW), then one matrix product.

The buffer takes R*S*OH*OW*C bytes per image. Sources: Chellapilla, Puri, Simard, 'High performance
convolutional neural networks for document processing', 2006; Caffe's im2col and col2im for NCHW.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convloom.errors import LayerError
from convloom.layer import ConvLayer
from convloom.reference.common import Result, finish, tap_range

__all__ = ["col2im_nchw", "col2im_nhwc", "columns_nchw", "columns_nhwc", "im2col", "im2col_nchw"]


def _taps(layer: ConvLayer) -> list[tuple[int, int, slice, slice, slice, slice]]:
    """(r, s, output rows, output columns, input rows, input columns) for every filter tap."""
    taps = []
    for r in range(layer.r):
        p, i = tap_range(layer.oh, layer.h, layer.stride[0], r * layer.dilation[0] - layer.pads[0])
        for s in range(layer.s):
            q, j = tap_range(layer.ow, layer.w, layer.stride[1], s * layer.dilation[1] - layer.pads[1])
            taps.append((r, s, p, q, i, j))
    return taps


def columns_nhwc(layer: ConvLayer, x: NDArray[np.int8]) -> NDArray[np.int8]:
    """x (N, H, W, C) to (N, OH, OW, R, S, C), padding filled with the zero point."""
    shape = (layer.n, layer.oh, layer.ow, layer.r, layer.s, layer.c)
    columns = np.full(shape, layer.x_zero_point, np.int8)
    for r, s, p, q, i, j in _taps(layer):
        columns[:, p, q, r, s] = x[:, i, j]
    return columns


def columns_nchw(layer: ConvLayer, x: NDArray[np.int8]) -> NDArray[np.int8]:
    """x (N, C, H, W) to (N, C, R, S, OH, OW), padding filled with the zero point."""
    shape = (layer.n, layer.c, layer.r, layer.s, layer.oh, layer.ow)
    columns = np.full(shape, layer.x_zero_point, np.int8)
    for r, s, p, q, i, j in _taps(layer):
        columns[:, :, r, s, p, q] = x[:, :, i, j]
    return columns


def _check_columns(layer: ConvLayer, columns: NDArray[Any], shape: tuple[int, ...]) -> None:
    if columns.shape != shape:
        raise LayerError(f"layer {layer.name}: columns must have shape {shape}, not {columns.shape}")
    if columns.dtype.kind not in "iu":
        raise LayerError(f"layer {layer.name}: columns must be integers, not {columns.dtype}")


def col2im_nhwc(layer: ConvLayer, columns: NDArray[Any]) -> NDArray[np.int64]:
    """The transpose of `columns_nhwc`: adds (N, OH, OW, R, S, C) up into (N, H, W, C).

    Each pixel gets the sum of all places that hold it; what lies on padding is dropped. int64.
    """
    _check_columns(layer, columns, (layer.n, layer.oh, layer.ow, layer.r, layer.s, layer.c))
    image = np.zeros(layer.x_shape, np.int64)
    for r, s, p, q, i, j in _taps(layer):
        image[:, i, j] += columns[:, p, q, r, s]
    return image


def col2im_nchw(layer: ConvLayer, columns: NDArray[Any]) -> NDArray[np.int64]:
    """The transpose of `columns_nchw`: adds (N, C, R, S, OH, OW) up into (N, C, H, W). int64."""
    _check_columns(layer, columns, (layer.n, layer.c, layer.r, layer.s, layer.oh, layer.ow))
    image = np.zeros((layer.n, layer.c, layer.h, layer.w), np.int64)
    for r, s, p, q, i, j in _taps(layer):
        image[:, :, i, j] += columns[:, :, r, s, p, q]
    return image


def im2col(
    layer: ConvLayer, x: NDArray[Any], w: NDArray[Any], bias: NDArray[Any] | None = None
) -> Result:
    """NHWC: (N*OH*OW, R*S*C) times (R*S*C, K), group by group. Takes every layer."""
    x, w, bias = layer.check_tensors(x, w, bias)
    columns = columns_nhwc(layer, x)
    rows, taps, groups = layer.n * layer.oh * layer.ow, layer.r * layer.s, layer.groups
    left = columns.reshape(rows, taps, groups, layer.cg).transpose(2, 0, 1, 3)
    left = left.reshape(groups, rows, taps * layer.cg)
    right = w.reshape(groups, layer.kg, taps * layer.cg).transpose(0, 2, 1)
    products = left.astype(np.int32) @ right.astype(np.int32)  # (G, rows, K/G)
    products = products.transpose(1, 0, 2).reshape(layer.y_shape)
    return finish(layer, products, w, bias, extra_bytes=columns.nbytes, multiplications=layer.macs)


def im2col_nchw(
    layer: ConvLayer, x: NDArray[Any], w: NDArray[Any], bias: NDArray[Any] | None = None
) -> Result:
    """NCHW: (K, C*R*S) times (C*R*S, OH*OW) per image and group. Takes every layer.

    x and y are NHWC and w is OHWI as everywhere; they change layout at the edge, which is not counted.
    """
    x, w, bias = layer.check_tensors(x, w, bias)
    columns = columns_nchw(layer, x.transpose(0, 3, 1, 2))
    depth, groups = layer.cg * layer.r * layer.s, layer.groups
    left = w.transpose(0, 3, 1, 2).reshape(groups, layer.kg, depth)
    right = columns.reshape(layer.n, groups, depth, layer.oh * layer.ow)
    products = left.astype(np.int32) @ right.astype(np.int32)  # (N, G, K/G, OH*OW)
    products = products.reshape(layer.n, layer.k, layer.oh, layer.ow).transpose(0, 2, 3, 1)
    return finish(layer, products, w, bias, extra_bytes=columns.nbytes, multiplications=layer.macs)
