# SPDX-License-Identifier: Apache-2.0
"""Beats and registers of `conv_linebuffer`: the raw map, or tiles of it with their halo.

`stream` sends the map as it is, once per filter group, and leaves padding to the kernel. `pack` cuts
the output into tiles of any height and width and sends each tile's part of the padded map as an image
of its own, so that maps wider than the line buffers are done in the same single call. Beat orders:
docs/streams.md.
"""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from convloom.kernels import KernelSpec
from convloom.layer import ConvLayer
from convloom.lowering.job import Job, Place
from convloom.lowering.linebuffer_plan import (
    CHANNELS,
    LinePlan,
    plan_pack,
    plan_stream,
)
from convloom.lowering.params import filter_params
from convloom.lowering.sizes import divide_up
from convloom.lowering.transfers import joined

__all__ = ["pack_job", "stream_job"]


def _tiles_of(plan: LinePlan, x: NDArray[np.int8]) -> NDArray[np.int8]:
    """x (N, H, W, C) as the images that are streamed: (batch, height, width, C)."""
    layer = plan.layer
    if plan.pads == layer.pads and (plan.height, plan.width) == (layer.h, layer.w):
        return x
    top, left, bottom, right = layer.pads
    edges = ((0, 0), (top, bottom), (left, right), (0, 0))
    padded = np.pad(x, edges, constant_values=layer.x_zero_point)
    rows = np.array(plan.tile_rows)[:, None] * layer.stride[0] + np.arange(plan.height)
    columns = np.array(plan.tile_columns)[:, None] * layer.stride[1] + np.arange(plan.width)
    tiles = padded[:, rows[:, None, :, None], columns[None, :, None, :]]
    return tiles.reshape(plan.batch, plan.height, plan.width, layer.c)


def _map_beats(plan: LinePlan, images: NDArray[np.int8], group: int) -> NDArray[np.uint64]:
    """in0 of one group: its channels of every pixel, padded to whole words."""
    own = images[..., group * plan.channels : (group + 1) * plan.channels]
    if own.shape[-1] % CHANNELS or own.shape[-1] < plan.channels:
        padded = np.zeros((*own.shape[:-1], plan.words * CHANNELS), np.int8)
        padded[..., : own.shape[-1]] = own
        own = padded
    return np.ascontiguousarray(own).reshape(-1).view("<u8")


def _windows(plan: LinePlan, w: NDArray[np.int8]) -> NDArray[np.int8]:
    """w (K, R, S, C/groups) in the kernel's window, columns first: (K, taps, taps, C/groups)."""
    layer, taps = plan.layer, plan.sizes["taps"]
    (dh, dw), (high, wide) = layer.dilation, layer.extent
    windows = np.zeros((len(w), taps, taps, layer.cg), np.int8)
    windows[:, :wide:dw, :high:dh] = w.transpose(0, 2, 1, 3)
    return windows


def _group_weights(plan: LinePlan, windows: NDArray[np.int8]) -> NDArray[np.int8]:
    """Weights of one group, (blocks, words, block filters, taps, taps, 8), as the kernel reads them."""
    co, taps = plan.sizes["block_filters"], plan.sizes["taps"]
    blocks = (plan.filter_groups - 1) * plan.blocks + plan.blocks_last
    if not plan.word_blocks:
        padded = np.zeros((blocks * co, taps, taps, plan.words * CHANNELS), np.int8)
        padded[: len(windows), ..., : plan.channels] = windows
        by_word = padded.reshape(blocks, co, taps, taps, plan.words, CHANNELS)
        return by_word.transpose(0, 4, 1, 2, 3, 5)
    # A depthwise block has one word, the one with the channels of its filters.
    weights = np.zeros((blocks, 1, co, taps, taps, CHANNELS), np.int8)
    k = np.arange(len(windows))
    channel = k // (plan.layer.k // plan.layer.c) % CHANNELS
    block, lane = np.divmod(k, plan.block_filters)
    weights[block, 0, lane, :, :, channel] = windows[..., 0]
    return weights


def _weight_beats(
    plan: LinePlan, windows: NDArray[np.int8], params: NDArray[np.uint64]
) -> list[NDArray[np.uint64]]:
    """in1 of one group, by filter group: parameters, then weights."""
    weights = _group_weights(plan, windows)
    beats = np.zeros(len(weights) * plan.block_filters, "<u8")
    beats[: len(params)] = params
    groups = []
    for first in range(0, len(weights), plan.blocks):
        own = np.ascontiguousarray(weights[first : first + plan.blocks]).reshape(-1).view("<u8")
        mine = slice(first * plan.block_filters, (first + plan.blocks) * plan.block_filters)
        groups.append(np.concatenate([beats[mine], own]))
    return groups


def _widths(plan: LinePlan) -> list[tuple[int, int, int]]:
    """Of each group and filter group in order: first filter of all, filters, beats per pixel."""
    per_beat = 8 if plan.layer.requant is not None else 2
    pieces = []
    for group in range(plan.groups):
        for filter_group in range(plan.filter_groups):
            first = group * plan.filters + filter_group * plan.blocks * plan.block_filters
            count = plan.filters_of(filter_group)
            pieces.append((first, count, divide_up(count, per_beat)))
    return pieces


def _pixels(plan: LinePlan) -> int:
    """Output pixels of one pass over all images."""
    return plan.batch * plan.out[0] * plan.out[1]


