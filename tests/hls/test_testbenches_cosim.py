# SPDX-License-Identifier: Apache-2.0
"""The kernels' ordinary test benches through `hlsc cosim`: their calls on the RTL, bit by bit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from convloom.kernels import kernel_names, load_kernel
from convloom.lowering import lower
from convloom.lowering.vectors import write_vectors
from convloom.random_layers import random_layers
from convloom.reference import ALGORITHMS
from hlsc.cli import main


def vectors(kernel: str, folder: Path, seed: int) -> list[Path]:
    """Two small layers as vector files."""
    spec, files = load_kernel(kernel), []
    wanted = dict(kernels=[(3, 3)], max_stride=1, max_dilation=1, exclude=("groups", "depthwise"))
    for i, (layer, x, w, bias) in enumerate(random_layers(2, seed, **wanted)):
        job = lower(layer, x, w, bias, kernel=spec, config="tiny")
        files.append(folder / f"{i}.txt")
        write_vectors(files[-1], job, job.pack(ALGORITHMS["im2col"](layer, x, w, bias).y))
    return files


@pytest.mark.parametrize("stall", ["none", "random"])
@pytest.mark.parametrize("name", kernel_names())
def test_bench_passes_cosimulation(name, stall, seed, tmp_path, capsys):
    spec = load_kernel(name)
    files = vectors(name, tmp_path, seed)
    argv = ["cosim", *spec.sources, "--tb", spec.testbench, "--top", spec.top, "--json"]
    argv += ["--stall", stall, "--seed", seed % 1000, "--data", tmp_path]
    argv += ["--args", " ".join(f.name for f in files)]
    for folder in spec.include_dirs:
        argv += ["-I", folder]
    for macro, value in spec.defines("tiny").items():
        argv += ["-D", f"{macro}={value}"]
    code = main([str(a) for a in argv])
    found = json.loads(capsys.readouterr().out)
    assert code == 0, found["problems"]
    assert found["bench"]["stdout"] == "2 passed, 0 failed\n"
    # Each file is played twice, and RTL takes at least a cycle per beat of its output.
    assert len(found["calls"]) == found["bench"]["calls"] == 4
    assert all(0 < c["beats_out"] <= c["last_beat"] <= c["latency"] for c in found["calls"])
