# SPDX-License-Identifier: Apache-2.0
"""`hlsc synth FILES… --top NAME`: SystemVerilog and a report."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from hlsc.commands import common

__all__ = ["add", "run"]


def add(commands: Any) -> None:
    """Declare the command."""
    synth = commands.add_parser("synth", help="synthesise a top function to SystemVerilog")
    common.add_sources(synth)
    common.add_target(synth)
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
    common.add_json(synth, "the report")


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
        **common.targeting(options),
        **common.compiling(options),
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
