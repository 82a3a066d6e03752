# SPDX-License-Identifier: Apache-2.0
"""The middle end's parser, control flow and regions on LLVM text written for the purpose; golden dumps;
what is refused, and how."""

from __future__ import annotations

import pytest

from hlsc.errors import SourceError
from hlsc.frontend.program import ArrayFacts, Binding, LoopFacts, ProcessCall, Program
from hlsc.interp import interpret
from hlsc.ir import Channel, Design, Loc, Port
from hlsc.middle import Options, lower
from hlsc.middle.arithmetic import shift_add_factors
from hlsc.middle.cfg import Cfg
from hlsc.middle.llvmtext import parse_module
from hlsc.middle.llvmtypes import ArrayType, IntConst, IntType, Local, StructType, align_of, size_of

HEAD = """
target triple = "x86_64-unknown-linux-musl"
declare i32 @hlsc.read.i32(ptr) noduplicate
declare void @hlsc.write.i32(ptr, i32) noduplicate
"""


def program(text: str, loops: dict[int, LoopFacts] | None = None, **arrays: ArrayFacts) -> Program:
    """The function `k(ptr x, ptr y, i32 n)` with an input and an output stream."""
    return Program(
        "k",
        HEAD + text,
        (
            Port("x", "axis", "in", 32),
            Port("y", "axis", "out", 32),
            Port("n", "s_axilite", "in", 32, 16),
        ),
        (Channel("x", 32, consumer="k"), Channel("y", 32, producer="k")),
        (
            ProcessCall(
                "k",
                "k",
                (Binding("channel", "x"), Binding("channel", "y"), Binding("scalar", "n")),
                arrays,
            ),
        ),
        loops or {},
    )


def run(design: Design, words: list[int], n: int) -> list[int]:
    return interpret(design, {"x": words}, {"n": n}).streams["y"]


NEST = """
define void @k(ptr %x, ptr %y, i32 %n) {
entry:
  br label %rows
rows:
  %r = phi i32 [ 0, %entry ], [ %r1, %next ]
  %more = icmp ult i32 %r, %n
  br i1 %more, label %cols, label %done
cols:
  %c = phi i32 [ 0, %rows ], [ %c1, %body ]
  %sum = phi i32 [ %r, %rows ], [ %s1, %body ]
  %in = icmp ult i32 %c, 4
  br i1 %in, label %body, label %next
body:
  %v = call i32 @hlsc.read.i32(ptr %x)
  %s1 = add i32 %sum, %v
  %c1 = add nuw nsw i32 %c, 1
  br label %cols, !llvm.loop !0
next:
  call void @hlsc.write.i32(ptr %y, i32 %sum)
  %r1 = add i32 %r, 1
  br label %rows
done:
  ret void
}
!0 = distinct !{!0, !1}
!1 = !{!"hlsc.loop", i32 7}
"""

NEST_DUMP = """
process k
arg n.32 = port n
block block1
  %0 = arg.32 @n
  %1 = const.32 [0]
  %2 = eq.1 %0, %1 ; more4.not
  -> end if %2
  -> sums
loop sums exit %20 ii 1
  %0 = const.1 [1]
  %1 = phi.1 %0, %14 ; first1
  %2 = const.32 [0]
  %3 = phi.32 %2, %21 ; r5
  %4 = phi.32 %2, %9 ; sum3
  %5 = select.32 %1, %3, %4 ; sum3
  %6 = const.2 [0]
  %7 = phi.2 %6, %22 ; c2
  %8 = read.32 @x if %0 ; v
  %9 = add.32 %5, %8 ; s1
  %10 = const.32 [1]
  %11 = const.2 [1]
  %12 = add.2 %7, %11 ; c1
  %13 = const.2 [3]
  %14 = eq.1 %7, %13
  %15: write @y %9 if %14
  %16 = add.32 %3, %10 ; r1
  %17 = arg.32 @n
  %18 = ult.1 %16, %17 ; more
  %19 = xor.1 %18, %0
  %20 = and.1 %14, %19
  %21 = select.32 %14, %16, %3
  %22 = select.2 %14, %6, %12
  -> end
"""


