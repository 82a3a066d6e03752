# SPDX-License-Identifier: Apache-2.0
"""Many small designs in one Verilator build, each run under random stalls on every stream.

`build(designs)` makes one program; `run` gives it a script of runs: which design, scalars, words per
stream and memory, probabilities of a pause.  The designs must have ap_ctrl_hs, as wires or in the
register file; memories outside are never cut.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hlsc import toolchain
from hlsc.backend import axilite
from hlsc.backend.top import axis_signals
from hlsc.ir import Channel, Design, Port

WAIVED = (
    "DECLFILENAME",
    "PINCONNECTEMPTY",
    "PROCASSINIT",  # the initial value of a static variable, from which it goes on
    "UNUSEDSIGNAL",
)


@dataclass(frozen=True)
class Run:
    """One start of one design; pauses in 0..99: percent of cycles without valid or ready."""

    design: str
    streams: Mapping[str, Sequence[int]]
    scalars: Mapping[str, int]
    pause_in: int = 0
    pause_out: int = 0
    seed: int = 1
    limit: int = 20_000
    arrays: Mapping[str, Sequence[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """Words per output stream, last value per scalar output, words of the inputs left over, words of
    the memories; `fault`: the rule that the design broke."""

    streams: dict[str, list[int]]
    scalars: dict[str, int]
    left: dict[str, int]
    cycles: int
    done: bool
    arrays: dict[str, list[int]] = field(default_factory=dict)
    fault: str = ""


_DRIVER = Path(__file__).with_name("ir_rtl.h")
_BUS = {
    "aw": ("AWVALID", "AWREADY"),
    "w": ("WVALID", "WREADY"),
    "b": ("BREADY", "BVALID"),
    "ar": ("ARVALID", "ARREADY"),
    "r": ("RREADY", "RVALID"),
}
"""What the driver sets of a channel, and what it looks at."""


class _Instance:
    """One design in the wrapper: the wrapper's prefixed ports, and the C++ that knows them."""

    def __init__(self, design: Design, text: str) -> None:
        self.design = d = design
        self.ports: list[str] = []
        self.pins = [".ap_clk(ap_clk)", ".ap_rst_n(ap_rst_n)"]
        self.cpp = [f'{{ Dut& d = duts["{d.top}"];']
        if not d.control_bundle:
            self.set("start", "input", "ap_start")
            for n in ("done", "ready", "idle"):
                self.set(n, "output", f"ap_{n}")
        for c in d.channels:
            if c.producer is None or c.consumer is None:
                self.stream(c)
        head = re.search(rf"^module {d.top}\(.*?\);", text, re.MULTILINE | re.DOTALL)
        assert head, f"no module {d.top}"
        for p in d.ports:
            if p.kind == "ap_memory":
                self.memory(p, head.group())
            elif p.kind == "s_axilite":
                at = f'"{p.name}", {{}}, {{}}, {p.offset}, {-(-p.width // 32)}'
                self.add("args" if p.direction == "in" else "results", at)
            elif p.kind != "axis":
                self.scalar(p)
        bundle = d.control_bundle or next((p.bundle for p in d.ports if p.kind == "s_axilite"), "")
        if bundle:
            self.bus(f"s_axi_{bundle}", bool(d.control_bundle))
        self.cpp.append("}")

    def pin(self, way: str, name: str, width: int = 1, low: int = 0, bits: int = 0) -> str:
        """The C++ of a port, which the wrapper gets."""
        unique = f"{self.design.top}_{name}"
        self.ports.append(f"{way} [{width - 1}:0] {unique}")
        self.pins.append(f".{name}({unique})")
        return f"{{&m.{unique}, sizeof m.{unique}, {low}, {bits or width}}}"

    def set(self, member: str, way: str, name: str, width: int = 1) -> None:
        self.cpp.append(f"d.{member} = {self.pin(way, name, width)};")

    def add(self, group: str, fields: str) -> None:
        self.cpp.append(f"d.{group}.push_back({{{fields}}});")

    def stream(self, c: Channel) -> None:
        into = c.producer is None
        way, back = ("input", "output") if into else ("output", "input")
        pair = f"{self.pin(way, f'{c.name}_TVALID')}, {self.pin(back, f'{c.name}_TREADY')}"
        data = ", ".join(
            self.pin(way, f"{c.name}_{suffix}", width, low, bits)
            for suffix, width, low, bits in axis_signals(c)
        )
        self.add("ins" if into else "outs", f'"{c.name}", {pair}, {{{data}}}')

    def scalar(self, p: Port) -> None:
        if p.direction == "in":
            self.add("args", f'"{p.name}", {self.pin("input", p.name, p.width)}')
            return
        data = self.pin("output", p.name, p.width)
        vld = self.pin("output", f"{p.name}_ap_vld") if p.kind == "ap_vld" else "{}"
        self.add("results", f'"{p.name}", {data}, {vld}')

    def memory(self, p: Port, head: str) -> None:
        """The pins that the module has, which depend on the accesses."""
        self.add("memories", f'"{p.name}"')
        widths = {"address": max(1, (p.depth - 1).bit_length()), "d": p.width, "q": p.width}
        for pin, side in re.findall(rf"\b{p.name}_(address|ce|we|d|q)([01])\b", head):
            way = "input" if pin == "q" else "output"
            member = f"memories.back().sides[{side}].{pin}"
            self.set(member, way, f"{p.name}_{pin}{side}", widths.get(pin, 1))

    def bus(self, name: str, control: bool) -> None:
        for channel, (driven, seen) in _BUS.items():
            pair = (driven, seen) if driven.endswith("VALID") else (seen, driven)
            for member, pin in zip(("valid", "ready"), pair, strict=True):
                way = "input" if pin == driven else "output"
                self.set(f"bus.{channel}.{member}", way, f"{name}_{pin}")
        width = axilite.address_width(self.design)
        for pin, bits in (("AWADDR", width), ("WDATA", 32), ("WSTRB", 4), ("ARADDR", width)):
            self.set(f"bus.{pin.lower()}", "input", f"{name}_{pin}", bits)
        for pin, bits in (("BRESP", 2), ("RDATA", 32), ("RRESP", 2)):
            self.set(f"bus.{pin.lower()}", "output", f"{name}_{pin}", bits)
        if control:
            self.cpp.append("d.bus.control = true;")
            self.set("bus.interrupt", "output", "interrupt")


