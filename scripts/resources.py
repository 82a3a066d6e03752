# SPDX-License-Identifier: Apache-2.0
"""`make resources`: what every kernel takes of the xc7z020 at z2, by yosys, beside hlsc's estimate.

    python scripts/resources.py [KERNEL ...] [--write] [--strict] [--jobs N]

Prints a table per kernel against the part and the project's limits, with what vendor tools said where
they have run, and what differs from the baseline, tests/rtl_sim/resources.json, which --write renews.
Nothing is placed or routed: delays are those of cells alone.  Synthesis is cached by the content of
each module; all of it anew takes yosys about ten minutes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

from vendor_places import project_folder
from vivado.figures import figures_table, vendor_figures

from convloom.errors import ConvloomError
from convloom.kernels import kernel_names, load_kernel
from hlsc.errors import HlscError
from hlsc.flow import synthesized
from hlsc.measure.resources import FRAME, measure
from hlsc.measure.yosys import version

ROOT = Path(__file__).resolve().parents[1]
BASELINE = ROOT / "tests" / "rtl_sim" / "resources.json"
CONFIG, BOARD = "z2", "pynq-z2"
PART = {"lut": 53_200, "ff": 106_400, "dsp": 220, "bram36": 140}
LIMITS = {"lut": 45_000, "ff": 80_000, "dsp": 220, "bram36": 140, "logic_ns": 4.0, "sv_lines": 20_000}
"""What a kernel may take: beside it the DMAs, interconnect and resets of the overlay must fit."""
KINDS = tuple(PART)
HEADS = {"lut": "LUT", "ff": "FF", "dsp": "DSP48E1", "bram36": "RAMB36"}
# hlsc's estimate of a module may move by this share and this much before the baseline says too little.
DRIFT = {"lut": (0.1, 100), "ff": (0.1, 100), "dsp": (0, 0), "bram36": (0, 0)}

log = logging.getLogger("resources")

Found = dict[str, Any]


def synthesised_kernel(name: str) -> tuple[Found, str]:
    """hlsc's report of one kernel, and its SystemVerilog."""
    spec = load_kernel(name)
    defines = spec.defines(CONFIG)
    folder = synthesized(spec.sources, spec.top, include_dirs=spec.include_dirs, defines=defines)
    report: Found = json.loads((folder / "report.json").read_text())
    return report, (folder / f"{spec.top}.sv").read_text()


def estimated(report: Found, text: str) -> Found:
    """hlsc's estimate of a kernel by module, without synthesis."""
    modules = {
        p["name"]: {"module": p["module"], "estimate": p["estimate"]} for p in report["processes"]
    }
    modules[FRAME] = {"module": report["top"], "estimate": report["frame"]}
    return {
        "sha256": hashlib.sha256(text.encode()).hexdigest(),
        "clock_ns": report["clock_ns"],
        "sv_lines": text.count("\n"),
        "modules": modules,
        "estimate": {k: sum(m["estimate"][k] for m in modules.values()) for k in KINDS},
    }


def measured(name: str, jobs: int = 1) -> Found:
    """The estimate, what yosys made of the RTL, and the longest path of each module."""
    report, text = synthesised_kernel(name)
    found = estimated(report, text)
    modules = found["modules"]
    log.info("%s: synthesising %d modules", name, len(modules))
    processes = {p: m["module"] for p, m in modules.items() if p != FRAME}
    made = measure(text, modules[FRAME]["module"], processes, jobs).as_dict()
    for module, row in made["modules"].items():
        modules[module] |= row
    logic = max(m["logic_ns"] for m in modules.values() if "logic_ns" in m)
    return {**found, "total": {**made["total"], "logic_ns": logic}}


def exceeded(found: Found) -> list[str]:
    """The limits that a kernel breaks, one line each."""
    values = {**found["total"], "sv_lines": found["sv_lines"]}
    return [f"{k} must be at most {v:g}, not {values[k]:g}" for k, v in LIMITS.items() if values[k] > v]


def stale(baseline: Found, now: Found) -> list[str]:
    """Why a baseline no longer speaks of the RTL that hlsc makes now; [] if it does."""
    if baseline["sha256"] == now["sha256"]:
        return []
    before, after = baseline["modules"], now["modules"]
    if before.keys() != after.keys():
        return [f"modules were {', '.join(before)}; they are {', '.join(after)}"]
    reasons = []
    for name, module in after.items():
        for kind, (share, some) in DRIFT.items():
            was, is_ = before[name]["estimate"][kind], module["estimate"][kind]
            if abs(is_ - was) > max(share * was, some):
                reasons.append(f"hlsc's estimate of {name}: {kind} was {was:g}, is {is_:g}")
    return reasons


