# SPDX-License-Identifier: Apache-2.0
"""What a DATAFLOW function may do itself, and the arrays that its processes share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hlsc.errors import SourceError
from hlsc.frontend.interfaces import MAX_WORD
from hlsc.frontend.llvmtext import NAME, Metadata
from hlsc.frontend.memory import Layout, array
from hlsc.ir import Loc

__all__ = ["Shared", "shared_arrays"]

_RESULT = re.compile(r"^\s*(%[\w.$-]+) = ")
_CALL = re.compile(rf"\bcall\b[^@]*@({NAME})\(")


@dataclass(frozen=True)
class Shared:
    """An array that two process calls use: its type without names, the calls' numbers."""

    type: str
    users: tuple[int, int]
    loc: Loc | None = None


def shared_arrays(
    lines: Sequence[str],
    ports: Mapping[str, str],
    streams: Mapping[str, int],
    calls: Sequence[Loc | None],
    process_names: set[str],
    meta: Metadata,
    layout: Layout,
    inside: set[str] | None,
) -> dict[str, Shared]:
    """The arrays between processes, by alloca.

    A DATAFLOW function does nothing with streams, outputs and what processes share itself: SourceError.
    `lines`: all of it; `ports`, `streams`: those of its Region; `calls`: places of the process calls;
    `inside`: with a loop, the allocas that its body declares.
    """
    derived: dict[str, str] = {}  # pointer -> local variable
    kinds: dict[str, tuple[str, Loc | None]] = {}  # local variable -> type, place
    users: dict[str, list[int]] = {}
    touched: dict[str, Loc | None] = {}  # by the function itself
    taken: dict[str, Loc | None] = {}
    count = 0
    outputs = {v for v, text in ports.items() if text.startswith("result")}
    arrays = {v for v, text in ports.items() if text.startswith("memory")}
    for line in lines:
        name = m.group(1) if (m := _RESULT.match(line)) else ""
        called = m.group(1).strip('"') if (m := _CALL.search(line)) else ""
        values = re.findall(r"%[\w.$-]+", line.split(" = ", 1)[-1])
        if " = alloca " in line and name not in streams:
            derived[name] = name
            kind = re.match(r"(.*?)(?:, align|, !dbg|$)", line.split(" = alloca ")[1])
            kinds[name] = kind.group(1) if kind else "", meta.loc_of(line, True)
            continue
        if "getelementptr" in line and values and values[0] in arrays:
            arrays.add(name)
            continue
        if any(x in line for x in (" load ", " store ", "@llvm.mem")) and arrays & set(values):
            raise SourceError(
                "a DATAFLOW function must leave its array arguments to its processes",
                meta.loc_of(line, True),
                "move the access into a void function and call that",
            )
        if "getelementptr" in line and values and values[0] in derived:
            derived[name] = derived[values[0]]
            continue
        if called.startswith(("hlsc.read", "hlsc.write", "hlsc.empty")):
            raise SourceError(
                "a DATAFLOW function must leave stream accesses to its processes",
                meta.loc_of(line, True),
                "move the access into a void function and call that",
            )
        if called in process_names:
            plain = re.sub(r"byval\([^)]*\)[^,)]*", "", line)
            for value in dict.fromkeys(re.findall(r"%[\w.$-]+", plain)):
                if value in derived and count not in users.setdefault(derived[value], []):
                    users[derived[value]].append(count)
            count += 1
        elif " load " in line or "@llvm.memcpy" in line:
            for v in values:  # in a loop the calls of the round before come first too
                if v in derived and (inside is not None or derived[v] in users):
                    taken.setdefault(derived[v], meta.loc_of(line, True))
        elif " store " in line and values and values[-1] in outputs:
            raise SourceError(
                "a DATAFLOW function must leave its outputs to its processes",
                meta.loc_of(line, True),
                "write the output in a process",
            )
        if " store " in line or "@llvm.mem" in line:
            touched |= {derived[v]: meta.loc_of(line, True) for v in values if v in derived}
    for variable in taken:
        if variable in users and kinds[variable][0].startswith("["):
            raise SourceError(
                f"array '{variable[1:]}' between processes must be read by them alone, not beside "
                "their calls",
                taken[variable],
                "read it in the second of them",
            )
        if variable in users:
            raise _refused(variable, taken[variable])
    found = {}
    for variable, numbers in users.items():
        if len(numbers) > 1:
            declared, at = kinds[variable]
            loc = at or calls[numbers[0]]
            literal = _literal(declared, layout)
            _check(variable, literal, numbers, layout, loc)
            if variable in touched:
                raise SourceError(
                    f"array '{variable[1:]}' between processes must be filled by the first of them",
                    touched[variable],
                    "initialise it there",
                )
            if inside is not None and variable not in inside:
                raise SourceError(
                    f"array '{variable[1:]}' between processes must be declared in the body of the "
                    "DATAFLOW loop: each iteration has its own",
                    loc,
                    "move the declaration into the loop",
                )
            found[variable] = Shared(literal, (numbers[0], numbers[1]), loc)
    return found


def _check(variable: str, kind: str, numbers: Sequence[int], layout: Layout, loc: Loc | None) -> None:
    """An array of integers, or of structures of them, between two processes."""
    try:
        leaves = [x for _, x in layout.leaves(layout.flatten(kind)[1])]
    except ValueError:
        leaves = ["ptr"]
    if not kind.startswith("[") or not all(x.startswith("i") for x in leaves):
        raise _refused(variable, loc)
    if len(numbers) > 2:
        raise SourceError(
            f"array '{variable[1:]}' between processes must have two processes, not {len(numbers)}",
            loc,
            "let the first write one array for each of the others, or pass the values by hls::stream",
        )
    widest = max(int(x[1:]) for x in leaves)
    if widest > MAX_WORD:
        raise SourceError(
            f"array '{variable[1:]}' between processes must have elements of at most {MAX_WORD} bits, "
            f"not {widest}",
            loc,
            "split the elements, or pass the values by hls::stream",
        )


def _refused(variable: str, loc: Loc | None) -> SourceError:
    return SourceError(
        f"variable '{variable[1:]}' must not join processes: only arrays and streams do",
        loc,
        "pass the value by hls::stream",
    )


def _literal(kind: str, layout: Layout) -> str:
    """A type without names of structures; integers that are kept as bytes are integers."""
    if extent := array(kind):
        if extent[1] == "i8" and extent[0] > 16 and extent[0] % 8 == 0:
            return f"i{8 * extent[0]}"
        return f"[{extent[0]} x {_literal(extent[1], layout)}]"
    members = layout.members(kind)
    if members is None:
        return kind
    text = "{ " + ", ".join(_literal(m, layout) for m in members) + " }"
    return f"<{text}>" if layout.packed(kind) else text
