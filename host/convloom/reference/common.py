# SPDX-License-Identifier: Apache-2.0
"""What the reference algorithms share: their result, tap ranges, integer products per group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convloom.errors import UnsupportedError
from convloom.layer import ConvLayer

__all__ = ["Result", "finish", "refuse", "tap_product", "tap_range"]


@dataclass(frozen=True, eq=False)
class Result:
    """What an algorithm made and what it took.

    y: (N, OH, OW, K) as the layer says, int32 or int8; acc: int32 accumulators of the same shape,
    before requantisation. extra_bytes: the buffers beside input, weights and output that the
    algorithm fills on each call, map elements counted as int8 (numpy's widened temporaries are not).
    weight_bytes: weights rewritten in another form, which can be done once. multiplications: those of
    two data values, padding included where the algorithm multiplies it.
    """

    y: NDArray[Any]
    acc: NDArray[np.int32]
    extra_bytes: int
    multiplications: int
    weight_bytes: int = 0


def finish(
    layer: ConvLayer,
    products: NDArray[Any],
    w: NDArray[np.int8],
    bias: NDArray[np.int32],
    *,
    extra_bytes: int,
    multiplications: int,
    weight_bytes: int = 0,
) -> Result:
    """The result from sums of raw products x*w, padding filled with the zero point.

    products: int32 or int64 (N, OH, OW, K), possibly wrapped modulo 2**32: `check_tensors` has made
    sure that the accumulator itself fits int32, so adding the folded bias modulo 2**32 gives it
    exactly.
    """
    acc = products.astype(np.int32, copy=False) + layer.folded_bias(w, bias)
    return Result(layer.finish(acc), acc, extra_bytes, multiplications, weight_bytes)


def refuse(
    layer: ConvLayer, algorithm: str, attribute: str, rule: str, value: object, instead: str
) -> None:
    """Raise UnsupportedError in the form that all refusals share."""
    raise UnsupportedError(
        f"layer {layer.name}: {attribute} for {algorithm} must be {rule}, not {value}; {instead}"
    )


def tap_range(count: int, size: int, stride: int, offset: int) -> tuple[slice, slice]:
    """(outputs, inputs) that a filter tap joins along one axis, padding left out.

    Output p meets input p*stride + offset; the slices hold those p in 0..count-1 whose input is in
    0..size-1, and these inputs. Both are empty where the tap meets padding only.
    """
    first = max(0, -(offset // stride))
    last = min(count - 1, (size - 1 - offset) // stride)
    if last < first:
        return slice(0, 0), slice(0, 0)
    return slice(first, last + 1), slice(first * stride + offset, last * stride + offset + 1, stride)


def tap_product(layer: ConvLayer, pixels: NDArray[np.int8], w: NDArray[np.int8]) -> NDArray[np.int32]:
    """int8 pixels (..., C) times the weights of one tap (K, C/groups): int32 (..., K)."""
    wide = pixels.astype(np.int32)
    if layer.groups == 1:
        return wide @ w.T.astype(np.int32)
    split = wide.reshape(*pixels.shape[:-1], layer.groups, 1, layer.cg)
    matrix = w.reshape(layer.groups, layer.kg, layer.cg).transpose(0, 2, 1).astype(np.int32)
    return (split @ matrix).reshape(*pixels.shape[:-1], layer.k)
