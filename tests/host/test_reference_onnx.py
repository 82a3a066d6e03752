# SPDX-License-Identifier: Apache-2.0
"""An independent judge: onnxruntime's ConvInteger (int32, equal) and QLinearConv (int8, within 1)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from convloom import reference
from convloom.layer import ConvLayer, Requant
from convloom.random_layers import random_layers

ort = pytest.importorskip("onnxruntime", reason="onnxruntime is in the dev extra")
onnx = pytest.importorskip("onnx", reason="onnx is in the dev extra")

ONE = np.array(1, np.float32)


def run_node(op: str, inputs: dict[str, np.ndarray], output: int, layer: ConvLayer) -> np.ndarray:
    """One ONNX node with the layer's attributes on NCHW tensors; returns NHWC."""
    helper = onnx.helper
    node = helper.make_node(
        op,
        list(inputs),
        ["y"],
        strides=layer.stride,
        pads=layer.pads,
        dilations=layer.dilation,
        group=layer.groups,
        kernel_shape=(layer.r, layer.s),
    )
    infos = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in inputs.items()
    ]
    graph = helper.make_graph([node], "g", infos, [helper.make_tensor_value_info("y", output, None)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options: Any = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, inputs)[0].transpose(0, 2, 3, 1)


def unsigned(tensor: np.ndarray) -> np.ndarray:
    """int8 NHWC or OHWI as uint8 NCHW or OIHW, 128 more.

    Unsigned on both sides because onnxruntime's mixed-sign products saturate at 16 bits on processors
    without VNNI instructions.
    """
    return np.ascontiguousarray((tensor.view(np.uint8) ^ np.uint8(128)).transpose(0, 3, 1, 2))


@pytest.mark.parametrize("algorithm", ["direct", "im2col"])
def test_conv_integer_equals_the_accumulators(algorithm: str, seed: int) -> None:
    for layer, x, w, bias in random_layers(75, seed, max_macs=20_000):
        inputs = {
            "x": unsigned(x),
            "w": unsigned(w),
            "x_zero_point": np.array(layer.x_zero_point + 128, np.uint8),
            "w_zero_point": np.array(128, np.uint8),
        }
        want = run_node("ConvInteger", inputs, onnx.TensorProto.INT32, layer) + bias
        got = reference.run(algorithm, layer, x, w, bias)
        np.testing.assert_array_equal(got.acc, want, err_msg=str(layer))
        if layer.requant is None:
            np.testing.assert_array_equal(got.y, want)


def test_qlinear_conv_is_within_one(seed: int, rng: np.random.Generator) -> None:
    """Float scales there, 15-bit multipliers and round half up here: equal on at least 99.5 %.

    Outputs that saturate are equal anyway and are left out of the count.
    """
    inside = different = 0
    for layer, x, w, bias in random_layers(150, seed, max_macs=50_000, exclude=("int32", "saturate")):
        assert layer.requant is not None
        terms = layer.r * layer.s * layer.cg
        scales = (2.0 ** rng.uniform(3, 6, layer.k) / (74 * 74 * terms**0.5)).astype(np.float32)
        zero_point = layer.requant.zero_point
        layer = replace(layer, requant=Requant.from_scales(scales, zero_point))
        inputs = {
            "x": unsigned(x),
            "x_scale": ONE,
            "x_zero_point": np.array(layer.x_zero_point + 128, np.uint8),
            "w": unsigned(w),
            "w_scale": scales,
            "w_zero_point": np.full(layer.k, 128, np.uint8),
            "y_scale": ONE,
            "y_zero_point": np.array(zero_point + 128, np.uint8),
            "bias": bias,
        }
        want = run_node("QLinearConv", inputs, onnx.TensorProto.UINT8, layer).astype(np.int16) - 128
        got = reference.run("im2col", layer, x, w, bias).y
        off = np.abs(got - want)
        assert off.max() <= 1, layer
        counted = (want > -128) & (want < 127)
        inside += int(counted.sum())
        different += int((off[counted] > 0).sum())
    assert inside > 20_000
    assert different <= 0.005 * inside, f"{different} of {inside} differ"
