# SPDX-License-Identifier: Apache-2.0
"""From C++ sources to RTL that runs, every step cached by the content of what it read."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from pathlib import Path

from hlsc import toolchain
from hlsc.rtlsim import RtlKernel
from hlsc.synth import DEFAULT_PART, synthesize

__all__ = ["rtl_kernel", "synthesized"]

_ENGINES = ("llvmlite", "pycde", "ortools", "ziglang")
_KINDS = (".py", ".sv", ".h", ".json")
_AFTERWARDS = ("commands", "measure")
"""Folders of hlsc that synthesis does not import."""


def synthesized(
    sources: Sequence[Path],
    top: str,
    *,
    include_dirs: Sequence[Path] = (),
    defines: Mapping[str, str] | None = None,
    clock_ns: float = 10.0,
    part: str = DEFAULT_PART,
    directives: Path | None = None,
) -> Path:
    """The directory with `<top>.sv` and `report.json`, made now or by an earlier call.

    Arguments as for `hlsc.synth.synthesize`.  The key covers the sources, every file in the include
    directories, hlsc's own code and the versions of its engines.
    """

    def build(work: Path) -> None:
        synthesize(
            sources,
            top,
            clock_ns=clock_ns,
            part=part,
            directives=directives,
            include_dirs=include_dirs,
            defines=defines,
            out_dir=work,
        )

    here = Path(__file__).parent
    own = sorted(
        p
        for p in here.rglob("*")
        if p.suffix in _KINDS and p.relative_to(here).parts[0] not in _AFTERWARDS
    )
    key = [top, clock_ns, part, dict(defines or {}), directives]
    key += [[str(p) for p in sources], list(sources), list(include_dirs), own]
    key += [importlib.metadata.version(engine) for engine in _ENGINES]
    return toolchain.cached("synth", key, build)


def rtl_kernel(
    sources: Sequence[Path],
    top: str,
    *,
    include_dirs: Sequence[Path] = (),
    defines: Mapping[str, str] | None = None,
    clock_ns: float = 10.0,
) -> RtlKernel:
    """The top function as a Verilated model, ready to run like `hlsc.csim.Kernel`."""
    made = synthesized(sources, top, include_dirs=include_dirs, defines=defines, clock_ns=clock_ns)
    return RtlKernel([made / f"{top}.sv"], top, made / "report.json")
