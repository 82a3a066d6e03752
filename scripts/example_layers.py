# SPDX-License-Identifier: Apache-2.0
"""Layers of published networks, measured by `make bench` and docs/algorithms.md, and their tensors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convloom.layer import ConvLayer, Requant

__all__ = ["FIVE", "RESNET18", "Example", "tensors"]


@dataclass(frozen=True)
class Example:
    """A layer, a short name for it, and how often its network has it."""

    title: str
    layer: ConvLayer
    times: int = 1


def _example(
    title: str, size: int, c: int, k: int, r: int, stride: int, times: int = 1, groups: int = 1
) -> Example:
    """A square layer with int8 output that keeps the size of the map but for its stride."""
    pads = (r // 2,) * 4
    requant = Requant.from_scales(np.full(k, 1e-3))
    layer = ConvLayer(1, size, size, c, k, r, r, (stride, stride), pads, groups=groups, requant=requant)
    return Example(title, layer, times)


RESNET18: tuple[Example, ...] = (
    _example("7×7 s2 224²×3→64", 224, 3, 64, 7, 2),
    _example("3×3 56²×64→64", 56, 64, 64, 3, 1, 4),
    _example("3×3 s2 56²×64→128", 56, 64, 128, 3, 2),
    _example("1×1 s2 56²×64→128", 56, 64, 128, 1, 2),
    _example("3×3 28²×128→128", 28, 128, 128, 3, 1, 3),
    _example("3×3 s2 28²×128→256", 28, 128, 256, 3, 2),
    _example("1×1 s2 28²×128→256", 28, 128, 256, 1, 2),
    _example("3×3 14²×256→256", 14, 256, 256, 3, 1, 3),
    _example("3×3 s2 14²×256→512", 14, 256, 512, 3, 2),
    _example("1×1 s2 14²×256→512", 14, 256, 512, 1, 2),
    _example("3×3 7²×512→512", 7, 512, 512, 3, 1, 3),
)
"""Every distinct convolution of ResNet-18 on a 224×224 image (He et al., 2016)."""

FIVE: tuple[Example, ...] = (
    RESNET18[0],
    RESNET18[1],
    RESNET18[7],
    RESNET18[3],
    _example("3×3 dw 112²×32", 112, 32, 32, 3, 1, groups=32),
)
"""Four of them that differ, and the first depthwise layer of MobileNet (Howard et al., 2017)."""


def tensors(layer: ConvLayer) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """x, w and bias of the layer, the same on every call."""
    rng = np.random.default_rng(0)
    x = rng.integers(-128, 128, layer.x_shape, dtype=np.int8)
    w = rng.integers(-128, 128, layer.w_shape, dtype=np.int8)
    return x, w, rng.integers(-1000, 1000, layer.k).astype(np.int32)
