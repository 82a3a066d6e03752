# SPDX-License-Identifier: Apache-2.0
"""Releases of the vendor's HLS tools, as far as their pragmas differ."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from hlsc.errors import HlscError

__all__ = ["ALL", "Release", "named", "select"]


@dataclass(frozen=True, order=True)
class Release:
    """dialect: `vivado` (Vivado HLS, to 2020.1) or `vitis` (Vitis HLS, and v++ after it)."""

    dialect: str
    year: int
    number: int

    def __str__(self) -> str:
        return f"{self.dialect}-{self.year}.{self.number}"

    def at_least(self, year: int, number: int) -> bool:
        """Whether it is this release or a later one."""
        return (self.year, self.number) >= (year, number)


ALL: tuple[Release, ...] = (
    Release("vivado", 2019, 2),
    Release("vivado", 2020, 1),
    *(Release("vitis", 2020, n) for n in (1, 2)),
    *(Release("vitis", year, n) for year in range(2021, 2026) for n in (1, 2)),
    Release("vitis", 2026, 1),
)


def select(texts: Sequence[str]) -> list[Release]:
    """`all`, `vivado`, `vitis`, or single ones such as `vitis-2023.2`; HlscError names the nearest."""
    chosen: set[Release] = set()
    for text in texts:
        found = [r for r in ALL if text in ("all", r.dialect, str(r))]
        if not found:
            wanted = re.fullmatch(r"(vivado|vitis)-(\d+)\.(\d+)", text)
            near = [r for r in ALL if wanted and r.dialect == wanted[1]]
            hint = ", such as " + str(
                min(
                    near, key=lambda r: abs(r.year * 4 + r.number - int(wanted[2]) * 4 - int(wanted[3]))
                )
                if near and wanted
                else ALL[-1]
            )
            raise HlscError(f"--tool must be all, vivado, vitis or a release{hint}, not {text!r}")
        chosen.update(found)
    return [r for r in ALL if r in chosen]


def named(releases: Sequence[Release]) -> str:
    """Some releases in few words: whole dialects by name, runs as `vitis-2020.2 to 2022.1`."""
    parts = []
    for dialect, title in (("vivado", "Vivado HLS"), ("vitis", "Vitis")):
        every = [r for r in ALL if r.dialect == dialect]
        hit = [r for r in every if r in releases]
        if not hit:
            continue
        if hit == every:
            parts.append(title)
        elif len(hit) == 1:
            parts.append(f"{title} {hit[0].year}.{hit[0].number}")
        else:
            parts.append(f"{title} {hit[0].year}.{hit[0].number} to {hit[-1].year}.{hit[-1].number}")
    return " and ".join(parts)
