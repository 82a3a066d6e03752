# SPDX-License-Identifier: Apache-2.0
"""Jobs as text files, which the kernels' C++ test benches play (`<kernel>_tb.cpp`).

kernel <name> <config> <layer>
registers <n>
<name> <value>                      n lines, in the order of the C++ arguments
stream <name> <transfers>           per input stream, then for the expected output
<beats> <beat> <beat> …             a line per transfer, beats as 16 hex digits
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from convloom.lowering.job import Job

__all__ = ["vector_text", "write_vectors"]


def _stream(name: str, transfers: list[NDArray[np.uint64]]) -> list[str]:
    lines = [f"stream {name} {len(transfers)}"]
    for transfer in transfers:
        lines.append(" ".join([str(len(transfer)), *(f"{int(beat):016x}" for beat in transfer)]))
    return lines


def vector_text(job: Job, expected: NDArray[np.uint64]) -> str:
    """One job and its expected output beats as text."""
    inputs = [r.name for r in job.spec.registers if r.direction == "in"]
    lines = [f"kernel {job.spec.name} {job.config} {job.layer.name}", f"registers {len(inputs)}"]
    lines += [f"{name} {job.registers[name]}" for name in inputs]
    for name, transfers in job.streams.items():
        lines += _stream(name, list(transfers))
    return "\n".join([*lines, *_stream("out", [expected])]) + "\n"


def write_vectors(path: Path, job: Job, expected: NDArray[np.uint64]) -> None:
    """Write `vector_text` to `path`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.write_text(vector_text(job, expected), encoding="ascii")
    temporary.replace(path)
