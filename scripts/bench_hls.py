# SPDX-License-Identifier: Apache-2.0
"""How long hlsc takes for about a hundred lines of HLS, from nothing: synthesis, and co-simulation.

Each command runs as a process of its own on an empty build directory, so that co-simulation compiles
the bench, Verilator's runtime and the model.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hlsc.errors import HlscError

__all__ = ["Times", "as_json", "measure", "printed", "shortfalls"]

TOP = "edge_runs"
FOLDER = Path(__file__).resolve().parents[1] / "examples" / TOP
SOURCE, BENCH = FOLDER / f"{TOP}.cpp", FOLDER / f"{TOP}_tb.cpp"
MOST = {"synth": 3.0, "cosim": 30.0}
"""Seconds that each may take."""


@dataclass(frozen=True)
class Times:
    """Seconds of one command: on the clock, and of processors."""

    command: str
    seconds: float
    processor_seconds: float


def measure(repeats: int) -> tuple[Times, ...]:
    """The fastest of `repeats` runs of each command."""
    return tuple(
        min((_run(command) for _ in range(max(1, repeats))), key=lambda t: t.seconds)
        for command in MOST
    )


def _run(command: str) -> Times:
    with tempfile.TemporaryDirectory(prefix="bench-hls-") as work:
        argv = [sys.executable, "-m", "hlsc", command, str(SOURCE), "--top", TOP]
        argv += ["--out", work] if command == "synth" else ["--tb", str(BENCH)]
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        done = subprocess.run(
            argv,
            env={**os.environ, "CONVLOOM_BUILD": f"{work}/build"},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        seconds = time.monotonic() - start
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise HlscError(f"hlsc {command} of {TOP} must succeed: {done.stderr.strip()}")
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Times(command, seconds, used)


def as_json(times: tuple[Times, ...]) -> dict[str, Any]:
    """Ready for `json.dumps`."""
    return {"lines": _lines(), "commands": [asdict(t) for t in times]}


def _lines() -> int:
    return len(SOURCE.read_text().splitlines())


def printed(times: tuple[Times, ...]) -> str:
    """A table."""
    rows = [f"{_lines()} lines of HLS ({TOP}.cpp), nothing built before", ""]
    rows += ["| command | seconds | processor seconds | at most |", "| --- | ---: | ---: | ---: |"]
    rows += [
        f"| hlsc {t.command} | {t.seconds:.1f} | {t.processor_seconds:.1f} | {MOST[t.command]:g} |"
        for t in times
    ]
    return "\n".join(rows)


def shortfalls(times: tuple[Times, ...]) -> list[str]:
    """Commands that took longer than they may."""
    return [
        f"hlsc {t.command} must take at most {MOST[t.command]:g} s, not {t.seconds:.1f}"
        for t in times
        if t.seconds > MOST[t.command]
    ]
