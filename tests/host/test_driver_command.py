# SPDX-License-Identifier: Apache-2.0
"""The command `convloom board`, `--on board` and the notebook, on virtual boards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pynq", reason="pynq comes with the extra board: pip install 'convloom[board]'")

from driver_support import LAYER, reference, tensors

from convloom.kernels import load_kernel
from convloom.lowering import lower


def test_the_command_on_a_board_of_its_own_and_on_one_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from convloom.cli import main

    monkeypatch.chdir(tmp_path)
    x, w, bias = tensors(LAYER)
    for name, array in (("x", x), ("w", w), ("b", bias)):
        np.save(tmp_path / f"{name}.npy", array)
    environment = {k: v for k, v in os.environ.items() if k != "PYNQ_REMOTE_DEVICES"}

    def call(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "convloom", *words],
            cwd=tmp_path,
            env={**environment, **more},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def here(*words: str) -> Any:
        capsys.readouterr()
        assert main(["board", *words]) == 0
        return json.loads(capsys.readouterr().out)

    conv = ["conv", "--input", "x.npy", "--weights", "w.npy", "--bias", "b.npy", "--output", "y.npy"]
    conv += ["--x-zero-point", "3", "--pads", *"1111", "--kernel", "gemm", "--on", "board", "--json"]
    own = call(*conv)
    assert own.returncode == 0, own.stderr
    assert np.array_equal(np.load(tmp_path / "y.npy"), reference(LAYER, x, w, bias))
    board = json.loads(own.stdout)["board"]
    job = lower(LAYER, x, w, bias, kernel=load_kernel("gemm_systolic"))
    assert (board["bytes_in"], board["bytes_out"]) == (job.bytes_in, job.bytes_out)
    assert board["dma_transfers"] == {**{s: len(t) for s, t in job.streams.items()}, "out": 1}
    assert board["clock_mhz"] == 150 and board["cycles"] > 0
    assert board["modelled_seconds"] == pytest.approx(board["cycles"] / 150e6, rel=1e-3)
    assert set(board["stalls"]) == {"in0", "in1", "out"}
    for causes in board["stalls"].values():
        assert set(causes) == {"kernel", "latency", "bandwidth", "dma", "idle"}
    assert set(board["this_machine_seconds"]) == {"lowering", "transfer", "wait"}
    assert all(seconds > 0 for seconds in board["this_machine_seconds"].values())

    started = call("board", "start", "gemm", "--json")
    assert started.returncode == 0, started.stderr
    try:
        address = json.loads(started.stdout)["address"]
        (tmp_path / "y.npy").unlink()
        other = call(*conv, PYNQ_REMOTE_DEVICES=address)
        assert other.returncode == 0, other.stderr
        assert json.loads(other.stdout)["board"]["cycles"] == board["cycles"]
        assert np.array_equal(np.load(tmp_path / "y.npy"), reference(LAYER, x, w, bias))
        (status,) = here("status", "--json")
        assert status["running"] and status["counters"]["run"]["cycles"] == board["cycles"]
        assert status["counters"]["cma"]["used"] == 0, "the command leaks contiguous memory"
        wrong = call(*conv, PYNQ_REMOTE_DEVICES="unix:/nowhere/vb")
        said = "convloom: --bitstream must name the overlay for unix:/nowhere/vb, such as "
        assert wrong.returncode == 1 and wrong.stderr.splitlines()[-1].startswith(said)
    finally:
        assert main(["board", "stop"]) == 0
    assert "stopped vboard-" in capsys.readouterr().out
    assert here("status", "--json") == []
    for words, said in (("start toaster", "kernel must be one of"), ("stop x", "(none), not x")):
        assert main(["board", *words.split()]) == 1
        assert said in capsys.readouterr().err


def test_the_notebook_runs_unchanged(gemm: tuple[Any, Any], tmp_path: Path) -> None:
    path = Path(__file__).parents[2] / "host" / "notebooks" / "quickstart.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    cells = [c for c in notebook["cells"] if c["cell_type"] == "code"]
    assert all(c["outputs"] == [] and c["execution_count"] is None for c in cells)
    program = tmp_path / "quickstart.py"
    program.write_text("\n\n".join("".join(c["source"]) for c in cells), encoding="utf-8")
    board = gemm[0]
    environment = {**os.environ, **board.environment, "CONVLOOM_BITSTREAM": str(board.bitstream)}
    done = subprocess.run(
        [sys.executable, str(program)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    for part in ("exact to the bit", "cycles", "weights kept: True", "gemm_systolic_0 tiny"):
        assert part in done.stdout
    gemm[1].download()  # the notebook programmed the PL
