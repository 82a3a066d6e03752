# SPDX-License-Identifier: Apache-2.0
"""`hlsc cosim FILES… --tb TB… --top NAME`: the test bench natively, and its calls on the RTL."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from hlsc.commands import common
from hlsc.errors import HlscError

__all__ = ["add", "run"]


def add(commands: Any) -> None:
    """Declare the command."""
    cosim = commands.add_parser("cosim", help="replay the calls of a test bench on the RTL")
    common.add_sources(cosim)
    common.add_bench(cosim)
    common.add_target(cosim)
    cosim.add_argument(
        "--stall",
        default="none",
        metavar="MODE",
        help="none, periodic or random stalls of every stream",
    )
    cosim.add_argument("--seed", default="0", metavar="N", help="of the stalls and of initial values")
    cosim.add_argument(
        "--trace",
        nargs="?",
        const="",
        metavar="FILE",
        help="write the waves as VCD (NAME.vcd)",
    )
    common.add_json(cosim, "the result")


def run(options: argparse.Namespace) -> int:
    """Do it; exit code."""
    from hlsc.cosim import cosim

    benches, running = common.bench_files(options)
    if not options.seed.isdecimal():
        raise HlscError(f"--seed must be a whole number, not {options.seed!r}")
    trace = None if options.trace is None else Path(options.trace or f"{options.top}.vcd")
    found = cosim(
        options.files,
        benches,
        options.top,
        **common.targeting(options),
        stall=options.stall,
        seed=int(options.seed),
        trace=trace,
        **common.compiling(options),
        **running,
    )
    if options.json:
        print(json.dumps(found.as_dict(), indent=2))
        return 0 if found.passed else 1
    common.show_output(found.bench)
    for problem in found.problems:
        print(f"cosim: {problem}", file=sys.stderr)
    if found.calls:
        print(found.summary())
    return 0 if found.passed else 1
