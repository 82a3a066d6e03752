# SPDX-License-Identifier: Apache-2.0
"""hlsc suite: what a checkout's configurations say, and the verdict on each case."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hlsc.cli import main
from hlsc.suite import find_cases

DESIGN = "int twice(int x) {\n  return 2 * x;\n}\n"
BENCH = """#include <stdio.h>
int twice(int x);
int main(void) {{
  int x = 0;
  FILE *file = fopen("{file}", "r");
  if (!file || fscanf(file, "%d", &x) != 1) return 3;
  return twice(x) != {wanted};
}}
"""
CONFIG = """part=xc7z020clg400-1
[hls]
clock=8ns
syn.top=twice
syn.file=twice.c
tb.file=bench.c
tb.file={data}
"""
TCL = """# two projects with the same files
open_project one
set top twice
set_top $top
add_files twice.c
add_files -tb bench.c -cflags "-DUNUSED=1"
create_clock -period 125MHz
csim_design
open_project two
add_files other.c
"""


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    right = {"twice.c": DESIGN, "bench.c": BENCH.format(file="data/x.txt", wanted=42)}
    right |= {"data/x.txt": "21\n", "hls_config.cfg": CONFIG.format(data="data")}
    write(root / "passes", right)
    wrong = BENCH.format(file="x.txt", wanted=43)  # named without its directory
    write(root / "wrong", {**right, "bench.c": wrong})
    asked = DESIGN.replace("{\n", "{\n#pragma HLS LATENCY max=2\n")
    write(root / "refused", {**right, "twice.c": asked})
    write(root / "scripted", {"run_hls.tcl": TCL, "twice.c": DESIGN})
    write(root / "bare", {"hls_config.cfg": "syn.top=f\nsyn.file=f.c\n"})
    return root


def test_configurations_are_read(checkout: Path) -> None:
    cases = {c.name: c for c in find_cases(checkout)}
    assert set(cases) == {"passes", "wrong", "refused", "scripted", "bare"}
    plain = ("twice.c", "--top", "twice", "--tb", "bench.c", "--data")
    assert cases["passes"].argv == (*plain, ".", "--clock", "8")
    assert cases["wrong"].argv == (*plain, "data", "--clock", "8")
    assert cases["scripted"].argv == (*plain, ".", "-D", "UNUSED=1", "--clock", "8")
    assert cases["bare"].problem == "it has no test bench"


@pytest.mark.parametrize("said", ["0MHz", "1.2.3", ".", "fast", "0"])
def test_a_clock_that_is_no_period_is_left_out(said: str, checkout: Path) -> None:
    write(checkout / "passes", {"hls_config.cfg": CONFIG.format(data="data").replace("8ns", said)})
    cases = {c.name: c for c in find_cases(checkout)}
    assert "--clock" not in cases["passes"].argv and "--clock" in cases["wrong"].argv


def test_flags_that_are_badly_quoted_refuse_their_case_alone(checkout: Path) -> None:
    config = CONFIG.format(data="data") + "syn.cflags=-DNAME='x\n"
    write(checkout / "passes", {"hls_config.cfg": config})
    problems = {c.name: c.problem for c in find_cases(checkout)}
    assert "must be well quoted" in problems["passes"] and problems["wrong"] == ""


def test_verdicts(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["suite", str(checkout), "--json", "--jobs", "2"]) == 1
    found = json.loads(capsys.readouterr().out)
    verdicts = {c["name"]: c["verdict"] for c in found["cases"]}
    assert verdicts == {
        "passes": "pass",
        "wrong": "wrong",
        "refused": "refused",
        "scripted": "refused",  # bench.c is not there
        "bare": "refused",
    }
    assert found["counts"] == {"pass": 1, "refused": 3, "wrong": 1, "crash": 0, "timeout": 0}
    reasons = {c["name"]: c["reason"] for c in found["cases"]}
    assert "#pragma HLS LATENCY is not supported yet" in reasons["refused"]
    assert reasons["wrong"] == "the test bench failed with exit code 1"
    assert not list(checkout.rglob("*.sv"))


def test_what_is_no_suite_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["suite", str(tmp_path)]) == 1
    assert "must hold hls_config.cfg or run_hls.tcl" in capsys.readouterr().err
    assert main(["suite", str(tmp_path / "none")]) == 1
    assert "must be a directory or a list file" in capsys.readouterr().err
    (tmp_path / "empty.txt").write_text("# nothing\n")
    assert main(["suite", str(tmp_path / "empty.txt")]) == 1
    assert "must hold at least one case" in capsys.readouterr().err


def test_a_selection_of_nothing_is_refused(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Or a slip of the pen would pass."""
    assert main(["suite", str(checkout), "--only", "pases"]) == 1
    assert "--only must be part of the name of one of 5 cases" in capsys.readouterr().err
    assert main(["suite", str(checkout), "--jobs", "-1"]) == 1
    assert "--jobs must be 0 or more, not -1" in capsys.readouterr().err
