# SPDX-License-Identifier: Apache-2.0
"""The layer contract: one int8 convolution, exact to the bit, that every level has to compute.

Dimension letters are those of the whole project: N batch, H W map height and width, C channels,
K filters, R S filter height and width. Maps are NHWC, weights OHWI (K, R, S, C/groups), and

    acc[n,p,q,k] = bias[k] + sum over r,s,c of (x[n, p*sh+r*dh-top, q*sw+s*dw-left, c] - x_zero_point)
                                               * w[k,r,s,c]

where x outside the map is the input zero point, so padding adds nothing. acc is int32 and is the
output, or is requantised to int8 as in TOSA: `clamp(apply_scale_16(acc) + zero_point)`.

Unsigned maps: kernels see int8 only. A uint8 map with zero point z is the int8 map x - 128 with zero
point z - 128. `ConvLayer.x_zero_point` **is always the int8 one** (-128..127). A layer that takes uint8
tensors is made with `ConvLayer.for_uint8(..., x_zero_point=z)`, which shifts z and lets `check_tensors`
shift x by the same 128; any other layer refuses a uint8 tensor, because the meaning of its zero point
would be a guess.
"""

from __future__ import annotations

from convloom.layer.conv import ConvLayer
from convloom.layer.requant import SHIFT_MAX, SHIFT_MIN, Requant, apply_scale_16, requantize

__all__ = [
    "SHIFT_MAX",
    "SHIFT_MIN",
    "ConvLayer",
    "Requant",
    "apply_scale_16",
    "requantize",
]
