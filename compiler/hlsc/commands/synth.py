# SPDX-License-Identifier: Apache-2.0
"""`hlsc synth FILES… --top NAME`: SystemVerilog and a report."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from hlsc.commands.common import add_sources, add_target, clock, defines

__all__ = ["add", "run"]


def add(commands: Any) -> None:
    """Declare the command."""
    synth = commands.add_parser("synth", help="synthesise a top function to SystemVerilog")
    add_sources(synth)
    add_target(synth)
    synth.add_argument(
        "--out",
        type=Path,
        default=Path("."),
        metavar="DIR",
        help="where NAME.sv and report.json go (.)",
    )
    synth.add_argument(
        "--dump",
        action="append",
        default=[],
        metavar="STAGE",
        help="also write NAME.STAGE.txt; 'all' for every stage, 'list' shows their names",
    )
    synth.add_argument("--strict", action="store_true", help="a warning is an error")
    synth.add_argument("--json", action="store_true", help="print the report as JSON")


def run(options: argparse.Namespace) -> int:
    """Do it; exit code."""
    from hlsc.report import table
    from hlsc.synth import STAGES, synthesize

    if "list" in options.dump:
        print("\n".join(STAGES))
        return 0
    result = synthesize(
        options.files,
        options.top,
        clock_ns=clock(options.clock),
        part=options.part,
        directives=options.directives,
        include_dirs=options.include,
        defines=defines(options.define),
        out_dir=options.out,
        dump=STAGES if "all" in options.dump else options.dump,
        strict=options.strict,
    )
    for warning in result.report["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)
    if options.json:
        print(json.dumps(result.report, indent=2))
    else:
        print(table(result.report), end="")
        for path in (result.sv_path, result.report_path, *result.dumps):
            print(f"wrote {path}")
    return 0
