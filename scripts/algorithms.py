#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Write the tables of docs/algorithms.md, between its markers, from runs of references and lowerings.

usage: algorithms.py [--check] [--formulas] [FILE]; --check changes nothing (exit code 1 when a table
is outdated); --formulas leaves the references' runs out and takes their formulas, which saves most of
the time. Exit code 1 also when a formula is not what was measured.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from algorithms_cost import (
    CPU,
    WAYS,
    CpuCost,
    KernelCost,
    cpu_formula,
    cpu_measured,
    kernel_cost,
)

from convloom.commands.text import table
from convloom.errors import ConvloomError
from convloom.suites import SuiteLayer, load_suite, square_layer

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "algorithms.md"
_MARKED = re.compile(r"(<!-- table: (?P<name>[\w ]+) -->\n).*?(<!-- end -->)", re.DOTALL)

_RESNET18 = load_suite("resnet18")
FIVE = (
    *(_RESNET18[i] for i in (0, 1, 7, 3)),
    square_layer(112, 32, 32, 3, groups=32),
)
"""Four layers of ResNet-18 that differ, and the first depthwise layer of MobileNet."""

Measure = Callable[[str, SuiteLayer], "CpuCost | None"]


def _number(value: int) -> str:
    return f"{value:,}"


@lru_cache
def _kernel(kernel: str, lowering: str, example: SuiteLayer) -> KernelCost | str:
    return kernel_cost(kernel, lowering, example.layer)


def measured(name: str, example: SuiteLayer) -> CpuCost | None:
    """A reference's run, which must be what its formula says."""
    found, formula = cpu_measured(name, example.layer), cpu_formula(name, example.layer)
    if found != formula:
        raise ConvloomError(f"{name} on {example.title}: formula must be {found} as run, not {formula}")
    return found


def by_formula(name: str, example: SuiteLayer) -> CpuCost | None:
    return cpu_formula(name, example.layer)


def cpu_table(name: str, examples: Sequence[SuiteLayer], measure: Measure) -> str:
    """Multiplications and extra bytes of a reference."""
    head = ["layer", "multiplications", "of R·S·C·K·OH·OW", "extra bytes: formula", "measured"]
    weights = name.startswith("winograd")
    head += ["weights rewritten"] if weights else []
    rows = []
    for example in examples:
        cost, formula = measure(name, example), cpu_formula(name, example.layer)
        if cost is None or formula is None:
            rows.append([example.title, "refused", *[""] * (len(head) - 2)])
            continue
        share = f"{cost.multiplications / example.layer.macs:.0%}"
        cells = [_number(cost.multiplications), share, _number(formula.extra), _number(cost.extra)]
        rows.append([example.title, *cells, *([_number(cost.weights)] if weights else [])])
    return table(head, rows, right=head[1:])


def kernel_table(kernel: str, lowering: str, examples: Sequence[SuiteLayer]) -> str:
    """Bytes of the job of a lowering on each stream, and why there is none."""
    head = ["layer", "multiplications", "in0: formula", "measured", "in1: formula", "measured ", "out"]
    head += ["host buffer", "map on chip"]
    rows, notes = [], []
    for example in examples:
        cost = _kernel(kernel, lowering, example)
        if isinstance(cost, str):
            rows.append([example.title, "refused", *[""] * (len(head) - 2)])
            notes.append(f"- {example.title}: {cost}")
            continue
        if cost.formula != (cost.in0, cost.in1):
            raise ConvloomError(
                f"{kernel} {lowering} on {example.title}: formula must be {(cost.in0, cost.in1)} "
                f"as lowered, not {cost.formula}"
            )
        pairs = (cost.formula[0], cost.in0, cost.formula[1], cost.in1)
        numbers = (cost.multiplications, *pairs, cost.out, cost.buffer, cost.on_chip)
        rows.append([example.title, *map(_number, numbers)])
    return "\n".join([table(head, rows, right=head[1:]), *(["", *notes] if notes else [])])


def overview(examples: Sequence[SuiteLayer]) -> str:
    """Bytes of all streams for every kernel and lowering; the least of a layer is bold."""
    head = ["layer", *(f"{kernel} {lowering}" for kernel, lowering in WAYS)]
    rows = []
    for example in examples:
        costs = [_kernel(*way, example) for way in WAYS]
        least = min(c.total for c in costs if isinstance(c, KernelCost))
        cells = []
        for cost in costs:
            if isinstance(cost, str):
                cells.append("refused")
            else:
                cells.append(
                    f"**{_number(cost.total)}**" if cost.total == least else _number(cost.total)
                )
        rows.append([example.title, *cells])
    return table(head, rows, right=head[1:])


def names() -> tuple[str, ...]:
    """Of all tables."""
    return ("overview", *(f"cpu {n}" for n in CPU), *(f"{k} {lowering}" for k, lowering in WAYS))


def block(name: str, measure: Measure = measured) -> str:
    """The text of the table of that name."""
    first, _, rest = name.partition(" ")
    if name == "overview":
        return overview(FIVE)
    if first == "cpu" and rest in CPU:
        return cpu_table(rest, FIVE, measure)
    if (first, rest) in WAYS:
        return kernel_table(first, rest, FIVE)
    raise ConvloomError(f"table must be one of {', '.join(names())}, not {name!r}")


def marked(text: str) -> dict[str, str]:
    """Name and content of the tables in the document."""
    return {m["name"]: m[0][len(m[1]) : -len(m[3])] for m in _MARKED.finditer(text)}


def updated(text: str, measure: Measure = measured) -> str:
    """The document with every table written anew; all tables must have their markers in it."""
    missing = [n for n in names() if n not in marked(text)]
    if missing:
        raise ConvloomError(f"document must have a marked table {missing[0]!r}, and has none")
    return _MARKED.sub(lambda m: f"{m[1]}{block(m['name'], measure)}\n{m[3]}", text)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", nargs="?", type=Path, default=DOCUMENT)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--formulas", action="store_true")
    args = parser.parse_args(argv)
    try:
        text = args.file.read_text(encoding="utf-8")
        new = updated(text, by_formula if args.formulas else measured)
    except (ConvloomError, OSError) as error:
        print(f"algorithms: {error}", file=sys.stderr)
        return 1
    if args.check:
        if new != text:
            print(
                f"algorithms: {args.file.name} must be up to date; run scripts/{Path(__file__).name}",
                file=sys.stderr,
            )
        return int(new != text)
    args.file.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
