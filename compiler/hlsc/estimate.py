# SPDX-License-Identifier: Apache-2.0
"""What a design will take of a 7-series part, estimated from its operations before any synthesis.

LUT: a share per bit of each operation, fitted to what yosys made of gemm_systolic and conv_linebuffer
at z2: synthesis merges selections with each other and into adders, and drops bits that are constant.
FF: register bits less those that a DSP48E1 holds itself.  `make resources` shows the error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from hlsc.blockram import bram36
from hlsc.ir import COMPARE, Buffer, Design, Memory, Node, Process
from hlsc.schedule.delays import memory_style, multiplier_dsps
from hlsc.schedule.problem import source
from hlsc.schedule.sdc import Schedule
from hlsc.schedule.units import Unit

__all__ = ["Estimate", "buffer_bram36", "frame_estimate", "operators_used", "process_estimate"]


@dataclass(frozen=True)
class Estimate:
    """LUTs, flip-flops, DSP48E1 and block RAM36 (in halves)."""

    lut: int = 0
    ff: int = 0
    dsp: int = 0
    bram36: float = 0.0

    def as_dict(self) -> dict[str, float]:
        return {"lut": self.lut, "ff": self.ff, "dsp": self.dsp, "bram36": self.bram36}


def buffer_bram36(b: Buffer) -> float:
    """Block RAM36 of a bank between processes, all halves counted."""
    if b.style != "bram":
        return 0.0
    if b.turns:
        return b.halves * bram36(b.width, b.depth - b.half, two_ports=True)
    return bram36(b.width, b.depth)


def process_estimate(
    process: Process,
    schedules: Mapping[str, Schedule],
    register_bits: int,
    units: Mapping[str, Unit],
) -> Estimate:
    """One process; `schedules` by region, `register_bits` of its module, `units`: shared operators."""
    lut, dsp, inside = _operators(process, schedules)
    for pool, unit in units.items():
        count = len(operators_used(schedules.values(), pool))
        once = _operators(unit.process, {pool: unit.schedule})
        choices = max(0, unit.users - count) * sum(unit.operands) * _SELECT
        lut += once[0] * count + choices
        dsp, inside = dsp + once[1] * count, inside + once[2] * count
    ram = 0.0
    for m in process.memories:
        if m.external is not None:
            continue
        style = memory_style(m)
        if style == "bram":
            ram += bram36(m.width, m.depth)
        elif style == "lutram":
            lut += _distributed(m.width, m.depth, m)
    return Estimate(round(lut), max(0, register_bits - inside), dsp, ram)


def operators_used(schedules: Iterable[Schedule], pool: str) -> set[int]:
    """Numbers of the operators of a pool that operations are bound to."""
    return {s.bound[i] for s in schedules for p in s.problem.pools if p.name == pool for i in p.choice}


def _operators(process: Process, schedules: Mapping[str, Schedule]) -> tuple[float, int, int]:
    """LUTs, DSP48E1 and register bits within these, of the operations that share no operator."""
    lut, dsp, inside = 0.0, 0, 0
    for region in process.regions:
        by_id = region.by_id()
        problem, bound = schedules[region.name].problem, schedules[region.name].bound
        for n in region.nodes:
            if n.id in bound:
                continue
            if n.op == "mul":
                widths = [min(n.width, source(by_id, a).width + 1) - 1 for a in n.args]
                taken = multiplier_dsps(widths[0], widths[1])
                dsp += taken
                inside += min(n.width, sum(widths)) if taken == 1 else 0
                lut += n.width * min(widths) * _PRODUCT if taken == 0 else 0
            elif n.id in problem.accumulators:
                inside += by_id[problem.accumulators[n.id][0]].width
            else:
                lut += _luts(n, by_id)
    return lut, dsp, inside


_ADD, _ADD_CONSTANT, _SELECT, _COMPARE, _SHIFT_LEVEL, _PRODUCT = 0.95, 0.72, 0.5, 0.05, 0.68, 0.5
"""LUTs per bit; of a product in LUTs: per bit and row."""


def _luts(n: Node, by_id: Mapping[int, Node]) -> float:
    operands = [source(by_id, a) for a in n.args]
    width = max((o.width for o in operands), default=0)
    constant = any(o.op == "const" for o in operands)
    if n.op in {"add", "sub"}:
        if min(o.width for o in operands) == 1:
            return 0.0  # it comes to another adder's carry
        bits = min(n.width, width + 1) - max(_low_zeros(o, by_id) for o in operands)
        return bits * (_ADD_CONSTANT if constant else _ADD)
    if n.op == "select":
        return n.width * _SELECT
    if n.op in COMPARE:
        return width * _COMPARE
    if n.op in {"shl", "lshr", "ashr"} and not constant:
        return n.width * (n.width - 1).bit_length() * _SHIFT_LEVEL
    return 0.0


def _low_zeros(n: Node, by_id: Mapping[int, Node]) -> int:
    """Bits of a shifted operand that an adder passes through."""
    last = by_id[n.args[-1]] if n.op == "concat" else n
    return last.width if last.op == "const" and last.value == 0 else 0


def _distributed(width: int, depth: int, memory: Memory | None = None) -> float:
    if memory is not None and memory.init is not None:
        return width * depth / 64
    return 4 * -(-width // 6) if depth <= 32 else 4 * -(-width // 3) * -(-depth // 64)


def frame_estimate(design: Design, register_file_bits: int) -> Estimate:
    """What is around the processes: FIFOs, register slices, the register file, arrays between them."""
    lut, ff, ram = 60.0 + register_file_bits, 120.0 + register_file_bits, 0.0
    for b in design.buffers:
        ram += buffer_bram36(b)
        if b.style == "register":
            lut, ff = lut + b.width * b.halves * _SELECT, ff + b.width * b.depth
        elif b.style == "lutram":
            lut += _distributed(b.width, b.depth)
        elif b.turns:  # the two processes' pins are chosen between
            lut += b.halves * (b.width + b.address_width)
    for c in design.channels:
        if c.array:
            lut, ff = lut + 4, ff + 4
        elif not (c.producer and c.consumer):  # a register slice at a port
            lut, ff = lut + c.width, ff + 2 * c.width
        elif c.depth >= 64 and c.width * c.depth > 4096:
            lut, ff, ram = lut + c.width + 30, ff + 2 * c.width + 30, ram + bram36(c.width, c.depth)
        elif c.depth <= 2:
            lut, ff = lut + c.width + 8, ff + 2 * c.width + 5
        else:
            store = c.width if c.depth <= 33 and c.width <= 16 else _distributed(c.width, c.depth)
            lut, ff = lut + c.width + store + 8, ff + c.width + 10
    return Estimate(round(lut), round(ff), 0, ram)
