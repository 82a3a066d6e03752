# SPDX-License-Identifier: Apache-2.0
"""Longest paths between the registers of a netlist.

The delay of a path is that of its cells, and `net` ns more for each net that leaves a slice; nets
inside one (LUT to its carry chain, wide multiplexer or flip-flop) and DSP cascades take nothing.  `net`
0 gives the logic delay.  A path starts with a register's clock-to-output and ends with a set-up time.
Placement and the load of a net are not known here, and nothing is said about a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from hlsc.errors import HlscError
from hlsc.measure.library import Arcs, Pin, arcs_of, shape
from hlsc.measure.yosys import Bit, Cell, Netlist

__all__ = ["Path", "Timer", "joined"]

_LOCAL_INPUTS = {
    "CARRY4": ("S", "CI"), "MUXF7": ("I0", "I1"), "MUXF8": ("I0", "I1"), "DSP48E1": ("PCIN",),
}  # fmt: skip
_FLIP_FLOPS = ("FDRE", "FDSE", "FDCE", "FDPE")
_SLICE = ("LUT", "CARRY4", "MUXF", "INV")


@dataclass(frozen=True)
class Path:
    """A longest path: `delay` in ns, nets where it starts and ends, `cells` it passes, types only."""

    delay: float
    start: str
    end: str
    cells: tuple[str, ...]


class Timer:
    """Paths of one flat netlist.  Raises HlscError if its logic has a cycle."""

    def __init__(self, netlist: Netlist) -> None:
        self.netlist = netlist
        shapes = arcs_of(netlist.cells)
        self.arcs: list[Arcs] = [shapes[shape(c)] for c in netlist.cells]
        self.driver: dict[int, tuple[int, Pin]] = {}
        for k, c in enumerate(netlist.cells):
            arcs = self.arcs[k]
            for pin in {b for _, b, _ in arcs.through} | set(arcs.launch):
                bit = _bit(c, pin)
                if isinstance(bit, int):
                    self.driver[bit] = (k, pin)
        self.registered = self._registered()
        self.order = self._order()

    def _registered(self) -> dict[int, int]:
        """Flip-flops that each net feeds at D."""
        found: dict[int, int] = {}
        for c in self.netlist.cells:
            if c.kind in _FLIP_FLOPS and isinstance(bit := c.pins["D"][0], int):
                found[bit] = found.get(bit, 0) + 1
        return found

    def _order(self) -> list[int]:
        graph: dict[int, set[int]] = {}
        for k, c in enumerate(self.netlist.cells):
            if self.arcs[k].through:
                before = {self.driver.get(b, (-1,))[0] for b in self._inputs(k, c)}
                graph[k] = {b for b in before if b >= 0 and self.arcs[b].through}
        try:
            return list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            names = ", ".join(self.netlist.cells[k].name for k in error.args[1][:4])
            raise HlscError(f"logic of {self.netlist.top} must have no cycle, not {names}") from None

    def _inputs(self, k: int, c: Cell) -> list[int]:
        bits = [_bit(c, a) for a in {a for a, _, _ in self.arcs[k].through}]
        return [b for b in bits if isinstance(b, int)]

    def _route(self, bit: int, cell: Cell, port: str, net: float) -> float:
        """Delay in ps of a net to one input."""
        if port in _LOCAL_INPUTS.get(cell.kind, ()):
            return 0.0
        if port == "D" and cell.kind in _FLIP_FLOPS and self.registered[bit] == 1:
            source = self.driver.get(bit)
            if source and self.netlist.cells[source[0]].kind.startswith(_SLICE):
                return 0.0
        return net

    def _arrivals(
        self, net: float, arrival: dict[int, float]
    ) -> tuple[dict[int, float], dict[int, tuple[int, int]]]:
        """Arrival by net, given where paths start; by net the one before and the cell between."""
        before: dict[int, tuple[int, int]] = {}
        for k in self.order:
            c = self.netlist.cells[k]
            for a, b, delay in self.arcs[k].through:
                into, out = _bit(c, a), _bit(c, b)
                if isinstance(into, int) and isinstance(out, int) and into in arrival:
                    t = arrival[into] + self._route(into, c, a[0], net) + delay
                    if t > arrival.get(out, -1.0):
                        arrival[out] = t
                        before[out] = (into, k)
        return arrival, before

    def _inputs_at_zero(self) -> dict[int, float]:
        ports = self.netlist.ports.values()
        return {b: 0.0 for way, bits in ports if way == "input" for b in bits if isinstance(b, int)}

    def outputs(self, net: float = 0.0) -> dict[str, float]:
        """Delay in ns from the netlist's inputs to each of its outputs."""
        arrival, _ = self._arrivals(net * 1000, self._inputs_at_zero())
        return {
            name: max(arrival.get(b, 0.0) for b in bits if isinstance(b, int)) / 1000
            for name, (way, bits) in self.netlist.ports.items()
            if way == "output"
        }

    def longest(self, net: float = 0.0) -> dict[str, Path]:
        """The longest path by the part of the design where it ends ("" outside of parts), see `joined`.

        `net`: delay of a net in ns.  Paths that start at an input or end at an output of the whole
        netlist count from 0 or to 0.
        """
        net *= 1000
        cells = self.netlist.cells
        start = self._inputs_at_zero()
        for k, c in enumerate(cells):
            for pin, delay in self.arcs[k].launch.items():
                if isinstance(bit := _bit(c, pin), int):
                    start[bit] = float(delay)
        arrival, before = self._arrivals(net, start)
        worst: dict[str, tuple[float, int, str]] = {}

        def end(part: str, delay: float, bit: int, name: str) -> None:
            if delay > worst.get(part, (-1.0, 0, ""))[0]:
                worst[part] = (delay, bit, name)

        for k, c in enumerate(cells):
            for pin, setup in self.arcs[k].setup.items():
                if isinstance(bit := _bit(c, pin), int):
                    late = arrival.get(bit, 0.0) + self._route(bit, c, pin[0], net) + setup
                    end(_part(c), late, bit, self._register(c))
        for name, (way, bits) in self.netlist.ports.items():
            for bit in bits if way == "output" else ():
                if isinstance(bit, int):
                    end("", arrival.get(bit, 0.0), bit, name)
        return {part: self._path(*w, before) for part, w in sorted(worst.items())}

    def _register(self, cell: Cell) -> str:
        """Name of a register or memory: of the net it drives, where the source names that."""
        for port in ("Q", "P"):
            for bit in cell.pins.get(port, ()):
                if isinstance(bit, int) and bit in self.netlist.names:
                    return self.netlist.names[bit]
        return cell.name

    def _path(self, delay: float, bit: int, end: str, before: Mapping[int, tuple[int, int]]) -> Path:
        passed = []
        while bit in before:
            bit, k = before[bit]
            passed.append(self.netlist.cells[k].kind)
        start = self.netlist.names.get(bit, "")
        if bit in self.driver:
            cell = self.netlist.cells[self.driver[bit][0]]
            passed.append(cell.kind)
            start = start or self._register(cell)
        return Path(round(delay / 1000, 3), start, end, tuple(reversed(passed)))


