# SPDX-License-Identifier: Apache-2.0
"""The kernel bench on a kernel that is right and on mutants of it: what it accepts, what it says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from bench.blocks import TEMPLATES
from bench.kernel import Case, Figures, Job, Plan, run_kernel
from bench.runner import PAUSES, BenchFailure
from bench.verilate import Design, lint
from hlsc.backend import axilite
from hlsc.ir import Design as Kernel
from hlsc.ir import Port

GOOD = "adder_kernel"
KERNEL = Path(__file__).with_name(f"{GOOD}.sv")
REGISTERS = Kernel(
    "adder",
    (
        Port("beats", "s_axilite", "in", 32, 0x10, "control"),
        Port("transfers", "s_axilite", "in", 32, 0x18, "control"),
        Port("addend", "s_axilite", "in", 64, 0x20, "control"),
        Port("status", "s_axilite", "out", 32, 0x30, "control"),
    ),
    (),
    control_bundle="control",
)
OFFSETS = {r.name: r.offset for r in axilite.registers(REGISTERS)}

# name -> (text, its replacement, what the bench must say; beats count from 0 in jobs of 3 x 7 beats)
MUTANTS = {
    "last_dropped": (
        "assign put = take;",
        "assign put = take & ~final_beat;",
        r"out: beat 6 of 7 of transfer 2 \(sum 20\) must come, but only 20 of 21",
    ),
    "last_flag": (
        "{last, keep, sum}",
        "{last & final_beat, keep, sum}",
        r"out: beat 6 of 7 of transfer 0 \(sum 6\) must carry TLAST",
    ),
    "flag_early": (
        "{last, keep, sum}",
        "{last | beat == 2, keep, sum}",
        r"out: beat 2 of 7 of transfer 0 \(sum 2\) must not carry TLAST",
    ),
    "bytes_swapped": (
        "{last, keep, sum}",
        "{last, keep, beat == 4 ? {sum[63:16], sum[7:0], sum[15:8]} : sum}",
        r"out: beat 4 of 7 of transfer 0 \(sum 4\) must be 0x\w{16}, not 0x\w{16}",
    ),
    "hangs": (
        "assign take = running &",
        "assign take = running & (count != 9) &",
        r"(?s)no beat has moved.*in0: 11 of 21 beats taken, not ready.*out: 9 of 21 beats came.*"
        r"beat 2 of 7 of transfer 1 \(sum 9\) must come",
    ),
    "extra_beat": (
        "assign put = take;",
        "logic late; always_ff @(posedge ap_clk) late <= ap_done; assign put = take | late;",
        r"out: nothing must come after 21 beats, but 1 did",
    ),
    "keep_short": (
        "8'hff;",
        "final_beat ? 8'h7f : 8'hff;",
        r"beat 6 .* must have TKEEP 0xff, not 0x7f",
    ),
    "never_done": (
        "assign ap_done = take & final_beat;",
        "assign ap_done = 1'b0;",
        r"(?s)the kernel must end.*out: 21 of 21 beats came.*interrupt: 0",
    ),
    "status_wrong": (".status(count + 1)", ".status(count)", r"register status must be 21, not 20"),
}
# Mutants that only show in a second run, or after a reset.
UNREAD = (
    ".out_valid(b_valid), .out_ready(take)",
    ".out_valid(b_valid), .out_ready(take & ~final_beat)",
    r"beat 0 of 7 of transfer 0 .* must be",
)
STATE_KEPT = (
    "running <= ap_start;\n      beat <= '0;\n      transfer <= '0;\n      count <= '0;",
    "running <= ap_start;",
    r"transfer 0 .* must carry TLAST|beats did|must not carry|no beat has moved",
)
NOT_RESET = (
    "if (rst) begin\n      running <= 1'b0;",
    "if (rst) begin\n      running <= running;",
    r"must|no beat has moved",
)


def explain(job: Job, stream: str, transfer: int, beat: int) -> str:
    """Called in the simulation: what a beat holds."""
    return f"sum {transfer * int(job.registers['beats']) + beat}"


def make_job(rng: np.random.Generator, beats: int, transfers: int) -> Job:
    a, b = rng.integers(0, 1 << 64, (2, transfers, beats), np.uint64, endpoint=False)
    addend = int(rng.integers(0, 1 << 63))
    out = a + b + np.uint64(addend)
    return Job(
        registers={
            "beats": beats,
            "transfers": transfers,
            "addend_0": addend & 0xFFFFFFFF,
            "addend_1": addend >> 32,
        },
        inputs={"in0": [a.reshape(-1)], "in1": list(b)},  # transfers of the inputs need not match
        outputs={"out": list(out)},
        results={"status": beats * transfers, "status_ctrl": 1},
    )


ALL_MUTANTS = {**MUTANTS, "unread": UNREAD, "state_kept": STATE_KEPT, "not_reset": NOT_RESET}


def write_sources(directory: Path, names: Sequence[str] = (GOOD, *ALL_MUTANTS)) -> Design:
    """The kernel and mutants of it side by side; every port's name starts with the instance's."""
    registers = directory / "adder_control_s_axi.sv"
    registers.write_text(axilite.generate(REGISTERS))
    text = KERNEL.read_text()
    files = [TEMPLATES / "hlsc_axis_slice.sv", registers, KERNEL]
    for name in set(names) - {GOOD}:
        old, new, _ = ALL_MUTANTS[name]
        assert text.count(old) == 1, f"{name}: text must occur once"
        path = directory / f"{name}.sv"
        path.write_text(text.replace(old, new).replace("module adder_kernel", f"module {name}"))
        files.append(path)
    ports = re.findall(r"(input|output) +logic +(\[ *\d+: *0\])? *(\w+)[,\n]", text)
    pins, body = [], []
    for name in names:
        pins += [f"{way} logic {width} {name}_{port}" for way, width, port in ports]
        wires = ", ".join(f".{port}({name}_{port})" for _, _, port in ports)
        body.append(f"  {name} u_{name} ({wires});")
    top = directory / "adders_top.sv"
    lines = ["module adders_top (", ",\n".join(pins), ");", *body, "endmodule", ""]
    top.write_text("\n".join(lines))
    return Design((*files, top), "adders_top")


def make_plan(cases: list[Case], **more: int) -> Plan:
    return Plan(
        offsets=OFFSETS,
        inputs=("in0", "in1"),
        outputs=("out",),
        cases=tuple(cases),
        explain=f"{Path(__file__).stem}:explain",
        **more,
    )


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulation imports `explain` from this file."""
    monkeypatch.syspath_prepend(Path(__file__).parent)


