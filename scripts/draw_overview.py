#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write docs/overview.svg, the picture of the README: how a layer goes through the project.

usage: draw_overview.py [--check] [FILE]; --check only compares (exit code 1 when FILE is outdated).
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 960, 392
PAPER, INK, SOFT = "#fbfaf7", "#22252b", "#6b7078"
WARM, COOL, GREEN = "#c2542d", "#2f6690", "#3d7a4a"


@dataclass(frozen=True)
class Box:
    """A part of the project: name, what it does, and whether it is there already."""

    x: int
    y: int
    w: int
    h: int
    name: str
    lines: tuple[str, ...]
    colour: str = COOL
    there: bool = True

    def svg(self) -> str:
        dash = "" if self.there else ' stroke-dasharray="5 4"'
        fill = "#ffffff" if self.there else "none"
        parts = [
            f'<rect x="{self.x}" y="{self.y}" width="{self.w}" height="{self.h}" rx="7" fill="{fill}" '
            f'stroke="{self.colour}" stroke-width="1.6"{dash}/>',
            text(self.x + 14, self.y + 25, self.name, 15, INK if self.there else SOFT, bold=self.there),
        ]
        parts += [
            text(self.x + 14, self.y + 45 + 17 * i, line, 12, SOFT) for i, line in enumerate(self.lines)
        ]
        return "\n".join(parts)


def text(
    x: float, y: float, words: str, size: int, colour: str, bold: bool = False, anchor: str = "start"
) -> str:
    weight = ' font-weight="600"' if bold else ""
    place = "" if anchor == "start" else f' text-anchor="{anchor}"'
    style = f'font-size="{size}" fill="{colour}"{weight}{place}'
    return f'<text x="{x:g}" y="{y:g}" {style}>{escape(words)}</text>'


def arrow(points: tuple[tuple[float, float], ...], colour: str = INK, there: bool = True) -> str:
    """A line along the points with a head at the last; the last piece must be level or upright."""
    (x0, y0), (x1, y1) = points[-2:]
    dx, dy = (x1 > x0) - (x1 < x0), (y1 > y0) - (y1 < y0)
    line = " ".join(f"{x:g},{y:g}" for x, y in (*points[:-1], (x1 - 6 * dx, y1 - 6 * dy)))
    base = [(x1 - 9 * dx - 5 * dy, y1 - 9 * dy - 5 * dx), (x1 - 9 * dx + 5 * dy, y1 - 9 * dy + 5 * dx)]
    head = " ".join(f"{x:g},{y:g}" for x, y in ((x1, y1), *base))
    dash = "" if there else ' stroke-dasharray="5 4"'
    return (
        f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.6"{dash}/>\n'
        f'<polygon points="{head}" fill="{colour}"/>'
    )


def drawing() -> str:
    """The whole SVG."""
    layer = Box(
        24,
        150,
        168,
        118,
        "convolution layer",
        ("map int8 NHWC", "filters int8 OHWI", "bias, zero points,", "requantisation"),
        WARM,
    )
    reference = Box(
        260,
        24,
        500,
        84,
        "convloom.reference",
        (
            "numpy, exact integers: direct, im2col, MEC, spatial pack, Winograd,",
            "indirect — the definition of correct",
        ),
        GREEN,
    )
    lowering = Box(
        260,
        150,
        180,
        118,
        "convloom.lowering",
        ("tiles, order of beats,", "registers — and the", "result taken apart again"),
    )
    csim = Box(524, 132, 236, 56, "C-simulation", ("hls/ C++, compiled by hlsc.csim",))
    rtl = Box(524, 197, 236, 56, "RTL simulation", ("hls/ C++ through hlsc, in Verilator",))
    virtual = Box(524, 262, 236, 56, "virtual board", ("unmodified pynq drives the RTL",))
    board = Box(524, 327, 236, 56, "PYNQ board", ("the same pynq program",), there=False)
    equal = Box(820, 136, 116, 66, "= ?", ("to the bit",), GREEN)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
        f'height="{HEIGHT}" font-family="Helvetica, Arial, sans-serif">',
        "<title>How a convolution layer goes through convloom</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="{PAPER}"/>',
        arrow(((108, 150), (108, 66), (260, 66))),
        arrow(((192, 209), (260, 209))),
        arrow(((440, 160), (524, 160))),
        text(482, 152, "beats", 12, SOFT, anchor="middle"),
        *(
            arrow(
                ((482, 160), (482, box.y + 28), (524, box.y + 28)),
                INK if box.there else SOFT,
                box.there,
            )
            for box in (board, rtl, virtual)
        ),
        *(
            arrow(((760, box.y + 28), (878, box.y + 28), (878, 202)), there=box.there)
            for box in (rtl, virtual)
        ),
        arrow(((760, 66), (878, 66), (878, 136))),
        text(818, 58, "output", 12, SOFT, anchor="middle"),
        arrow(((760, 160), (820, 160))),
        *(box.svg() for box in (layer, reference, lowering, csim, rtl, virtual, board, equal)),
        text(24, 366, "dashed: not run yet", 12, SOFT),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).resolve().parents[1] / "docs" / "overview.svg"
    parser.add_argument("file", nargs="?", type=Path, default=default)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args()
    if args.check:
        current = args.file.read_text(encoding="utf-8") if args.file.is_file() else ""
        if current != drawing():
            print(
                f"{args.file.name} must be what scripts/{Path(__file__).name} writes; run it",
                file=sys.stderr,
            )
            return 1
        return 0
    args.file.write_text(drawing(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
