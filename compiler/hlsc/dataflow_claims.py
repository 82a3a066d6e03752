# SPDX-License-Identifier: Apache-2.0
"""DEPENDENCE pragmas held against what a run does: every access in their loops is watched.

A pragma promises the scheduler that iterations do not meet in an array, or not closer than a distance.
The scheduler believes it, so a false promise is wrong hardware.  Here each load and store of the array,
as the compiler sees them, tells the runtime (dataflow_run.cpp) its element; each loop its iterations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from hlsc.frontend.arrays import FunctionIndex, type_dimensions
from hlsc.frontend.llvmtext import Function, Loop, ModuleText, natural_loops, plain_name
from hlsc.frontend.program import DependencePragma, LoopFacts, ProcessCall, Program
from hlsc.ir import Loc

__all__ = ["DECLARATIONS", "KINDS", "Claim", "Violation", "watch"]

KINDS = ("RAW", "WAR", "WAW")
"""What the earlier and the later access do: write and read, read and write, write and write."""

DECLARATIONS = """
declare void @hlsc_dependence_enter(i32)
declare void @hlsc_dependence_next(i32)
declare void @hlsc_dependence_access(i32, i8, ptr, ptr, i64, i32)
"""

_POINTER = r"ptr ([%@][\w.$-]+|getelementptr [^()]*\([^()]*\))"
_LOAD = re.compile(rf"^\s*%\S+ = load [^,]+, {_POINTER}")
_STORE = re.compile(rf"^\s*store .*, {_POINTER}, align")
_GEP = re.compile(r"getelementptr .*?ptr ([%@][\w.$-]+),")
_STATIC = re.compile(r"(@[\w.$-]+) = internal global (\[.*)")


@dataclass(frozen=True)
class Claim:
    """A pragma in a loop, about one array; `dims` are the array's extents, 0 if not known."""

    pragma: DependencePragma
    loop: LoopFacts
    array: str
    dims: tuple[int, ...]

    @property
    def mask(self) -> int:
        """Bit k: KINDS[k] is denied."""
        return sum(1 << k for k, kind in enumerate(KINDS) if self.pragma.kind in ("", kind))


@dataclass(frozen=True)
class Violation:
    """Two accesses that a claim denies: element, kind, iterations of the loop from 0, lines."""

    claim: Claim
    call: int
    index: int
    kind: str
    iterations: tuple[int, int]
    places: tuple[Loc | None, Loc | None]

    def __str__(self) -> str:
        verbs = {"RAW": ("written", "read"), "WAR": ("read", "written"), "WAW": ("written", "written")}
        pragma, loop = self.claim.pragma, self.claim.loop
        said = " ".join(x for x in ("inter" if pragma.inter else "intra", pragma.kind) if x)
        said += " false" if pragma.distance is None else f" distance={pragma.distance}"
        when = [
            f"{verb} in iteration {i}" + (f" ({place})" if place else "")
            for verb, i, place in zip(verbs[self.kind], self.iterations, self.places, strict=True)
        ]
        name = f"loop '{loop.label}'" if loop.label else "the loop"
        return (
            f"call {self.call}: {pragma.loc}: DEPENDENCE {said} must hold for {self.claim.array}, but "
            f"{self.claim.array}{_subscript(self.index, self.claim.dims)} is {when[0]} and {when[1]} "
            f"of {name}" + (f" ({loop.loc})" if loop.loc else "")
        )


def _subscript(index: int, dims: tuple[int, ...]) -> str:
    found = []
    for extent in reversed(dims[1:]):
        index, rest = divmod(index, extent)
        found.append(rest)
    return "".join(f"[{i}]" for i in (index, *reversed(found)))


def watch(module: ModuleText, program: Program, places: dict[int, Loc]) -> list[Claim]:
    """Put the calls of the runtime into the processes' functions; the claims by their number.

    `places`: source lines by number, to be added to.
    """
    claims: list[Claim] = []
    static = dict(_static_arrays(module))
    for process in program.processes:
        f = module.function(process.function)
        arrays = {**dict(_arrays(f, process, program)), **static}
        index = FunctionIndex.of(f)
        before: dict[int, list[str]] = {}  # id of a line's place -> calls ahead of it
        for header, loop in natural_loops(f).items():
            keys = [module.metadata.loop_value(f.block(x).lines[-1], "hlsc.loop") for x in loop.latches]
            facts = next((program.loops[k] for k in keys if k is not None), LoopFacts())
            for pragma in facts.dependences:
                for base, (name, element, dims) in arrays.items():
                    if pragma.variable not in ("", name):
                        continue
                    number = len(claims)
                    if _accesses(module, f, index, loop, base, element, number, places, before):
                        shown = plain_name(name.split(".", 1)[-1])
                        claims.append(Claim(pragma, facts, shown, dims))
                        _iterations(f, header, loop, number, before)
        at = 0
        for b in f.blocks:
            lines = []
            for line in b.lines:
                lines += [*before.get(at, ()), line]
                at += 1
            b.lines = lines
    return claims


