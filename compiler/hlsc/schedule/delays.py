# SPDX-License-Identifier: Apache-2.0
"""Delays and latencies of operations on Xilinx 7 series, speed grade -1 (xc7z020clg400-1).

The figures are read from `xc7_delays.json`, which `scripts/characterise_delays.py` writes: each
operator at several widths through yosys, timed with the cell delays of yosys' library.  **Measured are
cells alone**; every net between slices is taken to cost the same (`net` in that file), an assumption,
and no vendor tool has confirmed a figure.  Nothing else in hlsc holds a delay.

Times are in nanoseconds.  A path may take `Timing.budget` from one register to the next: the clock
period less the uncertainty (12.5 %, as Vitis HLS assumes) and the register's own clock-to-output and
set-up times.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Any

from hlsc.ir import Memory, Node

__all__ = [
    "TABLES",
    "XC7_1",
    "Cost",
    "Table",
    "Timing",
    "has_ports",
    "memory_style",
    "multiplier_dsps",
    "multiplier_pieces",
]


Curve = tuple[tuple[int, float], ...]
"""(size, delay) by ascending size, to be interpolated."""


@dataclass(frozen=True)
class Table:
    """Delays of one device family and speed grade, in ns, each with the nets to its inputs."""

    name: str
    measured: bool
    register: float  # clock to output plus set-up
    gate: float  # and, or, xor of two bits in a chain: a LUT6 holds several
    select: float  # likewise
    add: Curve  # by width, as are all of the next
    compare: Curve
    compare_constant: Curve
    equal: Curve
    equal_constant: Curve
    shift: Curve
    dsp_in: float  # operand to the product register
    dsp_out: float  # product register to fabric
    dsp_sum: float  # product register through the adder to the accumulator register
    ram_in: float  # address or data set-up of a block RAM
    ram_out: float
    lutram: Curve  # by depth
    stream_in: float  # valid and data of a FIFO or slice
    stream_out: float
    control: float  # exit condition to the issue logic


def at(curve: Curve, size: int) -> float:
    """Delay at a size: between two points, or on the line through the last two beyond them."""
    if size <= curve[0][0]:
        return curve[0][1]
    k = next((k for k, (x, _) in enumerate(curve) if x >= size), len(curve) - 1)
    (x0, y0), (x1, y1) = curve[k - 1], curve[k]
    return y0 + (y1 - y0) * (size - x0) / (x1 - x0)


def _read(name: str) -> Table:
    """The table in a data file beside this module."""
    given = json.loads((resources.files("hlsc.schedule") / name).read_text())
    values: dict[str, Any] = {
        k: tuple((int(n), float(d)) for n, d in v) if isinstance(v, list) else float(v)
        for k, v in given["table"].items()
    }
    return Table(name=given["name"], measured=True, **values)


XC7_1 = _read("xc7_delays.json")

TABLES: dict[str, Table] = {"xc7": XC7_1}
"""By the first letters of the part name."""

UNCERTAINTY = 0.125
MIN_COMFORT = 4.0  # ns


@dataclass(frozen=True)
class Cost:
    """What the scheduler needs of one operation.

    `latency` 0: combinational, `delay` from operands to result.  Else `delay` leads from the operands
    to the operation's register in its first cycle, the result is there `latency` cycles later, after
    `out_delay` of that cycle.
    """

    delay: float
    latency: int = 0
    out_delay: float = 0.0


def memory_style(memory: Memory) -> str:
    """register, lutram or bram: what `auto` comes to.  Small memories are LUTs, as in Vitis."""
    if memory.style != "auto":
        return memory.style
    bits = memory.width * memory.depth
    return "lutram" if memory.depth <= 64 or bits <= 1024 else "bram"


def has_ports(memory: Memory) -> bool:
    """Whether accesses share ports: not those of registers, nor of tables made of logic."""
    style = memory_style(memory)
    return style == "bram" or (style == "lutram" and memory.init is None)


def multiplier_dsps(a: int, b: int) -> int:
    """DSP48E1 that a signed a-bit by b-bit product takes; 0: it is small enough for LUTs."""
    if min(a, b) <= 3:
        return 0
    limits = multiplier_pieces(a, b)
    return _pieces(a, limits[0]) * _pieces(b, limits[1])


def multiplier_pieces(a: int, b: int) -> tuple[int, int]:
    """Most bits of a signed piece of either factor: 25 and 18, the way that takes fewer DSP48E1."""
    return min((25, 18), (18, 25), key=lambda x: _pieces(a, x[0]) * _pieces(b, x[1]))


def _pieces(width: int, first: int) -> int:
    """Signed pieces of `first` bits at most; the lower ones are unsigned and a bit shorter."""
    return 1 + max(0, -(-(width - first) // (first - 1)))


@dataclass(frozen=True)
class Timing:
    """A delay table against a clock period of `clock_ns`."""

    clock_ns: float
    table: Table = XC7_1

    @property
    def budget(self) -> float:
        return self.clock_ns * (1 - UNCERTAINTY) - self.table.register

    @property
    def comfort(self) -> float:
        """A path that leaves half of the period to nets which are longer than the table assumes.

        Kept to where it costs pipeline registers alone.  Below MIN_COMFORT it would break up single
        operations; there the budget is all that counts.
        """
        return min(self.budget, max(MIN_COMFORT, self.budget / 2))

    def cost(
        self,
        n: Node,
        *,
        operand_width: int,
        factor_widths: tuple[int, int] = (0, 0),
        constant_operand: bool = False,
        memory: Memory | None = None,
        in_dsp: bool = False,
    ) -> Cost:
        """Cost of one node.

        `operand_width`: bits of the operands before extension (comparisons, additions);
        `factor_widths`: the same for both factors, as signed numbers; `in_dsp`: a sum or product that
        belongs to a multiply-accumulate; `memory`: that of a load or store.
        """
        t = self.table
        equal = t.equal_constant if constant_operand else t.equal
        simple: dict[str, Callable[[], float]] = {
            "and": lambda: t.gate,
            "or": lambda: t.gate,
            "xor": lambda: t.gate,
            "select": lambda: t.select,
            "add": lambda: t.dsp_sum if in_dsp else at(t.add, min(n.width, operand_width + 1)),
            "sub": lambda: at(t.add, min(n.width, operand_width + 1)),
            "eq": lambda: at(equal, operand_width),
            "ne": lambda: at(equal, operand_width),
            "store": lambda: t.ram_in,
            "read": lambda: t.stream_in,
            "empty": lambda: t.stream_in,
            "write": lambda: t.stream_out,
            "out": lambda: 0.0,
        }
        if n.op in simple:
            return Cost(simple[n.op]())
        if n.op in {"ult", "ule", "ugt", "uge", "slt", "sle", "sgt", "sge"}:
            return Cost(at(t.compare_constant if constant_operand else t.compare, operand_width))
        if n.op in {"shl", "lshr", "ashr"}:
            if constant_operand:
                return Cost(0.0)
            return Cost(at(t.shift, n.width))
        if n.op == "mul":
            return self._multiply(n, factor_widths, in_dsp)
        if n.op == "load":
            assert memory is not None
            style = memory_style(memory)
            if style == "bram":
                return Cost(t.ram_in, 1, t.ram_out)
            return Cost(at(t.lutram, memory.depth))
        return Cost(0.0)  # leaves, casts, extract, concat: wires

    def _multiply(self, n: Node, factors: tuple[int, int], in_dsp: bool) -> Cost:
        t = self.table
        dsps = multiplier_dsps(min(factors[0], n.width), min(factors[1], n.width))
        if dsps == 0:  # a few rows of adders
            rows = min(factors)
            return Cost(at(t.add, n.width) * max(1, rows - 1))
        return Cost(t.dsp_in, 1, 0.0 if in_dsp else t.dsp_out)
