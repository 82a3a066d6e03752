# SPDX-License-Identifier: Apache-2.0
"""Lowerings: (layer, tensors) → exactly the beats and registers a kernel takes, and back.

The same jobs feed C-simulation, RTL simulation and the board.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from numpy.typing import NDArray

from convloom.errors import ConvloomError, UnsupportedError
from convloom.kernels import KernelSpec
from convloom.layer import ConvLayer
from convloom.lowering.gemm import gemm_job, gemm_refusal
from convloom.lowering.job import Job, Place
from convloom.lowering.linebuffer import pack_job, stream_job
from convloom.lowering.linebuffer_plan import linebuffer_refusal
from convloom.lowering.winograd import winograd_job, winograd_refusal

__all__ = ["Job", "Place", "lower", "lowering_names", "lowerings_for", "refusals_for"]

_LOWERINGS: dict[str, dict[str, Callable[..., Job]]] = {
    "gemm_systolic": {name: partial(gemm_job, name) for name in ("im2col", "mec", "indirect")},
    "conv_linebuffer": {"stream": stream_job, "pack": pack_job},
    "conv_winograd": {"pixels": winograd_job},
}
"""Kernel → lowering → function; the first lowering of a kernel is its default."""


def _refusal(layer: ConvLayer, spec: KernelSpec, lowering: str, config: str | None) -> str | None:
    """Why this kernel can not do this layer with this lowering; None if it can.

    Without a configuration the limits of the largest one hold.
    """
    if spec.name == "conv_linebuffer":
        return linebuffer_refusal(layer, spec, lowering, config)
    if spec.name == "conv_winograd":
        return winograd_refusal(layer, spec, config)
    if spec.name == "gemm_systolic":
        return gemm_refusal(layer, spec, lowering, config)
    return None


def lowering_names() -> tuple[str, ...]:
    """Names of all lowerings, each once."""
    return tuple(dict.fromkeys(name for names in _LOWERINGS.values() for name in names))


def lowerings_for(layer: ConvLayer, spec: KernelSpec, config: str | None = None) -> tuple[str, ...]:
    """The lowerings with which this kernel can do this layer, its default first.

    Without a configuration: with which some configuration can.
    """
    names = _LOWERINGS.get(spec.name, {})
    return tuple(n for n in names if _refusal(layer, spec, n, config) is None)


def refusals_for(layer: ConvLayer, spec: KernelSpec, config: str | None = None) -> dict[str, str]:
    """Why this kernel can not do this layer, by lowering; those that can are not in it."""
    reasons = {n: _refusal(layer, spec, n, config) for n in _LOWERINGS.get(spec.name, {})}
    return {n: f"{layer.name}: {reason}" for n, reason in reasons.items() if reason is not None}


def lower(
    layer: ConvLayer,
    x: NDArray,
    w: NDArray,
    bias: NDArray | None = None,
    *,
    kernel: KernelSpec,
    config: str = "tiny",
    lowering: str | None = None,
) -> Job:
    """The beats and registers with which `kernel` computes the layer.

    x: (N, H, W, C) int8 (uint8 where the layer says so); w: (K, R, S, C/groups) int8; bias: (K,) int32.
    Raises LayerError for tensors that do not fit the layer, UnsupportedError for what the kernel or
    the lowering can not do.
    """
    kernel.config(config)  # an unknown one is refused first
    known = _LOWERINGS.get(kernel.name, {})
    if lowering is None:
        lowering = next(iter(known))
    if lowering not in known:
        raise ConvloomError(
            f"lowering for {kernel.name} must be one of {', '.join(known)}, not {lowering!r}"
        )
    reason = _refusal(layer, kernel, lowering, config)
    if reason is not None:
        raise UnsupportedError(f"{layer.name}: {reason}")
    return known[lowering](kernel, config, layer, *layer.check_tensors(x, w, bias))
