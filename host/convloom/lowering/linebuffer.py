# SPDX-License-Identifier: Apache-2.0
"""Beats and registers of `conv_linebuffer`: the raw map, or tiles of it with their halo.

`stream` sends the map as it is, once per filter group, and leaves padding to the kernel. `pack` cuts
the output into tiles of any height and width and sends each tile's part of the padded map as an image
of its own, so that maps wider than the line buffers are done in the same single call. Beat orders:
docs/streams.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from convloom.errors import UnsupportedError
from convloom.kernels import KernelSpec
from convloom.layer import ConvLayer
from convloom.lowering.job import Job, Place
from convloom.lowering.params import filter_params

__all__ = ["LinePlan", "linebuffer_refusal", "pack_job", "plan_pack", "plan_stream", "stream_job"]

CHANNELS = 8
"""Channels of a word: one beat."""

_GEMM = "gemm_systolic takes it"


def _divide_up(a: int, b: int) -> int:
    return -(-a // b)


@dataclass(frozen=True)
class LinePlan:
    """How the kernel walks one layer; sizes from kernel.toml.

    batch, height, width, pads, out: of what is streamed: the layer's own maps, or tiles.
    tile_rows, tile_columns: first output row or column of each tile; one tile each for a whole map.
    groups: convolutions over channels of their own: the layer's groups, or slices of a depthwise
    layer.  word_blocks: blocks per channel word in depthwise mode, else 0.
    """

    sizes: dict[str, int]
    layer: ConvLayer
    batch: int
    height: int
    width: int
    pads: tuple[int, int, int, int]
    out: tuple[int, int]
    tile_rows: tuple[int, ...]
    tile_columns: tuple[int, ...]
    groups: int
    channels: int
    filters: int
    filter_groups: int
    blocks: int
    blocks_last: int
    word_blocks: int

    @property
    def words(self) -> int:
        """Channel words per pixel."""
        return _divide_up(self.channels, CHANNELS)

    @property
    def block_filters(self) -> int:
        """Filters of a block that are used."""
        return _depthwise_filters(self.sizes) if self.word_blocks else self.sizes["block_filters"]

    @property
    def tiles(self) -> int:
        """Tiles of one image."""
        return len(self.tile_rows) * len(self.tile_columns)

    def filters_of(self, filter_group: int) -> int:
        """Filters of a filter group that are there."""
        full = self.blocks * self.block_filters
        return min(full, self.filters - filter_group * full)

    def registers(self) -> dict[str, int]:
        """Values of the kernel's input registers."""
        layer, requant = self.layer, self.layer.requant
        kernel = _extent(layer)
        return {
            "groups": self.groups,
            "filter_groups": self.filter_groups,
            "batch": self.batch,
            "height": self.height,
            "width": self.width,
            "channels": self.channels,
            "filters": self.filters,
            "blocks": self.blocks,
            "blocks_last": self.blocks_last,
            "word_blocks": self.word_blocks,
            "kernel_height": kernel[0],
            "kernel_width": kernel[1],
            "out_height": self.out[0],
            "out_width": self.out[1],
            "stride_h": layer.stride[0],
            "stride_w": layer.stride[1],
            "pad_top": self.pads[0],
            "pad_left": self.pads[1],
            "pad_bottom": self.pads[2],
            "pad_right": self.pads[3],
            "int8_output": int(requant is not None),
            "x_zero_point": layer.x_zero_point,
            "y_zero_point": requant.zero_point if requant else 0,
            "clamp_low": requant.clamp[0] if requant else -128,
            "clamp_high": requant.clamp[1] if requant else 127,
        }


def _extent(layer: ConvLayer) -> tuple[int, int]:
    """Rows and columns of the kernel with its dilation."""
    return (layer.r - 1) * layer.dilation[0] + 1, (layer.s - 1) * layer.dilation[1] + 1


