# SPDX-License-Identifier: Apache-2.0
"""HLS projects for the vendor tools: a folder that holds all that one kernel needs, and no path out.

Written for a kernel, configuration and board: the sources (`src/`), vector files for the kernel's own
test bench, `hls_config.cfg` for v++ and vitis-run, and `settings.tcl` with `run_hls.tcl` and directive
files for the tools that run Tcl.  The folder may be copied to the machine that has the tools.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from vitis.tclwords import assignments

from convloom.errors import ConvloomError
from convloom.kernels import Binding, KernelSpec
from convloom.layer import ConvLayer, Requant
from convloom.lowering import lower
from convloom.lowering.vectors import vector_text
from convloom.reference import ALGORITHMS
from vboard.hwh import KERNEL_VENDOR
from vboard.profile import Profile

__all__ = ["IP_VERSION", "STAGES", "HlsProject", "directives", "write_project"]

RUN_SCRIPT = Path(__file__).with_name("run_hls.tcl")
IP_VERSION = "1.0"

STAGES = {
    "csim": ("csim",),
    "csynth": ("csynth",),
    "cosim": ("csynth", "cosim"),
    "ip": ("csynth", "ip"),
}
"""Make target → steps of the tool."""

UNCERTAINTY = 0.125
"""Share of the clock period that stays free: Vivado HLS's default (Vitis HLS would take 27 %)."""

# Words of Vivado HLS (core=…) for what Vitis HLS calls (op or storage, impl).
_CORES = {
    ("mul", "dsp"): "DSP48",
    ("fifo", "lutram"): "FIFO_LUTRAM",
    ("fifo", "bram"): "FIFO_BRAM",
    ("fifo", "srl"): "FIFO_SRL",
}


@dataclass(frozen=True)
class HlsProject:
    """What one project is made from; everything that is written follows from it."""

    spec: KernelSpec
    config: str
    profile: Profile

    def __post_init__(self) -> None:
        self.spec.config(self.config)

    @property
    def period(self) -> str:
        """Clock period in ns."""
        return f"{1000 / self.profile.clock_mhz:.3f}"

    @property
    def uncertainty(self) -> str:
        return f"{UNCERTAINTY * 1000 / self.profile.clock_mhz:.3f}"

    @property
    def sources(self) -> list[str]:
        return [f"src/{s.relative_to(s.parents[1]).as_posix()}" for s in self.spec.sources]

    @property
    def testbench(self) -> str:
        bench = self.spec.testbench
        return f"src/{bench.relative_to(bench.parents[1]).as_posix()}"

    @property
    def cflags(self) -> str:
        folders = [f"-Isrc/{d.name}" for d in self.spec.include_dirs]
        defines = [f"-D{k}={v}" for k, v in self.spec.defines(self.config).items()]
        return " ".join([*folders, *defines])

    @property
    def vlnv(self) -> tuple[str, str, str, str]:
        vendor, _, library = KERNEL_VENDOR.partition(":")
        return vendor, library, self.spec.top, IP_VERSION


# ------------------------------------------------------------------------------------ vectors


def vectors(project: HlsProject) -> dict[str, str]:
    """Vector files by name: one layer with int8 and one with int32 output, both over several tiles.

    They are small because C/RTL co-simulation plays them too, each twice.
    """
    spec = project.spec
    rng = np.random.default_rng(20)
    x = rng.integers(-128, 128, (1, 7, 9, 8), dtype=np.int8)
    w = rng.integers(-128, 128, (12, 3, 3, 8), dtype=np.int8)
    bias = rng.integers(-1000, 1000, 12, dtype=np.int32)
    shape = {"n": 1, "h": 7, "w": 9, "c": 8, "k": 12, "r": 3, "s": 3}
    files = {}
    for kind, requant in (("int8", Requant([20_000] * 12, [24] * 12, zero_point=3)), ("int32", None)):
        layer = ConvLayer(**shape, pads=(1, 1, 1, 1), x_zero_point=-5, requant=requant)
        job = lower(layer, x, w, bias, kernel=spec, config=project.config)
        expected = job.pack(ALGORITHMS["im2col"](layer, x, w, bias).y)
        files[f"vectors_{kind}.txt"] = vector_text(job, expected)
    return files


# --------------------------------------------------------------------------------- directives


