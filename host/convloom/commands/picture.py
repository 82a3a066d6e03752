# SPDX-License-Identifier: Apache-2.0
"""The picture of `convloom run`: the photograph and what each layer makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from convloom.commands.files import write_atomically
from convloom.commands.stack import FEATURES, Step

__all__ = ["draw"]

PAPER, INK, SOFT = "#fbfaf7", "#22252b", "#6b7078"
COLUMNS = 10


def _tiles(step: Step) -> list[tuple[str, NDArray[Any]]]:
    """(name, picture) per feature map; a feature in three colours becomes one colour picture."""
    maps = step.y[0].astype(np.int16) + 128
    if len(step.maps) == 3 * len(FEATURES):
        colour = maps.reshape(*maps.shape[:2], len(FEATURES), 3)
        return [(name, colour[:, :, i]) for i, name in enumerate(FEATURES)]
    return [(name, maps[:, :, i]) for i, name in enumerate(step.maps)]


def draw(path: Path, photo: NDArray[np.uint8], steps: list[Step], verdict: str) -> None:
    """Write the PNG: photograph and a line on the result on top, one band of feature maps per layer."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    bands = [_tiles(step) for step in steps]
    rows = [-(-len(band) // COLUMNS) for band in bands]
    aspect = photo.shape[0] / photo.shape[1]
    tile, gap, label, side = 1.18, 0.10, 0.25, 0.45  # inches
    band_head, top = 0.52, 2.9
    pitch = tile * aspect + label
    width = 2 * side + COLUMNS * tile + (COLUMNS - 1) * gap
    height = top + sum(band_head + n * pitch for n in rows) + side
    with plt.rc_context({"font.family": "DejaVu Sans", "text.color": INK}):
        figure = plt.figure(figsize=(width, height), facecolor=PAPER)

        def place(picture: NDArray[Any], x: float, y: float, w: float, h: float) -> None:
            axes = figure.add_axes((x / width, 1 - (y + h) / height, w / width, h / height))
            # Nearest neighbour: what is shown is what was computed.
            axes.imshow(
                picture.astype(np.uint8),
                cmap="magma",
                vmin=0,
                vmax=255,
                interpolation="nearest",
                aspect="auto",
            )
            axes.set_axis_off()

        def write(text: str, x: float, y: float, size: float, **kwargs: Any) -> None:
            figure.text(x / width, 1 - y / height, text, fontsize=size, va="top", **kwargs)

        photo_height = top - side - 0.25
        photo_width = photo_height / aspect
        place(photo, side, side, photo_width, photo_height)
        right = side + photo_width + 0.35
        write("convloom run", right, side, 20, weight="bold")
        write(verdict, right, side + 0.5, 11, color=SOFT, linespacing=1.6)
        y = top
        for step, band, count in zip(steps, bands, rows, strict=True):
            layer = step.layer
            write(step.title, side, y + 0.14, 13, weight="bold")
            detail = (
                f"{layer.r}×{layer.s} stride {layer.stride[0]},  {layer.h}×{layer.w}×{layer.c} → "
                f"{layer.oh}×{layer.ow}×{layer.k},  {layer.macs / 1e6:.1f} M multiply-accumulates"
            )
            write(detail, side + 2.2, y + 0.175, 10, color=SOFT)
            y += band_head
            for index, (name, picture) in enumerate(band):
                row, column = divmod(index, COLUMNS)
                x = side + column * (tile + gap)
                place(picture, x, y + row * pitch, tile, tile * aspect)
                write(name, x, y + row * pitch + tile * aspect + 0.03, 8, color=SOFT)
            y += count * pitch

        def save(file: IO[bytes]) -> None:
            figure.savefig(file, format="png", dpi=140, facecolor=PAPER)

        write_atomically("picture", path, save)
        plt.close(figure)
