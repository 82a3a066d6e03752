# SPDX-License-Identifier: Apache-2.0
"""What vendor tools left in a build folder, read back: csynth XML, utilisation report, timing JSON."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree

from convloom.errors import ConvloomError

__all__ = ["Figures", "figures_table", "vendor_figures"]

# Site types of report_utilization: xc7 and UltraScale+ name the same things differently; a star marks
# a footnote.
_SITES = {
    "Slice LUTs": "lut",
    "CLB LUTs": "lut",
    "Slice Registers": "ff",
    "CLB Registers": "ff",
    "Block RAM Tile": "bram36",
    "DSPs": "dsp",
}
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
    for report in sorted(build_dir.glob("bit_*/utilization.rpt")):
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
    values: dict[str, float] = {}
    for line in report.read_text(encoding="utf-8", errors="replace").splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        name = _SITES.get(cells[0].rstrip("*"))
        if name is not None and len(cells) > 1 and name not in values:
            values[name] = _number(report, cells[1])
    if set(values) != set(_SITES.values()):
        missing = ", ".join(sorted(set(_SITES.values()) - set(values)))
        raise ConvloomError(f"{report} must be a report_utilization table; it lacks {missing}")
    timing = report.with_name("timing.json")
    if timing.exists():
        try:
            data = json.loads(timing.read_text(encoding="utf-8"))
            period, slack = float(data["period_ns"]), float(data["worst_setup_slack_ns"])
        except (ValueError, KeyError, TypeError):
            raise ConvloomError(f"{timing} must hold period_ns and worst_setup_slack_ns") from None
        values["clock_ns"], values["reached_ns"] = period, round(period - slack, 3)
    kind = report.parent.name.removeprefix("bit_")
    return Figures(f"implemented, overlay ({kind})", **values)


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
