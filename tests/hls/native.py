# SPDX-License-Identifier: Apache-2.0
"""What the kernels' tests share: their ordinary test benches, compilers' warnings, mutants."""

from __future__ import annotations

import shutil
from functools import lru_cache
from pathlib import Path

from convloom.kernels import KernelSpec, load_kernel
from hlsc import toolchain
from hlsc.csim import Kernel

HEADER_SETS = [("clang", "shim"), ("clang", "xilinx"), ("g++", "xilinx")]
"""(compiler, headers) pairs under which every kernel must compile without a warning."""


def nightly_builds(spec: KernelSpec) -> list[tuple[str, str, str, str]]:
    """(config, headers, compiler, sanitize) of the long sweeps: every configuration, and tiny with
    the open vendor headers and with the address and undefined-behaviour sanitizers."""
    plain = [(config, "shim", "clang", "") for config in spec.configs]
    return [*plain, ("tiny", "xilinx", "g++", ""), ("tiny", "shim", "clang", "sanitize")]


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
