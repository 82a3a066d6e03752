# SPDX-License-Identifier: Apache-2.0
"""`convloom run` on a small picture: everything exact, files written, and a wrong kernel noticed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convloom.cli import main
from convloom.commands import levels
from convloom.commands.stack import build_stack, load_photo
from convloom.commands.text import Progress, size, table
from convloom.commands.ways import difference, exact

SIZE = "16"


def test_small_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["run", "--size", SIZE, "--out", str(tmp_path / "r")])
    printed = capsys.readouterr().out
    assert code == 0, printed
    report = json.loads((tmp_path / "r" / "report.json").read_text())
    assert report["failed"] == 0 and f"{report['exact']} of {report['exact']} runs exact" in printed
    done = [row for row in report["rows"] if row["result"] == "exact"]
    assert {row["level"] for row in done} == {"reference", *levels.LEVELS}
    assert len({row["layer"] for row in done if row["level"] == "csim"}) == 3
    for row in done:
        assert row["macs"] > 0 and row["im2col_bytes"] > 0
        if row["level"] != "reference":
            assert row["bytes_in"] > 0 and row["bytes_out"] > 0
        assert f"| {row['layer']} " in printed
    board = [row for row in done if row["level"] == "board"]
    assert len({row["layer"] for row in board}) == 3 and len({row["kernel"] for row in board}) == 3
    for row in board:
        for figure in (f"{row['cycles']:,}", f"{row['macs'] / row['cycles']:.1f}"):
            assert f" {figure} | " in printed
        assert row["board"]["cycles"] == row["cycles"] and row["board"]["dma_transfers"]["out"] == 1
    for name in ("features", "timeline"):
        picture = (tmp_path / "r" / f"{name}.png").read_bytes()
        assert picture.startswith(b"\x89PNG") and len(picture) > 20_000


def test_a_wrong_output_and_a_failing_kernel_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = levels.LEVELS["csim"]

    def wrong(job: Any, spec: Any, config: str) -> levels.LevelRun:
        done = right.run(job, spec, config)
        y = done.y.copy()
        y[0, 1, 2, 3] ^= 1
        return replace(done, y=y)

    def broken(job: Any, spec: Any, config: str) -> levels.LevelRun:
        raise levels.LevelError("stream in0 was read when empty")

    for run_level, said in ((wrong, "1 of "), (broken, "read when empty")):
        monkeypatch.setitem(levels.LEVELS, "csim", replace(right, run=run_level))
        assert main(["run", "--size", SIZE, "--out", str(tmp_path), "--on", "csim"]) == 1
        assert said in capsys.readouterr().out
        assert json.loads((tmp_path / "report.json").read_text())["failed"] >= 3


def test_difference_says_where() -> None:
    want = np.zeros((1, 2, 2, 3), np.int8)
    got = want.copy()
    assert difference(got, want) == ""
    got[0, 1, 0, 2] = 5
    assert difference(got, want) == "1 of 12 differ, first at (0, 1, 0, 2): 5, must be 0"
    assert "int32" in difference(want.astype(np.int32), want)
    assert "(1, 2, 2, 2)" in difference(want[..., :2], want)


def test_the_stack_is_what_it_says() -> None:
    photo = load_photo(None, 24)
    assert photo.shape[2] == 3 and max(photo.shape) == 24
    steps = build_stack(photo, exact)
    shapes = [(s.layer.r, s.layer.stride[0], s.layer.c, s.layer.k) for s in steps]
    assert shapes == [(3, 1, 3, 30), (3, 2, 30, 16), (1, 1, 16, 8)]
    for step in steps:
        assert step.y.dtype == np.int8 and len(step.maps) == step.layer.k
        # Calibrated: each map uses its range, and only few values saturate.
        assert step.y.max() > 60 and (step.y == 127).mean() < 0.05
    edges = steps[0].w.reshape(10, 3, 3, 3, 3)[:8]
    assert (edges.sum((2, 3)) == 0).all()
    assert np.array_equal(edges[0], -edges[4]) and len({e.tobytes() for e in edges}) == 8


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["--image", "/nonexistent.png"], "there is no such file"),
        (["--image", __file__], "must be a picture"),
        (["--size", "3"], "--size must be at least 8"),
        (["--out", __file__], "must be a folder"),
        (["--on", "moon"], "invalid choice"),
    ],
)
def test_bad_input(
    tmp_path: Path, argv: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = [] if "--out" in argv else ["--out", str(tmp_path)]
    assert main(["run", *argv, *out]) == 1
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert [size(n) for n in (0, 999, 1000, 17_700, 2_360_000, 5e9)] == [
        "0",
        "999",
        "1.00k",
        "17.7k",
        "2.36M",
        "5.00G",
    ]
    lines = table(["a", "number"], [["x", "1"], ["longer", "22"]], right=["number"]).splitlines()
    assert lines == [
        "| a      | number |",
        "| ------ | -----: |",
        "| x      |      1 |",
        "| longer |     22 |",
    ]
    progress = Progress(2)
    progress.begin("one")
    progress.end("one done")
    progress.close()
    assert capsys.readouterr().err == "[1/2] one done\n"
