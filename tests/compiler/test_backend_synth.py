# SPDX-License-Identifier: Apache-2.0
"""`hlsc synth` and `synthesize`: files, report, warnings, errors; never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hlsc.cli import main
from hlsc.errors import HlscError
from hlsc.interp import interpret
from hlsc.synth import STAGES, synthesize, timing_for

SOURCE = """\
#include <ap_int.h>
#include <hls_stream.h>

extern "C" void scale(hls::stream<ap_int<16>> &x, hls::stream<ap_int<32>> &y, ap_uint<10> n,
                      ap_int<16> factor) {
#pragma HLS INTERFACE axis port=x
#pragma HLS INTERFACE axis port=y
#pragma HLS INTERFACE s_axilite port=n bundle=control
#pragma HLS INTERFACE s_axilite port=factor bundle=control
#pragma HLS INTERFACE s_axilite port=return bundle=control
  ap_int<32> sum = 0;
samples:
  for (int i = 0; i < n; ++i) {
#pragma HLS PIPELINE II=1
    sum = EXPRESSION;
    y.write(sum);
  }
fixed:
  for (int k = 0; k < 12; ++k) {
#pragma HLS PIPELINE II=1
    y.write(k);
  }
}
"""
GOOD, SLOW = "sum + x.read() * factor", "(sum / 3 + x.read()) * factor"


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "scale.cpp"
    path.write_text(SOURCE.replace("EXPRESSION", GOOD))
    return path


def test_files_and_report(source, tmp_path, capsys):
    out = tmp_path / "out"
    argv = ["synth", str(source), "--top", "scale", "--out", str(out), "--json", "--dump", "all"]
    assert main(argv) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads((out / "report.json").read_text())
    loops = {x["label"]: x for x in report["loops"]}
    samples = loops["samples"]
    assert (samples["ii"], samples["asked_ii"], samples["limited_by"]) == (1, 1, None)
    assert samples["file"] == "scale.cpp" and samples["line"] == 13 and samples["depth"] >= 2
    assert samples["trip_count"] is None and loops["fixed"]["trip_count"] in {12, 13}
    assert {r["name"]: r["offset"] for r in report["registers"]}["factor"] == 0x18
    assert report["control"] == {"protocol": "ap_ctrl_hs", "bundle": "control"}
    assert report["processes"][0]["dsp48_estimate"] == 1 and report["warnings"] == []
    assert report["delays_measured"]
    text = (out / "scale.sv").read_text()
    assert "module scale(" in text and str(tmp_path) not in text
    for stage in STAGES:
        assert (out / f"scale.{stage}.txt").stat().st_size > 0


def test_design_computes(source):
    result = synthesize([source], "scale")
    words = [5, 0xFFFE, 7]
    run = interpret(result.design, {"x": words}, {"n": 3, "factor": 0xFFFD})
    sums = [-15, -9, -30]
    assert run.streams["y"] == [s % (1 << 32) for s in sums] + list(range(12))
    again = interpret(result.prepared, {"x": words}, {"n": 3, "factor": 0xFFFD})
    assert again.streams == run.streams


def test_missed_interval_is_a_warning_and_strict_makes_it_an_error(source, tmp_path, capsys):
    source.write_text(SOURCE.replace("EXPRESSION", SLOW))
    argv = ["synth", str(source), "--top", "scale", "--out", str(tmp_path / "out")]
    assert main(argv) == 0
    shown = capsys.readouterr()
    assert "warning: scale.cpp:13: loop samples reaches II " in shown.err
    assert "recurrence: " in shown.err and "scale.cpp:15" in shown.err
    assert "samples" in shown.out and "wrote " in shown.out
    assert main([*argv, "--strict"]) == 1
    assert "--strict" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--clock", "0.1"], "clock period must be 1 to 1000 ns, not 0.1"),
        (["--part", "xcku040"], "part must be one with a delay table"),
        (["--dump", "nonsense"], "stage to dump must be one of pragmas,"),
        (["-D", "1x=2"], "-D must name a macro"),
        (["--top", "nothere"], "nothere"),
    ],
)
def test_wrong_use(source, tmp_path, capsys, extra, message):
    argv = ["synth", str(source), "--top", "scale", "--out", str(tmp_path), *extra]
    assert main(argv) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error and "Traceback" not in error


def test_missing_source_and_no_command(tmp_path, capsys):
    assert main(["synth", str(tmp_path / "no.cpp"), "--top", "f", "--out", str(tmp_path)]) == 1
    assert "source file must exist" in capsys.readouterr().err
    assert main([]) == 2
    assert "synth" in capsys.readouterr().out


def test_a_fault_of_hlsc_is_named_as_one(source, tmp_path, capsys, monkeypatch):
    def broken(*args: object, **kw: object) -> None:
        raise KeyError("x")

    monkeypatch.setattr("hlsc.synth.back_end", broken)
    assert main(["synth", str(source), "--top", "scale", "--out", str(tmp_path)]) == 3
    error = capsys.readouterr().err
    assert "hlsc itself failed (KeyError: 'x'); this is a bug" in error and "Traceback" not in error


def test_python_m(source, tmp_path):
    argv = [sys.executable, "-m", "hlsc", "synth", str(source), "--top", "scale", "--dump", "list"]
    done = subprocess.run(
        argv, cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0 and done.stdout.split() == list(STAGES)


def test_timing():
    assert timing_for(10.0).budget == pytest.approx(8.75 - timing_for(10.0).table.register)
    with pytest.raises(HlscError, match="clock period"):
        timing_for(0)


def test_dump_needs_a_place(source):
    with pytest.raises(HlscError, match="output directory"):
        synthesize([source], "scale", dump=["sv"])


def test_absolute_names_do_not_reach_the_output(source, tmp_path):
    deeper = Path(tmp_path / "inc")
    deeper.mkdir()
    text = synthesize([source], "scale", include_dirs=[deeper]).text
    assert "scale.cpp:" in text and str(tmp_path) not in text
