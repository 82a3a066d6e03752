# SPDX-License-Identifier: Apache-2.0
"""The scheduler and its independent checker: initiation intervals, reasons, and mutants of both."""

from __future__ import annotations

import importlib
import random
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hlsc.interp import interpret
from hlsc.ir import Channel, Dependence, Design, Memory, Process
from hlsc.schedule import sdc
from hlsc.schedule.delays import Timing, memory_style, multiplier_dsps
from hlsc.schedule.feedback import after_writes
from hlsc.schedule.predicates import Predicates
from hlsc.schedule.prepare import _source_name, find_accumulators, prepare
from hlsc.schedule.problem import END, EXIT, ORIGIN, Constraint, Problem, build, source
from hlsc.schedule.sdc import Schedule, random_schedule, schedule
from hlsc.schedule.verify import VerifyError, verify, violations

sys.path.insert(0, str(Path(__file__).parent))
B = importlib.import_module("ir_build")
D = importlib.import_module("ir_designs")
CASES = D.all_cases()


def problems(design: Design, clock: float) -> list[tuple[Process, Problem]]:
    design = prepare(design)
    return [(p, build(p, r, Timing(clock))) for p in design.processes for r in p.regions]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.design.top)
def test_reached_intervals_and_legality(case):
    timing = Timing(case.clock_ns)
    for process, problem in problems(case.design, case.clock_ns):
        found = verify(process, schedule(problem), timing)
        name = problem.region.name
        if name in case.ii:
            assert found.ii == case.ii[name], str(found)
        reads = [found.times[n.id] for n in problem.region.nodes if n.op in {"read", "empty"}]
        if found.ii == 1 and reads and case.clock_ns >= 5.0:
            assert max(reads) == 0 and found.times[EXIT] == 0
        assert schedule(problem).times == found.times


@pytest.mark.parametrize("clock", [3.0, 4.0, 5.5, 8.0, 20.0])
def test_clock_periods(clock):
    lengths = 0
    for case in CASES:
        for process, problem in problems(case.design, clock):
            found = verify(process, schedule(problem), Timing(clock))
            lengths += found.length
    assert lengths > 0


def test_slower_clock_needs_fewer_cycles():
    design = D.phases().design
    total = [sum(schedule(p).length for _, p in problems(design, clock)) for clock in (3.5, 7.0, 14.0)]
    assert total[0] > total[1] > total[2]


def test_missed_interval_says_why():
    case = D.histogram("h", "bram", 1, 2, 12.0)
    problem = next(p for _, p in problems(case.design, 12.0) if p.region.name == "count")
    limit = schedule(problem).limit
    assert limit is not None and limit.kind == "recurrence" and "memory h" in limit.text
    ops = {n.loc.line: n.op for n in problem.region.nodes if n.loc}
    assert {"load", "store"} <= {ops[x.line] for x in limit.lines}
    assert all(x.file == "hand.cpp" for x in limit.lines)


def test_ports_limit_the_interval():
    r = B.R("loop", ii=1)
    i = r.phi(r.const(0, 6))
    r.set_next(i, i + 1)
    r.exit = i.op("eq", 63).i
    loads = [r.load("m", i ^ k, 8) for k in (1, 2, 3)]
    r.write("y", loads[0] + loads[1] + loads[2])
    d = B.design("d", [B.process("p", [r], memories=[Memory("m", 8, 64, "bram")])], {}, {"y": 8})
    (process, problem), = problems(d, 10.0)  # fmt: skip
    found = verify(process, schedule(problem), Timing(10.0))
    assert found.ii == 3 and found.limit is not None
    assert str(found.limit).startswith("port: read port of m has 3 users in one iteration")


def test_stream_used_twice_limits_the_interval():
    case = D.two_processes()
    fold = next(p for _, p in problems(case.design, 10.0) if p.region.name == "fold")
    found = schedule(replace(fold, region=replace(fold.region, ii=1)))
    assert found.ii == 2 and found.limit is not None
    assert found.limit.kind == "port" and "mid" in found.limit.text


def test_asked_interval_is_kept_though_less_is_possible():
    case = D.histogram("h", "bram", 4, 4)
    count = next(p for _, p in problems(case.design, 10.0) if p.region.name == "count")
    found = schedule(count)
    assert found.ii == 4 and found.limit is None


