# SPDX-License-Identifier: Apache-2.0
"""Indirect convolution: instead of pixels, pointers to pixels are written out.

The indirection buffer has one pointer per (output pixel, r, s) of an image, OH*OW*R*S in all; it does
not grow with the channels, holds for every image of a batch (a fixed distance is added) and as long
as the shape stays the same. Padding points at one zero row of C bytes, holding the zero point.
Source: Dukhan, 'The Indirect Convolution Algorithm', 2019.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convloom.layer import ConvLayer
from convloom.reference.common import Result, finish, tap_product

__all__ = ["ZERO_ROW", "indirect", "indirection_buffer"]

ZERO_ROW = -1
"""The pointer to the zero row."""


def indirection_buffer(layer: ConvLayer) -> NDArray[np.int32]:
    """int32 (OH*OW, R*S): pixel number i*W + j of each window's taps, or ZERO_ROW on padding."""
    positions = []
    for axis, (outputs, size, taps) in enumerate(
        ((layer.oh, layer.h, layer.r), (layer.ow, layer.w, layer.s))
    ):
        out, tap = np.arange(outputs)[:, None], np.arange(taps)[None, :]
        index = out * layer.stride[axis] + tap * layer.dilation[axis] - layer.pads[axis]
        positions.append(np.where((index >= 0) & (index < size), index, ZERO_ROW))
    i, j = positions[0][:, None, :, None], positions[1][None, :, None, :]
    buffer = np.where((i < 0) | (j < 0), ZERO_ROW, i * layer.w + j)
    return buffer.reshape(layer.oh * layer.ow, layer.r * layer.s).astype(np.int32)


def indirect(
    layer: ConvLayer, x: NDArray[Any], w: NDArray[Any], bias: NDArray[Any] | None = None
) -> Result:
    """Product over rows found through the indirection buffer, one tap after the other.

    Takes every layer. extra_bytes: four per pointer, and the zero row.
    """
    x, w, bias = layer.check_tensors(x, w, bias)
    buffer = indirection_buffer(layer)
    zero_row = np.full(layer.c, layer.x_zero_point, np.int8)
    rows = x.reshape(layer.n, layer.h * layer.w, layer.c)
    products = np.zeros((layer.n, layer.oh * layer.ow, layer.k), np.int32)
    taps = w.reshape(layer.k, layer.r * layer.s, layer.cg)
    for tap in range(layer.r * layer.s):
        pointers = buffer[:, tap]
        operands = rows[:, pointers]  # what a micro-kernel loads; ZERO_ROW reads the last pixel here
        operands[:, pointers == ZERO_ROW] = zero_row
        products += tap_product(layer, operands, taps[:, tap])
    return finish(
        layer,
        products.reshape(layer.y_shape),
        w,
        bias,
        extra_bytes=buffer.nbytes + zero_row.nbytes,
        multiplications=layer.macs,
    )
