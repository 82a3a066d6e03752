# SPDX-License-Identifier: Apache-2.0
"""Every rule of the front end: what breaks it is an error with file, line, construct and remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hlsc.errors import HlscError, SourceError
from hlsc.frontend import compile_program
from hlsc.frontend.grammar import SPECS, parse_pragma
from hlsc.ir import Loc

HERE = Loc("k.cpp", 7)


def grammar_error(text: str) -> str:
    with pytest.raises(SourceError) as caught:
        parse_pragma(text, HERE)
    assert caught.value.loc == HERE
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["must name a pragma", "PIPELINE II=1"]),
        ("PIPLINE II=1", ["PIPLINE must be a known pragma", "did you mean PIPELINE?"]),
        ("FROBNICATE", ["must be a known pragma", "known are ALLOCATION"]),
        ("PIPELINE II=1 II=2", ["must give 'ii' once"]),
        ("PIPELINE I=1", ["must not have the option 'I'", "did you mean ii?"]),
        ("PIPELINE II", ["'II' must have a value: II=…"]),
        ("PIPELINE rewind", ["'rewind' is not supported", "delete it"]),
        ("PIPELINE style=fast", ["'style' must be one of stp, flp, frp, not 'fast'"]),
        ("PIPELINE off=maybe", ["'off' must have no value, not 'maybe'"]),
        ("PIPELINE II=", ["must consist of option=value", "II="]),
        ("PIPELINE +", ["must consist of option=value"]),
        ("UNROLL factr=2", ["did you mean factor?"]),
        ("UNROLL region", ["'region' is not supported"]),
        ("ARRAY_PARTITION complete", ["must say variable="]),
        ("ARRAY_PARTITION variable=a type=cyclc", ["did you mean cyclic?"]),
        ("ARRAY_PARTITION variable=a blok", ["did you mean block?"]),
        ("ARRAY_PARTITION variable=a off", ["'off' is not supported"]),
        ("STREAM variable=s type=pipo", ["'type' must be one of fifo, not 'pipo'"]),
        ("STREAM variable=s dim=1", ["'dim' is not supported", "the whole array of streams"]),
        ("BIND_STORAGE variable=a impl=uram", ["must be one of auto, bram, lutram, not 'uram'"]),
        ("INTERFACE mode=axi port=a", ["'mode' must be one of"]),
        ("RESOURCE variable=a core=RAM_2P_BRAM", ["Vitis dropped", "BIND_STORAGE"]),
        ("BIND_OP variable=a op=mul impl=dsp latency=2", ["'latency' is not supported", "delete it"]),
        ("BIND_OP variable=a op=div", ["'op' must be one of mul, add, sub, not 'div'"]),
        ("ALLOCATION operation instances=mul", ["must say limit="]),
        ("LOOP_MERGE", ["is not supported yet", "write the loops as one"]),
        ("DATAFLOW disable_start_propagation", ["it takes no options"]),
    ],
)
def test_grammar(text, parts):
    message = grammar_error(text)
    assert message.startswith("k.cpp:7: ")
    for part in parts:
        assert part in message


def test_every_refused_pragma_says_what_to_do():
    for name, spec in SPECS.items():
        if spec.refused:
            assert re.search(r"[:;] \w+", grammar_error(name)), name
        for key, option in spec.options.items():
            assert option.kind != "refused" or option.remedy, (name, key)


PRELUDE = """#include <hls_stream.h>
typedef hls::stream<int> S;
"""
# (body of the file, message, line of the message within the body, from 1)
TOP = 'extern "C" void top(S& in, S& out, int n) {'
CASES = {
    "place: file": ("#pragma HLS PIPELINE\n" + TOP + "}", "among the statements of a function", 1),
    "place: if": (TOP + "\nif (n) {\n#pragma HLS PIPELINE\n}}", "not in other braces", 3),
    "place: unbraced if": (TOP + "\nif (n)\n#pragma HLS PIPELINE\nin.read();}", "among the statem", 3),
    "place: unroll": (TOP + "\n#pragma HLS UNROLL\n}", "body of a loop, not in a function", 2),
    "place: dataflow": (
        TOP + "\nif (n) {\n#pragma HLS DATAFLOW\n}}",
        "body of a function or a loop, not in other braces",
        3,
    ),
    "place: interface": (
        "void f() {\n#pragma HLS INTERFACE axis port=in\n}\n" + TOP + "f(); }",
        "must stand in the top function 'top'",
        2,
    ),
    "no repetition": (
        TOP + "\nwhile (true) {\n#pragma HLS PIPELINE\nout.write(1);\nbreak; }}",
        "must stand in a loop that can repeat",
        3,
    ),
    "not constant": (
        TOP + "\nfor (int i = 0; i < 4; ++i) {\n#pragma HLS UNROLL factor=n\nout.write(i); }}",
        "UNROLL must have constant values; use constants, template parameters or macros",
        3,
    ),
    "undeclared": (
        TOP + "\n#pragma HLS ARRAY_PARTITION variable=late\nint late[4];}",
        "ARRAY_PARTITION must stand behind the declaration of 'late'",
        2,
    ),
    "range": (
        TOP + "\nfor (int i = 0; i < n; ++i) {\n#pragma HLS PIPELINE II=0\nout.write(i); }}",
        "must have a 'ii' of at least 1, not 0",
        3,
    ),
    "twice": (
        TOP + "\nfor (int i = 0; i < n; ++i) {\n#pragma HLS PIPELINE\n#pragma HLS PIPELINE II=2\n"
        "out.write(i); }}",
        "PIPELINE must stand once in a loop, not twice",
        4,
    ),
    "below pipelined": (
        TOP + "\nouter: for (int i = 0; i < 9; ++i) {\n#pragma HLS PIPELINE\n"
        "for (int j = 0; j < n; ++j) out.write(in.read());\n}}",
        "constant bound to unroll (it lies below the pipelined loop 'outer'",
        4,
    ),
    "unroll unbounded": (
        TOP + "\nfor (int i = 0; i < n; ++i) {\n#pragma HLS UNROLL\nout.write(i); }}",
        "must have a constant bound to unroll (it says UNROLL); write for (j = 0; j < MAX",
        2,
    ),
    "scalar partition": (
        TOP + "\nint x = n;\n#pragma HLS ARRAY_PARTITION variable=x\nout.write(x);}",
        "must name an array, not 'x'",
        3,
    ),
    "part of an array": (
        TOP + "\nint x[4][4] = {};\n#pragma HLS ARRAY_PARTITION variable=x[1]\nout.write(x[n][n]);}",
        "must name a whole array, not 'x[1]'",
        3,
    ),
    "dimension": (
        TOP + "\nint x[4][8];\n#pragma HLS ARRAY_PARTITION variable=x dim=3\n"
        "x[n][n] = 1; out.write(x[n & 1][n]);}",
        "must have dim = 0 … 2, not 3: 'x' is 4×8",
        3,
    ),
    "factor missing": (
        TOP + "\nint x[8];\n#pragma HLS ARRAY_PARTITION variable=x cyclic\nout.write(x[n]);}",
        "must give a factor with cyclic",
        3,
    ),
    "factor large": (
        TOP + "\nint x[8];\n#pragma HLS ARRAY_PARTITION variable=x block factor=9\nout.write(x[n]);}",
        "must have a factor of at most 8, not 9",
        3,
    ),
    "factor with complete": (
        TOP + "\nint x[8];\n#pragma HLS ARRAY_PARTITION variable=x complete factor=2\n"
        "out.write(x[n]);}",
        "must not give a factor with complete",
        3,
    ),
    "two partitions": (
        TOP + "\nint x[8];\n#pragma HLS ARRAY_PARTITION variable=x cyclic factor=2\n"
        "#pragma HLS ARRAY_PARTITION variable=x cyclic factor=4\nout.write(x[n]);}",
        "must not speak twice of dimension 1",
        4,
    ),
    "true dual port in LUTs": (
        TOP + "\nint x[8];\n#pragma HLS BIND_STORAGE variable=x type=ram_t2p impl=lutram\n"
        "out.write(x[n]);}",
        "type=ram_t2p must have impl=bram, not lutram",
        3,
    ),
    "operator of no product": (
        TOP + "\nint x = n + 1;\n#pragma HLS BIND_OP variable=x op=mul impl=fabric\nout.write(x);}",
        "must name a variable that is given a product of two variables, not 'x'",
        3,
    ),
    "operator of an array": (
        TOP + "\nint x[8];\n#pragma HLS BIND_OP variable=x op=mul impl=fabric\nout.write(x[n]);}",
        "must name a variable of this process, not 'x'",
        3,
    ),
    "sum in a DSP": (
        TOP + "\nint x = n + 1;\n#pragma HLS BIND_OP variable=x op=add impl=dsp\nout.write(x);}",
        "must have impl=fabric for sums, not dsp",
        3,
    ),
    "dependence unsaid": (
        TOP + "\nfor (int i = 0; i < n; ++i) {\n#pragma HLS DEPENDENCE inter\nout.write(i); }}",
        "must say dependent=true or dependent=false",
        3,
    ),
    "dependence denied": (
        TOP + "\nfor (int i = 0; i < n; ++i) {\n#pragma HLS DEPENDENCE inter distance=2 false\n"
        "out.write(i); }}",
        "must not give a distance to what it denies",
        3,
    ),
    "port unknown": (
        TOP + "\n#pragma HLS INTERFACE axis port=inn\n}",
        "must name an argument of 'top', not 'inn'; arguments are in, n, out",
        2,
    ),
    "port missing": (TOP + "\n#pragma HLS INTERFACE axis\n}", "must say port=", 2),
    "m_axi": (
        TOP + "\n#pragma HLS INTERFACE m_axi port=n\n out.write(in.read()); }",
        "m_axi is not supported yet: take an hls::stream",
        2,
    ),
    "ap_memory": (
        TOP + "\n#pragma HLS INTERFACE ap_memory port=n\n out.write(in.read()); }",
        "of 'n' must be s_axilite or ap_none: it is an input scalar",
        2,
    ),
    "axis scalar": (
        TOP + "\n#pragma HLS INTERFACE axis port=n\n out.write(in.read()); }",
        "of 'n' must be s_axilite or ap_none: it is an input scalar",
        2,
    ),
    "s_axilite stream": (
        TOP + "\n#pragma HLS INTERFACE s_axilite port=in\n out.write(in.read()); }",
        "of 'in' must be axis: it is a stream",
        2,
    ),
    "mode twice": (
        TOP + "\n#pragma HLS INTERFACE axis port=in\n#pragma HLS INTERFACE axis port=in\n"
        "out.write(in.read()); }",
        "must give the mode of 'in' once",
        3,
    ),
    "offset": (
        TOP + "\n#pragma HLS INTERFACE s_axilite port=n offset=18\nout.write(in.read()); }",
        "must have an offset ≥ 16 and divisible by 4, not 18",
        2,
    ),
    "unused port": (TOP + "\nout.write(n); }", "stream argument 'in' of 'top' must be read or", 1),
    "both ways": (
        TOP + "\nin.write(in.read()); out.write(n); }",
        "stream argument 'in' must be read or written, not both",
        1,
    ),
    "array argument": (
        'extern "C" void top(const int a[], S& out) { out.write(a[1]); }',
        "argument 'a' of 'top' must be a stream by reference, a scalar by value, a pointer",
        1,
    ),
    "output read": (
        'extern "C" void top(S& in, int* sum) {\n*sum += in.read(); }',
        "output 'sum' must only be written, as a whole",
        2,
    ),
    "recursion": (
        "int f(int n) { return n ? f(n - 1) + n : 0; }\n" + TOP + "out.write(f(in.read())); }",
        "a function must not call itself",
        2,
    ),
    "undefined": (
        "int f(int n);\n" + TOP + "\nout.write(f(in.read())); }",
        "must be defined in the given sources",
        3,
    ),
    "global": (
        "int kept = 0;\n" + TOP + "\nkept += in.read();\nout.write(kept); }",
        "a global variable must be static or constant (kept)",
        3,
    ),
    "global stream": (
        "static hls::stream<int> s;\n" + TOP + "\ns.write(in.read());\nout.write(s.read()); }",
        "a stream must be a variable of a function or an argument (s)",
        4,
    ),
    "float": (
        TOP + "\nconst float x = in.read();\nout.write(x * 1.5f); }",
        "floating point is not supported",
        2,
    ),
    "write_nb": (
        TOP + "\nout.write_nb(in.read()); }",
        "write_nb is not supported: use the blocking write",
        None,
    ),
    "stream of pointers": (
        'extern "C" void top(hls::stream<int*>& in, S& out) { out.write(*in.read()); }',
        "must be a value type",
        None,
    ),
    "chosen stream": (
        TOP + "\nS& which = n ? in : out;\nwhich.write(n); }",
        "one stream that is known at compile time",
        None,
    ),
    "stream in a process": (
        TOP + '\nS local("local");\nlocal.write(in.read());\nout.write(local.read()); }',
        "must be declared in the DATAFLOW function, not in a process",
        2,
    ),
    "syntax": (TOP + "\nout.write(;\n}", "clang: expected expression", 2),
}
PROCESSES = """void copy(S& a, S& b) { b.write(a.read()); }
void both(S& a, S& b, S& c) { c.write(a.read() + b.read()); }
void give(S& a, int& x) { x = a.read(); }
void take(int x, S& b) { b.write(x); }
"""
FLOW = PROCESSES + TOP + "\n#pragma HLS DATAFLOW\n"
CASES |= {
    "no process": (FLOW + "}", "must call at least one process", 6),
    "two writers": (
        PROCESSES
        + TOP.replace("int n", "S& two, int n")
        + '\n#pragma HLS DATAFLOW\nS x("x");\ncopy(in, x);\ncopy(two, x);\ncopy(x, out); }',
        "stream 'x' must be written by one process, not by 'copy_1'",
        7,
    ),
    "two readers": (
        FLOW + "S x, y;\ncopy(in, x);\ncopy(x, y);\nboth(x, y, out); }",
        "stream 'x' must be read by one process, not by 'copy_2'",
        7,
    ),
    "unread": (
        FLOW + "S x, y;\ncopy(in, x);\ncopy(x, out); copy(in, y);}",
        "stream 'in' must be read by one process",
        5,
    ),
    "dead end": (
        PROCESSES + TOP.replace("int n", "S& two, int n") + "\n#pragma HLS DATAFLOW\nS x;\n"
        "copy(in, x);\ncopy(two, out); }",
        "stream 'x' must be read by a process",
        7,
    ),
    "loop of one": (
        FLOW + "S x;\nboth(in, x, x);\ntake(n, out); }",
        "stream 'x' must join two processes; 'both' writes and reads it",
        7,
    ),
    "joined by a variable": (
        FLOW + "int x;\ngive(in, x);\ntake(x, out); }",
        "variable 'x' must not join processes: only arrays and streams do",
        9,
    ),
    "condition": (
        FLOW + "S x;\ncopy(in, x);\nif (n)\ncopy(x, out);\nelse take(n, out); }",
        "must consist of declarations, calls of processes and loops with constant bounds",
        None,
    ),
    "access": (
        FLOW + "S x;\nx.write(in.read());\ncopy(x, out); }",
        "must leave stream accesses to its processes",
        8,
    ),
    "nested": (
        "void inner(S& a, S& b) {\n#pragma HLS DATAFLOW\nb.write(a.read()); }\n"
        + TOP
        + "inner(in, out); }",
        "DATAFLOW must stand in the top function 'top'",
        2,
    ),
    "depth of a port": (
        FLOW + "#pragma HLS STREAM variable=in depth=4\ncopy(in, out); }",
        "must name a stream that 'top' declares, not 'in'",
        7,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_rule(name, tmp_path):
    body, message, line = CASES[name]
    source = tmp_path / "kernel.cpp"
    source.write_text(PRELUDE + body + "\n")
    with pytest.raises(SourceError) as caught:
        compile_program([source], "top")
    text = str(caught.value)
    assert message in text
    loc = caught.value.loc
    assert loc is not None
    if line is not None:
        assert (Path(loc.file).name, loc.line - PRELUDE.count("\n")) == ("kernel.cpp", line), text


def test_missing_top_and_missing_source(tmp_path):
    source = tmp_path / "kernel.cpp"
    source.write_text(PRELUDE + TOP + "out.write(in.read()); }\n")
    with pytest.raises(HlscError, match="top function 'tip' must be defined in"):
        compile_program([source], "tip")
    with pytest.raises(HlscError, match=r"no\.cpp must be a file"):
        compile_program([tmp_path / "no.cpp"], "top")


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        (
            "set_directive_pipeline -II 2 top/lop",
            "must name a function or a labelled loop, not 'top/lop'",
            1,
        ),
        ("# x\nset_directive_pipline top/loop", "did you mean PIPELINE?", 2),
        ("syn.directive.unroll=top factor=2", "directive UNROLL must name a loop, not a function", 1),
        ("set_directive_resource top x", "Vitis dropped", 1),
        ("set_directive_interface -mode axis f in", "must name the top function 'top'", 1),
        ("open_project x", "must hold set_directive_", 1),
        ("set_directive_pipeline", "must name a function or function/label", 1),
    ],
)
def test_directives(tmp_path, text, message, line):
    source, file = tmp_path / "kernel.cpp", tmp_path / "directives.tcl"
    source.write_text(
        PRELUDE + "void f(S& in, S& out) { out.write(in.read()); }\n" + TOP + "\nf(in, out);\n"
        "loop: for (int i = 0; i < n; ++i) out.write(in.read()); }\n"
    )
    file.write_text(text + "\n")
    with pytest.raises(SourceError, match=re.escape(message)) as caught:
        compile_program([source], "top", directives=file)
    assert caught.value.loc == Loc(str(file), line)
