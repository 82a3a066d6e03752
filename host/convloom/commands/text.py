# SPDX-License-Identifier: Apache-2.0
"""What commands print: tables, sizes and progress."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

__all__ = ["Progress", "size", "table"]


def size(count: float) -> str:
    """A count with at most three or four digits and its unit prefix: 950, 17.7k, 2.36M."""
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= limit:
            value = count / limit
            return f"{value:.2f}{unit}" if value < 10 else f"{value:.1f}{unit}"
    return f"{count:.0f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> str:
    """A Markdown table with aligned columns; the columns named in `right` are set to the right."""
    widths = [max(len(row[i]) for row in (head, *rows)) for i in range(len(head))]
    to_right = [name in right for name in head]

    def line(cells: Sequence[str]) -> str:
        parts = (
            c.rjust(n) if r else c.ljust(n) for c, n, r in zip(cells, widths, to_right, strict=True)
        )
        return f"| {' | '.join(parts)} |"

    rule = [f"{'-' * (n - 1)}:" if r else "-" * n for n, r in zip(widths, to_right, strict=True)]
    return "\n".join([line(head), line(rule), *(line(row) for row in rows)])


class Progress:
    """Steps done of a known total: a bar on a terminal, one line per step elsewhere."""

    WIDTH = 28

    def __init__(self, total: int, stream: TextIO | None = None) -> None:
        self.total, self.done = total, 0
        self.stream = stream if stream is not None else sys.stderr
        self.live = self.stream.isatty()

    def _show(self, text: str) -> None:
        if self.live:
            full = self.WIDTH * self.done // max(1, self.total)
            bar = "█" * full + "░" * (self.WIDTH - full)
            self.stream.write(f"\r\x1b[K{bar} {self.done}/{self.total} {text[:60]}")
        else:
            self.stream.write(f"[{self.done}/{self.total}] {text}\n")
        self.stream.flush()

    def begin(self, text: str) -> None:
        """Name the step that starts now; a terminal shows it at once."""
        if self.live:
            self._show(text)

    def end(self, text: str) -> None:
        """The step is done."""
        self.done += 1
        self._show(text)

    def close(self) -> None:
        """Clear the bar."""
        if self.live:
            self.stream.write("\r\x1b[K")
            self.stream.flush()