def test_nest_becomes_one_region() -> None:
    """Two loops, one pipeline: no cycle lost between rows, and zero trips of the outer loop guarded."""
    facts = LoopFacts("sums", Loc("k.cpp", 5), True, 1)
    design = lower(program(NEST, {7: facts}))
    assert [(r.is_loop, r.label, r.ii) for r in design.processes[0].regions] == [
        (False, "", None),
        (True, "sums", 1),
    ]
    for n in (0, 1, 3):
        got = interpret(design, {"x": list(range(40))}, {"n": n})
        assert got.streams["y"] == [sum(range(4 * r, 4 * r + 4)) + r for r in range(n)]
        assert got.iterations.get("k.sums", 0) == 4 * n


def test_dump_of_the_nest_is_stable() -> None:
    design = lower(program(NEST, {7: LoopFacts("sums", Loc("k.cpp", 5), True, 1)}))
    text = str(design.processes[0])
    assert text == NEST_DUMP.strip()
    assert text == str(
        lower(program(NEST, {7: LoopFacts("sums", Loc("k.cpp", 5), True, 1)})).processes[0]
    )


def test_every_stage_is_dumped() -> None:
    stages: dict[str, str] = {}
    lower(program(NEST), dump=stages.__setitem__)
    assert list(stages) == [
        "rotated",
        "regions",
        "simplified",
        "balanced",
        "narrowed",
        "multiplied",
        "hoisted",
        "tidied",
        "final",
    ]
    assert all(stages.values())


def test_nest_without_flattening_is_a_state_machine() -> None:
    design = lower(program(NEST), options=Options(flatten=False))
    loops = [r for r in design.processes[0].regions if r.is_loop]
    assert len(loops) == 1 and len(design.processes[0].regions) >= 3
    assert run(design, list(range(8)), 2) == [6, 23]


def test_flatten_off_is_obeyed() -> None:
    design = lower(program(NEST, {7: LoopFacts(flatten=False)}))
    assert len(design.processes[0].regions) >= 3


def test_pipeline_off() -> None:
    design = lower(program(NEST, {7: LoopFacts(pipeline=False)}))
    assert [r.pipelined for r in design.processes[0].regions if r.is_loop] == [False]


TABLE = """
%pair = type { i8, [2 x i16] }
@t = internal constant [3 x %pair] [%pair { i8 1, [2 x i16] [i16 -1, i16 3] }, %pair zeroinitializer,
%pair { i8 -7, [2 x i16] [i16 500, i16 6] }]
define void @k(ptr %x, ptr %y, i32 %n) {
entry:
  %a = alloca [4 x [8 x i16]], align 2
  br label %loop
loop:
  %i = phi i32 [ 0, %entry ], [ %i1, %loop ]
  %v = call i32 @hlsc.read.i32(ptr %x)
  %r = and i32 %v, 3
  %c = and i32 %i, 7
  %row = zext nneg i32 %r to i64
  %col = zext nneg i32 %c to i64
  %p = getelementptr inbounds [4 x [8 x i16]], ptr %a, i64 0, i64 %row, i64 %col
  %t16 = trunc i32 %v to i16
  store i16 %t16, ptr %p, align 2
  %v2 = lshr i32 %v, 2
  %r2 = and i32 %v2, 3
  %row2 = zext nneg i32 %r2 to i64
  %back = getelementptr inbounds [4 x [8 x i16]], ptr %a, i64 0, i64 %row2, i64 %col
  %w = load i16, ptr %back, align 2
  %m = urem i32 %v, 3
  %mm = zext nneg i32 %m to i64
  %q = getelementptr inbounds [3 x %pair], ptr @t, i64 0, i64 %mm, i32 1, i64 1
  %e = load i16, ptr %q, align 2
  %q0 = getelementptr inbounds [3 x %pair], ptr @t, i64 0, i64 %mm
  %e0 = load i8, ptr %q0, align 2
  %w32 = sext i16 %w to i32
  %e32 = sext i16 %e to i32
  %f32 = sext i8 %e0 to i32
  %s = add i32 %w32, %e32
  %o = add i32 %s, %f32
  call void @hlsc.write.i32(ptr %y, i32 %o)
  %i1 = add i32 %i, 1
  %go = icmp ult i32 %i1, 9
  br i1 %go, label %loop, label %done
done:
  ret void
}
"""


