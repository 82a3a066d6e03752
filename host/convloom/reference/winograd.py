# SPDX-License-Identifier: Apache-2.0
"""Winograd F(2x2,3x3) and F(4x4,3x3) in exact integers.

    Y = A' [ (G g G') * (B' d B) ] A        (' transposed, * element by element, summed over channels)

B and A are integer, G is not. Scaled by f = 2 (F2) or 24 (F4) it is: f*G = diag(D) * H with integer
H, so U = H g H' and the sum over channels is multiplied by D[i]*D[j] afterwards (shifts, all D being
powers of two). The output transform then gives S = f*f*Y, exactly: each step is an identity over the
integers, so the division has no remainder whatever the values are. Nothing is rounded anywhere.

For F4, f*f = 576 = 2**6 * 9, and 9 has an inverse modulo any power of two: with accumulators modulo
2**34, Y = (S >> 6) * 9**-1 modulo 2**28 as long as Y fits 28 bits, which 9*C*2**14 does up to C = 512
and beyond (`divide_576`: what hardware does; the reference divides in int64).

Matrices: Lavin, Gray, 'Fast Algorithms for Convolutional Neural Networks', CVPR 2016.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convloom.layer import ConvLayer
from convloom.reference.common import Result, finish, refuse
from convloom.reference.spatial_pack import packed

__all__ = ["F2", "F4", "Transform", "check", "divide_576", "winograd_f2", "winograd_f4"]


@dataclass(frozen=True, eq=False)
class Transform:
    """F(m x m, 3 x 3): integer matrices. t = m + 2 is the size of an input tile.

    bt: (t, t) input transform; h: (t, 3) integer-scaled filter transform; d: (t,) what its rows lack;
    at: (m, t) output transform; factor: f, so that diag(d) @ h = f * G and S = f*f*Y.
    """

    name: str
    bt: NDArray[np.int64]
    h: NDArray[np.int64]
    d: NDArray[np.int64]
    at: NDArray[np.int64]
    factor: int

    @property
    def m(self) -> int:
        """Outputs per tile and axis."""
        return int(self.at.shape[0])

    def inputs(self, tiles: NDArray[Any]) -> NDArray[np.int16]:
        """V = B' d B of int8 tiles (..., t, t): 10 bits for F2, 15 for F4."""
        v = self.bt @ tiles.astype(np.int64) @ self.bt.T
        return v.astype(np.int16)

    def filters(self, g: NDArray[Any]) -> NDArray[np.int16]:
        """U = H g H' of int8 filters (..., 3, 3): 12 bits for F2, 14 for F4."""
        u = self.h @ g.astype(np.int64) @ self.h.T
        return u.astype(np.int16)

    def outputs(self, sums: NDArray[np.int64]) -> NDArray[np.int64]:
        """S = A' (D sums D) A of int64 (..., t, t): f*f times the outputs (..., m, m)."""
        scaled = sums * self.d[:, None] * self.d
        return self.at @ scaled @ self.at.T


F2 = Transform(
    "winograd_f2",
    bt=np.array([[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]),
    h=np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]]),
    d=np.array([1, 1, 1, 1]),
    at=np.array([[1, 1, 1, 0], [0, 1, -1, -1]]),
    factor=2,
)

F4 = Transform(
    "winograd_f4",
    bt=np.array(
        [
            [4, 0, -5, 0, 1, 0],
            [0, -4, -4, 1, 1, 0],
            [0, 4, -4, -1, 1, 0],
            [0, -2, -1, 2, 1, 0],
            [0, 2, -1, -2, 1, 0],
            [0, 4, 0, -5, 0, 1],
        ]
    ),
    h=np.array([[3, 0, 0], [-1, -1, -1], [-1, 1, -1], [1, 2, 4], [1, -2, 4], [0, 0, 3]]),
    d=np.array([2, 4, 4, 1, 1, 8]),
    at=np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]),
    factor=24,
)


