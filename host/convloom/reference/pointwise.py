# SPDX-License-Identifier: Apache-2.0
"""1x1 convolution: the map itself is the matrix, nothing is copied."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convloom.layer import ConvLayer
from convloom.reference.common import Result, refuse, tap_product, tap_range

__all__ = ["check", "pixels", "pointwise"]


def check(layer: ConvLayer) -> None:
    """UnsupportedError unless the filter is 1x1."""
    if (layer.r, layer.s) != (1, 1):
        refuse(
            layer, "pointwise", "filter (r, s)", "(1, 1)", (layer.r, layer.s), "use im2col or indirect"
        )


def pixels(layer: ConvLayer, x: NDArray[np.int8]) -> tuple[slice, slice, NDArray[np.int8]]:
    """(output rows, output columns, the pixels they read): the latter a strided view of x."""
    p, i = tap_range(layer.oh, layer.h, layer.stride[0], -layer.pads[0])
    q, j = tap_range(layer.ow, layer.w, layer.stride[1], -layer.pads[1])
    return p, q, x[:, i, j]


def pointwise(
    layer: ConvLayer, x: NDArray[Any], w: NDArray[Any], bias: NDArray[Any] | None = None
) -> Result:
    """(N*OH*OW, C) times (C, K) straight on the map; outputs on padding are the bias alone.

    Any stride, pads, batch and groups; other filters than 1x1 are refused.
    """
    check(layer)
    x, w, bias = layer.check_tensors(x, w, bias)
    acc = np.empty(layer.y_shape, np.int32)
    acc[:] = bias
    p, q, view = pixels(layer, x)
    # Padding has no products to fold the zero point into, so here it is folded for inside pixels only.
    acc[:, p, q] = tap_product(layer, view, w[:, 0, 0]) + layer.folded_bias(w, bias)
    multiplications = view.size * layer.k // layer.groups
    return Result(layer.finish(acc), acc, extra_bytes=0, multiplications=multiplications)
