# SPDX-License-Identifier: Apache-2.0
"""LUT, FF, DSP48E1, block RAM and logic delay of a design of hlsc, module by module, from yosys.

Each process is synthesised alone, and what is around them (FIFOs, register slices, register file) with
the processes as black boxes: the ports between are registers or FIFOs, so little is lost, and a module
that has not changed comes from the cache.  Paths are followed across the borders.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from hlsc.measure.timing import Path, Timer, joined
from hlsc.measure.yosys import Netlist, modules_of, stub, synthesised

__all__ = ["FRAME", "Resources", "Usage", "measure", "usage"]

FRAME = "frame"
"""Name of what is around the processes."""

_LUTS_OF = {"RAM32M": 4, "RAM64M": 4, "RAM32X1D": 2, "RAM64X1D": 2, "RAM128X1D": 4, "RAM256X1S": 4}


@dataclass(frozen=True)
class Usage:
    """Cells of one module.  A LUT is a LUT1 to LUT6, an inverter, an SRL or its part of a RAM: two
    small ones in one LUT6, as vendor tools pack them, are counted twice."""

    lut: int
    ff: int
    dsp: int
    bram36: float

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.lut + other.lut, self.ff + other.ff, self.dsp + other.dsp, self.bram36 + other.bram36
        )


@dataclass(frozen=True)
class Resources:
    """By process, and FRAME: cells and the path with the longest logic delay that ends there.

    `sha256` is that of the SystemVerilog.
    """

    sha256: str
    usage: Mapping[str, Usage]
    logic: Mapping[str, Path]
    lines: Mapping[str, tuple[str, str]]  # C++ lines of start and end of that path

    @property
    def total(self) -> Usage:
        return sum(self.usage.values(), Usage(0, 0, 0, 0.0))

    @property
    def worst(self) -> Path:
        return max(self.logic.values(), key=lambda p: p.delay)

    def as_dict(self) -> dict[str, Any]:
        modules = {}
        for name, used in self.usage.items():
            modules[name] = asdict(used)
            if name in self.logic:
                path, (start, end) = self.logic[name], self.lines[name]
                modules[name] |= {
                    "logic_ns": path.delay,
                    "from": f"{path.start} ({start})" if start else path.start,
                    "to": f"{path.end} ({end})" if end else path.end,
                    "through": " ".join(path.cells),
                }
        return {"sha256": self.sha256, "modules": modules, "total": asdict(self.total)}


def usage(netlist: Netlist, but: frozenset[str] = frozenset()) -> Usage:
    """Cells of a netlist; instances of the modules `but` are left out."""
    counts: Counter[str] = Counter({k: n for k, n in netlist.counts().items() if k not in but})
    lut = sum(n for k, n in counts.items() if re.fullmatch(r"LUT\d|INV|SRL\w+", k))
    lut += sum(n * _LUTS_OF[k] for k, n in counts.items() if k in _LUTS_OF)
    ff = sum(n for k, n in counts.items() if re.fullmatch(r"FD[RSCP]E", k))
    known = r"LUT\d|INV|SRL\w+|FD[RSCP]E|CARRY4|MUXF[78]|DSP48E1|RAMB(18|36)E1"
    other = [k for k in counts if k not in _LUTS_OF and not re.fullmatch(known, k)]
    assert not other, f"cells without a count: {other}"
    return Usage(lut, ff, counts["DSP48E1"], counts["RAMB36E1"] + counts["RAMB18E1"] / 2)


def measure(text: str, top: str, processes: Mapping[str, str], jobs: int = 1) -> Resources:
    """Resources of a design; `processes`: module by process, as in the report of synthesis.

    `jobs` modules are synthesised at a time.
    """
    modules = modules_of(text)
    shared = {n: t for n, t in modules.items() if n not in processes.values() and n != top}
    texts = {m: _closed(m, modules[m], shared) for m in (*processes.values(), top)}
    texts[top] = "".join(stub(modules[m]) for m in sorted(processes.values())) + texts[top]
    with ThreadPoolExecutor(jobs) as pool:
        made = dict(zip(texts, pool.map(synthesised, texts.values(), texts), strict=True))
    frame = made.pop(top)
    parts: dict[str, Netlist] = made
    used = {p: usage(parts[m]) for p, m in processes.items()}
    used[FRAME] = usage(frame, frozenset(parts))

    instances = {c.name: c.kind for c in frame.cells if c.kind in parts}
    process_of = {m: p for p, m in processes.items()}
    found = Timer(joined(frame, parts)).longest()
    logic = {process_of[instances[i]] if i else FRAME: path for i, path in found.items()}
    places = {m: _lines_of(modules[m]) for m in processes.values()}

    def line(name: str) -> str:
        instance, _, rest = name.rpartition("/")
        where = places.get(instances.get(instance, ""), {})
        return where.get(rest.split(".")[0].split("[")[0], "")

    lines = {p: (line(path.start), line(path.end)) for p, path in logic.items()}
    return Resources(hashlib.sha256(text.encode()).hexdigest(), used, logic, lines)


def _closed(name: str, module: str, shared: Mapping[str, str]) -> str:
    """A module with those of `shared` that it instantiates, at any depth."""
    found = {name: module}
    work = [module]
    while work:
        words = set(re.findall(r"^\s+(\w+)\s+(?:#\(|\w+ \()", work.pop(), re.MULTILINE))
        for n in sorted(words & set(shared) - set(found)):
            found[n] = shared[n]
            work.append(shared[n])
    return "\n".join(found[n] for n in found)


def _lines_of(module: str) -> dict[str, str]:
    """C++ line of each register, wire and instance that the module declares."""
    found: dict[str, str] = {}
    declared = r"^\s*(?:reg|wire)\s+(?:\[[^]]*\]\s*)?(\w+)\b[^\n]*// @\[([^],]+)"
    loaded = r"^\s*(\w+) <=[^\n]*// @\[([^],]+)"
    placed = r"^\s*\) (\w+) \(\s*// @\[([^],]+)"
    for pattern in (declared, loaded, placed):
        for match in re.finditer(pattern, module, re.MULTILINE):
            found.setdefault(match[1], match[2])
            found.setdefault(f"_{match[1]}_rdata", match[2])
    return found
