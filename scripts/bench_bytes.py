# SPDX-License-Identifier: Apache-2.0
"""Bytes that the lowerings of gemm_systolic stream for ResNet-18: measured, and by formula."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from convloom.commands.text import table
from convloom.kernels import load_kernel
from convloom.lowering import Job, lower, refusals_for
from convloom.lowering.cost import GemmCost, gemm_cost, im2col_bytes, map_bytes, mec_bytes, tiling_of
from convloom.lowering.operands import OPERANDS
from convloom.suites import SuiteLayer, load_suite, random_tensors

__all__ = ["LayerBytes", "as_json", "differences", "measure", "printed"]

KERNEL, CONFIG = "gemm_systolic", "z2"
SUITE = load_suite("resnet18")


@dataclass(frozen=True)
class LayerBytes:
    """By lowering: the bytes of the beats that were made, and those of the formula; or a refusal."""

    example: SuiteLayer
    measured: dict[str, GemmCost] = field(default_factory=dict)
    formula: dict[str, GemmCost] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def _measured(job: Job) -> GemmCost:
    in0, in1 = (sum(t.nbytes for t in job.streams[name]) for name in ("in0", "in1"))
    return GemmCost(in0, in1, job.bytes_out, job.buffer_bytes)


def measure() -> list[LayerBytes]:
    """Lowers every layer of ResNet-18 in every way."""
    spec = load_kernel(KERNEL)
    found = []
    for example in SUITE:
        layer, values = example.layer, random_tensors(example.layer)
        result = LayerBytes(example, refused=refusals_for(layer, spec, CONFIG))
        for lowering in OPERANDS:
            if lowering in result.refused:
                continue
            job = lower(layer, *values, kernel=spec, config=CONFIG, lowering=lowering)
            result.measured[lowering] = _measured(job)
            result.formula[lowering] = gemm_cost(layer, lowering, tiling_of(job))
        found.append(result)
    return found


def differences(results: Sequence[LayerBytes]) -> list[str]:
    """One line per layer and lowering whose formula is not what was measured."""
    return [
        f"{r.example.title}, {lowering}: formula must be {r.measured[lowering]} as measured, not {cost}"
        for r in results
        for lowering, cost in r.formula.items()
        if cost != r.measured[lowering]
    ]


def _ratio(result: LayerBytes, lowering: str) -> str:
    cost = result.measured.get(lowering)
    return f"{cost.in0 / result.measured['im2col'].in0:.2f}" if cost else "refused"


def printed(results: Sequence[LayerBytes]) -> str:
    """Markdown: a row per layer, then one for the whole network, then what was refused and why."""
    rows = []
    for r in results:
        in0 = {
            name: str(r.measured[name].in0) if name in r.measured else "refused" for name in OPERANDS
        }
        rows.append(
            [
                r.example.title,
                str(r.example.times),
                *in0.values(),
                "yes" if r.formula == r.measured else "NO",
                _ratio(r, "mec"),
                _ratio(r, "indirect"),
            ]
        )
    totals = {}
    for name in OPERANDS:  # where a lowering is refused, im2col stands in
        totals[name] = sum(
            r.example.times * r.measured.get(name, r.measured["im2col"]).in0 for r in results
        )
    rows.append(
        [
            "all convolutions",
            str(sum(r.example.times for r in results)),
            *(str(t) for t in totals.values()),
            "",
            *(f"{totals[name] / totals['im2col']:.2f}" for name in ("mec", "indirect")),
        ]
    )
    head = ["in0 bytes at " + CONFIG, "times", *OPERANDS, "= formula", "mec/im2col", "indirect/im2col"]
    notes = [f"refused: {reason}" for r in results for reason in r.refused.values()]
    if notes:
        notes.append("In the last row im2col stands in for what is refused.")
    return "\n".join([table(head, rows, right=head[1:]), *notes])


def as_json(results: Sequence[LayerBytes]) -> list[dict[str, Any]]:
    return [
        {
            "layer": r.example.layer.name,
            "times": r.example.times,
            "map": map_bytes(r.example.layer),
            "im2col_matrix": im2col_bytes(r.example.layer),
            "mec_matrix": mec_bytes(r.example.layer),
            "measured": {name: asdict(cost) for name, cost in r.measured.items()},
            "formula": {name: asdict(cost) for name, cost in r.formula.items()},
            "refused": r.refused,
        }
        for r in results
    ]
