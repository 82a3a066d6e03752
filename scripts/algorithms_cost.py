# SPDX-License-Identifier: Apache-2.0
"""What an algorithm costs on a layer, by formula and measured: the numbers of docs/algorithms.md."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from convloom import reference
from convloom.kernels import load_kernel
from convloom.layer import ConvLayer
from convloom.lowering import Job, lower, refusals_for
from convloom.lowering.cost import gemm_cost, im2col_bytes, mec_bytes, tiling_of
from convloom.lowering.sizes import divide_up
from convloom.reference.spatial_pack import DEFAULT_TILE
from convloom.suites import random_tensors

__all__ = [
    "CONFIG",
    "CPU",
    "WAYS",
    "CpuCost",
    "KernelCost",
    "cpu_formula",
    "cpu_measured",
    "kernel_cost",
]

CONFIG = "z2"


# On the CPU --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CpuCost:
    """multiplications; extra: bytes beside the layer's tensors; weights: bytes of rewritten weights."""

    multiplications: int
    extra: int
    weights: int = 0


def _inside(outputs: int, size: int, taps: int, stride: int, dilation: int, pad: int) -> int:
    """Pairs of output and tap along an axis that meet the map."""
    return sum(0 <= o * stride + t * dilation - pad < size for o in range(outputs) for t in range(taps))


def _direct(y: ConvLayer) -> CpuCost:
    rows = _inside(y.oh, y.h, y.r, y.stride[0], y.dilation[0], y.pads[0])
    columns = _inside(y.ow, y.w, y.s, y.stride[1], y.dilation[1], y.pads[1])
    return CpuCost(y.n * rows * columns * y.cg * y.k, 0)


def _pack(y: ConvLayer) -> CpuCost:
    th, tw = min(DEFAULT_TILE[0], y.oh), min(DEFAULT_TILE[1], y.ow)
    tiles = y.n * divide_up(y.oh, th) * divide_up(y.ow, tw)
    height = (th - 1) * y.stride[0] + y.extent[0]
    width = (tw - 1) * y.stride[1] + y.extent[1]
    return CpuCost(tiles * th * tw * y.r * y.s * y.cg * y.k, tiles * height * width * y.c)


def _winograd(y: ConvLayer, m: int) -> CpuCost:
    """V is int16, the sums int64, U int16: t·t of each, t = m + 2."""
    elements = (m + 2) ** 2
    tiles = y.n * divide_up(y.oh, m) * divide_up(y.ow, m)
    return CpuCost(
        elements * tiles * y.cg * y.k, elements * tiles * (2 * y.c + 8 * y.k), 2 * elements * y.cg * y.k
    )


CPU: dict[str, Callable[[ConvLayer], CpuCost]] = {
    "direct": _direct,
    "im2col": lambda y: CpuCost(y.macs, im2col_bytes(y)),
    "mec": lambda y: CpuCost(y.macs, mec_bytes(y)),
    "spatial_pack": _pack,
    "winograd_f2": lambda y: _winograd(y, 2),
    "winograd_f4": lambda y: _winograd(y, 4),
    "indirect": lambda y: CpuCost(y.macs, 4 * y.oh * y.ow * y.r * y.s + y.c),
}
"""Reference algorithm → its published formula."""


def cpu_formula(name: str, layer: ConvLayer) -> CpuCost | None:
    """By formula; None where the algorithm can not do the layer."""
    return CPU[name](layer) if name in reference.supported(layer) else None


def cpu_measured(name: str, layer: ConvLayer) -> CpuCost | None:
    """From a run of the reference.

    `direct` is run with one filter per group, as all filters take the same, and counted for all.
    """
    if name not in reference.supported(layer):
        return None
    times = layer.kg if name == "direct" else 1
    run = replace(layer, k=layer.groups, requant=None) if times > 1 else layer
    result = reference.run(name, run, *random_tensors(run))
    return CpuCost(times * result.multiplications, result.extra_bytes, result.weight_bytes)


# On the accelerator ------------------------------------------------------------------------------

WAYS: tuple[tuple[str, str], ...] = (
    ("gemm_systolic", "im2col"),
    ("gemm_systolic", "mec"),
    ("gemm_systolic", "indirect"),
    ("conv_linebuffer", "stream"),
    ("conv_linebuffer", "pack"),
    ("conv_winograd", "pixels"),
)
"""Every kernel and lowering."""


