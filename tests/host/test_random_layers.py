# SPDX-License-Identifier: Apache-2.0
"""The shared random layers: traits hold by construction, limits and exclusions hold, seeds repeat."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from convloom.layer import ConvLayer
from convloom.random_layers import FEATURES, TRAITS, random_layers, traits

HOLDS = {
    "plain": lambda y, x, w: (y.r, y.s, y.stride, y.groups) == (3, 3, (1, 1), 1),
    "one_output": lambda y, x, w: (y.oh, y.ow) == (1, 1),
    "one_row": lambda y, x, w: y.oh == 1 and y.ow > 1,
    "one_column": lambda y, x, w: y.ow == 1 and y.oh > 1,
    "odd_channels": lambda y, x, w: all(v > 2 and all(v % d for d in range(2, v)) for v in (y.c, y.k)),
    "asymmetric_pads": lambda y, x, w: y.pads[:2] != y.pads[2:],
    "lowest": lambda y, x, w: (x == -128).all() and (w == -128).all(),
    "zero_point": lambda y, x, w: y.x_zero_point in (-128, 127),
    "saturate": lambda y, x, w: y.requant is not None and y.requant.multiplier.min() > 32000,
    "stride": lambda y, x, w: max(y.stride) > 1,
    "dilation": lambda y, x, w: (y.dilation[0] > 1 and y.r > 1) or (y.dilation[1] > 1 and y.s > 1),
    "groups": lambda y, x, w: 1 < y.groups < y.c,
    "depthwise": lambda y, x, w: y.groups == y.c > 1,
    "batch": lambda y, x, w: y.n > 1,
    "pointwise": lambda y, x, w: (y.r, y.s) == (1, 1) and not any(y.pads),
}

ABSENT = {
    "groups": lambda y: y.groups == 1,
    "depthwise": lambda y: not y.groups == y.c > 1,
    "dilation": lambda y: y.dilation == (1, 1),
    "stride": lambda y: y.stride == (1, 1),
    "pads": lambda y: not any(y.pads),
    "asymmetric_pads": lambda y: y.pads[:2] == y.pads[2:] or 1 in (y.oh, y.ow),
    "wide_pads": lambda y: max(y.pads[::2]) < y.dilation[0] * (y.r - 1) + 1,
    "batch": lambda y: y.n == 1,
    "zero_point": lambda y: y.x_zero_point == 0,
    "bias": lambda y: True,
    "int8": lambda y: y.requant is None,
    "int32": lambda y: y.requant is not None,
    "pointwise": lambda y: (y.r, y.s) != (1, 1),
    "saturate": lambda y: True,
}


def test_every_trait_holds_by_construction(seed: int) -> None:
    assert set(HOLDS) == set(TRAITS) and traits() == TRAITS
    outputs = set()
    for (layer, x, w, bias), trait in zip(
        random_layers(8 * len(TRAITS), seed), itertools.cycle(TRAITS), strict=False
    ):
        layer.check_tensors(x, w, bias)
        assert HOLDS[trait](layer, x, w), (trait, layer)
        assert layer.macs <= 100_000 and max(layer.c, layer.k) <= 20 and layer.n <= 3
        outputs.add((trait, layer.y_dtype.name))
    assert {(t, d) for t in TRAITS for d in ("int8", "int32")} - outputs == {("saturate", "int32")}


def test_tight_limits_hold(seed: int) -> None:
    for layer, *_ in random_layers(
        90, seed, max_macs=3000, max_channels=64, max_filters=64, max_size=9
    ):
        assert layer.macs <= 3000
        assert max(layer.h, layer.w) <= 9 + 9  # a dilated 5x5 filter may need more than max_size
    for layer, *_ in random_layers(
        40, seed, kernels=[(3, 3)], exclude=("groups", "dilation", "stride")
    ):
        assert (layer.r, layer.s, layer.stride, layer.groups) == (3, 3, (1, 1), 1)
    with pytest.raises(ValueError, match="max_macs must allow a layer with trait plain, not be 2"):
        list(random_layers(1, seed, max_macs=2))


@pytest.mark.parametrize("feature", FEATURES)
def test_excluded_features_are_absent(feature: str, seed: int) -> None:
    for layer, _, _, bias in random_layers(45, seed, exclude=(feature,)):
        assert ABSENT[feature](layer), layer
        if feature == "bias":
            assert not bias.any()


def test_unknown_exclusions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"exclude must name features among .* not 'strides'"):
        next(random_layers(1, 0, exclude=("strides",)))
    with pytest.raises(ValueError, match="must leave one output type"):
        next(random_layers(1, 0, exclude=("int8", "int32")))


def test_sequence_depends_on_the_seed_and_the_variable_only(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def run(count: int, seed: int) -> list[tuple[ConvLayer, bytes]]:
        return [
            (y, x.tobytes() + w.tobytes() + b.tobytes()) for y, x, w, b in random_layers(count, seed)
        ]

    monkeypatch.delenv("CONVLOOM_SEED", raising=False)
    first = run(12, 5)
    assert first == run(12, 5) and first[:4] == run(4, 5) and first != run(12, 6)
    monkeypatch.setenv("CONVLOOM_SEED", "99")
    with caplog.at_level("INFO", logger="convloom.random_layers"):
        other = run(12, 5)
    assert other != first and other == run(12, 5) and other != run(12, 6)
    assert "seed 5, CONVLOOM_SEED 99" in caplog.text


def test_values_reach_the_extremes(seed: int) -> None:
    seen = np.concatenate([x.ravel() for _, x, _, _ in random_layers(30, seed)])
    assert seen.min() == -128 and seen.max() == 127
