# SPDX-License-Identifier: Apache-2.0
"""HLS projects for vendor tools: run in real Tcl against a strict recorder, cfg against its keys."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hls_tool import HlsTool
from tclrun import interpreters, run_script, tcl_argv
from vitis.hls_project import STAGES, HlsProject, directives, write_project
from vitis.tclwords import assignments

from convloom.errors import ConvloomError
from convloom.kernels import Binding, kernel_names, load_kernel
from hlsc import testbench
from hlsc.frontend.directives import read_directives
from hlsc.lint import lint, select
from vboard.profile import load_profile, profile_names

ROOT = Path(__file__).resolve().parents[2]


def project(kernel: str, board: str = "pynq-z2", config: str = "tiny") -> HlsProject:
    return HlsProject(load_kernel(kernel), config, load_profile(board))


def play(folder: Path, dialect: str) -> tuple[int, str, HlsTool]:
    tool = HlsTool(dialect, folder)
    run = run_script("run_hls.tcl", folder, tool)
    return run.code, run.stderr, tool


@pytest.mark.parametrize("dialect", ["vitis", "vivado"])
@pytest.mark.parametrize("board", profile_names())
@pytest.mark.parametrize("kernel", kernel_names())
def test_every_project_runs(tmp_path, kernel, board, dialect):
    made = project(kernel, board, "z2")
    for steps in STAGES.values():
        write_project(made, tmp_path, dialect, steps)
        code, stderr, tool = play(tmp_path, dialect)
        assert (code, stderr) == (0, "")
        wanted = {"ip": "export"}
        assert tool.done == [f"{wanted.get(s, s)}_design" for s in steps]
        assert tool.solution["set_part"] == made.profile.part
        assert float(tool.solution["set_clock_uncertainty"]) > 0
        assert len(tool.bound) == len(made.spec.bindings) > 0
        assert tool.bench == [made.testbench, "vectors_int8.txt", "vectors_int32.txt"]


# (file, what is there, what a slip of the pen makes of it)
MUTANTS = [
    ("run_hls.tcl", "open_project -reset", "open_project -rest"),
    ("run_hls.tcl", "csim_design", "csim_desing"),
    ("run_hls.tcl", "  set_top $top\n", ""),
    ("run_hls.tcl", "  set_part $part\n", ""),
    ("run_hls.tcl", "create_clock -period $period", "create_clock -period $periode"),
    ("run_hls.tcl", "    add_files -tb $file\n", ""),
    ("run_hls.tcl", "  source $directives", "  source $directive.tcl"),
    ("run_hls.tcl", "-flow_target vivado", "-flow_target vitis"),
    ("run_hls.tcl", 'if {$tool eq "vitis"}', "if {1}"),
    ("run_hls.tcl", "-version $version", ""),
    ("run_hls.tcl", "source settings.tcl", "source setting.tcl"),
    ("run_hls.tcl", "foreach source $sources", "lmap source $sources"),
    ("settings.tcl", "src/gemm_systolic/gemm_systolic.cpp", "src/gemm_systolic.cpp"),
    ("settings.tcl", "-Isrc/common", "-Isrc/commons"),
    ("settings.tcl", "set testbench src/", "set testbench source/"),
    ("settings.tcl", "xc7z020clg400-1", "xc7z020clg484"),
    ("directives_vitis.tcl", "bind_op", "resource"),
    ("directives_vitis.tcl", "multiply_pair", "multiply_pairs"),
    ("directives_vitis.tcl", "product", "products"),
    ("directives_vivado.tcl", "DSP48", "DSP84"),
    ("directives_vivado.tcl", "resource", "bind_op"),
]


@pytest.mark.parametrize(("file", "old", "new"), MUTANTS, ids=lambda text: text.strip()[:30])
def test_every_slip_is_found(tmp_path, file, old, new):
    """A misspelt command or option, a dropped line, a wrong path: caught by one of the two dialects."""
    codes = []
    for dialect in ("vitis", "vivado"):
        folder = tmp_path / dialect
        write_project(project("gemm_systolic"), folder, dialect, ("csim", "csynth", "cosim", "ip"))
        assert play(folder, dialect)[0] == 0
        text = (folder / file).read_text()
        assert old in text
        (folder / file).write_text(text.replace(old, new, 1))
        codes.append(play(folder, dialect)[0])
    assert any(codes)


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        (
            "run_hls.tcl",
            "csim_design",
            "csim_desing",
            "invalid command name 'csim_desing' (meant: csim_",
        ),
        ("run_hls.tcl", "-rtl verilog", "-lang verilog", "unknown option -lang"),
        ("settings.tcl", "src/gemm_systolic/gemm_systolic.cpp", "src/gemm.cpp", "no file src/gemm.cpp"),
        ("directives_vitis.tcl", "-impl dsp", "-impl dps", "mul can not be bound to dps"),
    ],
)
def test_the_recorder_says_which_error_it_is(tmp_path, file, old, new, said):
    write_project(project("gemm_systolic"), tmp_path, "vitis", ("csim", "csynth", "cosim"))
    text = (tmp_path / file).read_text()
    assert old in text
    (tmp_path / file).write_text(text.replace(old, new, 1))
    code, stderr, _ = play(tmp_path, "vitis")
    assert code == 1 and said in stderr and stderr.count("\n") == 1


def test_a_failing_step_is_one_line_and_an_exit_code(tmp_path):
    write_project(project("gemm_systolic"), tmp_path, "vitis", ("csim", "dance"))
    code, stderr, _ = play(tmp_path, "vitis")
    assert code == 1
    assert stderr == "run_hls.tcl: step must be csim, csynth, cosim or ip, not dance\n"


# Keys of hls_config.cfg that UG1399 documents, as far as they are used or easily mistaken.
GENERAL = {"part", "platform", "freqhz"}
KEYS = set(
    """clock clock_uncertainty flow_target syn.file syn.top syn.cflags syn.csimflags syn.file_cflags
    syn.file_csimflags tb.file tb.cflags tb.file_cflags csim.argv csim.clean csim.setup csim.O
    csim.ldflags csim.mflags cosim.argv cosim.rtl cosim.tool cosim.trace_level cosim.setup
    cosim.random_stall package.output.file package.output.format package.output.syn
    package.ip.vendor package.ip.library package.ip.name package.ip.version
    package.ip.display_name package.ip.description vivado.flow vivado.rtl syn.directive.bind_op
    syn.directive.bind_storage
    """.split()
)
REPEATED = {"syn.file", "syn.file_cflags", "tb.file", "tb.file_cflags"}


def check_config(text: str, folder: Path) -> dict[str, list[str]]:
    """The entries by key; AssertionError for what the documentation does not know."""
    section, found = "", {}
    for line in filter(None, text.splitlines()):
        if line.startswith("["):
            section = line
            assert line == "[hls]"
            continue
        key, equals, value = line.partition("=")
        assert equals and value and key in (KEYS if section else GENERAL), line
        found.setdefault(key, []).append(value)
    for key, values in found.items():
        assert key in REPEATED or key.startswith("syn.directive") or len(values) == 1, key
        if key in ("syn.file", "tb.file"):
            assert all((folder / v).is_file() for v in values), values
        if key.endswith("_cflags"):
            for value in values:
                file, flags = value.split(",")
                assert file in found[key.removesuffix("_cflags")]
                assert all((folder / f[2:]).is_dir() for f in flags.split() if f.startswith("-I"))
    for name in found["csim.argv"][0].split():
        assert name in found["tb.file"]
    assert found["cosim.argv"] == found["csim.argv"]
    return found


@pytest.mark.parametrize(("kernel", "board"), list(itertools.product(kernel_names(), profile_names())))
def test_config_files_hold_documented_keys(tmp_path, kernel, board):
    made = project(kernel, board)
    write_project(made, tmp_path, "vitis", ("csim",))
    text = (tmp_path / "hls_config.cfg").read_text()
    found = check_config(text, tmp_path)
    assert text.startswith(f"part={made.profile.part}\n\n[hls]\n")
    vlnv = [found[f"package.ip.{k}"][0] for k in ("vendor", "library", "name", "version")]
    assert vlnv == ["xilinx.com", "hls", made.spec.top, "1.0"]
    for old, new in (("syn.top", "syn.tops"), ("/common", "/commons"), ("tb.file=vec", "tb.file=vek")):
        assert old in text
        with pytest.raises((AssertionError, KeyError)):
            check_config(text.replace(old, new), tmp_path)


def test_projects_are_the_same_every_time_and_name_no_place(tmp_path):
    made = project("conv_winograd")
    for folder in ("one", "two"):
        write_project(made, tmp_path / folder, "vitis", ("csim",))
    one, two = (
        {p.relative_to(tmp_path / f) for p in (tmp_path / f).rglob("*") if p.is_file()}
        for f in ("one", "two")
    )
    assert one == two
    for file in one:
        data = (tmp_path / "one" / file).read_bytes()
        assert data == (tmp_path / "two" / file).read_bytes(), file
        assert not [p for p in (tmp_path, ROOT) if str(p).encode() in data], file


@pytest.mark.parametrize("kernel", kernel_names())
def test_the_project_s_bench_plays_its_vectors(tmp_path, kernel):
    """What vendor C-simulation will do, natively: bench, sources and vectors of the folder alone."""
    made = project(kernel)
    write_project(made, tmp_path, "vitis", ("csim",))
    flags = made.cflags.split()
    folders = [tmp_path / f[2:] for f in flags if f.startswith("-I")]
    sources = [tmp_path / s for s in made.sources]
    defines = dict(f[2:].split("=") for f in flags if f.startswith("-D"))
    bench = testbench.Testbench(sources, [tmp_path / made.testbench], made.spec.top, folders, defines)
    names = [p.name for p in sorted(tmp_path.glob("vectors_*.txt"))]
    done = bench.run(names, data=tmp_path)
    assert (done.code, len(names)) == (0, 2), done.stdout + done.stderr
    text = (tmp_path / names[0]).read_text().rstrip()
    rest, last = text[: text.rindex(" ") + 1], text.split()[-1]
    (tmp_path / "wrong.txt").write_text(f"{rest}{int(last, 16) ^ 1:x}\n")  # of the last expected beat
    done = bench.run(["wrong.txt"], data=tmp_path)
    assert done.code == 1 and "differences" in done.stderr


@pytest.mark.parametrize("kernel", kernel_names())
def test_directive_files_suit_the_tools_that_read_them(tmp_path, kernel):
    """By the lint's own table of spellings, with the functions that the sources have."""
    made = project(kernel)
    write_project(made, tmp_path, "vitis", ("csim",))
    for file, tool in (
        ("directives_vitis.tcl", "vitis"),
        ("directives_vivado.tcl", "vivado"),
        ("hls_config.cfg", "all"),
    ):
        files = [*made.spec.sources, tmp_path / file]
        found = lint(files, "", select([tool]), made.spec.include_dirs, made.spec.defines("tiny"))
        assert [f for f in found if not f.is_note] == []
    other = lint([tmp_path / "directives_vivado.tcl"], "", select(["vitis"]))
    assert other and all("deprecated" in f.message for f in other)