def test_late_exit_cancels_what_follows():
    """A condition too long for one cycle does not cost the interval; effects wait for it."""
    case = D.nested()
    region = case.design.processes[0].regions[0]
    for process, problem in problems(case.design, 3.0):
        found = verify(process, schedule(problem), Timing(3.0))
        effects = [n for n in region.nodes if n.op in {"read", "write"}]
        assert found.ii == 1 or found.limit is not None
        assert all(found.times[n.id] + (found.ii or 0) > found.times[EXIT] for n in effects)


# ------------------------------------------------------------------------------------ checker


def test_every_constraint_is_checked():
    """Drop one constraint, break exactly that one: the checker must see it.

    Constraints that others imply can not be broken alone; those that the checker knows only through
    several (order of a live-out against the exit …) are covered by whichever it reports.
    """
    caught: dict[str, int] = {}
    for case in CASES:
        timing = Timing(case.clock_ns)
        for process, problem in problems(case.design, case.clock_ns):
            base = schedule(problem)
            for c in problem.constraints:
                if c.why == "start" or c.src in problem.accumulators:
                    continue
                others = replace(problem, constraints=tuple(x for x in problem.constraints if x != c))
                weights = sdc._weights(others, base.ii)
                key, back = (c.src, c.dst), (c.dst, c.src)
                need = c.latency - (base.ii or 0) * c.distance
                if weights.get(key, need - 1) >= need:
                    continue  # another constraint says the same
                weights[back] = max(weights.get(back, 1 - need), 1 - need)  # t_dst <= t_src + need - 1
                weights[(END, ORIGIN)] = -(base.length + 3)
                times, cycle = sdc._longest(problem, weights)
                if cycle is not None or times[ORIGIN]:
                    continue  # implied by the others
                mutant = Schedule(problem, base.ii, times)
                found = list(violations(process, mutant, timing))
                assert found, f"{case.design.top}.{problem.region.name}: {c} dropped unseen\n{mutant}"
                caught[c.why] = caught.get(c.why, 0) + 1
    assert {"data", "path", "phi", "memory", "order", "exit", "end", "variable"} <= set(caught)
    assert sum(caught.values()) > 300


def test_dropped_hazard_is_an_error_in_production():
    case = D.histogram("h", "bram", 1, 2)
    process, problem = next(x for x in problems(case.design, 12.0) if x[1].region.name == "count")
    kept = tuple(c for c in problem.constraints if c.why != "memory")
    with pytest.raises(VerifyError, match=r"schedule of hist\.count: h: .* overtakes"):
        verify(process, schedule(replace(problem, constraints=kept)), Timing(12.0))


def test_random_cycles_are_legal_only_if_the_constraints_say_so(seed):
    """The checker never passes what the problem forbids (ports left aside)."""
    draw = random.Random(seed)
    legal = 0
    for case in CASES:
        for process, problem in problems(case.design, case.clock_ns):
            base = schedule(problem)
            for _ in range(40):
                times = dict(base.times)
                for i in draw.sample(problem.operations[:-1], 1 + draw.randrange(2)):
                    if i != ORIGIN:
                        times[i] = max(0, times[i] + draw.choice((-2, -1, 1, 2)))
                times[END] = max(times[END], *times.values()) if draw.random() < 0.8 else times[END]
                holds = all(
                    times[c.dst] - times[c.src] >= c.latency - (base.ii or 0) * c.distance
                    for c in problem.constraints
                    if c.src not in problem.accumulators  # a wish: the sum leaves its DSP registered
                )
                clean = not list(
                    violations(process, Schedule(problem, base.ii, times), Timing(case.clock_ns))
                )
                if clean:
                    assert holds, (case.design.top, problem.region.name, [
                        c for c in problem.constraints
                        if times[c.dst] - times[c.src] < c.latency - (base.ii or 0) * c.distance
                    ])  # fmt: skip
                    legal += 1
    assert legal > 50


def test_random_schedules_are_legal(seed):
    for case in CASES:
        for process, problem in problems(case.design, case.clock_ns):
            verify(process, random_schedule(problem, seed), Timing(case.clock_ns))


# ---------------------------------------------------------------------------------- building


