# SPDX-License-Identifier: Apache-2.0
"""ALLOCATION: what it may say, and which operations it speaks of.

An operation belongs to a function if it was written in its body or in a function inlined into it.
Debug locations know that behind every pass: the subprogram of a function with an ALLOCATION gets the
linkage name `hlsc.scope.N`, and each location leads there through its scopes and `inlinedAt`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from hlsc.frontend.facts import FunctionFacts, Resolved, SourceLoop
from hlsc.frontend.llvmtext import ModuleText
from hlsc.frontend.program import SCOPE, Program
from hlsc.ir import SHAREABLE, Allocation

__all__ = ["Limits", "instances", "is_operation", "read_limits", "with_limits"]

_REFUSED = {"icmp": "a comparison takes no more than the multiplexers of a shared one"}


@dataclass(frozen=True)
class Limits:
    """Every limit of operations, and the numbers of the functions (names in IR) that have one."""

    allocations: tuple[Allocation, ...]
    scopes: Mapping[str, int]


def read_limits(
    module: ModuleText, functions: Mapping[str, FunctionFacts], loops: Mapping[int, SourceLoop]
) -> Limits:
    """The limits of unoptimised IR, whose functions' subprograms are numbered in place.

    Raises SourceError for what cannot be kept.
    """
    found: dict[tuple[str, str], Allocation] = {}
    scopes: dict[str, int] = {}
    repeated = {x.function for x in loops.values() if x.dataflow is not None}
    for name, facts in functions.items():
        for given in facts.allocations:
            if not is_operation(given):
                continue  # see `calls`
            if facts.dataflow is not None or name in repeated:
                raise given.error(
                    f"must stand in a process, not in '{given.function}', whose processes run at the "
                    "same time and share nothing",
                    "put it into the function that has the operations",
                )
            scope = scopes.setdefault(name, len(scopes))
            for op in instances(given):
                op = op.lower()
                if op not in SHAREABLE:
                    known = f"it takes {', '.join(sorted(SHAREABLE))}"
                    raise given.error(f"must not limit '{op}'", _REFUSED.get(op, known))
                if (name, op) in found:
                    raise given.error(f"must limit '{op}' once in a function, not twice")
                limit = given.values["limit"]
                found[name, op] = Allocation(op, limit, scope, given.function, False, given.loc)
    for name, scope in scopes.items():
        subprogram = module.function(name).subprogram
        assert subprogram is not None, name  # clang gives one to every function of the source
        text = re.sub(r'linkageName: "[^"]*", ', "", module.metadata.nodes[subprogram])
        mark = f'DISubprogram(linkageName: "{SCOPE}{scope}", '
        module.metadata.nodes[subprogram] = text.replace("DISubprogram(", mark, 1)
    return Limits(tuple(found.values()), scopes)


def with_limits(program: Program, limits: Limits, functions: Sequence[str]) -> Program:
    """The program whose processes, of these functions, know the limits."""
    processes = []
    for call, function in zip(program.processes, functions, strict=True):
        own = limits.scopes.get(function)
        mine = tuple(replace(a, whole=a.scope == own) for a in limits.allocations)
        processes.append(replace(call, allocations=mine))
    return replace(program, processes=tuple(processes))


def is_operation(given: Resolved) -> bool:
    """Whether an ALLOCATION limits operations, not functions."""
    kind = given.pragma.options.get("type")
    if kind is None:
        raise given.error("must say what it limits: operation or function")
    return kind == "operation"


def instances(given: Resolved) -> list[str]:
    """The names that an ALLOCATION limits."""
    text = given.pragma.options["instances"].strip("()")
    return [x.strip() for x in text.split(",") if x.strip()]
