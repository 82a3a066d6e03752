# SPDX-License-Identifier: Apache-2.0
"""Every option of `hlsc synth`, and what it answers when it can not do what it is asked.

A refusal is one line on stderr that starts with "error:", names file and line where there is one, exits
with 1 and leaves neither SystemVerilog nor report behind.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hlsc.cli import main
from hlsc.synth import STAGES

SOURCE = """\
#include <hls_stream.h>
#include "gain.h"
extern "C" void scale(hls::stream<int>& in, hls::stream<int>& out, unsigned char n) {
#pragma HLS INTERFACE axis port = in
#pragma HLS INTERFACE ap_none port = n
  int sum = 0;
words:
  for (unsigned char i = 0; i < n; ++i) {
#pragma HLS PIPELINE II = 1
    sum = STEP;
    out.write(sum);
  }
}
"""
FILL = "for (int k = 0; k < 256; ++k) kept[k] = in.read();"
FAST, SLOW = "sum + GAIN * in.read()", "sum * sum + GAIN * in.read()"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with scale.cpp and inc/gain.h, entered."""
    (tmp_path / "inc").mkdir()
    (tmp_path / "inc" / "gain.h").write_text("#ifndef GAIN\n#define GAIN 3\n#endif\n")
    (tmp_path / "scale.cpp").write_text(SOURCE.replace("STEP", FAST))
    monkeypatch.chdir(tmp_path)
    return tmp_path


BASE = ["synth", "scale.cpp", "--top", "scale", "-I", "inc", "--out", "out"]


def refused(argv: list[str], capsys: pytest.CaptureFixture[str], *parts: str) -> str:
    """Run what must be refused; the message."""
    assert main(argv) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith("error: ") and shown.err.count("\n") == 1, shown.err
    assert shown.out == ""
    for part in parts:
        assert part in shown.err
    out = Path(argv[argv.index("--out") + 1])
    assert not out.is_dir() or not [p for p in out.iterdir() if p.is_file() and p.suffix != ".txt"]
    return shown.err


def table(printed: str) -> dict[str, str]:
    """First loop of the printed table by column heads."""
    head, row = printed.splitlines()[1:3]
    starts = [head.index(h) for h in ("loop", "II", "asked", "depth", "trips", "limited by")]
    cells = [row[a:b].strip() for a, b in zip(starts, [*starts[1:], None], strict=True)]
    return dict(zip(("loop", "II", "asked", "depth", "trips", "limited by"), cells, strict=True))


