# SPDX-License-Identifier: Apache-2.0
"""Board profiles: `boards/<name>.toml` as a checked dataclass."""

from __future__ import annotations

import dataclasses
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vboard.errors import VboardError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = ["FAMILIES", "IP_RANGE", "Profile", "load_profile", "profile_names"]

FAMILIES = ("zynq", "zynquplus")
"""Zynq-7000 and Zynq UltraScale+."""

IP_RANGE = 0x10000
"""Bytes of address space that every IP has."""

PAGE = 4096

_PART = re.compile(r"(xc7z\d+s?|xc\w+-)([a-z]+\d+)-(\w+)(-\w+)?")
"""Device, package, speed grade, temperature grade; 7-series parts have no dash before the package."""


def _root() -> Path:
    """The folder of the profiles: inside the wheel, or `boards/` of the checkout."""
    packaged = Path(__file__).parent / "_boards"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "boards"


@dataclass(frozen=True)
class Profile:
    """One board.  Bytes per cycle are of the PL clock `clock_mhz`, addresses physical.

    ddr_bytes_per_cycle: reads and writes of all ports in sum; port_bytes_per_cycle: each port, each
    direction. ddr_latency: cycles from a burst's address to its first beat (read) or its response
    (write). access_cycles: what writing one register takes. cma_base, cma_bytes: where buffers lie;
    ddr_bytes: how far memory reaches from address 0. dma_length_bits: width of the DMA's length
    registers. board: what the board calls itself; addresses: IP name → base, `kernel` for the
    accelerator.
    """

    name: str
    board: str
    title: str
    family: str
    part: str
    clock_mhz: float
    ddr_bytes_per_cycle: float
    port_bytes_per_cycle: int
    ddr_latency: int
    access_cycles: int
    ddr_bytes: int
    cma_base: int
    cma_bytes: int
    dma_length_bits: int
    addresses: dict[str, int]

    def __post_init__(self) -> None:
        def need(ok: bool, attribute: str, rule: str) -> None:
            if not ok:
                value = getattr(self, attribute)
                raise VboardError(f"board {self.name}: {attribute} must {rule}, not {value!r}")

        need(self.family in FAMILIES, "family", f"be one of {', '.join(FAMILIES)}")
        need(bool(_PART.fullmatch(self.part)), "part", "be as Vivado writes it, like xc7z020clg400-1")
        need(1 <= self.clock_mhz <= 1000, "clock_mhz", "be 1 to 1000")
        need(0.1 <= self.ddr_bytes_per_cycle <= 1024, "ddr_bytes_per_cycle", "be 0.1 to 1024")
        need(self.port_bytes_per_cycle == 8, "port_bytes_per_cycle", "be 8, the width of an HP port")
        need(1 <= self.ddr_latency <= 1000, "ddr_latency", "be 1 to 1000")
        need(1 <= self.access_cycles <= 100_000, "access_cycles", "be 1 to 100000")
        need(8 <= self.dma_length_bits <= 26, "dma_length_bits", "be 8 to 26")
        need(self.cma_base % PAGE == 0 and self.cma_base > 0, "cma_base", "be a page's address")
        need(
            self.cma_bytes % PAGE == 0 and 0 < self.cma_bytes <= 1 << 30,
            "cma_bytes",
            "be whole pages, at most 1 GiB",
        )
        need(self.cma_base + self.cma_bytes <= self.ddr_bytes, "ddr_bytes", "reach past the CMA region")
        known = ("kernel", "axi_dma_0", "axi_dma_1", "axi_gpio_led")
        need(sorted(self.addresses) == sorted(known), "addresses", f"name {', '.join(known)}")
        bases = sorted(self.addresses.values())
        need(
            all(b % IP_RANGE == 0 for b in bases) and len(set(bases)) == len(bases),
            "addresses",
            "be different multiples of 0x10000",
        )

    @property
    def part_words(self) -> tuple[str, str, str]:
        """Device, package and speed grade, as a .hwh of Vivado has them: 7z020, clg400, -1."""
        found = _PART.fullmatch(self.part)
        assert found is not None  # see __post_init__
        device = found[1].rstrip("-")
        return device.removeprefix("xc") if self.is_zynq7000 else device, found[2], f"-{found[3]}"

    @property
    def is_zynq7000(self) -> bool:
        return self.family == "zynq"


def profile_names() -> tuple[str, ...]:
    """Names of all boards that have a profile."""
    return tuple(sorted(p.stem for p in _root().glob("*.toml")))


def load_profile(name: str) -> Profile:
    """Read `boards/<name>.toml`; VboardError if there is none or a value is out of range."""
    if name not in profile_names():
        raise VboardError(f"board must be one of {', '.join(profile_names())}, not {name!r}")
    try:
        data: dict[str, Any] = tomllib.loads((_root() / f"{name}.toml").read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise VboardError(f"boards/{name}.toml must be TOML: {error}") from None
    fields = {f.name: f.type for f in dataclasses.fields(Profile)} | {"name": "str"}
    given = {**data, "name": name}
    if set(given) != set(fields):
        wrong = sorted(set(given) ^ set(fields))
        raise VboardError(f"boards/{name}.toml must have exactly the keys of a profile; see {wrong[0]}")
    for key, kind in fields.items():
        types: Any = {"str": str, "int": int, "float": (int, float)}.get(str(kind), dict)
        if not isinstance(given[key], types) or isinstance(given[key], bool):
            raise VboardError(f"boards/{name}.toml: {key} must be {kind}, not {given[key]!r}")
    if not all(isinstance(a, int) for a in given["addresses"].values()):
        raise VboardError(f"boards/{name}.toml: addresses must be integers")
    return Profile(**given)
