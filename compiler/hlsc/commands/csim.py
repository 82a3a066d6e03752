# SPDX-License-Identifier: Apache-2.0
"""`hlsc csim FILES… --tb TB… --top NAME`: the test bench, compiled natively and run.

The exit code is the bench's own (1 if a signal or the time limit ended it).  With `--dataflow threads`
the calls that it made run again, processes at once on FIFOs of declared depth.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from hlsc.commands.common import add_bench, add_sources, bench_files, compiling, show_output
from hlsc.errors import HlscError

__all__ = ["add", "run"]


def add(commands: Any) -> None:
    """Declare the command."""
    csim = commands.add_parser("csim", help="run a C++ or C test bench natively")
    add_sources(csim)
    add_bench(csim)
    csim.add_argument(
        "--dataflow",
        default="sequence",
        metavar="MODE",
        help="sequence: processes one after the other; threads: at once, on FIFOs of declared depth",
    )


def run(options: argparse.Namespace) -> int:
    """Do it; exit code."""
    from hlsc.testbench import Testbench

    if options.dataflow not in ("sequence", "threads"):
        raise HlscError(f"--dataflow must be sequence or threads, not {options.dataflow}")
    benches, running = bench_files(options)
    if options.dataflow == "threads":
        return _threads(options, benches, running)
    bench = Testbench(options.files, benches, options.top, **compiling(options))
    result = bench.run(**running)
    show_output(result)
    if result.ending:
        print(f"csim: the test bench {result.ending}", file=sys.stderr)
    if result.timed_out or result.code < 0:
        return 1
    return result.code


def _threads(options: argparse.Namespace, benches: list[Path], running: dict[str, Any]) -> int:
    from hlsc.dataflow import difference, explain_run, recorded_run

    flow, result, run = recorded_run(options.files, benches, options.top, running, **compiling(options))
    show_output(result)
    problem = f"the test bench {result.ending}" if result.ending else ""
    if run is not None:
        problem = explain_run(flow, run, result.arguments, result.calls)
        problem = problem or difference(flow, run, result.arguments, result.calls)
    if problem:
        print(f"csim: {problem}", file=sys.stderr)
        return 1
    processes = len(flow.program.processes)
    print(f"csim of {options.top}: {len(result.calls)} calls on {processes} processes at once")
    return 0
