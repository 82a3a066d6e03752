# SPDX-License-Identifier: Apache-2.0
"""What the driver's tests share: a layer with several tiles each way, tensors, the right answer."""

from __future__ import annotations

from typing import Any

import numpy as np

from convloom.layer import ConvLayer
from convloom.reference import ALGORITHMS

LAYER = ConvLayer(1, 6, 5, 3, 20, 3, 3, pads=(1, 1, 1, 1), x_zero_point=3)


def tensors(layer: ConvLayer, seed: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.integers(-128, 128, layer.x_shape, dtype=np.int8)
    w = rng.integers(-128, 128, layer.w_shape, dtype=np.int8)
    return x, w, rng.integers(-1000, 1000, layer.k, dtype=np.int32)


def reference(layer: ConvLayer, x: Any, w: Any, bias: Any) -> Any:
    return ALGORITHMS["im2col"](layer, x, w, bias).y
