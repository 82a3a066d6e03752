#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Speed of C-simulation: hlsc's headers against the open Xilinx ones; same kernel, layer, compiler.

Prints a table; exit code 1 when the outputs differ or the gain is below --least.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

import numpy as np

from convloom.commands.text import size, table
from convloom.errors import ConvloomError
from convloom.kernels import load_kernel
from convloom.layer import ConvLayer, Requant
from convloom.lowering import Job, lower
from hlsc.csim import Kernel
from hlsc.errors import HlscError

KERNEL, CONFIG = "gemm_systolic", "tiny"
HEADERS = {"shim": "hlsc", "xilinx": "open Xilinx"}


def make_job(edge: int) -> Job:
    """A 3×3 layer on an edge × edge map, 16 channels to 32 filters, requantised."""
    requant = Requant.from_scales(np.full(32, 1e-3))
    layer = ConvLayer(1, edge, edge, 16, 32, 3, 3, pads=(1, 1, 1, 1), x_zero_point=5, requant=requant)
    rng = np.random.default_rng(0)
    x = rng.integers(-128, 128, layer.x_shape, dtype=np.int8)
    w = rng.integers(-128, 128, layer.w_shape, dtype=np.int8)
    return lower(layer, x, w, kernel=load_kernel(KERNEL), config=CONFIG)


def measure(headers: str, job: Job, repeats: int) -> tuple[float, bytes]:
    """Seconds of the fastest of `repeats` runs, and the output's bytes. Compiling is not counted."""
    spec = load_kernel(KERNEL)
    kernel = Kernel(
        spec.sources,
        spec.top,
        include_dirs=spec.include_dirs,
        defines=spec.defines(CONFIG),
        headers=headers,
    )
    best, output = float("inf"), b""
    for _ in range(repeats):
        started = time.perf_counter()
        run = kernel.run(job.streams, job.registers, twice=False, isolated=False, timeout=300)
        best = min(best, time.perf_counter() - started)
        output = b"".join(t.tobytes() for t in run.streams["out"])
    return best, output


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--edge", type=int, default=32, help="height and width of the map, default 32")
    parser.add_argument("--repeats", type=int, default=3, help="the fastest counts, default 3")
    parser.add_argument("--least", type=float, default=10, help="gain to reach, default 10")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    try:
        job = make_job(args.edge)
        runs = {headers: measure(headers, job, args.repeats) for headers in HEADERS}
    except (ConvloomError, HlscError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    gain = runs["xilinx"][0] / runs["shim"][0]
    macs = job.layer.macs
    if args.json:
        seconds = {headers: run[0] for headers, run in runs.items()}
        print(json.dumps({"layer": job.layer.name, "macs": macs, "seconds": seconds, "gain": gain}))
    else:
        rows = [
            [
                HEADERS[headers],
                job.layer.name,
                size(macs),
                f"{seconds:.3f}",
                size(macs / seconds),
                f"{runs['xilinx'][0] / seconds:.1f}",
            ]
            for headers, (seconds, _) in runs.items()
        ]
        head = ["headers", "layer", "MACs", "seconds", "MAC/s", "times"]
        print(table(head, rows, right=head[2:]))
    if runs["shim"][1] != runs["xilinx"][1]:
        print("bench: outputs must be the same with both headers, and differ", file=sys.stderr)
        return 1
    if gain < args.least:
        print(f"bench: gain must be at least {args.least:g}, not {gain:.1f}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
