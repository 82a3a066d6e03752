# SPDX-License-Identifier: Apache-2.0
"""Reference convolutions in numpy: the definition of correct, one module per algorithm.

All take `f(layer, x, w, bias=None) -> Result` and give the same bits. `direct` is plain loops over
Python integers; the others are vectorised and exact in int32/int64, without a float anywhere. A legal
layer that an algorithm can not do is refused with UnsupportedError.

Imports: this package is independent of everything else of ours, so that nothing it judges can influence
it, but for `convloom.layer` (the contract itself) and `convloom.errors`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray

from convloom.errors import UnsupportedError
from convloom.layer import ConvLayer
from convloom.reference import direct, im2col, indirect, mec, pointwise, spatial_pack, winograd
from convloom.reference.common import Result

__all__ = ["ALGORITHMS", "Result", "run", "supported"]

ALGORITHMS: dict[str, Callable[..., Result]] = {
    "direct": direct.direct,
    "im2col": im2col.im2col,
    "im2col_nchw": im2col.im2col_nchw,
    "pointwise": pointwise.pointwise,
    "mec_basic": mec.mec_basic,
    "mec": mec.mec,
    "spatial_pack": spatial_pack.spatial_pack,
    "winograd_f2": winograd.winograd_f2,
    "winograd_f4": winograd.winograd_f4,
    "indirect": indirect.indirect,
}
"""Every algorithm by name."""

_CHECKS: dict[str, Callable[[ConvLayer], None]] = {
    "pointwise": pointwise.check,
    "winograd_f2": lambda layer: winograd.check(layer, winograd.F2),
    "winograd_f4": lambda layer: winograd.check(layer, winograd.F4),
}
"""Those that can not do every layer: raises UnsupportedError for the ones they can not."""


def supported(layer: ConvLayer) -> tuple[str, ...]:
    """Names of the algorithms that can do this layer, in the order of ALGORITHMS."""
    names = []
    for name in ALGORITHMS:
        try:
            _CHECKS.get(name, lambda layer: None)(layer)
        except UnsupportedError:
            continue
        names.append(name)
    return tuple(names)


def run(
    name: str, layer: ConvLayer, x: NDArray[Any], w: NDArray[Any], bias: NDArray[Any] | None = None
) -> Result:
    """The algorithm of that name on these tensors; `im2col` is the fast one that does every layer."""
    if name not in ALGORITHMS:
        raise UnsupportedError(f"algorithm must be one of {', '.join(ALGORITHMS)}, not {name!r}")
    return ALGORITHMS[name](layer, x, w, bias)
