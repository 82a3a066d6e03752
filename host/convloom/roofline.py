# SPDX-License-Identifier: Apache-2.0
"""The fewest cycles that a kernel of given sizes can need for a lowered layer: a roofline.

Nothing of a kernel's pipeline is in it but its sizes: the array does its products at full rate, tiles
that stick out included; each stream moves its bytes at the port's rate, all streams together at the
memory's; the output side requantises so many results per cycle. The largest of these binds, as all
can overlap (Williams, Waterman and Patterson, "Roofline", 2009). What can not overlap is added: the
beats that must be on chip before the first product (first fill).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from convloom.errors import ConvloomError
from convloom.lowering import Job
from convloom.lowering.sizes import BEAT, divide_up

__all__ = ["Array", "Bus", "Roofline", "array_of", "roofline"]


@dataclass(frozen=True)
class Bus:
    """Bytes per cycle: of one port in one direction, and of the memory in sum."""

    port: float
    memory: float


@dataclass(frozen=True)
class Array:
    """A kernel's array: its DSPs, the multiply-accumulates of a direct convolution that it can stand
    for in one cycle, and the results per cycle of the output side."""

    dsp: int
    peak: float
    lanes: int


@dataclass(frozen=True)
class Roofline:
    """Cycles by limit, and those of the first fill.

    limits: "compute" (all products at the array's peak), "tile edges" (the same with the parts of
    tiles and blocks that stick out), "in0", "in1", "out" (a stream's bytes at the port's rate),
    "memory" (all bytes at the memory's rate), "requantisation" (results per cycle).
    """

    limits: dict[str, int]
    fill: int

    @property
    def limit(self) -> str:
        """What binds."""
        return max(self.limits, key=self.limits.__getitem__)

    @property
    def cycles(self) -> int:
        return self.limits[self.limit] + self.fill


def _gemm_array(sizes: dict[str, int]) -> Array:
    products = sizes["rows"] * sizes["cols"]
    return Array(products // 2, products, sizes["lanes"])


def _linebuffer_array(sizes: dict[str, int]) -> Array:
    products = sizes["taps"] ** 2 * 8 * sizes["block_filters"]
    return Array(products // 2, products, sizes["lanes"])


def _winograd_array(sizes: dict[str, int]) -> Array:
    tile = sizes["tile"]
    dsp = (tile + 2) ** 2 * sizes["cols"]
    return Array(dsp, 9 * tile**2 * sizes["cols"], 2)


def _gemm_work(job: Job) -> tuple[int, int]:
    """Cycles of the array, and beats before the first product: the table and a row block's share of the
    first image, or the parameters and the weights of a chunk's first block."""
    r, sizes = job.registers, job.spec.config(job.config)
    row_blocks = (r["row_tiles"] - 1) * r["row_blocks"] + r["row_blocks_last"]
    blocks = (r["filter_tiles"] - 1) * r["filter_blocks"] + r["filter_blocks_last"]
    depth = r["segments"] * r["segment_words"] * sizes["word_bytes"]
    table = divide_up(r["row_blocks"] * sizes["rows"] * r["segments"], 4)
    image = r["image_words"] * sizes["word_bytes"] // BEAT // r["row_blocks"]
    filters = (r["filter_blocks"] if r["filter_tiles"] > 1 else r["filter_blocks_last"]) * sizes["cols"]
    weights = filters + depth * sizes["cols"] // BEAT
    return r["groups"] * row_blocks * blocks * r["chunks"] * depth, max(table + image, weights)


def _linebuffer_work(job: Job) -> tuple[int, int]:
    """Cycles, and beats before the first product: the first window, or the parameters of a filter
    group and its first block's weights."""
    r, sizes = job.registers, job.spec.config(job.config)
    blocks = (r["filter_groups"] - 1) * r["blocks"] + r["blocks_last"]
    words = divide_up(r["channels"], 8)
    per_pixel = blocks * (1 if r["word_blocks"] else words)
    rows = max(0, r["kernel_height"] - r["pad_top"] - 1)
    window = (rows * r["width"] + max(1, r["kernel_width"] - r["pad_left"])) * words
    filters = (r["blocks"] if r["filter_groups"] > 1 else r["blocks_last"]) * sizes["block_filters"]
    taps = sizes["block_filters"] * sizes["taps"] ** 2
    weights = filters + (1 if r["word_blocks"] else words) * taps
    return r["groups"] * r["batch"] * r["out_height"] * r["out_width"] * per_pixel, max(window, weights)


def _winograd_work(job: Job) -> tuple[int, int]:
    """Cycles, and beats before the first product: the first tile's pixels, or the parameters of a
    group and its first block's weights."""
    r, sizes, layer = job.registers, job.spec.config(job.config), job.layer
    tile, cols = sizes["tile"], sizes["cols"]
    tiles = layer.n * divide_up(layer.oh, tile) * divide_up(layer.ow, tile)
    blocks = (r["groups"] - 1) * r["group_blocks"] + r["group_blocks_last"]
    rows = max(0, min(tile + 2 - r["pad_top"], layer.h) - 1)
    pixels = rows * layer.w + min(max(1, tile + 2 - r["pad_left"]), layer.w)
    filters = (r["group_blocks"] if r["groups"] > 1 else r["group_blocks_last"]) * cols
    weights = filters + divide_up(9 * cols * layer.c, BEAT)
    return tiles * layer.c * blocks, max(pixels * divide_up(layer.c, BEAT), weights)


_KERNELS: dict[str, tuple[Callable[[dict[str, int]], Array], Callable[[Job], tuple[int, int]]]] = {
    "gemm_systolic": (_gemm_array, _gemm_work),
    "conv_linebuffer": (_linebuffer_array, _linebuffer_work),
    "conv_winograd": (_winograd_array, _winograd_work),
}


def array_of(kernel: str, sizes: dict[str, int]) -> Array:
    """The array of one kernel at the sizes of a configuration; ConvloomError for an unknown kernel."""
    if kernel not in _KERNELS:
        raise ConvloomError(f"kernel must be one of {', '.join(_KERNELS)}, not {kernel!r}")
    return _KERNELS[kernel][0](sizes)


def roofline(job: Job, bus: Bus) -> Roofline:
    """The limits of one job behind a bus."""
    array = array_of(job.spec.name, job.spec.config(job.config))
    work, fill = _KERNELS[job.spec.name][1](job)
    moved = {name: sum(t.nbytes for t in transfers) for name, transfers in job.streams.items()}
    moved["out"] = job.bytes_out
    layer = job.layer
    results = layer.n * layer.oh * layer.ow * layer.k
    limits = {
        "compute": ceil(layer.macs / array.peak),
        "tile edges": work,
        **{name: ceil(count / bus.port) for name, count in moved.items()},
        "memory": ceil(sum(moved.values()) / bus.memory),
        "requantisation": divide_up(results, array.lanes),
    }
    return Roofline(limits, ceil(fill * BEAT / bus.port))
