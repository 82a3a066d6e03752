# SPDX-License-Identifier: Apache-2.0
"""What a kernel bench is told: jobs (one layer each), cases (jobs under stalls and resets), a plan.

    job = Job(registers={"beats": 4}, inputs={"in0": [beats]}, outputs={"out": [beats]})
    plan = Plan(offsets={"beats": 0x10}, inputs=("in0",), outputs=("out",),
                cases=(Case("plain", (job,)), Case("stalled", (job, job), stall_in="random")))
    figures = run_kernel(Design(sources, "kernel"), plan, "my_kernel", seed=7)

The simulation is another process: jobs and plan travel as files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.runner import PAUSES, simulate
from bench.verilate import Design
from hlsc import toolchain

__all__ = ["PLAN_VARIABLE", "Case", "Figures", "Job", "Plan", "load_plan", "run_kernel"]

Beats = npt.NDArray[np.uint64]
PLAN_VARIABLE = "BENCH_PLAN"


@dataclass(frozen=True)
class Job:
    """One run of the kernel.

    `registers` are written before the start, `results` read after the end (names of `Plan.offsets`);
    `inputs` and `outputs` hold per stream its transfers, each an array of 64-bit beats that ends with
    TLAST.  `note` is free text or JSON for `Plan.explain`.
    """

    registers: Mapping[str, int]
    inputs: Mapping[str, Sequence[Beats]]
    outputs: Mapping[str, Sequence[Beats]]
    results: Mapping[str, int] = field(default_factory=dict)
    note: str = ""

    def save(self, path: Path) -> None:
        meta = {
            "registers": dict(self.registers),
            "results": dict(self.results),
            "note": self.note,
            "inputs": {k: len(v) for k, v in self.inputs.items()},
            "outputs": {k: len(v) for k, v in self.outputs.items()},
        }
        arrays: dict[str, Any] = {
            f"{side}.{stream}.{i}": np.asarray(beats, np.uint64)
            for side in ("inputs", "outputs")
            for stream, transfers in getattr(self, side).items()
            for i, beats in enumerate(transfers)
        }
        np.savez(path, meta=np.array(json.dumps(meta)), **arrays)

    @staticmethod
    def load(path: Path) -> Job:
        with np.load(path, allow_pickle=False) as file:
            meta = json.loads(str(file["meta"]))
            sides = {
                side: {
                    stream: [file[f"{side}.{stream}.{i}"] for i in range(count)]
                    for stream, count in meta[side].items()
                }
                for side in ("inputs", "outputs")
            }
        return Job(meta["registers"], sides["inputs"], sides["outputs"], meta["results"], meta["note"])


@dataclass(frozen=True)
class Case:
    """Jobs that run one after the other, without a reset between them.

    `stall_in`, `stall_out`, `stall_control`: names of `PAUSES`, for the input streams, the output
    streams and every AXI4-Lite channel.  `reset_after`: run the first job until that many beats have
    moved in all, reset, and start over.  `early`: the inputs of a job wait before it is started.
    `prefix` stands before the names of the top's ports.  `expect_failure`: the case passes only if it
    fails with a message that this regular expression finds (for mutants).
    """

    name: str
    jobs: tuple[Job, ...]
    stall_in: str = "none"
    stall_out: str = "none"
    stall_control: str = "none"
    reset_after: int | None = None
    early: bool = False
    prefix: str = ""
    expect_failure: str = ""

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"name of a case must be letters, digits and _, not {self.name!r}")
        for kind in (self.stall_in, self.stall_out, self.stall_control):
            if kind not in PAUSES:
                raise ValueError(f"stall pattern must be one of {', '.join(PAUSES)}, not {kind!r}")


@dataclass(frozen=True)
class Plan:
    """Cases for one design.

    `offsets`: byte offsets of scalar registers by name (an output scalar's control word stands behind
    its data).  `limit`: cycles that one job may take; `quiet`: cycles in which no beat moves, after
    which the kernel is taken to hang.  `explain`: "module:function", called in the simulation as
    function(job, stream, transfer, beat) for the text that says what a beat holds.
    """

    offsets: Mapping[str, int]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    cases: tuple[Case, ...]
    control: str = "s_axi_control"
    limit: int = 200_000
    quiet: int = 5_000
    explain: str = ""


@dataclass(frozen=True)
class Figures:
    """Of one job of one case: cycles from ap_start to the last output beat, and beats per stream."""

    cycles: int
    beats: Mapping[str, int]


def run_kernel(
    design: Design,
    plan: Plan,
    name: str,
    *,
    seed: int,
    timeout: float = 100,
    trace_on_failure: bool = True,
) -> dict[str, list[Figures]]:
    """Simulate every case; figures per job, by case (also in `build/bench/<name>/cycles.json`).

    Raises BenchFailure, with the first differing beat of each failed case, and ToolError.
    """
    names = [case.name for case in plan.cases]
    if len(set(names)) != len(names):
        raise ValueError("names of cases must differ")
    directory = toolchain.build_root() / "bench" / name
    directory.mkdir(parents=True, exist_ok=True)
    figures = directory / "cycles.json"
    figures.unlink(missing_ok=True)
    _save_plan(plan, directory)
    env = {PLAN_VARIABLE: str(directory / "plan.json")}
    cases = simulate(
        design,
        "bench.kernel_bench",
        name,
        seed=seed,
        env=env,
        timeout=timeout,
        trace_on_failure=trace_on_failure,
    )
    assert len(cases) == len(names), "every case must have been run"
    found = json.loads(figures.read_text())
    return {case: [Figures(**f) for f in jobs] for case, jobs in found.items()}


def _save_plan(plan: Plan, directory: Path) -> None:
    """`plan.json`, and each distinct job once as `job<i>.npz`."""
    for old in directory.glob("job*.npz"):
        old.unlink()
    numbers: dict[int, int] = {}
    cases = []
    for case in plan.cases:
        for job in case.jobs:
            if id(job) not in numbers:
                numbers[id(job)] = len(numbers)
                job.save(directory / f"job{numbers[id(job)]}.npz")
        flat = {k: v for k, v in vars(case).items() if k != "jobs"}
        cases.append({**flat, "jobs": [f"job{numbers[id(job)]}.npz" for job in case.jobs]})
    text = {**{k: v for k, v in vars(plan).items() if k != "cases"}, "cases": cases}
    (directory / "plan.json").write_text(json.dumps(text, indent=1, default=dict) + "\n")


def load_plan(path: Path) -> Plan:
    """The plan that `run_kernel` wrote; used inside the simulation."""
    text = json.loads(path.read_text())
    jobs: dict[str, Job] = {}
    cases = []
    for case in text.pop("cases"):
        for file in case["jobs"]:
            if file not in jobs:
                jobs[file] = Job.load(path.parent / file)
        cases.append(Case(**{**case, "jobs": tuple(jobs[file] for file in case["jobs"])}))
    text = {**text, "inputs": tuple(text["inputs"]), "outputs": tuple(text["outputs"])}
    return Plan(**text, cases=tuple(cases))


def save_figures(path: Path, case: str, figures: Sequence[Figures]) -> None:
    """Add one case to the file of figures."""
    found = json.loads(path.read_text()) if path.is_file() else {}
    found[case] = [asdict(f) for f in figures]
    path.write_text(json.dumps(found, indent=1) + "\n")
