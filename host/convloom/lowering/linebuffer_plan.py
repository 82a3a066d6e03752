# SPDX-License-Identifier: Apache-2.0
"""How `conv_linebuffer` walks a layer: whole map or tiles, channel words, blocks of filters."""

from __future__ import annotations

from dataclasses import dataclass

from convloom.errors import UnsupportedError
from convloom.kernels import KernelSpec
from convloom.layer import ConvLayer
from convloom.lowering.sizes import divide_up

__all__ = [
    "CHANNELS",
    "LinePlan",
    "linebuffer_refusal",
    "plan_pack",
    "plan_stream",
]

CHANNELS = 8
"""Channels of a word: one beat."""

_GEMM = "gemm_systolic takes it"


@dataclass(frozen=True)
class _Split:
    """Channels and filters as the kernel walks them.

    groups: convolutions over channels of their own: the layer's groups, or slices of a depthwise
    layer.  word_blocks: blocks per channel word in depthwise mode, else 0.  words: channel words per
    pixel.
    """

    groups: int
    channels: int
    filters: int
    filter_groups: int
    blocks: int
    blocks_last: int
    word_blocks: int
    words: int


@dataclass(frozen=True)
class LinePlan(_Split):
    """How the kernel walks one layer; sizes from kernel.toml.

    batch, height, width, pads, out: of what is streamed: the layer's own maps, or tiles.
    tile_rows, tile_columns: first output row or column of each tile; one tile each for a whole map.
    """

    sizes: dict[str, int]
    layer: ConvLayer
    batch: int
    height: int
    width: int
    pads: tuple[int, int, int, int]
    out: tuple[int, int]
    tile_rows: tuple[int, ...] = (0,)
    tile_columns: tuple[int, ...] = (0,)

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
        kernel = layer.extent
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


def _split(sizes: dict[str, int], layer: ConvLayer, width: int) -> _Split:
    """Balanced filter groups, for maps (or tiles) at least `width` wide; UnsupportedError if none."""
    if _is_depthwise(layer):
        per_channel = layer.k // layer.c
        own = _depthwise_filters(sizes)
        word_blocks = CHANNELS * per_channel // own
        most_blocks = min(sizes["max_blocks"], sizes["weight_words"])
        words = divide_up(layer.c, CHANNELS)
        most = min(sizes["pixel_words"], most_blocks // word_blocks, sizes["line_words"] // width)
        if most:
            slices = divide_up(words, most)
            words = divide_up(words, slices)
            slices = divide_up(divide_up(layer.c, CHANNELS), words)
            channels = CHANNELS * words  # the last word's spare channels are convolved too
            blocks = words * word_blocks
            filters = channels * per_channel
            return _Split(slices, channels, filters, 1, blocks, blocks, word_blocks, words)
        # Too many filters per channel for a word's blocks: each channel is a dense group.
    words = divide_up(layer.cg, CHANNELS)
    channels = layer.c // layer.groups
    _below("C / groups", channels, CHANNELS * sizes["pixel_words"], _GEMM)
    filters = layer.k // layer.groups
    total = divide_up(filters, sizes["block_filters"])
    most = min(sizes["max_blocks"], sizes["weight_words"] // words)
    blocks = divide_up(total, divide_up(total, most))
    filter_groups = divide_up(total, blocks)
    last = total - (filter_groups - 1) * blocks
    return _Split(layer.groups, channels, filters, filter_groups, blocks, last, 0, words)


def _check_common(sizes: dict[str, int], layer: ConvLayer) -> None:
    """What no tiling helps against."""
    for subject, value in zip(
        ("kernel rows, with dilation,", "kernel columns, with dilation,"), layer.extent, strict=True
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
    return LinePlan(
        **vars(split),
        sizes=sizes,
        layer=layer,
        batch=layer.n,
        height=layer.h,
        width=layer.w,
        pads=layer.pads,
        out=(layer.oh, layer.ow),
    )


def plan_pack(sizes: dict[str, int], layer: ConvLayer, tile: tuple[int, int] | None = None) -> LinePlan:
    """Tiles of (th, tw) outputs; None: all rows, and as few equal columns as fit the line buffers.

    The last tile of a row or column starts earlier where it would stand out, and overlaps.
    """
    _check_common(sizes, layer)
    (sh, sw), (extent_h, extent_w) = layer.stride, layer.extent
    split = _split(sizes, layer, extent_w)
    widest = sizes["line_words"] // split.words
    _below("⌈C/8⌉ · kernel columns", split.words * extent_w, sizes["line_words"], _GEMM)
    most = min((widest - extent_w) // sw + 1, layer.ow)
    if tile is None:
        tile = (layer.oh, divide_up(layer.ow, divide_up(layer.ow, most)))
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
    return LinePlan(
        **vars(split),
        sizes=sizes,
        layer=layer,
        batch=batch,
        height=size[0],
        width=size[1],
        pads=(0, 0, 0, 0),
        out=(th, tw),
        tile_rows=rows,
        tile_columns=columns,
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
