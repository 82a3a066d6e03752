# SPDX-License-Identifier: Apache-2.0
"""ALLOCATION: shared operators natively and in RTL, how many exist, and what is refused."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import subset_rows
from allocation_rows import OPERATORS
from fuzz.check import check

from hlsc.errors import HlscError
from hlsc.explain import explain
from hlsc.report import table
from hlsc.schedule.verify import VerifyError, verify
from hlsc.synth import SynthResult, synthesize, timing_for

HEAD = "#include <ap_int.h>\n#include <hls_stream.h>\ntypedef hls::stream<int> S;\n"
DOT = """\
  for (int i = 0; i < 9; ++i) {
#pragma HLS PIPELINE II=2
    int x = in.read();
    short a = x, b = x >> 16;
    out.write(a * b + (a ^ 2) * (b ^ 3) - (b ^ 4) * (a ^ 5) + (a ^ 7) * (b ^ 9));
  }"""


def made(folder: Path, body: str, before: str = "", **options: object) -> SynthResult:
    text = f'{before}\nextern "C" void top(S& in, S& out) {{\n{body}\n}}\n'
    (folder / "top.cpp").write_text(HEAD + text)
    return synthesize([folder / "top.cpp"], "top", **options)


def limit(what: str) -> str:
    return f"#pragma HLS ALLOCATION {what}\n"


def operators(text: str, sign: str) -> int:
    return len(re.findall(rf" {re.escape(sign)} ", re.sub(r"//.*", "", text)))


def test_shared_operators_under_stalls(seed: int) -> None:
    """Stalls between operands and result; a divider longer than the interval; regions in turn."""
    names = {"row_shared_across_stalls", "row_shared_divider", "row_shared_in_all_regions"}
    cases = [c for c in subset_rows.cases(seed) if c.name in names]
    assert len(cases) == len(names)
    verdicts = check(cases, level="rtl", seed=seed)
    assert [v.kind for v in verdicts] == ["same"] * len(names), [v.text for v in verdicts]


@pytest.mark.parametrize("row", OPERATORS)
def test_as_many_multipliers_as_allowed(row: str, tmp_path: Path) -> None:
    source = tmp_path / "row.cpp"
    source.write_text(subset_rows.HEAD + subset_rows.ROWS[row].format(name="row"))
    result = synthesize([source], "row")
    assert operators(result.text, "*") == OPERATORS[row]
    (process,) = result.report["processes"]
    assert process["operators"]["mul"] == process["estimate"]["dsp"] == OPERATORS[row]


def test_the_interval_rises_and_says_why(tmp_path: Path) -> None:
    free = made(tmp_path, DOT)
    assert operators(free.text, "*") == 4 and not free.report["allocations"]
    result = made(tmp_path, limit("operation instances=mul limit=1") + DOT)
    (loop,) = result.report["loops"]
    assert (loop["ii"], loop["asked_ii"], loop["limited_by"]["kind"]) == (4, 2, "allocation")
    assert loop["limited_by"]["what"] == "limit=1 of mul (top.cpp:6) for 4 in one iteration"
    assert loop["limited_by"]["lines"] == ["top.cpp:11"]
    (warning,) = result.report["warnings"]
    assert "reaches II 4, not the asked 2: allocation: limit=1 of mul (top.cpp:6)" in warning
    (row,) = result.report["allocations"]
    assert (row["operation"], row["limit"], row["operators"], row["operations"]) == ("mul", 1, 1, 4)
    assert re.search(r"top: mul of top +top.cpp:6 +1 +1 +4\n", table(result.report))


def test_explain_shows_who_shares(tmp_path: Path) -> None:
    made(tmp_path, limit("operation instances=mul limit=1") + DOT)
    (loop,) = explain([tmp_path / "top.cpp"], "top").loops
    (shared,) = loop.ports
    assert shared.name == "shared_mul_0" and [u.cycle for u in shared.uses] == [0, 1, 2, 3]
    assert loop.advice and loop.advice.note == "II 2 takes ALLOCATION limit=2 of mul instead of 1"


@pytest.mark.parametrize(
    "what",
    [
        "operation instances=mul limit=2",
        "instances=mul limit=2 operation",
        "limit=1+1 INSTANCES=MUL type=operation",
        "operation instances=add,mul limit=2",
    ],
)
def test_spellings(tmp_path: Path, what: str) -> None:
    result = made(tmp_path, limit(what) + DOT)
    assert operators(result.text, "*") == 2 and not result.report["warnings"]


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("d.tcl", "set_directive_allocation -limit 2 -type operation top mul"),
        ("d.tcl", 'set_directive_allocation -type operation -limit 2 "top" mul'),
        ("d.cfg", "syn.directive.allocation=top operation instances=mul limit=2"),
    ],
)
def test_directives(tmp_path: Path, file: str, line: str) -> None:
    (tmp_path / file).write_text(line + "\n")
    result = made(tmp_path, DOT, directives=tmp_path / file)
    assert operators(result.text, "*") == 2


def test_a_limit_per_instantiation(tmp_path: Path) -> None:
    """The products of dot<2> share two multipliers, wherever it is called; those outside share none."""
    dot = """template <int N> int dot(short a, short b) {
#pragma HLS ALLOCATION operation instances=mul limit=N
  return a * b + (a ^ 2) * (b ^ 3) - (b ^ 4) * (a ^ 5);
}"""
    body = """  short x = in.read(), y = in.read();
  out.write(dot<2>(x, y) * dot<9>(y, x ^ 1) + dot<2>(y, x ^ 2));"""
    result = made(tmp_path, body, dot)
    rows = {x["limit"]: (x["operators"], x["operations"]) for x in result.report["allocations"]}
    assert rows == {2: (2, 6), 9: (3, 3)}


def test_a_limit_speaks_of_the_process_that_has_its_function(tmp_path: Path) -> None:
    """Counters that hlsc makes have no origin; where nothing is of the function they count for none."""
    processes = f"""void give(S& s, int a[8]) {{
  for (int i = 0; i < 8; i += 2) {{
    a[i] = s.read();
    a[i + 1] = s.read() * 5;
  }}
}}
void take(int a[8], S& s) {{
{limit("operation instances=add limit=1")}  for (int i = 0; i < 8; ++i) s.write(a[i] + i);
}}"""
    body = (
        "for (int k = 0; k < 3; ++k) {\n#pragma HLS DATAFLOW\nint a[8];\ngive(in, a);\ntake(a, out);\n}"
    )
    result = made(tmp_path, body, processes)
    assert {x["process"] for x in result.report["allocations"]} == {"take"}


def test_many_operations_are_placed_without_search(tmp_path: Path) -> None:
    body = f"""{limit("operation instances=mul limit=8")}
  short d[32] = {{}};
