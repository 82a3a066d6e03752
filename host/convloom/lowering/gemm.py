# SPDX-License-Identifier: Apache-2.0
"""Tiles, registers and beats of `gemm_systolic`, for every lowering that uses it.

A lowering (`operands`) gives the pieces of which each row consists; this module cuts the product into
tiles, stores each piece of a tile once and points to it from the table, packs the weights in the same
order and takes the results apart.  Beat orders: docs/streams.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from convloom.errors import UnsupportedError
from convloom.kernels import KernelSpec
from convloom.layer import ConvLayer
from convloom.lowering.job import Job, Place
from convloom.lowering.operands import OPERANDS, Operand, pieces
from convloom.lowering.params import filter_params
from convloom.lowering.sizes import divide_up
from convloom.lowering.transfers import joined

__all__ = [
    "GemmTiling",
    "Tile",
    "activation_beats",
    "gemm_job",
    "gemm_refusal",
    "locate_beat",
    "output_beats",
    "pack_output",
    "tile_product",
    "unpack_output",
    "weight_beats",
]


def _cut(count: int, size: int, max_blocks: int) -> tuple[int, int, int]:
    """`count` things in blocks of `size`: (tiles, blocks per tile, blocks of the last), balanced."""
    blocks = divide_up(count, size)
    per_tile = divide_up(blocks, divide_up(blocks, max_blocks))
    tiles = divide_up(blocks, per_tile)
    return tiles, per_tile, blocks - (tiles - 1) * per_tile


@dataclass(frozen=True)
class Tile:
    """One filter block of one row tile of one filter tile: what comes out in one piece."""

    group: int
    filter_tile: int
    row_tile: int
    first_row: int
    rows: int
    first_filter: int
    filters: int


@dataclass(frozen=True)
class GemmTiling:
    """The product per group, C[rows, filters], as the kernel walks it; sizes from kernel.toml."""

    sizes: dict[str, int]
    rows: int
    filters: int
    groups: int
    row_tiles: int
    row_blocks: int
    row_blocks_last: int
    filter_tiles: int
    filter_blocks: int
    filter_blocks_last: int
    chunks: int
    segments: int
    segment_words: int
    image_words: int

    @property
    def tile_rows(self) -> int:
        """Rows of a full row tile."""
        return self.row_blocks * self.sizes["rows"]

    @property
    def depth(self) -> int:
        """Byte positions of a chunk."""
        return self.segments * self.segment_words * self.sizes["word_bytes"]

    @property
    def table_beats(self) -> int:
        return divide_up(self.tile_rows * self.segments, 4)

    def registers(self, layer: ConvLayer) -> dict[str, int]:
        """Values of the kernel's input registers."""
        requant = layer.requant
        return {
            "rows": self.rows,
            "filters": self.filters,
            "groups": self.groups,
            "row_tiles": self.row_tiles,
            "row_blocks": self.row_blocks,
            "row_blocks_last": self.row_blocks_last,
            "filter_tiles": self.filter_tiles,
            "filter_blocks": self.filter_blocks,
            "filter_blocks_last": self.filter_blocks_last,
            "chunks": self.chunks,
            "segments": self.segments,
            "segment_words": self.segment_words,
            "image_words": self.image_words,
            "int8_output": int(requant is not None),
            "y_zero_point": requant.zero_point if requant else 0,
            "clamp_low": requant.clamp[0] if requant else -128,
            "clamp_high": requant.clamp[1] if requant else 127,
        }

    def tiles(self) -> Iterator[Tile]:
        """The pieces of the output in the order in which they leave the kernel."""
        cols = self.sizes["cols"]
        for group in range(self.groups):
            for filter_tile in range(self.filter_tiles):
                final = filter_tile == self.filter_tiles - 1
                blocks = self.filter_blocks_last if final else self.filter_blocks
                for row_tile in range(self.row_tiles):
                    first_row = row_tile * self.tile_rows
                    rows = min(self.tile_rows, self.rows - first_row)
                    for block in range(blocks):
                        first = (filter_tile * self.filter_blocks + block) * cols
                        filters = min(cols, self.filters - first)
                        yield Tile(group, filter_tile, row_tile, first_row, rows, first, filters)


