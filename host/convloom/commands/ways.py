# SPDX-License-Identifier: Apache-2.0
"""The ways to compute a layer: every reference algorithm, and every kernel × lowering × level.

Nothing here names a particular kernel's abilities: kernels come from `convloom.kernels`, lowerings from
`convloom.lowering`, levels from `levels.LEVELS`, algorithms from `convloom.reference.ALGORITHMS`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convloom.commands.levels import LEVELS
from convloom.errors import ConvloomError, UnsupportedError
from convloom.kernels import kernel_names, load_kernel
from convloom.layer import ConvLayer
from convloom.lowering import lower, lowerings_for, refusals_for
from convloom.reference import ALGORITHMS

__all__ = [
    "KERNELS",
    "REFERENCE",
    "Answer",
    "Way",
    "choose",
    "compute",
    "difference",
    "exact",
    "im2col_bytes",
    "ways",
]

REFERENCE = "reference"

KERNELS = {"gemm": "gemm_systolic", "linebuffer": "conv_linebuffer", "winograd": "conv_winograd"}
"""Kernel names of the command line, best known first, and the folders of the kernels."""

# What a kernel and lowering of the command line compute in numpy; im2col is fast and does every layer.
_ALGORITHM_OF = {
    ("auto", "auto"): "im2col",
    ("gemm", "auto"): "im2col",
    ("linebuffer", "auto"): "direct",
    ("linebuffer", "stream"): "direct",
    ("linebuffer", "pack"): "spatial_pack",
    ("winograd", "auto"): "winograd_f4",
    ("winograd", "pixels"): "winograd_f4",
    **{
        (kernel, lowering): algorithm
        for kernel in ("auto", "gemm")
        for lowering, algorithm in (
            ("im2col", "im2col"),
            ("mec", "mec"),
            ("indirect", "indirect"),
            ("pack", "spatial_pack"),
        )
    },
}


@dataclass(frozen=True)
class Way:
    """One way; on the reference level `kernel` is "numpy", `lowering` the algorithm, `config` empty."""

    level: str
    kernel: str
    lowering: str
    config: str = ""

    def __str__(self) -> str:
        return f"{self.kernel} {self.lowering} {self.level}"


@dataclass(frozen=True)
class Answer:
    """A layer's output and what it took.

    bytes_in, bytes_out: streamed to and from the kernel (0 on the reference). extra_bytes: memory
    beyond the layer's own tensors that the activations need. cycles: where the level counts them.
    report: on a board, the driver's `RunReport`, the time of this lowering included.
    """

    y: NDArray[Any]
    bytes_in: int
    bytes_out: int
    extra_bytes: int
    seconds: float
    cycles: int | None = None
    report: Any = None


def im2col_bytes(layer: ConvLayer) -> int:
    """Bytes of the full im2col matrix, N·OH·OW·R·S·C: what extra memory is compared with."""
    return layer.n * layer.oh * layer.ow * layer.r * layer.s * layer.c


def ways(layer: ConvLayer, level: str, config: str) -> tuple[list[Way], dict[str, str]]:
    """Every way on one level, and by name what was refused and why.

    Reference algorithms are all listed: they refuse a layer only when called.
    """
    if level == REFERENCE:
        return [Way(level, "numpy", name) for name in ALGORITHMS], {}
    found, refused = [], {}
    for name in kernel_names():
        spec = load_kernel(name)
        if config not in spec.configs:
            there = ", ".join(spec.configs)
            refused[name] = f"config of {name} must be one of {there}, not {config}"
            continue
        try:
            names = lowerings_for(layer, spec, config)
        except UnsupportedError as error:
            refused[name] = str(error)
            continue
        if not names:
            refused[name] = "; ".join(dict.fromkeys(refusals_for(layer, spec, config).values()))
        found += [Way(level, name, lowering, config) for lowering in names]
    return found, refused


def choose(layer: ConvLayer, level: str, kernel: str, lowering: str, config: str) -> Way:
    """The way that the words of the command line mean; UnsupportedError says what there is instead."""
    if level == REFERENCE:
        if (kernel, lowering) not in _ALGORITHM_OF:
            there = ", ".join(low for k, low in _ALGORITHM_OF if k == kernel)
            raise UnsupportedError(
                f"lowering on kernel {kernel} must be one of {there}, not {lowering}"
            )
        return Way(level, "numpy", _ALGORITHM_OF[kernel, lowering])
    built = {short for short, name in KERNELS.items() if name in kernel_names()}
    if kernel != "auto" and kernel not in built:
        raise UnsupportedError(
            f"kernel must be one that is built ({', '.join(sorted(built))}), not {kernel}, "
            f"which is not there yet; --on {REFERENCE} computes the same result"
        )
    found, refused = ways(layer, level, config)
    named = [way for way in found if kernel == "auto" or way.kernel == KERNELS[kernel]]
    fitting = [way for way in named if lowering in ("auto", way.lowering)]
    order = list(KERNELS.values())
    if fitting:
        return min(
            fitting, key=lambda way: order.index(way.kernel) if way.kernel in order else len(order)
        )
    if named:
        there = ", ".join(dict.fromkeys(way.lowering for way in named))
        raise UnsupportedError(
            f"lowering of layer {layer.name} on kernel {kernel} must be one of {there}, not {lowering}"
        )
    reasons = [why for name, why in refused.items() if kernel == "auto" or name == KERNELS[kernel]]
    if reasons:
        raise UnsupportedError("; ".join(reasons))
    raise UnsupportedError(f"layer {layer.name} must fit a kernel that is built, and none takes it")


def compute(way: Way, layer: ConvLayer, x: Any, w: Any, bias: Any) -> Answer:
    """The layer's output by one way. x, w, bias as the layer's `check_tensors` takes them."""
    if way.level == REFERENCE:
        started = time.perf_counter()
        result = ALGORITHMS[way.lowering](layer, x, w, bias)
        return Answer(result.y, 0, 0, result.extra_bytes, time.perf_counter() - started)
    if way.level not in LEVELS:
        raise ConvloomError(f"level must be one of {REFERENCE}, {', '.join(LEVELS)}, not {way.level!r}")
    spec = load_kernel(way.kernel)
    started = time.perf_counter()
    job = lower(layer, x, w, bias, kernel=spec, config=way.config, lowering=way.lowering)
    lowered = time.perf_counter() - started
    run = LEVELS[way.level].run(job, spec, way.config)
    report = run.report.with_lowering(lowered) if run.report is not None else None
    return Answer(run.y, job.bytes_in, job.bytes_out, job.buffer_bytes, run.seconds, run.cycles, report)


def exact(layer: ConvLayer, x: Any, w: Any, bias: Any) -> NDArray[Any]:
    """The layer's output, by the reference that is fastest."""
    return compute(Way(REFERENCE, "numpy", "im2col"), layer, x, w, bias).y


def difference(got: NDArray[Any], want: NDArray[Any]) -> str:
    """Where and how an output differs from the reference, or ""."""
    if got.shape != want.shape or got.dtype != want.dtype:
        return f"is {got.dtype} {got.shape}, must be {want.dtype} {want.shape}"
    wrong = np.argwhere(got != want)
    if not wrong.size:
        return ""
    first = tuple(int(i) for i in wrong[0])
    return f"{len(wrong)} of {got.size} differ, first at {first}: {got[first]}, must be {want[first]}"
