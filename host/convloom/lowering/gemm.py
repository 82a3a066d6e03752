# SPDX-License-Identifier: Apache-2.0
"""Tiles, registers and beats of `gemm_systolic`, for every lowering that uses it.

A lowering gives, per group, activation images with an indirection table, and the reduction's order
(segments of whole words); this module cuts the product into tiles, packs the weights in the same
order and takes the results apart.  Beat orders: docs/streams.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from convloom.layer import ConvLayer
from convloom.lowering.job import Place

__all__ = [
    "GemmTiling",
    "Tile",
    "activation_beats",
    "locate_beat",
    "output_beats",
    "pack_output",
    "tile_product",
    "unpack_output",
    "weight_beats",
]


def _divide_up(a: int, b: int) -> int:
    return -(-a // b)


def _cut(count: int, size: int, max_blocks: int) -> tuple[int, int, int]:
    """`count` things in blocks of `size`: (tiles, blocks per tile, blocks of the last), balanced."""
    blocks = _divide_up(count, size)
    per_tile = _divide_up(blocks, _divide_up(blocks, max_blocks))
    tiles = _divide_up(blocks, per_tile)
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
        return _divide_up(self.tile_rows * self.segments, 4)

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
    sizes: dict[str, int], rows: int, filters: int, groups: int, segments: int, segment_words: int
) -> GemmTiling:
    """Balanced tiles for a dense product whose rows have segments · segment_words words.

    Rows come first: a row tile as large as the array's memories allow, so that weights are streamed
    seldom; then the longest chunk that still fits the activation image.
    """
    row_tiles, row_blocks, row_blocks_last = _cut(rows, sizes["rows"], sizes["max_row_blocks"])
    filter_tiles, filter_blocks, filter_blocks_last = _cut(
        filters, sizes["cols"], sizes["max_filter_blocks"]
    )
    words = segments * segment_words
    tile_rows = row_blocks * sizes["rows"]
    longest = min(sizes["max_chunk_words"], sizes["image_words"] // tile_rows)
    shortest = _divide_up(2 * sizes["rows"] - 1, sizes["word_bytes"])
    chunks = _divide_up(words, longest)
    chunk_words = max(_divide_up(words, chunks), shortest)
    return GemmTiling(
        sizes,
        rows,
        filters,
        groups,
        row_tiles,
        row_blocks,
        row_blocks_last,
        filter_tiles,
        filter_blocks,
        filter_blocks_last,
        chunks=_divide_up(words, chunk_words),
        segments=1,
        segment_words=chunk_words,
        image_words=tile_rows * chunk_words,
    )


def activation_beats(tiling: GemmTiling, patches: NDArray[np.int8]) -> NDArray[np.uint64]:
    """in0 of one group: per row tile the table and one image per chunk.

    `patches`: (rows, reduction) int8, the dense im2col matrix.
    """
    rows, reduction = patches.shape
    padded = np.zeros((tiling.row_tiles * tiling.tile_rows, tiling.chunks * tiling.depth), np.int8)
    padded[:rows, :reduction] = patches
    images = padded.reshape(tiling.row_tiles, tiling.tile_rows, tiling.chunks, tiling.depth)
    images = images.transpose(0, 2, 1, 3).reshape(tiling.row_tiles, -1)
    table = np.zeros(4 * tiling.table_beats, "<u2")
    table[: tiling.tile_rows] = np.arange(tiling.tile_rows) * tiling.segment_words
    tables = np.broadcast_to(table.view(np.int8), (tiling.row_tiles, 2 * table.size))
    return np.concatenate([tables, images], axis=1).reshape(-1).view("<u8")


def weight_beats(
    tiling: GemmTiling, weights: NDArray[np.int8], params: NDArray[np.uint64]
) -> list[NDArray[np.uint64]]:
    """in1 of one group, a transfer per filter tile: parameters, then weights by chunk and block.

    `weights`: (filters, reduction) int8 in the order of the activations; `params`: (filters,) beats.
    """
    cols = tiling.sizes["cols"]
    filters, reduction = weights.shape
    blocks = (tiling.filter_tiles - 1) * tiling.filter_blocks + tiling.filter_blocks_last
    padded = np.zeros((blocks * cols, tiling.chunks * tiling.depth), np.int8)
    padded[:filters, :reduction] = weights
    beats = np.zeros(blocks * cols, "<u8")
    beats[:filters] = params
    # (block, column, chunk, depth) → (block, chunk, depth, column)
    by_block = padded.reshape(blocks, cols, tiling.chunks, tiling.depth).transpose(0, 2, 3, 1)
    transfers = []
    for first in range(0, blocks, tiling.filter_blocks):
        tile = by_block[first : first + tiling.filter_blocks].transpose(1, 0, 2, 3)
        own = beats[first * cols : (first + tiling.filter_blocks) * cols]
        transfers.append(np.concatenate([own, np.ascontiguousarray(tile).reshape(-1).view("<u8")]))
    return transfers


def _beats_per_row(tile: Tile, int8_output: bool) -> int:
    return _divide_up(tile.filters, 8 if int8_output else 2)


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
