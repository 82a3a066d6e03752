# SPDX-License-Identifier: Apache-2.0
"""Direct convolution as loops over Python integers: what everything else is judged by."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from convloom.layer import ConvLayer
from convloom.reference.common import Result

__all__ = ["direct"]


def direct(
    layer: ConvLayer, x: NDArray[Any], w: NDArray[Any], bias: NDArray[Any] | None = None
) -> Result:
    """Six loops (and one over the batch) over NHWC x and OHWI w; no buffers.

    Takes every layer. About 10**7 multiplications per second: meant for small layers.
    """
    x, w, bias = layer.check_tensors(x, w, bias)
    top, left, _, _ = layer.pads
    maps, filters, start = x.tolist(), w.tolist(), bias.tolist()
    acc = np.zeros(layer.y_shape, np.int32)
    multiplications = 0
    for n in range(layer.n):
        for p in range(layer.oh):
            for q in range(layer.ow):
                for k in range(layer.k):
                    first = k // layer.kg * layer.cg  # first channel of the filter's group
                    total = start[k]
                    for r in range(layer.r):
                        for s in range(layer.s):
                            i = p * layer.stride[0] + r * layer.dilation[0] - top
                            j = q * layer.stride[1] + s * layer.dilation[1] - left
                            if not (0 <= i < layer.h and 0 <= j < layer.w):
                                continue  # padding is the zero point: it adds nothing
                            pixel, taps = maps[n][i][j], filters[k][r][s]
                            for c in range(layer.cg):
                                total += (pixel[first + c] - layer.x_zero_point) * taps[c]
                            multiplications += layer.cg
                    acc[n, p, q, k] = total  # numpy refuses a Python integer beyond int32
    return Result(layer.finish(acc), acc, extra_bytes=0, multiplications=multiplications)
