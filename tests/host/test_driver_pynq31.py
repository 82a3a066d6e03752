# SPDX-License-Identifier: Apache-2.0
"""The driver's tests and the loading of overlays once more, in an environment with pynq 3.1.2.

pynq 3.1 is the last with images for Zynq-7000. Remotely it has no pins of the processing system and no
self-test, reads registers as signed numbers, and finds no clock frequencies in the .hwh.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from hlsc import toolchain

REQUIREMENTS = ("pynq==3.1.2", "setuptools<81", "pycparser<3", "numpy<2")
FILES = (
    "host/test_driver_units.py",
    "host/test_driver_files.py",
    "host/test_driver_local.py",
    "host/test_driver_local_faults.py",
    "host/test_driver_vboard.py",
    "host/test_driver_faults.py",
    "host/test_driver_connection.py",
    "host/test_driver_diagnosis.py",
    "host/test_driver_command.py",
    "rtl_sim/test_vboard_pynq.py",
)


def environment() -> Path:
    """Python of an environment with pynq 3.1.2; compiler, simulator and pytest are this one's."""
    here = sysconfig.get_path("purelib")

    def build(work: Path) -> None:
        venv.create(work / "venv", with_pip=True)
        python = work / "venv" / "bin" / "python"
        argv = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS]
        toolchain.run(argv, what="installing pynq 3.1.2", timeout=900)
        (site,) = (work / "venv" / "lib").glob("python*/site-packages")
        # After its own packages come those of this environment, editable ones too.
        (site / "flow.pth").write_text(f"import site; site.addsitedir({here!r})\n")

    made = toolchain.cached("pynq31", [*REQUIREMENTS, here, sys.version, Path(__file__)], build)
    return made / "venv" / "bin" / "python"


@pytest.mark.nightly
def test_everything_with_pynq_3_1() -> None:
    python = environment()
    tests = Path(__file__).parents[1]
    told = subprocess.run(
        [python, "-c", "import pynq; print(pynq.__version__)"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told.stdout.strip() == "3.1.2", told.stderr
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", "not selftest", "-W", "ignore"]
        + [str(tests / name) for name in FILES],
        cwd=tests.parent,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2000:]
    assert "skipped" not in done.stdout
