# SPDX-License-Identifier: Apache-2.0
"""Delta debugging on a program's tree: fewer statements, smaller loops, simpler expressions.

A candidate counts if it still fails in the same way; the caller says so for many candidates at once,
because one Verilator build of many costs little more than that of one.
"""

from __future__ import annotations

import itertools
import logging
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from fuzz.case import Case
from fuzz.programs import Sample
from fuzz.statements import (
    Array,
    Assign,
    Block,
    Declare,
    Do,
    For,
    Function,
    If,
    Program,
    Read,
    Run,
    Stmt,
    Write,
)
from fuzz.tree import (
    Call,
    Const,
    Expr,
    Index,
    Node,
    Path,
    cast,
)

__all__ = ["candidates", "shrunk"]

log = logging.getLogger(__name__)
_NAMES = re.compile(r"\b(?:[vaxntfs]|i|process)\d+\b|\bfork\w*\b")


def shrunk(
    sample: Sample,
    fails: Callable[[Sequence[Case]], Sequence[bool]],
    *,
    batch: int = 16,
    seconds: float = 600,
) -> Sample:
    """The smallest failing program that is found in the time; `sample` itself must fail."""
    end = time.monotonic() + seconds
    best = sample
    if len(sample.stimuli) > 1:
        alone = [replace(sample, stimuli=(s,)) for s in sample.stimuli]
        best = next((s for s, bad in zip(alone, fails(_named(alone)), strict=True) if bad), sample)
    skip = 0  # where the last success was: what stands before it did not help
    while time.monotonic() < end:
        tried = 0
        found = None
        stream = itertools.islice(candidates(best.program), skip, None)
        while time.monotonic() < end:
            some = [replace(best, program=p) for p in itertools.islice(stream, batch)]
            if not some:
                break
            for k, bad in enumerate(fails(_named(some))):
                if bad:
                    found, tried = some[k], tried + k
                    break
            if found is not None:
                break
            tried += len(some)
        if found is not None:
            best = found
            skip += tried
            log.info("shrunk to %d characters", len(str(best.program)))
        elif skip:
            skip = 0
        else:
            break
    return best


def _named(samples: Sequence[Sample]) -> list[Case]:
    """Their cases, each with a name of its own."""
    cases = []
    for k, s in enumerate(samples):
        name = f"{s.program.name}_{k}"
        source = re.sub(rf"\b{s.program.name}\b", name, str(s.program))
        cases.append(replace(s.case, name=name, source=source))
    return cases


def candidates(program: Program) -> Iterator[Program]:
    """Smaller programs, the boldest first; every name that they use is declared."""
    before, pragmas = len(str(program)), str(program).count("#pragma")
    for smaller in _all(program):
        text = str(smaller)
        less = len(text) < before or text.count("#pragma") < pragmas
        if less and smaller != program and _declared(smaller) >= set(_NAMES.findall(text)):
            yield smaller


def _all(program: Program) -> Iterator[Program]:
    for i in range(len(program.globals) - 1):
        yield replace(program, globals=program.globals[:i] + program.globals[i + 1 :])
    nodes = list(program.walk())
    sizes = sorted({len(n.body) for _, n in nodes if isinstance(n, Block)}, reverse=True)
    chunk = max(sizes, default=1)
    while chunk:
        for path, n in nodes:
            if isinstance(n, Block) and len(n.body) >= chunk:
                for at in range(0, len(n.body), chunk):
                    rest = n.body[:at] + n.body[at + chunk :]
                    yield program.replaced((*path, "body"), rest)
        chunk //= 2
    for path, n in nodes:
        for simpler in _statement(n):
            yield program.replaced(path, simpler)
    for path, e in _sites(program, ()):
        for other in _expression(e):
            yield program.replaced(path, other)


def _statement(n: Node) -> Iterator[Stmt]:
    if isinstance(n, If):
        yield n.then
        yield n.other
        if n.other.body:
            yield replace(n, other=Block())
    elif isinstance(n, For):
        for trips in (1, 2, n.trips // 2, n.trips - 1):
            if 0 < trips < n.trips:
                yield replace(n, trips=trips, bound=None)
        for k in range(len(n.pragmas)):
            yield replace(n, pragmas=n.pragmas[:k] + n.pragmas[k + 1 :])
        if n.go is not None:
            yield replace(n, go=None)
        if n.label:
            yield replace(n, label="")
    elif isinstance(n, Array):
        for k in range(len(n.pragmas)):
            yield replace(n, pragmas=n.pragmas[:k] + n.pragmas[k + 1 :])
        if n.init:
            yield replace(n, init=n.init[: len(n.init) // 2])


def _sites(n: Node, at: Path) -> Iterator[tuple[Path, Expr]]:
    """Expressions that may be replaced by others of their type."""
    if isinstance(n, (Do, Read, Run, Array)):
        return
    if isinstance(n, Expr):
        if not (isinstance(n, Call) and n.name.startswith("packed")):
            yield at, n
        if isinstance(n, Index) and n.mul:
            return
    for path, child in n.children():
        if isinstance(n, Assign) and path == ("target",):
            for inner, index in child.children():
                if inner[0] in ("at", "hi", "lo"):
                    yield from _sites(index, (*at, *path, *inner))
        elif not (isinstance(n, (Declare, For)) and path == ("var",)):
            yield from _sites(child, (*at, *path))


def _expression(e: Expr) -> Iterator[Expr]:
    if not isinstance(e, Const):
        for value in (0, 1):
            yield Const(e.type, value)
        for _, c in e.children():
            if isinstance(c, Expr) and not isinstance(e, Index):
                yield cast(e.type, c)
    elif e.value not in (0, 1):
        yield Const(e.type, 1)


def _declared(program: Program) -> set[str]:
    """Names that a node declares; they are unique in a program, so scopes do not matter."""
    found: set[str] = set()
    for _, n in program.walk():
        if isinstance(n, (Declare, Read, For)):
            found.add(n.var.name)
        elif isinstance(n, Array):
            found.add(n.name)
        elif isinstance(n, Function):
            found |= set(_NAMES.findall(n.head))
        elif isinstance(n, Stmt) and not isinstance(n, (Block, Write, Assign, If, Run)):
            found |= {x for line in n.lines() for x in _NAMES.findall(line)}
    return found
