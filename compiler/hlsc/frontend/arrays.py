# SPDX-License-Identifier: Apache-2.0
"""What ARRAY_PARTITION, ARRAY_RESHAPE, BIND_STORAGE and DEPENDENCE speak of, after inlining.

The argument of a marker is followed to an alloca or a global; the facts are kept under its name, which
is the variable's C++ name as far as names are unique in the process.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hlsc.frontend.facts import Resolved
from hlsc.frontend.llvmtext import Function
from hlsc.frontend.pragmas import dimensions
from hlsc.frontend.program import ArrayFacts

__all__ = ["Target", "array_facts", "check_target", "find_target", "rename_allocas", "type_dimensions"]

_DEF = re.compile(r"^\s*(%[\w.$-]+) = (.*)$")
_INLINED = re.compile(r"(?:\.i\d*)+$")
ARGUMENT = ("%p.", "%b.")  # parameters of a process: arguments of the top, arrays between processes
_STORAGE = {
    "ram_1p": "1rw",
    "ram_t2p": "2rw",
    "rom_2p": "2rw",
}  # other than one read and one write port
_MANY = {
    "ram_1wnr": "many read ports are not supported: write ram_t2p, or partition the array",
    "rom_np": "many read ports are not supported: write rom_2p, or partition the array",
}


@dataclass(frozen=True)
class Target:
    """The variable behind a pointer: `%alloca` or `@global`, its LLVM type, the byte offset."""

    name: str
    type: str
    at_start: bool = True


@dataclass
class FunctionIndex:
    """Defining lines of a function's values."""

    definitions: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def of(f: Function) -> FunctionIndex:
        index = FunctionIndex()
        for _, _, line in f.lines():
            if m := _DEF.match(line):
                index.definitions[m.group(1)] = m.group(2)
        return index


def find_target(index: FunctionIndex, types: Mapping[str, str], value: str) -> Target | None:
    """Follow constant getelementptrs from a pointer to its variable; None if it is no variable.

    `types`: of globals and parameters.
    """
    start = True
    for _ in range(64):
        if value.startswith(("@", *ARGUMENT)):
            return Target(value, types.get(value, ""), start)
        text = index.definitions.get(value, "")
        if text.startswith("alloca "):
            kind = re.match(r"alloca (.*?)(?:, align|, !dbg|$)", text)
            return Target(value, kind.group(1) if kind else "", start)
        m = re.match(r"getelementptr .*?ptr ([%@][\w.$-]+)((?:, i\d+ [^,]+)*)", text)
        if not m:
            return None
        if re.search(r"i\d+ (?!0(?:,|$))", m.group(2)):
            start = False
        value = m.group(1)
    return None


def type_dimensions(kind: str) -> tuple[int, ...]:
    """`[4 x [8 x i32]]` → (4, 8)."""
    dims = []
    while m := re.match(r"\[(\d+) x (.*)\]$", kind):
        dims.append(int(m.group(1)))
        kind = m.group(2)
    return tuple(dims)


def check_target(found: Resolved, target: Target | None) -> Target:
    """The whole array that a pragma means, or an error."""
    variable = found.pragma.options["variable"]
    if target is None:
        raise found.error(
            f"must name an array of this process, not '{variable}'",
            "declare the array in the function, or in one that is called by the process",
        )
    dims = type_dimensions(target.type)
    if target.name.startswith(ARGUMENT):
        if found.pragma.name == "DEPENDENCE":
            return target
        if target.name.startswith("%b."):
            raise found.error(
                f"must stand where '{variable}' is declared: it joins processes",
                "move it into the DATAFLOW function",
            )
        if found.pragma.name == "BIND_STORAGE":
            raise found.error(
                f"must not name '{variable}', an argument of the top: its memory lies outside",
                "copy it into a local array and name that",
            )
    if not dims and target.type.startswith("<{"):  # clang's form, see clang._whole_arrays
        raise found.error(
            f"must name an array whose first values are all written, or none, not '{variable}'",
            "write the zeros at the end of its initialiser",
        )
    if not dims:
        raise found.error(f"must name an array, not '{variable}'")
    if not target.at_start or (not found.pointer and dimensions(found.type) not in ((), dims)):
        raise found.error(
            f"must name a whole array, not '{variable}', a part of one", "declare it as its own array"
        )
    return target


def array_facts(marks: Sequence[tuple[Resolved, Target]]) -> dict[str, ArrayFacts]:
    """Facts by name (without % or @) from the array pragmas of one process."""
    result: dict[str, ArrayFacts] = {}
    for found, target in marks:
        key = target.name[1:]
        before = result.get(key, ArrayFacts(loc=found.loc))
        after = _apply(found, before, type_dimensions(target.type))
        result[key] = after
    return result


def _apply(found: Resolved, facts: ArrayFacts, dims: tuple[int, ...]) -> ArrayFacts:
    name, o, v = found.pragma.name, found.pragma.options, found.values
    if name == "BIND_STORAGE":
        kind = o.get("type", "")
        if kind in _MANY:
            raise found.error(f"type={kind}: {_MANY[kind]}")
        style = o.get("impl", "auto")
        if kind in {"ram_t2p", "rom_2p"}:
            if style == "lutram":
                raise found.error(f"type={kind} must have impl=bram, not lutram")
            style = "bram"
        ports = _STORAGE.get(kind, "1r1w")
        if facts.style not in ("auto", style):
            raise found.error(f"must not bind one array to {facts.style} and to {style}")
        return replace(facts, style=style, ports=ports)
    dim = v.get("dim", 1)
    if not 0 <= dim <= len(dims):
        raise found.error(
            f"must have dim = 0 … {len(dims)}, not {dim}: '{o['variable']}' is "
            + "×".join(map(str, dims))
        )
    kind = o.get("type", "complete")
    factor = v.get("factor", 0)
    if kind == "complete":
        if "factor" in v:
            raise found.error("must not give a factor with complete", "write cyclic or block")
    else:
        if "factor" not in v:
            raise found.error(f"must give a factor with {kind}")
        extents = dims if dim == 0 else (dims[dim - 1],)
        if factor > max(extents):
            raise found.error(f"must have a factor of at most {max(extents)}, not {factor}")
    table = dict(facts.partition if name == "ARRAY_PARTITION" else facts.reshape)
    other = facts.reshape if name == "ARRAY_PARTITION" else facts.partition
    if table.get(dim, (kind, factor)) != (kind, factor) or (0 in table and dim != 0) or dim in other:
        raise found.error(f"must not speak twice of dimension {dim} of '{o['variable']}'")
    table[dim] = (kind, factor)
    if name == "ARRAY_PARTITION":
        return replace(facts, partition=table)
    return replace(facts, reshape=table)


def rename_allocas(f: Function) -> None:
    """Give allocas their C++ names again: without what inlining appended, numbered if not unique."""
    used = set(re.findall(r"%[\w.$-]+", str(f)))
    renames: dict[str, str] = {}
    for _, _, line in f.lines():
        m = re.match(r"^\s*(%[\w.$-]+) = alloca ", line)
        if not m or not (short := _INLINED.sub("", m.group(1))) or short == m.group(1):
            continue
        new, n = short, 2
        while new in used:
            new, n = f"{short}_{n}", n + 1
        used.add(new)
        renames[m.group(1)] = new
    if not renames:
        return
    for b in f.blocks:
        b.lines = [
            re.sub(r"%[\w.$-]+", lambda m: renames.get(m.group(), m.group()), x) for x in b.lines
        ]
