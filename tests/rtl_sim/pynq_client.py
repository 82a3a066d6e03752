# SPDX-License-Identifier: Apache-2.0
"""Client programs with unmodified pynq, each a process of its own, and layers for them to run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

import vboard
from convloom.kernels import load_kernel
from convloom.layer import ConvLayer, Requant
from convloom.lowering import Job, lower
from convloom.reference import ALGORITHMS
from hlsc import toolchain

SPEC = load_kernel("gemm_systolic")

# What every client starts with.  pynq keeps the last overlay's metadata in its own package directory,
# for all processes: loading has to be one at a time, or another process's ip_dict turns up.
PREAMBLE = """
import fcntl, json, sys, warnings
import numpy as np
import pynq
from pynq import Device, Overlay, allocate
warnings.simplefilter("error", UserWarning)

def load(path):
    with open(LOCK, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return Overlay(path)

def counters():
    return json.loads(Device.active_device.read_file("/proc/vboard/counters"))

def tell(**values):
    print("TOLD " + json.dumps(values))
"""

RUN_JOB = """
from collections import deque

def run_job(ol, file, short=0):
    data = np.load(file)
    meta = json.loads(str(data["meta"]))
    kernel = getattr(ol, meta["ip"])
    for name, value in meta["registers"].items():
        setattr(kernel.register_map, name, value)
    out = allocate(meta["out_beats"] - short, np.uint64)
    ol.axi_dma_0.recvchannel.transfer(out)
    channels = {"in0": ol.axi_dma_0.sendchannel, "in1": ol.axi_dma_1.sendchannel}
    kernel.register_map.CTRL.AP_START = 1
    buffers = {}
    for i in set(meta["order"]["in0"]) | set(meta["order"]["in1"]):
        buffers[i] = allocate(data[f"beats{i}"].shape, np.uint64)
        buffers[i][:] = data[f"beats{i}"]
    todo = {s: deque(order) for s, order in meta["order"].items()}
    for stream, channel in channels.items():
        channel.transfer(buffers[todo[stream].popleft()])
    while any(todo.values()):
        for stream, channel in channels.items():
            if todo[stream] and channel.idle:
                channel.transfer(buffers[todo[stream].popleft()])
    ol.axi_dma_0.recvchannel.wait()
    result = [int(v) for v in out]
    status = int(kernel.register_map.status.status)
    for buffer in (out, *buffers.values()):
        buffer.freebuffer()
    return result, status
"""


def begin(made: vboard.Board, code: str) -> subprocess.Popen[str]:
    lock = toolchain.build_root() / "overlay" / ".pynq.lock"
    text = f"LOCK = {str(lock)!r}\nBIT = {str(made.bitstream)!r}\n" + PREAMBLE + RUN_JOB
    return subprocess.Popen(
        [sys.executable, "-c", text + textwrap.dedent(code)],
        env={**os.environ, **made.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str], seconds: float = 60) -> dict[str, Any]:
    """What the client told; a failed or silent client fails the test with what it printed."""
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"client ran longer than {seconds} s\n{out}\n{err}") from None
    told = [json.loads(line[5:]) for line in out.splitlines() if line.startswith("TOLD ")]
    assert process.returncode == 0 and told, f"{out}\n{err}"
    return {k: v for part in told for k, v in part.items()}


def client(made: vboard.Board, code: str, seconds: float = 60) -> dict[str, Any]:
    return end(begin(made, code), seconds)


def layer_job(seed: int, index: int = 0) -> tuple[Job, np.ndarray]:
    """A small layer with several tiles each way, and the reference's output."""
    rng = np.random.default_rng([seed, index])
    k = 11 + index
    requant = Requant.from_scales(rng.uniform(1e-4, 1e-2, k), zero_point=-3) if index % 2 else None
    layer = ConvLayer(1, 6, 5, 7, k, 3, 3, pads=(1, 0, 1, 1), x_zero_point=index, requant=requant)
    x = rng.integers(-128, 128, layer.x_shape, np.int8)
    w = rng.integers(-128, 128, layer.w_shape, np.int8)
    job = lower(layer, x, w, kernel=SPEC, config="tiny")
    return job, ALGORITHMS["im2col"](layer, x, w, None).y


def save(job: Job, path: Path) -> Path:
    distinct = {id(t): t for stream in job.streams.values() for t in stream}
    names = {key: i for i, key in enumerate(distinct)}
    meta = {
        "ip": f"{SPEC.top}_0",
        "registers": {k: int(v) & 0xFFFFFFFF for k, v in job.registers.items()},
        "out_beats": job.out_beats,
        "order": {s: [names[id(t)] for t in stream] for s, stream in job.streams.items()},
    }
    arrays: dict[str, Any] = {f"beats{names[key]}": t for key, t in distinct.items()}
    np.savez(path, meta=np.array(json.dumps(meta)), **arrays)
    return path
