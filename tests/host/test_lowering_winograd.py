# SPDX-License-Identifier: Apache-2.0
"""Jobs of conv_winograd hold what docs/streams.md says; loop orders, inverses and refusals."""

from __future__ import annotations

import numpy as np
import pytest

from convloom.commands.ways import choose
from convloom.errors import ConvloomError, UnsupportedError
from convloom.kernels import load_kernel
from convloom.layer import ConvLayer, Requant
from convloom.lowering import lower, lowerings_for, refusals_for
from convloom.lowering.winograd import ORDERS, tilings, winograd_job
from convloom.random_layers import random_layers
from convloom.reference import ALGORITHMS

SPEC = load_kernel("conv_winograd")


def samples(count, seed, **options):
    return random_layers(
        count,
        seed,
        kernels=[(3, 3)],
        max_stride=1,
        max_dilation=1,
        exclude=("groups", "depthwise"),
        **options,
    )


def make_job(config, order, layer, x, w, bias):
    return winograd_job(SPEC, config, layer, *layer.check_tensors(x, w, bias), order=order)


def walk(job):
    """The sums (N, OH, OW, K) computed from the beats alone, as docs/streams.md describes them.

    Written from the document, so that it shares nothing with the lowering. Every round must hold
    the same; the order of the loops decides only how often it comes.
    """
    sizes, r = SPEC.config(job.config), job.registers
    cols, channels = sizes["cols"], r["channels"]
    images = (r["image_sets"] - 1) * r["set_images"] + r["set_images_last"]
    rounds = r["image_sets"] * r["strips"]
    maps, weights = job.streams["in0"], np.concatenate(job.streams["in1"]).reshape(rounds, -1)
    assert len(maps) == (r["groups"] if r["loop_order"] else 1)
    for transfers in (maps, weights):
        assert all(np.array_equal(t, transfers[0]) for t in transfers)
    x = maps[0].view(np.int8).reshape(images, r["height"], r["width"], -1)
    assert x.shape[3] % 8 == 0 and 0 <= x.shape[3] - channels < 8

    def padded(size, out, before):
        after = out + 2 - size - before
        assert after >= 0
        return before, after

    pads = [
        (0, 0),
        padded(r["height"], r["out_height"], r["pad_top"]),
        padded(r["width"], r["out_width"], r["pad_left"]),
        (0, 0),
    ]
    x = np.pad(x[..., :channels].astype(np.int64), pads, constant_values=r["x_zero_point"])

    beats = iter(weights[0])
    sums = np.zeros((images, r["out_height"], r["out_width"], r["filters"]), np.int64)
    k = 0
    for group in range(r["groups"]):
        blocks = r["group_blocks_last"] if group == r["groups"] - 1 else r["group_blocks"]
        params = [next(beats) for _ in range(blocks * cols)]
        kernels = []
        for _ in range(-(-blocks * cols * channels // 8)):
            taps = np.array([next(beats) for _ in range(9)]).view(np.int8).reshape(9, 8)
            kernels += [taps[:, i].astype(np.int64) for i in range(8)]
        assert all(not kernel.any() for kernel in kernels[blocks * cols * channels :])
        for block in range(blocks):
            for column in range(cols):
                own = [kernels[(block * channels + c) * cols + column] for c in range(channels)]
                if k >= r["filters"]:
                    assert params[block * cols + column] == 0
                    assert not any(kernel.any() for kernel in own)
                    continue
                bias = np.array([params[block * cols + column]]).view("<i4")[0]
                total = np.full(sums.shape[:3], bias, np.int64)
                for tap in range(9):
                    i, j = divmod(tap, 3)
                    part = x[:, i : i + r["out_height"], j : j + r["out_width"]]
                    total += part @ np.array([kernel[tap] for kernel in own])
                sums[..., k] = total
                k += 1
    assert k == r["filters"]
    assert next(beats, None) is None, "beats left over"
    return sums


@pytest.mark.parametrize("config", SPEC.configs)
def test_beats_mean_what_the_document_says(config, seed):
    for layer, x, w, bias in samples(12, seed, max_macs=20_000):
        for order in ORDERS:
            sums = walk(make_job(config, order, layer, x, w, bias))
            expected = ALGORITHMS["im2col"](layer, x, w, bias).acc
            np.testing.assert_array_equal(sums, expected, err_msg=f"{layer.name} {order}")


@pytest.mark.parametrize("config", SPEC.configs)
def test_output_is_packed_and_unpacked(config, rng):
    for layer, x, w, bias in samples(15, 7):
        for order in ORDERS:
            job = make_job(config, order, layer, x, w, bias)
            info = np.iinfo(layer.y_dtype)
            y = rng.integers(info.min, info.max, layer.y_shape, layer.y_dtype, endpoint=True)
            beats = job.pack(y)
            assert beats.shape == (job.out_beats,)
            np.testing.assert_array_equal(job.result([beats]), y)
            for index in {0, len(beats) // 2, len(beats) - 1}:
                place = job.locate(index)
                pixel, k = y.reshape(-1, layer.k)[place.row], place.filter
                assert 0 <= place.row < layer.n * layer.oh * layer.ow and k < layer.k
                value = beats[index : index + 1].view(y.dtype)[0]
                assert value == pixel[k] or value == 0, str(place)


def test_output_order_is_the_documents():
    """Set, strip, group, image, tile row, tile column, filter: each beat is found where it must be."""
    layer = ConvLayer(2, 26, 10, 13, 5, 3, 3, pads=(1, 1, 1, 0))
    y = np.arange(np.prod(layer.y_shape), dtype=np.int32).reshape(layer.y_shape)
    tiling = tilings(SPEC.config("tiny"), layer)["weights"]
    x, w = np.zeros(layer.x_shape, np.int8), np.zeros(layer.w_shape, np.int8)
    job = make_job("tiny", "weights", layer, x, w, None)
    assert (tiling.strips, tiling.strip_rows, tiling.groups, tiling.group_blocks) == (2, 4, 3, 1)
    found = iter(job.pack(y).view("<i4"))
    padded = np.pad(y, ((0, 0), (0, 2), (0, 3), (0, 0)))
    for image in range(2):  # a set is one image
        for rows in (range(4), range(4, 7)):
            for filters in (range(2), range(2, 4), range(4, 5)):
                for row in rows:
                    for col in range(3):
                        for k in filters:
                            tile = padded[image, 4 * row : 4 * row + 4, 4 * col : 4 * col + 4, k]
                            assert [next(found) for _ in range(16)] == tile.reshape(-1).tolist()
    assert next(found, None) is None


def test_locate_refuses_a_beat_past_the_end():
    layer = ConvLayer(1, 4, 4, 2, 3, 3, 3)
    x, w = np.zeros(layer.x_shape, np.int8), np.zeros(layer.w_shape, np.int8)
    job = lower(layer, x, w, kernel=SPEC)
    for index in (-1, job.out_beats):
        with pytest.raises(IndexError, match="must be below"):
            job.locate(index)


@pytest.mark.parametrize(
    ("shape", "order", "rounds"),
    [
        ((1, 56, 56, 64, 48), "map", 1),  # all filters are on chip together: everything comes once
        ((1, 56, 56, 64, 64), "weights", 2),  # they are not, but half of the map is
        ((1, 112, 112, 128, 128), "weights", 14),  # two rows of tiles are
        ((1, 14, 14, 512, 512), "weights", 1),  # the whole map is on chip, the weights come once
        ((4, 7, 7, 512, 512), "weights", 2),  # three images are on chip together: 2 and 2
    ],
)
def test_the_loop_order_moves_fewer_bytes(shape, order, rounds):
    layer = ConvLayer(*shape, 3, 3, pads=(1, 1, 1, 1))
    found = tilings(SPEC.config("z2"), layer)
    best = min(found.values(), key=lambda t: t.bytes_in)
    assert best is found[order]
    assert (best.map_rounds if order == "map" else best.weight_rounds) == rounds
    other = next(t for name, t in found.items() if name != order)
    assert best.bytes_in <= other.bytes_in


def test_bytes_are_those_of_the_streams():
    for layer, x, w, bias in samples(8, 4):
        for order in ORDERS:
            job = make_job("tiny", order, layer, x, w, bias)
            assert job.bytes_in == tilings(SPEC.config("tiny"), layer)[order].bytes_in
            assert job.bytes_out == job.pack(np.zeros(layer.y_shape, layer.y_dtype)).nbytes


def test_whole_pixels_are_streamed_without_a_copy():
    layer = ConvLayer(1, 6, 5, 16, 3, 3, 3)
    x, w = np.zeros(layer.x_shape, np.int8), np.zeros(layer.w_shape, np.int8)
    assert np.shares_memory(lower(layer, x, w, kernel=SPEC).streams["in0"][0], x)


REFUSED = [
    (ConvLayer(1, 8, 8, 4, 4, 5, 5), r"filter \(r, s\) must be \(3, 3\) for .*, not \(5, 5\)"),
    (ConvLayer(1, 8, 8, 4, 4, 3, 1), r"filter \(r, s\) must be \(3, 3\) for .*, not \(3, 1\)"),
    (ConvLayer(1, 8, 8, 4, 4, 3, 3, stride=(2, 1)), r"stride must be \(1, 1\) .* not \(2, 1\)"),
    (ConvLayer(1, 8, 8, 4, 4, 3, 3, dilation=(2, 2)), r"dilation must be \(1, 1\) .* not \(2, 2\)"),
    (ConvLayer(1, 8, 8, 4, 4, 3, 3, groups=2), r"groups must be 1 .* not 2"),
    (ConvLayer(1, 8, 8, 513, 4, 3, 3), r"c must be at most 512 .* not 513"),
    (ConvLayer(1, 3, 3, 1, 65_536, 3, 3), r"k must be at most 65535 .* not 65536"),
    (ConvLayer(1, 3, 130, 256, 4, 3, 3), r"width times beats per pixel must be at most 4096 .* 4160"),
    (ConvLayer(1, 20_000, 3, 1, 1, 3, 3), r"h and oh must be at most 16383 .* not 20000"),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "message"), REFUSED)
def test_refusals_name_layer_attribute_value_and_alternative(layer, message):
    x, w = np.zeros(layer.x_shape, np.int8), np.zeros(layer.w_shape, np.int8)
    with pytest.raises(UnsupportedError, match=message) as caught:
        lower(layer, x, w, kernel=SPEC, config="z2")
    assert layer.name in str(caught.value)
    assert "; use " in str(caught.value) or "; split" in str(caught.value)
    assert lowerings_for(layer, SPEC) == () == lowerings_for(layer, SPEC, "z2")
    assert list(refusals_for(layer, SPEC)) == ["pixels"]
    if layer.macs < 10**6:
        with pytest.raises(UnsupportedError, match=message):
            choose(layer, "csim", "winograd", "auto", "z2")


def test_limits_are_those_of_the_configuration():
    layer = ConvLayer(1, 4, 4, 40, 2, 3, 3)
    assert lowerings_for(layer, SPEC) == lowerings_for(layer, SPEC, "z2") == ("pixels",)
    assert lowerings_for(layer, SPEC, "tiny") == ()
    assert "c must be at most 32" in refusals_for(layer, SPEC, "tiny")["pixels"]
    assert choose(layer, "csim", "auto", "auto", "tiny").kernel != "conv_winograd"
    assert choose(layer, "csim", "winograd", "auto", "z2").lowering == "pixels"


def test_unknown_order_is_refused():
    layer = ConvLayer(1, 4, 4, 2, 3, 3, 3, requant=Requant.from_scales([0.1] * 3))
    x, w = np.zeros(layer.x_shape, np.int8), np.zeros(layer.w_shape, np.int8)
    with pytest.raises(ConvloomError, match="order must be one of map, weights, not 'rows'"):
        make_job("tiny", "rows", layer, x, w, None)