def test_kernel_of_the_tests_is_free_of_lint(tmp_path: Path) -> None:
    design = write_sources(tmp_path)
    lint(Design(design.sources[:3], GOOD))


def test_good_kernel_passes_and_mutants_are_named(
    tmp_path: Path, seed: int, rng: np.random.Generator
) -> None:
    good = f"{GOOD}_"
    job, small, long = make_job(rng, 7, 3), make_job(rng, 1, 1), make_job(rng, 50, 4)
    cases = [
        Case(f"in_{a}_out_{b}", (job, small), stall_in=a, stall_out=b, prefix=good, early=a == "random")
        for a, b in product(PAUSES, PAUSES)
    ]
    cases += [
        Case("control_stalls", (job, job), stall_control="random", prefix=good),
        Case("full_speed", (long,), prefix=good, early=True),
        Case("reset_early", (job,), reset_after=1, prefix=good),
        Case("reset_later", (job, small), reset_after=30, stall_out="random", prefix=good),
    ]
    for name, (_, _, message) in MUTANTS.items():
        cases.append(Case(f"mutant_{name}", (job,), prefix=f"{name}_", expect_failure=message))
    two = (make_job(rng, 5, 2), job)
    too_much = replace(job, inputs={**job.inputs, "in0": [*job.inputs["in0"], np.zeros(5, np.uint64)]})
    left = r"in0: every beat must be taken, but 3 are left"  # two lie in the slice
    cases += [
        Case("leftovers", (too_much,), prefix=good, expect_failure=left),
        Case("mutant_unread", (job, job), prefix="unread_", expect_failure=UNREAD[2]),
        Case("mutant_state_kept", two, prefix="state_kept_", expect_failure=STATE_KEPT[2]),
        Case(
            "mutant_not_reset",
            (job,),
            prefix="not_reset_",
            reset_after=30,
            early=True,
            expect_failure=NOT_RESET[2],
        ),
    ]
    plan = make_plan(cases, quiet=500)
    figures = run_kernel(write_sources(tmp_path), plan, "adder", seed=seed)
    assert set(figures) == {c.name for c in cases if not c.expect_failure}
    (speed,) = figures["full_speed"]
    # One beat per cycle behind a fill of three slices' latency and the start.
    assert 200 <= speed.cycles <= 208
    assert speed.beats == {"in0": 200, "in1": 200, "out": 200}
    assert figures["in_none_out_none"][0] == Figures(
        figures["in_none_out_none"][0].cycles, {"in0": 21, "in1": 21, "out": 21}
    )
    assert figures["in_periodic_out_random"][0].cycles > figures["in_none_out_none"][0].cycles


def test_failure_leaves_a_waveform(tmp_path: Path, seed: int, rng: np.random.Generator) -> None:
    job, design = make_job(rng, 7, 3), write_sources(tmp_path, ["last_flag"])
    case = Case("flag", (job,), prefix="last_flag_")
    with pytest.raises(BenchFailure, match="must carry TLAST") as failure:
        run_kernel(design, make_plan([case]), "adder_waveform", seed=seed)
    found = re.search(r"\nwaveform: (.*)", str(failure.value))
    assert found, failure.value
    data = Path(found[1]).read_bytes()
    assert data[0] == 0 and len(data) > 1000  # an FST file begins with a header block, type 0


def test_plans_say_what_is_wrong() -> None:
    with pytest.raises(
        ValueError, match="stall pattern must be one of none, periodic, random, not 'x'"
    ):
        Case("a", (), stall_in="x")
    with pytest.raises(ValueError, match="name of a case must be letters, digits and _, not 'a-b'"):
        Case("a-b", ())
