# SPDX-License-Identifier: Apache-2.0
"""The demonstration of `convloom run`: a photograph and three int8 layers with meaningful filters.

1. 3×3 stride 1: eight oriented edges (Robinson's compass masks) and two blob filters, on each colour.
2. 3×3 stride 2: each feature pooled over the colours, and bright and dark lines from opposite edges.
3. 1×1: mixed into eight maps that can be named.

Scales are calibrated on the photograph itself: the 99.5th percentile of each filter's accumulator
becomes 255. Outputs are rectified: their zero point is -128, the darkest value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convloom.commands.files import FileError
from convloom.errors import ConvloomError
from convloom.layer import ConvLayer, Requant

__all__ = ["FEATURES", "Step", "build_stack", "load_photo"]

COLOURS = ("red", "green", "blue")
FEATURES = (*(f"edge {arrow}" for arrow in "→↗↑↖←↙↓↘"), "bright spot", "dark spot")
LINES = ("upright lines", "falling lines", "level lines", "rising lines", "bright dots", "dark dots")
MIXES = ("upright", "level", "falling", "rising", "all edges", "bright dots", "dark dots", "flat")

# The ring of a 3×3 filter, anticlockwise from the right, and the mask of the edge that faces right.
_RING = ((1, 2), (0, 2), (0, 1), (0, 0), (1, 0), (2, 0), (2, 1), (2, 2))
_MASK = (2, 1, 0, -1, -2, -1, 0, 1)
_BINOMIAL = np.outer((1, 2, 1), (1, 2, 1))


@dataclass(frozen=True)
class Step:
    """One layer of the stack, its tensors and its exact output; `maps` names the output channels."""

    title: str
    layer: ConvLayer
    x: NDArray[np.int8]
    w: NDArray[np.int8]
    bias: NDArray[np.int32]
    y: NDArray[np.int8]
    maps: tuple[str, ...]


def load_photo(path: Path | None, size: int) -> NDArray[np.uint8]:
    """An RGB photograph (H, W, 3), at most size × size; None takes matplotlib's sample photograph."""
    try:
        import matplotlib.cbook
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise ConvloomError(f"run needs pictures: pip install 'convloom[flow]' ({error})") from None
    if size < 8:
        raise ConvloomError(f"--size must be at least 8, not {size}")
    source = path or Path(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    try:
        with Image.open(source) as image:
            photo = image.convert("RGB")
    except FileNotFoundError:
        raise FileError(f"photograph {source} must exist; there is no such file") from None
    except (UnidentifiedImageError, Image.DecompressionBombError):
        raise FileError(f"photograph {source} must be a picture, such as PNG or JPEG") from None
    except OSError as error:
        raise FileError(f"photograph {source} must be readable: {error.strerror or error}") from None
    photo.thumbnail((size, size), Image.Resampling.LANCZOS)
    if min(photo.size) < 4:
        raise FileError(f"photograph {source} must keep at least 4 pixels a side, not be {photo.size}")
    return np.asarray(photo, dtype=np.uint8)


def _feature_weights() -> NDArray[np.int8]:
    """(30, 3, 3, 3): ten features on each of three colours, feature by feature."""
    masks = np.zeros((len(FEATURES), 3, 3))
    for turn in range(8):
        for place, value in zip(_RING, np.roll(_MASK, turn), strict=True):
            masks[(turn, *place)] = 63 * value
    masks[8] = -15
    masks[8, 1, 1] = 120
    masks[9] = -masks[8]
    w = np.zeros((len(FEATURES), 3, 3, 3, 3))
    for colour in range(3):
        w[:, colour, :, :, colour] = masks
    return w.reshape(-1, 3, 3, 3).astype(np.int8)


def _pool_weights() -> NDArray[np.int8]:
    """(16, 3, 3, 30): each feature over all colours, then opposite edges together without the rest."""
    by_feature = np.zeros((len(FEATURES) + len(LINES), 3, 3, len(FEATURES), 3))
    for feature in range(len(FEATURES)):
        by_feature[feature, :, :, feature] = 30 * _BINOMIAL[..., None]
    for line in range(4):
        others = [f for f in range(8) if f % 4 != line]
        for feature in (line, line + 4):
            by_feature[10 + line, :, :, feature] = 24 * _BINOMIAL[..., None]
        by_feature[10 + line, :, :, others] = -6 * _BINOMIAL[..., None]
    for spot in (8, 9):
        by_feature[6 + spot, 1, 1, spot] = 120
        by_feature[6 + spot, :, :, :8] = -2 * _BINOMIAL[..., None, None]
    return by_feature.reshape(-1, 3, 3, len(FEATURES) * 3).astype(np.int8)


def _mix_weights() -> tuple[NDArray[np.int8], NDArray[np.int32]]:
    """(8, 1, 1, 16) and bias: lines by direction, everything, spots, and where there is nothing."""
    w = np.zeros((len(MIXES), 16))
    for turn in range(4):  # edges facing sideways bound upright things
        w[turn, [turn, turn + 4]] = 40
        w[turn, 10 + turn] = 80
        w[turn, [10 + (turn + 2) % 4]] = -60
    w[[1, 2]] = w[[2, 1]]
    w[4, :8] = 16
    w[5, [8, 14]] = 60, 100
    w[6, [9, 15]] = 60, 100
    w[7, :10] = -12
    bias = np.zeros(len(MIXES))
    bias[7] = 12 * 10 * 60  # as bright as ten features of 60 would take away
    return w.reshape(-1, 1, 1, 16).astype(np.int8), bias.astype(np.int32)


def _scales(acc: NDArray[np.int32]) -> NDArray[np.float64]:
    """Per filter, what brings the 99.5th percentile of the accumulator to 255."""
    high = np.percentile(acc.reshape(-1, acc.shape[-1]), 99.5, axis=0)
    return np.asarray(255.0 / np.maximum(high, 255.0))


def build_stack(
    photo: NDArray[np.uint8], reference: Callable[[ConvLayer, Any, Any, Any], NDArray[Any]]
) -> list[Step]:
    """The three steps on a photograph (H, W, 3); `reference(layer, x, w, bias)` gives exact outputs."""
    feature_names = tuple(f"{feature} {colour}" for feature in FEATURES for colour in COLOURS)
    mix, mix_bias = _mix_weights()
    plans = (
        ("edges and spots", _feature_weights(), None, 1, feature_names),
        ("pooled", _pool_weights(), None, 2, FEATURES + LINES),
        ("mixed", mix, mix_bias, 1, MIXES),
    )
    x: NDArray[np.int8] = (photo[None] ^ np.uint8(0x80)).view(np.int8)  # - 128: the zero point
    steps = []
    for title, w, given, stride, maps in plans:
        (n, height, width, c), (k, r, s, _) = x.shape, w.shape
        bias = np.zeros(k, np.int32) if given is None else given
        pads = (r // 2, s // 2, r // 2, s // 2)
        layer = ConvLayer(
            n, height, width, c, k, r, s, stride=(stride, stride), pads=pads, x_zero_point=-128
        )
        scales = _scales(reference(layer, x, w, bias))
        layer = replace(layer, requant=Requant.from_scales(scales, zero_point=-128))
        y = reference(layer, x, w, bias)
        steps.append(Step(title, layer, x, w, bias, y, maps))
        x = y
    return steps
