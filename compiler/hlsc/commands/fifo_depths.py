# SPDX-License-Identifier: Apache-2.0
"""`hlsc fifo-depths FILES… --tb TB… --top NAME`: FIFO depths from a run of the test bench."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from hlsc.commands import common

__all__ = ["add", "run"]


def add(commands: Any) -> None:
    """Declare the command."""
    depths = commands.add_parser("fifo-depths", help="propose FIFO depths from a test bench's run")
    common.add_sources(depths)
    common.add_bench(depths)
    common.add_directives(depths)
    common.add_json(depths, "the depths")


def run(options: argparse.Namespace) -> int:
    """Do it; 1 if no depths let the design end."""
    from hlsc.dataflow import explain_run, proposals, recorded_run

    benches, running = common.bench_files(options)
    flow, result, done = recorded_run(
        options.files,
        benches,
        options.top,
        running,
        directives=options.directives,
        **common.compiling(options),
    )
    if done is None:
        common.show_output(result)
        print(f"fifo-depths: the test bench {result.ending}", file=sys.stderr)
        return 1
    rows = proposals(flow, done, result.arguments, result.calls)
    if rows is None:
        print(
            f"fifo-depths: {explain_run(flow, done, result.arguments, result.calls)}", file=sys.stderr
        )
        return 1
    if options.json:
        print(json.dumps(rows, indent=2))
        return 0
    if not rows:
        print(f"{options.top} has no FIFO")
    else:
        print("FIFO  declared  needed  most at once  words")
    for row in rows:
        print(f"{row['name']}  {row['declared']}  {row['needed']}  {row['high_water']}  {row['words']}")
        if row["needed"] > row["declared"]:
            print(f"  #pragma HLS STREAM variable={row['name']} depth={row['needed']}")
    return 0
