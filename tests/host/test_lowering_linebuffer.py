# SPDX-License-Identifier: Apache-2.0
"""Beats of conv_linebuffer hold what docs/streams.md says, and what can not be is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from convloom.errors import UnsupportedError
from convloom.kernels import load_kernel
from convloom.layer import ConvLayer, Requant
from convloom.lowering import lower, lowerings_for, refusals_for
from convloom.lowering.linebuffer import pack_job
from convloom.lowering.linebuffer_plan import plan_pack, plan_stream
from convloom.random_layers import random_layers
from convloom.reference import ALGORITHMS

SPEC = load_kernel("conv_linebuffer")
KERNELS = [(3, 3), (3, 3), (1, 1), (2, 2), (1, 3), (3, 2)]


def walk(job):
    """The sums of every streamed image, computed from the beats alone, as docs/streams.md says.

    Written beat by beat from the document, so that it shares nothing with the lowering:
    (images, out rows, out columns, groups · filters).
    """
    sizes, r = SPEC.config(job.config), job.registers
    taps, lanes = sizes["taps"], sizes["block_filters"]
    depthwise = r["word_blocks"] > 0
    block_filters = lanes
    if depthwise:
        block_filters = max(p for p in (1, 2, 4, 8) if p <= lanes)
    words = -(-r["channels"] // 8)
    shape = (r["batch"], r["height"], r["width"], words * 8)
    oh, ow = r["out_height"], r["out_width"]
    out = np.zeros((r["batch"], oh, ow, r["groups"] * r["filters"]), np.int64)
    in0, in1 = iter(job.streams["in0"]), np.concatenate(job.streams["in1"])
    at = 0
    edge = taps + max(r["pad_bottom"], r["pad_right"])
    for group in range(r["groups"]):
        for filter_group in range(r["filter_groups"]):
            x = next(in0).view(np.int8).reshape(shape).astype(np.int64)
            pads = ((0, 0), (r["pad_top"], edge), (r["pad_left"], edge), (0, 0))
            x = np.pad(x, pads, constant_values=r["x_zero_point"])
            final = filter_group == r["filter_groups"] - 1
            blocks = r["blocks_last"] if final else r["blocks"]
            count = blocks * block_filters
            bias = in1[at : at + count].view("<i4")[::2]
            at += count
            sums = np.zeros((r["batch"], oh, ow, count), np.int64) + bias
            for block in range(blocks):
                own = [block // r["word_blocks"]] if depthwise else range(words)
                for word in own:
                    for lane in range(lanes):
                        for column in range(taps):
                            for row in range(taps):
                                w = in1[at].reshape(1).view(np.int8).astype(np.int64)
                                at += 1
                                rows = slice(row, row + (oh - 1) * r["stride_h"] + 1, r["stride_h"])
                                end = column + (ow - 1) * r["stride_w"] + 1
                                seen = x[:, rows, column : end : r["stride_w"]]
                                dot = seen[..., 8 * word : 8 * word + 8] @ w
                                if lane < block_filters:
                                    sums[..., block * block_filters + lane] += dot
                                else:
                                    assert not w.any()
            first = filter_group * r["blocks"] * block_filters
            there = min(count, r["filters"] - first)
            base = group * r["filters"] + first
            out[..., base : base + there] = sums[..., :there]
    assert next(in0, None) is None and at == len(in1), "beats left over"
    return out


@pytest.mark.parametrize("config", SPEC.configs)
def test_beats_mean_what_the_document_says(config, seed):
    for layer, x, w, bias in random_layers(8, seed, max_macs=20_000, kernels=KERNELS, max_dilation=1):
        job = lower(layer, x, w, bias, kernel=SPEC, config=config)
        sums = walk(job)[..., : layer.k].astype(np.int32)
        expected = ALGORITHMS["im2col"](layer, x, w, bias).y
        np.testing.assert_array_equal(layer.finish(sums), expected, err_msg=layer.name)


def test_tiles_are_images_of_their_own(seed):
    for layer, x, w, bias in random_layers(
        8, seed + 1, max_macs=20_000, kernels=KERNELS, max_dilation=1, exclude=["int8"]
    ):
        th, tw = min(2, layer.oh), min(3, layer.ow)
        checked = layer.check_tensors(x, w, bias)
        job = pack_job(SPEC, "tiny", layer, *checked, tile=(th, tw))
        images = -(-layer.oh // th) * -(-layer.ow // tw)
        assert job.registers["batch"] == layer.n * images
        sums = walk(job)[..., : layer.k].reshape(layer.n, -1, th, tw, layer.k)
        expected = ALGORITHMS["im2col"](layer, x, w, bias).y
        np.testing.assert_array_equal(sums[:, 0], expected[:, :th, :tw])
        np.testing.assert_array_equal(sums[:, -1], expected[:, -th:, -tw:])


@pytest.mark.parametrize("lowering", ["stream", "pack"])
def test_pack_and_unpack_are_inverse_and_located(lowering, seed):
    for layer, x, w, bias in random_layers(20, seed + 2, kernels=KERNELS, max_dilation=1):
        job = lower(layer, x, w, bias, kernel=SPEC, config="tiny", lowering=lowering)
        if lowering == "pack":
            tile = (min(3, layer.oh), min(2, layer.ow))
            checked = layer.check_tensors(x, w, bias)
            job = pack_job(SPEC, "tiny", layer, *checked, tile=tile)
        y = ALGORITHMS["im2col"](layer, x, w, bias).y
        beats = job.pack(y)
        assert len(beats) == job.out_beats
        np.testing.assert_array_equal(job.unpack(beats), y)
        index = len(beats) // 3
        place = job.locate(index)
        k = place.group * (layer.k // layer.groups) + place.filter
        value = y.reshape(-1, layer.k)[place.row, k]
        assert beats[index : index + 1].view(y.dtype)[0] == value, str(place)
    with pytest.raises(IndexError, match="must be below"):
        job.locate(job.out_beats)


def test_a_map_of_whole_words_is_sent_without_a_copy():
    layer = ConvLayer(1, 5, 6, 16, 3, 3, 3, pads=(1, 1, 1, 1))
    x = np.arange(np.prod(layer.x_shape)).astype(np.int8).reshape(layer.x_shape)
    w = np.ones(layer.w_shape, np.int8)
    job = lower(layer, x, w, kernel=SPEC, config="tiny")
    assert np.shares_memory(job.streams["in0"][0], x)
    assert job.buffer_bytes == x.nbytes


LIMITS = [
    (ConvLayer(1, 9, 9, 8, 2, 5, 3), "stream", "kernel rows", "5"),
    (ConvLayer(1, 9, 9, 8, 2, 2, 2, dilation=(1, 3)), "pack", "kernel columns", "4"),
    (ConvLayer(1, 20, 20, 8, 2, 3, 3, stride=(16, 1)), "stream", "stride", "16"),
    (ConvLayer(1, 4, 4, 40, 2, 3, 3), "stream", "C / groups", "40"),
    (ConvLayer(1, 4, 65, 8, 2, 3, 3), "stream", "W", "65"),
    (ConvLayer(1, 4, 33, 16, 2, 3, 3), "stream", "W·⌈C/8⌉", "66"),
    (ConvLayer(1, 4, 4, 8, 2, 3, 3, pads=(1, 1, 256, 1)), "stream", "pads", "256"),
    (ConvLayer(1, 1, 1, 1, 70_000, 1, 1), "stream", "K / groups", "70000"),
]


@pytest.mark.parametrize(("layer", "lowering", "subject", "value"), LIMITS)
def test_refusals_name_attribute_value_and_what_to_do(layer, lowering, subject, value):
    reason = refusals_for(layer, SPEC, "tiny")[lowering]
    assert layer.name in reason and subject in reason and f"not {value}" in reason
    assert any(word in reason for word in ("gemm_systolic", "pack", "split"))
    x, w = np.zeros(layer.x_shape, np.int8), np.zeros(layer.w_shape, np.int8)
    with pytest.raises(UnsupportedError, match=f"must be at most .* not {value}; "):
        lower(layer, x, w, kernel=SPEC, config="tiny", lowering=lowering)


def test_a_map_too_wide_for_the_line_buffers_is_packed():
    layer = ConvLayer(1, 4, 70, 16, 2, 3, 3, pads=(1, 1, 1, 1))
    assert lowerings_for(layer, SPEC, "tiny") == ("pack",)
    assert lowerings_for(layer, SPEC, "z2") == ("stream", "pack")
    assert lowerings_for(layer, SPEC) == ("stream", "pack")
    plan = plan_pack(SPEC.config("tiny"), layer)
    assert plan.width * plan.words <= SPEC.config("tiny")["line_words"]
    assert plan.out == (4, 24) and plan.tile_columns == (0, 24, 46)
    with pytest.raises(UnsupportedError, match=r"tile columns must be in 1\.\.30"):
        plan_pack(SPEC.config("tiny"), layer, (2, 31))


def test_channels_of_deep_depthwise_layers_are_cut_into_equal_slices():
    layer = ConvLayer(1, 7, 7, 1000, 1000, 3, 3, pads=(1, 1, 1, 1), groups=1000)
    plan = plan_stream(SPEC.config("z2"), layer)
    assert (plan.groups, plan.channels, plan.word_blocks, plan.filter_groups) == (4, 256, 2, 1)
    # Too many filters per channel for a word: every channel is a convolution of its own.
    layer = replace(layer, c=3, k=300, groups=3)
    plan = plan_stream(SPEC.config("tiny"), layer)
    assert (plan.groups, plan.filters, plan.word_blocks) == (3, 100, 0)


def test_resnet_layers_fill_the_array_at_z2():
    """Cycles of the array at z2 against 432 products a cycle: what filling up blocks costs."""
    for h, c, k in ((56, 64, 64), (28, 128, 128), (14, 256, 256), (7, 512, 512)):
        scales = Requant.from_scales(np.full(k, 1e-3))
        layer = ConvLayer(1, h, h, c, k, 3, 3, pads=(1, 1, 1, 1), requant=scales)
        plan = plan_stream(SPEC.config("z2"), layer)
        blocks = (plan.filter_groups - 1) * plan.blocks + plan.blocks_last
        cycles = layer.oh * layer.ow * plan.words * blocks
        assert 0.96 < layer.macs / (432 * cycles) <= 1