def _wrapper(designs: Sequence[Design], texts: Sequence[str]) -> tuple[str, str]:
    """A top over all designs with prefixed ports, and the C++ that knows them."""
    parts = [_Instance(d, text) for d, text in zip(designs, texts, strict=True)]
    ports = ["input ap_clk", "input ap_rst_n", *(p for x in parts for p in x.ports)]
    body = [f"  {x.design.top} u_{x.design.top} ({', '.join(x.pins)});" for x in parts]
    sv = f"module batch(\n  {', '.join(ports)}\n);\n" + "\n".join(body) + "\nendmodule\n"
    cpp = ['#include "Vbatch.h"', '#include "ir_rtl.h"', "int main() {", "  Vbatch m;",
           "  std::map<std::string, Dut> duts;"]  # fmt: skip
    cpp += [f"  {line}" for x in parts for line in x.cpp]
    return sv, "\n".join([*cpp, "  return drive(m, duts);", "}", ""])


def build(designs: Sequence[Design], texts: Sequence[str]) -> Path:
    """The program over these designs, from their SystemVerilog; cached by content."""
    sv, cpp = _wrapper(designs, texts)
    seen: dict[str, str] = {}
    for text in texts:
        for module in text.split("\nendmodule"):
            name = next((x.split()[1].split("(")[0] for x in module.splitlines()
                         if x.startswith("module ")), None)  # fmt: skip
            if name:
                assert seen.setdefault(name, module) == module, f"two modules {name}"
    source = "".join(f"{m}\nendmodule\n" for m in seen.values()) + sv
    verilator, gxx = toolchain.verilator(), toolchain.gxx()

    def make(folder: Path) -> None:
        (folder / "batch.sv").write_text(source)
        (folder / "main.cpp").write_text(cpp)
        (folder / _DRIVER.name).write_bytes(_DRIVER.read_bytes())
        args = ["--cc", "-O3", "--x-initial", "unique", "--x-assign", "unique", "-Wall"]
        args += [f"-Wno-{w}" for w in (*WAIVED, "MULTITOP")]
        args += ["--top-module", "batch", "--Mdir", "obj", "batch.sv"]
        verilator.run(args, what="Verilating the batch", cwd=folder)
        # One file: headers take most of the time.
        model = folder / "obj"
        units = [*sorted(model.glob("*.cpp")), folder / "main.cpp"]
        (folder / "all.cc").write_text("".join(f'#include "{u.name}"\n' for u in units))
        args = [*_flags(), "-I.", "-Iobj", "all.cc", *map(str, sorted(_runtime().glob("*.o")))]
        gxx.run([*args, "-latomic", "-o", "batch"], what="compiling the batch", cwd=folder)
        shutil.rmtree(model)

    key = ("ir batch", source, cpp, _DRIVER, verilator.version, gxx.version)
    return toolchain.cached("ir_batch", key, make) / "batch"


