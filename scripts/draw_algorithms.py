#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write docs/algorithm_*.svg, the pictures of docs/algorithms.md.

usage: draw_algorithms.py [--check] [DIRECTORY]; --check only compares (exit code 1 when outdated).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from draw_overview import COOL, INK, PAPER, SOFT, WARM, arrow, text

ROWS = ("#f4d8c8", "#d3e3f0", "#d8ead6", "#f1e6b4", "#e4d6ee")
"""A tint per input row, so that one sees where a copied pixel comes from."""
WHITE, HALO = "#ffffff", "#d3e3f0"
CELL = 26

# The example of the first pictures: a map of 4 × 5 pixels, a 3 × 3 filter, 2 × 3 outputs.
HEIGHT, WIDTH, TAPS = 4, 5, 3
OUT_HEIGHT, OUT_WIDTH = HEIGHT - TAPS + 1, WIDTH - TAPS + 1


def cells(
    x: float,
    y: float,
    fills: Sequence[Sequence[str]],
    labels: Sequence[Sequence[object]] | None = None,
    side: float = CELL,
    ink: str = INK,
) -> str:
    """A grid of squares with its upper left corner at (x, y)."""
    parts = []
    for i, row in enumerate(fills):
        for j, fill in enumerate(row):
            left, top = x + j * side, y + i * side
            parts.append(
                f'<rect x="{left:g}" y="{top:g}" width="{side:g}" height="{side:g}" fill="{fill}" '
                f'stroke="{SOFT}" stroke-width="0.7"/>'
            )
            if labels is not None:
                middle = left + side / 2, top + side / 2 + 4
                parts.append(text(*middle, str(labels[i][j]), 11, ink, anchor="middle"))
    return "\n".join(parts)


def plain(rows: int, columns: int, fill: str = WHITE) -> list[list[str]]:
    return [[fill] * columns for _ in range(rows)]


def frame(x: float, y: float, w: float, h: float, colour: str = WARM, dash: bool = False) -> str:
    """An outline without filling."""
    dashes = ' stroke-dasharray="5 4"' if dash else ""
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{w:g}" height="{h:g}" fill="none" stroke="{colour}" '
        f'stroke-width="2.4"{dashes}/>'
    )


def picture(title: str, height: int, parts: Sequence[str], width: int = 760) -> str:
    """The whole SVG."""
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" font-family="Helvetica, Arial, sans-serif">',
            f"<title>{title}</title>",
            f'<rect width="{width}" height="{height}" fill="{PAPER}"/>',
            *parts,
            "</svg>\n",
        ]
    )


def title(x: float, y: float, words: str) -> str:
    return text(x, y, words, 13, INK, bold=True)


def note(x: float, y: float, words: str, anchor: str = "start") -> str:
    return text(x, y, words, 12, SOFT, anchor=anchor)


def example_map(x: float, y: float) -> str:
    """The numbered map of the example, a tint per row."""
    fills = [[ROWS[i]] * WIDTH for i in range(HEIGHT)]
    labels = [[i * WIDTH + j for j in range(WIDTH)] for i in range(HEIGHT)]
    return cells(x, y, fills, labels)


def window(p: int, q: int) -> list[int]:
    """Pixel numbers that output (p, q) reads."""
    return [(p + r) * WIDTH + q + s for r in range(TAPS) for s in range(TAPS)]


def windows() -> list[list[int]]:
    return [window(p, q) for p in range(OUT_HEIGHT) for q in range(OUT_WIDTH)]


