# SPDX-License-Identifier: Apache-2.0
"""A DATAFLOW loop: processes of successive iterations overlap, and what keeps them apart is needed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import subset_rows
from rtl_mutants import Mutated, mutated

from hlsc.cosim import cosim
from hlsc.dataflow import recorded_run
from hlsc.errors import HlscError
from hlsc.interp import interpret
from hlsc.schedule.verify import violations
from hlsc.synth import synthesize, timing_for

FOLDER = Path(__file__).parent / "cosim"
SOURCE, BENCH, TOP = FOLDER / "tiles.cpp", FOLDER / "tiles_tb.cpp", "tiles"
CALLS = (1, 2, 3, 0, 7)  # iterations, as the bench has them
PROCESSES = {"load": 16, "blend": 24, "store": 16}  # cycles of one iteration

# Patterns of the top module.
MUTANTS = {
    "consumer does not wait": (r"(\.i_[abc]__full_valid +\()(\w+)\)", r"\1CHOSEN | \2)"),
    "producer does not wait": (r"(\.i_[abc]__free_valid +\()(\w+)\)", r"\1CHOSEN | \2)"),
    "last producer does not wait": (r"(\.i_d__free_valid +\()(\w+)\)", r"\1CHOSEN | \2)"),
    "last consumer does not wait": (r"(\.i_d__full_valid +\()(\w+)\)", r"\1CHOSEN | \2)"),
    "token lost": (r"(b__free_fifo \([^;]*?\.in_valid +\()(\w+)\)", r"\1~CHOSEN & \2)"),
    "producer keeps its half": (
        r"(\.waddr +\()(_load_m_c_address1)\)",
        r"\1CHOSEN ? {1'h0, \2[3:0]} : \2)",
    ),
    "consumer keeps its half": (
        r"(\.raddr +\()(_store_m_d_address0)\)",
        r"\1CHOSEN ? {1'h0, \2[4:0]} : \2)",
    ),
    "half stays with the producer": (r"(a_owner <= )([^;]*);", r"\1CHOSEN ? 1'h0 : \2;"),
    "half stays with the consumer": (r"(a_owner_2 <= )([^;]*);", r"\1CHOSEN ? 1'h1 : \2;"),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Mutated:
    folder = tmp_path_factory.mktemp("mutants")
    return mutated(SOURCE, BENCH, TOP, MUTANTS, folder, everywhere=True)


def test_an_iteration_costs_what_its_slowest_process_costs(built) -> None:
    """Not the sum of all: T iterations take the first one's time and T - 1 times the slowest."""
    cycles = dict(zip(CALLS, (c.latency for c in built.right.calls), strict=True))
    slowest = max(PROCESSES.values())
    assert [cycles[n] for n in (2, 3, 7)] == [cycles[1] + (n - 1) * slowest for n in (2, 3, 7)]
    assert sum(PROCESSES.values()) <= cycles[1] < sum(PROCESSES.values()) + 16
    assert cycles[0] < 8


