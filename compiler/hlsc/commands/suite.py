# SPDX-License-Identifier: Apache-2.0
"""`hlsc suite DIR`: a checkout of HLS examples through co-simulation, and how many pass."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hlsc.commands import common

__all__ = ["add", "run"]


def add(commands: Any) -> None:
    """Declare the command."""
    suite = commands.add_parser("suite", help="co-simulate every example of a checkout")
    suite.add_argument(
        "root",
        type=Path,
        metavar="DIR",
        help="with hls_config.cfg or run_hls.tcl below, or a list file",
    )
    suite.add_argument("--only", default="", metavar="TEXT", help="cases whose name holds TEXT")
    suite.add_argument("--stall", default="none", metavar="MODE", help="as of cosim (%(default)s)")
    suite.add_argument("--jobs", default=0, type=int, metavar="N", help="cases at a time")
    suite.add_argument(
        "--timeout", default="300", metavar="S", help="seconds for each case (%(default)s)"
    )
    common.add_json(suite, "the outcomes")


def run(options: argparse.Namespace) -> int:
    """Do it; 1 if a case is wrong, crashes or takes too long."""
    from hlsc.suite import VERDICTS, run_suite

    found = []
    for outcome in run_suite(
        options.root,
        stall=options.stall,
        timeout=common.positive("--timeout", options.timeout),
        jobs=options.jobs,
        only=options.only,
    ):
        found.append(outcome)
        line = f"{outcome.verdict:8} {outcome.seconds:5.1f} s  {outcome.name}"
        print(line + (f": {outcome.reason}" if outcome.reason else ""), file=sys.stderr, flush=True)
    counts = {v: sum(o.verdict == v for o in found) for v in VERDICTS}
    if options.json:
        outcomes = [asdict(o) for o in sorted(found, key=lambda o: o.name)]
        print(json.dumps({"counts": counts, "cases": outcomes}, indent=2))
    else:
        print(f"{len(found)} cases: " + ", ".join(f"{n} {v}" for v, n in counts.items()))
    return 1 if counts["wrong"] + counts["crash"] + counts["timeout"] else 0
