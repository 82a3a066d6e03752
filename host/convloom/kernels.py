# SPDX-License-Identifier: Apache-2.0
"""The kernels' contracts, read from `hls/<kernel>/kernel.toml`.

One table of registers, sizes, status codes and hot loops serves C++ (a generated header), RTL,
driver, test benches and documentation.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

from convloom.errors import ConvloomError

__all__ = ["Binding", "KernelSpec", "Register", "config_names", "kernel_names", "load_kernel"]


def _root() -> Path:
    """The folder of the kernels: inside the wheel, or `hls/` of the checkout."""
    packaged = Path(__file__).parent / "_hls"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "hls"


@dataclass(frozen=True)
class Register:
    """One 32-bit AXI4-Lite register; `direction` is seen from the kernel."""

    name: str
    offset: int
    doc: str
    direction: str = "in"
    signed: bool = False


@dataclass(frozen=True)
class Binding:
    """A resource that vendor HLS shall take: for the result `variable` of an operator (`op`) or for a
    memory or FIFO (`storage`) of a function; `impl` in the words of Vitis HLS."""

    function: str
    variable: str
    impl: str
    doc: str
    op: str = ""
    storage: str = ""

    def __post_init__(self) -> None:
        if bool(self.op) == bool(self.storage):
            raise ConvloomError(
                f"binding of {self.function}/{self.variable} must name an op or a storage, "
                f"not {'both' if self.op else 'neither'}"
            )


@dataclass(frozen=True)
class KernelSpec:
    """What is fixed about one kernel; `configs` maps a configuration to its sizes."""

    name: str
    top: str
    title: str
    directory: Path
    sources: tuple[Path, ...]
    testbench: Path
    configs: dict[str, dict[str, int]]
    registers: tuple[Register, ...]
    streams: dict[str, str]
    status: dict[str, int]
    status_doc: dict[str, str]
    hot_loops: tuple[str, ...]
    bindings: tuple[Binding, ...] = ()

    @property
    def include_dirs(self) -> tuple[Path, ...]:
        return (self.directory, self.directory.parent / "common")

    def config(self, name: str) -> dict[str, int]:
        """The sizes of one configuration."""
        if name not in self.configs:
            known = ", ".join(self.configs)
            raise ConvloomError(f"{self.name}: config must be one of {known}, not {name!r}")
        return self.configs[name]

    def defines(self, config: str) -> dict[str, str]:
        """Macros that select the configuration when the sources are compiled."""
        self.config(config)
        return {"CONVLOOM_CONFIG": config}

    def explain_status(self, code: int) -> str:
        """What a value of the status register means."""
        names = [n for n, v in self.status.items() if v == code]
        if not names:  # the codes from 0x10 on are a bit mask
            names = [n for n, v in self.status.items() if v >= 0x10 and code & v]
        text = "; ".join(self.status_doc[n] for n in names) or "unknown code"
        return f"status 0x{code:x}: {text}"


def kernel_names() -> tuple[str, ...]:
    """Names of all kernels that have a contract."""
    return tuple(sorted(p.parent.name for p in _root().glob("*/kernel.toml")))


def config_names() -> tuple[str, ...]:
    """Names of all kernels' configurations, each once; a kernel need not have all of them."""
    return tuple(dict.fromkeys(c for name in kernel_names() for c in load_kernel(name).configs))


@lru_cache
def load_kernel(name: str) -> KernelSpec:
    """Read the contract of one kernel, for example `gemm_systolic`."""
    if name not in kernel_names():
        raise ConvloomError(f"kernel must be one of {', '.join(kernel_names())}, not {name!r}")
    directory = _root() / name
    data: dict[str, Any] = tomllib.loads((directory / "kernel.toml").read_text(encoding="utf-8"))
    return KernelSpec(
        name=data["name"],
        top=data["top"],
        title=data["title"],
        directory=directory,
        sources=tuple(directory / s for s in data["sources"]),
        testbench=directory / data["testbench"],
        configs=data["configs"],
        registers=tuple(Register(**r) for r in data["registers"]),
        streams={k: v.strip() for k, v in data["streams"].items()},
        status=data["status"],
        status_doc=data["status_doc"],
        hot_loops=tuple(data["hot_loops"]),
        bindings=tuple(Binding(**b) for b in data.get("bindings", ())),
    )
