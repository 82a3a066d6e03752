# SPDX-License-Identifier: Apache-2.0
"""Resources of the kernels at z2: hlsc's estimate and structure against the baseline of yosys.

`make test` synthesises nothing with yosys: it compares what hlsc says now with the recorded cells.  A
baseline that speaks of other RTL fails as stale.  The nightly test synthesises.
"""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import pytest

from convloom.kernels import kernel_names, load_kernel

SCRIPTS = str(Path(__file__).parents[2] / "scripts")
if SCRIPTS not in sys.path:
    sys.path.insert(0, SCRIPTS)

import resources  # noqa: E402

BASELINE = resources.read_baseline()
RENEW = "renew it with make resources ARGS=--write"
TOLERANCE = {"lut": 0.3, "ff": 0.2}
"""Of an estimate's total; DSP and block RAM must be exact."""


@pytest.mark.parametrize("kernel", kernel_names())
def test_estimates_hold_against_the_baseline(kernel: str) -> None:
    then, now = BASELINE[kernel], resources.estimated(*resources.synthesised_kernel(kernel))
    reasons = resources.stale(then, now)
    assert not reasons, f"the baseline of {kernel} is stale, {RENEW}: {'; '.join(reasons)}"
    cells, guess = then["total"], now["estimate"]
    assert guess["lut"] == pytest.approx(cells["lut"], rel=TOLERANCE["lut"])
    assert guess["ff"] == pytest.approx(cells["ff"], rel=TOLERANCE["ff"])
    assert (guess["dsp"], guess["bram36"]) == (cells["dsp"], cells["bram36"])
    assert now["sv_lines"] <= resources.LIMITS["sv_lines"]


@pytest.mark.parametrize("kernel", kernel_names())
def test_the_baseline_is_within_the_limits(kernel: str) -> None:
    assert resources.exceeded(BASELINE[kernel]) == []
    parts = BASELINE[kernel]["modules"].values()
    for kind in resources.KINDS:
        assert sum(m[kind] for m in parts) == BASELINE[kernel]["total"][kind]


@pytest.mark.parametrize("kernel", kernel_names())
def test_hot_loops_at_z2(kernel: str) -> None:
    report, _ = resources.synthesised_kernel(kernel)
    loops = {loop["label"]: loop for loop in report["loops"]}
    for label in load_kernel(kernel).hot_loops:
        assert loops[label]["ii"] == loops[label]["asked_ii"] == 1, loops[label]


def test_a_limit_that_is_exceeded_shows(capsys: pytest.CaptureFixture[str]) -> None:
    found = copy.deepcopy(BASELINE["gemm_systolic"])
    assert "within all limits" in resources.shown("gemm_systolic", found)
    found["total"] |= {"lut": 45_001, "logic_ns": 4.01}
    assert resources.exceeded(found) == [
        "lut must be at most 45000, not 45001",
        "logic_ns must be at most 4, not 4.01",
    ]
    assert "EXCEEDED: lut must be at most 45000" in resources.shown("gemm_systolic", found)


def test_other_rtl_makes_the_baseline_stale() -> None:
    then = BASELINE["conv_linebuffer"]
    now = {**copy.deepcopy(then), "sha256": "other"}
    assert resources.stale(then, now) == []  # renamed signals and the like
    module = next(iter(now["modules"]))
    now["modules"][module]["estimate"]["dsp"] += 1
    (reason,) = resources.stale(then, now)
    assert module in reason and "dsp" in reason
    del now["modules"][module]
    assert "modules were" in resources.stale(then, now)[0]


def test_an_unknown_kernel_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert resources.main(["conv_fast"]) == 1
    assert "error: kernel must be one of conv_linebuffer" in capsys.readouterr().err


CSYNTH = "<profile><AreaEstimates><Resources><LUT>4321</LUT></Resources></AreaEstimates></profile>\n"


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What vendor tools left is shown, --strict fails on a limit, --write keeps the other kernels."""
    found = copy.deepcopy(BASELINE["gemm_systolic"])
    monkeypatch.setattr(resources, "measured", lambda name, jobs: copy.deepcopy(found))
    monkeypatch.setattr(resources, "BASELINE", tmp_path / "resources.json")
    monkeypatch.setenv("CONVLOOM_BUILD", str(tmp_path))
    report = tmp_path / "vendor/gemm_systolic_z2_pynq-z2/hls/project/solution1/syn/report/csynth.xml"
    report.parent.mkdir(parents=True)
    report.write_text(CSYNTH)
    assert resources.main(["gemm_systolic", "--strict", "--write"]) == 0
    assert "HLS estimate, kernel (version unknown)  4321" in capsys.readouterr().out
    found["total"]["lut"] += 10_000
    assert resources.main(["gemm_systolic", "conv_winograd", "--write"]) == 0
    assert "against the baseline: lut" in capsys.readouterr().out
    assert resources.main(["gemm_systolic", "--strict"]) == 1
    assert list(resources.read_baseline()) == ["conv_winograd", "gemm_systolic"]


@pytest.mark.nightly
@pytest.mark.parametrize("kernel", kernel_names())
def test_synthesis_agrees_with_the_baseline(kernel: str) -> None:
    then, now = BASELINE[kernel], resources.measured(kernel)
    assert resources.exceeded(now) == []
    same = then["sha256"] == now["sha256"]
    for kind, was in then["total"].items():
        assert now["total"][kind] == pytest.approx(was, rel=0.0 if same else 0.05, abs=1e-9), (
            f"{kind} of {kernel}; {RENEW}"
        )