def _dtype(plan: LinePlan) -> np.dtype:
    return np.dtype(np.int8 if plan.layer.requant is not None else "<i4")


def _output_rows(plan: LinePlan, pixels: NDArray[np.intp]) -> NDArray[np.intp]:
    """The layer's output row (of N·OH·OW) that each output pixel of the stream is."""
    layer = plan.layer
    th, tw = plan.out
    image, row, column = np.unravel_index(pixels, (plan.batch, th, tw))
    n, tile = np.divmod(image, plan.tiles)
    tile_row, tile_column = np.divmod(tile, len(plan.tile_columns))
    p = np.array(plan.tile_rows)[tile_row] + row
    q = np.array(plan.tile_columns)[tile_column] + column
    return (n * layer.oh + p) * layer.ow + q


def unpack_output(plan: LinePlan, beats: NDArray[np.uint64]) -> NDArray:
    """The output transfer as y (N, OH, OW, K)."""
    dtype, pixels, layer = _dtype(plan), _pixels(plan), plan.layer
    y = np.empty((layer.n * layer.oh * layer.ow, plan.groups * plan.filters), dtype)
    rows = _output_rows(plan, np.arange(pixels))
    at = 0
    for first, count, width in _widths(plan):
        piece = beats[at : at + pixels * width].view(dtype).reshape(pixels, -1)
        y[rows, first : first + count] = piece[:, :count]
        at += pixels * width
    return np.ascontiguousarray(y[:, : layer.k]).reshape(layer.y_shape)


def pack_output(plan: LinePlan, y: NDArray) -> NDArray[np.uint64]:
    """The output transfer that holds y (N, OH, OW, K): the inverse of `unpack_output`.

    Filters that only fill up the last channel word of a depthwise layer have no weights, bias or
    scale: 0, or what requantisation makes of it.
    """
    dtype, layer = _dtype(plan), plan.layer
    extra = 0
    if layer.requant is not None:
        low, high = layer.requant.clamp
        extra = min(max(layer.requant.zero_point, low), high)
    whole = np.full((layer.n * layer.oh * layer.ow, plan.groups * plan.filters), extra, dtype)
    whole[:, : layer.k] = np.asarray(y, dtype).reshape(-1, layer.k)
    whole = whole[_output_rows(plan, np.arange(_pixels(plan)))]
    pieces = []
    for first, count, width in _widths(plan):
        piece = np.zeros((len(whole), width * 8 // dtype.itemsize), dtype)
        piece[:, :count] = whole[:, first : first + count]
        pieces.append(piece.reshape(-1))
    return np.concatenate(pieces).view("<u8")


def locate_beat(plan: LinePlan, index: int) -> Place:
    """What output beat `index` holds."""
    pixels, layer = _pixels(plan), plan.layer
    per_beat = 8 if layer.requant is not None else 2
    at = 0
    for piece, (first, _, width) in enumerate(_widths(plan)):
        if index < at + pixels * width:
            pixel, beat = divmod(index - at, width)
            # Filters past the last only fill up the last word of a depthwise layer.
            k = min(first + beat * per_beat, layer.k - 1)
            group, k_of_group = divmod(k, layer.k // layer.groups)
            row = int(_output_rows(plan, np.array([pixel]))[0])
            image = pixel // (plan.out[0] * plan.out[1])
            return Place(group, row, k_of_group, image % plan.tiles, piece % plan.filter_groups)
        at += pixels * width
    raise IndexError(f"output beat must be below {at}, not {index}")


def _job(
    spec: KernelSpec,
    config: str,
    lowering: str,
    plan: LinePlan,
    x: NDArray[np.int8],
    w: NDArray[np.int8],
    bias: NDArray[np.int32],
) -> Job:
    images = _tiles_of(plan, x)
    windows, params = _windows(plan, w), filter_params(plan.layer, w, bias)
    in0: list[NDArray[np.uint64]] = []
    in1: list[NDArray[np.uint64]] = []
    for group in range(plan.groups):
        in0 += [_map_beats(plan, images, group)] * plan.filter_groups
        own = slice(group * plan.filters, (group + 1) * plan.filters)
        in1 += _weight_beats(plan, windows[own], params[own])
    return Job(
        spec,
        config,
        lowering,
        plan.layer,
        registers=plan.registers(),
        streams={"in0": in0, "in1": joined(in1)},
        out_beats=_pixels(plan) * sum(width for _, _, width in _widths(plan)),
        unpack=partial(unpack_output, plan),
        pack=partial(pack_output, plan),
        locate=partial(locate_beat, plan),
    )


def stream_job(
    spec: KernelSpec,
    config: str,
    layer: ConvLayer,
    x: NDArray[np.int8],
    w: NDArray[np.int8],
    bias: NDArray[np.int32],
) -> Job:
    """The raw map; tensors as `ConvLayer.check_tensors` returns them."""
    return _job(spec, config, "stream", plan_stream(spec.config(config), layer), x, w, bias)


def pack_job(
    spec: KernelSpec,
    config: str,
    layer: ConvLayer,
    x: NDArray[np.int8],
    w: NDArray[np.int8],
    bias: NDArray[np.int32],
    *,
    tile: tuple[int, int] | None = None,
) -> Job:
    """Spatial pack: the map as tiles with their halo; `tile` as in `plan_pack`."""
    return _job(spec, config, "pack", plan_pack(spec.config(config), layer, tile), x, w, bias)
