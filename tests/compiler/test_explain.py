# SPDX-License-Identifier: Apache-2.0
"""hlsc explain: limits, schedule, ports and FIFO fills; advice that does what it says."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from hlsc.cli import main
from hlsc.explain import Explanation, LoopView, explain
from hlsc.explain_text import text
from hlsc.synth import synthesize

EXAMPLES = Path(__file__).parents[2] / "examples"
MATMUL = EXAMPLES / "matmul" / "matmul.cpp"
MATCH = EXAMPLES / "string_match" / "string_match.cpp"
PAIR = EXAMPLES / "matched_pair"


def loop(found: Explanation, label: str) -> LoopView:
    (one,) = [x for x in found.loops if x.label == label]
    return one


def line(path: Path, part: str) -> int:
    (one,) = [n for n, x in enumerate(path.read_text().splitlines(), 1) if part in x]
    return one


@pytest.fixture(scope="module")
def matmul() -> Explanation:
    return explain([MATMUL], "matmul")


def test_limit_and_ports(matmul: Explanation) -> None:
    multiply = loop(matmul, "multiply")
    assert multiply.ii == 8 and multiply.limit is not None and multiply.limit.kind == "port"
    (place,) = multiply.limit.lines
    assert place.line == line(MATMUL, "sum += a[i][k] * b[k][j]")
    assert matmul.source(place) == "for (int k = 0; k < N; ++k) sum += a[i][k] * b[k][j];"
    ports = {p.name: p for p in multiply.ports}
    assert list(ports) == ["read port of a", "read port of b"]
    for p in ports.values():
        assert sorted(u.cycle % 8 for u in p.uses) == list(range(8))
    assert loop(matmul, "load_a").limit is None and loop(matmul, "load_a").advice is None


def test_schedule_holds_every_operation_once(matmul: Explanation) -> None:
    rows = loop(matmul, "multiply").rows
    counts = {op: 0 for op in ("load a", "load b", "mul", "write out")}
    for row in rows:
        for name, count in row.operations:
            if name in counts:
                counts[name] += count
    assert counts == {"load a": 8, "load b": 8, "mul": 8, "write out": 1}
    (write,) = [r for r in rows if ("write out", 1) in r.operations]
    assert write.cycle == max(r.cycle for r in rows) == loop(matmul, "multiply").depth - 1
    assert write.loc is not None and write.loc.line == line(MATMUL, "out.write(sum)")


def test_advice_lifts_the_limit(matmul: Explanation, tmp_path: Path) -> None:
    """The pragmas, written into the source where the arrays are declared, give the II they promise."""
    advice = loop(matmul, "multiply").advice
    assert advice is not None and advice.function == "matmul" and advice.ii == 1
    assert {p.split("variable=")[1][0] for p in advice.pragmas} == {"a", "b"}
    declared = "  Operand a[N][N], b[N][N];\n"
    changed = MATMUL.read_text().replace(declared, declared + "\n".join(advice.pragmas) + "\n")
    source = tmp_path / "matmul.cpp"
    source.write_text(changed)
    loops = synthesize([source], "matmul").report["loops"]
    assert [x["ii"] for x in loops if x["label"] == "multiply"] == [1]


def test_recurrence_through_a_memory() -> None:
    learn = loop(explain([MATCH], "string_match"), "learn")
    assert learn.ii == 2 and learn.limit is not None and learn.limit.kind == "recurrence"
    assert learn.advice is not None and learn.advice.ii == 1
    assert learn.advice.pragmas == (
        "#pragma HLS DEPENDENCE variable=places type=inter direction=RAW dependent=false",
    )
    assert learn.advice.function == "string_match/learn"
    assert "if no iteration reads an element that one of the last ones wrote" in learn.advice.note


class Page(HTMLParser):
    """Checks that every element is closed and that nothing is fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.paths: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        assert not {"src", "href"} & set(given)
        if tag == "path":
            self.paths.append(given["d"] or "")
        if tag not in ("meta", "path"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_with_fills(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "pair.html"
    argv = ["explain", PAIR / "matched_pair.cpp", "--top", "matched_pair", "--html", page]
    argv += ["--tb", PAIR / "matched_pair_tb.cpp", "--directives", PAIR / "depths.cfg"]
    assert main([str(a) for a in argv]) == 0
    said = capsys.readouterr().out
    assert "samples: depth 16, 96 words, most at once 16" in said
    parser = Page()
    parser.feed(page.read_text())
    assert parser.open == [] and len(parser.paths) == 4  # fill and depth of two FIFOs
    for part in ("Outside loops", "loop total.add", "loop centre.subtract", "depth 16, 96 words"):
        assert part in page.read_text()
    # A filled FIFO touches the line of its depth.
    assert "V4.0H" in parser.paths[0]


def test_what_is_foreign_is_escaped(matmul: Explanation) -> None:
    from hlsc.explain_html import html

    page = html(matmul)
    assert "k &lt; N" in page and "k < N" not in page
    assert "#pragma HLS ARRAY_PARTITION" in page and "#pragma HLS ARRAY_PARTITION" in text(matmul)


ARGUMENT = """\
#include <hls_stream.h>
typedef hls::stream<int> S;
void sum(const int words[8], S& s) {
add:
  for (int i = 0; i < 2; ++i) {
#pragma HLS PIPELINE II=1
    s.write(words[4 * i] + words[4 * i + 1] + words[4 * i + 2] + words[4 * i + 3]);
  }
}
void pass(S& s, S& out) { for (int i = 0; i < 2; ++i) out.write(s.read()); }
extern "C" void top(const int a[8], S& out) {
#pragma HLS DATAFLOW
  S s;
  sum(a, s);
  pass(s, out);
}
"""


def test_array_arguments_are_partitioned_where_they_are_declared(tmp_path: Path) -> None:
    (tmp_path / "top.cpp").write_text(ARGUMENT)
    said = text(explain([tmp_path / "top.cpp"], "top"))
    assert "with these the loop has II 1 instead of 2 (tried)" in said
    assert re.search(r"#pragma HLS ARRAY_PARTITION variable=a type=\w+.* \(in top\)", said), said
