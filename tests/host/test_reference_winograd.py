# SPDX-License-Identifier: Apache-2.0
"""Exactness of the integer Winograd transforms: identities, bit widths, extremes, hardware division."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from convloom import reference
from convloom.layer import ConvLayer
from convloom.reference.winograd import F2, F4, Transform, divide_576

BOTH = pytest.mark.parametrize("transform", [F2, F4], ids=lambda t: t.name)


def worst(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int8 tiles driving element (i, j) of `matrix @ tile @ matrix.T` to its largest and smallest."""
    weight = matrix[:, None, :, None] * matrix[None, :, None, :]  # (i, j, tile row, tile column)
    high = np.where(weight > 0, 127, -128).astype(np.int8)
    low = np.where(weight > 0, -128, 127).astype(np.int8)
    return high, low


@BOTH
def test_matrices_are_the_minimal_filtering_algorithm(transform: Transform) -> None:
    """A'[(Gg)(B'd)] is the valid correlation of d with g for all unit vectors: an identity."""
    m, t = transform.m, transform.m + 2
    for tap in range(3):
        for position in range(t):
            u = transform.d * transform.h[:, tap]  # factor * G e_tap
            y = transform.at @ (u * transform.bt[:, position])
            want = [transform.factor * int(position == out + tap) for out in range(m)]
            assert y.tolist() == want


def test_scaled_filter_rows_are_those_of_the_paper() -> None:
    g = [[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]]  # 24 * G
    assert (F4.d[:, None] * F4.h).tolist() == g
    assert set(F4.d.tolist()) <= {1, 2, 4, 8}  # shifts by 1, 2, 2, 0, 0, 3
    assert [Fraction(v, 24) for v in g[3]] == [Fraction(1, 24), Fraction(1, 12), Fraction(1, 6)]


@pytest.mark.parametrize(
    ("transform", "inputs", "filters"),
    [(F2, (-512, 510), (-1152, 1147)), (F4, (-12768, 12750), (-6272, 6243))],
    ids=["F2", "F4"],
)
def test_widths_of_both_transforms(
    transform: Transform, inputs: tuple[int, int], filters: tuple[int, int]
) -> None:
    """V has 10 and 15 bits, U 12 and 14: the exact extremes over all int8 tiles and filters."""
    for matrix, apply, want in (
        (transform.bt, transform.inputs, inputs),
        (transform.h, transform.filters, filters),
    ):
        high, low = worst(matrix)
        size = range(matrix.shape[0])
        top = max(int(apply(high[i, j])[i, j]) for i in size for j in size)
        bottom = min(int(apply(low[i, j])[i, j]) for i in size for j in size)
        assert (bottom, top) == want


def test_multiplier_of_the_division() -> None:
    assert 9 * 0x8E38E39 % 2**28 == 1
    assert (1 - 8) * (1 + 64) * (1 + 2**12) * (1 + 2**24) % 2**28 == 0x8E38E39


def test_hardware_division_is_exact_over_28_bits(rng: np.random.Generator) -> None:
    y = np.concatenate([rng.integers(-(2**27), 2**27, 5000), [0, 1, -1, 2**27 - 1, -(2**27)]])
    np.testing.assert_array_equal(divide_576(576 * y), y)
    wrapped = 576 * y + 2**34 * rng.integers(-5, 6, y.size)  # only S modulo 2**34 is known
    np.testing.assert_array_equal(divide_576(wrapped), y)
    assert divide_576(np.array([576 * 2**27]))[0] != 2**27  # the limit is where it is said to be


@BOTH
def test_all_extreme_tile_of_512_channels(transform: Transform) -> None:
    """One tile, C = 512, every pattern that drives one element of V and of U to an end of its range.

    Held against direct sums, in int64 and as hardware computes it: sums modulo 2**34, then divide_576.
    """
    t, channels = transform.m + 2, 512
    tiles = np.concatenate([v.reshape(-1, t, t) for v in worst(transform.bt)])
    filters = np.concatenate([v.reshape(-1, 3, 3) for v in worst(transform.h)])
    flat = [np.full((1, t, t), value, np.int8) for value in (-128, 127)]
    tiles = np.unique(np.concatenate([tiles, *flat]), axis=0)
    filters = np.unique(
        np.concatenate([filters, *(np.full((1, 3, 3), value, np.int8) for value in (-128, 127))]),
        axis=0,
    )
    windows = np.lib.stride_tricks.sliding_window_view(tiles, (3, 3), axis=(1, 2))
    want = channels * np.einsum("tpqrs,frs->tfpq", windows.astype(np.int64), filters.astype(np.int64))
    v, u = transform.inputs(tiles), transform.filters(filters)
    sums = channels * (v[:, None].astype(np.int64) * u[None].astype(np.int64))
    scaled = transform.outputs(sums)
    np.testing.assert_array_equal(scaled, transform.factor**2 * want)
    assert np.abs(want).max() == channels * 9 * 128 * 128
    if transform is F4:
        assert np.abs(sums).max() >= 2**33  # so 34 bits do wrap, and it does not matter
        modulo = sums & (2**34 - 1)
        np.testing.assert_array_equal(divide_576(transform.outputs(modulo)), want)


@pytest.mark.parametrize("name", ["winograd_f2", "winograd_f4"])
def test_extreme_layers_of_512_channels(name: str, rng: np.random.Generator) -> None:
    layer = ConvLayer(1, 6, 6, 512, 3, 3, 3)
    for low_x, low_w in ((-128, -128), (-128, 127), (127, -128)):
        x, w = np.full(layer.x_shape, low_x, np.int8), np.full(layer.w_shape, low_w, np.int8)
        got = reference.run(name, layer, x, w)
        assert (got.y == 512 * 9 * low_x * low_w).all()
    x = rng.choice(np.array([-128, 127], np.int8), layer.x_shape)
    w = rng.choice(np.array([-128, 127], np.int8), layer.w_shape)
    want = reference.run("im2col", layer, x, w).y
    np.testing.assert_array_equal(reference.run(name, layer, x, w).y, want)
