# SPDX-License-Identifier: Apache-2.0
"""Every folder of examples/: its bench in C-simulation, the figures that it expects, its calls on RTL.

`expected.toml` of a folder: `clock_ns`, `control`, `ports`, and a table per variant (the sources with a
file of directives, or as they stand) with II and depth of each loop and the cycles of each call of the
bench (one number: of all of them); or with the processes that wait for each other and the depths that
resolve it.  `HLSC_GOLDEN=write` before pytest renews the figures.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hlsc.cli import main
from hlsc.cosim import Cosim, cosim
from hlsc.dataflow import proposals, recorded_run

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib  # type: ignore[no-redef]

ROOT = Path(__file__).parents[2] / "examples"
FOLDERS = sorted(p for p in ROOT.iterdir() if p.is_dir())
GENERAL = {"clock_ns", "control", "ports"}


@dataclass(frozen=True)
class Example:
    """One folder; `expected` is its file."""

    folder: Path
    expected: dict[str, Any]

    @staticmethod
    def of(folder: Path) -> Example:
        return Example(folder, tomllib.loads((folder / "expected.toml").read_text()))

    @property
    def top(self) -> str:
        return self.folder.name

    @property
    def sources(self) -> list[Path]:
        return [p for p in self.folder.glob(f"{self.top}.c*")]

    @property
    def benches(self) -> list[Path]:
        return [p for p in self.folder.glob(f"{self.top}_tb.c*")]

    def cosim(self, variant: dict[str, Any], **how: Any) -> Cosim:
        directives = self.folder / variant["directives"] if "directives" in variant else None
        clock = self.expected["clock_ns"]
        how = {"directives": directives, "clock_ns": clock, **how}
        return cosim(self.sources, self.benches, self.top, **how)


def latencies(variant: dict[str, Any], calls: int) -> list[int]:
    """Cycles of each call; one number is that of all."""
    found = variant["latency"]
    return [found] * calls if isinstance(found, int) else found


EXAMPLES = [Example.of(p) for p in FOLDERS]
VARIANTS = [(e, name, e.expected[name]) for e in EXAMPLES for name in e.expected if name not in GENERAL]
SOUND = [pytest.param(e, v, id=f"{e.top}-{name}") for e, name, v in VARIANTS if "waits" not in v]
STUCK = [pytest.param(e, v, id=f"{e.top}-{name}") for e, name, v in VARIANTS if "waits" in v]


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 10 and STUCK
    assert {p.suffix for e in EXAMPLES for p in e.sources} == {".c", ".cpp"}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e.top)
def test_bench_passes_in_c_simulation(example: Example) -> None:
    argv = ["csim", *example.sources, "--tb", *example.benches, "--top", example.top]
    assert main([str(a) for a in argv]) == 0


def renewed(text: str, variant: str, loops: dict[str, dict[str, int]], latency: list[int]) -> str:
    """expected.toml with the figures of one variant as they are."""
    figure = latency[0] if len(latency) > 8 and len(set(latency)) == 1 else latency
    lines = [f"loops.{n} = {{ ii = {x['ii']}, depth = {x['depth']} }}\n" for n, x in loops.items()]
    table = f"latency = {figure}\n" + ("".join(lines) or "loops = {}\n")
    pattern = rf"(^\[{variant}\]\n(?:directives.*\n)?)(?:latency.*\n|loops.*\n)+"
    return re.sub(pattern, lambda m: m.group(1) + table, text, flags=re.M)


@pytest.mark.parametrize(("example", "variant"), SOUND)
def test_figures_and_results(
    example: Example, variant: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    found = example.cosim(variant)
    assert found.problems == ()
    report = found.report
    loops = {x["label"]: {"ii": x["ii"], "depth": x["depth"]} for x in report["loops"]}
    latency = [c.latency for c in found.calls]
    if os.environ.get("HLSC_GOLDEN") == "write":
        path = example.folder / "expected.toml"
        name = request.node.callspec.id.removeprefix(f"{example.top}-")
        path.write_text(renewed(path.read_text(), name, loops, latency))
        return
    assert loops == variant["loops"]
    assert latency == latencies(variant, len(found.bench.calls))
    assert report["control"]["protocol"] == example.expected["control"]
    ports = {p["name"]: f"{p['kind']} {p['direction']} {p['width']}" for p in report["ports"]}
    assert ports == example.expected["ports"]


@pytest.mark.parametrize(("example", "variant"), SOUND)
def test_results_under_random_stalls(example: Example, variant: dict[str, Any], seed: int) -> None:
    found = example.cosim(variant, stall="random", seed=seed)
    assert found.problems == ()
    assert len(found.calls) == len(latencies(variant, len(found.bench.calls)))


@pytest.mark.parametrize(("example", "variant"), STUCK)
def test_deadlock_is_explained_and_resolved(
    example: Example, variant: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = example.cosim(variant)
    assert not found.passed and found.calls == ()
    text = found.problems[-1]
    waiting = ", ".join(w.split()[0] for w in variant["waits"])
    assert f"deadlock: {waiting} wait for each other" in text
    for process, verb, fifo in (w.split() for w in variant["waits"]):
        assert any(process in x and f"waits to {verb} {fifo}:" in x for x in text.splitlines()), text
    argv = ["csim", *example.sources, "--tb", *example.benches, "--top", example.top]
    assert main([*map(str, argv), "--dataflow", "threads"]) == 1
    assert text.split(": ", 1)[1] in capsys.readouterr().err
    # What hlsc proposes lets it end.
    flow, result, run = recorded_run(example.sources, example.benches, example.top, {})
    assert run is not None
    rows = proposals(flow, run, result.arguments, result.calls) or []
    needs = {r["name"]: r["needed"] for r in rows if r["needed"] > r["declared"]}
    assert needs == variant["needs"]
    lines = [f"syn.directive.stream={example.top} variable={n} depth={d}\n" for n, d in needs.items()]
    path = tmp_path / "depths.cfg"
    path.write_text("".join(lines))
    assert example.cosim({}, directives=path).passed
