# SPDX-License-Identifier: Apache-2.0
"""What vendor tools left in a build folder, read back: csynth XML, utilisation and timing JSON.

For whoever shows it beside other figures (`make resources`):

    from vendor_places import project_folder
    from vivado.figures import vendor_figures
    for figures in vendor_figures(project_folder("gemm_systolic", "z2", "pynq-z2")):
        figures.source, figures.lut, figures.bram36, figures.reached_ns  # None: the tool does not say

The list is empty where no vendor tool has run, which is no error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

from convloom.errors import ConvloomError

__all__ = ["Figures", "figures_table", "vendor_figures"]

_CELLS = ("lut", "ff", "bram36", "dsp")
# Names of csynth's XML to 2020.1 and later.
_ESTIMATES = {"LUT": "lut", "FF": "ff", "BRAM_18K": "bram36", "DSP48E": "dsp", "DSP": "dsp"}


@dataclass(frozen=True)
class Figures:
    """One tool's figures.  source: who says so, and of what; None: it does not say.

    bram36: RAMB36 tiles, a RAMB18 is a half.  clock_ns: the asked period; reached_ns: the shortest
    period that the tool estimates (HLS) or that setup slack allows (implementation).
    """

    source: str
    lut: float | None = None
    ff: float | None = None
    bram36: float | None = None
    dsp: float | None = None
    clock_ns: float | None = None
    reached_ns: float | None = None


def vendor_figures(build_dir: Path) -> list[Figures]:
    """All figures below `build_dir`, the folder of one kernel, configuration and board; [] if none.

    HLS estimates are of the kernel alone, implementation is of the whole overlay.
    Raises ConvloomError for a report that is not as expected.
    """
    found = [_estimates(path) for path in sorted(build_dir.glob("hls/**/syn/report/csynth.xml"))]
    for report in sorted(build_dir.glob("bit_*/utilization.json")):
        found.append(_implemented(report))
    return found


def _estimates(path: Path) -> Figures:
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise ConvloomError(f"{path} must be XML: {error}") from None
    values: dict[str, float] = {}
    for tag, name in _ESTIMATES.items():
        text = root.findtext(f"AreaEstimates/Resources/{tag}")
        if text is not None:
            values[name] = _number(path, text) / (2 if tag == "BRAM_18K" else 1)
    timing = "PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod"
    for name, place in (("clock_ns", "UserAssignments/TargetClockPeriod"), ("reached_ns", timing)):
        text = root.findtext(place)
        if text is not None:
            values[name] = _number(path, text)
    if not values:
        raise ConvloomError(f"{path} must hold AreaEstimates and SummaryOfTimingAnalysis, not neither")
    version = root.findtext("ReportVersion/Version") or "version unknown"
    return Figures(f"HLS estimate, kernel ({version})", **values)


def _implemented(report: Path) -> Figures:
    values = _json(report, _CELLS)
    timing = report.with_name("timing.json")
    if timing.exists():
        period, slack = _json(timing, ("period_ns", "worst_setup_slack_ns")).values()
        values |= {"clock_ns": period, "reached_ns": round(period - slack, 3)}
    kind = report.parent.name.removeprefix("bit_")
    return Figures(f"implemented, overlay ({kind})", **values)


def _json(path: Path, names: Sequence[str]) -> dict[str, float]:
    """These numbers of a JSON object, in this order."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {name: float(data[name]) for name in names}
    except (ValueError, KeyError, TypeError):
        raise ConvloomError(f"{path} must hold the numbers {', '.join(names)}") from None


def _number(path: Path, text: str) -> float:
    if not re.fullmatch(r"-?\d+(\.\d+)?", text.strip()):
        raise ConvloomError(f"{path}: a figure must be a number, not {text.strip()!r}")
    return float(text)


def figures_table(found: list[Figures]) -> str:
    """A table as text, one line per source; empty without figures."""
    if not found:
        return ""
    names = list(asdict(found[0]))
    rows = [names] + [["-" if v is None else _shown(v) for v in asdict(f).values()] for f in found]
    widths = [max(len(row[i]) for row in rows) for i in range(len(names))]
    lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)
    return "".join(f"{line}\n" for line in lines)


def _shown(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}" if value < 1e5 else f"{value:.0f}"
