# SPDX-License-Identifier: Apache-2.0
"""Dense im2col tiles for `gemm_systolic`: the host gathers every patch, the kernel sees a GEMM."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from convloom.kernels import KernelSpec
from convloom.layer import ConvLayer
from convloom.lowering import gemm
from convloom.lowering.job import Job

__all__ = ["filter_params", "im2col_job", "patch_matrix"]


def patch_matrix(layer: ConvLayer, x: NDArray[np.int8], group: int) -> NDArray[np.int8]:
    """The im2col matrix of one group: (N·OH·OW, R·S·C/groups), padding filled with the zero point.

    A 1×1 layer of stride 1 without padding and groups is its own matrix: a view, nothing is copied.
    """
    channels = layer.c // layer.groups
    own = x[..., group * channels : (group + 1) * channels]
    top, left, bottom, right = layer.pads
    if any(layer.pads):
        edges = ((0, 0), (top, bottom), (left, right), (0, 0))
        own = np.pad(own, edges, constant_values=layer.x_zero_point)
    (sh, sw), (dh, dw) = layer.stride, layer.dilation
    window = ((layer.r - 1) * dh + 1, (layer.s - 1) * dw + 1)
    # numpy 1.26 declares `axis` as one number.
    patches = sliding_window_view(own, window, (1, 2))[  # type: ignore[call-overload]
        :, ::sh, ::sw, :, ::dh, ::dw
    ]
    return patches.transpose(0, 1, 2, 4, 5, 3).reshape(layer.n * layer.oh * layer.ow, -1)


def filter_params(layer: ConvLayer, w: NDArray[np.int8], bias: NDArray[np.int32]) -> NDArray[np.uint64]:
    """One beat per filter: bias (folded with the input zero point), multiplier, shift; (K,) uint64."""
    beats = np.zeros(layer.k, [("bias", "<i4"), ("multiplier", "<i2"), ("shift", "u1"), ("pad", "u1")])
    beats["bias"] = layer.folded_bias(w, bias)
    if layer.requant is not None:
        beats["multiplier"] = layer.requant.multiplier
        beats["shift"] = layer.requant.shift
    return beats.view("<u8")


def im2col_job(
    spec: KernelSpec,
    config: str,
    layer: ConvLayer,
    x: NDArray[np.int8],
    w: NDArray[np.int8],
    bias: NDArray[np.int32],
) -> Job:
    """The whole layer as dense im2col tiles; tensors as `ConvLayer.check_tensors` returns them."""
    sizes = spec.config(config)
    filters = layer.k // layer.groups
    reduction = layer.r * layer.s * layer.c // layer.groups
    words = -(-reduction // sizes["word_bytes"])
    rows = layer.n * layer.oh * layer.ow
    tiling = gemm.tile_product(sizes, rows, filters, layer.groups, 1, words)
    params = filter_params(layer, w, bias)
    in0: list[NDArray[np.uint64]] = []
    in1: list[NDArray[np.uint64]] = []
    for group in range(layer.groups):
        own = slice(group * filters, (group + 1) * filters)
        activations = gemm.activation_beats(tiling, patch_matrix(layer, x, group))
        in0 += [activations] * tiling.filter_tiles
        for tile in gemm.weight_beats(tiling, w[own].reshape(filters, -1), params[own]):
            in1 += [tile] * tiling.row_tiles
    int8_output = layer.requant is not None
    return Job(
        spec,
        config,
        "im2col",
        layer,
        registers=tiling.registers(layer),
        streams={"in0": in0, "in1": in1},
        out_beats=gemm.output_beats(tiling, int8_output),
        unpack=partial(gemm.unpack_output, tiling, layer),
        pack=partial(gemm.pack_output, tiling, layer),
        locate=partial(gemm.locate_beat, tiling, int8_output),
    )