@pytest.mark.parametrize(
    "facts",
    [
        ArrayFacts(),
        ArrayFacts({1: ("complete", 0)}),
        ArrayFacts({2: ("cyclic", 4)}),
        ArrayFacts({1: ("block", 2), 2: ("complete", 0)}),
        ArrayFacts({0: ("complete", 0)}),
        ArrayFacts({}, {2: ("cyclic", 2)}),
    ],
    ids=["plain", "complete1", "cyclic2", "both", "registers", "reshape"],
)
def test_banks_hold_what_was_stored(facts: ArrayFacts) -> None:
    design = lower(
        program(
            TABLE.replace("],\n%pair", "], %pair").replace("zeroinitializer,\n", "zeroinitializer, "),
            a=facts,
        )
    )
    words = [5, 77, 2, 0x8001, 9, 0xFFFF, 31, 12, 3]
    third = [(3, 1), (0, 0), (6, -7)]
    expected = []
    held = {}
    for i, v in enumerate(words):
        low = v & 0xFFFF
        held[v & 3, i & 7] = low - ((low >> 15) << 16)
        got = held.get((v >> 2 & 3, i & 7), 0)
        expected.append((got + sum(third[v % 3])) & 0xFFFFFFFF)
    assert run(design, words, 0) == expected
    names = [m.name for m in design.processes[0].memories if m.init is None]
    if facts == ArrayFacts():
        assert names == ["a"]
    elif facts.partition.get(0):
        assert names == []  # registers
    else:
        assert len(names) > 1
    rom = [m for m in design.processes[0].memories if m.init is not None]
    assert sorted(m.depth for m in rom) == [3, 3]


def test_types_have_the_target_s_sizes() -> None:
    assert [size_of(IntType(n)) for n in (1, 8, 14, 24, 33, 65, 128)] == [1, 1, 2, 4, 8, 16, 16]
    pair = StructType((IntType(8), ArrayType(2, IntType(16))))
    assert (size_of(pair), align_of(pair)) == (6, 2)
    assert size_of(StructType(pair.fields, True)) == 5


def test_parser_reads_the_parts_of_an_instruction() -> None:
    text = """
define void @"a b"(ptr noundef %"x y", i33 %0) !dbg !5 {
  %2 = add nuw nsw i33 %0, -1, !dbg !8
  switch i33 %2, label %m [
    i33 0, label %z
    i33 7, label %m
  ], !dbg !9
z:
  br label %m
m:
  %p = phi i33 [ %2, %1 ], [ %2, %1 ], [ undef, %z ]
  ret void
}
!1 = !DIFile(filename: "user.cpp", directory: "d")
!2 = !DIFile(filename: "inc/ap_int.h", directory: "d")
!5 = distinct !DISubprogram(name: "a", scope: !1, file: !1, line: 3)
!6 = distinct !DISubprogram(name: "op", scope: !2, file: !2, line: 90)
!8 = !DILocation(line: 91, column: 3, scope: !6, inlinedAt: !9)
!9 = distinct !DILocation(line: 12, column: 1, scope: !5)
"""
    f = parse_module(text).functions["a b"]
    assert f.params[1] == ("0", IntType(33)) and f.loc == Loc("user.cpp", 3)
    add, switch = f.blocks[0].instrs
    assert f.blocks[0].name == "1"
    assert add.flags == {"nuw", "nsw"} and add.args == (Local("0"), IntConst((1 << 33) - 1, 33))
    assert add.loc == Loc("user.cpp", 12)  # not a line of ap_int.h
    assert switch.labels == ("m", "z", "m") and switch.cases == (0, 7)


