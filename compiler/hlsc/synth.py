# SPDX-License-Identifier: Apache-2.0
"""The compiler as one function: C++ sources → SystemVerilog and report.

`synthesize` runs every stage; `back_end` starts from a `Design`, for tests and for designs made
otherwise.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hlsc import report as reports
from hlsc.backend.lower import Rtl, lower
from hlsc.errors import HlscError
from hlsc.ir import Design, Loc
from hlsc.schedule.delays import TABLES, Timing
from hlsc.schedule.feedback import after_writes
from hlsc.schedule.prepare import prepare
from hlsc.schedule.problem import Problem, build
from hlsc.schedule.sdc import Schedule, schedule
from hlsc.schedule.units import Unit, units_of
from hlsc.schedule.verify import verify

__all__ = ["STAGES", "SynthResult", "back_end", "synthesize", "timing_for"]

DEFAULT_PART = "xc7z020clg400-1"

STAGES = (
    "pragmas",
    "llvm-raw",
    "llvm",
    "rotated",
    "regions",
    "simplified",
    "hoisted",
    "cdfg",
    "prepared",
    "schedule",
    "mlir",
    "sv",
)
"""What can be dumped, in order: front end, middle end, back end.  `cdfg` is the middle end's result."""

Dump = Callable[[str, str], None]


@dataclass(frozen=True)
class SynthResult:
    """What synthesis gave.  `design` is what the middle end made, `prepared` what was scheduled.

    `sv_path` and `report_path` are None if no output directory was given; `text` is the SystemVerilog.
    """

    design: Design
    prepared: Design
    text: str
    report: dict[str, Any]
    schedules: Mapping[tuple[str, str], Schedule] = field(repr=False)
    sv_path: Path | None = None
    report_path: Path | None = None
    dumps: tuple[Path, ...] = ()


def timing_for(clock_ns: float, part: str = DEFAULT_PART) -> Timing:
    """The delay table of a part against a clock period; HlscError if either is out of range."""
    if not 1.0 <= clock_ns <= 1000.0:
        raise HlscError(f"clock period must be 1 to 1000 ns, not {clock_ns:g}")
    for prefix, delays in TABLES.items():
        if part.lower().startswith(prefix):
            return Timing(clock_ns, delays)
    known = ", ".join(f"{p}…" for p in TABLES)
    raise HlscError(f"part must be one with a delay table ({known}), not {part}")


def back_end(
    design: Design,
    *,
    timing: Timing,
    scheduler: Callable[[Problem], Schedule] = schedule,
    dump: Dump | None = None,
) -> tuple[Design, dict[tuple[str, str], Schedule], Rtl]:
    """Prepare, schedule, verify and lower a design."""
    show = dump or (lambda stage, text: None)
    show("cdfg", str(design))
    prepared = prepare(design)
    show("prepared", str(prepared))
    schedules: dict[tuple[str, str], Schedule] = {}
    units: dict[str, dict[str, Unit]] = {}
    loops = after_writes(prepared)
    for p in prepared.processes:
        units[p.name] = units_of(p, timing)
        costs = {pool: unit.cost for pool, unit in units[p.name].items()}
        for r in p.regions:
            found = scheduler(build(p, r, timing, loops.get(p.name, frozenset()), costs))
            schedules[(p.name, r.name)] = verify(p, found, timing)
    show("schedule", "".join(f"{p}.{s}\n" for (p, _), s in schedules.items()))
    rtl = lower(prepared, schedules, units)
    show("mlir", rtl.mlir)
    show("sv", rtl.text)
    return prepared, schedules, rtl