def shown(name: str, found: Found) -> str:
    """A table: per module what yosys took, in brackets the estimate, and the worst logic delay."""
    lines = [f"{name} at {CONFIG}, scheduled for {found['clock_ns']:g} ns, {found['sv_lines']} lines"]
    head = "".join(f"{HEADS[k]:>16}" for k in KINDS)
    lines.append(f"  {'module (estimate)':<22}{head}  logic ns  from -> to")
    total = {**found["total"], "estimate": found["estimate"]}
    for module, row in (*found["modules"].items(), ("total", total)):
        guess = row["estimate"]
        cells = "".join(f"{row[k]:g} ({guess[k]:g})".rjust(16) for k in KINDS)
        path = f"  {row['logic_ns']:8.2f}" if "logic_ns" in row else ""
        path += f"  {row['from']} -> {row['to']}" if "from" in row else ""
        lines.append(f"  {module:<22}{cells}{path}")
    share = "".join(f"{100 * found['total'][k] / PART[k]:.0f} %".rjust(16) for k in KINDS)
    error = "".join(f"{_error(found, k):>16}" for k in KINDS)
    limit = "".join(f"{LIMITS[k]:>16}" for k in KINDS) + f"  {LIMITS['logic_ns']:8.2f}"
    lines += [f"  {'of the part':<22}{share}", f"  {'limit':<22}{limit}"]
    lines.append(f"  {'error of estimate':<22}{error}")
    for module, row in found["modules"].items():
        if row.get("logic_ns", 0) > LIMITS["logic_ns"]:
            lines.append(f"  {module}: {row['logic_ns']:.2f} ns through {_counted(row['through'])}")
    lines += [f"  EXCEEDED: {x}" for x in exceeded(found)] or ["  within all limits"]
    return "\n".join(lines)


def _error(found: Found, kind: str) -> str:
    is_, said = found["total"][kind], found["estimate"][kind]
    return f"{100 * (said - is_) / is_:+.0f} %" if is_ else "-"


def _counted(cells: str) -> str:
    """Cells of a path, runs of one kind as `3 × CARRY4`."""
    runs = [(kind, len(list(run))) for kind, run in groupby(cells.split())]
    return ", ".join(kind if n == 1 else f"{n} × {kind}" for kind, n in runs)


def changes(old: Found, new: Found) -> list[str]:
    """What differs from the baseline, one line each."""
    was, is_ = old["total"], new["total"]
    return [f"{k} {was[k]:g} -> {is_[k]:g}" for k in was if was[k] != is_[k]]


def read_baseline() -> dict[str, Found]:
    """By kernel; {} before the first --write."""
    if not BASELINE.is_file():
        return {}
    kernels: dict[str, Found] = json.loads(BASELINE.read_text())["kernels"]
    return kernels


def write_baseline(name: str, found: Found) -> None:
    """Renew one kernel; those of other runs stay."""
    kernels = {**read_baseline(), name: found}
    content = {
        "about": "written by scripts/resources.py --write: cells by yosys, nothing is placed",
        "tool": version(),
        "part": "xc7z020",
        "kernels": dict(sorted(kernels.items())),
    }
    BASELINE.write_text(json.dumps(content, indent=1) + "\n")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=f"resources of the kernels at {CONFIG}, by yosys")
    parser.add_argument("kernel", nargs="*", help="default: all")
    parser.add_argument("--write", action="store_true", help="renew the baseline")
    parser.add_argument("--strict", action="store_true", help="fail where a limit is exceeded")
    parser.add_argument("--jobs", type=int, default=1, help="modules synthesised at a time")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    baseline, failed = read_baseline(), False
    try:
        for name in args.kernel or kernel_names():
            if name not in kernel_names():
                raise HlscError(f"kernel must be one of {', '.join(kernel_names())}, not {name}")
            found = measured(name, max(1, args.jobs))
            print(shown(name, found), flush=True)
            print(figures_table(vendor_figures(project_folder(name, CONFIG, BOARD))), end="")
            for line in changes(baseline[name], found) if name in baseline else ():
                print(f"  against the baseline: {line}")
            failed = failed or bool(exceeded(found))
            if args.write:
                write_baseline(name, found)
    except (HlscError, ConvloomError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 1 if failed and args.strict else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