def test_dependence_promises():
    def count(*facts: Dependence) -> int | None:
        case = D.histogram("h", "bram", 1, 2, 8.0)
        d = case.design
        regions = tuple(
            replace(r, dependences=facts) if r.name == "count" else r for r in d.processes[0].regions
        )
        d = replace(d, processes=(replace(d.processes[0], regions=regions),))
        process, problem = next(x for x in problems(d, 8.0) if x[1].region.name == "count")
        return verify(process, schedule(problem), Timing(8.0)).ii

    without = count()
    assert without is not None and without >= 3
    assert count(Dependence("h", "RAW", True, None)) == 1
    assert count(Dependence("h", "", True, None)) == 1
    assert count(Dependence("h", "RAW", True, 2)) == 2
    assert count(Dependence("h", "WAR", True, None)) == without
    assert count(Dependence("other", "", True, None)) == without


def test_exclusive_stores_share_a_cycle():
    r = B.R("loop", ii=1)
    x = r.read("x", 8)
    c = x.bits(0, 1)
    r.store("m", x.trunc(4), x, c)
    r.store("m", x.bits(4, 4), x + 1, ~c)
    r.exit = x.op("eq", 255).i
    r.write("y", r.load("m", x.bits(2, 4), 8))
    d = B.design(
        "d", [B.process("p", [r], memories=[Memory("m", 8, 16, "lutram")])], {"x": 8}, {"y": 8}
    )
    process, problem = problems(d, 12.0)[0]
    found = verify(process, schedule(problem), Timing(12.0))
    stores = [found.times[n.id] for n in problem.region.nodes if n.op == "store"]
    assert stores[0] == stores[1] and problem.exclusive


def test_predicates():
    r = B.R("loop")
    x = r.read("x", 4)
    three, five = x.op("eq", 3), x.op("eq", 5)
    other = ~three
    less, more = x.op("ult", 7), x.op("uge", 7)
    both = less & x.bits(0, 1)
    r.exit = r.const(1, 1).i
    known = Predicates(r.build())
    assert known.exclusive(three.i, five.i) and known.exclusive(less.i, more.i)
    assert known.exclusive(both.i, more.i) and known.exclusive(three.i, other.i)
    assert not known.exclusive(three.i, less.i) and not known.exclusive(None, three.i)


def test_accumulator_is_found_and_its_sum_stays_in_the_dsp():
    design = prepare(D.nested().design)
    region = design.processes[0].regions[0]
    (total, (phi, product)), = find_accumulators(region).items()  # fmt: skip
    by_id = region.by_id()
    assert by_id[total].op == "add" and by_id[phi].name == "acc" and by_id[product].op == "mul"
    kept = by_id[by_id[total].args[0]]
    assert kept.op == "select" and by_id[kept.args[1]].value == 0  # (clear ? 0 : acc) + m


def test_comparisons_of_counters_become_flags():
    """Without them the nest of three counters does not fit a cycle of 3.5 ns."""
    d = D.counters().design
    p = d.processes[0]
    plain = schedule(build(p, p.regions[1], Timing(3.5)))
    found = next(x for _, x in problems(d, 3.5) if x.region.name == "nest")
    assert plain.ii == 2 and schedule(found).ii == 1
    names = [r.name for r in prepare(d).processes[0].regions]
    assert names == ["head", "nest_setup", "nest", "again"]
    assert sum(n.op == "phi" for n in found.region.nodes) > 3


def test_names_are_those_of_the_source():
    assert [_source_name(x) for x in ("row.i.sroa.0.01", "12", "hlsc.fill.1", "acc", "")] == [
        "row", "", "", "acc", ""
    ]  # fmt: skip


def test_division_becomes_rows():
    design = prepare(D.phases().design)
    ops = {n.op for r in design.processes[0].regions for n in r.nodes}
    assert not ops & {"udiv", "sdiv", "urem", "srem"}


def test_styles_and_multipliers():
    assert memory_style(Memory("m", 8, 64)) == "lutram"
    assert memory_style(Memory("m", 8, 129)) == "bram"
    assert memory_style(Memory("m", 8, 2048, "lutram")) == "lutram"
    assert [multiplier_dsps(*x) for x in ((8, 8), (18, 25), (25, 25), (32, 32), (3, 40))] == [
        1,
        1,
        2,
        4,
        0,
    ]


WIDE = [(32, 16, 48), (25, 25, 50), (40, 33, 73), (64, 64, 64), (19, 64, 30), (18, 25, 43), (60, 9, 41)]


