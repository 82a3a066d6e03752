# SPDX-License-Identifier: Apache-2.0
"""Every algorithm gives the bits of the direct loops, which give those of examples worked by hand."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from convloom import reference
from convloom.errors import LayerError, UnsupportedError
from convloom.layer import ConvLayer, Requant
from convloom.random_layers import random_layers
from convloom.reference.mec import mec
from convloom.reference.spatial_pack import spatial_pack

ALWAYS = ("direct", "im2col", "im2col_nchw", "mec_basic", "mec", "spatial_pack", "indirect")


def hwc(rows: list[list[int]]) -> np.ndarray:
    return np.array(rows, np.int8)[None, :, :, None]


def agree(layer: ConvLayer, x: np.ndarray, w: np.ndarray, bias: np.ndarray, oracle: str) -> Counter:
    """Run all algorithms that can do the layer against `oracle`; returns how often each ran."""
    want = reference.run(oracle, layer, x, w, bias)
    assert want.y.shape == layer.y_shape and want.y.dtype == layer.y_dtype
    names = reference.supported(layer)
    assert set(ALWAYS) <= set(names)
    for name in names:
        if name in (oracle, "direct"):
            continue
        got = reference.run(name, layer, x, w, bias)
        assert got.acc.dtype == np.int32 and got.y.dtype == layer.y_dtype
        np.testing.assert_array_equal(got.acc, want.acc, err_msg=f"{name} on {layer}")
        np.testing.assert_array_equal(got.y, want.y, err_msg=f"{name} on {layer}")
    return Counter(names)


# The direct loops, by hand ----------------------------------------------------------------------


def test_direct_slides_a_window() -> None:
    layer = ConvLayer(1, 3, 3, 1, 1, 2, 2)
    x, w = (
        hwc([[1, 2, 3], [4, 5, 6], [7, 8, 9]]),
        np.array([1, 10, 100, -1], np.int8).reshape(1, 2, 2, 1),
    )
    y = reference.ALGORITHMS["direct"](layer, x, w, np.array([1000], np.int32)).y
    # 1 + 20 + 400 - 5; correlation, not convolution: the filter is not turned round.
    assert y[0, :, :, 0].tolist() == [[1416, 1526], [1746, 1856]]


def test_direct_stride_dilation_and_four_pads() -> None:
    x, w = hwc([[1, 2, 3], [4, 5, 6]]), np.array([[1, 10], [20, 100]], np.int8).reshape(1, 2, 2, 1)
    layer = ConvLayer(1, 2, 3, 1, 1, 2, 2, stride=(2, 1), pads=(1, 0, 2, 2), dilation=(1, 2))
    y = reference.ALGORITHMS["direct"](layer, x, w).y
    top = [20 * 1 + 100 * 3, 20 * 2, 20 * 3]
    assert y[0, :, :, 0].tolist() == [top, [4 + 60, 5, 6]]


def test_direct_zero_point_groups_and_requantisation() -> None:
    requant = Requant([1, 1], [2, 3], zero_point=1, clamp=(-5, 5))  # type: ignore[arg-type]
    layer = ConvLayer(
        1, 1, 2, 2, 2, 1, 2, pads=(0, 1, 0, 0), groups=2, x_zero_point=10, requant=requant
    )
    x = np.array([[11, 6], [13, 10]], np.int8).reshape(1, 1, 2, 2)  # minus the zero point: 1 -4, 3 0
    w = np.array([[2, 3], [5, -7]], np.int8).reshape(2, 1, 2, 1)
    result = reference.ALGORITHMS["direct"](layer, x, w, np.array([0, 4], np.int32))
    assert result.acc.reshape(2, 2).tolist() == [[3, 4 + 28], [2 + 9, 4 - 20]]
    # 3/4 -> 1, 32/8 = 4; 11/4 -> 3, -16/8 = -2; plus 1, clamped to 5.
    assert result.y.reshape(2, 2).tolist() == [[2, 5], [4, -1]]


# Agreement ---------------------------------------------------------------------------------------


def test_all_algorithms_agree_on_random_layers(seed: int) -> None:
    ran: Counter = Counter()
    for sample in random_layers(240, seed, max_macs=12_000):
        ran += agree(*sample, oracle="direct")
    assert ran["pointwise"] >= 10 and ran["winograd_f2"] == ran["winograd_f4"] >= 10, ran


def test_winograd_agrees_on_every_map_size(seed: int) -> None:
    limits = dict(max_macs=12_000, kernels=[(3, 3)], exclude=("stride", "dilation"), max_size=11)
    ran: Counter = Counter()
    for sample in random_layers(110, seed, **limits):  # type: ignore[arg-type]
        ran += agree(*sample, oracle="direct")
    assert ran["winograd_f2"] == ran["winograd_f4"] == 110


@pytest.mark.nightly
def test_all_algorithms_agree_on_larger_layers(seed: int) -> None:
    sizes = dict(max_size=40, max_channels=70, max_filters=70)
    for sample in random_layers(500, seed, max_macs=3_000_000, **sizes):
        agree(*sample, oracle="im2col")
    for sample in random_layers(200, seed, max_macs=200_000, **sizes):
        agree(*sample, oracle="direct")


def test_uint8_maps_agree(rng: np.random.Generator) -> None:
    layer = ConvLayer.for_uint8(2, 5, 6, 4, 3, 3, 3, pads=(1, 0, 2, 1), x_zero_point=200)
    x = rng.integers(0, 256, layer.x_shape, dtype=np.uint8)
    w = rng.integers(-128, 128, layer.w_shape, dtype=np.int8)
    bias = np.arange(3, dtype=np.int32)
    agree(layer, x, w, bias, oracle="direct")
    corner = (x[0, :2, :3].astype(int) - 200) * w[1][1:3]
    assert reference.run("direct", layer, x, w, bias).y[0, 0, 0, 1] == corner.sum() + 1


def test_every_tile_size_of_spatial_pack(rng: np.random.Generator) -> None:
    layer = ConvLayer(2, 9, 8, 3, 4, 3, 2, stride=(2, 1), pads=(1, 2, 0, 1), dilation=(1, 2))
    x = rng.integers(-128, 128, layer.x_shape, dtype=np.int8)
    w = rng.integers(-128, 128, layer.w_shape, dtype=np.int8)
    want = reference.run("direct", layer, x, w).y
    for th in range(1, layer.oh + 1):
        for tw in range(1, layer.ow + 1):
            np.testing.assert_array_equal(spatial_pack(layer, x, w, tile=(th, tw)).y, want)


def test_both_solutions_of_mec(seed: int) -> None:
    ran: Counter = Counter()
    for layer, x, w, bias in random_layers(60, seed, max_macs=8000, max_channels=40, max_filters=6):
        want = reference.run("direct", layer, x, w, bias).y
        for solution in "AB":
            try:
                got = mec(layer, x, w, bias, solution=solution)
            except UnsupportedError as error:
                assert solution == "A" and "use solution 'B'" in str(error)
                continue
            np.testing.assert_array_equal(got.y, want)
            ran[solution] += 1
    assert ran["B"] == 60 and ran["A"] >= 5, ran


def test_accumulators_reach_both_ends_of_int32() -> None:
    """Raw sums wrap modulo 2**32 on the way; the result must not."""
    for ends in (-1, 1):
        layer = ConvLayer(1, 3, 3, 8, 1, 3, 3, x_zero_point=-128, pads=(1, 1, 1, 1))
        x = np.full(layer.x_shape, 127, np.int8)
        w = np.full(layer.w_shape, 127 if ends > 0 else -128, np.int8)
        reach = 255 * int(w[0, 0, 0, 0]) * 72
        bias = np.array([(2**31 - 1 if ends > 0 else -(2**31)) - reach], np.int32)
        want = reference.run("direct", layer, x, w, bias).y
        assert want[0, 1, 1, 0] == (2**31 - 1 if ends > 0 else -(2**31))
        agree(layer, x, w, bias, oracle="direct")


@pytest.mark.parametrize("name", reference.ALGORITHMS)
def test_a_swapped_operand_is_noticed(name: str, rng: np.random.Generator) -> None:
    """The comparison can fail: a tap, a channel, a filter or a pixel exchanged shows in the output."""
    size = 1 if name == "pointwise" else 3
    layer = ConvLayer(1, 5, 6, 4, 4, size, size)
    x = rng.permutation(np.arange(-60, 60)).astype(np.int8).reshape(layer.x_shape)
    w = rng.permutation(np.arange(-100, 100))[: 16 * size * size].astype(np.int8).reshape(layer.w_shape)
    run = reference.ALGORITHMS[name]
    want = run(layer, x, w).y
    mutants = [(x, w[..., [1, 0, 2, 3]]), (x, w[[1, 0, 2, 3]]), (np.roll(x, 1, axis=2), w)]
    if size > 1:
        mutants += [(x, w[:, [1, 0, 2]]), (x, w[:, :, [0, 2, 1]])]
    for other_x, other_w in mutants:
        assert (run(layer, other_x, other_w).y != want).any()


# Refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "changes", "text"),
    [
        (
            "pointwise",
            {},
            r"filter \(r, s\) for pointwise must be \(1, 1\), not \(3, 3\); use im2col or",
        ),
        ("winograd_f2", {"r": 5}, r"filter \(r, s\) for winograd_f2 must be \(3, 3\), not \(5, 3\)"),
        ("winograd_f4", {"stride": (2, 2)}, r"stride for winograd_f4 must be \(1, 1\), not \(2, 2\)"),
        (
            "winograd_f4",
            {"dilation": (1, 2)},
            r"dilation for winograd_f4 must be \(1, 1\), not \(1, 2\)",
        ),
    ],
)
def test_refusals_name_layer_attribute_value_and_alternative(
    name: str, changes: dict, text: str
) -> None:
    size: dict = dict(n=1, h=9, w=9, c=4, k=5, r=3, s=3)
    layer = ConvLayer(**{**size, **changes})
    assert name not in reference.supported(layer)
    with pytest.raises(UnsupportedError, match=rf"^layer {layer.name}: {text}"):
        reference.run(name, layer, np.zeros(layer.x_shape, np.int8), np.zeros(layer.w_shape, np.int8))


def test_other_refusals() -> None:
    layer = ConvLayer(1, 5, 5, 1, 8, 3, 3)
    x, w = np.zeros(layer.x_shape, np.int8), np.zeros(layer.w_shape, np.int8)
    with pytest.raises(UnsupportedError, match=r"algorithm must be one of direct, .* not 'fft'"):
        reference.run("fft", layer, x, w)
    with pytest.raises(
        UnsupportedError, match=r"tile for spatial_pack must be within the output 3x3, not 4x1"
    ):
        spatial_pack(layer, x, w, tile=(4, 1))
    with pytest.raises(UnsupportedError, match="solution for mec must be 'A' or 'B', not 'C'"):
        mec(layer, x, w, solution="C")
    with pytest.raises(
        UnsupportedError, match=r"must be at most those of the lowered map \(45\), not 288"
    ):
        mec(layer, x, w, solution="A")


@pytest.mark.parametrize("name", reference.ALGORITHMS)
def test_every_algorithm_checks_its_tensors(name: str) -> None:
    size = 1 if name == "pointwise" else 3
    layer = ConvLayer(1, 5, 5, 2, 2, size, size)
    x, w = np.zeros(layer.x_shape, np.int8), np.zeros(layer.w_shape, np.int8)
    with pytest.raises(LayerError, match="x must be int8, not float32"):
        reference.run(name, layer, x.astype(np.float32), w)
    with pytest.raises(LayerError, match="w must have shape"):
        reference.run(name, layer, x, w[:1])
    with pytest.raises(LayerError, match="bias must have shape"):
        reference.run(name, layer, x, w, np.zeros(3, np.int32))