@dataclass(frozen=True)
class KernelCost:
    """multiplications of the array, idle places included; bytes per stream, repeats included.

    formula: in0 and in1 by formula, from the job's registers; buffer: in0 without repeats; on_chip:
    bytes of the kernel's map memory that the layer fills.
    """

    multiplications: int
    in0: int
    in1: int
    out: int
    formula: tuple[int, int]
    buffer: int
    on_chip: int

    @property
    def total(self) -> int:
        return self.in0 + self.in1 + self.out


def _gemm(job: Job, sizes: dict[str, int]) -> tuple[int, tuple[int, int], int]:
    r, tiling = job.registers, tiling_of(job)
    cost = gemm_cost(job.layer, job.lowering, tiling)
    rows = ((r["row_tiles"] - 1) * r["row_blocks"] + r["row_blocks_last"]) * sizes["rows"]
    blocks = (r["filter_tiles"] - 1) * r["filter_blocks"] + r["filter_blocks_last"]
    products = r["groups"] * rows * blocks * sizes["cols"] * r["chunks"] * tiling.depth
    return products, (cost.in0, cost.in1), r["image_words"] * sizes["word_bytes"]


def _linebuffer(job: Job, sizes: dict[str, int]) -> tuple[int, tuple[int, int], int]:
    r = job.registers
    words = divide_up(r["channels"], 8)
    blocks = (r["filter_groups"] - 1) * r["blocks"] + r["blocks_last"]
    lanes, block_words = sizes["block_filters"], words
    if r["word_blocks"]:  # depthwise: a block has its own channel word only
        lanes, block_words = 1 << (min(lanes, 8).bit_length() - 1), 1
    weights = 8 * blocks * block_words * sizes["block_filters"] * sizes["taps"] ** 2
    in0 = 8 * r["groups"] * r["filter_groups"] * r["batch"] * r["height"] * r["width"] * words
    in1 = r["groups"] * (8 * blocks * lanes + weights)
    pixels = r["batch"] * r["out_height"] * r["out_width"]
    return r["groups"] * weights * pixels, (in0, in1), 8 * sizes["lines"] * r["width"] * words


def _winograd_kernel(job: Job, sizes: dict[str, int]) -> tuple[int, tuple[int, int], int]:
    r, layer, tile = job.registers, job.layer, sizes["tile"]
    counts = [r["group_blocks"]] * (r["groups"] - 1) + [r["group_blocks_last"]]
    filters = [count * sizes["cols"] for count in counts]
    words = divide_up(layer.c, 8)
    rounds = r["groups"] if r["loop_order"] else 1
    tile_rows, tile_cols = divide_up(layer.oh, tile), divide_up(layer.ow, tile)
    in0 = 8 * rounds * layer.n * layer.h * layer.w * words
    weights = sum(f + 9 * divide_up(f * layer.c, 8) for f in filters)
    products = (tile + 2) ** 2 * layer.n * tile_rows * tile_cols * layer.c * sum(filters)
    ring = 8 * (tile + 2) * r["row_slots"] * (tile_cols * tile + 2) * words
    return products, (in0, 8 * r["image_sets"] * r["strips"] * weights), ring


_KERNELS = {"gemm_systolic": _gemm, "conv_linebuffer": _linebuffer, "conv_winograd": _winograd_kernel}


def kernel_cost(kernel: str, lowering: str, layer: ConvLayer) -> KernelCost | str:
    """Of the job that the lowering makes at CONFIG; or the reason why there is none."""
    spec = load_kernel(kernel)
    reason = refusals_for(layer, spec, CONFIG).get(lowering)
    if reason is not None:
        return reason.removeprefix(f"{layer.name}: ")
    job = lower(layer, *random_tensors(layer), kernel=spec, config=CONFIG, lowering=lowering)
    products, formula, on_chip = _KERNELS[kernel](job, spec.config(CONFIG))
    in0, in1 = (sum(t.nbytes for t in job.streams[name]) for name in ("in0", "in1"))
    return KernelCost(products, in0, in1, job.bytes_out, formula, job.buffer_bytes, on_chip)
