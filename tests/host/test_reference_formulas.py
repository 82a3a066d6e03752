# SPDX-License-Identifier: Apache-2.0
"""Extra bytes and multiplications against the published formulas, and the shape of the buffers."""

from __future__ import annotations

import numpy as np
import pytest

from convloom import reference
from convloom.layer import ConvLayer
from convloom.random_layers import random_layers
from convloom.reference import im2col, indirect, mec, pointwise, spatial_pack


def zeros(layer: ConvLayer) -> tuple[np.ndarray, np.ndarray]:
    return np.zeros(layer.x_shape, np.int8), np.zeros(layer.w_shape, np.int8)


def test_formulas_on_random_layers(seed: int) -> None:
    for y, x, w, bias in random_layers(60, seed, max_macs=8000):
        ih = y.h + y.pads[0] + y.pads[2]
        pixels = y.n * y.oh * y.ow
        for name, extra, multiplications in (
            ("direct", 0, None),
            ("im2col", pixels * y.r * y.s * y.c, y.macs),
            ("im2col_nchw", pixels * y.r * y.s * y.c, y.macs),
            ("mec_basic", y.ow * ih * y.s, y.macs),
            ("mec", y.n * y.ow * ih * y.s * y.c, y.macs),
            ("indirect", 4 * y.oh * y.ow * y.r * y.s + y.c, y.macs),
        ):
            result = reference.run(name, y, x, w, bias)
            assert result.extra_bytes == extra, name
            assert result.weight_bytes == 0
            assert multiplications is None or result.multiplications == multiplications, name


def test_published_sizes_of_mec() -> None:
    """The MEC paper's example: a 7x7 map, 3x3 filter, stride 1: L is 5x21, im2col 25x9."""
    layer = ConvLayer(1, 7, 7, 1, 1, 3, 3)
    x, w = zeros(layer)
    assert reference.run("mec_basic", layer, x, w).extra_bytes == 105
    assert reference.run("mec", layer, x, w).extra_bytes == 105
    assert reference.run("im2col", layer, x, w).extra_bytes == 225
    # cv6 of its benchmark, 12x12x256 and 3x3x512: the factor is R*OH/IH = 2.5.
    layer = ConvLayer(1, 12, 12, 256, 1, 3, 3)
    x, w = zeros(layer)
    factor = (
        reference.run("im2col", layer, x, w).extra_bytes / reference.run("mec", layer, x, w).extra_bytes
    )
    assert factor == 2.5 == layer.r * layer.oh / layer.h


def test_direct_multiplies_inside_pixels_only() -> None:
    layer = ConvLayer(1, 3, 3, 2, 4, 3, 3, pads=(1, 1, 1, 1))
    # Along each axis the three positions see 2, 3 and 2 pixels: 7 * 7 products per channel and filter.
    assert reference.run("direct", layer, *zeros(layer)).multiplications == 49 * 8
    assert layer.macs == 81 * 8


@pytest.mark.parametrize(
    ("tile", "tiles", "halo"),
    [((8, 8), 1, 10 * 10), ((4, 4), 4, 6 * 6), ((2, 8), 4, 4 * 10), ((3, 5), 6, 5 * 7)],
)
def test_spatial_pack_counts_its_halo(tile: tuple[int, int], tiles: int, halo: int) -> None:
    layer = ConvLayer(2, 10, 10, 5, 3, 3, 3)
    result = spatial_pack.spatial_pack(layer, *zeros(layer), tile=tile)
    assert result.extra_bytes == 2 * tiles * halo * 5
    assert result.multiplications == 2 * tiles * tile[0] * tile[1] * 9 * 5 * 3


def test_spatial_pack_halo_with_stride_and_dilation() -> None:
    layer = ConvLayer(1, 20, 30, 2, 1, 3, 2, stride=(2, 3), dilation=(2, 4))
    assert (layer.oh, layer.ow) == (8, 9)
    result = spatial_pack.spatial_pack(layer, *zeros(layer), tile=(4, 3))
    assert result.extra_bytes == (2 * 3) * ((3 * 2 + 2 * 2 + 1) * (2 * 3 + 4 + 1)) * 2


def test_winograd_f4_saves_what_is_published() -> None:
    """16x16 input, 128 channels, 3x3 without pads, one filter: 14x14 outputs.

    Direct takes 14*14*9*128 = 225,792 multiplications; F(4x4,3x3) has ceil(14/4)**2 = 16 tiles of 36
    products per channel, 73,728: 3.0625 times fewer, which is 4 * (14/16)**2, the edge loss included.
    """
    layer = ConvLayer(1, 16, 16, 128, 1, 3, 3)
    x, w = zeros(layer)
    direct, f4 = (
        reference.run(name, layer, x, w).multiplications for name in ("direct", "winograd_f4")
    )
    assert (direct, f4, direct / f4) == (225_792, 73_728, 3.0625)
    assert reference.run("winograd_f2", layer, x, w).multiplications == 49 * 16 * 128
    many = ConvLayer(1, 16, 16, 128, 7, 3, 3)
    assert reference.run("winograd_f4", many, *zeros(many)).multiplications == 7 * 73_728