#pragma HLS ARRAY_PARTITION variable=d complete
  for (int i = 0; i < 9; ++i) {{
#pragma HLS PIPELINE II=4
    int sum = 0;
    for (int k = 31; k > 0; --k) d[k] = d[k - 1];
    d[0] = in.read();
    for (int k = 0; k < 32; ++k) sum += d[k] * short(d[31 - k] ^ (k * 77));
    out.write(sum);
  }}"""
    result = made(tmp_path, body)
    assert [x["ii"] for x in result.report["loops"]] == [4] and operators(result.text, "*") == 8


def test_verify_finds_an_operator_booked_twice(tmp_path: Path) -> None:
    result = made(tmp_path, limit("operation instances=mul limit=2") + DOT)
    (process,) = result.prepared.processes
    (good,) = [s for s in result.schedules.values() if s.bound]
    timing = timing_for(10.0)
    verify(process, good, timing)
    swapped = replace(good, bound={i: 1 - k for i, k in good.bound.items()})
    verify(process, swapped, timing)
    for faulty, message in (
        (dict.fromkeys(good.bound, 0), "need one operator in slot"),
        ({i: k + 1 for i, k in good.bound.items()}, "has operator 2 of 2"),
        ({}, "has operator None of 2"),
    ):
        with pytest.raises(VerifyError, match=message):
            verify(process, replace(good, bound=faulty), timing)


FLOW = """void f(S& a, S& b) { for (int i = 0; i < 9; ++i) b.write(a.read() * 7); }
void g(S& a, S& b) { for (int i = 0; i < 9; ++i) b.write(a.read() ^ 7); }
"""
SQUARE = "int f(int x) {\n#pragma HLS INLINE off\nreturn x * x; }"


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("operation instances=mul limit=0", "must have a 'limit' of at least 1, not 0"),
        ("operation instances=mul limit=-3", "must have a 'limit' of at least 1, not -3"),
        ("operation instances=mul", "must say limit="),
        ("operation limit=3", "must say instances="),
        ("instances=mul limit=3", "must say what it limits: operation or function"),
        ("operation instances=fmul limit=3", "must not limit 'fmul'; it takes add, ashr, lshr, mul,"),
        ("operation instances=icmp limit=3", "takes no more than the multiplexers"),
        ("operation instances=mul,mul limit=3", "must limit 'mul' once in a function, not twice"),
        ("core instances=mul limit=3", "must not have the option 'core'"),
        ("function instances=g limit=1", "must name a function that 'top' calls, not 'g'"),
        ("function instances=mul limit=1", "must name a function that 'top' calls, not 'mul'"),
        ("function instances=f limit=0", "must have a 'limit' of at least 1, not 0"),
    ],
)
def test_refused(tmp_path: Path, what: str, message: str) -> None:
    with pytest.raises(HlscError, match=re.escape(message)) as caught:
        made(tmp_path, limit(what) + "out.write(f(in.read())); out.write(f(in.read()));", SQUARE)
    assert str(caught.value).startswith(str(tmp_path / "top.cpp") + ":8: ")


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("operation instances=mul limit=1", "must stand in a process, not in 'top', whose processes"),
        ("function instances=f limit=1", "must not name 'f', a process"),
    ],
)
def test_refused_beside_dataflow(tmp_path: Path, what: str, message: str) -> None:
    body = "#pragma HLS DATAFLOW\n" + limit(what) + "S s; f(in, s); g(s, out);"
    with pytest.raises(HlscError, match=re.escape(message)):
        made(tmp_path, body, FLOW)


CALL = "out.write(f(in.read()));"
TWICE = CALL + " out.write(f(in.read() + 3));"
FIVE = (
    "int y = f(in.read()); out.write(y ^ f(y + 1)); "
    + TWICE
    + " for (int i = 0; i < 4; ++i) out.write(f(in.read() - i));"
)


@pytest.mark.parametrize(
    ("body", "instances", "products"),
    [(TWICE, 1, 1), (TWICE, 2, 2), (TWICE, 9, 2), (FIVE, 2, 2), (FIVE, 4, 4), (FIVE, 5, 5)],
)
def test_calls_share_an_instance(tmp_path: Path, body: str, instances: int, products: int) -> None:
    what = limit(f"function instances=f limit={instances}")
    result = made(tmp_path, what + body, SQUARE.replace("int x", "short x"))
    assert operators(result.text, "*") == products


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (f"for (int i = 0; i < 3; ++i) {{\n#pragma HLS PIPELINE\n{TWICE}\n}}", "in a pipelined loop"),
        (f"#pragma HLS PIPELINE\n{TWICE}", "in a pipelined loop or function"),
        (f"for (int i = 0; i < 3; ++i) {{\n#pragma HLS UNROLL\n{CALL}\n}}", "loop that unrolls"),
        (FIVE, "they stand in 2 places, of which some repeat"),
        (f"if (in.read()) {{ {CALL} }}\nout.write(5);\n{CALL}", "in a branch, others behind it"),
        ("int a = in.read(), b = a; out.write(g(a) + g(b));", "argument 1 is another object each"),
    ],
)
def test_calls_that_cannot_take_turns(tmp_path: Path, body: str, message: str) -> None:
    before = SQUARE + "\nint g(int& x) { x *= x; return x + 1; }"
    what = limit("function instances=" + ("g" if "g(" in body else "f") + " limit=1")
    with pytest.raises(HlscError, match=re.escape(message)) as caught:
        made(tmp_path, what + body, before)
    assert "cannot take turns" in str(caught.value) and "operation instances=mul" in str(caught.value)
