# SPDX-License-Identifier: Apache-2.0
"""`make bench`: the table of bytes, and that a formula which is wrong by a beat fails it."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(SCRIPTS))
    module = importlib.import_module("run_benchmarks")
    # Two layers are enough here: one that indirect can not do, one that all can.
    few = (module.bench_bytes.SUITE[0], module.bench_bytes.SUITE[-1])
    monkeypatch.setattr(module.bench_bytes, "SUITE", few)
    return module


def test_bytes_are_printed_and_equal_the_formula(bench, capsys):
    assert bench.main(["bytes"]) == 0
    out = capsys.readouterr().out
    assert "| 7×7 s2 224²×3→64 |     1 | 2040816 | 1896792 |  refused |       yes |" in out
    assert "refused: 7x7s2_224x224x3_64: R·S must be at most 32" in out
    assert bench.main(["bytes", "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)["bytes"]
    assert list(first["refused"]) == ["indirect"]
    assert first["im2col_matrix"] == 112 * 112 * 7 * 7 * 3 and first["map"] == 224 * 224 * 3
    assert list(second["measured"]) == ["im2col", "mec", "indirect"]
    assert second["measured"] == second["formula"]


@pytest.mark.parametrize("stream", ["in0", "in1", "out", "buffer"])
def test_a_formula_wrong_by_a_beat_is_found(bench, capsys, monkeypatch, stream):
    right = bench.bench_bytes.gemm_cost

    def wrong(layer, lowering, tiling):
        cost = right(layer, lowering, tiling)
        if lowering != "mec" or layer.r != 3:
            return cost
        return replace(cost, **{stream: getattr(cost, stream) + 8})

    monkeypatch.setattr(bench.bench_bytes, "gemm_cost", wrong)
    assert bench.main(["bytes"]) == 1
    captured = capsys.readouterr()
    assert captured.out.count(" NO ") == 1
    assert captured.err.count("\n") == 1
    assert captured.err.startswith("bench: 3×3 7²×512→512, mec: formula must be GemmCost(in0=")


def test_an_unknown_part_is_refused(bench, capsys):
    with pytest.raises(SystemExit):
        bench.main(["speed"])
    assert "part must be one of bytes, csim, hls, board, not 'speed'" in capsys.readouterr().err


def test_the_board_runs_the_bare_models_layer_and_too_slow_is_said(bench, capsys, monkeypatch):
    board = bench.bench_board
    small = board.Case("gemm_systolic", "tiny", 6, 3, 10, 0)
    monkeypatch.setattr(board, "LEAST_RATIO", 0)
    monkeypatch.setattr(board, "CASES", (small,))
    assert bench.main(["board", "--repeats", "1", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["board"]
    assert found["layer"] == "3x3s1_6x6x3_10"
    # The board's cycles include DMA and DDR.
    assert found["pynq"]["cycles"] > found["bare"]["cycles"] * 0.9 > 0
    right = board.Rate(small, "layer", 1000, 1.0, 1100, 1.1, True)
    assert board.shortfalls([right]) == [] and " 1.00 |" in board.printed([right])
    for wrong, said in (
        (replace(right, same=False), "output must be that of the bare model"),
        (replace(right, case=replace(small, least=5000)), "reach 5,000 cycles per second, not 1,000"),
    ):
        (line,) = board.shortfalls([wrong])
        assert said in line
    monkeypatch.setattr(board, "LEAST_RATIO", 0.5)
    (line,) = board.shortfalls([replace(right, board_seconds=4.4)])
    assert line == "gemm_systolic tiny through pynq: must reach 0.5 of the bare model, not 0.25"


def test_hls_that_takes_too_long_fails(bench, capsys, monkeypatch):
    """The verdict, with times that are given: nothing here is timed."""
    hls = bench.bench_hls
    for seconds, code in ((2.9, 0), (3.1, 1)):
        times = (hls.Times("synth", seconds, 2.0), hls.Times("cosim", 9.0, 15.0))
        monkeypatch.setattr(hls, "measure", lambda repeats, times=times: times)
        assert bench.main(["hls"]) == code
        captured = capsys.readouterr()
        assert f"| hlsc synth | {seconds} | 2.0 | 3 |" in captured.out
        assert captured.err == ("bench: hlsc synth must take at most 3 s, not 3.1\n" if code else "")
