# SPDX-License-Identifier: Apache-2.0
"""The byte formulas equal what the lowerings make, on random layers and on every layer of ResNet-18."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from convloom import reference
from convloom.errors import ConvloomError, UnsupportedError
from convloom.kernels import load_kernel
from convloom.layer import ConvLayer
from convloom.lowering import Job, lower, lowerings_for
from convloom.lowering.cost import (
    GemmCost,
    gemm_cost,
    im2col_bytes,
    map_bytes,
    mec_bytes,
    pieces_stored,
    tiling_of,
)
from convloom.lowering.operands import OPERANDS
from convloom.random_layers import random_layers
from convloom.suites import load_suite, random_tensors

SPEC = load_kernel("gemm_systolic")


def measured(job: Job) -> GemmCost:
    in0, in1 = (sum(t.nbytes for t in job.streams[name]) for name in ("in0", "in1"))
    assert job.bytes_in == in0 + in1
    return GemmCost(in0, in1, job.bytes_out, job.buffer_bytes)


def dilated(layer: ConvLayer, lowering: str) -> bool:
    """Whether the formula is not meant to cover the layer."""
    tall = layer.r > 1 and layer.dilation[0] > 1
    wide = layer.s > 1 and layer.dilation[1] > 1
    return {"im2col": False, "mec": tall, "indirect": tall or wide}[lowering]


def check(count: int, seed: int, config: str) -> None:
    found = dict.fromkeys(OPERANDS, 0)
    for layer, x, w, bias in random_layers(count, seed):
        for lowering in lowerings_for(layer, SPEC, config):
            try:
                job = lower(layer, x, w, bias, kernel=SPEC, config=config, lowering=lowering)
            except UnsupportedError:
                continue  # the pieces of one block do not fit
            if dilated(layer, lowering):
                with pytest.raises(UnsupportedError, match=r"dilation .* must be 1"):
                    gemm_cost(layer, lowering, tiling_of(job))
                continue
            # The image size holds the number of stored pieces: the formula must not peek.
            tiling = replace(tiling_of(job), image_words=0)
            assert gemm_cost(layer, lowering, tiling) == measured(job), (layer.name, lowering)
            found[lowering] += 1
    assert min(found.values()) > count // 4, found


@pytest.mark.parametrize("config", SPEC.configs)
def test_formula_is_measured(config: str, seed: int) -> None:
    check(60, seed, config)


@pytest.mark.nightly
@pytest.mark.parametrize("config", SPEC.configs)
def test_formula_is_measured_on_many(config: str, seed: int) -> None:
    check(1500, seed + 1, config)


@pytest.mark.parametrize("example", load_suite("resnet18"), ids=lambda e: e.layer.name)
def test_formula_is_measured_on_resnet18(example) -> None:
    names = lowerings_for(example.layer, SPEC, "z2")
    assert names == (("im2col", "mec") if example.layer.r == 7 else ("im2col", "mec", "indirect"))
    for lowering in names:
        job = lower(
            example.layer, *random_tensors(example.layer), kernel=SPEC, config="z2", lowering=lowering
        )
        cost = gemm_cost(example.layer, lowering, replace(tiling_of(job), image_words=0))
        assert cost == measured(job)


def by_hand(layer: ConvLayer, lowering: str, first: int, end: int) -> int:
    """Pieces of a run of output pixels, one tap after the other."""
    seen: set = set()
    for at in range(first, end):
        n, pixel = divmod(at, layer.oh * layer.ow)
        p, q = divmod(pixel, layer.ow)
        for r in range(layer.r):
            i = p * layer.stride[0] + r - layer.pads[0]
            inside = 0 <= i < layer.h
            if lowering == "mec":
                seen.add((n, i, q) if inside else None)
                continue
            for s in range(layer.s):
                j = q * layer.stride[1] + s - layer.pads[1]
                seen.add((n, i, j) if inside and 0 <= j < layer.w else None)
    return len(seen)


def test_pieces_of_every_run_of_pixels(rng: np.random.Generator) -> None:
    """All runs of small layers: strides above the filter, pads above it, one to three images."""
    layers = [
        ConvLayer(2, 5, 4, 1, 1, 3, 3, pads=(1, 1, 1, 1)),
        ConvLayer(1, 7, 7, 1, 1, 2, 2, stride=(3, 3), pads=(0, 1, 1, 0)),
        ConvLayer(1, 6, 9, 1, 1, 1, 5, stride=(2, 1), pads=(0, 2, 0, 2)),
        ConvLayer(3, 2, 2, 1, 1, 3, 1, pads=(2, 0, 2, 1)),
        ConvLayer(1, 3, 2, 1, 1, 2, 2, pads=(4, 4, 4, 4)),
        ConvLayer(1, 8, 8, 1, 1, 5, 4, stride=(2, 3), pads=(2, 5, 1, 0)),
        ConvLayer(2, 5, 1, 1, 1, 3, 1, stride=(1, 4), pads=(1, 3, 0, 2)),
        ConvLayer(1, 9, 3, 1, 1, 3, 1, stride=(3, 2), pads=(1, 0, 0, 1)),
    ]
    for _ in range(12):
        r, s = rng.integers(1, 5, 2).tolist()
        pads = tuple(rng.integers(0, 4, 4).tolist())
        h = int(rng.integers(max(1, r - pads[0] - pads[2]), 8))
        w = int(rng.integers(max(1, s - pads[1] - pads[3]), 6))
        stride = tuple(rng.integers(1, 5, 2).tolist())
        layers.append(ConvLayer(int(rng.integers(1, 3)), h, w, 1, 1, r, s, stride, pads))
    for layer in layers:
        rows = layer.n * layer.oh * layer.ow
        runs = [(a, b) for a in range(rows) for b in range(a + 1, rows + 1)]
        if len(runs) > 400:
            runs = [runs[i] for i in rng.choice(len(runs), 400, replace=False)]
        for first, end in runs:
            for lowering in ("mec", "indirect"):
                want = by_hand(layer, lowering, first, end)
                assert pieces_stored(layer, lowering, first, end) == want, (layer, lowering, first, end)


def test_whole_layer_formulas_are_those_of_the_references(seed: int) -> None:
    for layer, x, w, bias in random_layers(30, seed, max_macs=8000):
        assert map_bytes(layer) == x.nbytes
        for name, formula in (("im2col", im2col_bytes), ("mec", mec_bytes)):
            assert formula(layer) == reference.run(name, layer, x, w, bias).extra_bytes


def test_an_unknown_lowering_is_refused() -> None:
    with pytest.raises(ConvloomError, match=r"lowering must be one of .*, not 'fft'"):
        pieces_stored(ConvLayer(1, 4, 4, 1, 1, 3, 3), "fft", 0, 1)
