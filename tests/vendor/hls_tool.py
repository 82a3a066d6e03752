# SPDX-License-Identifier: Apache-2.0
"""Vivado HLS and Vitis HLS as a strict recorder: every command, option, order and file is checked."""

from __future__ import annotations

import re
from pathlib import Path

from commands import parse, spec, tcl_list
from tclrun import Refusal

_BOTH = {
    "open_project": spec("-reset", 1),
    "set_top": spec("", 1),
    "add_files": spec("-tb -cflags= -csimflags=", 1),
    "set_part": spec("", 1),
    "create_clock": spec("-period= -name="),
    "set_clock_uncertainty": spec("", 1, 2),
    "csim_design": spec("-argv= -clean -O -setup -ldflags= -mflags= -compiler="),
    "csynth_design": spec(""),
    "cosim_design": spec("-rtl= -argv= -tool= -trace_level= -O -setup -ldflags="),
    "close_project": spec(""),
}
_EXPORT = "-rtl= -format= -vendor= -library= -version= -ipname= -display_name= -description= -flow="
TABLES = {
    "vivado": {
        **_BOTH,
        "open_solution": spec("-reset", 1),
        "export_design": spec(_EXPORT),
        "set_directive_resource": spec("-core= -latency= -metadata= -port_map= -memory_style=", 2),
    },
    "vitis": {
        **_BOTH,
        "open_solution": spec("-reset -flow_target=", 1),
        "export_design": spec(_EXPORT + " -output="),
        "set_directive_bind_op": spec("-op= -impl= -latency=", 2),
        "set_directive_bind_storage": spec("-type= -impl= -latency=", 2),
    },
}
CORES = {"Mul", "Mul_LUT", "DSP48", "MulnS", "FIFO_BRAM", "FIFO_LUTRAM", "FIFO_SRL", "RAM_2P_BRAM"}
IMPLEMENTATIONS = {"fifo": {"bram", "lutram", "srl", "uram", "memory"}, "mul": {"dsp", "fabric"}}
PARTS = {"xc7z020clg400-1", "xczu3eg-sfvc784-2-e", "xck26-sfvc784-2LV-c"}


