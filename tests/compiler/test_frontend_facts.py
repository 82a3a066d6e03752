# SPDX-License-Identifier: Apache-2.0
"""What pragmas and directives become: facts of loops, arrays, channels, processes, ports."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import lru_cache
from pathlib import Path

import pytest

from hlsc.frontend import STAGES, compile_program
from hlsc.frontend.grammar import parse_pragma, split_options
from hlsc.frontend.interfaces import register_bytes
from hlsc.frontend.lexer import Walk
from hlsc.frontend.llvmtext import ModuleText, natural_loops
from hlsc.frontend.pragmas import protect, top_parameters
from hlsc.frontend.program import ArrayFacts, Binding, DependencePragma, LoopFacts, Program
from hlsc.ir import Loc

KERNELS = Path(__file__).parent / "frontend"
HERE = Loc("k.cpp", 1)


@lru_cache
def build(name: str) -> tuple[Program, dict[str, str]]:
    stages: dict[str, str] = {}
    return compile_program([KERNELS / f"{name}.cpp"], "top", dump=stages.__setitem__), stages


def compile_text(tmp_path: Path, text: str, **options) -> Program:
    source = tmp_path / "kernel.cpp"
    source.write_text(
        "#include <hls_stream.h>\n#include <ap_int.h>\ntypedef hls::stream<int> S;\n" + text
    )
    return compile_program([source], "top", **options)


def loop(program: Program, label: str) -> LoopFacts:
    found = [f for f in program.loops.values() if f.label == label]
    assert found, label
    return found[0]


# ------------------------------------------------------------------------------------ pragmas


def test_options_are_split_as_written():
    assert split_options("a = N * 2 b c=f(1, 2) complete") == [
        ("a", "N * 2"),
        ("b", None),
        ("c", "f(1, 2)"),
        ("complete", None),
    ]
    assert split_options("variable=p->x[0] factor=A<1, 2>::v ") == [
        ("variable", "p->x[0]"),
        ("factor", "A<1, 2>::v"),
    ]
    assert dict(parse_pragma("dependence Variable=x INTER raw False", HERE).options) == {
        "variable": "x",
        "type": "inter",
        "direction": "raw",
        "dependent": "false",
    }


def test_pragmas_in_comments_and_strings_are_none():
    text = '// #pragma HLS X\n/*\n#pragma HLS Y\n*/ "\\\n#pragma HLS Z"\n'
    text += "  #pragma hls pipeline \\\n II=2\nx\n"
    out = protect(text)
    assert out.count("#pragma HLS") == 3 and out.count("__hlsc_pragma_") == 1
    assert out.count("\n") == text.count("\n")


def test_walk_knows_what_braces_are():
    text = (
        "namespace a { struct B : C<int> { int f(int x = 3) const { return x; } "
        "B() : y{1} {} int y; }; }\n"
        'extern "C" { void g(int (&z)[3]) { l: for (;;) { do { if (1) {} } while (0); }\n'
        "auto h = [&](int i) -> int { while (i) { } return i; }; int k[2] = {1, 2}; } }\n"
        "template <int N> typename T<N>::U operator+(int a, T<N> b) noexcept "
        "{ switch (a) { case 1: {} } }\n"
    )
    walk = Walk(text)
    scopes = {id(s): s for s in walk.scope_of if s is not None}.values()
    assert [(s.kind, s.name) for s in sorted(scopes, key=lambda s: s.open)] == [
        ("namespace", ""),
        ("class", ""),
        ("function", "f"),
        ("init", ""),
        ("function", "B"),
        ("namespace", ""),
        ("function", "g"),
        ("loop", "l"),
        ("loop", ""),
        ("block", ""),
        ("function", ""),
        ("loop", ""),
        ("init", ""),
        ("function", "+"),
        ("block", ""),
        ("block", ""),
    ]
    head = next(s for s in walk.functions if s.name == "g").head
    assert top_parameters([t.text for t in head]) == [("z", "int ( & z ) [ 3 ]")]


def test_golden_pragmas_of_two_instantiations():
    _, stages = build("every_pragma")
    assert stages["pragmas"] == (KERNELS / "every_pragma.pragmas").read_text()
    assert tuple(sorted(stages)) == tuple(sorted(STAGES))


def test_facts_of_two_instantiations():
    program, _ = build("every_pragma")
    file = str(KERNELS / "every_pragma.cpp")
    arrays = program.processes[0].arrays
    assert {"table", "table_2", "shaped", "shaped_2", "bound", "bound_2"} == set(arrays)
    by_factor = {a.partition[1][1]: a for n, a in arrays.items() if n.startswith("table")}
    for n in (4, 2):
        facts = by_factor[n // 2]
        assert dict(facts.partition) == {1: ("cyclic", n // 2), 2: ("block", n // 2)}
        assert facts.loc == Loc(file, 18)
    reshapes = {a.reshape[1] for name, a in arrays.items() if name.startswith("shaped")}
    assert reshapes == {("cyclic", 4), ("cyclic", 2)}
    assert {a.style for name, a in arrays.items() if name.startswith("bound")} == {"bram"}
    fills = [f for f in program.loops.values() if f.label == "fill"]
    assert sorted((f.pipeline, f.ii, f.trip_max) for f in fills) == [(True, 2, 8), (True, 4, 16)]
    uses = sorted(
        (f for f in program.loops.values() if f.label == "use"),
        key=lambda f: f.dependences[0].distance or 0,
    )
    for facts, n in zip(uses, (2, 4), strict=True):
        assert facts.pipeline is False and facts.loc == Loc(file, 30)
        raw, war = facts.dependences
        assert (raw.kind, raw.inter, raw.distance) == ("RAW", True, n + 1)
        assert (war.kind, war.inter, war.distance) == ("WAR", False, None)
        assert raw.variable.startswith("table") and war.variable.startswith("shaped")
        assert raw.variable in arrays and by_factor[n // 2] is arrays[raw.variable]
    flats = [f for f in program.loops.values() if f.label == "flat"]
    assert [f.flatten for f in flats] == [False, False]
    assert program.control == "ap_ctrl_none"


def test_metadata_leads_to_the_facts():
    """Every loop of the final module carries its key, on its only latch."""
    for name in ("nest3", "linebuffer", "dataflow", "histogram"):
        program, _ = build(name)
        module = ModuleText(program.module)
        keys = []
        for f in module.functions:
            for natural in natural_loops(f).values():
                assert len(natural.latches) == 1
                line = f.block(natural.latches[0]).lines[-1]
                keys.append(module.metadata.loop_value(line, "hlsc.loop"))
        assert None not in keys and set(keys) == set(program.loops)


def test_lines_of_stream_accesses_are_the_users():
    program, _ = build("fir")
    module = ModuleText(program.module)
    lines = {
        re.search(r"@hlsc\.(\w+)", x).group(1): module.metadata.loc_of(x)
        for f in module.functions
        for _, _, x in f.lines()
        if "@hlsc." in x
    }
    file = str(KERNELS / "fir.cpp")
    assert lines == {"read": Loc(file, 23), "write": Loc(file, 32)}


def test_arrays_become_registers_or_stay():
    fir, _ = build("fir")
    assert "alloca" not in fir.module and not fir.processes[0].arrays
    buffer, _ = build("linebuffer")
    assert re.findall(r"%(\w+) = alloca (\[.*?\]),", buffer.module) == [
        ("lines", "[2 x [32 x %struct.Pixel]]")
    ]
    assert dict(buffer.processes[0].arrays) == {
        "lines": ArrayFacts({1: ("complete", 0)}, {}, "auto", Loc(str(KERNELS / "linebuffer.cpp"), 23))
    }
    assert loop(buffer, "cols").dependences == (
        DependencePragma("lines", "", True, None, Loc(str(KERNELS / "linebuffer.cpp"), 31)),
    )


def test_partial_unrolling_scales_distances_and_trip_counts(tmp_path):
    program = compile_text(
        tmp_path,
        'extern "C" void top(S& in, S& out) {\n int a[64];\n'
        "fill: for (int i = 0; i < 64; ++i) {\n#pragma HLS UNROLL factor=4\n#pragma HLS PIPELINE\n"
        "#pragma HLS LOOP_TRIPCOUNT min=6 max=64\n"
        "#pragma HLS DEPENDENCE variable=a RAW distance=9 true\n a[i & 15] += in.read(); }\n"
        "out.write(a[3]); }",
    )
    facts = loop(program, "fill")
    assert (facts.trip_min, facts.trip_max) == (2, 16)
    assert [d.distance for d in facts.dependences] == [2]
    assert program.module.count("call i32 @hlsc.read.i32(") == 4


def test_pipelined_loop_unrolls_what_is_below_and_breaks(tmp_path):
    program = compile_text(
        tmp_path,
        'extern "C" void top(S& in, S& out, int n) {\n'
        "outer: for (int i = 0; i < n; ++i) {\n#pragma HLS PIPELINE II=3\n int sum = 0;\n"
        "for (int j = 0; j < 3; ++j) { if (j >= n - i) break; sum += in.read(); }\n"
        "out.write(sum); } }",
    )
    assert [f.label for f in program.loops.values()] == ["outer"]
    assert program.module.count("call i32 @hlsc.read.i32(") == 3


def test_pipelined_function_unrolls_its_loops(tmp_path):
    program = compile_text(
        tmp_path,
        "static int sum(S& in) { int s = 0; for (int j = 0; j < 3; ++j) s += in.read(); return s; }\n"
        'extern "C" void top(S& in, S& out) {\n#pragma HLS PIPELINE II=3\n'
        "for (int i = 0; i < 2; ++i) out.write(sum(in)); }",
    )
    assert not program.loops and program.module.count("call i32 @hlsc.read.i32(") == 6


# --------------------------------------------------------------------------------- directives


@pytest.mark.parametrize("suffix", ["tcl", "cfg"])
def test_directive_files_do_what_pragmas_do(tmp_path, suffix):
    text = {
        "tcl": """
