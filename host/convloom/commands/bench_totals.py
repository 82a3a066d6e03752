# SPDX-License-Identifier: Apache-2.0
"""Totals of a network from its measured layers; nothing partial or missing enters one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from convloom.suites import SuiteLayer

__all__ = ["as_text", "totals"]

SUM = "sum over overlays, reconfiguration excluded"


def _total(
    suite: Sequence[SuiteLayer], rows: Sequence[dict[str, Any]], batch: int
) -> dict[str, Any] | None:
    """Each layer by its fastest row, as often as the network has it; None if a layer has no row.

    The same layer on two kernels may be cut at different heights, so only whole layers have a name
    to be found by.
    """
    best = []
    for entry in suite:
        own = [row for row in rows if not row["partial"] and row["name"] == entry.layer.name]
        if not own:
            return None
        best.append(min(own, key=lambda row: row["cycles"]))
    cycles = sum(row["cycles"] * row["times"] for row in best)
    macs = sum(row["macs"] * row["times"] for row in best)
    return {
        "cycles_per_image": round(cycles / batch),
        "roofline_cycles_per_image": round(
            sum(row["roofline_cycles"] * row["times"] for row in best) / batch
        ),
        "macs_per_image": macs // batch,
        "mac_per_cycle": round(macs / cycles, 2),
        "layers": {row["name"]: f"{row['kernel']} {row['lowering']}" for row in best},
    }


def totals(suite: Sequence[SuiteLayer], rows: Sequence[dict[str, Any]], batch: int) -> dict[str, Any]:
    """Per kernel and lowering that do every layer, the best single overlay, and the mixed sum."""
    overlays = {}
    for kernel in dict.fromkeys(row["kernel"] for row in rows):
        own = [row for row in rows if row["kernel"] == kernel]
        overlays[kernel] = _total(suite, own, batch)
        for lowering in dict.fromkeys(row["lowering"] for row in own):
            only = [row for row in own if row["lowering"] == lowering]
            overlays[f"{kernel} {lowering}"] = _total(suite, only, batch)
    complete = {name: found for name, found in overlays.items() if found is not None}
    single = min(complete, key=lambda name: complete[name]["cycles_per_image"], default=None)
    return {
        "single_overlays": complete,
        "best_single_overlay": single,
        "incomplete": [name for name in overlays if name not in complete],
        SUM: _total(suite, rows, batch),
        "partial_layers": sorted({row["name"] for row in rows if row["partial"]}),
    }


def as_text(found: dict[str, Any]) -> str:
    """A few lines below the table."""
    lines = []
    for name, total in found["single_overlays"].items():
        best = " (best single overlay)" if name == found["best_single_overlay"] else ""
        lines.append(f"{name}: {_figures(total)}{best}")
    if found["incomplete"]:
        lines.append(f"no total, as layers are missing or partial: {', '.join(found['incomplete'])}")
    if found[SUM] is not None:
        lines.append(f"{SUM}: {_figures(found[SUM])}")
    return "\n".join(lines)


def _figures(total: dict[str, Any]) -> str:
    return (
        f"{total['cycles_per_image']:,} cycles per image (roofline "
        f"{total['roofline_cycles_per_image']:,}), {total['mac_per_cycle']:.1f} MAC/cycle"
    )