def _arrays(
    f: Function, process: ProcessCall, program: Program
) -> Iterator[tuple[str, tuple[str, str, tuple[int, ...]]]]:
    """Pointer -> name as DEPENDENCE says it, type of an element, extents."""
    for _, _, line in f.lines():
        if m := re.match(r"\s*(%[\w.$-]+) = alloca (\[.*\]), align", line):
            yield m.group(1), (m.group(1)[1:], *_element(m.group(2)))
    header = f.header[f.header.index("(") :]
    names = re.findall(r"%([\w.$-]+)[,)]", header)
    widths = {p.name: p.width for p in program.ports}
    shared = {b.name: b for b in program.buffers}
    parameters = iter(names)
    for binding in process.bindings:
        for _ in binding.targets or [binding.target]:
            name = next(parameters)
            if binding.kind == "array" and (between := shared.get(binding.target)):
                kind, dims = _element(between.type)
                # Its halves one behind the other are one row more than are declared.
                yield f"%{name}", (f"b.{between.name}", kind, dims[1:])
            elif binding.kind == "array":
                rows = re.compile(rf"getelementptr (?:\w+ )*(\[.*\]), ptr %{re.escape(name)},")
                seen = (rows.search(line) for _, _, line in f.lines())
                inner = next((type_dimensions(m.group(1)) for m in seen if m), ())
                width = widths[binding.target]
                yield f"%{name}", (f"p.{binding.target}", f"i{width}", (0, *inner))


def _static_arrays(module: ModuleText) -> Iterator[tuple[str, tuple[str, str, tuple[int, ...]]]]:
    """Static arrays in the same words."""
    for part in module.parts:
        if isinstance(part, str) and (m := _STATIC.match(part)):
            text = m.group(2)
            depth = 0
            for at, c in enumerate(text):
                depth += (c == "[") - (c == "]")
                if depth == 0:
                    yield m.group(1), (m.group(1)[1:], *_element(text[: at + 1]))
                    break


def _element(kind: str) -> tuple[str, tuple[int, ...]]:
    """Type of an array's elements, and its extents."""
    dims = type_dimensions(kind)
    for _ in dims:
        kind = kind[kind.index(" x ") + 3 : -1]
    return kind, dims


def _lines(f: Function, loop: Loop) -> Iterator[tuple[int, str]]:
    """The lines of a loop by their number in the function."""
    at = 0
    for b in f.blocks:
        for line in b.lines:
            if b.name in loop.blocks:
                yield at, line
            at += 1


def _accesses(
    module: ModuleText,
    f: Function,
    index: FunctionIndex,
    loop: Loop,
    base: str,
    element: str,
    claim: int,
    places: dict[int, Loc],
    before: dict[int, list[str]],
) -> bool:
    """Watch the loads and stores of one array in a loop; whether there are any."""
    found = False
    size = f"ptrtoint (ptr getelementptr ({element}, ptr null, i64 1) to i64)"
    for at, line in _lines(f, loop):
        m = _LOAD.match(line) or _STORE.match(line)
        if not m or _base(index, m.group(1)) != base:
            continue
        place = max(places, default=0) + 1
        places[place] = module.metadata.loc_of(line) or _loop_place(module, f, loop)
        store = int(_LOAD.match(line) is None)
        passed = f"i32 {claim}, i8 {store}, ptr {m.group(1)}, ptr {base}, i64 {size}, i32 {place}"
        before.setdefault(at, []).append(f"  call void @hlsc_dependence_access({passed})")
        found = True
    return found


def _loop_place(module: ModuleText, f: Function, loop: Loop) -> Loc:
    """Where a loop stands, for accesses that have no line of their own."""
    found = (module.metadata.loop_loc(f.block(x).lines[-1]) for x in loop.latches)
    return next((x for x in found if x is not None), Loc(f.name, 0))


def _base(index: FunctionIndex, pointer: str) -> str:
    while m := _GEP.match(index.definitions.get(pointer, pointer)):
        pointer = m.group(1)
    return pointer


def _iterations(f: Function, header: str, loop: Loop, claim: int, before: dict[int, list[str]]) -> None:
    """Tell the runtime where the loop is entered and where an iteration ends."""
    at = 0
    for b in f.blocks:
        at += len(b.lines)
        if header not in b.successors:
            continue
        call = "next" if b.name in loop.blocks else "enter"
        before.setdefault(at - 1, []).append(f"  call void @hlsc_dependence_{call}(i32 {claim})")