def directives(bindings: Sequence[Binding], form: str) -> list[str]:
    """The bindings as lines: `vitis` and `vivado` are Tcl, `cfg` is for hls_config.cfg.

    Vitis HLS has BIND_OP and BIND_STORAGE; Vivado HLS, to 2020.1, has RESOURCE with the name of a core.
    """
    lines = []
    for b in bindings:
        kind = "op" if b.op else "storage"
        key, value = ("op", b.op) if b.op else ("type", b.storage)
        if form == "vivado":
            core = _CORES.get((value, b.impl))
            if core is None:
                raise ConvloomError(
                    f"binding of {b.function}/{b.variable} must be one that Vivado HLS has a core for "
                    f"({', '.join('/'.join(c) for c in _CORES)}), not {value}/{b.impl}"
                )
            lines.append(f'set_directive_resource -core {core} "{b.function}" {b.variable}')
        elif form == "vitis":
            options = f"-{key} {value} -impl {b.impl}"
            lines.append(f'set_directive_bind_{kind} {options} "{b.function}" {b.variable}')
        else:
            options = f"{key}={value} impl={b.impl}"
            lines.append(f"syn.directive.bind_{kind}={b.function} {b.variable} {options}")
    return lines


# ------------------------------------------------------------------------------------- files


def config_text(project: HlsProject, vector_names: Sequence[str]) -> str:
    """hls_config.cfg; keys as in AMD's UG1399.  `part` belongs to no section and stands above it."""
    vendor, library, top, version = project.vlnv
    rows = [("part", project.profile.part), ("", "[hls]"), ("clock", f"{project.period}ns")]
    rows += [("clock_uncertainty", f"{project.uncertainty}ns"), ("flow_target", "vivado")]
    rows += [("syn.top", project.spec.top)]
    for source in project.sources:
        rows += [("syn.file", source), ("syn.file_cflags", f"{source},{project.cflags}")]
    bench = project.testbench
    rows += [("tb.file", bench), ("tb.file_cflags", f"{bench},{project.cflags}")]
    rows += [("tb.file", name) for name in vector_names]
    rows += [("csim.argv", " ".join(vector_names)), ("cosim.argv", " ".join(vector_names))]
    rows += [("cosim.rtl", "verilog"), ("package.output.format", "ip_catalog")]
    rows += [("package.output.syn", "false")]
    for key, value in zip(
        ("vendor", "library", "name", "version"), (vendor, library, top, version), strict=True
    ):
        rows.append((f"package.ip.{key}", value))
    lines = [f"{key}={value}" if key else f"\n{value}" for key, value in rows]
    return "\n".join([*lines, *directives(project.spec.bindings, "cfg")]) + "\n"


def settings(project: HlsProject, vector_names: Sequence[str], tool: str, steps: Sequence[str]) -> str:
    """settings.tcl: all that run_hls.tcl has to know.  tool: vitis or vivado (Vivado HLS)."""
    # Vivado HLS does not take C++11 unless told to; Vitis HLS's own headers want its own default.
    cflags = f"-std=c++11 {project.cflags}" if tool == "vivado" else project.cflags
    return assignments(
        {
            "tool": tool,
            "steps": steps,
            "top": project.spec.top,
            "part": project.profile.part,
            "period": project.period,
            "uncertainty": project.uncertainty,
            "cflags": cflags,
            "sources": project.sources,
            "testbench": project.testbench,
            "vectors": vector_names,
            "directives": f"directives_{tool}.tcl",
            "ip": project.vlnv,
        }
    )


def write_project(project: HlsProject, folder: Path, tool: str, steps: Sequence[str]) -> None:
    """Write the whole folder, but for what the tools themselves make in it."""
    folder.mkdir(parents=True, exist_ok=True)
    src = folder / "src"
    if src.exists():
        shutil.rmtree(src)
    for directory in project.spec.include_dirs:
        shutil.copytree(directory, src / directory.name)
    played = vectors(project)
    names = list(played)
    files = dict(played)
    files["hls_config.cfg"] = config_text(project, names)
    files["settings.tcl"] = settings(project, names, tool, steps)
    for form in ("vitis", "vivado"):
        lines = directives(project.spec.bindings, form)
        files[f"directives_{form}.tcl"] = "".join(f"{line}\n" for line in lines)
    files["run_hls.tcl"] = RUN_SCRIPT.read_text(encoding="utf-8")
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
