# SPDX-License-Identifier: Apache-2.0
"""One process as one module: its regions one after the other, and what they share.

Ports: clk, rst, start (one cycle), done (one cycle); per stream read `i_<c>_valid`, `i_<c>_data`,
`i_<c>_ready` (out), per stream written `o_<c>_…`; `a_<argument>` per scalar argument; `s_<port>` and
`s_<port>_vld` per scalar output (registered).  Variables are registers that regions load as they end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hlsc.backend.memory import emit_memory
from hlsc.backend.mlir import Hw, identifier
from hlsc.backend.region import RegionHardware
from hlsc.backend.units import emit_units
from hlsc.backend.uses import Shared
from hlsc.ir import Channel, Port, Process
from hlsc.schedule.sdc import Schedule
from hlsc.schedule.units import Unit

__all__ = ["ProcessModule", "emit_process"]


@dataclass(frozen=True)
class ProcessModule:
    """The module, SystemVerilog of its tables, and the streams and ports that it uses."""

    hw: Hw
    tables: tuple[str, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    args: tuple[tuple[str, str], ...]  # (input of the module, port of the top)
    outs: tuple[str, ...]


def emit_process(
    module: str,
    process: Process,
    schedules: Mapping[str, Schedule],
    channels: Mapping[str, Channel],
    ports: Mapping[str, Port],
    units: Mapping[str, Unit],
) -> ProcessModule:
    """Emit `process`, whose regions are scheduled, under the module name `module`; `units`: its shared
    operators."""
    hw = Hw(module)
    hw.input("clk", 1)
    hw.input("rst", 1)
    start = hw.input("start", 1)
    shared = Shared()
    for a in process.args:
        hw.define(hw.later(f"arg_{a.name}", a.width), hw.input(f"a_{identifier(a.name)}", a.width))
    used_reads, used_writes, used_outs = _uses(process)
    for c in used_reads:
        hw.define(hw.later(f"{c}_valid", 1), hw.input(f"i_{identifier(c)}_valid", 1))
        hw.define(
            hw.later(f"{c}_data", channels[c].width),
            hw.input(f"i_{identifier(c)}_data", channels[c].width),
        )
    for c in used_writes:
        hw.define(hw.later(f"{c}_ready", 1), hw.input(f"o_{identifier(c)}_ready", 1))

    enters = {r.name: hw.later(f"enter_{r.name}", 1) for r in process.regions}
    regions = [
        RegionHardware(hw, process, schedules[r.name], enters[r.name], k, shared)
        for k, r in enumerate(process.regions)
    ]
    done = []
    for k, r in enumerate(process.regions):
        into = [start] if k == 0 else []
        for hardware in regions:
            for condition, (_, target) in zip(
                hardware.conditions, hardware.region.successors, strict=True
            ):
                if target == r.name:
                    into.append(condition)
        hw.define(enters[r.name], hw.any(*into))
    for hardware in regions:
        for condition, (_, target) in zip(hardware.conditions, hardware.region.successors, strict=True):
            if target is None:
                done.append(condition)
    hw.output("done", hw.any(*done))

    for name, width in sorted(process.variables.items()):
        into_var = hw.later(f"var_{name}", width)
        loads = shared.variables.get(name)
        if loads:
            hw.register(name, hw.choose(loads), hw.any(*(e for e, _ in loads)), into=into_var)
        else:  # read but never written: undefined in the source, 0 here
            hw.define(into_var, hw.const(0, width))

    emit_units(hw, units, shared)
    texts = [emit_memory(hw, module, memory, regions, shared) for memory in process.memories]
    tables = [text for text in texts if text]

    for c in used_reads:
        hw.output(f"i_{identifier(c)}_ready", hw.any(*(x.takes for x in shared.reads.get(c, []))))
    for c in used_writes:
        transfers = shared.writes[c]
        hw.output(f"o_{identifier(c)}_valid", hw.any(*(x.takes for x in transfers)))
        data = hw.choose([(x.wants, x.data) for x in transfers if x.data is not None])
        hw.output(f"o_{identifier(c)}_data", data)
    for p in used_outs:
        transfers = shared.outs[p]
        written = hw.any(*(x.takes for x in transfers))
        data = hw.choose([(x.wants, x.data) for x in transfers if x.data is not None])
        hw.output(f"s_{identifier(p)}", hw.register(f"{p}_out", data, written))
        vld = hw.register(f"{p}_vld", written, reset=(hw.rst, 0))
        hw.output(f"s_{identifier(p)}_vld", vld)
    return ProcessModule(
        hw,
        tuple(tables),
        used_reads,
        used_writes,
        tuple((f"a_{identifier(a.name)}", a.port) for a in process.args),
        used_outs,
    )


def _uses(process: Process) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    reads, writes, outs = set(), set(), set()
    for r in process.regions:
        for n in r.nodes:
            if n.op in {"read", "empty"}:
                reads.add(n.ref or "")
            elif n.op == "write":
                writes.add(n.ref or "")
            elif n.op == "out":
                outs.add(n.ref or "")
    return tuple(sorted(reads)), tuple(sorted(writes)), tuple(sorted(outs))