def _shortened(design: Design, places: Sequence[Path]) -> Design:
    """Absolute file names relative to the directory that the sources and include paths share.

    Comments and report then do not tell where the sources lay on this machine.
    """
    given = [Path(p) for p in places]
    roots = [str(p.parent if p.is_file() else p) for p in given if p.is_absolute()]
    if not roots:
        return design
    base = os.path.commonpath(roots)
    known: dict[str, str] = {}

    def loc(x: Loc | None) -> Loc | None:
        if x is None or not os.path.isabs(x.file):
            return x
        if x.file not in known:
            inside = Path(x.file).is_relative_to(base)
            known[x.file] = os.path.relpath(x.file, base) if inside else Path(x.file).name
        return replace(x, file=known[x.file])

    processes = []
    for p in design.processes:
        regions = []
        for r in p.regions:
            nodes = tuple(replace(n, loc=loc(n.loc)) for n in r.nodes)
            regions.append(replace(r, nodes=nodes, loc=loc(r.loc)))
        memories = tuple(replace(m, loc=loc(m.loc)) for m in p.memories)
        limits = tuple(replace(a, loc=loc(a.loc)) for a in p.allocations)
        there = replace(p, memories=memories, allocations=limits, loc=loc(p.loc))
        processes.append(replace(there, regions=tuple(regions)))
    channels = tuple(replace(c, loc=loc(c.loc)) for c in design.channels)
    ports = tuple(replace(x, loc=loc(x.loc)) for x in design.ports)
    return Design(
        design.top,
        ports,
        tuple(processes),
        channels,
        design.control,
        design.control_bundle,
        loc(design.loc),
        tuple(replace(b, loc=loc(b.loc)) for b in design.buffers),
    )


def _write(folder: Path, files: Mapping[str, str]) -> list[Path]:
    """Write all files or none: each under another name first."""
    paths = [folder / name for name in files]
    parts = [folder / f".{name}.part" for name in files]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, part, text in zip(paths, parts, files.values(), strict=True):
            if path.is_dir():
                raise HlscError(f"{path} must be a file to be written, not a directory")
            part.write_text(text)
        for path, part in zip(paths, parts, strict=True):
            part.replace(path)
    except OSError as error:
        raise HlscError(f"output directory {folder} must be writable: {error.strerror}") from None
    finally:
        with suppress(OSError):
            for part in parts:
                part.unlink(missing_ok=True)
    return paths


def synthesize(
    sources: Sequence[Path],
    top: str,
    *,
    clock_ns: float = 10.0,
    part: str = DEFAULT_PART,
    directives: Path | None = None,
    include_dirs: Sequence[Path] = (),
    defines: Mapping[str, str] | None = None,
    out_dir: Path | None = None,
    dump: Iterable[str] = (),
    strict: bool = False,
) -> SynthResult:
    """Compile `sources` with `top` as the top function.

    With `out_dir`: writes `<top>.sv` and `report.json`, both or none, and `<top>.<stage>.txt` for every
    stage of `dump` as it is reached, so that a run that fails leaves the stages before.
    Raises HlscError, with file and line where there is one; with `strict` for a warning too.
    """
    from hlsc.frontend import compile_program
    from hlsc.middle import lower as middle

    timing = timing_for(clock_ns, part)
    wanted = list(dict.fromkeys(dump))
    for stage in wanted:
        if stage not in STAGES:
            raise HlscError(f"stage to dump must be one of {', '.join(STAGES)}, not {stage}")
    if wanted and out_dir is None:
        raise HlscError("an output directory must be given with --dump")
    dumps: list[Path] = []

    def show(stage: str, text: str) -> None:
        if stage in wanted and out_dir is not None:
            dumps.extend(_write(out_dir, {f"{top}.{stage}.txt": text}))

    if not top.isidentifier():
        raise HlscError(f"top must be the name of a function without its scope, not '{top}'")
    for source in sources:
        if not Path(source).is_file():
            raise HlscError(f"source file must exist, not {source}")
    for folder in include_dirs:
        if not Path(folder).is_dir():
            raise HlscError(f"include path must be a directory, not {folder}")
    program = compile_program(
        [Path(s) for s in sources],
        top,
        include_dirs=[Path(i) for i in include_dirs],
        defines=dict(defines or {}),
        directives=directives,
        dump=show,
    )
    design = _shortened(middle(program, dump=show), [*sources, *include_dirs])
    prepared, schedules, rtl = back_end(design, timing=timing, dump=show)
    report = reports.make_report(prepared, schedules, rtl, timing, part)
    if strict and report["warnings"]:
        raise HlscError("with --strict a warning stops synthesis: " + "; ".join(report["warnings"]))
    sv_path = report_path = None
    if out_dir is not None:
        made = {f"{top}.sv": rtl.text, "report.json": json.dumps(report, indent=2) + "\n"}
        sv_path, report_path = _write(out_dir, made)
    return SynthResult(
        design, prepared, rtl.text, report, schedules, sv_path, report_path, tuple(dumps)
    )
