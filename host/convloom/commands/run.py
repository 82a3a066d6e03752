# SPDX-License-Identifier: Apache-2.0
"""Put a photograph through three int8 layers, each on every kernel, lowering and level there is.

Every output is compared with the reference, to the bit. Writes features.png (input and feature maps),
report.json and, when a board was among the levels, timeline.png; prints the table of what was run. Exit
code 1 when any output differs.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convloom.commands.board_level import SETTINGS
from convloom.commands.files import FileError, write_atomically
from convloom.commands.levels import LEVELS
from convloom.commands.picture import draw
from convloom.commands.stack import Step, build_stack, load_photo
from convloom.commands.text import Progress, size, table
from convloom.commands.timeline import draw_timeline
from convloom.commands.ways import (
    REFERENCE,
    Answer,
    Way,
    compute,
    difference,
    exact,
    im2col_bytes,
    ways,
)
from convloom.errors import ConvloomError, UnsupportedError

__all__ = ["HELP", "NAME", "Row", "configure", "run"]

NAME = "run"
HELP = "convolve a photograph on everything there is"

EXACT, REFUSED = "exact", "refused"


@dataclass(frozen=True)
class Row:
    """One line of the report: a layer, one way to compute it, and how that went."""

    layer: str
    kernel: str
    lowering: str
    level: str
    macs: int
    result: str  # "exact", "refused", or what went wrong
    reason: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    extra_bytes: int = 0
    im2col_bytes: int = 0
    cycles: int | None = None
    seconds: float = 0.0
    board: dict[str, Any] | None = None

    @property
    def failed(self) -> bool:
        return self.result not in (EXACT, REFUSED)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    levels = (REFERENCE, *LEVELS)
    usual = [REFERENCE, *LEVELS]
    add("--image", type=Path, metavar="FILE", help="photograph; default: matplotlib's sample")
    add("--size", type=int, default=128, help="longest side in pixels, default: %(default)s")
    add("--out", type=Path, default=Path("build/run"), metavar="DIR", help="default: %(default)s")
    add("--on", nargs="+", choices=levels, default=usual, help=f"default: {' '.join(usual)}")
    add("--config", default="tiny", help="size of the kernels, default: %(default)s")
    add("--json", action="store_true", help="print the report as JSON instead of the table")


def _try(step: Step, way: Way) -> tuple[Row, Any]:
    """Compute a step one way, and judge it; with it the board's `RunReport`, if a board ran it."""
    answer: Answer | None = None
    reason = ""
    try:
        answer = compute(way, step.layer, step.x, step.w, step.bias)
    except UnsupportedError as error:
        result, reason = REFUSED, str(error)
    except ConvloomError as error:
        result, reason = "failed", str(error)
    else:
        reason = difference(answer.y, step.y)
        result = "differs" if reason else EXACT
    done = answer or Answer(np.empty(0), 0, 0, 0, 0.0)
    row = Row(
        layer=step.layer.name,
        kernel=way.kernel,
        lowering=way.lowering,
        level=way.level,
        macs=step.layer.macs,
        result=result,
        reason=reason,
        bytes_in=done.bytes_in,
        bytes_out=done.bytes_out,
        extra_bytes=done.extra_bytes,
        im2col_bytes=im2col_bytes(step.layer),
        cycles=done.cycles,
        seconds=round(done.seconds, 4),
        board=None if done.report is None else done.report.as_json(),
    )
    return row, done.report


def _all_rows(steps: list[Step], levels: list[str], config: str) -> tuple[list[Row], list[Any]]:
    plan: list[tuple[Step, Way]] = []
    rows, reports = [], []
    for step in steps:
        for level in levels:
            found, refused = ways(step.layer, level, config)
            if level in LEVELS and LEVELS[level].slow:  # the first way of each kernel
                found = list({way.kernel: way for way in reversed(found)}.values())[::-1]
            plan += [(step, way) for way in found]
            for kernel, reason in refused.items():
                rows.append(Row(step.layer.name, kernel, "-", level, step.layer.macs, REFUSED, reason))
    progress = Progress(len(plan))
    for step, way in plan:
        progress.begin(f"{step.layer.name} {way}")
        row, report = _try(step, way)
        rows.append(row)
        if report is not None:
            reports.append(report)
        progress.end(f"{step.layer.name} {way}: {row.result}")
    progress.close()
    order = {step.layer.name: i for i, step in enumerate(steps)}
    return sorted(rows, key=lambda row: (order[row.layer], levels.index(row.level))), reports


def _print_table(rows: list[Row]) -> None:
    head = [
        "layer",
        "kernel",
        "lowering",
        "level",
        "MACs",
        "bytes in",
        "bytes out",
        "extra",
        "of im2col",
    ]
    cycles = any(row.cycles is not None for row in rows)
    head += ["cycles", "MAC/cycle"] if cycles else []
    head += ["result"]
    lines = []
    for row in rows:
        if row.result == REFUSED:  # the report has the reasons
            continue
        cells = [row.layer, row.kernel, row.lowering, row.level, size(row.macs)]
        streamed = (row.bytes_in, row.bytes_out) if row.level != REFERENCE else ()
        cells += [size(count) for count in streamed] or ["", ""]
        cells += [size(row.extra_bytes), f"{row.extra_bytes / row.im2col_bytes:.0%}"]
        if cycles:
            rate = "" if row.cycles is None else f"{row.macs / row.cycles:.1f}"
            cells += ["" if row.cycles is None else f"{row.cycles:,}", rate]
        lines.append([*cells, row.result])
    print(table(head, lines, right=[*head[4:-1]]))
    for row in rows:
        if row.failed:
            print(f"{row.layer} {row.kernel} {row.lowering} {row.level} {row.result}: {row.reason}")


def run(args: argparse.Namespace) -> int:
    """Do it all; returns 1 when an output differs or a kernel fails."""
    photo = load_photo(args.image, args.size)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FileError(f"--out {args.out} must be a folder: {error.strerror or error}") from None
    steps = build_stack(photo, exact)
    levels = list(dict.fromkeys(args.on))
    SETTINGS.trace = True
    rows, reports = _all_rows(steps, levels, args.config)
    wrong = [row for row in rows if row.failed]
    good = sum(row.result == EXACT for row in rows)
    verdict = f"{good} of {good + len(wrong)} runs exact to the bit"
    report = {"photo": list(photo.shape), "exact": good, "failed": len(wrong)}
    report["rows"] = [asdict(row) for row in rows]
    text = json.dumps(report, indent=1) + "\n"
    write_atomically("report", args.out / "report.json", lambda file: _write(file, text))
    exact_rows = [row for row in rows if row.result == EXACT]
    ran = ", ".join(dict.fromkeys(row.kernel for row in exact_rows))
    where = ", ".join(dict.fromkeys(row.level for row in exact_rows))
    lines = [f"{photo.shape[1]}×{photo.shape[0]} pixels through {len(steps)} int8 layers", verdict]
    draw(args.out / "features.png", photo, steps, "\n".join([*lines, f"{ran}  on  {where}"]))
    if reports:
        draw_timeline(args.out / "timeline.png", reports)
    if args.json:
        print(text, end="")
    else:
        _print_table(rows)
        print(f"{verdict}; pictures and report in {args.out}")
    return 1 if wrong else 0


def _write(file: Any, text: str) -> None:
    file.write(text.encode("utf-8"))
