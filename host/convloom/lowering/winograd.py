# SPDX-License-Identifier: Apache-2.0
"""Tiles, registers and beats of `conv_winograd`: a raw pixel stream and raw 3×3 weights.

The kernel transforms on chip, so what is streamed is the map and the weights as they are; what there
is to choose is the loop order, by the bytes that each would move.  Beat orders: docs/streams.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from convloom.errors import ConvloomError, UnsupportedError
from convloom.kernels import KernelSpec
from convloom.layer import ConvLayer
from convloom.lowering.job import Job, Place
from convloom.lowering.params import filter_params
from convloom.lowering.sizes import BEAT, divide_up
from convloom.lowering.transfers import joined

__all__ = [
    "ORDERS",
    "WinogradTiling",
    "locate_beat",
    "map_beats",
    "output_beats",
    "pack_output",
    "tilings",
    "unpack_output",
    "weight_beats",
    "winograd_job",
    "winograd_refusal",
]

ORDERS = ("map", "weights")
"""What is streamed again: the map for each group of filters, or the weights for each strip."""

_MAX_SLOTS = 255
_MAX_COUNT = 65535
_MAX_MAP = 16383


def _cut(count: int, most: int) -> tuple[int, int, int]:
    """`count` in parts of at most `most`, balanced: (parts, size of all but the last, of the last)."""
    size = divide_up(count, divide_up(count, most))
    parts = divide_up(count, size)
    return parts, size, count - (parts - 1) * size


@dataclass(frozen=True)
class WinogradTiling:
    """The layer as the kernel walks it; sizes from kernel.toml. See there for what each number is."""

    sizes: dict[str, int]
    layer: ConvLayer
    repeat_map: bool
    tile_rows: int
    tile_cols: int
    image_sets: int
    set_images: int
    set_images_last: int
    strips: int
    strip_rows: int
    strip_rows_last: int
    groups: int
    group_blocks: int
    group_blocks_last: int
    row_slots: int

    @property
    def pixel_beats(self) -> int:
        return divide_up(self.layer.c, BEAT)

    @property
    def map_rounds(self) -> int:
        """Times that the map is streamed."""
        return self.groups if self.repeat_map else 1

    @property
    def weight_rounds(self) -> int:
        """Times that the weights are streamed."""
        return self.image_sets * self.strips

    def group_filters(self, group: int) -> int:
        """Filters of a group, those past the layer's last included."""
        last = group == self.groups - 1
        return (self.group_blocks_last if last else self.group_blocks) * self.sizes["cols"]

    @property
    def bytes_in(self) -> int:
        """Bytes of both input streams."""
        layer = self.layer
        pixels = layer.n * layer.h * layer.w * self.pixel_beats
        filters = [self.group_filters(g) for g in range(self.groups)]
        weights = sum(f + 9 * divide_up(f * layer.c, 8) for f in filters)
        return BEAT * (pixels * self.map_rounds + weights * self.weight_rounds)

    def registers(self) -> dict[str, int]:
        """Values of the kernel's input registers."""
        layer, requant = self.layer, self.layer.requant
        names = (
            "image_sets", "set_images", "set_images_last", "strips", "strip_rows", "strip_rows_last",
            "groups", "group_blocks", "group_blocks_last", "row_slots",
        )  # fmt: skip
        return {
            "height": layer.h,
            "width": layer.w,
            "channels": layer.c,
            "filters": layer.k,
            "pad_top": layer.pads[0],
            "pad_left": layer.pads[1],
            "out_height": layer.oh,
            "out_width": layer.ow,
            **{name: getattr(self, name) for name in names},
            "loop_order": int(self.repeat_map),
            "int8_output": int(requant is not None),
            "x_zero_point": layer.x_zero_point,
            "y_zero_point": requant.zero_point if requant else 0,
            "clamp_low": requant.clamp[0] if requant else -128,
            "clamp_high": requant.clamp[1] if requant else 127,
        }

    @property
    def share(self) -> int:
        """Filters whose outputs of a tile share a beat."""
        return max(1, BEAT // (self.piece_values * self.layer.y_dtype.itemsize))

    @property
    def piece_values(self) -> int:
        """Outputs of one filter in one tile: what comes out in one piece."""
        return self.sizes["tile"] ** 2

    def pieces(self) -> NDArray[np.int64]:
        """The output's pieces in the order in which they leave the kernel: (pieces, 5).

        Columns: image, tile row, tile column, filter, group. Filters past the last fill shared beats.
        """
        group_filters, filters = (
            self.group_filters(0),
            divide_up(self.layer.k, self.share) * self.share,
        )
        found = []
        for image in range(0, self.layer.n, self.set_images):
            images = np.arange(image, min(image + self.set_images, self.layer.n))
            for row in range(0, self.tile_rows, self.strip_rows):
                rows = np.arange(row, min(row + self.strip_rows, self.tile_rows))
                for group in range(self.groups):
                    first = group * group_filters
                    own = np.arange(first, min(first + group_filters, filters))
                    axes = (images, rows, np.arange(self.tile_cols), own, np.array([group]))
                    grid = np.meshgrid(*axes, indexing="ij")
                    found.append(np.stack(grid, axis=-1).reshape(-1, 5))
        return np.concatenate(found)


def winograd_refusal(layer: ConvLayer, spec: KernelSpec, config: str | None = None) -> str | None:
    """Why `conv_winograd` can not do this layer, in words; None if it can.

    Without a configuration: by what no configuration can do, and the limits of the largest one.
    """
    instead = "use gemm_systolic"
    direct = "use conv_linebuffer or gemm_systolic"
    for attribute, value, rule, remedy in (
        ("filter (r, s)", (layer.r, layer.s), (3, 3), direct),
        ("stride", layer.stride, (1, 1), direct),
        ("dilation", layer.dilation, (1, 1), instead),
        ("groups", layer.groups, 1, direct),
    ):
        if value != rule:
            return f"{attribute} must be {rule} for {spec.name}, not {value}; {remedy}"
    sizes = max(spec.configs.values(), key=lambda s: s["kernel_words"]) if config is None else None
    sizes = sizes or spec.config(str(config))
    tile = sizes["tile"]
    tile_rows, tile_cols = divide_up(layer.oh, tile), divide_up(layer.ow, tile)
    row_beats = (tile_cols * tile + 2) * divide_up(layer.c, BEAT)
    for attribute, number, limit, remedy in (
        ("c", layer.c, sizes["kernel_words"], f"{instead} or split the channels into several layers"),
        ("k", layer.k, _MAX_COUNT, "split the filters into several layers"),
        ("n", layer.n, _MAX_COUNT, "split the batch"),
        ("n · tile rows", layer.n * tile_rows, _MAX_COUNT, "split the batch"),
        ("the larger of h and oh", max(layer.h, layer.oh), _MAX_MAP, "split the map"),
        ("the larger of w and ow", max(layer.w, layer.ow), _MAX_MAP, "split the map"),
        (
            "padded width times beats per pixel",
            row_beats,
            sizes["ring_words"],
            f"{instead} or split the map into columns with a halo",
        ),
    ):
        if number > limit:
            return f"{attribute} must be at most {limit} for {spec.name}, not {number}; {remedy}"
    return None


def tilings(sizes: dict[str, int], layer: ConvLayer) -> dict[str, WinogradTiling]:
    """The tiling of each loop order that the layer can have, by its name in ORDERS.

    Where the map comes again for every group of filters, groups are as large as the kernel can hold.
    Else two fit, if they can: the next group's kernels come in while this one's are used.
    """
    tile, cols = sizes["tile"], sizes["cols"]
    tile_rows, tile_cols = divide_up(layer.oh, tile), divide_up(layer.ow, tile)
    row_words = (tile_cols * tile + 2) * divide_up(layer.c, BEAT)
    slots = min(sizes["ring_words"] // row_words, _MAX_SLOTS)
    rows = slots * (tile + 2)
    resident, blocks = sizes["kernel_words"] // layer.c, divide_up(layer.k, cols)
    largest = _cut(blocks, min(sizes["max_blocks"], resident))
    paired = _cut(blocks, min(sizes["max_blocks"], max(1, resident // 2)))
    image_rows = tile_rows * tile + 2
    if image_rows <= rows:  # whole images, as many as are on chip together
        sets, strips = _cut(layer.n, rows // image_rows), (1, tile_rows, tile_rows)
    else:
        sets, strips = (layer.n, 1, 1), _cut(tile_rows, (rows - 2) // tile)
    cuts = (
        (1, layer.n, layer.n, 1, tile_rows, tile_rows, *largest),
        (*sets, *strips, *paired),
    )
    return {
        order: WinogradTiling(sizes, layer, order == "map", tile_rows, tile_cols, *numbers, slots)
        for order, numbers in zip(ORDERS, cuts, strict=True)
    }


def map_beats(layer: ConvLayer, x: NDArray[np.int8]) -> NDArray[np.uint64]:
    """in0 of one round: x (N, H, W, C) with channels filled up to whole beats."""
    channels = divide_up(layer.c, BEAT) * BEAT
    if channels == layer.c:
        return np.ascontiguousarray(x).reshape(-1).view("<u8")
    padded = np.zeros((*x.shape[:3], channels), np.int8)
    padded[..., : layer.c] = x
    return padded.reshape(-1).view("<u8")


def weight_beats(
    tiling: WinogradTiling, w: NDArray[np.int8], params: NDArray[np.uint64]
) -> NDArray[np.uint64]:
    """in1 of one round: per group parameters, then raw kernels, eight in nine beats of one tap each.

    `w`: (K, 3, 3, C) int8; `params`: (K,) beats.
    """
    cols, channels = tiling.sizes["cols"], tiling.layer.c
    pieces = []
    first = 0
    for group in range(tiling.groups):
        filters = tiling.group_filters(group)
        own = w[first : first + filters]
        beats = np.zeros(filters, "<u8")
        beats[: len(own)] = params[first : first + filters]
        kernels = np.zeros((filters, channels, 9), np.int8)
        kernels[: len(own)] = own.reshape(len(own), 9, channels).transpose(0, 2, 1)
        # (block, column, channel, tap) → (block, channel, column, tap) → eights, tap by tap
        ordered = kernels.reshape(-1, cols, channels, 9).transpose(0, 2, 1, 3).reshape(-1, 9)
        eights = np.zeros((divide_up(len(ordered), 8) * 8, 9), np.int8)
        eights[: len(ordered)] = ordered
        taps = np.ascontiguousarray(eights.reshape(-1, 8, 9).transpose(0, 2, 1))
        pieces += [beats, taps.reshape(-1).view("<u8")]
        first += filters
    return np.concatenate(pieces)


def output_beats(tiling: WinogradTiling) -> int:
    """Beats of the output transfer."""
    pieces = tiling.layer.n * tiling.tile_rows * tiling.tile_cols
    pieces *= divide_up(tiling.layer.k, tiling.share) * tiling.share
    return pieces * tiling.piece_values * tiling.layer.y_dtype.itemsize // BEAT


def _whole_tiles(tiling: WinogradTiling) -> tuple[int, ...]:
    """Shape of the output in whole tiles: (N, tile rows, tile, tile columns, tile, K filled up)."""
    tile, filters = tiling.sizes["tile"], divide_up(tiling.layer.k, tiling.share) * tiling.share
    return tiling.layer.n, tiling.tile_rows, tile, tiling.tile_cols, tile, filters


def unpack_output(tiling: WinogradTiling, beats: NDArray[np.uint64]) -> NDArray:
    """The output transfer as y (N, OH, OW, K)."""
    layer, tile = tiling.layer, tiling.sizes["tile"]
    y = np.empty(_whole_tiles(tiling), layer.y_dtype)
    image, row, col, k, _ = tiling.pieces().T
    y[image, row, :, col, :, k] = beats.view(layer.y_dtype).reshape(-1, tile, tile)
    y = y.reshape(layer.n, tiling.tile_rows * tile, tiling.tile_cols * tile, -1)
    return np.ascontiguousarray(y[:, : layer.oh, : layer.ow, : layer.k])


def pack_output(tiling: WinogradTiling, y: NDArray) -> NDArray[np.uint64]:
    """An output transfer that holds y (N, OH, OW, K): the inverse of `unpack_output`."""
    layer, tile = tiling.layer, tiling.sizes["tile"]
    whole = np.zeros(_whole_tiles(tiling), layer.y_dtype)
    flat = whole.reshape(layer.n, tiling.tile_rows * tile, tiling.tile_cols * tile, -1)
    flat[:, : layer.oh, : layer.ow, : layer.k] = y
    image, row, col, k, _ = tiling.pieces().T
    return np.ascontiguousarray(whole[image, row, :, col, :, k]).reshape(-1).view("<u8")


def locate_beat(tiling: WinogradTiling, index: int) -> Place:
    """What output beat `index` holds: of a tile that lies partly outside, the nearest output row."""
    count = output_beats(tiling)
    if not 0 <= index < count:
        raise IndexError(f"output beat must be below {count}, not {index}")
    layer, tile = tiling.layer, tiling.sizes["tile"]
    piece, value = divmod(index * BEAT // layer.y_dtype.itemsize, tiling.piece_values)
    image, tile_row, tile_col, k, group = (int(v) for v in tiling.pieces()[piece])
    row = min(tile_row * tile + value // tile, layer.oh - 1)
    col = min(tile_col * tile + value % tile, layer.ow - 1)
    return Place(0, (image * layer.oh + row) * layer.ow + col, k, tile_row, group)


def winograd_job(
    spec: KernelSpec,
    config: str,
    layer: ConvLayer,
    x: NDArray[np.int8],
    w: NDArray[np.int8],
    bias: NDArray[np.int32],
    order: str | None = None,
) -> Job:
    """The whole layer from its raw map and weights; tensors as `ConvLayer.check_tensors` returns them.

    order: one of ORDERS; by default the one that moves fewer bytes. UnsupportedError for what the
    configuration can not do.
    """
    sizes = spec.config(config)
    reason = winograd_refusal(layer, spec, config)
    if reason is not None:
        raise UnsupportedError(f"{layer.name}: {reason}")
    found = tilings(sizes, layer)
    if order is not None and order not in found:
        raise ConvloomError(f"order must be one of {', '.join(ORDERS)}, not {order!r}")
    tiling = found[order] if order else min(found.values(), key=lambda t: t.bytes_in)
    in0 = map_beats(layer, x)
    in1 = weight_beats(tiling, w, filter_params(layer, w, bias))
    return Job(
        spec,
        config,
        "pixels",
        layer,
        registers=tiling.registers(),
        streams={"in0": [in0] * tiling.map_rounds, "in1": joined([in1] * tiling.weight_rounds)},
        out_beats=output_beats(tiling),
        unpack=partial(unpack_output, tiling),
        pack=partial(pack_output, tiling),
        locate=partial(locate_beat, tiling),
    )
