# SPDX-License-Identifier: Apache-2.0
"""What every stage prints for one small kernel, held against tests/compiler/golden/<stage>.txt.

A difference is no fault in itself: look at it, and if it is meant, `HLSC_GOLDEN=write` before pytest
rewrites the files.  The kernel has a recurrence through a memory on purpose: the schedule that misses
its interval and says why is part of what is kept.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path

import pytest

from hlsc.report import table
from hlsc.synth import STAGES, SynthResult, synthesize

GOLDEN = Path(__file__).parent / "golden"
SOURCE, TOP = GOLDEN / "smooth.cpp", "smooth"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[SynthResult, Path]:
    """Result and directory of one synthesis with every dump."""
    out = tmp_path_factory.mktemp("golden")
    return synthesize([SOURCE], TOP, out_dir=out, dump=STAGES), out


def stable(stage: str, text: str) -> str:
    """Of LLVM IR the kernel alone, without numbers that any line of a header moves."""
    if stage not in {"llvm-raw", "llvm", "rotated"}:
        return text
    functions = re.findall(r"^define [^\n]*@smooth\(.*?^\}\n", text, re.MULTILINE | re.DOTALL)
    assert len(functions) == 1
    plain = re.sub(r",? !(?:dbg|tbaa|llvm\.loop) !\d+| #\d+", "", functions[0])
    return re.sub(r"; preds = .*", "; preds", plain)


def hold(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("HLSC_GOLDEN") == "write":
        path.write_text(text)
    kept = path.read_text() if path.is_file() else ""
    if text != kept:
        lines = difflib.unified_diff(
            kept.splitlines(), text.splitlines(), path.name, "now", n=1, lineterm=""
        )
        shown = "\n".join(list(lines)[:60])
        pytest.fail(f"{shown}\nif this is meant: HLSC_GOLDEN=write pytest {Path(__file__).name}")


@pytest.mark.parametrize("stage", STAGES)
def test_stage(stage: str, made: tuple[SynthResult, Path]) -> None:
    hold(stage, stable(stage, (made[1] / f"{TOP}.{stage}.txt").read_text()))


def test_report(made: tuple[SynthResult, Path]) -> None:
    result, out = made
    warnings = "".join(f"warning: {w}\n" for w in result.report["warnings"])
    hold("table", warnings + table(result.report))
    hold("report", (out / "report.json").read_text())


def test_every_golden_file_has_its_stage() -> None:
    assert {p.stem for p in GOLDEN.glob("*.txt")} == {*STAGES, "table", "report"}


def test_a_difference_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.environ", {})
    kept = (GOLDEN / "schedule.txt").read_text()
    with pytest.raises(pytest.fail.Exception, match=r"\+smooth\.smooth: ii 1"):
        hold("schedule", kept.replace("smooth.smooth: ii 2", "smooth.smooth: ii 1"))
