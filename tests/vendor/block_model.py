# SPDX-License-Identifier: Apache-2.0
"""A block design as the recorder keeps it: cells, nets and addresses, and what must hold of them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from ip_catalogue import Bus, Ip, Pin
from tclrun import Refusal


@dataclass
class Cell:
    vlnv: str
    ip: Ip
    properties: dict[str, str]

    @property
    def buses(self) -> dict[str, Bus]:
        return self.ip.buses(self.properties)

    @property
    def pins(self) -> dict[str, Pin]:
        return self.ip.pins(self.properties)


@dataclass
class Block:
    """Names are `cell/pin`; `links` maps an interface to the one it is connected to, both ways; `nets`
    an input pin to its source; `mapped` (space, segment) to (offset, bytes)."""

    cells: dict[str, Cell] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    nets: dict[str, str] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    port_buses: dict[str, str] = field(default_factory=dict)
    mapped: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    valid: bool = False

    def bus(self, name: str) -> Bus:
        cell, _, bus = name.partition("/")
        return self.cells[cell].buses[bus]

    def pin(self, name: str) -> Pin:
        cell, _, pin = name.partition("/")
        return self.cells[cell].pins[pin]

    def has_bus(self, name: str) -> bool:
        cell, _, bus = name.partition("/")
        return cell in self.cells and bus in self.cells[cell].buses

    def has_pin(self, name: str) -> bool:
        cell, _, pin = name.partition("/")
        return cell in self.cells and pin in self.cells[cell].pins

    def spaces(self) -> dict[str, str]:
        """Address space → the interfaces' first name that reads or writes through it."""
        return {
            f"{cell}/{bus.space}": f"{cell}/{name}"
            for cell, c in self.cells.items()
            for name, bus in c.buses.items()
            if bus.space
        }

    def segments(self) -> dict[str, tuple[str, int]]:
        """Segment → (slave interface, bytes).  Those of UltraScale+ are named after the GP number."""
        found = {}
        for cell, c in self.cells.items():
            for name, bus in c.buses.items():
                for segment, size in bus.segments.items():
                    # S_AXI_HP0_FPD is the PSU's SAXIGP2.
                    place = f"SAXIGP{int(name[8]) + 2}" if name.endswith("_FPD") else name
                    found[f"{cell}/{place}/{segment}"] = (f"{cell}/{name}", size)
        return found

    def reached(self, interface: str) -> set[str]:
        """Slave interfaces that a master interface reaches, through interconnects."""
        slave = self.links.get(interface)
        if slave is None or "/" not in slave:
            return set()
        cell = slave.partition("/")[0]
        if not self.cells[cell].vlnv.startswith("xilinx.com:ip:smartconnect"):
            return {slave}
        onward = [f"{cell}/{n}" for n, b in self.cells[cell].buses.items() if b.master]
        return set().union(*(self.reached(name) for name in onward))

    def validate(self) -> None:
        """What validate_bd_design would say, and more; Refusal with the first thing wrong."""
        for cell, c in self.cells.items():
            for name, bus in c.buses.items():
                if f"{cell}/{name}" not in self.links:
                    raise Refusal(f"interface {cell}/{name} is not connected")
                if bus.clock and f"{cell}/{bus.clock}" not in self.nets:
                    raise Refusal(f"{cell}/{name} has no clock: {bus.clock} is not connected")
            for name, pin in c.pins.items():
                if pin.needed and f"{cell}/{name}" not in self.nets:
                    raise Refusal(f"pin {cell}/{name} is not connected")
        for a, b in self.links.items():
            if "/" in b and self._clock(a) != self._clock(b):
                raise Refusal(f"{a} and {b} have different clocks")
        self._validate_addresses()
        self.valid = True

    def _clock(self, interface: str) -> str | None:
        cell = interface.partition("/")[0]
        clock = self.bus(interface).clock
        return self.nets[f"{cell}/{clock}"] if clock else None

    def _validate_addresses(self) -> None:
        segments = self.segments()
        for space, interface in self.spaces().items():
            reached = self.reached(interface)
            given = {s: at for (sp, s), at in self.mapped.items() if sp == space}
            for segment in given:
                if segments[segment][0] not in reached:
                    raise Refusal(f"{segment} is mapped in {space}, which does not reach it")
            for slave in reached:
                if not any(segments[s][0] == slave for s in given):
                    raise Refusal(f"{slave} is reached from {space} but has no address there")
            ranges = sorted(given.values())
            for (start, size), (following, _) in itertools.pairwise(ranges):
                if start + size > following:
                    raise Refusal(f"addresses of {space} overlap at 0x{following:x}")
