# SPDX-License-Identifier: Apache-2.0
"""DEPENDENCE pragmas are checked in C-simulation: a promise that a run breaks is named in full."""

from __future__ import annotations

from pathlib import Path

import pytest

from hlsc.cli import main
from hlsc.cosim import cosim
from hlsc.dataflow import difference, recorded_run

FOLDER = Path(__file__).parent / "cosim"
FALSE_PROMISE = "variable=places type=inter direction=RAW dependent=false"
SOURCE, BENCH = FOLDER / "claims.cpp", FOLDER / "claims_tb.cpp"


def line(text: str) -> int:
    """The only line of the source that holds a text."""
    found = [n for n, x in enumerate(SOURCE.read_text().splitlines(), 1) if text in x]
    assert len(found) == 1, text
    return found[0]


def csim(stride: int, mode: int, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    argv = ["csim", str(SOURCE), "--tb", str(BENCH), "--top", "claims", "--args", f"{stride} {mode}"]
    return main(argv), capsys.readouterr().err


def test_promises_that_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert csim(4, 0, capsys) == (0, "")
    assert csim(7, 0, capsys) == (0, "")


def test_the_watched_run_computes_the_same() -> None:
    """Elements of 12 and 24 bits lie in memory as C++ lays them."""
    flow, result, run = recorded_run([SOURCE], [BENCH], "claims", {"args": ["5", "1"]})
    assert run is not None and len(flow.claims) == 3
    assert difference(flow, run, result.arguments, result.calls) == ""


def test_nearer_than_the_distance(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = csim(3, 0, capsys)
    access = f"{SOURCE}:{line('local[i - stride]')}"
    assert code == 1
    assert said == (
        f"csim: call 2: {SOURCE}:{line('distance = 4')}: DEPENDENCE inter RAW distance=4 must "
        f"hold for local, but local[8] is written in iteration 0 ({access}) and read in iteration 3 "
        f"({access}) of loop 'apart' ({SOURCE}:{line('i = 8; i < 16')})\n"
    )


def test_between_and_within_iterations(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = csim(4, 1, capsys)
    assert code == 1
    between, within = said.splitlines()
    assert "DEPENDENCE inter false must hold for bins, but bins[2][0] is " in between
    assert f"written in iteration 0 ({SOURCE}:{line('+= 1')}) and " in between
    assert f"in iteration 1 ({SOURCE}:{line('+= 1')}) of loop 'near'" in between
    assert (
        "DEPENDENCE intra RAW false must hold for sums, but sums[0] is written in iteration 0" in within
    )
    assert f"({SOURCE}:{line('sums[i] = i')})" in within
    assert f"in iteration 0 ({SOURCE}:{line('sums[mode')}) of loop 'within'" in within


def test_a_promise_about_a_static_array(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, bench = tmp_path / "bins.cpp", tmp_path / "bins_tb.cpp"
    source.write_text(
        'extern "C" void bins(int step, int* out) {\n  static int count[32];\n  int sum = 0;\n'
        "  for (int i = 0; i < 16; ++i) {\n"
        "#pragma HLS DEPENDENCE variable = count inter false\n"
        "    count[i * step & 31] += i;\n    sum += count[3];\n  }\n  *out = sum;\n}\n"
    )
    bench.write_text(
        'extern "C" void bins(int, int*);\nint main(int n, char**) { int y; bins(n, &y); return 0; }\n'
    )
    argv = ["csim", str(source), "--tb", str(bench), "--top", "bins"]
    assert main(argv) == 1
    said = capsys.readouterr().err
    assert "must hold for count, but count[3] is written in iteration 3" in said
    assert "read in iteration 4" in said


def test_what_can_not_be_checked_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The bench runs also where the compiler refuses the design."""
    source = tmp_path / "claims.cpp"
    source.write_text("int calls;\n" + SOURCE.read_text().replace("fill:", "  ++calls;\nfill:"))
    argv = ["csim", str(source), "--tb", str(BENCH), "--top", "claims", "--args", "4 0"]
    assert main(argv) == 0
    assert "csim: DEPENDENCE is not checked: " in capsys.readouterr().err


def test_cosimulation_names_the_promise_behind_wrong_rtl(tmp_path: Path) -> None:
    folder = Path(__file__).parents[2] / "examples" / "string_match"
    path = tmp_path / "promise.cfg"
    path.write_text(f"syn.directive.dependence=string_match/learn {FALSE_PROMISE}\n")
    files = [folder / "string_match.cpp"], [folder / "string_match_tb.cpp"]
    found = cosim(*files, "string_match", directives=path)
    *differ, promise = found.problems
    assert len(differ) > 0 and all("return is " in p for p in differ)
    assert f"{path}:1: DEPENDENCE inter RAW false must hold for places" in promise


def test_a_promise_of_a_directive_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What `hlsc explain` offers for string_match is a promise that its patterns do not keep."""
    folder = Path(__file__).parents[2] / "examples" / "string_match"
    argv = ["csim", str(folder / "string_match.cpp"), "--tb", str(folder / "string_match_tb.cpp")]
    argv += ["--top", "string_match", "--directives"]
    path = tmp_path / "promise.cfg"
    path.write_text(f"syn.directive.dependence=string_match/learn {FALSE_PROMISE}\n")
    assert main([*argv, str(path)]) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert f"{path}:1: DEPENDENCE inter RAW false must hold for places, but places[97] is" in said
    assert main([*argv, str(tmp_path / "none.cfg")]) == 1
    assert "none.cfg must be readable" in capsys.readouterr().err
