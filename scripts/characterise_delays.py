# SPDX-License-Identifier: Apache-2.0
"""Measure the delay table of hlsc's scheduler: operators through yosys, delays of its cell library.

    python scripts/characterise_delays.py

Synthesises every operator at several widths as one design for xc7 and times each from its inputs to
its output.  Cell delays are those of yosys' library; a net between slices is taken to cost NET ns,
which no tool has measured.  Writes compiler/hlsc/schedule/xc7_delays.json: the points as measured, the
table that `hlsc.schedule.delays` reads, and the version of yosys.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from hlsc.backend.emit import templates
from hlsc.measure.library import arcs_of
from hlsc.measure.timing import Timer
from hlsc.measure.yosys import Netlist, synthesised, version

OUT = Path(__file__).parents[1] / "compiler" / "hlsc" / "schedule" / "xc7_delays.json"
NET = 0.3
"""ns for a net between slices, an assumption.

yosys' LUT delays differ by pin, 0.13 to 0.64 ns, and hold the last piece of the route; with this they
come to about 0.7 ns for one level of logic, as is usual for the family at this grade.
"""

WIDTHS = (2, 4, 8, 16, 24, 32, 48)
LENGTHS = (4, 8, 12, 16)  # of chains of gates and selections
DEPTHS = (32, 64, 128, 256, 512)
OPERATORS = {
    "add": "assign {y} = {a} + {b};",
    "compare": "assign {y} = $signed({a}) < $signed({b});",
    "compare_constant": "assign {y} = $signed({a}) < $signed({size}'d{some});",
    "equal": "assign {y} = {a} == {b};",
    "equal_constant": "assign {y} = {a} == {size}'d{some};",
    "shift": "assign {y} = {a} >> {b};",
}


def point(kind: str, size: int) -> tuple[str, list[str], list[str]]:
    """Name, port declarations and statements of one operator."""
    y, a, b = (f"{kind}_{size}{suffix}" for suffix in ("", "_a", "_b"))
    if kind in OPERATORS:
        text = OPERATORS[kind].format(y=y, a=a, b=b, size=size, some=(1 << size) // 3)
        out = size if kind in {"add", "shift"} else 1
        if kind.endswith("constant"):
            return y, [f"input [{size - 1}:0] {a}", f"output {y}"], [text]
        amount = (size - 1).bit_length() if kind == "shift" else size
        ports = [
            f"input [{size - 1}:0] {a}",
            f"input [{amount - 1}:0] {b}",
            f"output [{out - 1}:0] {y}",
        ]
        return y, ports, [text]
    ports = [f"input [{size}:0] {a}", f"output {y}"]
    if kind == "gate":  # alternating, so that no tree does the same
        text = f"{a}[0]"
        for k in range(size):
            text = f"({text} {'&^|'[k % 3]} {a}[{k + 1}])"
    else:
        ports.append(f"input [{size}:0] {b}")
        text = f"{a}[0]"
        for k in range(size):
            text = f"({b}[{k}] ? {a}[{k + 1}] : {text})"
    return y, ports, [f"assign {y} = {text};"]


def lutram(depth: int) -> tuple[str, list[str], list[str]]:
    name, bits = f"lutram_{depth}", (depth - 1).bit_length()
    ports = [
        f"input [{bits - 1}:0] {name}_r, {name}_w",
        f"input [7:0] {name}_d",
        f"output [7:0] {name}",
    ]
    instance = (
        f"hlsc_lutram_1r1w #(.WIDTH(8), .DEPTH({depth}), .AW({bits})) u_{name} "
        f"(.clk(clk), .raddr({name}_r), .rdata({name}), .we(1'b1), .waddr({name}_w), .wdata({name}_d));"
    )
    return name, ports, [instance]


def design() -> str:
    """All points as one module; operators share no input, so they share no logic."""
    points = [point(k, w) for k in OPERATORS for w in WIDTHS]
    points += [point(k, n) for k in ("gate", "select") for n in LENGTHS]
    points += [lutram(d) for d in DEPTHS]
    ports = ["input clk", *(p for _, row, _ in points for p in row)]
    # One register, multiply-accumulate, multiplier and block RAM, for the shapes of their cells.
    ports += ["input ff_d, ff_e", "output reg ff"]
    ports += ["input signed [17:0] mac_a, mac_b", "input mac_clear", "output reg signed [47:0] mac"]
    ports += ["input signed [17:0] mul_a, mul_b", "output reg signed [35:0] mul"]
    ports += ["input [9:0] ram_r, ram_w", "input [17:0] ram_d", "input ram_e", "output [17:0] ram"]
    body = [s for _, _, row in points for s in row]
    body += [
        "always @(posedge clk) if (ff_e) ff <= ff_d;",
        "reg signed [35:0] mac_m;",
        "always @(posedge clk) mac_m <= mac_a * mac_b;",
        "always @(posedge clk) mac <= (mac_clear ? 48'd0 : mac) + 48'(mac_m);",
        "always @(posedge clk) mul <= mul_a * mul_b;",
        "hlsc_ram_1r1w #(.WIDTH(18), .DEPTH(1024), .AW(10)) u_ram (.clk(clk), .re(ram_e),"
        " .raddr(ram_r), .rdata(ram), .we(ram_e), .waddr(ram_w), .wdata(ram_d));",
    ]
    head = ",\n  ".join(ports)
    text = "\n".join(f"  {x}" for x in body)
    return f"module points (\n  {head}\n);\n{text}\nendmodule\n"


def curve(points: dict[str, float], kind: str) -> list[tuple[int, float]]:
    """(size, delay) of one operator; a larger one is never taken to be faster."""
    found: list[tuple[int, float]] = []
    for name, delay in points.items():
        if match := re.fullmatch(rf"{kind}_(\d+)", name):
            found.append((int(match[1]), delay))
    found.sort()
    return [(n, max(d for m, d in found if m <= n)) for n, _ in found]


def link(points: dict[str, float], kind: str) -> float:
    """Delay per link of the shortest chain: synthesis flattens longer ones, so they say too little."""
    size, delay = curve(points, kind)[0]
    return delay / size


def registered(netlist: Netlist) -> dict[str, float]:
    """Set-up and clock-to-output of flip-flop, DSP and block RAM, in ns."""
    shapes = arcs_of(netlist.cells)

    def launch(kind: str, *ports: str) -> list[int]:
        rows = [a.launch for s, a in shapes.items() if s.split(" ")[0] == kind]
        return sorted({t for row in rows for (port, _), t in row.items() if port in ports})

    def setup(kind: str, *ports: str) -> int:
        rows = [a.setup for s, a in shapes.items() if s.split(" ")[0] == kind]
        return max(t for row in rows for (port, _), t in row.items() if port in ports)

    summed, product = launch("DSP48E1", "P")  # out of P, and out of M through the adder
    found = {
        "register": launch("FDRE", "Q")[0] + setup("FDRE", "CE", "D"),
        "dsp_in": setup("DSP48E1", "A", "B"),
        "dsp_out": product,
        "dsp_sum": product - summed,
        "ram_in": max(setup("RAMB18E1", "ADDRARDADDR", "ADDRBWRADDR", "DIADI", "DIBDI", "WEBWE"), 0),
        "ram_out": max(launch("RAMB18E1", "DOADO", "DOBDO")),
    }
    return {k: v / 1000 for k, v in found.items()}


def characterise() -> dict[str, object]:
    text = design() + templates(["hlsc_lutram_1r1w", "hlsc_ram_1r1w"])
    netlist = synthesised(text, "points")
    timed = Timer(netlist).outputs(NET)
    points = {n: round(t, 3) for n, t in timed.items() if n not in {"ff", "mac", "mul", "ram"}}
    table: dict[str, object] = {k: curve(points, k) for k in (*OPERATORS, "lutram")}
    table |= {k: round(link(points, k), 3) for k in ("gate", "select")}
    cells = registered(netlist)
    for name in ("dsp_in", "ram_in"):
        cells[name] += NET
    table |= {k: round(v, 3) for k, v in cells.items()}
    table |= {
        "stream_in": NET,  # a FIFO's outputs are flip-flops
        "stream_out": points["gate_4"],  # one LUT before its flip-flops
        "control": points["gate_4"],
    }
    return {
        "about": "written by scripts/characterise_delays.py; times in ns",
        "name": "xc7-1",
        "tool": version(),
        "net": NET,
        "points": points,
        "table": dict(sorted(table.items())),
    }


if __name__ == "__main__":
    OUT.write_text(json.dumps(characterise(), indent=1) + "\n")
    print(f"wrote {OUT.relative_to(Path.cwd()) if OUT.is_relative_to(Path.cwd()) else OUT}")