def _depthwise_filters(sizes: dict[str, int]) -> int:
    """Filters of a depthwise block: the largest power of two that fits a block and a channel word."""
    return 1 << (min(sizes["block_filters"], CHANNELS).bit_length() - 1)


def _is_depthwise(layer: ConvLayer) -> bool:
    return layer.groups == layer.c > 1


def _below(subject: str, value: int, limit: int, instead: str) -> None:
    if value > limit:
        raise UnsupportedError(
            f"{subject} must be at most {limit} for conv_linebuffer, not {value}; {instead}"
        )


@dataclass(frozen=True)
class _Split:
    """Channels and filters as the kernel walks them; `words` per pixel."""

    groups: int
    channels: int
    filters: int
    filter_groups: int
    blocks: int
    blocks_last: int
    word_blocks: int
    words: int


def _split(sizes: dict[str, int], layer: ConvLayer, width: int) -> _Split:
    """Balanced filter groups, for maps (or tiles) at least `width` wide; UnsupportedError if none."""
    if _is_depthwise(layer):
        per_channel = layer.k // layer.c
        own = _depthwise_filters(sizes)
        word_blocks = CHANNELS * per_channel // own
        most_blocks = min(sizes["max_blocks"], sizes["weight_words"])
        words = _divide_up(layer.c, CHANNELS)
        most = min(sizes["pixel_words"], most_blocks // word_blocks, sizes["line_words"] // width)
        if most:
            slices = _divide_up(words, most)
            words = _divide_up(words, slices)
            slices = _divide_up(_divide_up(layer.c, CHANNELS), words)
            channels = CHANNELS * words  # the last word's spare channels are convolved too
            blocks = words * word_blocks
            filters = channels * per_channel
            return _Split(slices, channels, filters, 1, blocks, blocks, word_blocks, words)
        # Too many filters per channel for a word's blocks: each channel is a dense group.
    words = _divide_up(layer.cg, CHANNELS)
    channels = layer.c // layer.groups
    _below("C / groups", channels, CHANNELS * sizes["pixel_words"], _GEMM)
    filters = layer.k // layer.groups
    total = _divide_up(filters, sizes["block_filters"])
    most = min(sizes["max_blocks"], sizes["weight_words"] // words)
    blocks = _divide_up(total, _divide_up(total, most))
    filter_groups = _divide_up(total, blocks)
    last = total - (filter_groups - 1) * blocks
    return _Split(layer.groups, channels, filters, filter_groups, blocks, last, 0, words)


def _check_common(sizes: dict[str, int], layer: ConvLayer) -> None:
    """What no tiling helps against."""
    for subject, value in zip(
        ("kernel rows, with dilation,", "kernel columns, with dilation,"), _extent(layer), strict=True
    ):
        _below(subject, value, sizes["taps"], _GEMM)
    _below("stride", max(layer.stride), 15, _GEMM)
    _below("K / groups", layer.k // layer.groups, 65535, "split the layer by filters")
    _below("groups", layer.groups, 65535, "split the layer by channels")


def plan_stream(sizes: dict[str, int], layer: ConvLayer) -> LinePlan:
    """The whole map through the line buffers; UnsupportedError where it does not fit."""
    _check_common(sizes, layer)
    _below("pads", max(layer.pads), 255, "lowering pack takes it")
    for subject, value in (("N", layer.n), ("H", layer.h), ("OH", layer.oh), ("OW", layer.ow)):
        _below(subject, value, 65535, "split the layer")
    _below("W", layer.w, sizes["line_words"], "lowering pack takes it")
    split = _split(sizes, layer, layer.w)
    _below("W·⌈C/8⌉", layer.w * split.words, sizes["line_words"], "lowering pack takes it")
    return _plan(sizes, layer, split, layer.n, (layer.h, layer.w), layer.pads, (layer.oh, layer.ow))


def plan_pack(sizes: dict[str, int], layer: ConvLayer, tile: tuple[int, int] | None = None) -> LinePlan:
    """Tiles of (th, tw) outputs; None: all rows, and as few equal columns as fit the line buffers.

    The last tile of a row or column starts earlier where it would stand out, and overlaps.
    """
    _check_common(sizes, layer)
    (sh, sw), (extent_h, extent_w) = layer.stride, _extent(layer)
    split = _split(sizes, layer, extent_w)
    widest = sizes["line_words"] // split.words
    _below("⌈C/8⌉ · kernel columns", split.words * extent_w, sizes["line_words"], _GEMM)
    most = min((widest - extent_w) // sw + 1, layer.ow)
    if tile is None:
        tile = (layer.oh, _divide_up(layer.ow, _divide_up(layer.ow, most)))
    th, tw = tile
    for axis, value, limit in (("rows", th, layer.oh), ("columns", tw, most)):
        if not 1 <= value <= limit:
            raise UnsupportedError(f"tile {axis} must be in 1..{limit} for {layer.name}, not {value}")
    rows = tuple(min(i, layer.oh - th) for i in range(0, layer.oh, th))
    columns = tuple(min(i, layer.ow - tw) for i in range(0, layer.ow, tw))
    batch = layer.n * len(rows) * len(columns)
    size = ((th - 1) * sh + extent_h, (tw - 1) * sw + extent_w)
    _below("N · tiles", batch, 65535, "use larger tiles or split the layer")
    _below("map rows of a tile", size[0], 65535, "use lower tiles")
    return _plan(sizes, layer, split, batch, size, (0, 0, 0, 0), (th, tw), rows, columns)


def _plan(
    sizes: dict[str, int],
    layer: ConvLayer,
    split: _Split,
    batch: int,
    size: tuple[int, int],
    pads: tuple[int, int, int, int],
    out: tuple[int, int],
    rows: tuple[int, ...] = (0,),
    columns: tuple[int, ...] = (0,),
) -> LinePlan:
    return LinePlan(
        sizes,
        layer,
        batch,
        size[0],
        size[1],
        pads,
        out,
        rows,
        columns,
        split.groups,
        split.channels,
        split.filters,
        split.filter_groups,
        split.blocks,
        split.blocks_last,
        split.word_blocks,
    )


def linebuffer_refusal(
    layer: ConvLayer, spec: KernelSpec, lowering: str, config: str | None = None
) -> str | None:
    """Why `conv_linebuffer` can not do this layer with this lowering, in words; None if it can.

    Without a configuration the limits of the largest one hold.
    """
    largest = max(spec.configs.values(), key=lambda s: s["line_words"])
    sizes = largest if config is None else spec.config(config)
    try:
        (plan_stream if lowering == "stream" else plan_pack)(sizes, layer)
    except UnsupportedError as error:
        return str(error)
    return None


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
    (dh, dw), (high, wide) = layer.dilation, _extent(layer)
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
    """in1 of one group, a transfer per filter group: parameters, then weights."""
    weights = _group_weights(plan, windows)
    beats = np.zeros(len(weights) * plan.block_filters, "<u8")
    beats[: len(params)] = params
    transfers = []
    for first in range(0, len(weights), plan.blocks):
        own = np.ascontiguousarray(weights[first : first + plan.blocks]).reshape(-1).view("<u8")
        mine = slice(first * plan.block_filters, (first + plan.blocks) * plan.block_filters)
        transfers.append(np.concatenate([beats[mine], own]))
    return transfers


def _widths(plan: LinePlan) -> list[tuple[int, int, int]]:
    """Of each group and filter group in order: first filter of all, filters, beats per pixel."""
    per_beat = 8 if plan.layer.requant is not None else 2
    pieces = []
    for group in range(plan.groups):
        for filter_group in range(plan.filter_groups):
            first = group * plan.filters + filter_group * plan.blocks * plan.block_filters
            count = plan.filters_of(filter_group)
            pieces.append((first, count, _divide_up(count, per_beat)))
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
        streams={"in0": in0, "in1": in1},
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