def _flags() -> list[str]:
    include = Path(toolchain.verilator().env["VERILATOR_ROOT"]) / "include"
    defines = [f"-DVM_{x}=0" for x in "COVERAGE SC TIMING TRACE TRACE_FST TRACE_VCD TRACE_SAIF".split()]
    return ["-O0", "-pthread", f"-I{include}", f"-I{include / 'vltstd'}", *defines]


def _runtime() -> Path:
    """The directory of Verilator's runtime library, compiled."""
    verilator, gxx = toolchain.verilator(), toolchain.gxx()
    include = Path(verilator.env["VERILATOR_ROOT"]) / "include"

    def make(folder: Path) -> None:
        for name in ("verilated", "verilated_threads"):
            args = [*_flags(), "-c", str(include / f"{name}.cpp"), "-o", f"{name}.o"]
            gxx.run(args, what=f"compiling {name}", cwd=folder)

    return toolchain.cached("ir_batch-runtime", (verilator.version, gxx.version), make)


def run(program: Path, runs: Sequence[Run], seed: int = 1) -> list[Outcome]:
    """Outcomes in order; ends at the first run that does not end (its `done` is False)."""
    lines = []
    for r in runs:
        lines.append(f"{r.design} {r.pause_in} {r.pause_out} {r.seed | 1} {r.limit} {len(r.scalars)}")
        lines += [f"{n} {v:x}" for n, v in r.scalars.items()]
        for given in (r.streams, r.arrays):
            lines.append(str(len(given)))
            for n, words in given.items():
                lines.append(" ".join([n, str(len(words)), *(f"{w:x}" for w in words)]))
    done = subprocess.run(
        [program, f"+verilator+seed+{seed % 2**31 or 1}", "+verilator+rand+reset+2"],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]
    outcomes: list[Outcome] = []
    for line in done.stdout.splitlines():
        words = line.split()
        if words[0] == "run":
            outcomes.append(Outcome({}, {}, {}, int(words[3]), words[2] == "1"))
        elif words[0] == "left":
            outcomes[-1].left[words[1]] = int(words[2])
        elif words[0] == "scalar":
            outcomes[-1].scalars[words[1]] = int(words[2], 16)
        elif words[0] == "fault":
            outcomes[-1] = replace(outcomes[-1], fault=line.removeprefix("fault "))
        else:
            group = outcomes[-1].streams if words[0] == "stream" else outcomes[-1].arrays
            group[words[1]] = [int(w, 16) for w in words[2:]]
    return outcomes
