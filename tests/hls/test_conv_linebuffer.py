# SPDX-License-Identifier: Apache-2.0
"""conv_linebuffer in C-simulation against the reference, bit by bit; and what catches its defects."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import islice

import numpy as np
import pytest
from native import build, check_refused, check_run, mutant_kernel, nightly_builds, tensors

from convloom.errors import ConvloomError
from convloom.kernels import load_kernel
from convloom.layer import ConvLayer, Requant
from convloom.lowering import lower, lowerings_for
from convloom.lowering.job import Job
from convloom.lowering.linebuffer import pack_job, stream_job
from convloom.random_layers import random_layers
from hlsc.csim import Kernel
from hlsc.errors import HlscError

SPEC = load_kernel("conv_linebuffer")
kernel = partial(build, SPEC.name)
LOWERINGS = ("stream", "pack")


def make_job(config: str, lowering: str, sample: tuple, tile: tuple[int, int] | None = None) -> Job:
    layer, *tensors = sample
    checked = layer.check_tensors(*tensors)
    if lowering == "stream":
        return stream_job(SPEC, config, layer, *checked)
    return pack_job(SPEC, config, layer, *checked, tile=tile)


def check(built: Kernel, job: Job, sample: tuple, **options) -> None:
    """One layer through the kernel: status 0, and every bit of the one transfer as expected."""
    check_run(built, job, *sample[1:], **options)


def layers(config: str, count: int, seed: int) -> Iterator[tuple]:
    """Random layers that fit: kernels of up to taps × taps, a tenth of them dilated to that."""
    sizes, dilated = [(3, 3), (3, 3), (3, 3), (1, 1), (2, 2), (1, 3), (3, 2)], [(2, 2), (1, 2), (2, 1)]
    if SPEC.config(config)["taps"] == 5:
        sizes += [(5, 5), (5, 5), (4, 5), (1, 5)]
        dilated += [(3, 3), (3, 2)]
    yield from random_layers(count - count // 10, seed, kernels=sizes, max_dilation=1)
    found = (
        sample
        for sample in random_layers(15 * count, seed, kernels=dilated, max_dilation=2, max_macs=20_000)
        if sample[0].dilation != (1, 1)
    )
    yield from islice(found, count // 10)


def wide_layer(config: str, rng: np.random.Generator) -> tuple:
    """A random layer whose rows do not fit the line buffers."""
    c, k, h, stride = (int(rng.integers(1, high + 1)) for high in (20, 5, 5, 2))
    width = SPEC.config(config)["line_words"] // -(-c // 8) + int(rng.integers(1, 9))
    requant = scales(k) if rng.random() < 0.5 else None
    layer = ConvLayer(1, h, width, c, k, 3, 3, (stride, stride), (1, 1, 1, 1), requant=requant)
    assert "stream" not in lowerings_for(layer, SPEC, config)
    return tensors(layer)


def sweep(built: Kernel, config: str, lowering: str, count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(count // 10 if lowering == "pack" else 0):
        sample = wide_layer(config, rng)
        check(built, make_job(config, lowering, sample), sample)
    for sample in layers(config, count, seed):
        tile = None
        if rng.random() < 0.8:  # else one tile, or as many as the line buffers ask for
            tile = tuple(
                int(rng.integers(1, min(size, 4) + 1)) for size in (sample[0].oh, sample[0].ow)
            )
        check(built, make_job(config, lowering, sample, tile), sample)


@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize("config", SPEC.configs)
def test_random_layers(config, lowering, seed):
    sweep(kernel(config), config, lowering, 45 if config == "tiny" else 30, seed)


@pytest.mark.nightly
@pytest.mark.parametrize("part", range(5))
@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize("build", nightly_builds(SPEC), ids="-".join)
def test_random_layers_long(build, lowering, part, seed):
    sweep(kernel(*build), build[0], lowering, 100, seed + 1000 + part)


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_open_vendor_headers(lowering, seed):
    sweep(kernel("tiny", "xilinx", "g++"), "tiny", lowering, 4, seed)


@pytest.mark.parametrize("lowering", LOWERINGS)
def test_sanitizers(lowering, seed):
    sweep(kernel("tiny", sanitize="sanitize"), "tiny", lowering, 15, seed)


def scales(k: int) -> Requant:
    return Requant.from_scales(np.random.default_rng(k).uniform(1e-4, 1e-2, k), zero_point=-3)


def several(requant: bool = True) -> tuple:
    """A layer that takes several tiles of everything at `tiny`."""
    requantised = scales(9) if requant else None
    layer = ConvLayer(2, 9, 8, 19, 9, 3, 3, pads=(1, 2, 1, 0), x_zero_point=5, requant=requantised)
    return tensors(layer)


def strided(requant: bool = True) -> tuple:
    requantised = scales(5) if requant else None
    layer = ConvLayer(2, 10, 9, 11, 5, 3, 3, (2, 2), (1, 0, 0, 1), x_zero_point=-7, requant=requantised)
    return tensors(layer)


def depthwise(requant: bool = True) -> tuple:
    """Channels for two slices at `tiny`, the second of one word."""
    requantised = scales(21) if requant else None
    layer = ConvLayer(
        1, 6, 7, 21, 21, 3, 3, pads=(1, 1, 1, 1), groups=21, x_zero_point=9, requant=requantised
    )
    return tensors(layer)


def test_several_of_everything():
    registers = make_job("tiny", "stream", several()).registers
    for name in ("filter_groups", "batch", "blocks", "channels", "out_height", "out_width"):
        assert registers[name] >= 2, name
    assert registers["blocks"] != registers["blocks_last"]
    registers = make_job("tiny", "stream", depthwise()).registers
    assert registers["groups"] == 2 and registers["word_blocks"] == 4
    for make in (several, strided, depthwise):
        for requant in (False, True):
            sample = make(requant)
            check(kernel("tiny"), make_job("tiny", "stream", sample), sample)


DIRECTED = {
    "smallest": ConvLayer(1, 1, 1, 1, 1, 1, 1),
    "one output": ConvLayer(1, 3, 3, 3, 3, 3, 3),
    "one row": ConvLayer(1, 1, 12, 9, 4, 1, 3, pads=(0, 1, 0, 1)),
    "one column": ConvLayer(2, 12, 1, 9, 4, 3, 1, pads=(1, 0, 1, 0)),
    "most channels": ConvLayer(1, 4, 5, 32, 3, 3, 3, pads=(1, 1, 1, 1)),
    "full line": ConvLayer(1, 4, 64, 8, 3, 3, 3, pads=(1, 1, 1, 1)),
    "full line of pixels": ConvLayer(1, 5, 16, 32, 3, 3, 3, pads=(1, 1, 1, 1), stride=(2, 2)),
    "stride above the window": ConvLayer(2, 14, 13, 10, 3, 3, 3, (5, 4)),
    "largest stride": ConvLayer(1, 33, 34, 3, 2, 3, 3, (15, 15), (1, 1, 1, 1)),
    "unequal strides": ConvLayer(1, 8, 7, 5, 4, 3, 3, (1, 2), (0, 1, 1, 0)),
    "rows nobody sees": ConvLayer(3, 8, 8, 3, 2, 1, 1, (4, 4)),
    "pads above the window": ConvLayer(2, 2, 3, 3, 2, 3, 3, (1, 1), (6, 5, 4, 7), x_zero_point=-9),
    "pads at a stride": ConvLayer(3, 3, 2, 3, 2, 3, 3, (3, 2), (7, 6, 5, 3), x_zero_point=11),
    "dilated two": ConvLayer(1, 7, 6, 9, 5, 2, 2, (1, 1), (1, 1, 1, 1), (2, 2)),
    "dilated column": ConvLayer(1, 7, 6, 9, 5, 2, 3, (1, 2), (1, 1, 0, 1), (2, 1)),
    "groups": ConvLayer(2, 5, 5, 18, 9, 3, 3, (1, 1), (1, 1, 1, 1), groups=3),
    "two filters per channel": ConvLayer(1, 5, 6, 11, 22, 3, 3, pads=(1, 1, 1, 1), groups=11),
    "depthwise at stride 2": ConvLayer(2, 7, 8, 18, 18, 3, 3, (2, 2), (1, 1, 1, 1), groups=18),
    "depthwise across a wide map": ConvLayer(1, 4, 40, 12, 12, 3, 3, pads=(1, 1, 1, 1), groups=12),
}


@pytest.mark.parametrize("lowering", LOWERINGS)
@pytest.mark.parametrize("name", DIRECTED)
def test_directed(name, lowering):
    sample = tensors(DIRECTED[name])
    check(kernel("tiny"), make_job("tiny", lowering, sample), sample)


def test_pixels_cross_the_bus_once_per_filter_group():
    layer, *rest = several()
    job = make_job("tiny", "stream", (layer, *rest))
    passes = job.registers["filter_groups"]
    assert passes == 3
    assert [len(t) for t in job.streams["in0"]] == passes * [layer.n * layer.h * layer.w * 3]


def test_extreme_values_at_the_most_channels():
    layer = ConvLayer(1, 3, 4, 2048, 7, 3, 3, pads=(1, 1, 1, 1))
    x, w = np.full(layer.x_shape, -128, np.int8), np.full(layer.w_shape, -128, np.int8)
    w[::2] = 127
    sample = layer, x, w, np.zeros(layer.k, np.int32)
    check(kernel("z2"), make_job("z2", "stream", sample), sample)


def test_map_wider_than_the_line_buffers():
    """The raw map is refused; tiles of it are exact, and the batch carries them."""
    layer = ConvLayer(2, 6, 70, 20, 5, 3, 3, pads=(1, 1, 1, 1), x_zero_point=4, requant=scales(5))
    sample = tensors(layer)
    assert lowerings_for(layer, SPEC, "tiny") == ("pack",)
    job = lower(*sample, kernel=SPEC, config="tiny", lowering="pack")
    assert job.registers["batch"] == 2 * 4
    check(kernel("tiny"), job, sample)
    check(kernel("tiny"), make_job("tiny", "pack", sample, (2, 9)), sample)


BAD_REGISTERS = [
    ("groups", 0, "bad_map"),
    ("groups", 1 << 16, "bad_map"),
    ("batch", 0, "bad_map"),
    ("batch", 1 << 31, "bad_map"),
    ("height", 0, "bad_map"),
    ("height", 1 << 17, "bad_map"),
    ("width", 0, "bad_map"),
    ("width", 22, "bad_map"),
    ("width", 1 << 16, "bad_map"),
    ("channels", 0, "bad_channels"),
    ("channels", 33, "bad_channels"),
    ("channels", 1 << 30, "bad_channels"),
    ("filters", 0, "bad_filters"),
    ("filters", 6, "bad_filters"),
    ("filters", 11, "bad_filters"),
    ("filter_groups", 0, "bad_filters"),
    ("filter_groups", 2, "bad_filters"),
    ("filter_groups", 65536 + 3, "bad_filters"),
    ("blocks", 0, "bad_filters"),
    ("blocks", 5, "bad_filters"),
    ("blocks_last", 0, "bad_filters"),
    ("blocks_last", 3, "bad_filters"),
    ("word_blocks", 4, "bad_filters"),
    ("word_blocks", 257, "bad_filters"),
    ("channels", 25, "bad_map"),
    ("kernel_height", 4, "bad_window"),
    ("kernel_width", 0, "bad_window"),
    ("out_height", 0, "bad_window"),
    ("out_height", 10, "bad_window"),
    ("out_width", 7, "bad_window"),
    ("out_width", 65536 + 8, "bad_window"),
    ("stride_h", 0, "bad_window"),
    ("stride_w", 2, "bad_window"),
    ("stride_w", 17, "bad_window"),
    ("pad_top", 2, "bad_window"),
    ("pad_left", 258, "bad_window"),
    ("pad_bottom", 0, "bad_window"),
    ("pad_right", 1, "bad_window"),
    ("int8_output", 2, "bad_output"),
    ("x_zero_point", -129, "bad_output"),
    ("y_zero_point", 128, "bad_output"),
    ("clamp_low", -129, "bad_output"),
    ("clamp_high", 200, "bad_output"),
]


@pytest.mark.parametrize(("register", "value", "status"), BAD_REGISTERS)
def test_bad_register_ends_the_run_with_its_status(register, value, status):
    job = make_job("tiny", "stream", several())
    registers = {**job.registers, register: value}
    if (register, value) == ("channels", 25):
        registers["width"] = 17  # 17 pixels of 4 words are more than a line of 64
    check_refused(kernel("tiny"), registers, status)


def test_too_many_weights_are_refused():
    registers = dict(make_job("tiny", "stream", several()).registers)
    # 4 blocks of 3 words are more than 8 words.
    registers.update(filters=8, filter_groups=1, blocks=4, blocks_last=4)
    check_refused(kernel("tiny"), registers, "bad_weights")


def test_missing_tlast_between_maps_is_reported():
    job = make_job("tiny", "stream", several())
    streams = {**job.streams, "in0": [np.concatenate(job.streams["in0"])]}
    run = kernel("tiny").run(streams, job.registers)
    assert run.scalars["status"] == SPEC.status["in0_tlast"]


# Kind of damage: file, text, what replaces it.
MUTANTS = {
    "wrong tap": ("window.h", "= first + t;", "= first + (TAPS - 1 - t);"),
    "wrong line buffer": ("window.h", "(LINES)> bank = line;", "(LINES)> bank = line + 1;"),
    "line read before it is there": ("window.h", "above = need_lead > 0", "above = need_lead > -3"),
    "no padding beside the map": ("window.h", "in_map && window.real[t]", "window.real[t]"),
    "stale weights": ("compute.h", "half ? 0 : C::WEIGHT_WORDS", "!half ? 0 : C::WEIGHT_WORDS"),
    "wrong stride": ("compute.h", "left = left + s.stride_w", "left = left + 1"),
    "dropped last beat": ("write.h", "if (!s.output.int8 || end_of_beat)", "if (!end_of_group)"),
    "missing TLAST": ("results.h", "make_beat(beat.data, beat.last)", "make_beat(beat.data, false)"),
}
NIGHTLY_MUTANTS = {
    "line overwritten too early": ("window.h", "room = lead < LINES,", "room = lead <= LINES,"),
    "old answers in a new row": ("window.h", "settle.tick(1)", "settle.tick(0)"),
    "no padding above the map": ("window.h", "row + t >= 0 &&", ""),
    "column released too early": ("compute.h", "last_use = s.depthwise ||", "last_use = true ||"),
    "sums not cleared": ("compute.h", "(first ? ap_int<32>(0) : sum[2 * p])", "sum[2 * p]"),
    "depthwise with another word": ("compute.h", "if (!s.depthwise || last_of_blocks) word", "word"),
    "odd filter not cleared": ("write.h", "final_group && s.odd", "s.odd && !s.odd"),
    "swapped channel": ("packed_multiply.h", "(odd) << 16) + even", "(even) << 16) + odd"),
    "sign of the low product": ("packed_multiply.h", "(even < 0 ? 1 : 0)", "0"),
    "unrounded": ("requantize.h", "(halves + ap_int<48>(1)) >> 1", "halves >> 1"),
}


@pytest.mark.parametrize(
    "name", [*MUTANTS, *(pytest.param(name, marks=pytest.mark.nightly) for name in NIGHTLY_MUTANTS)]
)
def test_mutant_is_caught(name, tmp_path):
    file, old, new = {**MUTANTS, **NIGHTLY_MUTANTS}[name]
    mutant = mutant_kernel(SPEC, "tiny", tmp_path, file, old, new)
    samples = [make(requant) for make in (several, strided, depthwise) for requant in (False, True)]
    with pytest.raises((AssertionError, ConvloomError, HlscError)):
        for sample in samples:
            check(mutant, make_job("tiny", "stream", sample), sample, timeout=20)
