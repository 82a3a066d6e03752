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
from hlsc.frontend.llvmtext import Function, ModuleText
from hlsc.frontend.program import SCOPE, Program
from hlsc.ir import SHAREABLE, Allocation

__all__ = ["Limits", "read_limits", "with_limits"]

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
            if not _is_operation(given):
                _check_calls(module, name, given, facts, loops)
                continue
            if facts.dataflow is not None or name in repeated:
                raise given.error(
                    f"must stand in a process, not in '{given.function}', whose processes run at the "
                    "same time and share nothing",
                    "put it into the function that has the operations",
                )
            scope = scopes.setdefault(name, len(scopes))
            for op in _instances(given):
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


def _is_operation(given: Resolved) -> bool:
    kind = given.pragma.options.get("type")
    if kind is None:
        raise given.error("must say what it limits: operation or function")
    return kind == "operation"


def _instances(given: Resolved) -> list[str]:
    text = given.pragma.options["instances"].strip("()")
    return [x.strip() for x in text.split(",") if x.strip()]


def _check_calls(
    module: ModuleText,
    name: str,
    given: Resolved,
    facts: FunctionFacts,
    loops: Mapping[int, SourceLoop],
) -> None:
    """A limit of a function's instances: each of its calls is one, so there must not be more."""
    limit = given.values["limit"]
    several = facts.pipeline is not None or any(
        x.function == name and x.unroll is not None for x in loops.values()
    )
    for plain in _instances(given):
        mine = {f.name for f in module.functions if _plain(module, f) == _bare(plain)}
        calls = [c for c in module.function(name).calls() if c in mine]
        if not calls:
            raise given.error(
                f"must name a function that '{given.function}' calls, not '{plain}'",
                "name it as it is written, without arguments",
            )
        if facts.dataflow is not None:
            raise given.error(
                f"must not name '{plain}', a process: processes run at the same time",
                "write one process that is called once",
            )
        if len(calls) > limit or several:
            how = "in a loop or function that unrolls" if several else f"{len(calls)} times"
            raise given.error(
                f"must not limit '{plain}' to {limit}: '{given.function}' calls it {how}, and each "
                "call is an instance",
                f"write ALLOCATION operation instances=mul limit={limit} in the body of '{plain}': its "
                "calls then share the operators; or call it once, in a loop that does not unroll",
            )


def _plain(module: ModuleText, f: Function) -> str:
    name = "" if f.subprogram is None else module.metadata.string(f.subprogram, "name") or ""
    return _bare(name)


def _bare(name: str) -> str:
    """A function's name without scope and template arguments."""
    return re.sub(r"<.*", "", name.strip("&() ")).rpartition("::")[2]
