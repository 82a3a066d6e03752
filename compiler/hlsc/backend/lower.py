# SPDX-License-Identifier: Apache-2.0
"""The back end as one function: scheduled design → SystemVerilog."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hlsc.backend import axilite, emit
from hlsc.backend.mlir import identifier
from hlsc.backend.process import ProcessModule, emit_process
from hlsc.backend.top import emit_top
from hlsc.ir import Design
from hlsc.schedule.sdc import Schedule
from hlsc.schedule.units import Unit

__all__ = ["Rtl", "lower"]


@dataclass(frozen=True)
class Rtl:
    """`text` is one self-contained SystemVerilog file; `mlir` what it was made from; `units`: shared
    operators by process and pool."""

    text: str
    mlir: str
    modules: Mapping[str, ProcessModule]
    units: Mapping[str, Mapping[str, Unit]]


def lower(
    design: Design,
    schedules: Mapping[tuple[str, str], Schedule],
    units: Mapping[str, Mapping[str, Unit]],
) -> Rtl:
    """Emit a prepared design; `schedules` by (process, region), `units` by process and pool."""
    channels = {c.name: c for c in design.channels}
    ports = {p.name: p for p in design.ports}
    modules: dict[str, ProcessModule] = {}
    names = {design.top}
    for p in design.processes:
        name = f"{design.top}_{identifier(p.name)}"
        while name in names:
            name += "_p"
        names.add(name)
        mine = {r.name: schedules[(p.name, r.name)] for r in p.regions}
        modules[p.name] = emit_process(name, p, mine, channels, ports, units[p.name])
    top = emit_top(design, modules)
    mlir = emit.module_text([top, *(m.hw for m in modules.values())])
    parts = [
        "// SystemVerilog of the HLS design " + design.top + ", made by hlsc.\n",
        emit.to_systemverilog(mlir),
    ]
    parts += [t for m in modules.values() for t in m.tables]
    if design.control_bundle or any(p.kind == "s_axilite" for p in design.ports):
        parts.append(axilite.generate(design))
    used = {e.module for m in (top, *(m.hw for m in modules.values())) for e in m.externs.values()}
    parts.append(emit.templates(n for n in used if n.startswith("hlsc_")))
    return Rtl("\n".join(parts), mlir, modules, units)
