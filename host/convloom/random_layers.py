# SPDX-License-Identifier: Apache-2.0
"""Random legal layers with tensors, the same for every level's tests.

`random_layers` cycles through TRAITS, so that every special case appears by construction and not only
by luck, and draws everything else at random. Output types alternate so that each trait meets both.
The sequence depends on the seed, the limits and nothing else. CONVLOOM_SEED, when set, is mixed into
the seed and so replaces the whole family of sequences; both are logged.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from convloom.layer import ConvLayer, Requant

__all__ = ["FEATURES", "TRAITS", "Limits", "random_layers", "traits"]

log = logging.getLogger(__name__)

Sample = tuple[ConvLayer, NDArray[np.int8], NDArray[np.int8], NDArray[np.int32]]

TRAITS: tuple[str, ...] = (
    "plain",  # nothing in particular: 3x3, one pad all round, where the limits allow
    "one_output",  # OH = OW = 1
    "odd_channels",  # C and K prime, 3 or more: multiples of no tile
    "asymmetric_pads",  # four pads, opposite ones unequal
    "lowest",  # x and w are -128 everywhere
    "zero_point",  # x_zero_point at an end of its range
    "saturate",  # every output at one end of the clamp
    "one_row",  # OH = 1, OW > 1
    "stride",  # at least one of them above 1
    "dilation",  # at least one of them above 1
    "groups",  # 1 < groups < C
    "depthwise",  # groups = C > 1, sometimes with several filters per channel
    "batch",  # N > 1
    "pointwise",  # 1x1 filter, no pads
    "one_column",  # OW = 1, OH > 1
)
"""In the order in which they are cycled through."""

FEATURES: tuple[str, ...] = (
    "groups",  # depthwise too
    "depthwise",
    "dilation",
    "stride",
    "pads",
    "asymmetric_pads",
    "wide_pads",  # pads as large as the dilated filter or larger: outputs of padding alone
    "batch",
    "zero_point",
    "bias",
    "int8",
    "int32",
    "pointwise",
    "saturate",
)
"""What `exclude` may name: such layers then do not appear at all."""

_WITHOUT = {  # traits that fall with an excluded feature
    "groups": ("groups", "depthwise"),
    "pads": ("asymmetric_pads",),
    "int8": ("saturate",),
    "bias": ("saturate",),
}
_PRIMES = (3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61)


@dataclass(frozen=True)
class Limits:
    """Bounds of what is drawn. kernels: the (R, S) to draw from; None is 1x1 .. 5x5, 3x3 most often."""

    max_macs: int = 100_000
    max_size: int = 14
    max_channels: int = 20
    max_filters: int = 20
    max_batch: int = 3
    max_stride: int = 3
    max_dilation: int = 3
    kernels: tuple[tuple[int, int], ...] | None = None
    exclude: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for name in sorted(self.exclude):
            if name not in FEATURES:
                raise ValueError(
                    f"exclude must name features among {', '.join(FEATURES)}, not {name!r}"
                )
        if {"int8", "int32"} <= self.exclude:
            raise ValueError("exclude must leave one output type, not drop both int8 and int32")

    @property
    def traits(self) -> tuple[str, ...]:
        """The traits that these limits leave possible, in cycling order."""
        gone = set(self.exclude)
        for feature in self.exclude:
            gone.update(_WITHOUT.get(feature, ()))
        for trait, limit, least in (
            ("batch", self.max_batch, 2),
            ("stride", self.max_stride, 2),
            ("dilation", self.max_dilation, 2),
            ("odd_channels", min(self.max_channels, self.max_filters), 3),
            ("groups", min(self.max_channels, self.max_filters), 4),
            ("depthwise", min(self.max_channels, self.max_filters), 2),
            ("one_row", self.max_size, 6),
            ("one_column", self.max_size, 6),
        ):
            if limit < least:
                gone.add(trait)
        if self.kernels is not None:
            if (1, 1) not in self.kernels:
                gone.add("pointwise")
            if max(max(k) for k in self.kernels) == 1:
                gone.add("dilation")  # a dilated 1x1 filter is no different
                if "wide_pads" in self.exclude:
                    gone.add("asymmetric_pads")
        return tuple(trait for trait in TRAITS if trait not in gone)


def traits(
    exclude: Collection[str] = (), kernels: Sequence[tuple[int, int]] | None = None
) -> tuple[str, ...]:
    """The traits that `random_layers` cycles through with these limits: layer i has trait i % len."""
    return Limits(
        exclude=frozenset(exclude), kernels=None if kernels is None else tuple(kernels)
    ).traits


def random_layers(
    count: int,
    seed: int,
    *,
    max_macs: int = Limits.max_macs,
    max_size: int = Limits.max_size,
    max_channels: int = Limits.max_channels,
    max_filters: int = Limits.max_filters,
    max_batch: int = Limits.max_batch,
    max_stride: int = Limits.max_stride,
    max_dilation: int = Limits.max_dilation,
    kernels: Sequence[tuple[int, int]] | None = None,
    exclude: Collection[str] = (),
) -> Iterator[Sample]:
    """Yields `count` times (layer, x int8 NHWC, w int8 OHWI, bias int32 (K,)).

    max_macs: of the whole layer; max_size: of H and W (exceeded only where a dilated filter needs it);
    kernels: (R, S) pairs to draw from; exclude: names from FEATURES. Layer i has trait
    `traits[i % len(traits)]` of the `Limits`. ValueError where no layer fits max_macs.
    """
    limits = Limits(
        max_macs,
        max_size,
        max_channels,
        max_filters,
        max_batch,
        max_stride,
        max_dilation,
        None if kernels is None else tuple((int(r), int(s)) for r, s in kernels),
        frozenset(exclude),
    )
    override = os.environ.get("CONVLOOM_SEED", "")
    entropy = [int(override), seed] if override else [seed]
    log.info("random layers: seed %s, CONVLOOM_SEED %s, %s", seed, override or "not set", limits)
    names = limits.traits
    for index in range(count):
        # One generator per layer: shorter runs are prefixes of longer ones.
        rng = np.random.default_rng([*entropy, index])
        cycle, position = divmod(index, len(names))
        wants_int8 = (cycle + position) % 2 == 1 or names[position] == "saturate"
        int8 = "int32" in limits.exclude or (wants_int8 and "int8" not in limits.exclude)
        yield _sample(_Draw(rng, names[position], limits, cycle), int8)


def _sample(draw: _Draw, int8: bool) -> Sample:
    rng, layer = draw.rng, draw.layer()
    x, w = _values(rng, layer.x_shape), _values(rng, layer.w_shape)
    if draw.trait == "lowest":
        x, w = np.full_like(x, -128), np.full_like(w, -128)
    terms = layer.r * layer.s * layer.cg
    bias = np.zeros(layer.k, np.int32)
    if "bias" not in draw.limits.exclude:
        bias = rng.integers(-(2**15), 2**15, layer.k).astype(np.int32)
    if not int8:
        return layer, x, w, bias
    zero_point = int(rng.integers(-128, 128)) if rng.random() < 0.6 else 0
    clamp = (-128, 127)
    if rng.random() < 0.2:
        clamp = (zero_point, 127)  # a ReLU
    elif rng.random() < 0.2:
        low, high = sorted(rng.integers(-128, 128, 2).tolist())
        clamp = (low, high)
    if draw.trait == "saturate":
        # A bias beyond what the products can undo, alternating in sign, and the largest scale.
        sign = np.where(np.arange(layer.k) % 2 == draw.cycle % 2, 1, -1)
        bias = (sign * (terms * 255 * 128 + 1000)).astype(np.int32)
        scales = np.full(layer.k, 8191.0)
    else:
        # About 74 is the standard deviation of a uniform int8: outputs spread over the whole range.
        scales = 2.0 ** rng.uniform(3, 7, layer.k) / (74.0 * 74.0 * terms**0.5)
    return replace(layer, requant=Requant.from_scales(scales, zero_point, clamp)), x, w, bias


def _values(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Mostly uniform; sometimes only the extremes, or sparse."""
    mode = rng.random()
    if mode < 0.15:
        return rng.choice(np.array([-128, 127], np.int8), shape)
    values = rng.integers(-128, 128, shape, dtype=np.int8)
    if mode < 0.25:
        values[rng.random(shape) < 0.7] = 0
    return values