def test_directives_in_three_forms(tmp_path):
    """Storage bindings in both forms that hlsc reads mean the same; what a tool lacks is refused."""
    storage = Binding("f", "buffer", "bram", "", storage="ram_2p")
    for form, file in (("vitis", "d.tcl"), ("cfg", "d.cfg")):
        (tmp_path / file).write_text("\n".join(directives([storage], form)) + "\n")
    tcl, cfg = (read_directives(tmp_path / f)[0] for f in ("d.tcl", "d.cfg"))
    assert (tcl.function, tcl.pragma.name, tcl.pragma.options) == (
        cfg.function, cfg.pragma.name, cfg.pragma.options,
    )  # fmt: skip
    assert tcl.pragma.options == {"variable": "buffer", "type": "ram_2p", "impl": "bram"}
    with pytest.raises(ConvloomError, match="must be one that Vivado HLS has a core for"):
        directives([storage], "vivado")
    with pytest.raises(ConvloomError, match="must name an op or a storage, not neither"):
        Binding("f", "x", "dsp", "")


def test_tcl_reads_back_what_is_written(tmp_path):
    values = {"plain": "a b", "empty": "", "list": ["x", "y z", ["1", ""]], "sign": "·ΣN $HOME [exit]"}
    (tmp_path / "script.tcl").write_text(assignments(values) + "report $plain $empty $list $sign\n")

    class Told:
        def call(self, words: list[str]) -> str:
            self.words = words
            return ""

    told = Told()
    assert run_script("script.tcl", tmp_path, told).code == 0
    assert told.words == ["report", "a b", "", "x {y z} {1 {}}", "·ΣN $HOME [exit]"]
    for bad in ("a{b", "a\\b", "a\nb"):
        with pytest.raises(ValueError, match="must be without"):
            assignments({"bad": bad})


def test_all_interpreters_agree(tmp_path):
    """tclsh and the Tcl inside Python give the same commands and the same end."""
    write_project(project("gemm_systolic"), tmp_path, "vitis", ("csim", "csynth", "cosim", "ip"))
    runs = [
        run_script("run_hls.tcl", tmp_path, HlsTool("vitis", tmp_path), argv)
        for argv in (interpreters() or [tcl_argv()])
    ]
    assert all(run == runs[0] and run.code == 0 and len(run.commands) > 10 for run in runs)
