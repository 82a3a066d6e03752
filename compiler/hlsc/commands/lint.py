# SPDX-License-Identifier: Apache-2.0
"""`hlsc lint FILES…`: what the vendor's tools would pass over in silence; exit code 1 if it matters."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hlsc.commands import common

__all__ = ["add", "run"]


def add(commands: Any) -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "lint", help="pragmas and directives that a release of the vendor's tools passes over"
    )
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="C++ sources; .tcl, .cfg, .ini: directives"
    )
    parser.add_argument("--top", default="", metavar="NAME", help="top function: its interface too")
    parser.add_argument(
        "--tool",
        action="append",
        metavar="TOOL",
        help="all (default), vivado, vitis, or a release such as vitis-2023.2; may be repeated",
    )
    common.add_preprocessing(parser)
    common.add_json(parser, "the findings")


def run(options: argparse.Namespace) -> int:
    """Do it; exit code."""
    from hlsc.lint import lint, select

    releases = select(options.tool or ["all"])
    found = lint(options.files, options.top, releases, **common.compiling(options))
    if options.json:
        print(json.dumps([asdict(f) for f in found], indent=2))
    else:
        for finding in found:
            print(finding)
        if not found:
            print(f"nothing found for {releases[0]} to {releases[-1]}")
    return int(not all(f.is_note for f in found))
