# SPDX-License-Identifier: Apache-2.0
"""conv_winograd in C-simulation against the reference, bit by bit; and what catches its defects."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from native import build, check_refused, check_run, mutant_kernel, nightly_builds, tensors

from convloom.errors import ConvloomError
from convloom.kernels import load_kernel
from convloom.layer import ConvLayer, Requant
from convloom.lowering.winograd import ORDERS, winograd_job
from convloom.random_layers import random_layers
from convloom.reference import ALGORITHMS
from hlsc.csim import Kernel
from hlsc.errors import HlscError

SPEC = load_kernel("conv_winograd")
kernel = partial(build, SPEC.name)


def make_job(config: str, order: str | None, layer: ConvLayer, x, w, bias):
    return winograd_job(SPEC, config, layer, *layer.check_tensors(x, w, bias), order=order)


def check(built: Kernel, config: str, order: str | None, layer: ConvLayer, x, w, bias, **options):
    """One layer: status 0, and every bit of the one transfer as the reference has it."""
    job = make_job(config, order, layer, x, w, bias)
    return check_run(built, job, x, w, bias, **options)


def layers(count: int, seed: int):
    """Random 3×3 layers of stride 1."""
    return random_layers(
        count, seed, kernels=[(3, 3)], max_stride=1, max_dilation=1, exclude=("groups", "depthwise")
    )


def sweep(built: Kernel, config: str, count: int, seed: int) -> None:
    for sample in layers(count, seed):
        for order in ORDERS:
            check(built, config, order, *sample)


@pytest.mark.parametrize("part", range(3))
def test_random_layers(part, seed):
    sweep(kernel("tiny"), "tiny", 10, seed + part)


@pytest.mark.parametrize("config", ["tiny_f2", "z2"])
def test_random_layers_of_the_other_configurations(config, seed):
    sweep(kernel(config), config, 12, seed)


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(10))
@pytest.mark.parametrize("build", nightly_builds(SPEC), ids="-".join)
def test_random_layers_long(build, part, seed):
    sweep(kernel(*build), build[0], 50, seed + 1000 + part)


def test_open_vendor_headers(seed):
    sweep(kernel("tiny", "xilinx", "g++"), "tiny", 4, seed)


def test_sanitizers(seed):
    sweep(kernel("tiny", sanitize="sanitize"), "tiny", 5, seed)


def several(kind: str, requant: bool = True) -> tuple:
    """Layers that at `tiny` take several strips of a map, or several sets of images; all else too."""
    if kind == "strips":
        n, h, w, c, k, pads = 2, 26, 10, 13, 5, (1, 1, 1, 0)
    else:
        n, h, w, c, k, pads = 7, 5, 4, 11, 7, (1, 0, 1, 1)
    scales = None
    if requant:
        factors = np.random.default_rng(5).uniform(1e-4, 1e-2, k)
        scales = Requant.from_scales(factors, zero_point=-3)
    return tensors(ConvLayer(n, h, w, c, k, 3, 3, pads=pads, x_zero_point=5, requant=scales))


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("requant", [False, True])
@pytest.mark.parametrize("kind", ["strips", "sets"])
def test_several_of_everything(kind, requant, order):
    sample = several(kind, requant)
    registers = make_job("tiny", order, *sample).registers
    blocks = 2 if order == "map" else 1  # where weights come again two groups fit the kernel's memory
    assert registers["group_blocks"] == blocks
    assert registers["groups"] >= 2 and registers["row_slots"] >= 2
    assert registers["loop_order"] == (order == "map")
    if order == "weights":
        assert registers["image_sets"] >= 2
        assert registers["strips" if kind == "strips" else "set_images"] >= 2
        name = "strip_rows" if kind == "strips" else "set_images"
        assert registers[name] != registers[f"{name}_last"]
    check(kernel("tiny"), "tiny", order, *sample)


def test_order_moves_what_it_says():
    sample = several("strips")
    by_map, by_weights = (make_job("tiny", order, *sample) for order in ORDERS)
    assert len(by_map.streams["in0"]) == by_map.registers["groups"]
    assert len(by_map.streams["in1"]) == 1
    assert len(by_weights.streams["in0"]) == 1
    times = 2 * by_weights.registers["strips"]
    rounds = np.concatenate(by_weights.streams["in1"]).reshape(times, -1)
    assert all(np.array_equal(again, rounds[0]) for again in rounds)
    assert make_job("tiny", None, *sample).bytes_in == min(by_map.bytes_in, by_weights.bytes_in)


@pytest.mark.parametrize("signs", ["lowest", "opposite", "input rows", "kernel rows", "random"])
def test_extremes_at_the_most_channels(signs):
    """Every value at an end of int8, C = 512: the sums of all elements are as large as they get."""
    layer = ConvLayer(1, 6, 6, 512, 7, 3, 3)
    rng = np.random.default_rng(9)
    x, w = np.full(layer.x_shape, -128, np.int8), np.full(layer.w_shape, -128, np.int8)
    if signs == "opposite":
        w[:] = 127
    elif signs == "input rows":  # of V element (0, 0): signs of row 0 of B' along both axes
        row = np.array([1, 1, -1, 1, 1, 1])
        x[:] = np.where(np.outer(row, row) > 0, 127, -128)[None, :, :, None]
    elif signs == "kernel rows":  # of U element (2, 2) of G': signs (−1, 1, −1) along both axes
        row = np.array([-1, 1, -1])
        w[:] = np.where(np.outer(row, row) > 0, 127, -128)[None, :, :, None]
    elif signs == "random":
        x, w = (rng.choice(np.array([-128, 127], np.int8), s) for s in (layer.x_shape, layer.w_shape))
    check(kernel("z2"), "z2", None, layer, x, w, np.zeros(7, np.int32))


@pytest.mark.parametrize(("config", "filters", "each"), [("z2", 12, 73_728), ("tiny_f2", 2, 100_352)])
def test_multiplications(config, filters, each):
    """Counted by the tiles of one channel that the array took: each meets T² multipliers per column.

    14×14×128 with one pad: 16 tiles · 36 · 128 = 73,728 products per filter with F(4×4), 49 · 16 · 128
    = 100,352 with F(2×2), against 14·14·9·128 = 225,792.  In C-simulation a process ends before the
    next begins, so the most that a FIFO ever holds is all that goes through it.
    """
    sizes = SPEC.config(config)
    channels = min(128, sizes["kernel_words"])  # the kernels of 128 channels are too many for tiny_f2
    layer = ConvLayer(1, 14, 14, channels, filters, 3, 3, pads=(1, 1, 1, 1))
    run = check(kernel(config), config, None, *tensors(layer))
    multipliers = (sizes["tile"] + 2) ** 2 * sizes["cols"]
    used = run.high_water["tiles"] * multipliers
    assert used // filters * 128 // channels == each
    assert layer.macs // filters * 128 // channels == 225_792
    name = f"winograd_f{sizes['tile']}"
    assert used == ALGORITHMS[name](*tensors(layer)).multiplications


def test_memories_hold_what_their_depths_say():
    job = make_job("tiny", "map", *several("strips"))
    passed = kernel("tiny").run(job.streams, job.registers).high_water
    assert passed["raw"] * 9 + passed["params"] == len(job.streams["in1"][0])
    sizes, groups = SPEC.config("tiny"), job.registers["groups"]
    assert passed["raw"] <= groups * sizes["raw_words"]
    assert passed["params"] <= groups * sizes["max_blocks"] * sizes["cols"]


BAD_REGISTERS = [
    ("height", 0, "bad_map"),
    ("height", 1 << 20, "bad_map"),
    ("height", 40, "bad_map"),
    ("width", 0, "bad_map"),
    ("width", 12, "bad_map"),
    ("pad_top", 4, "bad_map"),
    ("pad_top", 1 << 31, "bad_map"),
    ("pad_left", 3, "bad_map"),
    ("out_height", 0, "bad_map"),
    ("out_height", 1 << 16, "bad_map"),
    ("out_width", 5, "bad_map"),
    ("channels", 0, "bad_channels"),
    ("channels", 17, "bad_channels"),
    ("channels", 33, "bad_channels"),
    ("channels", 1 << 16, "bad_channels"),
    ("group_blocks", 0, "bad_channels"),
    ("group_blocks", 3, "bad_channels"),
    ("filters", 0, "bad_filters"),
    ("filters", 7, "bad_filters"),
    ("filters", 1 << 16, "bad_filters"),
    ("groups", 0, "bad_filters"),
    ("groups", 3, "bad_filters"),
    ("group_blocks_last", 0, "bad_filters"),
    ("group_blocks_last", 2, "bad_filters"),
    ("image_sets", 0, "bad_strips"),
    ("image_sets", 1 << 16, "bad_strips"),
    ("set_images", 0, "bad_strips"),
    ("set_images", 2, "bad_strips"),
    ("set_images_last", 2, "bad_strips"),
    ("strips", 0, "bad_strips"),
    ("strips", 3, "bad_strips"),
    ("strip_rows", 3, "bad_strips"),
    ("strip_rows", 1 << 14, "bad_strips"),
    ("strip_rows_last", 0, "bad_strips"),
    ("out_height", 30, "bad_strips"),
    ("row_slots", 0, "bad_rows"),
    ("row_slots", 2, "bad_rows"),
    ("row_slots", 5, "bad_rows"),
    ("row_slots", 256, "bad_rows"),
    ("loop_order", 1, "bad_order"),
    ("loop_order", 2, "bad_order"),
    ("int8_output", 2, "bad_output"),
    ("x_zero_point", -129, "bad_output"),
    ("y_zero_point", 128, "bad_output"),
    ("clamp_low", -129, "bad_output"),
    ("clamp_high", 200, "bad_output"),
]


def strips_of_large_groups() -> dict[str, int]:
    """Registers of strips, with groups of filters as large as the kernel can hold."""
    strips, whole = (
        make_job("tiny", order, *several("strips")).registers for order in ("weights", "map")
    )
    names = ("groups", "group_blocks", "group_blocks_last")
    return {**strips, **{name: whole[name] for name in names}}


@pytest.mark.parametrize(("register", "value", "status"), BAD_REGISTERS)
def test_bad_register_ends_the_run_with_its_status(register, value, status):
    check_refused(kernel("tiny"), {**strips_of_large_groups(), register: value}, status)
    text = SPEC.explain_status(SPEC.status[status])
    assert register in text or register.split("_")[0] in text


def test_a_strip_larger_than_the_rows_on_chip_is_refused():
    """A single strip of any claimed size must not get past the check: it would never be complete."""
    registers = strips_of_large_groups()
    registers.update(strips=1, strip_rows=7, strip_rows_last=7)
    check_refused(kernel("tiny"), registers, "bad_rows")
    registers.update(strip_rows=1 << 14)
    check_refused(kernel("tiny"), registers, "bad_strips")
    registers.update(strip_rows=7, set_images=2, set_images_last=2, image_sets=1, loop_order=1)
    sample = several("strips")
    job = make_job("tiny", "map", *sample)
    assert {k: v for k, v in job.registers.items() if k != "row_slots"} == {
        k: v for k, v in registers.items() if k != "row_slots"
    }


def test_missing_tlast_between_transfers_is_reported():
    job = make_job("tiny", "map", *several("sets"))
    streams = dict(job.streams, in0=[np.concatenate(job.streams["in0"])])
    run = kernel("tiny").run(streams, job.registers)
    assert run.scalars["status"] == SPEC.status["in0_tlast"]


MUTANTS = {
    "wrong input row": ("transforms.h", "v[3] = even + twice", "v[3] = even - twice"),
    "wrong kernel row": ("transforms.h", "u[4] = weighted - middle", "u[4] = weighted + middle"),
    "wrong quotient": ("transforms.h", "y.range(3, 0)", "y.range(4, 1)"),
    "stale U": ("compute.h", "at != written", "true"),
    "drain overtaken": ("compute.h", "&& drain_left > 1)", "&& false)"),
    "dropped last tile": ("tiles.h", "tile_col.tick(s.last_tile_col)", "tile_col.tick(0)"),
    "dropped beat": ("write.h", "if (complete &&", "if (!out.last && complete &&"),
    "row given up early": ("tiles.h", "kept = !s.repeat_map &&", "kept = false &&"),
    "row overwritten": ("tiles.h", "!= s.ring_rows", "!= s.ring_rows + 1"),
    "padding not filled": ("tiles.h", "inside_row && inside[i] ? pixel : padding", "pixel"),
}  # fmt: skip


RARELY = ("wrong kernel row", "wrong quotient", "padding not filled")  # compiling takes long


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.nightly] if n in RARELY else []) for n in MUTANTS]
)
def test_mutant_is_caught(name, tmp_path):
    built = mutant_kernel(SPEC, "tiny", tmp_path, *MUTANTS[name])
    with pytest.raises((AssertionError, ConvloomError, HlscError)):
        for kind in ("strips", "sets"):
            for order in ORDERS:
                check(built, "tiny", order, *several(kind), timeout=5)


@pytest.mark.nightly
def test_mutant_that_overwrites_kernels_in_use_is_caught(tmp_path):
    """Kernels are taken in while three tiles still need those before: only z2 asks that early."""
    sample = tensors(ConvLayer(1, 6, 14, 500, 14, 3, 3))
    check(kernel("z2"), "z2", "map", *sample)
    change = "compute.h", "Turn(written - freed) != C::KERNEL_WORDS", "true"
    with pytest.raises(AssertionError, match="not equal"):
        check(mutant_kernel(SPEC, "z2", tmp_path, *change), "z2", "map", *sample)