class HlsTool:
    """One session.  `solution` is what has been set; `done` the designs in order."""

    def __init__(self, dialect: str, folder: Path) -> None:
        self.table = TABLES[dialect]
        self.folder = folder
        self.solution: dict[str, str] = {}
        self.sources: list[str] = []
        self.bench: list[str] = []
        self.done: list[str] = []
        self.bound: list[tuple[str, str]] = []

    def call(self, words: list[str]) -> str:
        name, options, plain = parse(self.table, words)
        getattr(self, f"_{name}", self._plain)(name, options, plain)
        return ""

    def _need(self, *names: str) -> None:
        for name in names:
            if name not in self.solution:
                raise Refusal(f"{name} must come first")

    def _plain(self, name: str, options: dict[str, str], plain: list[str]) -> None:
        if name == "open_solution":
            self._need("open_project")
            if options.get("flow_target", "vivado") != "vivado":
                raise Refusal("flow_target must be vivado for an IP")
        elif name in ("set_top", "add_files"):
            self._need("open_project")
        elif name == "set_part":
            self._need("open_solution")
            if plain[0] not in PARTS:
                raise Refusal(f"unknown part {plain[0]}")
        elif name == "create_clock":
            self._need("open_solution")
            if not 1 < float(options["period"]) < 100:
                raise Refusal(f"period {options['period']} is out of range")
        elif name == "close_project" and not self.done:
            raise Refusal("nothing was run")
        self.solution[name] = " ".join(plain)

    def _add_files(self, name: str, options: dict[str, str], plain: list[str]) -> None:
        self._plain(name, options, plain)
        for file in plain[0].split():
            if not (self.folder / file).is_file():
                raise Refusal(f"no file {file}")
            (self.bench if "tb" in options else self.sources).append(file)
        for flag in options.get("cflags", "").split():
            if flag.startswith("-I") and not (self.folder / flag[2:]).is_dir():
                raise Refusal(f"no directory {flag[2:]}")
            if not re.fullmatch(r"-I\S+|-D\w+(=\w+)?|-std=c\+\+11", flag):
                raise Refusal(f"unknown compiler flag {flag}")

    def _set_clock_uncertainty(self, name: str, options: dict[str, str], plain: list[str]) -> None:
        self._need("create_clock")
        if not 0 < float(plain[0]) < 10:
            raise Refusal(f"uncertainty {plain[0]} is out of range")
        self._plain(name, options, plain)

    def _bind(self, plain: list[str]) -> None:
        """The function must be in the sources, and the variable in them too."""
        self._need("open_solution")
        function, variable = plain
        files = [p for p in (self.folder / "src").rglob("*") if p.suffix in (".h", ".cpp")]
        text = "\n".join(p.read_text() for p in files)
        body = re.search(rf"\b{function}\((?:[^;{{}}]|\n)*\) \{{(.*?)^\}}", text, re.M | re.S)
        if body is None:
            raise Refusal(f"no function {function}")
        if not re.search(rf"\b{variable}\b", body[1]):
            raise Refusal(f"no variable {variable} in {function}")
        self.bound.append((function, variable))

    def _set_directive_resource(self, name: str, options: dict[str, str], plain: list[str]) -> None:
        if options.get("core") not in CORES:
            raise Refusal(f"unknown core {options.get('core')}")
        self._bind(plain)

    def _set_directive_bind_op(self, name: str, options: dict[str, str], plain: list[str]) -> None:
        if options["impl"] not in IMPLEMENTATIONS.get(options["op"], ()):
            raise Refusal(f"{options['op']} can not be bound to {options['impl']}")
        self._bind(plain)

    def _set_directive_bind_storage(self, name: str, options: dict[str, str], plain: list[str]) -> None:
        if options["impl"] not in IMPLEMENTATIONS.get(options["type"], ()):
            raise Refusal(f"{options['type']} can not be bound to {options['impl']}")
        self._bind(plain)

    def _design(self, name: str, argv: str | None = None) -> None:
        self._need("set_top", "open_solution", "set_part", "create_clock")
        if not self.sources:
            raise Refusal("no source files")
        # Files of the test bench lie in its working directory under their last name.
        played = {Path(f).name for f in self.bench}
        for file in tcl_list(argv or ""):
            if file not in played:
                raise Refusal(f"the test bench is not given {file}")
        if argv is not None and not any(f.endswith(".cpp") for f in self.bench):
            raise Refusal("no test bench")
        self.done.append(name)

    def _csim_design(self, name: str, options: dict[str, str], plain: list[str]) -> None:
        self._design(name, options.get("argv", ""))

    def _csynth_design(self, name: str, options: dict[str, str], plain: list[str]) -> None:
        self._design(name)

    def _cosim_design(self, name: str, options: dict[str, str], plain: list[str]) -> None:
        if "csynth_design" not in self.done:
            raise Refusal("csynth_design must come first")
        if options.get("rtl", "verilog") not in ("verilog", "vhdl"):
            raise Refusal(f"unknown language {options['rtl']}")
        self._design(name, options.get("argv", ""))

    def _export_design(self, name: str, options: dict[str, str], plain: list[str]) -> None:
        if "csynth_design" not in self.done:
            raise Refusal("csynth_design must come first")
        if options.get("format") != "ip_catalog":
            raise Refusal(f"unknown format {options.get('format')}")
        wanted = ("xilinx.com", "hls", self.solution["set_top"], "1.0")
        given = tuple(options.get(k, "") for k in ("vendor", "library", "ipname", "version"))
        if given != wanted:
            raise Refusal(f"the driver looks for {':'.join(wanted)}, not {':'.join(given)}")
        self._design(name)
