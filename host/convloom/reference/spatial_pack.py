# SPDX-License-Identifier: Apache-2.0
"""Spatial pack: output split into tiles of any height and width, each with its own copy of the input.

A tile of th x tw outputs needs ((th-1)*sh + (R-1)*dh + 1) x ((tw-1)*sw + (S-1)*dw + 1) inputs: its
part of the map and a halo, which neighbouring tiles hold too. In return every tile is contiguous and
independent. Source: the NHWC spatial pack schedules of TVM.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convloom.errors import UnsupportedError
from convloom.layer import ConvLayer
from convloom.reference.common import Result, finish, tap_product

__all__ = ["DEFAULT_TILE", "packed", "spatial_pack"]

DEFAULT_TILE = (4, 4)


def packed(layer: ConvLayer, x: NDArray[np.int8], tile: tuple[int, int]) -> NDArray[np.int8]:
    """x (N, H, W, C) to (N, tiles high, tiles wide, tile rows, tile columns, C), halo included.

    tile: (th, tw) outputs. Padding, and what the last tiles hold beyond the map, is the zero point.
    """
    indices, outside = [], []
    for axis, (outputs, size, taps) in enumerate(
        ((layer.oh, layer.h, layer.r), (layer.ow, layer.w, layer.s))
    ):
        stride, extent = layer.stride[axis], (taps - 1) * layer.dilation[axis] + 1
        first = np.arange(-(-outputs // tile[axis])) * tile[axis] * stride - layer.pads[axis]
        index = first[:, None] + np.arange((tile[axis] - 1) * stride + extent)
        outside.append((index < 0) | (index >= size))
        indices.append(index.clip(0, size - 1))
    result = x[:, indices[0][:, None, :, None], indices[1][None, :, None, :]]
    result[:, outside[0][:, None, :, None] | outside[1][None, :, None, :]] = layer.x_zero_point
    return result


def spatial_pack(
    layer: ConvLayer,
    x: NDArray[Any],
    w: NDArray[Any],
    bias: NDArray[Any] | None = None,
    *,
    tile: tuple[int, int] | None = None,
) -> Result:
    """Direct convolution of all tiles at once. Takes every layer.

    tile: outputs (th, tw) per tile, 1..OH by 1..OW; OH and OW need not be multiples. None is 4x4, or
    the whole output along an axis that is shorter.
    """
    x, w, bias = layer.check_tensors(x, w, bias)
    th, tw = tile or (min(DEFAULT_TILE[0], layer.oh), min(DEFAULT_TILE[1], layer.ow))
    if not (1 <= th <= layer.oh and 1 <= tw <= layer.ow):
        raise UnsupportedError(
            f"layer {layer.name}: tile for spatial_pack must be within the output "
            f"{layer.oh}x{layer.ow}, not {th}x{tw}"
        )
    pack = packed(layer, x, (th, tw))
    n, high, wide = pack.shape[:3]
    (sh, sw), (dh, dw) = layer.stride, layer.dilation
    products = np.zeros((n, high, wide, th, tw, layer.k), np.int32)
    for r in range(layer.r):
        rows = slice(r * dh, r * dh + (th - 1) * sh + 1, sh)
        for s in range(layer.s):
            columns = slice(s * dw, s * dw + (tw - 1) * sw + 1, sw)
            products += tap_product(layer, pack[:, :, :, rows, columns], w[:, r, s])
    whole = products.transpose(0, 1, 3, 2, 4, 5).reshape(n, high * th, wide * tw, layer.k)
    return finish(
        layer,
        whole[:, : layer.oh, : layer.ow],
        w,
        bias,
        extra_bytes=pack.nbytes,
        multiplications=products.size * layer.r * layer.s * layer.cg,
    )
