# SPDX-License-Identifier: Apache-2.0
"""Shared operators: multiplexers before each, its pipeline, and what holds its results.

An operator never stops: operands come in when their iteration leaves its cycle, the result `latency`
clock cycles later, whatever stalls in between.  An iteration that stalls comes for it later, so each
operation keeps its last result; where several iterations may be under way between operands and result,
the results wait in a queue.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hlsc.backend.mlir import Hw, Sig
from hlsc.backend.region import RegionHardware
from hlsc.backend.uses import Shared, UnitUse
from hlsc.schedule.sdc import Schedule
from hlsc.schedule.units import Unit

__all__ = ["emit_units"]


def emit_units(hw: Hw, units: Mapping[str, Unit], shared: Shared) -> None:
    """All shared operators of a process, whose regions have been emitted."""
    for pool, unit in units.items():
        for k in range(unit.count):
            if uses := shared.units.get((pool, k)):
                _emit(hw, unit, f"{pool}_{k}", uses)


def _emit(hw: Hw, unit: Unit, name: str, uses: Sequence[UnitUse]) -> None:
    result = _pipeline(hw, unit, name, [_operand(hw, unit, uses, side) for side in (0, 1)])
    for use in uses:
        part = result if result.width <= use.value.width else hw.extract(result, 0, use.value.width)
        kept = _kept(hw, use, part, unit.latency)
        widen = hw.sext if unit.signed else hw.zext
        hw.define(use.value, widen(kept, use.value.width))


def _operand(hw: Hw, unit: Unit, uses: Sequence[UnitUse], side: int) -> Sig:
    width = unit.operands[side]
    cases = []
    for use in uses:
        row = use.operands
        if unit.op == "mul":  # the larger factor comes first
            row = tuple(sorted(row, key=lambda x: -(x.value.width + (not x.signed))))
        x = row[side]
        wide = hw.sext(x.value, width) if x.signed else hw.zext(x.value, width)
        cases.append((use.wants, wide))
    return _one_of(hw, cases)


def _one_of(hw: Hw, cases: Sequence[tuple[Sig, Sig]]) -> Sig:
    """The value whose condition is 1 (never two), by a balanced tree."""
    if len(cases) == 1:
        return cases[0][1]
    half = (len(cases) + 1) // 2
    first = hw.any(*(c for c, _ in cases[:half]))
    return hw.mux(first, _one_of(hw, cases[:half]), _one_of(hw, cases[half:]))


def _pipeline(hw: Hw, unit: Unit, name: str, operands: Sequence[Sig]) -> Sig:
    """The operator's body; never stopped, since its streams are always ready."""
    streams = {f"{unit.pool}_{x}": f"{name}_{x}" for x in ("a", "b", "result")}
    problem = unit.schedule.problem
    region = problem.region
    nodes = tuple(replace(n, ref=streams.get(n.ref or "", n.ref)) for n in region.nodes)
    mine = replace(problem, region=replace(region, name=name, nodes=nodes))
    one = hw.const(1, 1)
    for x, data in zip("ab", operands, strict=True):
        hw.define(hw.later(f"{name}_{x}_valid", 1), one)
        hw.define(hw.later(f"{name}_{x}_data", data.width), data)
    hw.define(hw.later(f"{name}_result_ready", 1), one)
    body = Shared()
    hw.register_bits -= unit.schedule.length  # of tokens, which nothing asks for
    schedule: Schedule = replace(unit.schedule, problem=mine)
    RegionHardware(hw, unit.process, schedule, hw.const(0, 1), name, body)
    result = body.writes[f"{name}_result"][0].data
    assert result is not None
    stages = max(n for n in schedule.times.values())
    return hw.register(f"{name}_result", result) if stages == 0 else result


@dataclass(frozen=True)
class _Flags:
    """Registers of one bit that a region's start clears."""

    hw: Hw
    use: UnitUse

    def register(self, name: str, data: Sig, into: Sig | None = None) -> Sig:
        clear = self.hw.any(self.hw.rst, self.use.start)
        return self.hw.register(f"{self.use.name}_{name}", data, reset=(clear, 0), into=into)


def _kept(hw: Hw, use: UnitUse, result: Sig, latency: int) -> Sig:
    """The operation's result for the iteration that comes for it next."""
    if use.depth == 0:
        return result
    flags = _Flags(hw, use)
    fresh = use.takes
    for k in range(latency):
        fresh = flags.register("fresh" if k + 1 == latency else f"under_way_{k + 1}", fresh)
    if use.depth == 1:
        kept = hw.register(f"{use.name}_kept", result, fresh, None, use.loc)
        return hw.mux(fresh, result, kept)
    return _queue(hw, use, result, fresh, flags)


def _queue(hw: Hw, use: UnitUse, result: Sig, fresh: Sig, flags: _Flags) -> Sig:
    """First in, first out, of `use.depth` results; one that is taken as it comes is never stored."""
    full = [hw.later(f"{use.value.ref[1:]}_full{k}", 1) for k in range(use.depth)]
    words = [hw.later(f"{use.value.ref[1:]}_word{k}", result.width) for k in range(use.depth)]
    zero = hw.const(0, 1)
    store = hw.all(fresh, hw.inv(hw.all(use.leaves, hw.inv(full[0]))))
    moved = [
        hw.mux(use.leaves, after, here) for here, after in zip(full, [*full[1:], zero], strict=True)
    ]
    for k, here in enumerate(moved):
        first_free = hw.inv(here) if k == 0 else hw.all(hw.inv(here), moved[k - 1])
        write = hw.all(store, first_free)
        flags.register(f"waits_{k}", hw.any(here, write), full[k])
        behind = words[k + 1] if k + 1 < use.depth else result
        data = hw.mux(write, result, behind)
        name, enable = f"{use.name}_kept_{k}", hw.any(write, use.leaves)
        hw.register(name, data, enable, None, use.loc, words[k])
    return hw.mux(full[0], words[0], result)
