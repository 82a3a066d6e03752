# SPDX-License-Identifier: Apache-2.0
"""The layer contract: shapes, checks, requantisation arithmetic, error texts."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from fractions import Fraction
from math import floor

import numpy as np
import pytest

from convloom.errors import ConvloomError, LayerError
from convloom.layer import ConvLayer, Requant, apply_scale_16, requantize

SEED = int(os.environ.get("CONVLOOM_SEED", "1"))


def layer_of(**changes: object) -> ConvLayer:
    base: dict = dict(n=2, h=7, w=9, c=6, k=4, r=3, s=2)
    base.update(changes)
    return ConvLayer(**base)


def tensors(layer: ConvLayer, value: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = np.full(layer.x_shape, value, np.int8)
    return x, np.full(layer.w_shape, value, np.int8), np.zeros(layer.k, np.int32)


def test_shapes_and_macs_of_a_known_layer() -> None:
    layer = ConvLayer(1, 224, 224, 3, 64, 7, 7, stride=(2, 2), pads=(3, 3, 3, 3))
    assert (layer.oh, layer.ow) == (112, 112)
    assert layer.macs == 118_013_952  # conv1 of ResNet-18
    assert layer.w_shape == (64, 7, 7, 3)
    assert layer.y_shape == (1, 112, 112, 64)
    assert layer.name == "7x7s2_224x224x3_64"
    assert layer.y_dtype == np.int32


def test_shapes_with_everything_unequal() -> None:
    layer = layer_of(stride=(2, 3), pads=(1, 0, 2, 5), dilation=(2, 3), groups=2)
    assert (layer.oh, layer.ow) == ((7 + 3 - 5) // 2 + 1, (9 + 5 - 4) // 3 + 1)
    assert layer.w_shape == (4, 3, 2, 3)
    assert layer.macs == 2 * layer.oh * layer.ow * 4 * 3 * 2 * 3
    assert layer.name == "3x2s2x3_7x9x6_4_g2"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"n": 0}, "layer n must be at least 1, not 0"),
        ({"h": 1.5}, "layer h must be an integer, not 1.5"),
        ({"k": True}, "layer k must be an integer, not True"),
        ({"stride": (0, 1)}, r"layer stride \(h\) must be at least 1, not 0"),
        ({"stride": 2}, r"layer stride must be 2 integers \(h, w\), not 2"),
        ({"pads": (0, 0, 0, -1)}, r"layer pads \(right\) must be at least 0, not -1"),
        ({"pads": (0, 0)}, r"layer pads must be 4 integers \(top, left, bottom, right\), not \(0, 0\)"),
        ({"dilation": (1, 0)}, r"layer dilation \(w\) must be at least 1, not 0"),
        ({"groups": 4}, "c must be a multiple of groups = 4, not 6"),
        ({"groups": 3}, "k must be a multiple of groups = 3, not 4"),
        ({"r": 8}, r"dilated filter must fit the padded map along h \(7\), not span 8"),
        ({"dilation": (1, 9)}, r"along w \(9\), not span 10"),
        ({"x_zero_point": 128}, r"in -128..127, not 128; for uint8 maps use ConvLayer.for_uint8"),
        ({"requant": 3}, "requant must be a Requant, not 3"),
        (
            {"requant": Requant(np.array([1]), np.array([2]))},
            r"requant must have one multiplier per filter \(4\), not 1",
        ),
    ],
)
def test_constructor_refuses(changes: dict, text: str) -> None:
    with pytest.raises(LayerError, match=text):
        layer_of(**changes)


def test_layer_is_hashable_and_takes_numpy_integers() -> None:
    requant = Requant(np.array([1, 2, 3, 4]), np.array([2, 3, 4, 62]))
    a = layer_of(h=np.int64(7), requant=requant, stride=np.array([1, 2]))
    b = layer_of(requant=Requant([1, 2, 3, 4], [2, 3, 4, 62]), stride=(1, 2))  # type: ignore[arg-type]
    assert a == b and hash(a) == hash(b)
    assert type(a.h) is int and type(a.stride[0]) is int
    assert a != replace(b, requant=None)
    with pytest.raises(ValueError, match="read-only"):
        requant.multiplier[0] = 5


# Tensors -----------------------------------------------------------------------------------------


def test_tensors_pass_without_a_copy() -> None:
    layer = layer_of()
    x, w, bias = tensors(layer)
    got = layer.check_tensors(x, w, bias)
    assert all(a is b for a, b in zip(got, (x, w, bias), strict=True))
    assert not layer.check_tensors(x, w)[2].any()
    assert layer.check_tensors(x, w, bias.astype(np.int64))[2].dtype == np.int32


def test_uint8_is_shifted_with_its_zero_point() -> None:
    layer = ConvLayer.for_uint8(1, 2, 2, 1, 1, 1, 1, x_zero_point=130)
    assert layer.x_zero_point == 2
    x = np.array([0, 128, 130, 255], np.uint8).reshape(1, 2, 2, 1)
    got, _, _ = layer.check_tensors(x, np.ones((1, 1, 1, 1), np.int8), None)
    assert got.dtype == np.int8 and got.ravel().tolist() == [-128, 0, 2, 127]
    again, _, _ = layer.check_tensors(got, np.ones((1, 1, 1, 1), np.int8), None)
    assert again is got  # a shifted tensor passes as it is
    with pytest.raises(LayerError, match=r"x_zero_point of a uint8 map must be in 0..255, not 256"):
        ConvLayer.for_uint8(1, 2, 2, 1, 1, 1, 1, x_zero_point=256)


def test_tensor_errors() -> None:
    layer = layer_of()
    x, w, bias = tensors(layer)
    nan = np.full(layer.x_shape, np.nan, np.float32)
    for args, text in [
        ((x.astype(np.float32), w, bias), "x must be int8, not float32; quantise it first"),
        ((nan, w, bias), "x must be int8, not float32 holding NaN; quantise it first"),
        (
            (x.astype(np.uint8), w, bias),
            "x must be int8, not uint8; make the layer with ConvLayer.for_uint8",
        ),
        ((x.astype(np.int16), w, bias), "x must be int8, not int16"),
        ((x[:1], w, bias), r"x must have shape \(2, 7, 9, 6\), not \(1, 7, 9, 6\)"),
        ((x, w.astype(np.uint8), bias), "w must be int8, not uint8"),
        ((x, w.transpose(0, 3, 1, 2), bias), r"w must have shape \(4, 3, 2, 6\), not \(4, 6, 3, 2\)"),
        ((x, w, bias.astype(float)), "bias must be int32 or int64, not float64"),
        ((x, w, bias[:3]), r"bias must have shape \(4,\), not \(3,\)"),
        ((x, w, np.array([0, 2**31, 0, 0])), "bias of filter 1 must fit int32, not 2147483648"),
        ((x.tolist(), w, bias), "x must be a numpy array, not list"),
    ]:
        with pytest.raises(LayerError, match=f"layer 3x2s1_7x9x6_4: {text}"):
            layer.check_tensors(*args)
    assert issubclass(LayerError, ConvloomError)


def test_accumulator_bound_is_tight() -> None:
    layer = ConvLayer(1, 1, 1, 4, 1, 1, 1, x_zero_point=-128)
    x, w, _ = tensors(layer, -128)
    reach = 4 * 255 * 128  # (x - zp) up to 255, w = -128
    layer.check_tensors(x, w, np.array([-(2**31) + reach], np.int32))
    with pytest.raises(LayerError, match=r"accumulator of filter 0 must stay in int32 .* -2147483649"):
        layer.check_tensors(x, w, np.array([-(2**31) + reach - 1], np.int32))
    layer = ConvLayer(1, 1, 1, 4, 1, 1, 1)
    layer.check_tensors(x, w, np.array([2**31 - 1 - 4 * 128 * 128], np.int32))
    with pytest.raises(LayerError, match=r"accumulator .* 2147483648"):
        layer.check_tensors(x, w, np.array([2**31 - 4 * 128 * 128], np.int32))


def test_folded_bias() -> None:
    layer = layer_of(x_zero_point=-7)
    rng = np.random.default_rng(SEED)
    w = rng.integers(-128, 128, layer.w_shape, dtype=np.int8)
    bias = rng.integers(-1000, 1000, layer.k, dtype=np.int32)
    want = [int(bias[k]) + 7 * sum(int(v) for v in w[k].ravel()) for k in range(layer.k)]
    folded = layer.folded_bias(w, bias)
    assert folded.dtype == np.int32 and folded.tolist() == want
    with pytest.raises(LayerError, match="folded bias of filter 0 must fit int32"):
        layer.folded_bias(np.full(layer.w_shape, 127, np.int8), np.full(layer.k, 2**31 - 1, np.int32))


# Requantisation ----------------------------------------------------------------------------------


def test_apply_scale_16_is_exact_round_half_up() -> None:
    rng = np.random.default_rng(SEED)
    value = np.concatenate([rng.integers(-(2**31), 2**31, 400), [2**47 - 1, -(2**47), -1, 0, 1, 3, -3]])
    multiplier = rng.integers(0, 2**15, value.size)
    shift = rng.integers(2, 63, value.size)
    multiplier[-7:-5], shift[-7:-5] = 32767, 62
    multiplier[-2:], shift[-2:] = 2, 2  # +-1.5: half goes up
    got = apply_scale_16(value, multiplier, shift)
    want = [
        floor(Fraction(int(v) * int(m), 2 ** int(s)) + Fraction(1, 2))
        for v, m, s in zip(value, multiplier, shift, strict=True)
    ]
    assert got.dtype == np.int64 and got.tolist() == want
    assert got[-2:].tolist() == [2, -1]


def test_apply_scale_16_refuses() -> None:
    for args, text in [
        ((0, -1, 2), "multiplier must be in 0..32767, not -1"),
        ((0, 1, 1), "shift must be in 2..62, not 1"),
        ((0, 1, 63), "shift must be in 2..62, not 63"),
        ((2**47, 1, 2), "value must be in"),
        ((0.5, 1, 2), "value must be integers, not float64"),
    ]:
        with pytest.raises(LayerError, match=text):
            apply_scale_16(*args)


def test_requantize_saturates_and_clamps() -> None:
    requant = Requant([32767, 32767, 1], [2, 2, 62], zero_point=5, clamp=(-100, 90))  # type: ignore[arg-type]
    acc = np.array([[2**31 - 1, -(2**31), 2**31 - 1]], np.int32)
    assert requantize(acc, requant).tolist() == [[90, -100, 5]]
    assert requantize(acc, requant).dtype == np.int8
    with pytest.raises(LayerError, match="accumulator must be"):
        requantize(acc[:, :2], requant)


def test_from_scales_is_within_half_a_step() -> None:
    rng = np.random.default_rng(SEED)
    scales = np.concatenate(
        [2.0 ** rng.uniform(-40, 12.9, 500), [1.0, 0.5, 8191.8, 1 - 2**-17, 2**-47]]
    )
    requant = Requant.from_scales(scales)
    value = requant.multiplier.astype(float) * 2.0 ** -requant.shift.astype(float)
    assert (np.abs(value - scales) <= scales * 2.0**-15).all()
    assert (requant.multiplier >= 2**14).all()
    tiny = Requant.from_scales([2.0**-60])
    assert tiny.shift[0] == 62 and tiny.multiplier[0] == 4


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf"), 8191.9])
def test_from_scales_refuses(scale: float) -> None:
    with pytest.raises(LayerError, match=r"requant scales must be .*\(filter 1\)"):
        Requant.from_scales([1.0, scale])


def test_scales_of_a_wrong_shape_or_type_are_refused() -> None:
    for scales, text in [
        (0.5, r"must be one number per filter, not shape \(\)"),
        ([[1.0], [1.0, 2.0]], "must be one number per filter, not"),
        (["a"], "must be numbers, not <U1"),
    ]:
        with pytest.raises(LayerError, match=f"requant scales {text}"):
            Requant.from_scales(scales)  # type: ignore[arg-type]


def test_requant_json_round_trip() -> None:
    requant = Requant.from_scales([0.1, 0.002], zero_point=-3, clamp=(-128, 6))
    text = json.dumps(requant.to_json())
    assert Requant.from_json(json.loads(text)) == requant
    assert Requant.from_json({"multiplier": [1], "shift": [2]}).clamp == (-128, 127)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"multiplier": [1]}, "requant must have 'shift'"),
        ({"multiplier": [1], "shift": [2], "scale": 1}, "requant keys must be among .* not 'scale'"),
        ({"multiplier": [1.5], "shift": [2]}, "requant multiplier must be integers, not float64"),
        ({"multiplier": [1], "shift": [1]}, r"requant shift must be in 2..62, not 1 \(filter 0\)"),
        ({"multiplier": [1, 40000], "shift": [2, 2]}, r"in 0..32767, not 40000 \(filter 1\)"),
        ({"multiplier": [1], "shift": [2, 2]}, r"one element per multiplier \(1\), not 2"),
        (
            {"multiplier": [[1]], "shift": [2]},
            r"one integer per filter, not an array of shape \(1, 1\)",
        ),
        ({"multiplier": [1], "shift": [2], "clamp": [5, 4]}, r"low <= high, not \(5, 4\)"),
        ({"multiplier": [1], "shift": [2], "clamp": 7}, r"clamp must be 2 integers"),
        (
            {"multiplier": [1], "shift": [2], "zero_point": 200},
            "zero_point must be in -128..127, not 200",
        ),
        ([1, 2], "requant must be an object"),
    ],
)
def test_requant_refuses(data: dict, text: str) -> None:
    with pytest.raises(LayerError, match=text):
        Requant.from_json(data)