def _bit(cell: Cell, pin: Pin) -> Bit | None:
    row = cell.pins.get(pin[0], ())
    return row[pin[1]] if pin[1] < len(row) else None


def _part(cell: Cell) -> str:
    return cell.name.split("/", 1)[0] if "/" in cell.name else ""


def joined(top: Netlist, parts: Mapping[str, Netlist]) -> Netlist:
    """`top` with its instances of `parts` (by module) replaced by their netlists.

    Cells and nets of a part are named `<instance>/<name>`.
    """
    same: dict[int, Bit] = {}

    def root(bit: Bit) -> Bit:
        while isinstance(bit, int) and bit in same:
            bit = same[bit]
        return bit

    cells: list[Cell] = []
    names = dict(top.names)
    unnamed: set[Bit] = set()  # a net across a border has the name that it has where it is driven
    used = max(
        (b for c in top.cells for row in c.pins.values() for b in row if isinstance(b, int)), default=1
    )
    used = max([used, *top.names])
    for c in top.cells:
        if c.kind not in parts:
            cells.append(c)
            continue
        part, offset = parts[c.kind], used
        used += max(
            (b for x in part.cells for row in x.pins.values() for b in row if isinstance(b, int)),
            default=0,
        ) + max(part.names, default=0)  # fmt: skip

        def moved(bit: Bit, offset: int = offset) -> Bit:
            return bit + offset if isinstance(bit, int) else bit

        for port, (way, bits) in part.ports.items():
            for inner, outer in zip(bits, c.pins.get(port, ()), strict=False):
                a, b = root(moved(inner)), root(outer)
                unnamed.add(moved(inner) if way == "input" else outer)
                if a != b:
                    if isinstance(a, int):
                        same[a] = b
                    elif isinstance(b, int):
                        same[b] = a
        for x in part.cells:
            pins = {p: [moved(b) for b in row] for p, row in x.pins.items()}
            cells.append(Cell(f"{c.name}/{x.name}", x.kind, x.params, pins))
        names |= {b + offset: f"{c.name}/{n}" for b, n in part.names.items()}
    flat = [
        Cell(c.name, c.kind, c.params, {p: [root(b) for b in row] for p, row in c.pins.items()})
        for c in cells
    ]
    shown: dict[int, str] = {}
    for b, n in names.items():
        if isinstance(r := root(b), int) and b not in unnamed:
            shown.setdefault(r, n)
    ports = {n: (way, [root(b) for b in bits]) for n, (way, bits) in top.ports.items()}
    return Netlist(top.top, ports, flat, shown)
