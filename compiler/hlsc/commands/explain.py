# SPDX-License-Identifier: Apache-2.0
"""`hlsc explain FILES… --top NAME`: why each loop has its II, and what would lift it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hlsc.commands import common

__all__ = ["add", "run"]


def add(commands: Any) -> None:
    """Declare the command."""
    explain = commands.add_parser("explain", help="why each loop has its II, and what would lift it")
    common.add_sources(explain)
    common.add_target(explain)
    common.add_bench(explain, required=False)
    explain.add_argument("--html", type=Path, metavar="FILE", help="write it as one HTML page")


def run(options: argparse.Namespace) -> int:
    """Do it; 1 if the co-simulation asked for fails."""
    from hlsc.explain import explain
    from hlsc.explain_html import html
    from hlsc.explain_text import text

    benches: list[Path] = []
    running: dict[str, Any] = {}
    if options.tb:
        benches, running = common.bench_files(options)
    found = explain(
        options.files,
        options.top,
        benches=benches,
        running=running,
        **common.targeting(options),
        **common.compiling(options),
    )
    print(text(found), end="")
    if options.html:
        options.html.write_text(html(found))
        print(f"wrote {options.html}")
    return 1 if found.problems else 0
