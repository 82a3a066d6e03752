# SPDX-License-Identifier: Apache-2.0
"""Vivado as a strict recorder: projects, IP packaging, block design, runs and reports.

Objects that a command returns are `kind:name`; a command that wants another kind refuses them, as it
refuses what does not exist.  Runs make the files that the scripts expect of them.
"""

from __future__ import annotations

from pathlib import Path

from block_model import Block, Cell
from commands import parse, tcl_list
from ip_catalogue import CATALOGUE, Ip, kernel_ip
from packager import Packager
from tclrun import Refusal
from vivado_table import PARTS, TABLE, UTILIZATION

PACKAGER = "ipx::"


def _strip(text: str, kind: str) -> str:
    """The name of an object of this kind."""
    found, _, name = text.partition(":")
    if found != kind or not name:
        raise Refusal(f"{kind} expected, not {text!r}")
    return name


class VivadoTool:
    """One session in `folder`.  slack: what timing gives; progress: how far runs get; generated: gen or
    srcs, where the release puts the hardware handoff."""

    def __init__(
        self,
        folder: Path,
        *,
        slack: str = "0.123",
        progress: str = "100%",
        generated: str = "gen",
        vitis_result: str = "out_r",
    ) -> None:
        self.folder = folder
        self.slack, self.progress, self.generated = slack, progress, generated
        self.vitis_result = vitis_result
        self.part = ""
        self.project = ""
        self.files: list[str] = []
        self.repository: Path | None = None
        self.catalogue_read = False
        self.top = ""
        self.design = ""
        self.block = Block()
        self.packager = Packager()
        self.targets = False
        self.wrapped = False
        self.runs: list[str] = []
        self.opened = False
        self.refused = ""

    def call(self, words: list[str]) -> str:
        try:
            if words[0].removeprefix("::").startswith(PACKAGER):
                return self.packager.call(words, self)
            name, options, plain = parse(TABLE, words)
            result: str = getattr(self, f"_{name}")(options, plain)
            return result
        except Refusal as refusal:
            self.refused = str(refusal)
            raise

    # --------------------------------------------------------------------------------- project

    def _create_project(self, options: dict[str, str], plain: list[str]) -> str:
        if self.project:
            raise Refusal(f"project {self.project} is open")
        if options.get("part") not in PARTS:
            raise Refusal(f"unknown part {options.get('part')}")
        self.project, self.part, self.files, self.top = plain[0], options["part"], [], ""
        return ""

    def _close_project(self, options: dict[str, str], plain: list[str]) -> str:
        self._need(self.project, "a project")
        self.project = ""
        return ""

    def _need(self, there: object, what: str) -> None:
        if not there:
            raise Refusal(f"{what} must come first")

    def _current_project(self, options: dict[str, str], plain: list[str]) -> str:
        self._need(self.project, "create_project")
        return f"project:{self.project}"

    def _current_fileset(self, options: dict[str, str], plain: list[str]) -> str:
        self._need(self.project, "create_project")
        return "fileset:sources_1"

    def _add_files(self, options: dict[str, str], plain: list[str]) -> str:
        self._need(self.project, "create_project")
        if options.get("fileset", "sources_1") not in ("sources_1", "constrs_1"):
            raise Refusal(f"no fileset {options['fileset']}")
        for file in tcl_list(plain[0]):
            if not (self.folder / file).is_file():
                raise Refusal(f"no file {file}")
            self.files.append(file)
        return ""

    def _get_files(self, options: dict[str, str], plain: list[str]) -> str:
        if plain[0] != f"{self.design}.bd" or not self.design:
            raise Refusal(f"no file {plain[0]}")
        return f"file:{plain[0]}"

    def _update_compile_order(self, options: dict[str, str], plain: list[str]) -> str:
        self._need(self.top, "the top module")
        return ""

    def _update_ip_catalog(self, options: dict[str, str], plain: list[str]) -> str:
        self._need(self.repository, "ip_repo_paths")
        self.catalogue_read = True
        return ""

    def _catalogue(self) -> dict[str, Ip]:
        found = dict(CATALOGUE)
        if self.repository is not None and self.catalogue_read:
            packaged = self.packager.saved.get(self.repository)
            if packaged is not None:
                found[packaged.vlnv] = packaged.ip()
            elif (self.repository / "component.xml").is_file():
                vlnv = (self.repository / "component.xml").read_text().strip()
                found[vlnv] = kernel_ip(self.vitis_result)
        return found

    def _set_property(self, options: dict[str, str], plain: list[str]) -> str:
        if "dict" in options:
            pairs = tcl_list(options["dict"])
            if len(plain) != 1 or len(pairs) % 2:
                raise Refusal("set_property -dict takes pairs and an object")
            for name, value in zip(pairs[::2], pairs[1::2], strict=True):
                self._set_one(name, value, plain[0])
        elif len(plain) == 3:
            self._set_one(*plain)
        else:
            raise Refusal("set_property takes a name, a value and an object")
        return ""

    def _set_one(self, name: str, value: str, target: str) -> None:
        kind, _, subject = target.partition(":")
        if kind == "cell":
            key = name.removeprefix("CONFIG.")
            known = self.block.cells[subject].properties
            if not name.startswith("CONFIG.") or key not in known:
                raise Refusal(f"{subject} has no property {name}")
            known[key] = value
        elif kind == "project" and name == "ip_repo_paths":
            self.repository = self.folder / value
            if self.repository not in self.packager.saved and not self.repository.is_dir():
                raise Refusal(f"no directory {value}")
        elif kind == "fileset" and name == "top":
            text = "".join((self.folder / f).read_text() for f in self.files)
            if f"module {value}" not in text:
                raise Refusal(f"no module {value} in the project's files")
            self.top = value
        elif kind == "file" and name == "synth_checkpoint_mode":
            if value not in ("None", "Singular", "Hierarchical"):
                raise Refusal(f"unknown synth_checkpoint_mode {value}")
        elif kind == "run" and name == "STEPS.SYNTH_DESIGN.ARGS.NO_SRLEXTRACT":
            if subject != "synth_1" or value not in ("true", "false"):
                raise Refusal(f"{name} of {subject} takes true or false, for synthesis")
        elif kind in ("core", "bus", "block", "register", "field"):
            self.packager.set_property(kind, subject, name, value)
        else:
            raise Refusal(f"{target!r} has no property {name}")

    def _get_property(self, options: dict[str, str], plain: list[str]) -> str:
        name, target = plain
        values = {
            "run": {"PROGRESS": self.progress, "STATUS": "route_design Complete!"},
            "path": {"SLACK": self.slack},
        }
        found = values.get(target.partition(":")[0], {}).get(name)
        if found is None:
            raise Refusal(f"{target!r} has no property {name}")
        return found

    # ---------------------------------------------------------------------------- block design

    def _create_bd_design(self, options: dict[str, str], plain: list[str]) -> str:
        self._need(self.project, "create_project")
        self.design, self.block = plain[0], Block()
        return ""

    def _create_bd_cell(self, options: dict[str, str], plain: list[str]) -> str:
        self._need(self.design, "create_bd_design")
        name, vlnv = plain[0], options.get("vlnv", "")
        catalogue = self._catalogue()
        ip = catalogue.get(vlnv.removesuffix(":*")) or catalogue.get(vlnv)
        if options.get("type") != "ip" or ip is None:
            raise Refusal(f"the catalogue has no IP {vlnv}")
        if name in self.block.cells:
            raise Refusal(f"there is a cell {name} already")
        self.block.cells[name] = Cell(vlnv, ip, dict(ip.properties))
        return f"cell:{name}"

    def _found(self, kind: str, there: bool, options: dict[str, str], name: str) -> str:
        if there:
            return f"{kind}:{name}"
        if "quiet" in options:
            return ""
        raise Refusal(f"there is no {kind} {name}")

    def _get_bd_intf_pins(self, options: dict[str, str], plain: list[str]) -> str:
        return self._found("interface", self.block.has_bus(plain[0]), options, plain[0])

    def _get_bd_pins(self, options: dict[str, str], plain: list[str]) -> str:
        return self._found("pin", self.block.has_pin(plain[0]), options, plain[0])

    def _get_bd_ports(self, options: dict[str, str], plain: list[str]) -> str:
        return self._found("port", plain[0] in self.block.ports, options, plain[0])

    def _get_bd_intf_ports(self, options: dict[str, str], plain: list[str]) -> str:
        return self._found("portbus", plain[0] in self.block.port_buses, options, plain[0])

    def _get_bd_addr_spaces(self, options: dict[str, str], plain: list[str]) -> str:
        return self._found("space", plain[0] in self.block.spaces(), options, plain[0])

    def _get_bd_addr_segs(self, options: dict[str, str], plain: list[str]) -> str:
        return self._found("segment", plain[0] in self.block.segments(), options, plain[0])

    def _connect_bd_intf_net(self, options: dict[str, str], plain: list[str]) -> str:
        block = self.block
        a = _strip(plain[0], "interface")
        if plain[1].startswith("portbus:"):
            port = _strip(plain[1], "portbus")
            if block.port_buses[port] != block.bus(a).kind:
                raise Refusal(f"{a} and port {port} are of different kinds")
            self._link(a, port)
            return ""
        b = _strip(plain[1], "interface")
        one, two = block.bus(a), block.bus(b)
        if one.kind != two.kind or one.master == two.master:
            raise Refusal(f"{a} and {b} must be a master and a slave of one kind")
        self._link(a, b)
        self._link(b, a)
        return ""

    def _link(self, a: str, b: str) -> None:
        if a in self.block.links:
            raise Refusal(f"{a} is connected already")
        self.block.links[a] = b

    def _connect_bd_net(self, options: dict[str, str], plain: list[str]) -> str:
        block = self.block
        source = _strip(plain[0], "pin")
        if not block.pin(source).output:
            raise Refusal(f"{source} must be an output")
        if plain[1].startswith("port:"):
            port = _strip(plain[1], "port")
            if block.ports[port] != block.pin(source).width:
                raise Refusal(f"{source} and port {port} have different widths")
            block.nets[port] = source
            return ""
        sink = _strip(plain[1], "pin")
        if block.pin(sink).output or sink in block.nets:
            raise Refusal(f"{sink} must be an input that is not connected yet")
        if block.pin(sink).role != block.pin(source).role:
            raise Refusal(f"{source} is a {block.pin(source).role}, {sink} wants another kind")
        block.nets[sink] = source
        return ""

    def _create_bd_intf_port(self, options: dict[str, str], plain: list[str]) -> str:
        kinds = {
            "xilinx.com:interface:ddrx_rtl:1.0": "ddrx",
            "xilinx.com:display_processing_system7:fixedio_rtl:1.0": "fixedio",
        }
        if options.get("mode") != "Master" or options.get("vlnv") not in kinds:
            raise Refusal(f"unknown interface {options.get('mode')} {options.get('vlnv')}")
        self.block.port_buses[plain[0]] = kinds[options["vlnv"]]
        return ""

    def _create_bd_port(self, options: dict[str, str], plain: list[str]) -> str:
        if options.get("dir") != "O":
            raise Refusal("dir must be O")
        self.block.ports[plain[0]] = int(options["from"]) - int(options["to"]) + 1
        return ""

    def _create_bd_addr_seg(self, options: dict[str, str], plain: list[str]) -> str:
        space, segment = _strip(plain[0], "space"), _strip(plain[1], "segment")
        offset, size = int(options["offset"], 16), int(options["range"], 16)
        if size & (size - 1) or offset % size or size > self.block.segments()[segment][1]:
            raise Refusal(f"{segment}: {size:#x} bytes at {offset:#x} do not fit")
        if (space, segment) in self.block.mapped:
            raise Refusal(f"{segment} is mapped in {space} already")
        self.block.mapped[space, segment] = (offset, size)
        return ""

    def _validate_bd_design(self, options: dict[str, str], plain: list[str]) -> str:
        self._need(self.block.cells, "cells")
        self.block.validate()
        return ""

    def _save_bd_design(self, options: dict[str, str], plain: list[str]) -> str:
        self._need(self.block.valid, "validate_bd_design")
        return ""

    # -------------------------------------------------------------------------- implementation

    def _generate_target(self, options: dict[str, str], plain: list[str]) -> str:
        self._need(self.block.valid, "validate_bd_design")
        if plain[0] != "all":
            raise Refusal(f"unknown target {plain[0]}")
        _strip(plain[1], "file")
        kind = f"project/project.{self.generated}/sources_1/bd/{self.design}/hw_handoff"
        (self.folder / kind).mkdir(parents=True, exist_ok=True)
        (self.folder / kind / f"{self.design}.hwh").write_text(self._handoff())
        self.targets = True
        return ""

    def _handoff(self) -> str:
        """A .hwh in which every cell is a module with its parameters."""
        modules = [
            f'<MODULE INSTANCE="{name}" MODTYPE="{cell.vlnv.split(":")[2]}">\n<PARAMETERS>\n'
            + "".join(f'<PARAMETER NAME="{k}" VALUE="{v}"/>\n' for k, v in cell.properties.items())
            + "</PARAMETERS>\n</MODULE>\n"
            for name, cell in self.block.cells.items()
        ]
        return f"<EDKSYSTEM>\n{''.join(modules)}</EDKSYSTEM>\n"

    def _make_wrapper(self, options: dict[str, str], plain: list[str]) -> str:
        self._need(self.targets, "generate_target")
        _strip(options.get("files", ""), "file")
        path = f"project/{self.design}_wrapper.v"
        (self.folder / path).write_text(f"module {self.design}_wrapper();\nendmodule\n")
        self.wrapped = True
        return path

    def _launch_runs(self, options: dict[str, str], plain: list[str]) -> str:
        self._need(self.top == f"{self.design}_wrapper", "the wrapper as top")
        if self.block.ports and "leds.xdc" not in self.files:
            raise Refusal("ports must have pins: no constraints file")
        if plain[0] == "impl_1" and "synth_1" not in self.runs:
            raise Refusal("synth_1 must come first")
        if plain[0] not in ("synth_1", "impl_1") or int(options.get("jobs", "1")) < 1:
            raise Refusal(f"no run {plain[0]}")
        self.runs.append(plain[0])
        return ""

    def _wait_on_run(self, options: dict[str, str], plain: list[str]) -> str:
        if plain[0] not in self.runs:
            raise Refusal(f"run {plain[0]} was not launched")
        return ""

    def _get_runs(self, options: dict[str, str], plain: list[str]) -> str:
        self._need(self.project, "create_project")
        if plain[0] not in ("synth_1", "impl_1"):
            raise Refusal(f"no run {plain[0]}")
        return f"run:{plain[0]}"

    def _open_run(self, options: dict[str, str], plain: list[str]) -> str:
        if plain[0] != "impl_1" or "impl_1" not in self.runs:
            raise Refusal("impl_1 must have run")
        self.opened = True
        return ""

    def _get_timing_paths(self, options: dict[str, str], plain: list[str]) -> str:
        self._need(self.opened, "open_run")
        if ("setup" in options) == ("hold" in options):
            raise Refusal("get_timing_paths takes -setup or -hold")
        return "path:worst" if self.slack else ""

    def _report_utilization(self, options: dict[str, str], plain: list[str]) -> str:
        self._need(self.opened, "open_run")
        kind = "Slice" if self.part.startswith("xc7") else "CLB"
        (self.folder / options["file"]).write_text(UTILIZATION.replace("{kind}", kind))
        return ""

    def _report_timing_summary(self, options: dict[str, str], plain: list[str]) -> str:
        self._need(self.opened, "open_run")
        (self.folder / options["file"]).write_text("timing\n")
        return ""

    def _write_bitstream(self, options: dict[str, str], plain: list[str]) -> str:
        self._need(self.opened, "open_run")
        (self.folder / plain[0]).write_bytes(b"bit")
        return ""
