# SPDX-License-Identifier: Apache-2.0
"""`hlsc explain FILES… --top NAME`: why each loop has its II, and what would lift it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hlsc.commands.common import add_bench, add_sources, add_target, bench_files, clock, compiling

__all__ = ["add", "run"]


def add(commands: Any) -> None:
    """Declare the command."""
    explain = commands.add_parser("explain", help="why each loop has its II, and what would lift it")
    add_sources(explain)
    add_target(explain)
    add_bench(explain, required=False)
    explain.add_argument("--html", type=Path, metavar="FILE", help="write it as one HTML page")


def run(options: argparse.Namespace) -> int:
    """Do it; 1 if the co-simulation asked for fails."""
    from hlsc.explain import explain
    from hlsc.explain_html import html
    from hlsc.explain_text import text

    benches: list[Path] = []
    running: dict[str, Any] = {}
    if options.tb:
        benches, running = bench_files(options)
    found = explain(
        options.files,
        options.top,
        benches=benches,
        running=running,
        clock_ns=clock(options.clock),
        part=options.part,
        directives=options.directives,
        **compiling(options),
    )
    print(text(found), end="")
    if options.html:
        options.html.write_text(html(found))
        print(f"wrote {options.html}")
    return 1 if found.problems else 0