def tile_product(
    spec: KernelSpec, config: str, layer: ConvLayer, lowering: str, keys: NDArray[np.int64]
) -> GemmTiling:
    """Balanced tiles: the most rows whose table and pieces fit, then the chunks that are fastest.

    Many rows come first because weights are streamed once per row tile.  `keys` are those of one group
    (all groups have the same).  Raises UnsupportedError if not even one block of rows fits.
    """
    sizes = spec.config(config)
    segments, length = pieces(layer, lowering)
    filters = layer.k // layer.groups
    filter_tiles, filter_blocks, filter_blocks_last = _cut(
        filters, sizes["cols"], sizes["max_filter_blocks"]
    )
    words = divide_up(length, sizes["word_bytes"])
    shortest = divide_up(2 * sizes["rows"] - 1, sizes["word_bytes"] * segments)

    all_filter_blocks = layer.groups * divide_up(filters, sizes["cols"])
    blocks = all_filter_blocks * divide_up(len(keys), sizes["rows"])
    results = sizes["rows"] * sizes["cols"] // sizes["lanes"]  # cycles of a block's requantisation

    for most in range(sizes["max_row_blocks"], 0, -1):
        row_tiles, row_blocks, row_blocks_last = _cut(len(keys), sizes["rows"], most)
        tile_rows = row_blocks * sizes["rows"]
        if tile_rows * segments > 4 * sizes["table_beats"]:
            continue
        stored = max(len(np.unique(t)) for t in _tiles_of(keys, tile_rows))
        longest = min(sizes["max_chunk_words"] // segments, sizes["image_words"] // stored)
        if longest < shortest:
            continue

        def cycles(chunk_words: int, stored: int = stored, tiles: int = row_tiles) -> tuple[int, int]:
            """Of the array, with two from each step to the next, and to load the first image."""
            chunks = divide_up(words, chunk_words)
            depth = chunk_words * segments * sizes["word_bytes"]
            fill = stored * chunk_words * sizes["word_bytes"] // 8
            steps = 2 * chunks * tiles * all_filter_blocks
            return blocks * ((chunks - 1) * depth + max(depth, results)) + steps + fill, chunks

        chunk_words = min(range(shortest, longest + 1), key=cycles)
        return GemmTiling(
            sizes,
            len(keys),
            filters,
            layer.groups,
            row_tiles,
            row_blocks,
            row_blocks_last,
            filter_tiles,
            filter_blocks,
            filter_blocks_last,
            chunks=divide_up(words, chunk_words),
            segments=segments,
            segment_words=chunk_words,
            image_words=stored * chunk_words,
        )
    raise UnsupportedError(
        f"{layer.name}: the pieces of {sizes['rows']} output pixels must fit the activation memory of "
        f"{spec.name} ({config}: {sizes['image_words']} words) under lowering {lowering}, and do not; "
        f"im2col does this layer"
    )


def _tiles_of(keys: NDArray[np.int64], tile_rows: int) -> list[NDArray[np.int64]]:
    return [keys[at : at + tile_rows] for at in range(0, len(keys), tile_rows)]


def activation_beats(tiling: GemmTiling, operand: Operand) -> NDArray[np.uint64]:
    """in0 of one group: per row tile the table and one image per chunk."""
    piece = tiling.segment_words * tiling.sizes["word_bytes"]
    array_rows = tiling.sizes["rows"]
    parts: list[NDArray[np.uint8]] = []
    for keys in _tiles_of(operand.keys, tiling.tile_rows):
        # Rows past the last point anywhere: their results are dropped.
        full = np.full((tiling.tile_rows, tiling.segments), keys.flat[0])
        full[: len(keys)] = keys
        stored, index = np.unique(full, return_inverse=True)
        pointers = (index * tiling.segment_words).reshape(-1, array_rows, tiling.segments)
        table = np.zeros(4 * tiling.table_beats, "<u2")
        table[: full.size] = pointers.transpose(0, 2, 1).reshape(-1)
        image = np.zeros((tiling.image_words // tiling.segment_words, tiling.chunks * piece), np.int8)
        image[: len(stored), : operand.length] = operand.fetch(stored)
        by_chunk = image.reshape(len(image), tiling.chunks, piece).transpose(1, 0, 2)
        parts += [table.view(np.uint8), np.ascontiguousarray(by_chunk).view(np.uint8).reshape(-1)]
    return np.concatenate(parts).view("<u8")


def weight_beats(
    tiling: GemmTiling, weights: NDArray[np.int8], params: NDArray[np.uint64]
) -> list[NDArray[np.uint64]]:
    """in1 of one group, by filter tile: parameters, then weights by chunk and block.

    `weights`: (filters, segments, length) int8 in the order of the pieces; `params`: (filters,) beats.
    """
    cols = tiling.sizes["cols"]
    filters, segments, length = weights.shape
    blocks = (tiling.filter_tiles - 1) * tiling.filter_blocks + tiling.filter_blocks_last
    piece = tiling.segment_words * tiling.sizes["word_bytes"]
    padded = np.zeros((blocks * cols, segments, tiling.chunks * piece), np.int8)
    padded[:filters, :, :length] = weights
    # (filter, segment, chunk, byte) → (filter, chunk, segment, byte)
    padded = padded.reshape(blocks * cols, segments, tiling.chunks, piece).transpose(0, 2, 1, 3)
    beats = np.zeros(blocks * cols, "<u8")
    beats[:filters] = params
    # (block, column, chunk, depth) → (block, chunk, depth, column)
    by_block = padded.reshape(blocks, cols, tiling.chunks, tiling.depth).transpose(0, 2, 3, 1)
    tiles = []
    for first in range(0, blocks, tiling.filter_blocks):
        tile = by_block[first : first + tiling.filter_blocks].transpose(1, 0, 2, 3)
        own = beats[first * cols : (first + tiling.filter_blocks) * cols]
        tiles.append(np.concatenate([own, np.ascontiguousarray(tile).reshape(-1).view("<u8")]))
    return tiles


def _beats_per_row(tile: Tile, int8_output: bool) -> int:
    return divide_up(tile.filters, 8 if int8_output else 2)


def output_beats(tiling: GemmTiling, int8_output: bool) -> int:
    """Beats of the output transfer."""
    return sum(t.rows * _beats_per_row(t, int8_output) for t in tiling.tiles())


def unpack_output(tiling: GemmTiling, layer: ConvLayer, beats: NDArray[np.uint64]) -> NDArray:
    """The output transfer as y (N, OH, OW, K)."""
    int8_output = layer.requant is not None
    dtype = np.dtype(np.int8 if int8_output else "<i4")
    y = np.empty((tiling.rows, tiling.groups, tiling.filters), dtype)
    at = 0
    for t in tiling.tiles():
        width = _beats_per_row(t, int8_output)
        piece = beats[at : at + t.rows * width].view(dtype).reshape(t.rows, -1)
        rows = slice(t.first_row, t.first_row + t.rows)
        y[rows, t.group, t.first_filter : t.first_filter + t.filters] = piece[:, : t.filters]
        at += t.rows * width
    return y.reshape(layer.y_shape)


def pack_output(tiling: GemmTiling, layer: ConvLayer, y: NDArray) -> NDArray[np.uint64]:
    """The output transfer that holds y (N, OH, OW, K): the inverse of `unpack_output`."""
    int8_output = layer.requant is not None
    dtype = np.dtype(np.int8 if int8_output else "<i4")
    product = np.asarray(y, dtype).reshape(tiling.rows, tiling.groups, tiling.filters)
    pieces = []
    for t in tiling.tiles():
        width = _beats_per_row(t, int8_output) * 8 // dtype.itemsize
        piece = np.zeros((t.rows, width), dtype)
        rows = slice(t.first_row, t.first_row + t.rows)
        piece[:, : t.filters] = product[rows, t.group, t.first_filter : t.first_filter + t.filters]
        pieces.append(piece.reshape(-1))
    return np.concatenate(pieces).view("<u8")


def locate_beat(tiling: GemmTiling, int8_output: bool, index: int) -> Place:
    """What output beat `index` holds."""
    at = 0
    for t in tiling.tiles():
        width = _beats_per_row(t, int8_output)
        if index < at + t.rows * width:
            row, beat = divmod(index - at, width)
            first = t.first_filter + beat * (8 if int8_output else 2)
            return Place(t.group, t.first_row + row, first, t.row_tile, t.filter_tile)
        at += t.rows * width
    raise IndexError(f"output beat must be below {at}, not {index}")


_LIMITS = {"groups": 65535, "K / groups": 65535, "N·OH·OW": (1 << 24) - 1}


def gemm_refusal(layer: ConvLayer, spec: KernelSpec, lowering: str, config: str | None) -> str | None:
    """Why the kernel can not do this layer with this lowering; None if it can, as far as sizes tell."""
    values = {
        "groups": layer.groups,
        "K / groups": layer.k // layer.groups,
        "N·OH·OW": layer.n * layer.oh * layer.ow,
    }
    for attribute, value in values.items():
        if value > _LIMITS[attribute]:
            limit = _LIMITS[attribute]
            return f"{attribute} must be at most {limit} for {spec.name}, not {value}; split the layer"
    segments, _ = pieces(layer, lowering)
    most = max(c["max_chunk_words"] for n, c in spec.configs.items() if config in (None, n))
    if segments > most:
        what = {"mec": "R", "indirect": "R·S"}[lowering]
        other = "mec or im2col" if lowering == "indirect" and layer.r <= most else "im2col"
        return f"{what} must be at most {most} for lowering {lowering}, not {segments}; use {other}"
    return None


def gemm_job(
    lowering: str,
    spec: KernelSpec,
    config: str,
    layer: ConvLayer,
    x: NDArray[np.int8],
    w: NDArray[np.int8],
    bias: NDArray[np.int32],
) -> Job:
    """The whole layer under one lowering; tensors as `ConvLayer.check_tensors` returns them."""
    segments, length = pieces(layer, lowering)
    channels, filters = layer.c // layer.groups, layer.k // layer.groups
    params = filter_params(layer, w, bias)
    tiling: GemmTiling | None = None
    in0: list[NDArray[np.uint64]] = []
    in1: list[NDArray[np.uint64]] = []
    for group in range(layer.groups):
        operand = OPERANDS[lowering](layer, x[..., group * channels : (group + 1) * channels])
        if tiling is None:
            tiling = tile_product(spec, config, layer, lowering, operand.keys)
        own = slice(group * filters, (group + 1) * filters)
        in0 += [activation_beats(tiling, operand)] * tiling.filter_tiles
        weights = w[own].reshape(filters, segments, length)
        for tile in weight_beats(tiling, weights, params[own]):
            in1 += [tile] * tiling.row_tiles
    assert tiling is not None
    int8_output = layer.requant is not None
    return Job(
        spec,
        config,
        lowering,
        layer,
        registers=tiling.registers(layer),
        streams={"in0": in0, "in1": joined(in1)},
        out_beats=output_beats(tiling, int8_output),
        unpack=partial(unpack_output, tiling, layer),
        pack=partial(pack_output, tiling, layer),
        locate=partial(locate_beat, tiling, int8_output),
    )
