# SPDX-License-Identifier: Apache-2.0
"""What the regions of a process ask of what they share: streams, outputs, memories, operators."""

from __future__ import annotations

from dataclasses import dataclass, field

from hlsc.backend.mlir import Sig
from hlsc.ir import Loc

__all__ = [
    "LoadUse",
    "Operand",
    "Shared",
    "StoreUse",
    "Transfer",
    "UnitUse",
    "rdata_name",
]


@dataclass(frozen=True)
class Transfer:
    """A stream access: it stands there (`wants`), and takes place (`takes`); `data` if written."""

    wants: Sig
    takes: Sig
    data: Sig | None = None


@dataclass(frozen=True)
class LoadUse:
    wants: Sig
    takes: Sig
    address: Sig
    port: int = 0


@dataclass(frozen=True)
class StoreUse:
    wants: Sig
    takes: Sig
    address: Sig
    data: Sig
    port: int = 1


@dataclass(frozen=True)
class Operand:
    """An operand of a shared operator; `signed`: how it is widened."""

    value: Sig
    signed: bool


@dataclass(frozen=True)
class UnitUse:
    """An operation on a shared operator, of which `value` is to become the result.

    `wants`: its iteration stands in its cycle; `takes`, `leaves`: it goes on from there, and from the
    cycle in which the result is due; `start`: of the region; `depth`: results that may wait, 0 if
    nothing can stop the iteration in between.
    """

    wants: Sig
    takes: Sig
    leaves: Sig
    start: Sig
    depth: int
    operands: tuple[Operand, ...]
    value: Sig
    name: str
    loc: Loc | None


def rdata_name(memory: str, port: int) -> str:
    """The value that a port of a memory gives."""
    return f"{memory}_rdata{port or ''}"


@dataclass
class Shared:
    """What the regions of a process ask of its shared parts, in order of regions."""

    reads: dict[str, list[Transfer]] = field(default_factory=dict)
    writes: dict[str, list[Transfer]] = field(default_factory=dict)
    outs: dict[str, list[Transfer]] = field(default_factory=dict)
    loads: dict[str, list[LoadUse]] = field(default_factory=dict)
    stores: dict[str, list[StoreUse]] = field(default_factory=dict)
    variables: dict[str, list[tuple[Sig, Sig]]] = field(default_factory=dict)
    load_values: dict[tuple[str, int], Sig] = field(default_factory=dict)  # (region, node)
    units: dict[tuple[str, int], list[UnitUse]] = field(default_factory=dict)  # (pool, operator)
