# SPDX-License-Identifier: Apache-2.0
"""Vivado's IP packager as a strict recorder: a core, its register map, and the IP that comes of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from commands import parse, spec
from ip_catalogue import CLOCK_IN, RESET_IN, Bus, Ip, Pin
from tclrun import Refusal

TABLE = {
    "ipx::package_project": spec(
        "-root_dir= -vendor= -library= -taxonomy= -import_files -set_current= -force"
    ),
    "ipx::current_core": spec(""),
    "ipx::remove_all_memory_map": spec("", 1),
    "ipx::add_memory_map": spec("", 2),
    "ipx::get_bus_interfaces": spec("-of_objects=", 1),
    "ipx::add_address_block": spec("", 2),
    "ipx::add_register": spec("", 2),
    "ipx::add_field": spec("", 2),
    "ipx::create_xgui_files": spec("", 1),
    "ipx::update_checksums": spec("", 1),
    "ipx::check_integrity": spec("", 1),
    "ipx::save_core": spec("", 1),
}
PROPERTIES = {
    "core": {"name", "version", "display_name", "description", "supported_families"},
    "bus": {"slave_memory_map_ref"},
    "block": {"usage", "width", "range", "access"},
    "register": {"address_offset", "size", "access", "description"},
    "field": {"bit_offset", "bit_width", "access"},
}
ACCESS = {"read-write", "read-only", "write-only"}


@dataclass
class Core:
    """One packaged IP; registers: name → properties with `fields` inside."""

    properties: dict[str, str]
    buses: dict[str, Bus]
    pins: dict[str, Pin]
    maps: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    map_of: dict[str, str] = field(default_factory=dict)
    registers: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def vlnv(self) -> str:
        p = self.properties
        return f"{p['vendor']}:{p['library']}:{p['name']}:{p['version']}"

    def ip(self) -> Ip:
        """As the catalogue sees it: segments are the blocks of the memory maps."""
        buses = dict(self.buses)
        for bus, map_name in self.map_of.items():
            sizes = {name: int(b["range"], 16) for name, b in self.maps[map_name].items()}
            buses[bus] = Bus("aximm", False, buses[bus].clock, segments=sizes)
        return Ip({}, lambda p: buses, lambda p: self.pins)


def core_of(verilog: str, top: str) -> tuple[dict[str, Bus], dict[str, Pin]]:
    """Buses and pins that the attributes of a wrapper name; Refusal for what they leave out."""
    header = re.search(rf"module {top} \((.*?)\n\);", verilog, re.S)
    if header is None:
        raise Refusal(f"no module {top} with a port list")
    ports = re.findall(
        r'X_INTERFACE_INFO = "xilinx\.com:(\w+):(\w+):1\.0 (\w+) (\w+)" \*\)\s*'
        r"(?:\(\* X_INTERFACE_PARAMETER = \"(.*?)\" \*\)\s*)?(input|output)(?: \[(\d+):0\])? (\w+)",
        header[1],
    )
    if len(ports) != len(re.findall(r"^\s*(?:input|output)\b", header[1], re.M)):
        raise Refusal("every port must have X_INTERFACE_INFO")
    buses: dict[str, Bus] = {}
    pins: dict[str, Pin] = {}
    clocked: set[str] = set()
    for _, kind, bus, signal, parameter, direction, _, name in ports:
        if kind in ("aximm", "axis"):
            if name != f"{bus}_{signal}":
                raise Refusal(f"port {name} must be {bus}_{signal}")
            if signal == "AWADDR" and "PROTOCOL AXI4LITE," not in f"{parameter},":
                raise Refusal(f"{bus} must be AXI4-Lite")
            if signal in ("TVALID", "ARVALID"):
                buses[bus] = Bus(kind, direction == "output", "ap_clk")
        elif kind == "clock":
            pins[name] = CLOCK_IN
            for word in parameter.split(", "):
                if word.startswith("ASSOCIATED_BUSIF "):
                    clocked = set(word.split()[1].split(":"))
        elif kind == "reset":
            if "POLARITY ACTIVE_LOW" not in parameter:
                raise Refusal(f"reset {name} must be active low")
            pins[name] = RESET_IN
        else:
            pins[name] = Pin(direction == "output")
    if clocked != set(buses):
        raise Refusal(f"the clock must be that of {sorted(buses)}, not of {sorted(clocked)}")
    return buses, pins


class Packager:
    def __init__(self) -> None:
        self.core: Core | None = None
        self.root = Path()
        self.saved: dict[Path, Core] = {}

    def call(self, words: list[str], tool: Any) -> str:
        name, options, plain = parse(TABLE, words)
        handler = getattr(self, "_" + name.removeprefix("ipx::"))
        result: str = handler(options, plain, tool)
        return result

    def _current(self, text: str) -> Core:
        if self.core is None or text != "core:current":
            raise Refusal(f"a core expected, not {text!r}")
        return self.core

    def _package_project(self, options: dict[str, str], plain: list[str], tool: Any) -> str:
        if not tool.top:
            raise Refusal("the project must have a top module")
        if "import_files" not in options:
            raise Refusal("an IP must hold its files: -import_files")
        verilog = "".join((tool.folder / f).read_text() for f in tool.files)
        inner = tool.top.removesuffix("_ip")
        if f"module {inner}(" not in verilog:
            raise Refusal(f"the project's files lack module {inner}")
        buses, pins = core_of(verilog, tool.top)
        given = {k: options[k] for k in ("vendor", "library")}
        self.core = Core({**given, "name": tool.top, "version": "1.0"}, buses, pins)
        # What Vivado infers for an AXI4-Lite interface.
        self.core.maps["s_axi_control"] = {"reg0": {"range": "0x1000"}}
        self.root = tool.folder / options["root_dir"]
        return ""

    def _current_core(self, options: dict[str, str], plain: list[str], tool: Any) -> str:
        if self.core is None:
            raise Refusal("ipx::package_project must come first")
        return "core:current"

    def _remove_all_memory_map(self, options: dict[str, str], plain: list[str], tool: Any) -> str:
        self._current(plain[0]).maps.clear()
        return ""

    def _add_memory_map(self, options: dict[str, str], plain: list[str], tool: Any) -> str:
        core = self._current(plain[1])
        if plain[0] in core.maps:
            raise Refusal(f"there is a memory map {plain[0]} already")
        core.maps[plain[0]] = {}
        return f"map:{plain[0]}"

    def _get_bus_interfaces(self, options: dict[str, str], plain: list[str], tool: Any) -> str:
        if plain[0] not in self._current(options.get("of_objects", "")).buses:
            raise Refusal(f"the core has no bus interface {plain[0]}")
        return f"bus:{plain[0]}"

    def _add_address_block(self, options: dict[str, str], plain: list[str], tool: Any) -> str:
        assert self.core is not None
        name, map_name = plain[0], plain[1].removeprefix("map:")
        if map_name not in self.core.maps:
            raise Refusal(f"there is no memory map {plain[1]}")
        self.core.maps[map_name][name] = {}
        return f"block:{map_name}/{name}"

    def _add_register(self, options: dict[str, str], plain: list[str], tool: Any) -> str:
        assert self.core is not None
        if not plain[1].startswith("block:") or plain[0] in self.core.registers:
            raise Refusal(f"register {plain[0]} must be new, in an address block")
        self.core.registers[plain[0]] = {"fields": {}}
        return f"register:{plain[0]}"

    def _add_field(self, options: dict[str, str], plain: list[str], tool: Any) -> str:
        assert self.core is not None
        register = plain[1].removeprefix("register:")
        if register not in self.core.registers:
            raise Refusal(f"there is no register {plain[1]}")
        self.core.registers[register]["fields"][plain[0]] = {}
        return f"field:{register}/{plain[0]}"

    def set_property(self, kind: str, subject: str, name: str, value: str) -> None:
        assert self.core is not None
        if name not in PROPERTIES[kind]:
            raise Refusal(f"a {kind} has no property {name}")
        if name == "access" and value not in ACCESS:
            raise Refusal(f"access must be one of {sorted(ACCESS)}, not {value}")
        if kind == "bus":
            if value not in self.core.maps:
                raise Refusal(f"there is no memory map {value}")
            self.core.map_of[subject] = value
        elif kind == "core":
            self.core.properties[name] = value
        elif kind == "block":
            map_name, _, block = subject.partition("/")
            self.core.maps[map_name][block][name] = value
        elif kind == "register":
            self.core.registers[subject][name] = value
        else:
            register, _, inner = subject.partition("/")
            self.core.registers[register]["fields"][inner][name] = value

    def _create_xgui_files(self, options: dict[str, str], plain: list[str], tool: Any) -> str:
        self._current(plain[0])
        return ""

    _update_checksums = _create_xgui_files

    def _check_integrity(self, options: dict[str, str], plain: list[str], tool: Any) -> str:
        core = self._current(plain[0])
        for name, register in core.registers.items():
            missing = PROPERTIES["register"] - set(register)
            for inner in register["fields"].values():
                missing |= PROPERTIES["field"] - set(inner)
            if missing or not register["fields"]:
                raise Refusal(f"register {name} lacks {sorted(missing) or 'fields'}")
        return ""

    def _save_core(self, options: dict[str, str], plain: list[str], tool: Any) -> str:
        self.saved[self.root] = self._current(plain[0])
        return ""