def test_unknown_instruction_names_line_and_remedy() -> None:
    bad = NEST.replace(
        "%r1 = add i32 %r, 1", "%f = sitofp i32 %r to double, !dbg !9\n  %r1 = add i32 %r, 1"
    )
    bad = bad.replace("ret void", "ret void") + (
        '!1000 = !DIFile(filename: "k.cpp", directory: "")\n'
        '!8 = distinct !DISubprogram(name: "k", scope: !1000, file: !1000, line: 1)\n'
        "!9 = !DILocation(line: 21, column: 3, scope: !8)\n"
    )
    with pytest.raises(
        SourceError, match=r"k\.cpp:21: .*sitofp.* not supported.*; write the statement"
    ):
        parse_module(bad)


def test_loops_and_dominators() -> None:
    cfg = Cfg(parse_module(NEST).functions["k"])
    assert cfg.order[:2] == ["entry", "rows"]
    assert cfg.loops["cols"].parent == "rows" and cfg.loops["cols"].key == 7
    assert cfg.loops["rows"].blocks == ("rows", "cols", "body", "next")
    assert cfg.idom["next"] == "cols" and cfg.dominates("rows", "done")


def test_endless_loop_is_refused() -> None:
    text = """
define void @k(ptr %x, ptr %y, i32 %n) {
entry:
  br label %loop
loop:
  %v = call i32 @hlsc.read.i32(ptr %x)
  call void @hlsc.write.i32(ptr %y, i32 %v)
  br label %loop
}
"""
    with pytest.raises(SourceError, match=r"a loop must end at some time.*TLAST"):
        lower(program(text))


def test_loop_below_a_pipelined_loop_is_refused() -> None:
    text = NEST.replace("br label %rows\ndone", "br label %rows, !llvm.loop !2\ndone")
    text += '!2 = distinct !{!2, !3}\n!3 = !{!"hlsc.loop", i32 8}\n'
    loops = {7: LoopFacts("inner", Loc("k.cpp", 5)), 8: LoopFacts("outer", Loc("k.cpp", 3), True, 1)}
    with pytest.raises(SourceError, match=r"k\.cpp:5: every loop below a pipelined loop must unroll"):
        lower(program(text, loops))


KEPT = """
@count = %s
define void @k(ptr %%x, ptr %%y, i32 %%n) {
  %%v = load i32, ptr @count
  %%w = add i32 %%v, %%n
  store i32 %%w, ptr @count
  call void @hlsc.write.i32(ptr %%y, i32 %%w)
  ret void
}
"""


def test_variable_is_kept_between_calls() -> None:
    design = lower(program(KEPT % "internal global i32 -3"))
    kept: dict = {}
    sums = [interpret(design, {}, {"n": n}, kept=kept).streams["y"] for n in (5, 0, 9)]
    assert sums == [[2], [2], [11]]


def test_variable_of_another_file_is_refused() -> None:
    with pytest.raises(SourceError, match="the variable count must be defined in these files"):
        lower(program(KEPT % "external global i32"))


def test_call_that_was_not_inlined_is_refused() -> None:
    text = """
declare i32 @sqrt_table(i32)
define void @k(ptr %x, ptr %y, i32 %n) {
  %v = call i32 @sqrt_table(i32 %n)
  call void @hlsc.write.i32(ptr %y, i32 %v)
  ret void
}
"""
    with pytest.raises(SourceError, match="the function sqrt_table must be inlined"):
        lower(program(text))


@pytest.mark.parametrize(("value", "width"), [(0x8E38E39, 28), (0x8E38E390, 32)])
def test_an_inverse_becomes_few_additions(value: int, width: int) -> None:
    """1/9 modulo 2**28, which takes ten signed digits: four additions."""
    found = shift_add_factors(value, width)
    assert found is not None
    factors, digits = found
    assert len(factors) + len(digits) - 1 == 4
    product = sum(sign << at for at, sign in digits)
    for at, sign in factors:
        product *= 1 + sign * (1 << at)
    assert product % (1 << width) == value
    assert shift_add_factors(0x12345677, width) is None
