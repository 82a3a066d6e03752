# SPDX-License-Identifier: Apache-2.0
"""What the kernels' tests share: builds, checks of a run, their ordinary test benches, mutants."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from convloom.kernels import KernelSpec, load_kernel
from convloom.layer import ConvLayer
from convloom.lowering import Job
from convloom.reference import ALGORITHMS
from hlsc import toolchain
from hlsc.csim import Kernel, Run

HEADER_SETS = [("clang", "shim"), ("clang", "xilinx"), ("g++", "xilinx")]
"""(compiler, headers) pairs under which every kernel must compile without a warning."""


def nightly_builds(spec: KernelSpec) -> list[tuple[str, str, str, str]]:
    """(config, headers, compiler, sanitize) of the long sweeps: every configuration, and tiny with
    the open vendor headers and with the address and undefined-behaviour sanitizers."""
    plain = [(config, "shim", "clang", "") for config in spec.configs]
    return [*plain, ("tiny", "xilinx", "g++", ""), ("tiny", "shim", "clang", "sanitize")]


@lru_cache
def build(
    name: str, config: str, headers: str = "shim", compiler: str = "clang", sanitize: str = ""
) -> Kernel:
    """A kernel for C-simulation; the last three as in `nightly_builds`."""
    spec = load_kernel(name)
    return Kernel(
        spec.sources,
        spec.top,
        include_dirs=spec.include_dirs,
        defines=spec.defines(config),
        headers=headers,
        compiler=compiler,
        sanitize=bool(sanitize),
    )


def tensors(layer: ConvLayer, seed: int = 3) -> tuple:
    """The layer, x, w and bias, x and w over the whole range of int8."""
    rng = np.random.default_rng(seed)
    x = rng.integers(-128, 128, layer.x_shape, np.int8)
    w = rng.integers(-128, 128, layer.w_shape, np.int8)
    return layer, x, w, rng.integers(-999, 999, layer.k, np.int32)


def check_run(built: Kernel, job: Job, x: Any, w: Any, bias: Any, **options: Any) -> Run:
    """A job through the kernel: status 0, and every bit of the one transfer as the reference has it.

    Bits that hold no output are right too: those of outputs outside the map, and of filters past the
    last.  options: of `Kernel.run`.
    """
    run = built.run(job.streams, job.registers, **options)
    assert run.scalars["status"] == 0, job.spec.explain_status(run.scalars["status"])
    expected = ALGORITHMS["im2col"](job.layer, x, w, bias).y
    got = job.result(run.streams["out"])
    np.testing.assert_array_equal(got, expected, err_msg=f"{job.layer.name} {job.lowering}")
    np.testing.assert_array_equal(run.streams["out"][0], job.pack(expected))
    return run


def check_refused(built: Kernel, registers: Mapping[str, int], status: str) -> None:
    """With these registers the kernel ends with this status, having read and written nothing."""
    spec = load_kernel(built.top)
    run = built.run({}, registers)
    assert spec.explain_status(run.scalars["status"]) == spec.explain_status(spec.status[status])
    assert sum(map(len, run.streams["out"])) == 0


_WARNINGS = ["-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas", "-fsyntax-only"]


def _flags(spec: KernelSpec, headers: str, config: str) -> list[str | Path]:
    shim = headers == "shim"
    system = [toolchain.shim_include_dir()] if shim else toolchain.xilinx_include_dirs()
    flags = ["-std=c++11", *(f"-isystem{d}" for d in system), *(f"-I{d}" for d in spec.include_dirs)]
    return flags + [f"-D{k}={v}" for k, v in spec.defines(config).items()]


def compile_strictly(spec: KernelSpec, compiler: str, headers: str, config: str) -> None:
    """Sources and test bench with every warning an error (unknown pragmas apart); raises ToolError."""
    tool = toolchain.clang() if compiler == "clang" else toolchain.gxx()
    for source in (*spec.sources, spec.testbench):
        args = [*_WARNINGS, *_flags(spec, headers, config), source]
        tool.run(args, what=f"compiling {Path(source).name}")


@lru_cache
def build_testbench(name: str, headers: str, config: str) -> Path:
    """The kernel's ordinary C++ test bench as a program, as vendor C-simulation would build it."""
    spec = load_kernel(name)
    sources = [*spec.sources, spec.testbench]
    flags = [*_flags(spec, headers, config), "-O1", "-w"]
    compiler = toolchain.clang() if headers == "shim" else toolchain.gxx()

    def build(work: Path) -> list[Path]:
        for source in sources:
            args = [*flags, "-MD", "-c", source, "-o", work / f"{source.stem}.o"]
            compiler.run(args, what=f"compiling {source.name}")
        objects = sorted(work.glob("*.o"))
        toolchain.gxx().run([*objects, "-o", work / "testbench"], what="linking the test bench")
        return [f for d in work.glob("*.d") for f in toolchain.depfile(d, skip=[Path("/usr")])]

    key = [compiler.version, [str(f) for f in flags], *sources]
    return toolchain.cached("testbench", key, build) / "testbench"


def mutant_kernel(
    spec: KernelSpec, config: str, directory: Path, file: str, old: str, new: str
) -> Kernel:
    """The kernel with `old` replaced in one of its files, which must hold it."""
    folders = []
    for folder in spec.include_dirs:
        folders.append(directory / folder.name)
        shutil.copytree(folder, folders[-1])
    source = next(f / file for f in folders if (f / file).exists())
    text = source.read_text()
    assert old in text, f"the mutant of {file} no longer applies: {old}"
    source.write_text(text.replace(old, new))
    return Kernel(
        [folders[0] / s.name for s in spec.sources],
        spec.top,
        include_dirs=folders,
        defines=spec.defines(config),
    )