def test_files_table_and_defaults(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(BASE) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    assert "scale on xc7z020clg400-1: clock 10 ns asked" in shown.out
    row = table(shown.out)
    assert row["loop"].startswith("scale.words") and (row["II"], row["asked"]) == ("1", "1")
    assert "wrote out/scale.sv\nwrote out/report.json\n" in shown.out
    assert sorted(p.name for p in Path("out").iterdir()) == ["report.json", "scale.sv"]


def test_clock_decides_depth(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    depth = {}
    for clock in ("20", "5"):
        assert main([*BASE, "--clock", clock, "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        depth[clock] = report["loops"][0]["depth"]
        assert report["clock_ns"] == float(clock) >= report["clock_estimate_ns"]
    assert depth["5"] > depth["20"]


def test_part_is_reported(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*BASE, "--part", "xc7a35tcpg236-1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["part"] == "xc7a35tcpg236-1"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("d.tcl", 'set_directive_pipeline -II 2 "scale/words"\n'),
        ("d.cfg", "part=xc7z020clg400-1\n[hls]\nsyn.directive.pipeline=scale/words II=2\n"),
    ],
)
def test_directives(place: Path, capsys: pytest.CaptureFixture[str], name: str, text: str) -> None:
    plain = SOURCE.replace("STEP", FAST).replace("#pragma HLS PIPELINE II = 1\n", "\n")
    Path("scale.cpp").write_text(plain)
    Path(name).write_text(text)
    assert main([*BASE, "--directives", name, "--json"]) == 0
    (loop,) = json.loads(capsys.readouterr().out)["loops"]
    assert (loop["ii"], loop["asked_ii"]) == (2, 2)


def test_includes_and_macros(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    argv = [a for a in BASE if a not in ("-I", "inc")]
    refused(argv, capsys, "scale.cpp:2:", "gain.h")
    products = {}
    for define in ("GAIN=16", "GAIN=12345"):
        assert main([*BASE, "-D", define, "--json"]) == 0
        report = json.loads(capsys.readouterr().out)
        products[define] = report["processes"][0]["operators"].get("mul", 0)
    assert products["GAIN=16"] == 0  # a shift
    bare = SOURCE.replace("STEP", FAST) + "#ifndef BARE\n#error not defined\n#endif\n"
    Path("scale.cpp").write_text(bare)
    assert main([*BASE, "-D", "BARE"]) == 0
    capsys.readouterr()
    refused([*BASE[:-1], "other"], capsys, "scale.cpp:15", "not defined")


def test_dump(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*BASE, "--dump", "schedule", "--dump", "cdfg"]) == 0
    assert sorted(p.name for p in Path("out").glob("*.txt")) == ["scale.cdfg.txt", "scale.schedule.txt"]
    assert "wrote out/scale.cdfg.txt\nwrote out/scale.schedule.txt\n" in capsys.readouterr().out
    assert main([*BASE, "--dump", "list"]) == 0
    assert capsys.readouterr().out.split() == list(STAGES)


def test_json_is_the_report_and_nothing_else(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*BASE, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(Path("out/report.json").read_text())
    loop = printed["loops"][0]
    assert {"label", "file", "line", "ii", "asked_ii", "depth", "limited_by"} <= loop.keys()
    assert (loop["label"], loop["file"], loop["line"]) == ("words", "scale.cpp", 8)
    assert {"processes", "memories", "fifos", "registers", "ports"} <= printed.keys()


def test_missed_interval_through_a_recurrence(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("scale.cpp").write_text(SOURCE.replace("STEP", SLOW))
    assert main(BASE) == 0
    shown = capsys.readouterr()
    (line,) = shown.err.splitlines()
    assert line.startswith("warning: scale.cpp:8: loop words reaches II ") and "asked 1: " in line
    assert "recurrence: " in line and "scale.cpp:10" in line
    assert table(shown.out)["limited by"].startswith("recurrence: ")
    kept = Path("out/scale.sv").read_bytes()
    assert main([*BASE, "--strict"]) == 1
    shown = capsys.readouterr()
    assert shown.err.startswith("error: ") and "scale.cpp:8: loop words reaches II" in shown.err
    assert shown.out == "" and Path("out/scale.sv").read_bytes() == kept
    refused([*BASE[:-1], "strict", "--strict"], capsys, "--strict", "recurrence: ")
    assert not Path("strict").exists()


def test_missed_interval_through_a_port(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = SOURCE.replace("int sum = 0;", "int sum = 0; int kept[256];\n" + FILL)
    text = text.replace("STEP", "kept[n & i] + kept[n ^ i] + kept[i]")
    Path("scale.cpp").write_text(text)
    assert main(BASE) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert "loop words reaches II 3, not the asked 1: port: " in line
    assert "kept" in line and "scale.cpp:11" in line


def test_strict_without_warnings_is_no_error(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*BASE, "--strict"]) == 0
    assert Path("out/scale.sv").is_file() and capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"scale.cpp": "no.cpp"}, ["source file must exist, not no.cpp"]),
        ({"scale.cpp": "inc"}, ["source file must exist, not inc"]),
        ({"inc": "nowhere"}, ["include path must be a directory, not nowhere"]),
        ({"scale": "scael"}, ["scale.cpp:4: ", "top function 'scael'", "is 'scale' the top?"]),
        ({"scale": "a::scale"}, ["top must be the name of a function", "not 'a::scale'"]),
        ({"scale": ""}, ["top must be the name of a function", "not ''"]),
        ({"--clock": "fast"}, ["--clock must be a period in ns, such as 10, not 'fast'"]),
        ({"--clock": "nan"}, ["clock period must be 1 to 1000 ns, not nan"]),
        ({"--clock": "-5"}, ["clock period must be 1 to 1000 ns, not -5"]),
        ({"--clock": "inf"}, ["clock period must be 1 to 1000 ns, not inf"]),
        ({"--part": "ep4ce6"}, ["part must be one with a delay table (xc7…), not ep4ce6"]),
        ({"--directives": "no.tcl"}, ["directive file no.tcl must be readable"]),
        ({"--directives": "inc"}, ["directive file inc must be readable"]),
        ({"--directives": "bytes.tcl"}, ["directive file bytes.tcl must be text in UTF-8"]),
        ({"--directives": "lost.tcl"}, ["lost.tcl:2: ", "PIPELINE must name", "not 'scale/wrods'"]),
        ({"--directives": "odd.tcl"}, ["odd.tcl:1: ", "PIPLINE must be a known", "PIPELINE?"]),
        ({"-D": "1x=2"}, ["-D must name a macro"]),
        ({"--dump": "ast"}, ["stage to dump must be one of pragmas,", "not ast"]),
        ({"out": "file"}, ["output directory file must be writable"]),
        ({"out": "file/out"}, ["output directory file/out must be writable"]),
        ({"out": "taken"}, ["taken/scale.sv must be a file to be written, not a directory"]),
    ],
    ids=str,
)
def test_refused_use(
    place: Path, capsys: pytest.CaptureFixture[str], change: dict[str, str], parts: list[str]
) -> None:
    Path("file").touch()
    Path("taken/scale.sv").mkdir(parents=True)
    Path("bytes.tcl").write_bytes(b"\xff\xfe")
    Path("lost.tcl").write_text("\nset_directive_pipeline scale/wrods\n")
    Path("odd.tcl").write_text("set_directive_pipline scale/words\n")
    argv = [change.get(a, a) for a in BASE]
    for option, value in change.items():
        argv += [f"{option}={value}"] if option.startswith("--") else []
        argv += [option, value] if option == "-D" else []
    refused(argv, capsys, *parts)
    assert not Path("taken/report.json").exists() and list(Path("taken").iterdir()) == [
        Path("taken/scale.sv")
    ]


BODIES = {
    "unknown pragma": (
        ("PIPELINE II = 1", "PIPLINE II = 1"),
        ["scale.cpp:9: ", "PIPLINE must be a known pragma", "did you mean PIPELINE?"],
    ),
    "unknown option": (("II = 1", "speed = 1"), ["scale.cpp:9: ", "option 'speed'", "it takes"]),
    "misplaced pragma": (
        ("PIPELINE II = 1", "ALLOCATION operation instances=mul limit=1"),
        ["scale.cpp:9: ", "body of a function"],
    ),
    "DATAFLOW without processes": (
        ("PIPELINE II = 1", "DATAFLOW"),
        ["scale.cpp:9: ", "must consist of declarations, calls of processes"],
    ),
    "m_axi": (("ap_none", "m_axi"), ["scale.cpp:5: ", "m_axi is not supported yet: take an hls::"]),
    "floating point": (("STEP", "in.read() * 1.5f"), ["scale.cpp:10: ", "floating point"]),
    "syntax": (("STEP", "in.read("), ["scale.cpp:10: ", "clang: expected"]),
    "undeclared": (("STEP", "in.read() + x"), ["scale.cpp:10: ", "undeclared identifier 'x'"]),
    "pointer argument": (
        ("unsigned char n", "unsigned char n, const int* table"),
        ["scale.cpp:3: ", "argument 'table'", "take an hls::stream"],
    ),
    "heap": (("STEP", "*new int(in.read())"), ["scale.cpp:10: "]),
    "variable unrolling": (("PIPELINE II = 1", "UNROLL"), ["scale.cpp:", "write for (j = 0; j < MAX"]),
}


@pytest.mark.parametrize("name", BODIES)
def test_refused_source(place: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    change, parts = BODIES[name]
    Path("scale.cpp").write_text(SOURCE.replace(*change).replace("STEP", FAST))
    refused(BASE, capsys, *parts)


def test_sources_that_are_no_text(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("scale.cpp").write_bytes(b"\xff\xfe\x00")
    refused(BASE, capsys, "scale.cpp", "not supported")
    Path("scale.cpp").write_text("")
    refused(BASE, capsys, "top function 'scale' must be defined in scale.cpp")


def test_a_failed_run_leaves_the_dumps_before_it(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("scale.cpp").write_text(SOURCE.replace("STEP", "in.read() * 1.5f"))
    refused([*BASE, "--dump", "all"], capsys, "floating point")
    assert [p.name for p in Path("out").iterdir()] == ["scale.llvm-raw.txt"]
