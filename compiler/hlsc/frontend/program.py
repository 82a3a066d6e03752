# SPDX-License-Identifier: Apache-2.0
"""What the front end (C++ → pragmas → LLVM) hands to the middle end (LLVM → `hlsc.ir`).

`Program.module` is LLVM IR as text after the pass list: every function that a process calls is
inlined into it (INLINE off functions are refused until they are supported), so each process is one
LLVM function; integers have their C++ widths; constant-index arrays have become registers.

Conventions of the text:

- A stream is a `ptr` parameter of the process function; of an array of streams each element is one.
  `call iN @hlsc.read.iN(ptr S)`, `call void @hlsc.write.iN(ptr S, iN V)` and
  `call i1 @hlsc.empty(ptr S)` are the only operations on it.  N is the packed width of the element:
  members lowest first, no padding.
- A scalar is an `iN` parameter; a scalar output a `ptr` parameter that is only stored to; an array
  argument, or an array between processes, a `ptr` parameter to its elements in C++ layout (DEPENDENCE
  names it `p.<argument>` or `b.<array>`).
- Around what a process does with a half of an array between processes it reads a token, one bit, from
  one stream and writes one to another (see `Between`).
- A loop has one latch, whose branch carries `!llvm.loop` metadata with `!{!"hlsc.loop", i32 L}`, where
  L is the key in `Program.loops`; a loop written without pragmas and label has empty facts there.
- Arrays that remain are allocas in the process function; constant tables are constant globals.
- No LLVM intrinsics, selected or loop-carried addresses, or shifts by a selected constant are left.
  A value that the source does not define is `undef` or `poison`.
- `!dbg` locations are kept (line tables only); what the shim headers do has the user's line.  The
  subprogram of a function with an ALLOCATION has the linkage name `hlsc.scope.N` (`allocation.py`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from hlsc.ir import Allocation, Channel, Loc, Port
from hlsc.parts import Cut

__all__ = [
    "ONCE",
    "SCOPE",
    "ArrayFacts",
    "Between",
    "Binding",
    "DependencePragma",
    "LoopFacts",
    "ProcessCall",
    "Program",
    "without_once",
]


SCOPE = "hlsc.scope."
"""Linkage name, with a number, of the subprogram of a function whose operations are limited."""


ONCE = "hlsc.once"
"""A call of nothing, in a block that no pass may copy (`without_once`)."""


@dataclass(frozen=True)
class DependencePragma:
    """DEPENDENCE inside a loop; `variable` is the C++ name, "" for every array of the loop."""

    variable: str
    kind: str = ""  # RAW, WAR, WAW, "" for all
    inter: bool = True
    distance: int | None = None  # None: promised absent
    loc: Loc | None = None


@dataclass(frozen=True)
class LoopFacts:
    """What the source says about one loop (one instantiation of it)."""

    label: str = ""
    loc: Loc | None = None
    pipeline: bool | None = None  # None: not said; False: PIPELINE off
    ii: int | None = None
    flatten: bool | None = None
    dependences: tuple[DependencePragma, ...] = ()
    trip_min: int | None = None
    trip_max: int | None = None


@dataclass(frozen=True)
class ArrayFacts:
    """ARRAY_PARTITION, ARRAY_RESHAPE and BIND_STORAGE of one array.

    `partition` and `reshape` map a dimension from 1 (0: all) to (kind, factor), kind being complete,
    cyclic or block.  `style`: auto, register, lutram, bram; `ports` as those of `hlsc.ir.Memory`.
    """

    partition: Mapping[int, tuple[str, int]] = field(default_factory=dict)
    reshape: Mapping[int, tuple[str, int]] = field(default_factory=dict)
    style: str = "auto"
    loc: Loc | None = None
    ports: str = "1r1w"

    def cut(self, d: int, extent: int) -> Cut:
        """How dimension d, from 0, is cut."""
        said = self.partition.get(d + 1, self.partition.get(0))
        wide = said is None
        kind, factor = said or self.reshape.get(d + 1, self.reshape.get(0, ("none", 1)))
        if kind == "none":
            return Cut(extent)
        if kind == "complete" or factor >= extent:
            return Cut(extent, "complete", extent, wide)
        return Cut(extent, kind, max(1, factor), wide)


@dataclass(frozen=True)
class Between:
    """An array between two processes.

    `type`: LLVM's, without names; with `halves` 2 an array of two of the declared ones, which take
    turns.  `full` and `free`: the channels of its tokens, which a process reads before it touches a
    half and writes when it is done with it; `free` is "" if there is one half.
    """

    name: str
    type: str
    halves: int
    producer: str
    consumer: str
    full: str
    free: str
    facts: ArrayFacts
    loc: Loc | None = None


@dataclass(frozen=True)
class Binding:
    """What one parameter of a process function is bound to at its call.

    `kind`: channel (target is its name), channels (targets, an array of streams), scalar (target is
    the input port), const (value), out (target is the output port), array (target is the memory port
    or the buffer).
    """

    kind: str
    target: str = ""
    targets: tuple[str, ...] = ()
    value: int | None = None


@dataclass(frozen=True)
class ProcessCall:
    """One process: the LLVM function that is its body and what its parameters are bound to."""

    name: str  # unique; the C++ function's name, numbered where it is called more than once
    function: str  # name in the module, without @
    bindings: tuple[Binding, ...]  # one per parameter
    arrays: Mapping[str, ArrayFacts] = field(default_factory=dict)  # by alloca name, without %
    loc: Loc | None = None
    allocations: tuple[Allocation, ...] = ()  # of all functions that may be inlined into it


@dataclass(frozen=True)
class Program:
    """What the front end makes.  The port of an array argument that is cut has a part without bank."""

    top: str
    module: str
    ports: tuple[Port, ...]
    channels: tuple[Channel, ...]  # ports' streams included; ends are process names
    processes: tuple[ProcessCall, ...]
    loops: Mapping[int, LoopFacts] = field(default_factory=dict)
    control: str = "ap_ctrl_hs"
    control_bundle: str = ""
    loc: Loc | None = None
    buffers: tuple[Between, ...] = ()


def without_once(text: str) -> str:
    """LLVM IR behind the last pass."""
    return re.sub(rf"^.*@{ONCE}\(\).*\n", "", text, flags=re.M)
