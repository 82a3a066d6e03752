# SPDX-License-Identifier: Apache-2.0
"""Measure the convolution layers of a network on every legal kernel and lowering, in RTL.

Each layer, with random int8 data, runs behind the DMA and DDR model of a board profile; its output is
compared with the reference. Cycles are exact: from the accepted start to the last beat of the output.
The roofline is the fewest cycles that the kernel's sizes and the memory allow. A layer whose roofline
is above --cycle-budget is run on its upper rows and marked with ~; marked figures are in no total.
Results are cached by content.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from convloom.commands.bench_measure import Measurement, Task, bus_of, measure, plan
from convloom.commands.bench_totals import as_text, totals
from convloom.commands.board_level import SETTINGS
from convloom.commands.text import Progress, table
from convloom.commands.ways import KERNELS, Way, ways
from convloom.errors import ConvloomError, UnsupportedError
from convloom.kernels import config_names
from convloom.roofline import Bus
from convloom.suites import SUITES, SuiteLayer, load_suite

__all__ = ["HELP", "NAME", "configure", "run"]

NAME = "bench"
HELP = "measure a network's layers in RTL behind DMA and DDR"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add = parser.add_argument
    add("--suite", choices=tuple(SUITES), required=True)
    add("--kernel", choices=("all", *KERNELS), default="all", help="default: %(default)s")
    add("--lowering", metavar="NAME", help="only this one; default: all that are legal")
    fastest = "for each layer only the N kernels of least roofline, each by its best lowering"
    add("--fastest", type=int, metavar="N", help=fastest)
    add("--config", choices=config_names(), default="z2", help="default: %(default)s")
    add("--batch", type=int, default=1, metavar="N", help="images per call, default: %(default)s")
    add("--board", default="pynq-z2", metavar="PROFILE", help="default: %(default)s")
    budget = "largest roofline that is run whole, default: %(default)s"
    add("--cycle-budget", type=int, default=4_000_000, metavar="CYCLES", help=budget)
    add("--json", action="store_true", help="print everything as one JSON object")


def _ways(entry: SuiteLayer, args: argparse.Namespace, bus: Bus) -> list[Way]:
    found, _ = ways(entry.layer, "board", args.config)
    found = [
        way
        for way in found
        if args.kernel in ("all", *(short for short, name in KERNELS.items() if name == way.kernel))
        and args.lowering in (None, way.lowering)
    ]
    if args.fastest is None:
        return found
    best: dict[str, Way] = {}
    for way in sorted(found, key=lambda way: plan(entry.layer, way, bus, sys.maxsize).roof.cycles):
        best.setdefault(way.kernel, way)
    return list(best.values())[: args.fastest]


def _row(entry: SuiteLayer, task: Task, done: Measurement) -> dict[str, Any]:
    """One line of the report, as plain values."""
    macs, array = task.layer.macs, task.array
    return {
        "name": task.layer.name,
        "kernel": task.way.kernel,
        "lowering": task.way.lowering,
        "batch": task.layer.n,
        "times": entry.times,
        "partial": task.partial,
        "macs": macs,
        "cycles": done.cycles,
        "roofline_cycles": task.roof.cycles,
        "mac_per_cycle": round(macs / done.cycles, 2),
        "eff_mac_per_dsp_cycle": round(macs / done.cycles / array.dsp, 3),
        "of_peak": round(macs / done.cycles / array.peak, 4),
        "of_roofline": round(task.roof.cycles / done.cycles, 4),
        "bytes_in": task.job.bytes_in,
        "bytes_out": task.job.bytes_out,
        "limit": task.roof.limit,
        "limits": {**task.roof.limits, "first fill": task.roof.fill},
        "stalls": done.stalls,
        "dma_transfers": done.transfers,
    }


class _Remaining:
    """Seconds still to go, from the MACs that were simulated and those that are left."""

    def __init__(self) -> None:
        self.macs, self.seconds = 0, 0.0

    def add(self, macs: int, seconds: float) -> None:
        self.macs, self.seconds = self.macs + macs, self.seconds + seconds

    def text(self, left: int) -> str:
        if not self.macs or not left:
            return ""
        seconds = left * self.seconds / self.macs
        amount = f"{seconds / 60:.0f} min" if seconds > 90 else f"{seconds:.0f} s"
        return f", about {amount} left"


def _measure_all(
    todo: Sequence[tuple[SuiteLayer, Way]], args: argparse.Namespace, bus: Bus
) -> list[dict[str, Any]]:
    rows = []
    progress, remaining = Progress(len(todo)), _Remaining()
    macs_left = sum(entry.layer.macs for entry, _ in todo)
    for entry, way in todo:
        progress.begin(f"{entry.layer.name} {way.kernel} {way.lowering}")
        task = plan(entry.layer, way, bus, args.cycle_budget)
        done = measure(task, args.board)
        macs_left -= entry.layer.macs
        if done.seconds is not None:
            remaining.add(entry.layer.macs, done.seconds)
        rows.append(_row(entry, task, done))
        progress.end(
            f"{entry.layer.name} {way.kernel} {way.lowering}: {done.cycles:,} cycles"
            f"{remaining.text(macs_left)}"
        )
    progress.close()
    return rows


def _print(rows: Sequence[dict[str, Any]]) -> None:
    head = ["layer", "kernel", "lowering", "cycles", "roofline", "of it", "MAC/cycle"]
    head += ["MAC/DSP/cycle", "of peak", "MB", "limit"]
    lines = [
        [
            ("~" if row["partial"] else "") + row["name"],
            row["kernel"],
            row["lowering"],
            f"{row['cycles']:,}",
            f"{row['roofline_cycles']:,}",
            f"{row['of_roofline']:.1%}",
            f"{row['mac_per_cycle']:.1f}",
            f"{row['eff_mac_per_dsp_cycle']:.2f}",
            f"{row['of_peak']:.1%}",
            f"{(row['bytes_in'] + row['bytes_out']) / 1e6:.2f}",
            row["limit"],
        ]
        for row in rows
    ]
    print(table(head, lines, right=head[3:-1]))


def run(args: argparse.Namespace) -> int:
    """Do it; returns 0. ConvloomError where an output differs or nothing fits."""
    for option in ("batch", "cycle_budget", "fastest"):
        value = getattr(args, option)
        if value is not None and value < 1:
            raise ConvloomError(f"--{option.replace('_', '-')} must be at least 1, not {value}")
    SETTINGS.profile = args.board
    suite = [
        SuiteLayer(replace(entry.layer, n=args.batch), entry.times) for entry in load_suite(args.suite)
    ]
    bus = bus_of(args.board)
    todo = [(entry, way) for entry in suite for way in _ways(entry, args, bus)]
    if not todo:
        raise UnsupportedError(
            f"suite {args.suite} must have a layer for kernel {args.kernel}, lowering "
            f"{args.lowering or 'any'}, config {args.config}; it has none"
        )
    rows = _measure_all(todo, args, bus)
    found = totals(suite, rows, args.batch)
    if args.json:
        print(json.dumps({"suite": args.suite, "config": args.config, "board": args.board,
                          "batch": args.batch, "layers": rows, "totals": found}, indent=1))  # fmt: skip
        return 0
    _print(rows)
    print(as_text(found))
    return 0
