# SPDX-License-Identifier: Apache-2.0
"""Convolution layers of published networks: what `convloom bench` and the scripts measure.

A suite lists each distinct layer once, in the order of the network, with how often the network has it.
All are int8 to int8, batch 1. Sources: ResNet-18, He et al., 2016 (torchvision's layout, 224×224);
VGG-16, Simonyan & Zisserman, 2015; MobileNetV1, Howard et al., 2017 (the last depthwise layer with
stride 1, as in all implementations); YOLOv3-tiny, Redmon & Farhadi, 2018 (416×416). `peers` are the
layers on which published generators of accelerators were measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convloom.errors import ConvloomError
from convloom.layer import ConvLayer, Requant

__all__ = ["SUITES", "SuiteLayer", "load_suite", "random_tensors", "square_layer"]


@dataclass(frozen=True)
class SuiteLayer:
    """A layer, and how often its network has it."""

    layer: ConvLayer
    times: int = 1

    @property
    def title(self) -> str:
        """As in a paper's table, for example `3×3 s2 56²×64→128`."""
        one = self.layer
        stride = f" s{one.stride[0]}" if one.stride[0] > 1 else ""
        if one.groups == one.c > 1:
            return f"{one.r}×{one.s} dw{stride} {one.h}²×{one.c}"
        return f"{one.r}×{one.s}{stride} {one.h}²×{one.c}→{one.k}"


def square_layer(
    size: int, c: int, k: int, r: int, stride: int = 1, *, times: int = 1, groups: int = 1
) -> SuiteLayer:
    """An r×r layer on a square map, padded so that stride 1 keeps its size."""
    layer = ConvLayer(
        *(1, size, size, c, k, r, r),
        stride=(stride, stride),
        pads=(r // 2,) * 4,
        groups=groups,
        requant=Requant.from_scales(np.full(k, 1e-3)),
    )
    return SuiteLayer(layer, times)


def _resnet18() -> Iterator[SuiteLayer]:
    yield square_layer(224, 3, 64, 7, 2)
    yield square_layer(56, 64, 64, 3, times=4)
    size, c = 56, 64
    while c < 512:
        yield square_layer(size, c, 2 * c, 3, 2)
        yield square_layer(size, c, 2 * c, 1, 2)
        size, c = size // 2, 2 * c
        yield square_layer(size, c, c, 3, times=3)


def _vgg16() -> Iterator[SuiteLayer]:
    yield square_layer(224, 3, 64, 3)
    yield square_layer(224, 64, 64, 3)
    yield square_layer(112, 64, 128, 3)
    yield square_layer(112, 128, 128, 3)
    yield square_layer(56, 128, 256, 3)
    yield square_layer(56, 256, 256, 3, times=2)
    yield square_layer(28, 256, 512, 3)
    yield square_layer(28, 512, 512, 3, times=2)
    yield square_layer(14, 512, 512, 3, times=3)


def _mobilenetv1() -> Iterator[SuiteLayer]:
    yield square_layer(224, 3, 32, 3, 2)
    for size, c, k, stride, times in (
        (112, 32, 64, 1, 1),
        (112, 64, 128, 2, 1),
        (56, 128, 128, 1, 1),
        (56, 128, 256, 2, 1),
        (28, 256, 256, 1, 1),
        (28, 256, 512, 2, 1),
        (14, 512, 512, 1, 5),
        (14, 512, 1024, 2, 1),
        (7, 1024, 1024, 1, 1),
    ):
        yield square_layer(size, c, c, 3, stride, times=times, groups=c)
        yield square_layer(size // stride, c, k, 1, times=times)


def _yolov3_tiny() -> Iterator[SuiteLayer]:
    size, c, k = 416, 3, 16
    while k <= 512:
        yield square_layer(size, c, k, 3, times=2 if k == 512 else 1)  # once more before the output
        size, c, k = size // 2, k, 2 * k
    yield square_layer(13, 512, 1024, 3)
    yield square_layer(13, 1024, 256, 1)
    yield square_layer(13, 512, 255, 1)
    yield square_layer(13, 256, 128, 1)
    yield square_layer(26, 384, 256, 3)
    yield square_layer(26, 256, 255, 1)


def _peers() -> Iterator[SuiteLayer]:
    yield square_layer(14, 64, 64, 3)
    yield square_layer(28, 32, 32, 3)
    yield square_layer(56, 64, 64, 3)
    yield square_layer(14, 64, 128, 1)
    yield square_layer(28, 16, 32, 3, 2)


SUITES = {
    "resnet18": _resnet18,
    "vgg16": _vgg16,
    "mobilenetv1": _mobilenetv1,
    "yolov3-tiny": _yolov3_tiny,
    "peers": _peers,
}


def load_suite(name: str) -> tuple[SuiteLayer, ...]:
    """The layers of one suite; ConvloomError for an unknown name."""
    if name not in SUITES:
        raise ConvloomError(f"suite must be one of {', '.join(SUITES)}, not {name!r}")
    return tuple(SUITES[name]())


def random_tensors(layer: ConvLayer) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """x, w and bias of the layer over the whole range of int8, the same on every call."""
    rng = np.random.default_rng(0)
    x = rng.integers(-128, 128, layer.x_shape, dtype=np.int8)
    w = rng.integers(-128, 128, layer.w_shape, dtype=np.int8)
    return x, w, rng.integers(-1000, 1000, layer.k).astype(np.int32)
