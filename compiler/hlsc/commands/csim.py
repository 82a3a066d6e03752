# SPDX-License-Identifier: Apache-2.0
"""`hlsc csim FILES… --tb TB… --top NAME`: the test bench, compiled natively and run.

The exit code is the bench's own (1 if a signal or the time limit ended it).
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

from hlsc.commands.common import add_bench, add_sources, bench_files, compiling, show_output

__all__ = ["add", "run"]


def add(commands: Any) -> None:
    """Declare the command."""
    csim = commands.add_parser("csim", help="run a C++ or C test bench natively")
    add_sources(csim)
    add_bench(csim)


def run(options: argparse.Namespace) -> int:
    """Do it; exit code."""
    from hlsc.testbench import Testbench

    benches, running = bench_files(options)
    bench = Testbench(options.files, benches, options.top, **compiling(options))
    result = bench.run(**running)
    show_output(result)
    if result.ending:
        print(f"csim: the test bench {result.ending}", file=sys.stderr)
    if result.timed_out or result.code < 0:
        return 1
    return result.code