class _Draw:
    """Draws the layer of one trait."""

    def __init__(self, rng: np.random.Generator, trait: str, limits: Limits, cycle: int) -> None:
        self.rng, self.trait, self.limits, self.cycle = rng, trait, limits, cycle
        self.scale = 1.0

    def layer(self) -> ConvLayer:
        """A layer with the trait; sizes shrink until it fits max_macs."""
        for _ in range(60):
            layer = self._attempt()
            if layer.macs <= self.limits.max_macs:
                return layer
            self.scale *= 0.8
        raise ValueError(
            f"max_macs must allow a layer with trait {self.trait}, not be {self.limits.max_macs}"
        )

    def _upto(self, limit: int, least: int = 1) -> int:
        """Uniform in least..limit, the limit scaled but never below `least`."""
        return int(self.rng.integers(least, max(least, round(limit * self.scale)) + 1))

    def _has(self, feature: str, probability: float) -> bool:
        """Whether this layer gets an allowed feature by chance."""
        return self.rng.random() < probability and feature not in self.limits.exclude

    def _attempt(self) -> ConvLayer:
        limits, trait = self.limits, self.trait
        r, s = self._kernel()
        stride = (1, 1)
        if limits.max_stride > 1 and (
            trait == "stride" or (trait != "plain" and self._has("stride", 0.3))
        ):
            first = int(self.rng.integers(2, limits.max_stride + 1))
            pairs = (first, first), (first, first), (first, 1), (1, first)
            stride = pairs[int(self.rng.integers(4))]
        dilation = self._dilation(r, s)
        extent = ((r - 1) * dilation[0] + 1, (s - 1) * dilation[1] + 1)
        c, k, groups = self._channels()
        pads = self._pads(extent)
        h, top, bottom = self._size("one_row", extent[0], stride[0], pads[0], pads[2])
        w, left, right = self._size("one_column", extent[1], stride[1], pads[1], pads[3])
        zero_point = 0
        if trait == "zero_point":
            zero_point = (-128, 127)[self.cycle % 2]
        elif trait != "plain" and self._has("zero_point", 0.5):
            zero_point = int(self.rng.integers(-128, 128))
        n = 1
        if limits.max_batch > 1 and (trait == "batch" or self._has("batch", 0.2)):
            n = int(self.rng.integers(2, limits.max_batch + 1))
        pads = (top, left, bottom, right)
        return ConvLayer(n, h, w, c, k, r, s, stride, pads, dilation, groups, zero_point)

    def _kernel(self) -> tuple[int, int]:
        choices = self.limits.kernels
        if self.trait == "pointwise":
            return 1, 1
        if choices is None:
            choices = ((3, 3),) * 6 + ((1, 1), (5, 5), (2, 2), (1, 3), (3, 1), (5, 2), (4, 3))
        if self.trait == "plain" and (3, 3) in choices:
            return 3, 3
        larger = tuple(kernel for kernel in choices if kernel != (1, 1))
        if self.trait in ("dilation", "asymmetric_pads") or "pointwise" in self.limits.exclude:
            choices = larger or choices
        return choices[int(self.rng.integers(len(choices)))]

    def _dilation(self, r: int, s: int) -> tuple[int, int]:
        chance = self.trait not in ("plain", "pointwise") and self._has("dilation", 0.15)
        if self.limits.max_dilation < 2 or (r, s) == (1, 1) or not (self.trait == "dilation" or chance):
            return 1, 1
        first = int(self.rng.integers(2, self.limits.max_dilation + 1))
        if r > 1 and s > 1 and self.rng.random() < 0.5:
            return first, first
        return (first, 1) if r > 1 else (1, first)

    def _channels(self) -> tuple[int, int, int]:
        """C, K and groups."""
        most_c, most_k = self.limits.max_channels, self.limits.max_filters
        if self.trait == "odd_channels":
            c, k = (int(self.rng.choice([p for p in _PRIMES if p <= top])) for top in (most_c, most_k))
            if self.scale < 0.2:
                c, k = 3, 3  # large filters under a small max_macs
            return c, k, 1
        chance = self.trait not in ("plain", "depthwise") and self._has("groups", 0.15)
        if (self.trait == "groups" or chance) and min(most_c, most_k) >= 4:
            groups = int(self.rng.integers(2, 1 + min(5, most_c // 2, most_k // 2)))
            return (
                groups * self._upto(most_c // groups, 2),
                groups * self._upto(most_k // groups),
                groups,
            )
        chance = self.trait != "plain" and "groups" not in self.limits.exclude
        if (self.trait == "depthwise" or (chance and self._has("depthwise", 0.06))) and min(
            most_c, most_k
        ) > 1:
            c = self._upto(min(most_c, most_k), 2)
            return c, c * int(self.rng.integers(1, 1 + min(3, most_k // c))), c
        return self._upto(most_c), self._upto(most_k), 1

    def _pads(self, extent: tuple[int, int]) -> tuple[int, int, int, int]:
        """Top, left, bottom, right, below the extent of the dilated filter unless drawn wide."""
        if self.trait == "asymmetric_pads":
            # At least one of the two opposite pairs is unequal.
            axes = [a for a in (0, 1) if extent[a] > 1] or [0, 1]
            pads = [0, 0, 0, 0]
            for axis in axes:
                high = max(2, extent[axis])
                first = int(self.rng.integers(high))
                pads[axis], pads[axis + 2] = first, (first + int(self.rng.integers(1, high))) % high
            return pads[0], pads[1], pads[2], pads[3]
        if self.trait == "pointwise" or not self._has("pads", 0.75):
            return 0, 0, 0, 0
        if self.trait == "plain" or not self._has("asymmetric_pads", 0.6):
            return (extent[0] // 2, extent[1] // 2) * 2
        wide = int(self._has("wide_pads", 0.15)) * 2
        top, left, bottom, right = (int(self.rng.integers(extent[a] + wide)) for a in (0, 1, 0, 1))
        return top, left, bottom, right

    def _size(
        self, single: str, extent: int, stride: int, before: int, after: int
    ) -> tuple[int, int, int]:
        """(map size, pad before, pad after) along one axis, for one position or for at least two."""
        least = max(1, extent - before - after)
        if self.trait in ("one_output", single):
            if least + before + after > extent:
                # The pads alone leave more than one position: cut them down round one pixel.
                before = min(before, extent - 1)
                after = extent - 1 - before
            return least, before, after
        # As a rule three positions or more, so that windows slide.
        positions = 3 if self.rng.random() < 0.8 else 2
        size = max(
            least, extent + (positions - 1) * stride - before - after, self._upto(self.limits.max_size)
        )
        if size > self.limits.max_size:
            size = max(least, extent + stride - before - after, 1)
        return size, before, after