@pytest.mark.parametrize(("a", "b", "width"), WIDE)
@pytest.mark.parametrize("kinds", ["ss", "uu", "su"])
def test_wide_products_become_sums_of_what_a_dsp_holds(a, b, width, kinds, seed):
    r = B.R("loop", ii=1)
    i = r.phi(r.const(0, 6))
    r.set_next(i, i + 1)
    r.exit = i.op("eq", 39).i
    read = [r.read(n, w) for n, w in (("x", a), ("z", b))]
    x, y = (
        v.trunc(width) if v.width >= width else v.sext(width) if k == "s" else v.zext(width)
        for v, k in zip(read, kinds, strict=True)
    )
    r.write("y", x * y)
    before = B.design("wide", [B.process("p", [r])], {"x": a, "z": b}, {"y": width})
    after = prepare(before)
    region = after.processes[0].regions[0]
    by_id = region.by_id()
    products = [n for n in region.nodes if n.op == "mul"]
    factors = [[source(by_id, k).width + (by_id[k].op == "zext") for k in n.args] for n in products]
    assert all(
        multiplier_dsps(*(min(f, n.width) for f in fs)) <= 1
        for n, fs in zip(products, factors, strict=True)
    )
    draw = random.Random(seed)
    edges = [[0, 1, (1 << w) - 1, 1 << (w - 1), (1 << (w - 1)) - 1] for w in (a, b)]
    words = {
        "x": [v for v in edges[0] for _ in range(5)] + [draw.getrandbits(a) for _ in range(15)],
        "z": edges[1] * 5 + [draw.getrandbits(b) for _ in range(15)],
    }
    assert interpret(before, words).streams["y"] == interpret(after, words).streams["y"]


def test_comfort_gives_way_to_the_interval():
    """A sum on a recurrence stays in its cycle; beside it, where only registers are lost, it is cut."""
    timing = Timing(10.0)
    assert timing.comfort < timing.budget and Timing(4.0).comfort == Timing(4.0).budget
    r = B.R("loop", ii=1)
    total, i = r.phi(r.const(0, 32)), r.phi(r.const(0, 6))
    r.set_next(i, i + 1)
    r.exit = i.op("eq", 39).i
    x = r.read("x", 32)
    r.set_next(total, ((total ^ x) + x) * 1 + (total & x) + x)
    r.write("y", ((x + 5) ^ 3) + (x + 9) + x)
    d = B.design("d", [B.process("p", [r])], {"x": 32}, {"y": 32})
    (process, problem), = problems(d, 10.0)  # fmt: skip
    assert problem.wishes
    found = verify(process, schedule(problem), timing)
    assert found.ii == 1 and found.times[END] > 0
    hard = verify(process, schedule(replace(problem, wishes=())), timing)
    assert hard.ii == 1 and hard.length < found.length


def test_feedback_puts_the_read_behind_the_write():
    a, b = B.R("ask"), B.R("answer")
    word = a.read("x", 8)
    a.write("question", word)
    a.write("y", a.read("reply", 8))
    b.write("reply", b.read("question", 8) + 1)
    channels = [Channel("question", 8, 2, "a", "b"), Channel("reply", 8, 2, "b", "a")]
    d = B.design("d", [B.process("a", [a]), B.process("b", [b])], {"x": 8}, {"y": 8}, channels=channels)
    pairs = after_writes(d)
    assert pairs == {"a": frozenset({("question", "reply")}), "b": frozenset({("reply", "question")})}
    p = d.processes[0]
    found = schedule(build(p, p.regions[0], Timing(10.0), pairs["a"]))
    at = {n.ref: found.times[n.id] for n in p.regions[0].nodes if n.ref}
    assert at["reply"] > at["question"]


def test_impossible_region_is_an_error():
    _, problem = problems(D.fir().design, 10.0)[0]
    loop = (Constraint(0, 1, 1), Constraint(1, 0, 1))
    ids = problem.operations[:2]
    bad = tuple(Constraint(ids[c.src], ids[c.dst], 1) for c in loop)
    with pytest.raises(sdc.ScheduleError, match=r"hand\.cpp:1: loop has no schedule"):
        schedule(replace(problem, constraints=(*problem.constraints, *bad)))
