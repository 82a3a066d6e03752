# SPDX-License-Identifier: Apache-2.0
"""`hlsc lint`: each rule on a source that breaks it, the same source mended, and releases apart."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hlsc.cli import main
from hlsc.errors import HlscError
from hlsc.lint import ALL, Finding, lint, select

ROOT = Path(__file__).parents[2]

BODY = """#include <ap_int.h>
#include <ap_axi_sdata.h>
#include <hls_stream.h>
{before}
void top(int a[64], int n) {{
{function}
  int b[64];
{array}
  loop: for (int i = 0; i < 64; i++) {{
{loop}
    if (a[i]) {{
{block}
      b[i] = a[i];
    }}
  }}
}}
"""


def look(folder: Path, *, top: str = "top", tool: str = "all", **parts: str) -> list[Finding]:
    empty = dict.fromkeys(("before", "function", "array", "loop", "block"), "")
    pragmas = {k: v if k == "before" else f"#pragma HLS {v}" for k, v in parts.items()}
    source = folder / "top.cpp"
    source.write_text(BODY.format(**{**empty, **pragmas}))
    return lint([source], top, select([tool]))


def text(folder: Path, source: str, top: str = "top") -> list[str]:
    file = folder / "top.cpp"
    file.write_text(source)
    return [str(f).removeprefix(f"{folder}/") for f in lint([file], top)]


def test_what_all_releases_take(tmp_path: Path) -> None:
    parts = dict(
        function="INTERFACE ap_memory port=a",
        array="ARRAY_PARTITION variable=b cyclic factor=2 dim=1",
        loop="PIPELINE II=1",
    )
    assert look(tmp_path, **parts) == []
    assert look(tmp_path, **{k: v.lower() for k, v in parts.items()}) == []


@pytest.mark.parametrize(
    ("place", "pragma", "tools", "remedy"),
    [
        ("array", "RESOURCE variable=b core=RAM_2P_BRAM", "Vitis", "BIND_STORAGE"),
        ("array", "BIND_STORAGE variable=b type=ram_2p", "Vivado HLS", "RESOURCE"),
        ("array", "ARRAY_MAP variable=b instance=x horizontal", "Vitis", "yourself"),
        ("array", "DATA_PACK variable=b", "Vitis", "AGGREGATE"),
        ("array", "AGGREGATE variable=b", "Vivado HLS", "DATA_PACK"),
        ("array", "ARRAY_PARTITION variable=b type=complete",
         "Vivado HLS and Vitis 2020.1 to 2020.2", "bare word"),
        ("loop", "PIPELINE II=1 enable_flush", "Vitis", "style=flp"),
        ("loop", "PIPELINE II=1 style=flp", "Vivado HLS and Vitis 2020.1", "enable_flush"),
        ("loop", "UNROLL region", "Vitis", "each inner loop"),
        ("loop", "PERFORMANCE target_ti=4", "Vivado HLS and Vitis 2020.1 to 2021.2", "PIPELINE"),
        ("loop", "ARRAY_STENCIL variable=a", "Vivado HLS and Vitis 2020.1 to 2023.2", "window buffer"),
        ("loop", "if (1 == (2)) PIPELINE II=1", "Vivado HLS and Vitis 2020.1 to 2025.1", "#if"),
        ("function", "INTERFACE s_axilite port=return autorestart",
         "Vivado HLS and Vitis 2020.1 to 2024.2", "driver"),
        ("function", "INTERFACE ap_bus port=a", "Vitis", "write m_axi"),
        ("function", "INTERFACE mode=ap_memory port=a",
         "Vivado HLS and Vitis 2020.1 to 2020.2", "bare word"),
    ],
)  # fmt: skip
def test_spellings_of_some_releases(
    tmp_path: Path, place: str, pragma: str, tools: str, remedy: str
) -> None:
    (found,) = look(tmp_path, **{place: pragma})
    assert (found.rule, found.tools) == ("option", tools)
    assert remedy in found.remedy and not found.is_note
    name = pragma.rpartition(") ")[2].split()[0]
    assert found.file.endswith("top.cpp") and f"#pragma HLS {name}" in found.message
    one = "vitis-2026.1" if "Vivado HLS" in tools else "vivado-2019.2"
    assert look(tmp_path, tool=one, **{place: pragma}) == []


@pytest.mark.parametrize(
    ("place", "pragma", "said"),
    [
        ("loop", "PIPLINE II=1", "did you mean PIPELINE?"),
        ("loop", "PIPELINE I=1", "did you mean ii?"),
        ("loop", "UNROLL factr=2", "did you mean factor?"),
        ("function", "UNROLL factor=2", "stands in a function"),
        ("block", "PIPELINE II=1", "stands in other braces"),
        ("before", "#pragma HLS DATAFLOW", "stands outside functions"),
        ("loop", "INLINE", "stands in a loop"),
        ("array", "ARRAY_PARTITION variable=", "must consist of option=value"),
    ],
)
def test_what_no_release_heeds(tmp_path: Path, place: str, pragma: str, said: str) -> None:
    (found,) = look(tmp_path, **{place: pragma})
    assert said in str(found) and found.tools == "Vivado HLS and Vitis"


@pytest.mark.parametrize(
    ("place", "pragma", "said"),
    [
        ("array", "ARRAY_PARTITION complete", "lacks variable=…"),
        ("array", "STREAM depth=4", "lacks variable=…"),
        ("array", "ARRAY_PARTITION variable=bb complete", "names 'bb', which the sources do not have"),
        ("function", "INTERFACE ap_memory port=b", "names 'b', which is no argument of 'top'"),
        ("array", "ARRAY_PARTITION variable=b type=cycli", "did you mean cyclic?"),
        ("array", "BIND_STORAGE variable=b type=ram_2p impl=brams", "did you mean bram?"),
        ("loop", "PIPELINE style=flush", "has 'style=flush', which no release knows"),
        ("array", "PIPELINE II=1", "stands before a loop, and applies to the function around it"),
    ],
)
def test_what_applies_to_nothing_or_to_something_else(
    tmp_path: Path, place: str, pragma: str, said: str
) -> None:
    (found,) = look(tmp_path, tool="vitis-2024.2", **{place: pragma})
    assert said in str(found)


def test_a_pragma_at_the_beginning_of_a_body_is_that_body_s(tmp_path: Path) -> None:
    source = "void top(int* x) {{\n{}  for (int i = 0; i < 4; i++)\n{}    x[i] = i;\n}}\n"
    pipeline = "#pragma HLS PIPELINE\n"
    assert text(tmp_path, source.format(pipeline, "")) == []
    assert text(tmp_path, source.format("", pipeline)) == []
    assert len(text(tmp_path, source.format("  x[5] = 1;\n" + pipeline, ""))) == 1


TCL = """# a script may hold anything else
open_project p
set_directive_pipeline -II 1 "top/loop"
set_directive_array_partition -type cyclic -factor 2 -dim 1 "top" b
set_directive_interface -mode ap_memory "top" a
"""


def directives(folder: Path, name: str, content: str, tool: str = "all", *sources: str) -> list[str]:
    files = []
    for i, source in enumerate(sources):
        files.append(folder / f"s{i}.cpp")
        files[-1].write_text(source)
    (folder / name).write_text(content)
    found = lint([*files, folder / name], "", select([tool]))
    return [str(f).removeprefix(f"{folder}/") for f in found]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("top/loop", "top/lop", "stands at the loop 'lop', which 'top' does not have"),
        ('"top" b', '"topp" b', "stands at the function 'topp', which the sources do not have"),
        ("-type cyclic", "-kind cyclic", "has the unknown option 'kind'"),
        ("-type cyclic", "-type cycli", "did you mean cyclic?"),
        (' "top" b', "", "names no function"),
        ("set_directive_pipeline", "set_directive_pipline", "did you mean PIPELINE?"),
        ('"top/loop"', '"top', "d.tcl:3: warning: a directive must be well quoted"),
    ],
)
def test_directives_of_tcl_are_keyed_in_all_releases(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    source = BODY.format(**dict.fromkeys(("before", "function", "array", "loop", "block"), ""))
    assert directives(tmp_path, "d.tcl", TCL, "all", source) == []
    assert directives(tmp_path, "d.tcl", TCL.replace("top", "f")) == []  # no sources to look in
    assert old in TCL
    found = directives(tmp_path, "d.tcl", TCL.replace(old, new), "all", source)
    assert any(said in f for f in found), found


@pytest.mark.parametrize(
    ("line", "tools", "said"),
    [
        ('set_directive_resource -core DSP48 "f" x', "Vitis", "is deprecated there"),
        ('set_directive_bind_op -op mul -impl dsp "f" x', "Vivado HLS", "write RESOURCE core=…"),
        ('set_directive_inline -region "f"', "Vitis", "'region', which is deprecated there"),
        ('set_directive_inline "f/l"', "Vivado HLS and Vitis", "stands in a loop"),
        ('set_directive_unroll -factor 2 "f"', "Vivado HLS and Vitis", "stands in a function"),
        ('set_directive_data_pack "f" x', "Vitis", "write AGGREGATE"),
    ],
)
def test_spellings_of_directives(tmp_path: Path, line: str, tools: str, said: str) -> None:
    (found,) = directives(tmp_path, "d.tcl", line + "\n")
    assert said in found and f"({tools})" in found and f": warning: {line.split()[0]} " in found


def test_directives_of_cfg_files_are_those_of_v_plus_plus(tmp_path: Path) -> None:
    good = "[hls]\nsyn.top=f\nsyn.directive.bind_op=f x op=mul impl=dsp\n"
    assert directives(tmp_path, "h.cfg", good) == []
    old = good.replace("bind_op=f x op=mul impl=dsp", "resource=f x core=DSP48")
    (found,) = directives(tmp_path, "h.cfg", old)
    assert found.startswith("h.cfg:3: warning: syn.directive.resource is deprecated there")
    assert "(Vitis 2023.2 to 2026.1)" in found
    assert directives(tmp_path, "h.cfg", old, "vivado") == []


def test_defaults_of_templates_are_no_initialisers(tmp_path: Path) -> None:
    source = """#include <hls_stream.h>
