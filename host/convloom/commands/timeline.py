# SPDX-License-Identifier: Apache-2.0
"""The timeline of `convloom run`: what host, DMAs and kernel do while a layer runs on a board."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from convloom.commands.files import write_atomically
from convloom.commands.picture import INK, PAPER, SOFT

__all__ = ["draw_timeline"]

HOST = {"lowering": "#8d6bb0", "transfer": "#d98c3f", "wait": "#d9d6cf"}
BOARD = {
    "in0": ("DMA in0", "#3f7fbf"),
    "in1": ("DMA in1", "#6fb1d6"),
    "compute": ("compute", "#3f9a6d"),
    "out": ("DMA out", "#c2504d"),
}


def draw_timeline(path: Path, reports: Sequence[Any]) -> None:
    """Write the PNG: a band per layer and kernel, the first lowering of each.

    Left is this machine's time, right the board's, modelled. On a virtual board the two have nothing
    to do with each other, so each has its own axis.
    """
    # What the other lowerings change is in the table; here it would be the same picture again.
    first = {(report.layer, report.kernel): report for report in reversed(reports)}
    reports = [report for report in reports if first[report.layer, report.kernel] is report]
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    band, head, foot = 1.55, 1.0, 0.5  # inches
    height = head + band * len(reports) + foot
    with plt.rc_context({"font.family": "DejaVu Sans", "text.color": INK, "font.size": 8.5}):
        figure = plt.figure(figsize=(13.2, height), facecolor=PAPER)
        figure.text(0.035, 1 - 0.35 / height, "Layers on the board", fontsize=18, va="center")
        figure.text(
            0.035,
            1 - 0.7 / height,
            "left: this machine, simulation included     right: the board, exact cycles at its clock",
            color=SOFT,
            fontsize=10,
            va="center",
        )
        for index, report in enumerate(reports):
            bottom = 1 - (head + band * (index + 1) - 0.42) / height
            size = (band - 0.85) / height
            left = figure.add_axes((0.085, bottom, 0.3, size))
            right = figure.add_axes((0.505, bottom, 0.475, size))
            _band(left, right, report)
            figure.text(0.035, bottom + size + 0.13 / height, _title(report), fontsize=10, va="bottom")

        def save(file: IO[bytes]) -> None:
            figure.savefig(file, format="png", dpi=140, facecolor=PAPER)

        write_atomically("timeline", path, save)
        plt.close(figure)


def _title(report: Any) -> str:
    text = f"{report.layer}   {report.kernel} {report.config}, {report.lowering}"
    if report.cycles:
        text += f"   {report.cycles:,} cycles, {report.macs / report.cycles:.1f} MAC/cycle"
    if report.modelled_seconds is not None:
        text += f", {1e3 * report.modelled_seconds:.2f} ms at {report.clock_mhz:g} MHz"
    return f"{text}   {sum(report.transfers.values())} DMA transfers"


def _axes(axes: Any, names: Sequence[str], unit: str) -> None:
    axes.set_facecolor(PAPER)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.set_xlim(left=0)
    axes.tick_params(length=0, colors=SOFT)
    axes.set_xlabel(unit, color=SOFT, labelpad=1, loc="right")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _band(left: Any, right: Any, report: Any) -> None:
    for row, (track, colour) in enumerate(HOST.items()):
        bars = [(1e3 * e.start, 1e3 * (e.end - e.start)) for e in report.host if e.track == track]
        left.broken_barh(bars, (row - 0.36, 0.72), color=colour, linewidth=0)
        left.text(
            1.01,
            1 - (row + 0.6) / len(HOST),
            f"{1e3 * report.seconds[track]:,.1f} ms",
            transform=left.transAxes,
            color=SOFT,
            va="center",
        )
    _axes(left, list(HOST), "ms")
    # Microseconds where the clock is known: a wait in a simulation would say nothing.
    scale = 1 / report.clock_mhz if report.clock_mhz else 1.0
    for row, (track, (_, colour)) in enumerate(BOARD.items()):
        bars = [(scale * e.start, scale * (e.end - e.start)) for e in report.board if e.track == track]
        right.broken_barh(bars, (row - 0.36, 0.72), color=colour, edgecolor=PAPER, linewidth=0.3)
    _axes(right, [name for name, _ in BOARD.values()], "µs" if report.clock_mhz else "cycles")
