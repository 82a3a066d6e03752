# SPDX-License-Identifier: Apache-2.0
"""gemm_systolic in C-simulation against the reference, bit by bit; and what catches its defects."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from native import build, check_refused, check_run, mutant_kernel, nightly_builds

from convloom.errors import ConvloomError
from convloom.kernels import load_kernel
from convloom.layer import ConvLayer, Requant
from convloom.lowering import lower, lowerings_for
from convloom.random_layers import TRAITS, random_layers
from hlsc.csim import CsimError, Kernel

SPEC = load_kernel("gemm_systolic")
kernel = partial(build, SPEC.name)


def check(
    built: Kernel, config: str, layer: ConvLayer, x, w, bias, lowering="im2col", **options
) -> None:
    """One layer through the kernel: status 0, one output transfer, every bit as in the reference."""
    job = lower(layer, x, w, bias, kernel=SPEC, config=config, lowering=lowering)
    check_run(built, job, x, w, bias, **options)


def sweep(built: Kernel, config: str, count: int, seed: int, lowering: str = "im2col") -> None:
    for layer, x, w, bias in random_layers(count, seed):
        if lowering in lowerings_for(layer, SPEC, config):
            check(built, config, layer, x, w, bias, lowering)


@pytest.mark.parametrize("part", range(3))
def test_random_layers(part, seed):
    sweep(kernel("tiny"), "tiny", len(TRAITS), seed + part)


def test_random_layers_z2(seed):
    sweep(kernel("z2"), "z2", 15, seed)


@pytest.mark.parametrize("lowering", ["mec", "indirect"])
def test_random_layers_lowered_otherwise(lowering, seed):
    sweep(kernel("tiny"), "tiny", 40, seed + 50, lowering)
    sweep(kernel("z2"), "z2", 10, seed + 60, lowering)


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(10))
@pytest.mark.parametrize("lowering", ["im2col", "mec", "indirect"])
@pytest.mark.parametrize("build", nightly_builds(SPEC), ids="-".join)
def test_random_layers_long(build, lowering, part, seed):
    sweep(kernel(*build), build[0], 50, seed + 1000 + part, lowering)


def test_open_vendor_headers(seed):
    sweep(kernel("tiny", "xilinx", "g++"), "tiny", 15, seed)


def test_sanitizers(seed):
    sweep(kernel("tiny", sanitize="sanitize"), "tiny", 5, seed)


def several_tiles(requant: bool = True) -> tuple:
    """A layer that takes several tiles, chunks and blocks in every dimension at `tiny`."""
    rng = np.random.default_rng(3)
    k = 21
    scales = Requant.from_scales(rng.uniform(1e-4, 1e-2, k), zero_point=-3) if requant else None
    layer = ConvLayer(2, 5, 6, 19, k, 3, 3, pads=(1, 1, 1, 0), x_zero_point=5, requant=scales)
    x = rng.integers(-128, 128, layer.x_shape, np.int8)
    w = rng.integers(-128, 128, layer.w_shape, np.int8)
    return layer, x, w, rng.integers(-999, 999, k, np.int32)


@pytest.mark.parametrize("requant", [False, True])
def test_several_tiles_in_every_dimension(requant):
    layer, x, w, bias = several_tiles(requant)
    registers = lower(layer, x, w, bias, kernel=SPEC, config="tiny").registers
    for name in ("row_tiles", "row_blocks", "filter_tiles", "filter_blocks", "chunks"):
        assert registers[name] >= 2, name
    assert registers["row_blocks"] != registers["row_blocks_last"]
    check(kernel("tiny"), "tiny", layer, x, w, bias)


def test_stream_depths_of_the_source_suffice_for_parameters():
    layer, x, w, bias = several_tiles()
    job = lower(layer, x, w, bias, kernel=SPEC, config="tiny")
    assert kernel("tiny").run(job.streams, job.registers).high_water["params"] > 0


BAD_REGISTERS = [
    ("rows", 0, "bad_rows"),
    ("rows", 1 << 24, "bad_rows"),
    ("rows", 5, "bad_rows"),
    ("row_tiles", 0, "bad_rows"),
    ("row_tiles", 1 << 16, "bad_rows"),
    ("row_tiles", 1 << 31, "bad_rows"),
    ("row_blocks", 5, "bad_rows"),
    ("row_blocks_last", 0, "bad_rows"),
    ("filters", 0, "bad_filters"),
    ("filters", 999, "bad_filters"),
    ("filter_tiles", 9, "bad_filters"),
    ("filter_blocks", 0, "bad_filters"),
    ("filter_blocks", 3, "bad_filters"),
    ("filter_blocks_last", 200, "bad_filters"),
    ("groups", 0, "bad_groups"),
    ("groups", 1 << 16, "bad_groups"),
    ("chunks", 0, "bad_reduction"),
    ("chunks", 1 << 20, "bad_reduction"),
    ("segments", 0, "bad_reduction"),
    ("segments", 256 + 1, "bad_reduction"),
    ("segment_words", 13, "bad_reduction"),
    ("image_words", 0, "bad_image"),
    ("image_words", 129, "bad_image"),
    ("int8_output", 2, "bad_output"),
    ("y_zero_point", 128, "bad_output"),
    ("clamp_low", -129, "bad_output"),
    ("clamp_high", 200, "bad_output"),
]


@pytest.mark.parametrize(("register", "value", "status"), BAD_REGISTERS)
def test_bad_register_ends_the_run_with_its_status(register, value, status):
    job = lower(*several_tiles(), kernel=SPEC, config="tiny")
    check_refused(kernel("tiny"), {**job.registers, register: value}, status)
    assert register.split("_")[0] in SPEC.explain_status(SPEC.status[status])


def test_table_too_large_is_refused():
    registers = dict(lower(*several_tiles(), kernel=SPEC, config="tiny").registers)
    registers.update(segment_words=1, row_tiles=5, row_blocks=4, row_blocks_last=4, rows=60)
    # 4 blocks · 3 rows · 10 segments = 120 entries fit 32 beats of 4; of 11 segments they do not.
    check_refused(kernel("tiny"), {**registers, "segments": 10, "image_words": 0}, "bad_image")
    check_refused(kernel("tiny"), {**registers, "segments": 11}, "bad_table")


MUTANTS = {
    "wrong operand": ("compute.h", "a[i][p > 0 ? p - 1 : 0]", "a[i][p]"),
    "dropped beat": ("write.h", "if (wanted && complete &&", "if (wanted && row.n != 2 && complete &&"),
    "swapped channel": ("packed_multiply.h", "(odd) << 16) + even", "(even) << 16) + odd"),
    "missing TLAST": ("results.h", "make_beat(beat.data, beat.last)", "make_beat(beat.data, false)"),
    "sign of the low product": ("packed_multiply.h", "(even < 0 ? 1 : 0)", "0"),
    "sums not cleared": ("compute.h", "b[i][p].first ? Sums() : sum[i][p]", "sum[i][p]"),
    "table of the wrong tile": ("read.h", "if (chunk.n == 0) table_half", "table_half"),
    "first chunk added twice": ("compute.h", "chunk.n == 0 ? ap_int<32>(0)", "false ? ap_int<32>(0)"),
    "late drain": ("compute.h", "const int TAIL = 2 * (C::ROWS - 1)", "const int TAIL = (C::ROWS - 1)"),
    "unrounded": ("requantize.h", "(halves + ap_int<48>(1)) >> 1", "halves >> 1"),
    "ragged tile ignored": ("read.h", "tile.last_row_block(s.tiles)", "s.tiles.last_row_block.full"),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant_is_caught(name, tmp_path):
    file, old, new = MUTANTS[name]
    mutant = mutant_kernel(SPEC, "tiny", tmp_path, file, old, new)
    with pytest.raises((AssertionError, ConvloomError, CsimError)):
        for requant in (False, True):
            check(mutant, "tiny", *several_tiles(requant), isolated=True, timeout=20)
