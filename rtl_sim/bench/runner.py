# SPDX-License-Identifier: Apache-2.0
"""Runs cocotb tests on a Verilated design: cached builds, time limits, a waveform of what failed.

    results = simulate(Design((top_sv,), "top"), "bench.my_bench", "my_top", seed=7)

A failing run is repeated with its seed on a build with FST tracing; the error names the file.
"""

from __future__ import annotations

import itertools
import logging
import os
import random
import re
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.verilate import Design, model
from hlsc import toolchain
from hlsc.errors import ToolError

__all__ = ["PAUSES", "BenchFailure", "Case", "Design", "pauses", "simulate"]


class BenchFailure(Exception):
    """Tests of a bench failed; the text says which, why, and where the waveform lies."""


@dataclass(frozen=True)
class Case:
    """Outcome of one cocotb test: `failure` is "" where it passed."""

    name: str
    failure: str
    seconds: float


def simulate(
    design: Design,
    module: str,
    name: str,
    *,
    seed: int,
    tests: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    timeout: float = 100,
    trace_on_failure: bool = True,
) -> dict[str, Case]:
    """Run the cocotb tests of `module` (all, or those whose names are in `tests`) on `design`.

    Returns the cases by name.  Raises BenchFailure if one fails or none ran, ToolError if the design
    does not build or the simulation exceeds `timeout` seconds.  Files (log, results, waveform) are left
    in `build/bench/<name>/`; `env` is added to the simulation's environment.
    """
    directory = toolchain.build_root() / "bench" / name
    directory.mkdir(parents=True, exist_ok=True)
    cases, problem = _run(replace(design, vpi=True), module, directory, seed, tests, env, timeout)
    failed = [c for c in cases.values() if c.failure]
    if cases and not failed and not problem:
        return cases
    text = [
        f"{name}: {len(failed)} of {len(cases)} tests failed (seed {seed}); log: {directory / 'log'}"
    ]
    text += [f"{c.name}: {c.failure}" for c in failed] + [problem] * bool(problem)
    if not cases and not problem:
        text.append("a bench must run at least one test, not none")
    if trace_on_failure:
        # The rerun may outlast the caller's patience: what failed is said before it.
        logging.getLogger(__name__).error("%s", "\n".join(text))
        traced = replace(design, vpi=True, trace=True)
        chosen = [c.name for c in failed] or tests
        try:
            _run(traced, module, directory / "traced", seed, chosen, env, 3 * timeout)
            text.append(f"waveform: {directory / 'traced' / 'dump.fst'}")
        except ToolError as error:
            text.append(f"no waveform: {error}")
    raise BenchFailure("\n".join(text))


def _run(
    design: Design,
    module: str,
    directory: Path,
    seed: int,
    tests: Sequence[str],
    env: Mapping[str, str] | None,
    timeout: float,
) -> tuple[dict[str, Case], str]:
    """The cases, and what went wrong beside them ("" if nothing did)."""
    import cocotb_tools.config as config  # an optional part of the flow: not needed to import us
    import find_libpython

    library = config.libs_dir
    main = Path(config.share_dir) / "lib" / "verilator" / "verilator.cpp"
    link = [f"-Wl,-rpath,{library}", f"-L{library}", "-lcocotbvpi_verilator"]
    program = model(design, [main], link) / "sim"
    directory.mkdir(parents=True, exist_ok=True)
    results = directory / "results.xml"
    results.unlink(missing_ok=True)
    libpython = find_libpython.find_libpython()
    if libpython is None:
        raise ToolError(
            "cocotb needs Python's shared library: install a Python built with --enable-shared"
        )
    roots = [str(Path(__file__).resolve().parents[1])]
    variables = {
        "GPI_USERS": f"{libpython};{config.pygpi_entry_point()}",
        "PYGPI_PYTHON_BIN": sys.executable,
        "PYTHONPATH": os.pathsep.join(roots + [os.path.abspath(p) for p in sys.path]),
        "COCOTB_TOPLEVEL": design.top,
        "COCOTB_TEST_MODULES": module,
        "COCOTB_TEST_FILTER": "|".join(rf"\.{re.escape(t)}$" for t in tests),
        "COCOTB_RANDOM_SEED": str(seed),
        "COCOTB_RESULTS_FILE": str(results),
        "COCOTB_ANSI_OUTPUT": "0",
        "COCOTB_LOG_LEVEL": "INFO",
        "COCOTB_TRUST_INERTIAL_WRITES": "1",
        "TOPLEVEL_LANG": "verilog",
        **(env or {}),
    }
    out = toolchain.run(
        [program, *(["--trace"] if design.trace else [])],
        what=f"simulating {design.top}",
        cwd=directory,
        env=variables,
        timeout=timeout,
        check=False,
    )
    (directory / "log").write_text(out.stdout + out.stderr)
    if not results.is_file():
        tail = "\n".join((out.stdout + out.stderr).splitlines()[-30:])
        return {}, f"the simulation left no results (exit code {out.code}):\n{tail}"
    cases = {}
    for element in ET.parse(results).getroot().iter("testcase"):
        failure = element.find("failure")
        if failure is None:
            failure = element.find("error")
        cases[element.attrib["name"]] = Case(
            name=element.attrib["name"],
            failure="" if failure is None else _message(failure),
            seconds=float(element.get("time", "0")),
        )
    return cases, "" if out.code == 0 else f"the simulation ended with exit code {out.code}"


def _message(element: ET.Element) -> str:
    """The exception's own text, without the breakdown of the comparison that cocotb appends."""
    text = (element.get("message") or element.text or "failed").partition("\nassert ")[0].strip()
    kind = element.get("type") or ""
    return text if kind in ("", "AssertionError") else f"{kind}: {text}"


# ---------------------------------------------------------------------------------------- pauses

PAUSES: Mapping[str, Callable[[random.Random], Iterator[bool]] | None] = {
    "none": None,
    "periodic": lambda rng: itertools.cycle([True] * rng.randint(1, 3) + [False] * rng.randint(1, 2)),
    "random": lambda rng: _bursts(rng),
}
"""Stall patterns by name: True is a cycle in which a channel is held."""


def pauses(kind: str, rng: random.Random) -> Iterator[bool] | None:
    """A pause generator for cocotbext-axi (`set_pause_generator`); None for "none"."""
    make = PAUSES[kind]
    return None if make is None else make(rng)


def _bursts(rng: random.Random) -> Iterator[bool]:
    """Runs of 1 to 8 cycles, held or free with equal chance, so that long stalls occur too."""
    while True:
        held = rng.random() < 0.5
        for _ in range(rng.choice((1, 1, 2, 3, 8))):
            yield held