def divide_576(s: NDArray[np.int64]) -> NDArray[np.int64]:
    """S / 576 from S modulo 2**34, as hardware does it: exact if the quotient fits 28 bits signed.

    9**-1 modulo 2**28 is 0x8E38E39 = (1-8)(1+64)(1+2**12)(1+2**24) modulo 2**28: four adders.
    """
    quotient = ((s & (2**34 - 1)) >> 6) * 0x8E38E39 & (2**28 - 1)
    return quotient - ((quotient >> 27) << 28)


def check(layer: ConvLayer, transform: Transform) -> None:
    """UnsupportedError unless the filter is 3x3 with stride and dilation 1."""
    instead = "use im2col or indirect"
    if (layer.r, layer.s) != (3, 3):
        refuse(layer, transform.name, "filter (r, s)", "(3, 3)", (layer.r, layer.s), instead)
    for attribute in ("stride", "dilation"):
        if (value := getattr(layer, attribute)) != (1, 1):
            refuse(layer, transform.name, attribute, "(1, 1)", value, instead)


def _winograd(
    layer: ConvLayer,
    transform: Transform,
    x: NDArray[Any],
    w: NDArray[Any],
    bias: NDArray[Any] | None,
) -> Result:
    check(layer, transform)
    x, w, bias = layer.check_tensors(x, w, bias)
    m, t, groups = transform.m, transform.m + 2, layer.groups
    tiles = packed(layer, x, (m, m))  # a gather that hardware does in its line buffer: not counted
    n, high, wide = tiles.shape[:3]
    count = n * high * wide
    v = transform.inputs(tiles.reshape(count, t, t, layer.c).transpose(0, 3, 1, 2))
    u = transform.filters(w.transpose(0, 3, 1, 2))
    # One product per element of the tile and group: (tiles, C/G) by (C/G, K/G).
    left = v.reshape(count, groups, layer.cg, t * t).transpose(3, 1, 0, 2)
    right = u.reshape(groups, layer.kg, layer.cg, t * t).transpose(3, 0, 2, 1)
    sums = left.astype(np.int64) @ right.astype(np.int64)  # (t*t, G, tiles, K/G)
    scaled = transform.outputs(sums.transpose(2, 1, 3, 0).reshape(count, layer.k, t, t))
    y, remainder = np.divmod(scaled, transform.factor**2)
    assert not remainder.any(), "the transforms are identities over the integers"
    whole = y.reshape(n, high, wide, layer.k, m, m).transpose(0, 1, 4, 2, 5, 3)
    whole = whole.reshape(n, high * m, wide * m, layer.k)
    return finish(
        layer,
        whole[:, : layer.oh, : layer.ow],
        w,
        bias,
        extra_bytes=v.nbytes + sums.nbytes,
        weight_bytes=u.nbytes,
        multiplications=t * t * count * layer.cg * layer.k,
    )


def winograd_f2(
    layer: ConvLayer, x: NDArray[Any], w: NDArray[Any], bias: NDArray[Any] | None = None
) -> Result:
    """F(2x2,3x3): 16 multiplications per 4 outputs and channel instead of 36.

    3x3, stride 1, dilation 1; any pads, batch and groups. extra_bytes: 16 elements per tile and channel
    (int16) and per tile and filter (int64); weight_bytes: 16 int16 per filter and channel.
    """
    return _winograd(layer, F2, x, w, bias)


def winograd_f4(
    layer: ConvLayer, x: NDArray[Any], w: NDArray[Any], bias: NDArray[Any] | None = None
) -> Result:
    """F(4x4,3x3): 36 multiplications per 16 outputs and channel instead of 144.

    3x3, stride 1, dilation 1; any pads, batch and groups. extra_bytes: 36 elements per tile and channel
    (int16) and per tile and filter (int64); weight_bytes: 36 int16 per filter and channel.
    """
    return _winograd(layer, F4, x, w, bias)
