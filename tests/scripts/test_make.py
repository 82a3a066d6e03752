# SPDX-License-Identifier: Apache-2.0
"""The Makefile, the script that makes .venv, and the harness: what they say and when they fail."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def call(argv: list[str], **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60)


def test_help_lists_every_target() -> None:
    text = (ROOT / "Makefile").read_text()
    printed = call(["make", "help"], PATH=os.environ["PATH"]).stdout
    listed = set(re.findall(r"^  make ([\w-]+)", printed, re.M))
    assert {"help", "run", "test", "lint", "csim", "bench", "nightly", "clean"} <= listed
    assert (
        listed
        == set(re.findall(r"^([a-z-]+):.*##", text, re.M))
        == set(re.findall(r"^\.PHONY: ([\w-]+)", text, re.M)) - {"force"}
    )


def fake_machine(folder: Path, *, python: str | None, tools: tuple[str, ...]) -> str:
    """A PATH with the named tools only, and a python3 that answers as given."""
    for tool in ("sh", "find", "touch", *tools):
        (folder / tool).symlink_to(shutil.which(tool) or pytest.fail(f"{tool} must be on PATH"))
    if python is not None:
        (folder / "python3").write_text(f"#!/bin/sh\n{python}\n")
        (folder / "python3").chmod(0o755)
    return str(folder)


OLD = "exit 0"  # prints no version: not one that is taken
NO_VENV = 'case "$*" in *ensurepip*) exit 1;; *) echo 3.11;; esac'
GOOD = "echo 3.11"


@pytest.mark.parametrize(
    ("python", "tools", "said"),
    [
        (None, ("g++", "perl"), "Python 3.10, 3.11 or 3.12 is missing: apt install python3"),
        (OLD, ("g++", "perl"), "Python 3.10, 3.11 or 3.12 is missing: apt install python3"),
        (NO_VENV, ("g++", "perl"), "has no venv module: apt install python3.11-venv"),
        (GOOD, ("perl",), "a C++ compiler is missing: apt install g++"),
        (GOOD, ("g++",), "perl is missing (Verilator needs it): apt install perl"),
    ],
)
def test_what_is_missing_is_one_line(
    tmp_path: Path, python: str | None, tools: tuple[str, ...], said: str
) -> None:
    (tmp_path / "bin").mkdir()
    path = fake_machine(tmp_path / "bin", python=python, tools=tools)
    venv = tmp_path / "venv"
    done = call(["sh", "scripts/make_venv.sh", str(venv), str(venv / "stamp")], PATH=path)
    assert done.returncode == 1 and said in done.stderr and done.stderr.count("\n") == 1
    assert not venv.exists()


def test_an_unknown_python_is_refused(tmp_path: Path) -> None:
    argv = ["sh", "scripts/make_venv.sh", str(tmp_path / "venv"), str(tmp_path / "stamp")]
    done = call(argv, PATH=os.environ["PATH"], PYTHON="/nonexistent/python")
    assert done.returncode == 1 and "not '/nonexistent/python'" in done.stderr


def test_the_drawing_is_current_and_its_check_can_fail(tmp_path: Path) -> None:
    script = [sys.executable, "scripts/draw_overview.py"]
    assert call([*script, "--check"]).returncode == 0
    copy = tmp_path / "overview.svg"
    assert call([*script, str(copy)]).returncode == 0
    copy.write_text(copy.read_text().replace("C-simulation", "simulation"))
    assert call([*script, "--check", str(copy)]).returncode == 1


HARNESS = """
import pytest, time
def test_skipped(): pytest.skip("no tool")
def test_slow(): time.sleep(30)
def test_seeded(rng, seed): print("drew", seed, rng.integers(2**40)); assert False
"""


@pytest.mark.parametrize("ci", ["0", "1"])
def test_skips_hangs_and_seeds(tmp_path: Path, ci: str) -> None:
    """The harness on a folder of its own: in CI a skip fails, a hang ends, the seed is reproducible."""
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_inner.py").write_text(HARNESS)
    (tmp_path / "test_module.py").write_text('import pytest; pytest.importorskip("not_there")\n')
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull]
    argv += ["--continue-on-collection-errors"]
    argv += ["--rootdir", str(tmp_path), str(tmp_path)]
    env = {"PATH": os.environ["PATH"], "CONVLOOM_SEED": "5", "CONVLOOM_TEST_SECONDS": "1"}
    printed = [call(argv, **env, CONVLOOM_CI=ci).stdout for _ in range(2)]
    drawn = [re.search(r"^drew 5 \d+$", text, re.M) for text in printed]
    assert drawn[0] and drawn[1] and drawn[0].group() == drawn[1].group()
    assert "CONVLOOM_SEED=5" in printed[0] and "test_slow ran longer than 1 s" in printed[0]
    assert ("3 failed, 1 error" if ci == "1" else "2 failed, 2 skipped") in printed[0]