# a comment
set_directive_pipeline -II 2 "work/main"
set_directive_array_partition -type cyclic -factor 2 -dim 2 work a
set_directive_array_partition -type block \\
    -factor 4 {work} b
set_directive_interface -mode s_axilite -bundle ctl top return
set_directive_dependence -variable a -type inter -dependent false work/main
set_directive_loop_tripcount -min 1 -max 9 work/main
""",
        "cfg": """[hls]
part=xc7z020clg400-1
syn.directive.pipeline=work/main II=2
syn.directive.array_partition=work a type=cyclic factor=2 dim=2
syn.directive.array_partition=work variable=b type=block factor=4
syn.directive.interface=top return mode=s_axilite bundle=ctl
syn.directive.dependence=work/main variable=a inter dependent=false
syn.directive.loop_tripcount=work/main min=1 max=9
""",
    }[suffix]
    file = tmp_path / f"directives.{suffix}"
    file.write_text(text)
    program = compile_text(
        tmp_path,
        "template <int N> void work(S& in, S& out, int (&b)[16]) {\n int a[4][N];\n"
        "main: for (int i = 0; i < 4; ++i) {\n  for (int j = 0; j < N; ++j) a[i][j] = in.read();\n"
        "  b[a[i][1] & 15] += i;\n  out.write(a[i][a[i][3] & 3] + b[a[i][2] & 15]);\n }\n}\n"
        'extern "C" void top(S& in, S& out) { int b[16] = {}; work<8>(in, out, b); }',
        directives=file,
    )
    facts = loop(program, "main")
    assert (facts.pipeline, facts.ii, facts.trip_min, facts.trip_max) == (True, 2, 1, 9)
    assert [(d.variable, d.inter) for d in facts.dependences] == [("a", True)]
    arrays = {n: dict(a.partition) for n, a in program.processes[0].arrays.items()}
    assert arrays == {"a": {2: ("cyclic", 2)}, "b": {1: ("block", 4)}}
    assert (program.control, program.control_bundle) == ("ap_ctrl_hs", "ctl")


# --------------------------------------------------------------------- processes and channels


def test_a_loop_without_braces_has_its_label_and_takes_directives(tmp_path):
    text = """extern "C" int top(const int a[8], bool twice) {
  int sum = 0;
  if (twice)
  double_sum:
    for (int i = 0; i < 8; ++i)
      sum += 2 * a[i];
  else
    sum = 1;
plain_sum:
  for (int i = 0; i < 8; ++i) sum += a[i];
  return sum;
}
"""
    file = tmp_path / "directives.tcl"
    file.write_text("set_directive_pipeline -II 3 top/double_sum\n")
    program = compile_text(tmp_path, text, directives=file)
    assert loop(program, "double_sum").ii == 3
    assert loop(program, "plain_sum").ii is None


def test_dataflow():
    program, _ = build("dataflow")
    assert [p.name for p in program.processes] == (
        "split rotate_1 rotate_2 add_1 add_2 add_3 join".split()
    )
    assert len({p.function for p in program.processes}) == 7
    item = (("f0", 70), ("f1", 1))
    ends = {c.name: (c.producer, c.consumer, c.depth, c.width, c.fields) for c in program.channels}
    assert ends == {
        "in": (None, "split", 2, 71, item),
        "out": ("join", None, 2, 71, ()),
        "even": ("split", "rotate_1", 2, 71, item),
        "odd": ("split", "rotate_2", 2, 71, item),
        "right": ("rotate_2", "join", 7, 71, item),
        "chain_0": ("rotate_1", "add_1", 16, 71, item),
        "chain_1": ("add_1", "add_2", 5, 71, item),
        "chain_2": ("add_2", "add_3", 16, 71, item),
        "chain_3": ("add_3", "join", 16, 71, item),
    }
    bindings = {p.name: p.bindings for p in program.processes}
    assert bindings["add_2"] == (
        Binding("scalar", "amount"),
        Binding("channel", "chain_1"),
        Binding("channel", "chain_2"),
    )
    assert Binding("out", "count") in bindings["join"]
    assert [p.loc.line for p in program.processes] == [69, 70, 71, 75, 75, 75, 77]
    assert [f.ii for f in program.loops.values() if f.label == "rotate"] == [1, 3]
    for p in program.processes:
        header = re.search(rf"define void @{p.function}\((.*?)\)", program.module).group(1)
        assert header.count("%") == len(p.bindings)


def test_arguments_of_the_side_channels():
    program, _ = build("fir")
    fields = (("data", 32), ("keep", 4), ("strb", 4), ("user", 1), ("last", 1), ("id", 1), ("dest", 1))
    assert [(c.name, c.width, c.fields) for c in program.channels] == [
        ("in", 44, fields),
        ("out", 44, fields),
    ]


def test_only_side_channels_in_their_order_are_an_axis_word(tmp_path):
    program = compile_text(
        tmp_path,
        "struct A { ap_uint<9> data; bool last; };\nstruct B { bool last; ap_uint<9> data; };\n"
        "struct C { ap_uint<9> data; bool last; short more[2]; };\n"
        'extern "C" void top(hls::stream<A>& a, hls::stream<B>& b, hls::stream<C>& c, S& out) {\n'
        "out.write(a.read().last + b.read().last + c.read().last); }",
    )
    assert [c.fields for c in program.channels] == [
        (("data", 9), ("last", 1)),
        (("f0", 1), ("f1", 9)),
        (("f0", 9), ("f1", 1), ("f2", 32)),
        (),
    ]


# --------------------------------------------------------------------------------- interfaces


@pytest.mark.parametrize(
    ("width", "direction", "size"),
    [
        *[(1, "in", 8), (32, "in", 8), (33, "in", 12), (64, "in", 12), (1312, "in", 168)],
        *[(1, "out", 16), (32, "out", 16), (33, "out", 24), (64, "out", 24)],
    ],
)
def test_bytes_of_a_register(width, direction, size):
    """As in register maps that Vitis HLS writes: 0x10 → 0x1c for 64 bits, 0x38 → 0x48 for an output."""
    assert register_bytes(width, direction) == size


def test_register_map(tmp_path):
    program = compile_text(
        tmp_path,
        'extern "C" int top(S& in, S& out, int a, ap_uint<48> b, bool c, int* d, long long* e, '
        "ap_int<5> f, short g, unsigned char h) {\n"
        + "".join(f"#pragma HLS INTERFACE s_axilite port={x} bundle=ctl\n" for x in "abcdef")
        + "#pragma HLS INTERFACE s_axilite port=return bundle=ctl\n"
        "#pragma HLS INTERFACE s_axilite port=h bundle=other offset=0x20\n"
        "out.write(in.read() + a + b + c + f + g + h); *d = 1; *e = 2; return 3; }",
    )
    ports = {
        p.name: (p.kind, p.direction, p.width, p.offset, p.bundle, p.signed) for p in program.ports
    }
    assert ports == {
        "ap_return": ("s_axilite", "out", 32, 0x10, "ctl", True),
        "in": ("axis", "in", 32, None, "", False),
        "out": ("axis", "out", 32, None, "", False),
        "a": ("s_axilite", "in", 32, 0x18, "ctl", True),
        "b": ("s_axilite", "in", 48, 0x20, "ctl", False),
        "c": ("s_axilite", "in", 1, 0x2C, "ctl", False),
        "d": ("s_axilite", "out", 32, 0x34, "ctl", True),
        "e": ("s_axilite", "out", 64, 0x44, "ctl", True),
        "f": ("s_axilite", "in", 5, 0x5C, "ctl", True),
        "g": ("ap_none", "in", 16, None, "", True),
        "h": ("s_axilite", "in", 8, 0x20, "other", False),
    }
    assert (program.control, program.control_bundle) == ("ap_ctrl_hs", "ctl")


def test_defaults_are_those_of_vitis(tmp_path):
    program = compile_text(
        tmp_path,
        'extern "C" int top(S& in, bool a, ap_uint<3>& b) { b = in.read() + a; return 1; }',
    )
    assert [(p.name, p.kind) for p in program.ports] == [
        ("ap_return", "ap_vld"),
        ("in", "axis"),
        ("a", "ap_none"),
        ("b", "ap_vld"),
    ]
    assert (program.control, program.control_bundle) == ("ap_ctrl_hs", "")


# ------------------------------------------------------------------------------- whole program


def test_several_sources_and_defines(tmp_path):
    (tmp_path / "part.h").write_text("int scale(int x);\n")
    part = tmp_path / "part.cpp"
    part.write_text('#include "part.h"\nint scale(int x) { return x * FACTOR; }\n')
    program = compile_program_of(tmp_path, part)
    assert "mul nsw i32" in program.module and ", 21" in program.module


def compile_program_of(tmp_path: Path, part: Path) -> Program:
    main = tmp_path / "main.cpp"
    main.write_text(
        '#include <hls_stream.h>\n#include "part.h"\nvoid top(hls::stream<int>& in, '
        "hls::stream<int>& out) { out.write(scale(in.read())); }\n"
    )
    return compile_program([main, part], "top", include_dirs=[tmp_path], defines={"FACTOR": "21"})


def test_the_same_input_gives_the_same_program():
    """Byte for byte, whatever the hash seed and the working directory."""
    code = (
        "import sys; from pathlib import Path; from hlsc.frontend import compile_program; "
        "p = compile_program([Path(sys.argv[1])], 'top'); print(p)"
    )
    source = KERNELS / "dataflow.cpp"
    runs = [
        subprocess.run(
            [sys.executable, "-c", code, str(source)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        for seed, cwd in (("1", "/"), ("2", KERNELS))
    ]
    assert runs[0] == runs[1] and "rotate_2" in runs[0]
