# SPDX-License-Identifier: Apache-2.0
"""MEC, memory-efficient convolution: lower along the width only, multiply overlapping partitions.

L holds, for every output column, the full height of the S input columns it needs: OW*IH*S*C bytes per
image with IH the padded height, R*OH/IH times less than im2col. The rows of output row p are then one
partition of L, R*S*C long and starting sh*S*C behind the previous one: a matrix with a leading
dimension of IH*S*C, never copied.

With dilation along the height a partition's rows would not be neighbours; the rows of L are therefore
stored sorted by their residue modulo the dilation, where they are.

Source: Cho, Brand, 'MEC: Memory-efficient Convolution for Deep Neural Network', ICML 2017, algorithms 1
and 2 (their i_h, i_w include padding).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convloom.errors import UnsupportedError
from convloom.layer import ConvLayer
from convloom.reference.common import Result, finish, tap_range

__all__ = ["THRESHOLD", "lowered", "mec", "mec_basic", "row_positions"]

THRESHOLD = 100
"""Output width up to which solution A is taken (T in the paper, which names 100 as a good value)."""


def row_positions(layer: ConvLayer) -> NDArray[np.intp]:
    """Where each row of the padded map lies in L: (IH,), the identity without dilation."""
    height = layer.h + layer.pads[0] + layer.pads[2]
    stored = np.concatenate([np.arange(i, height, layer.dilation[0]) for i in range(layer.dilation[0])])
    return np.argsort(stored)


def lowered(layer: ConvLayer, x: NDArray[np.int8]) -> NDArray[np.int8]:
    """L of x (N, H, W, C): int8 (N, OW, IH, S, C), padding filled with the zero point."""
    height = layer.h + layer.pads[0] + layer.pads[2]
    shape = (x.shape[0], layer.ow, height, layer.s, x.shape[3])
    result = np.full(shape, layer.x_zero_point, np.int8)
    rows = row_positions(layer)[layer.pads[0] : layer.pads[0] + layer.h]
    for s in range(layer.s):
        q, j = tap_range(layer.ow, layer.w, layer.stride[1], s * layer.dilation[1] - layer.pads[1])
        result[:, q, rows, s] = x[:, :, j].transpose(0, 2, 1, 3)
    return result


def _starts(layer: ConvLayer) -> list[int]:
    """First row in L of the partition of each output row."""
    return row_positions(layer)[np.arange(layer.oh) * layer.stride[0]].tolist()


def mec_basic(
    layer: ConvLayer, x: NDArray[Any], w: NDArray[Any], bias: NDArray[Any] | None = None
) -> Result:
    """Algorithm 1: one plane at a time, so one L of OW*IH*S bytes serves all images and channels.

    OH products of (OW, R*S) by (R*S, filters of the group) per plane, added up over the channels.
    Takes every layer.
    """
    x, w, bias = layer.check_tensors(x, w, bias)
    products = np.zeros(layer.y_shape, np.int32)
    starts, length, extra = _starts(layer), layer.r * layer.s, 0
    for n in range(layer.n):
        for c in range(layer.c):
            group, channel = divmod(c, layer.cg)
            filters = slice(group * layer.kg, (group + 1) * layer.kg)
            matrix = w[filters, :, :, channel].reshape(layer.kg, length).T.astype(np.int32)
            plane = lowered(layer, x[n : n + 1, :, :, c : c + 1])
            extra = plane.nbytes
            rows = plane.reshape(layer.ow, -1)
            for p, start in enumerate(starts):
                part = rows[:, start * layer.s : start * layer.s + length]
                products[n, p, :, filters] += part.astype(np.int32) @ matrix
    return finish(layer, products, w, bias, extra_bytes=extra, multiplications=layer.macs)


def mec(
    layer: ConvLayer,
    x: NDArray[Any],
    w: NDArray[Any],
    bias: NDArray[Any] | None = None,
    *,
    solution: str | None = None,
) -> Result:
    """Algorithm 2: batch and channels. L of N*OW*IH*S*C bytes, one matrix for all filters of a group.

    solution 'A': one product of (N*OW, R*S*C) per output row, whose output order h-n-w-k is repacked
    to NHWC through L, so the int32 outputs must fit into it; 'B': one product of (OW, R*S*C) per
    output row and image, in place. None chooses as the paper does: A up to THRESHOLD output columns
    if it fits. Takes every layer.
    """
    x, w, bias = layer.check_tensors(x, w, bias)
    whole = lowered(layer, x)
    output_bytes = 4 * layer.n * layer.oh * layer.ow * layer.k
    fits = output_bytes <= whole.nbytes
    if solution is None:
        solution = "A" if layer.ow <= THRESHOLD and fits else "B"
    if solution not in ("A", "B"):
        raise UnsupportedError(f"solution for mec must be 'A' or 'B', not {solution!r}")
    if solution == "A" and not fits:
        raise UnsupportedError(
            f"layer {layer.name}: output bytes for mec solution 'A' must be at most those of "
            f"the lowered map ({whole.nbytes}), not {output_bytes}; use solution 'B'"
        )
    taps = layer.r * layer.s
    matrix = w.reshape(layer.groups, layer.kg, taps * layer.cg).transpose(0, 2, 1).astype(np.int32)
    rows = whole.reshape(layer.n * layer.ow, -1)
    pitch, length = layer.s * layer.c, taps * layer.c

    def multiply(part: NDArray[np.int8]) -> NDArray[np.int32]:
        """One partition (rows, R*S*C), a view of L, by the filters of every group: (rows, K)."""
        split = part.reshape(-1, taps, layer.groups, layer.cg).transpose(2, 0, 1, 3)
        split = split.reshape(layer.groups, -1, taps * layer.cg)
        return (split.astype(np.int32) @ matrix).transpose(1, 0, 2).reshape(-1, layer.k)

    if solution == "A":
        by_row = np.empty((layer.oh, layer.n, layer.ow, layer.k), np.int32)
        for p, start in enumerate(_starts(layer)):
            part = rows[:, start * pitch : start * pitch + length]
            by_row[p] = multiply(part).reshape(layer.n, layer.ow, layer.k)
        products = by_row.transpose(1, 0, 2, 3)
    else:
        products = np.empty(layer.y_shape, np.int32)
        for n in range(layer.n):
            image = rows[n * layer.ow : (n + 1) * layer.ow]
            for p, start in enumerate(_starts(layer)):
                products[n, p] = multiply(image[:, start * pitch : start * pitch + length])
    return finish(layer, products, w, bias, extra_bytes=whole.nbytes, multiplications=layer.macs)