template <int N = (1 < 2), typename T = hls::stream<int>>
void first(T& x) {
#pragma HLS INLINE
  x.write(N);
}
template <typename T>
T second(T x) {
#pragma HLS INLINE
  return x;
}
void top(hls::stream<int>& x) {
  first(x);
}
"""
    assert text(tmp_path, source) == []


def test_interface_of_a_function_below_the_top(tmp_path: Path) -> None:
    part = dict(function="INTERFACE ap_memory port=a")
    (found,) = look(tmp_path, top="other", **part)
    assert "is not the top" in found.message and found.rule == "placement"
    assert look(tmp_path, **part) == look(tmp_path, top="", **part) == []


STREAMS = """#include <ap_axi_sdata.h>
#include <hls_stream.h>
struct Word { int data; bool last; };
struct Plain { int data; int tag; };
namespace ns { struct Inner { int data; int keep; }; }
typedef Word Alias;
"""


@pytest.mark.parametrize(
    ("word", "lost"),
    [
        ("Word", True), ("Alias", True), ("ns::Inner", True),
        ("Plain", False), ("ap_axiu<32, 1, 1, 1>", False),
    ],
)  # fmt: skip
def test_struct_words_lose_tlast(tmp_path: Path, word: str, lost: bool) -> None:
    source = f"{STREAMS}void top(hls::stream<{word} >& in) {{\n  in.read();\n}}\n"
    found = text(tmp_path, source)
    assert len(found) == lost
    if lost:
        assert "the stream has no TLAST (Vitis)" in found[0] and found[0].startswith(
            "top.cpp:7: warning"
        )
    assert text(tmp_path, source, top="other") == []  # between processes a struct is just data
    for alias in (f"typedef hls::stream<{word} > S;", f"using S = hls::stream<{word} >;"):
        named = f"{STREAMS}{alias}\nvoid top(S& in) {{\n  in.read();\n}}\n"
        assert len(text(tmp_path, named)) == lost


@pytest.mark.parametrize(
    ("head", "named"),
    [
        ("for (int i = 0; i < n; i++)", "'n'"),
        ("for (int i = 0; i < N; i++)", ""),
        ("for (int i = 0; i < 2 * M + K; i++)", ""),
        ("for (int i = n; i > 0; i--)", "'n'"),
        ("for (int i = N - 1; i >= 0; i--)", ""),
        ("for (bool done = false; !done;)", "its body"),
        ("while (n > 0)", "'n'"),
        ("while (true)", "its body"),
    ],
)
def test_loops_without_a_trip_count(tmp_path: Path, head: str, named: str) -> None:
    source = "const int N = 4; constexpr int M = N + 1; enum {{ K = 3 }};\n"
    source += "void top(int n, int* x) {{\n  {} {{\n{}    *x = n;\n  }}\n}}\n"
    found = text(tmp_path, source.format(head, ""))
    assert len(found) == bool(named)
    assert all(
        f"top.cpp:3: note: the loop's number of iterations depends on {named}" in f for f in found
    )
    assert text(tmp_path, source.format(head, "#pragma HLS LOOP_TRIPCOUNT max=9\n")) == []


@pytest.mark.parametrize(("condition", "named"), [("*x < n", "'x'"), ("true", "its body"), ("0", "")])
def test_do_loops_without_a_trip_count(tmp_path: Path, condition: str, named: str) -> None:
    source = "void top(int n, int* x) {{\n  do {{\n{}    *x += 1;\n  }} while ({});\n}}\n"
    found = text(tmp_path, source.format("", condition))
    assert len(found) == bool(named) and all(f"depends on {named}" in f for f in found)
    assert all(f.startswith("top.cpp:2: note") for f in found)
    assert text(tmp_path, source.format("#pragma HLS LOOP_TRIPCOUNT max=9\n", condition)) == []


DATAFLOW = """#include <hls_stream.h>
typedef hls::stream<int> S;
void fork(S& in, S& a, S& b) {{
  for (int i = 0; i < 64; i++) {{ int x = in.read(); a.write(x); {put} }}
  {once}
}}
void slow(S& a, S& c) {{ for (int i = 0; i < 64; i++) c.write(a.read()); }}
void join(S& b, S& c, S& out) {{ for (int i = 0; i < 64; i++) out.write(c.read() + b.read()); }}
void top(hls::stream<int>& in, hls::stream<int>& out) {{
#pragma HLS DATAFLOW
  hls::stream<int> a, b("b"), c;
{depth}
  fork(in, a, b);
  slow(a, c);
  join(b, c, out);
}}
"""


def test_streams_that_meet_again(tmp_path: Path) -> None:
    def found(put: str = "b.write(x);", once: str = "", depth: str = "") -> list[str]:
        return text(tmp_path, DATAFLOW.format(put=put, once=once, depth=depth))

    (warning,) = found()
    assert "stream 'b' has the default depth beside the longer way over a, c" in warning
    assert warning.startswith("top.cpp:11: warning")
    assert found(depth="#pragma HLS STREAM variable=b depth=64") == []
    assert len(found(depth="#pragma HLS STREAM variable=c depth=64")) == 1
    assert found(put="", once="b.write(1);") == []  # one value can not fill it


@pytest.mark.parametrize("kernel", ["gemm_systolic", "conv_linebuffer", "conv_winograd"])
def test_the_kernels_suit_all_releases(kernel: str) -> None:
    folder = ROOT / "hls" / kernel
    found = lint([folder / f"{kernel}.cpp"], kernel, ALL, [folder, ROOT / "hls" / "common"])
    assert [str(f) for f in found if not f.is_note] == []
    # Their loops end by counters of registers: no latency can be read from the source.
    assert found


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "x.cpp"
    source.write_text("void top(int* x) {\n#pragma HLS INLINE region\n  *x = 1;\n}\n")
    assert main(["lint", str(source)]) == 1
    assert "x.cpp:2: warning: #pragma HLS INLINE has 'region'" in capsys.readouterr().out
    assert main(["lint", str(source), "--tool", "vivado"]) == 0
    assert "nothing found for vivado-2019.2 to vivado-2020.1" in capsys.readouterr().out
    assert main(["lint", str(source), "--json"]) == 1
    (row,) = json.loads(capsys.readouterr().out)
    assert row["line"] == 2 and row["tools"] == "Vitis"
    source.write_text("void top(int n, int* x) {\n  while (n) *x = 1;\n}\n")
    assert main(["lint", str(source)]) == 0 and "note: " in capsys.readouterr().out
    for argv, said in [
        (["lint", str(tmp_path / "none.cpp")], "source file must exist"),
        (["lint", str(source), "--tool", "vitis-2022.3"], "such as vitis-2022.2, not 'vitis-2022.3'"),
        (["lint", str(source), "--tool", "quartus"], "must be all, vivado, vitis or a release"),
    ]:
        assert main(argv) == 1
        assert said in capsys.readouterr().err


def test_sources_that_do_not_preprocess_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.cpp").write_text('#include "nowhere.h"\n')
    with pytest.raises(HlscError, match="nowhere"):
        lint([tmp_path / "x.cpp"])