def tints(rows: Sequence[Sequence[int]]) -> list[list[str]]:
    return [[ROWS[pixel // WIDTH] for pixel in row] for row in rows]


def direct() -> str:
    x, y = 24, 44
    out = plain(OUT_HEIGHT, OUT_WIDTH)
    out[0][1] = ROWS[3]
    weights = [[f"w{r}{s}" for s in range(TAPS)] for r in range(TAPS)]
    middle = y + 2 * CELL
    return picture(
        "Direct convolution",
        196,
        [
            title(x, 28, "map, 4 × 5"),
            example_map(x, y),
            frame(x + CELL, y, TAPS * CELL, TAPS * CELL),
            text(196, middle + 6, "×", 20, INK, anchor="middle"),
            title(224, 28, "filter, 3 × 3"),
            cells(224, y + 7, plain(TAPS, TAPS), weights, 30),
            arrow(((324, middle), (396, middle))),
            note(358, middle - 8, "add up", "middle"),
            title(410, 28, "output, 2 × 3"),
            cells(410, y + 26, out),
            note(520, y + 34, "9 products per channel and output,"),
            note(520, y + 52, "read where they lie;"),
            note(520, y + 70, "nothing is written in between"),
            note(x, y + HEIGHT * CELL + 22, "a tint per row of the map; the window of output (0, 1)"),
        ],
    )


def im2col() -> str:
    x, y, left = 24, 44, 300
    rows = windows()
    return picture(
        "im2col",
        256,
        [
            title(x, 28, "map, 4 × 5: 20 pixels"),
            example_map(x, y),
            frame(x + CELL, y, TAPS * CELL, TAPS * CELL),
            arrow(((x + WIDTH * CELL + 12, y + 1.5 * CELL), (left - 60, y + 1.5 * CELL))),
            note(225, y + 1.5 * CELL - 8, "copy", "middle"),
            title(left, 28, "matrix, OH·OW × R·S: 6 × 9 = 54 pixels"),
            cells(left, y, tints(rows), rows),
            frame(left, y + CELL, TAPS * TAPS * CELL, CELL),
            *(
                note(
                    left - 8,
                    y + (p * OUT_WIDTH + q) * CELL + 17,
                    f"{p}, {q}",
                    "end",
                )
                for p in range(OUT_HEIGHT)
                for q in range(OUT_WIDTH)
            ),
            arrow(((left + 9 * CELL + 12, y + 3 * CELL), (left + 9 * CELL + 66, y + 3 * CELL))),
            note(left + 9 * CELL + 76, y + 3 * CELL - 14, "one product with"),
            note(left + 9 * CELL + 76, y + 3 * CELL + 4, "the matrix of all"),
            note(left + 9 * CELL + 76, y + 3 * CELL + 22, "filters, 9 × K"),
            note(left, y + 6 * CELL + 24, "a row per output; a pixel is written up to R·S times"),
        ],
    )


def mec() -> str:
    x, y, left = 24, 64, 300
    lowered = [
        [i * WIDTH + q + s for i in range(HEIGHT) for s in range(TAPS)] for q in range(OUT_WIDTH)
    ]
    length, height = TAPS * TAPS * CELL, OUT_WIDTH * CELL
    step = TAPS * CELL
    return picture(
        "MEC",
        226,
        [
            title(x, 28, "map, 4 × 5: 20 pixels"),
            example_map(x, y),
            frame(x + CELL, y, TAPS * CELL, HEIGHT * CELL),
            arrow(((x + WIDTH * CELL + 12, y + 1.5 * CELL), (left - 60, y + 1.5 * CELL))),
            note(225, y + 1.5 * CELL - 8, "copy", "middle"),
            title(left, 28, "lowered along the width only, OW × H·S: 3 × 12 = 36 pixels"),
            cells(left, y, tints(lowered), lowered),
            *(note(left - 8, y + q * CELL + 17, f"q = {q}", "end") for q in range(OUT_WIDTH)),
            frame(left - 2, y - 4, length, height + 8),
            frame(left + step, y - 9, length, height + 18, COOL),
            text(left, y - 14, "output row 0", 12, WARM),
            text(left + step + length, y + height + 25, "output row 1", 12, COOL, anchor="end"),
            note(left, y + height + 48, "An output row is a part of it, R·S long; the next starts S"),
            note(left, y + height + 66, "pixels later. The parts overlap and are never copied."),
        ],
    )


def indirect() -> str:
    x, y, left = 24, 44, 300
    rows = windows()
    return picture(
        "Indirect convolution",
        256,
        [
            title(x, 28, "map, 4 × 5: stays"),
            example_map(x, y),
            frame(x + CELL, y, TAPS * CELL, TAPS * CELL),
            cells(x, y + HEIGHT * CELL + 16, [["#e9e7e1"]], [["z"]]),
            note(x + CELL + 8, y + HEIGHT * CELL + 33, "one row of zero points,"),
            note(x + CELL + 8, y + HEIGHT * CELL + 50, "for padding"),
            arrow(((left - 60, y + 1.5 * CELL), (x + WIDTH * CELL + 8, y + 1.5 * CELL)), COOL),
            note(225, y + 1.5 * CELL - 8, "point", "middle"),
            title(left, 28, "pointers, OH·OW × R·S: 6 × 9, whatever C is"),
            cells(left, y, plain(6, 9), rows, ink=COOL),
            frame(left, y + CELL, TAPS * TAPS * CELL, CELL),
            *(
                note(left - 8, y + (p * OUT_WIDTH + q) * CELL + 17, f"{p}, {q}", "end")
                for p in range(OUT_HEIGHT)
                for q in range(OUT_WIDTH)
            ),
            note(left + 9 * CELL + 24, y + 2 * CELL, "made once for a shape,"),
            note(left + 9 * CELL + 24, y + 2 * CELL + 18, "valid for every image"),
            note(left, y + 6 * CELL + 24, "a row per output; a pixel is held once, pointed to often"),
        ],
    )


def spatial_pack() -> str:
    x, y, side, out, tile = 24, 44, 15, 8, 4
    size, part = out + 2, tile + 2
    corners = [(i, j) for i in (0, tile) for j in (0, tile)]
    fills = [[HALO if 4 <= i < 6 or 4 <= j < 6 else WHITE for j in range(size)] for i in range(size)]
    parts = [
        title(x, 28, "padded map, 10 × 10"),
        cells(x, y, fills, side=side),
        note(x, y + size * side + 22, "blue: read by two or four tiles"),
        arrow(((x + size * side + 14, y + 75), (x + size * side + 76, y + 75))),
        note(x + size * side + 45, y + 67, "copy", "middle"),
        title(268, 28, "tiles with their halo, 4 × 6 × 6"),
    ]
    for i, j in corners:
        left, top = 268 + j // tile * (part * side + 14), y + i // tile * (part * side + 14)
        own = [[fills[i + a][j + b] for b in range(part)] for a in range(part)]
        parts.append(cells(left, top, own, side=side))
    parts += [
        frame(x, y, part * side, part * side),
        frame(268, y, part * side, part * side),
        arrow(((474, y + 95), (520, y + 95))),
        title(534, 28, "outputs, 8 × 8"),
        cells(534, y + 15, plain(out, out), side=side),
        frame(534, y + 15, tile * side, tile * side),
        note(534, y + 15 + out * side + 22, "tiles of 4 × 4, any h × w"),
        note(268, y + 2 * part * side + 36, "144 pixels for 100; a tile is contiguous and independent"),
    ]
    return picture("Spatial pack", 276, parts)


def winograd() -> str:
    side, y = 17, 58
    tile = 6 * side
    boxes = [24, 212, 400, 638]
    middle = y + tile / 2
    lower = y + tile + 40
    return picture(
        "Winograd F(4×4, 3×3)",
        310,
        [
            title(boxes[0], 40, "input tile d"),
            cells(boxes[0], y, plain(6, 6, ROWS[1]), side=side),
            arrow(((boxes[0] + tile + 8, middle), (boxes[1] - 8, middle))),
            note((boxes[0] + tile + boxes[1]) / 2, middle - 8, "Bᵀ d B", "middle"),
            title(boxes[1], 40, "V"),
            cells(boxes[1], y, plain(6, 6, ROWS[3]), side=side),
            text((boxes[1] + tile + boxes[2]) / 2, middle + 7, "⊙", 22, WARM, anchor="middle"),
            title(boxes[2], 40, "M = V ⊙ U, summed over C"),
            cells(boxes[2], y, plain(6, 6, ROWS[0]), side=side),
            arrow(((boxes[2] + tile + 8, middle), (boxes[3] - 8, middle))),
            note((boxes[2] + tile + boxes[3]) / 2, middle - 8, "Aᵀ M A", "middle"),
            title(boxes[3], 40, "4 × 4 outputs"),
            cells(boxes[3], y + side, plain(4, 4, ROWS[2]), side=side),
            title(boxes[0], lower + 14, "filter g"),
            cells(boxes[0], lower + 24, plain(3, 3, WHITE), side=side),
            arrow(((boxes[0] + 3 * side + 8, lower + 50), (boxes[1] - 8, lower + 50))),
            note((boxes[0] + 3 * side + boxes[1]) / 2, lower + 42, "G g Gᵀ", "middle"),
            title(boxes[1] + tile + 10, lower + 14, "U"),
            cells(boxes[1], lower, plain(6, 6, WHITE), side=side),
            arrow(
                (
                    (boxes[1] + tile + 4, lower + 50),
                    (boxes[1] + tile + 43, lower + 50),
                    (boxes[1] + tile + 43, int(middle + 14)),
                )
            ),
            note(boxes[2], lower + 30, "36 multiplications for 16 outputs and a channel;"),
            note(boxes[2], lower + 48, "direct takes 144. Transforms are additions and shifts,"),
            note(boxes[2], lower + 66, "once per tile or filter, not per pair of them."),
        ],
    )


def line_buffer() -> str:
    x, y, columns, rows, now = 24, 44, 9, 6, (3, 5)
    seen = now[0] * columns + now[1]
    held = seen - 2 * columns - 2

    def fill(pixel: int) -> str:
        return "#e9e7e1" if pixel < held else ROWS[1] if pixel <= seen else WHITE

    fills = [[fill(i * columns + j) for j in range(columns)] for i in range(rows)]
    left = 300
    lines = [y + 8, y + 8 + CELL + 14]
    registers = left + 210
    parts = [
        title(x, 28, "map, as it streams in"),
        cells(x, y, fills),
        frame(x + (now[1] - 2) * CELL, y + (now[0] - 2) * CELL, 3 * CELL, 3 * CELL),
        note(x, y + rows * CELL + 22, "grey: done with; blue: on chip; white: to come"),
        title(left, 28, "R − 1 lines"),
        title(registers, 28, "window"),
        cells(registers, y + 8, plain(3, 3, ROWS[0]), side=CELL + 7),
    ]
    for line in lines:
        parts.append(
            f'<rect x="{left}" y="{line}" width="150" height="{CELL}" fill="{ROWS[1]}" stroke="{SOFT}" '
            f'stroke-width="0.7"/>'
        )
        parts.append(text(left + 75, line + 18, "W · C bytes", 12, INK, anchor="middle"))
    middles = [line + CELL // 2 for line in lines] + [y + 95]
    parts += [arrow(((left + 150, m), (registers, m))) for m in middles[:2]]
    parts += [
        arrow(((left, middles[2]), (registers, middles[2])), WARM),
        text(left, middles[2] - 7, "next pixel", 12, WARM),
        arrow(((registers + 99, y + 58), (registers + 140, y + 58))),
        note(registers + 146, y + 54, "R·S·8 products"),
        note(registers + 146, y + 70, "per filter"),
        note(left, y + 140, "A pixel comes in once, stays for R rows and is dropped;"),
        note(left, y + 158, "what leaves is a window of 8 channels per cycle."),
    ]
    return picture("Line buffer", 236, parts)


PICTURES: dict[str, Callable[[], str]] = {
    "direct": direct,
    "im2col": im2col,
    "mec": mec,
    "indirect": indirect,
    "spatial_pack": spatial_pack,
    "winograd": winograd,
    "line_buffer": line_buffer,
}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    default = Path(__file__).resolve().parents[1] / "docs"
    parser.add_argument("directory", nargs="?", type=Path, default=default)
    parser.add_argument("--check", action="store_true")
    args = parser.parse_args(argv)
    outdated = []
    for name, draw in PICTURES.items():
        file = args.directory / f"algorithm_{name}.svg"
        if not args.check:
            file.write_text(draw(), encoding="utf-8")
        elif not file.is_file() or file.read_text(encoding="utf-8") != draw():
            outdated.append(file.name)
    if outdated:
        print(
            f"{', '.join(outdated)} must be what scripts/{Path(__file__).name} writes; run it",
            file=sys.stderr,
        )
    return int(bool(outdated))


if __name__ == "__main__":
    sys.exit(main())
