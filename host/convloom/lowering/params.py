# SPDX-License-Identifier: Apache-2.0
"""The parameter beats that all kernels take ahead of a group of filters."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from convloom.layer import ConvLayer

__all__ = ["filter_params"]


def filter_params(layer: ConvLayer, w: NDArray[np.int8], bias: NDArray[np.int32]) -> NDArray[np.uint64]:
    """One beat per filter: bias (folded with the input zero point), multiplier, shift; (K,) uint64."""
    beats = np.zeros(layer.k, [("bias", "<i4"), ("multiplier", "<i2"), ("shift", "u1"), ("pad", "u1")])
    beats["bias"] = layer.folded_bias(w, bias)
    if layer.requant is not None:
        beats["multiplier"] = layer.requant.multiplier
        beats["shift"] = layer.requant.shift
    return beats.view("<u8")