@pytest.mark.parametrize(("name", "m"), [("winograd_f2", 2), ("winograd_f4", 4)])
def test_winograd_bytes(name: str, m: int) -> None:
    """(m+2)**2 elements per tile and channel, per tile and filter, and per channel and filter."""
    layer = ConvLayer(2, 9, 13, 6, 8, 3, 3, pads=(1, 1, 1, 1), groups=2)
    tiles = 2 * -(-9 // m) * -(-13 // m)
    result = reference.run(name, layer, *zeros(layer))
    assert result.extra_bytes == (m + 2) ** 2 * tiles * (2 * 6 + 8 * 8)
    assert result.weight_bytes == (m + 2) ** 2 * 2 * 3 * 8


# Buffers -----------------------------------------------------------------------------------------


def test_pointwise_reads_the_map_itself(rng: np.random.Generator) -> None:
    layer = ConvLayer(2, 6, 7, 3, 2, 1, 1, stride=(2, 3), pads=(2, 1, 0, 3))
    x = rng.integers(-128, 128, layer.x_shape, dtype=np.int8)
    _, _, view = pointwise.pixels(layer, x)
    assert np.shares_memory(view, x)
    result = pointwise.pointwise(layer, x, np.ones(layer.w_shape, np.int8))
    assert result.extra_bytes == 0
    assert result.multiplications == view.size * 2 < layer.macs


def test_lowered_windows_are_the_columns(seed: int) -> None:
    """L, the indirection buffer and the pack all hold the windows that im2col writes out."""
    for layer, x, _, _ in random_layers(45, seed, max_macs=8000):
        want = im2col.columns_nhwc(layer, x)
        nchw = im2col.columns_nchw(layer, x.transpose(0, 3, 1, 2))
        np.testing.assert_array_equal(nchw.transpose(0, 4, 5, 2, 3, 1), want)

        whole = mec.lowered(layer, x)
        starts = mec.row_positions(layer)[np.arange(layer.oh) * layer.stride[0]]
        parts = [whole[:, :, start : start + layer.r] for start in starts]
        np.testing.assert_array_equal(np.stack(parts, axis=1), want)

        buffer = indirect.indirection_buffer(layer)
        assert (
            buffer.dtype == np.int32
            and buffer.min() >= indirect.ZERO_ROW
            and buffer.max() < layer.h * layer.w
        )
        row = np.full((layer.n, 1, layer.c), layer.x_zero_point, np.int8)
        rows = np.concatenate([x.reshape(layer.n, -1, layer.c), row], axis=1)
        np.testing.assert_array_equal(rows[:, buffer].reshape(want.shape), want)

        pack = spatial_pack.packed(layer, x, (1, 1))  # tiles of one output are the windows themselves
        picked = pack[:, :, :, :: layer.dilation[0], :: layer.dilation[1]]
        np.testing.assert_array_equal(picked, want)


def test_partitions_of_mec_overlap_without_a_copy(rng: np.random.Generator) -> None:
    layer = ConvLayer(1, 7, 7, 2, 1, 3, 3)
    whole = mec.lowered(layer, rng.integers(-128, 128, layer.x_shape, dtype=np.int8))
    rows = whole.reshape(layer.ow, -1)
    pitch, length = 3 * 2, 3 * 3 * 2
    first, second = rows[:, :length], rows[:, pitch : pitch + length]
    assert np.shares_memory(first, whole) and np.shares_memory(first, second)
    np.testing.assert_array_equal(first[:, pitch:], second[:, :-pitch])


def test_col2im_is_the_transpose_of_im2col(seed: int, rng: np.random.Generator) -> None:
    for layer, x, _, _ in random_layers(40, seed, max_macs=8000, exclude=("zero_point",)):
        columns = im2col.columns_nhwc(layer, x)
        other = rng.integers(-1000, 1000, columns.shape)
        left = (columns.astype(np.int64) * other).sum()
        back = im2col.col2im_nhwc(layer, other)
        assert back.shape == x.shape and left == (x.astype(np.int64) * back).sum()
        nchw = im2col.col2im_nchw(layer, other.transpose(0, 5, 3, 4, 1, 2))
        np.testing.assert_array_equal(nchw.transpose(0, 2, 3, 1), back)


def test_col2im_gives_the_map_back_where_windows_tile_it(rng: np.random.Generator) -> None:
    layer = ConvLayer(2, 6, 9, 3, 1, 2, 3, stride=(2, 3), x_zero_point=5)
    x = rng.integers(-128, 128, layer.x_shape, dtype=np.int8)
    np.testing.assert_array_equal(im2col.col2im_nhwc(layer, im2col.columns_nhwc(layer, x)), x)
    with pytest.raises(Exception, match=r"columns must have shape \(2, 3, 3, 2, 3, 3\), not \(1,\)"):
        im2col.col2im_nhwc(layer, np.zeros(1, np.int8))
    with pytest.raises(Exception, match="columns must be integers, not float64"):
        im2col.col2im_nhwc(layer, np.zeros((2, 3, 3, 2, 3, 3)))
