# SPDX-License-Identifier: Apache-2.0
"""What every kernel's C++ must do alike: compile cleanly, tell of a misplaced TLAST, judge vectors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from native import HEADER_SETS, build, build_testbench, compile_strictly, tensors

from convloom.kernels import KernelSpec, kernel_names, load_kernel
from convloom.layer import ConvLayer, Requant
from convloom.lowering import Job, lower, lowerings_for, transfers
from convloom.lowering.vectors import write_vectors
from convloom.random_layers import random_layers
from convloom.reference import ALGORITHMS
from hlsc import toolchain

SPECS = [load_kernel(name) for name in kernel_names()]
every_kernel = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.name)

# Several tiles, strips or blocks of everything at `tiny`, for each kernel.
SCALES = Requant.from_scales(np.random.default_rng(9).uniform(1e-4, 1e-2, 9), zero_point=-3)
SAMPLE = tensors(ConvLayer(2, 9, 8, 19, 9, 3, 3, pads=(1, 2, 1, 0), x_zero_point=5, requant=SCALES))


def job_of(spec: KernelSpec, sample: tuple = SAMPLE, lowering: str | None = None) -> Job:
    return lower(*sample, kernel=spec, config="tiny", lowering=lowering)


def answer(job: Job, sample: tuple = SAMPLE) -> np.ndarray:
    """The output transfer that the kernel must send."""
    return job.pack(ALGORITHMS["im2col"](*sample).y)


@pytest.mark.parametrize("stream", ["in0", "in1"])
@every_kernel
def test_misplaced_tlast_is_reported(spec, stream):
    job = job_of(spec)
    streams = {name: list(parts) for name, parts in job.streams.items()}
    first = streams[stream][0]
    streams[stream][:1] = [first[:7], first[7:]]
    status = build(spec.name, "tiny").run(streams, job.registers).scalars["status"]
    assert status == spec.status[f"{stream}_tlast"]
    assert stream in spec.explain_status(status)


@every_kernel
def test_weights_may_come_in_transfers_of_any_number_of_sequences(spec, monkeypatch):
    sample = tensors(ConvLayer(4, 12, 12, 19, 21, 3, 3))
    job = job_of(spec, sample)
    with monkeypatch.context() as patch:
        patch.setattr(transfers, "JOINED_BYTES", 0)
        each = list(job_of(spec, sample).streams["in1"])
    assert len(each) > 2 and len(job.streams["in1"]) == 1
    for in1 in (each, [np.concatenate(each[:2]), *each[2:]], job.streams["in1"]):
        run = build(spec.name, "tiny").run({**job.streams, "in1": in1}, job.registers)
        assert run.scalars["status"] == 0
        np.testing.assert_array_equal(run.streams["out"][0], answer(job, sample))


@pytest.mark.parametrize("headers", ["shim", "xilinx"])
@every_kernel
def test_testbench_plays_vector_files(spec, headers, seed, tmp_path):
    """Layers that all kernels take, lowered in turn in each of the ways that the layer has."""
    files: list[Path] = []
    wanted = dict(kernels=[(3, 3)], max_stride=1, max_dilation=1, exclude=("groups", "depthwise"))
    for i, sample in enumerate(random_layers(4, seed, **wanted)):
        ways = lowerings_for(sample[0], spec, "tiny")
        job = job_of(spec, sample, ways[i % len(ways)])
        files.append(tmp_path / f"{i}.txt")
        write_vectors(files[-1], job, answer(job, sample))
    argv = [build_testbench(spec.name, headers, "tiny"), *files]
    run = toolchain.run(argv, what="test bench", timeout=60)
    assert "4 passed, 0 failed" in run.stdout


@pytest.mark.parametrize("damage", ["beat", "register", "missing", "short"])
@every_kernel
def test_testbench_fails_on(spec, damage, tmp_path):
    job = job_of(spec)
    file = tmp_path / "vectors.txt"  # where the bench looks if it is given none
    expected = answer(job)
    if damage == "beat":
        expected[7] ^= np.uint64(1)
    write_vectors(file, job, expected)
    if damage == "register":
        file.write_text(file.read_text().replace("clamp_high 127", "clamp_high 300"))
    if damage == "short":
        file.write_text(file.read_text()[:-20])
    if damage == "missing":
        file.unlink()
    argv = [build_testbench(spec.name, "shim", "tiny")]
    run = toolchain.run(argv, what="test bench", cwd=tmp_path, timeout=60, check=False)
    assert run.code == 1
    status = f"status {spec.status['bad_output']}"
    words = {"beat": "out beat 7 of", "register": status, "missing": "readable", "short": "ends"}
    assert words[damage] in run.stderr


@pytest.mark.parametrize(("compiler", "headers"), HEADER_SETS)
@pytest.mark.parametrize(
    ("spec", "config"), [pytest.param(s, c, id=f"{s.name}-{c}") for s in SPECS for c in s.configs]
)
def test_compiles_without_warnings(spec, config, compiler, headers):
    compile_strictly(spec, compiler, headers, config)