def test_results_under_random_stalls(built, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    assert built.problems("", range(seed, seed + 4), monkeypatch) == ()


@pytest.mark.parametrize("what", MUTANTS)
def test_mutant_is_caught(built, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert built.problems(what, range(6), monkeypatch)


def test_every_kind_of_memory_is_there(built) -> None:
    rows = {x["name"]: x for x in built.right.report["memories"]}
    styles = {n: (x["style"], x["halves"], x["bram36"]) for n, x in rows.items()}
    assert styles == {
        "a": ("bram", 2, 2.0),  # a RAM per half: one process reads two words per cycle
        **{f"b__{k}": ("register", 2, 0.0) for k in range(4)},
        "c": ("lutram", 2, 0.0),
        "d": ("bram", 2, 0.5),
    }


def test_interpreter_and_threads_agree_with_the_bench() -> None:
    made = synthesize([SOURCE], TOP)
    _, result, run = recorded_run([SOURCE], [BENCH], TOP, {})
    assert run is not None and run.end == "all ended" and len(run.outputs) == len(CALLS)
    for call, found in zip(result.calls, run.outputs, strict=True):
        given, gave, scalar = call.given[0], call.gave[1], call.given[2]
        assert found["out"] == (gave.count, gave.data)
        words = [int.from_bytes(given.data[i : i + 4], "little") for i in range(0, len(given.data), 4)]
        n = int.from_bytes(scalar.data, "little")
        out = interpret(made.design, {"in": words}, {"n": n}, bounded=True).streams["out"]
        assert b"".join(w.to_bytes(4, "little") for w in out) == gave.data


def test_schedules_keep_accesses_between_their_tokens() -> None:
    """An access before its token, or one behind the token that gives the half on, is refused."""
    made = synthesize([SOURCE], TOP)
    timing, seen = timing_for(10.0), set()
    for process in made.prepared.processes:
        for (name, region), schedule in made.schedules.items():
            if name != process.name:
                continue
            nodes = schedule.problem.region.nodes
            tokens = {n.id: n for n in nodes if n.op in ("read", "write") and "__" in (n.ref or "")}
            for i, token in tokens.items():
                late = schedule.length + (schedule.ii or 1)
                wrong = {**schedule.times, i: late if token.op == "read" else -late}
                found = list(violations(process, replace(schedule, times=wrong), timing))
                word = "comes before" if token.op == "read" else "comes behind"
                assert any(word in x and f"@{token.ref}" in x for x in found), (region, token, found)
                seen.add((name, token.ref))
    assert len(seen) == 16  # four arrays, both tokens of each, at both ends


def test_an_array_that_goes_past_a_process_is_warned_of(tmp_path: Path) -> None:
    name = "tiles_past_a_process"
    (case,) = (c for c in subset_rows.cases(1) if c.name == f"row_{name}")
    (tmp_path / "top.cpp").write_text(case.source)
    found = synthesize([tmp_path / "top.cpp"], case.name).report["warnings"]
    (text,) = (w for w in found if "goes past" in w)
    assert "array c goes past move: fill waits for sums to free one of its two halves" in text


HEAD = """#include <ap_int.h>
#include <hls_stream.h>
typedef hls::stream<int> S;
void fill(S& s, int a[8]) { for (int i = 0; i < 8; ++i) a[i] = s.read(); }
void take(int a[8], S& s) { for (int i = 0; i < 8; ++i) s.write(a[i]); }
void move(int a[8], int b[8]) { for (int i = 0; i < 8; ++i) b[i] = a[i]; }
void copy(S& a, S& b) { for (int i = 0; i < 8; ++i) b.write(a.read()); }
"""
FLOW = "\n#pragma HLS DATAFLOW\n"
LOOP = "for (int t = 0; t < n; ++t) {" + FLOW


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("int a[8]; LOOP fill(in, a); take(a, out); }", "must be declared in the body of the"),
        ("LOOP int a[8]; fill(in, a); take(a, out); take(a, out); }", "two processes, not 3"),
        ("LOOP int a[8]; fill(in, a); fill(in, a); take(a, out); }", "two processes, not 3"),
        ("LOOP int a[8]; take(a, out); fill(in, a); }", "array 'a' must be written by 'take'"),
        ("LOOP int a[8] = {}; fill(in, a); take(a, out); }", "must be filled by the first of them"),
        ("S s; copy(in, s); LOOP copy(s, out); }", "in the body of the one DATAFLOW loop"),
        ("LOOP S s; copy(in, s); if (t & 1) copy(s, out); }", "in the body of the one DATAFLOW loop"),
        ("LOOP S s; copy(in, s); } LOOP copy(in, out); }", "in the body of the one DATAFLOW loop"),
        ("LOOP\n#pragma HLS PIPELINE\ncopy(in, out); }", "must not be pipelined or unrolled"),
        ("LOOP int a[8]; fill(in, a); out.write(a[t]); }", "must leave stream accesses to its"),
        ("inner(in, out, n);", "a DATAFLOW loop must stand in the top function 'top'"),
        ("FLOW for (int t = 0; t < n; ++t) copy(in, out);", "write DATAFLOW in the body of a loop"),
        (
            "LOOP int a[8];\n#pragma HLS BIND_STORAGE variable=a impl=lutram\n"
            "fill(in, a); twice(a, out); }",
            "BIND_STORAGE of 'a' must not be lutram: 'fill' must only write it and 'twice' only read",
        ),
    ],
)
def test_loops_that_are_refused(tmp_path: Path, body: str, message: str) -> None:
    helpers = "void twice(int a[8], S& s) { a[3] += a[2]; take(a, s); }\n"
    if "inner" in body:
        helpers += "void inner(S& in, S& out, int n) { LOOP copy(in, out); } }\n"
    text = f'{helpers}extern "C" void top(S& in, S& out, ap_uint<4> n) {{\n{body}\n}}\n'
    text = re.sub(r"\bLOOP\b", LOOP, re.sub(r"\bFLOW\b", FLOW, text))
    (tmp_path / "top.cpp").write_text(HEAD + text)
    with pytest.raises(HlscError, match=re.escape(message)) as caught:
        synthesize([tmp_path / "top.cpp"], "top")
    assert re.match(r"\S*top\.cpp:\d+: ", str(caught.value)), str(caught.value)


def test_deadlock_names_the_array(tmp_path: Path) -> None:
    """A producer that writes more to a stream than it holds before it is done with the array."""
    (tmp_path / "top.cpp").write_text(
        f"""{HEAD}
void give(S& s, int a[8], S& x) {{ for (int i = 0; i < 8; ++i) x.write(a[i] = s.read()); }}
void get(int a[8], S& x, S& s) {{ for (int i = 0; i < 8; ++i) s.write(a[7 - i] - x.read()); }}
extern "C" void top(S& in, S& out, ap_uint<4> n) {{
  {LOOP} int a[8]; S x; give(in, a, x); get(a, x, out); }}
}}
"""
    )
    (tmp_path / "tb.cpp").write_text(
        """#include <ap_int.h>
#include <hls_stream.h>
extern "C" void top(hls::stream<int>&, hls::stream<int>&, ap_uint<4>);
int main() {
  hls::stream<int> in, out;
  for (int i = 0; i < 24; ++i) in.write(i);
  top(in, out, 3);
  for (int i = 0; i < 24; ++i) out.read();
}
"""
    )
    text = cosim([tmp_path / "top.cpp"], [tmp_path / "tb.cpp"], "top").problems[-1]
    assert "deadlock: give, get wait for each other" in text
    assert re.search(
        r"  get \(\S*top\.cpp:\d+\) waits for the words of array a, which give has to", text
    )
    assert "smallest depth of x that resolves it is 8, not 2" in text
