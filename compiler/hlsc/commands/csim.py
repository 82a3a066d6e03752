# SPDX-License-Identifier: Apache-2.0
"""`hlsc csim FILES… --tb TB… --top NAME`: the test bench, compiled natively and run.

The exit code is the bench's own (1 if a signal or the time limit ended it).  With `--dataflow threads`
the calls that it made run again, processes at once on FIFOs of declared depth.  DEPENDENCE pragmas are
held against what the calls do: one that does not hold fails the run.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import Any

from hlsc.commands import common
from hlsc.errors import HlscError
from hlsc.testbench import Result

__all__ = ["add", "run"]


def add(commands: Any) -> None:
    """Declare the command."""
    csim = commands.add_parser("csim", help="run a C++ or C test bench natively")
    common.add_sources(csim)
    common.add_bench(csim)
    common.add_directives(csim)
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
    benches, running = common.bench_files(options)
    if options.dataflow == "threads":
        return _threads(options, benches, running)
    if _claims(options):
        return _watched(options, benches, running)
    bench = Testbench(options.files, benches, options.top, **common.compiling(options))
    return _verdict(bench.run(**running))


def _verdict(result: Result) -> int:
    common.show_output(result)
    if result.ending:
        print(f"csim: the test bench {result.ending}", file=sys.stderr)
    if result.timed_out or result.code < 0:
        return 1
    return result.code


def _claims(options: argparse.Namespace) -> bool:
    """Whether the directives, sources, or headers beside them or on the include path speak of
    DEPENDENCE."""
    from hlsc.frontend.directives import read_directives

    given = read_directives(options.directives) if options.directives else ()
    if any(d.pragma.name == "DEPENDENCE" for d in given):
        return True
    folders = {p.absolute().parent for p in options.files} | set(options.include)
    headers = [h for folder in folders for h in folder.glob("*.h*") if h.is_file()]
    pragma = re.compile(r"#\s*pragma\s+HLS\s+DEPENDENCE\b|_Pragma\(.*HLS\s+DEPENDENCE\b", re.I)
    return any(
        p.is_file() and pragma.search(p.read_text(errors="replace")) for p in (*options.files, *headers)
    )


def _watched(options: argparse.Namespace, benches: list[Path], running: dict[str, Any]) -> int:
    """The bench, then its calls on the compiler's view of the design, where accesses are watched."""
    from hlsc.dataflow import recorded_run
    from hlsc.testbench import Testbench

    given = common.compiling(options)
    try:
        how = {"directives": options.directives, "bounded": False, **given}
        _, result, run = recorded_run(options.files, benches, options.top, running, **how)
    except HlscError as error:
        print(f"csim: DEPENDENCE is not checked: {error}", file=sys.stderr)
        return _verdict(Testbench(options.files, benches, options.top, **given).run(**running))
    code = _verdict(result)
    for violation in run.violations if run else ():
        print(f"csim: {violation}", file=sys.stderr)
    return code or int(bool(run and run.violations))


def _threads(options: argparse.Namespace, benches: list[Path], running: dict[str, Any]) -> int:
    from hlsc.dataflow import difference, explain_run, recorded_run

    how = {"directives": options.directives, **common.compiling(options)}
    flow, result, run = recorded_run(options.files, benches, options.top, running, **how)
    common.show_output(result)
    problem = f"the test bench {result.ending}" if result.ending else ""
    if run is not None:
        problem = explain_run(flow, run, result.arguments, result.calls)
        problem = problem or difference(flow, run, result.arguments, result.calls)
        problem = problem or "\ncsim: ".join(str(v) for v in run.violations)
    if problem:
        print(f"csim: {problem}", file=sys.stderr)
        return 1
    processes = len(flow.program.processes)
    print(f"csim of {options.top}: {len(result.calls)} calls on {processes} processes at once")
    return 0
