# SPDX-License-Identifier: Apache-2.0
"""The top function as a list of process calls, and one wrapper function per call.

Everything of the entry function but the processes themselves is inlined and unrolled until one basic
block is left.  Each process is then that block with the other processes' calls taken out, its streams
and ports being parameters: constants, computed scalars and arrays of streams reach the process's body
by ordinary inlining, and a function that is called twice becomes two processes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hlsc.errors import SourceError
from hlsc.frontend import passes
from hlsc.frontend.arrays import rename_allocas
from hlsc.frontend.facts import marker_of, set_loop_metadata
from hlsc.frontend.interfaces import MAX_WORD
from hlsc.frontend.intrinsics import read_intrinsic, stream_declarations
from hlsc.frontend.llvmtext import (
    NAME,
    Function,
    Metadata,
    ModuleText,
    natural_loops,
    strip_debug,
)
from hlsc.frontend.memory import Layout, struct_types
from hlsc.frontend.pragmas import Marker
from hlsc.ir import Loc

__all__ = ["ENTRY", "Call", "LocalStream", "Region", "analyse", "constant_offset", "wrapper"]

ENTRY = "hlsc_run"
_PASSES = ("sccp", "loop_unroll", "sccp", "simplify_cfg", "sroa", "instruction_combine", "simplify_cfg")
_RESULT = re.compile(r"^\s*(%[\w.$-]+) = ")
_CALL = re.compile(rf"\bcall\b[^@]*@({NAME})\(")


@dataclass(frozen=True)
class LocalStream:
    """A stream declared in the top function, or one element of an array of them."""

    name: str  # of the channel
    base: str  # alloca
    index: int
    width: int
    depth: int
    fields: tuple[tuple[str, int], ...]
    loc: Loc | None = None


@dataclass(frozen=True)
class Call:
    """A process call: the LLVM function, its arguments as text, its line."""

    function: str
    line: str
    loc: Loc | None


@dataclass(frozen=True)
class Shared:
    """An array that two process calls use: its elements, their bits in memory, the calls' numbers."""

    depth: int
    width: int
    users: tuple[int, int]
    loc: Loc | None = None


@dataclass
class Region:
    """The entry block: its lines, the process calls among them, the streams it declares."""

    lines: list[str]
    calls: list[Call]
    streams: list[LocalStream]
    arrays: dict[str, int]  # alloca of streams -> number of elements
    # value name -> (alloca, index): pointers to single streams
    pointers: dict[str, tuple[str, int]]
    ports: dict[str, str] = field(default_factory=dict)  # value name -> "port 0", "result 3"
    markers: list[tuple[Marker, str, str]] = field(default_factory=list)  # marker, argument, line
    declares: list[str] = field(default_factory=list)
    port_names: list[str] = field(default_factory=list)  # mangled port intrinsics
    buffers: dict[str, Shared] = field(default_factory=dict)  # by alloca


def analyse(
    module: ModuleText,
    process_names: set[str],
    top: str,
    top_loc: Loc | None,
    dataflow: bool,
) -> Region:
    """Reduce the entry function to one block, `process_names` being left as calls."""
    text = _reduced(module, process_names)
    work = ModuleText(passes.run_passes(text, passes.INLINE))
    entry = work.function(ENTRY)
    rename_allocas(entry)
    for loop in natural_loops(entry).values():
        set_loop_metadata(work, entry, loop, 0, 0, True)
    work = ModuleText(passes.run_passes(str(work), _PASSES))
    entry = work.function(ENTRY)
    if len(entry.blocks) != 1:
        lines = [x for b in entry.blocks[1:] for x in b.lines]
        locs = [loc for x in lines if (loc := work.metadata.loc_of(x, True)) is not None]
        raise SourceError(
            f"a DATAFLOW function ('{top}') must consist of declarations, calls of processes and loops "
            "with constant bounds",
            locs[0] if locs else top_loc,
            "move conditions and other loops into a process",
        )
    return _read(work, entry, process_names, dataflow)


def _reduced(module: ModuleText, process_names: set[str]) -> str:
    out = []
    for part in module.parts:
        if isinstance(part, Function) and part.name in process_names:
            head = part.header[: part.header.rindex(")") + 1]
            head = re.sub(r" %[\w.$-]+(?=[,)])", "", head)
            out.append(re.sub(r"^define internal ", "declare ", head))
        else:
            out.append(str(part))
    out += [f"!{n} = {t}" for n, t in sorted(module.metadata.nodes.items())]
    return "\n".join(out) + "\n"


def _extent(kind: str) -> int:
    total = 1
    for n in re.findall(r"\[(\d+) x ", kind):
        total *= int(n)
    return total


def _read(work: ModuleText, entry: Function, process_names: set[str], dataflow: bool) -> Region:
    meta = work.metadata
    region = Region([], [], [], {}, {})
    region.declares = [p for p in work.parts if isinstance(p, str) and p.startswith("declare ")]
    declared: dict[tuple[str, int], tuple[str, Loc | None]] = {}
    order: list[tuple[str, int]] = []
    for line in entry.blocks[0].lines:
        name = m.group(1) if (m := _RESULT.match(line)) else ""
        if " = alloca " in line and "hls::stream" in line:
            kind = line.split(" = alloca ")[1]
            region.arrays[name] = _extent(kind.split(",")[0])
            region.pointers[name] = (name, 0)
            continue
        if "getelementptr" in line:
            at = _stream_element(line, region)
            if at is not None:
                region.pointers[name] = at
                continue
        called = m.group(1).strip('"') if (m := _CALL.search(line)) else ""
        intrinsic = read_intrinsic(called)
        if intrinsic and intrinsic.name == "declare":
            pointer = re.findall(r"(%[\w.$-]+)", line.split("(", 1)[1])[0]
            key = region.pointers[pointer]
            declared[key] = (called, meta.loc_of(line, True))
            order.append(key)
            continue
        if intrinsic and intrinsic.name in {"port", "result", "memory", "refused"}:
            region.ports[name] = f"{intrinsic.name} {intrinsic.args[0]}"
            region.port_names.append(called)
            continue
        if (hit := marker_of(line)) is not None:
            region.markers.append((hit[0], hit[1], line))
            continue
        if "@llvm.lifetime" in line or "@llvm.assume" in line or line.strip().startswith("ret "):
            continue
        if called in process_names:
            region.calls.append(Call(called, strip_debug(line), meta.loc_of(line, True)))
        region.lines.append(strip_debug(line))
    if dataflow:
        _check_region(entry, region, process_names, meta, Layout(struct_types(list(work.parts))))
    for base, index in order:
        width, depth, fields = stream_declarations(declared[base, index][0])
        stem = base[1:].split(".")[0].strip('"')
        name = stem if region.arrays[base] == 1 else f"{stem}_{index}"
        loc = declared[base, index][1]
        region.streams.append(LocalStream(name, base, index, width, depth, fields, loc))
    return region


def _check_region(
    entry: Function, region: Region, process_names: set[str], meta: Metadata, layout: Layout
) -> None:
    """A DATAFLOW function does nothing with streams, outputs and what processes share itself."""
    derived: dict[str, str] = {}  # pointer -> local variable
    kinds: dict[str, tuple[str, Loc | None]] = {}  # local variable -> type, place
    users: dict[str, list[int]] = {}
    touched: dict[str, Loc | None] = {}  # by the function itself
    calls = 0
    outputs = {v for v, text in region.ports.items() if text.startswith("result")}
    arrays = {v for v, text in region.ports.items() if text.startswith("memory")}
    for line in entry.blocks[0].lines:
        name = m.group(1) if (m := _RESULT.match(line)) else ""
        called = m.group(1).strip('"') if (m := _CALL.search(line)) else ""
        values = re.findall(r"%[\w.$-]+", line.split(" = ", 1)[-1])
        if " = alloca " in line and name not in region.arrays:
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
                if value in derived and calls not in users.setdefault(derived[value], []):
                    users[derived[value]].append(calls)
            calls += 1
        elif " load " in line or "@llvm.memcpy" in line:
            shared = [v for v in values if derived.get(v) in users]
            if shared:
                raise _shared(derived[shared[0]], meta.loc_of(line, True))
        elif " store " in line and values and values[-1] in outputs:
            raise SourceError(
                "a DATAFLOW function must leave its outputs to its processes",
                meta.loc_of(line, True),
                "write the output in a process",
            )
        if " store " in line or "@llvm.mem" in line:
            touched |= {derived[v]: meta.loc_of(line, True) for v in values if v in derived}
    for variable, numbers in users.items():
        if len(numbers) < 2:
            continue
        text, at = kinds[variable]
        loc = at or region.calls[numbers[0]].loc
        try:
            depth, element = layout.flatten(text)
            leaves = layout.leaves(element)
        except ValueError:
            leaves = []
        if not text.startswith("[") or len(leaves) != 1 or not leaves[0][1].startswith("i"):
            raise _shared(variable, loc)
        if variable in touched:
            raise SourceError(
                f"array '{variable[1:]}' between processes must be filled by the first of them",
                touched[variable],
                "initialise it there",
            )
        width = int(leaves[0][1][1:])
        if len(numbers) > 2 or width > MAX_WORD:
            rule = "two processes" if len(numbers) > 2 else f"elements of at most {MAX_WORD} bits"
            raise SourceError(
                f"array '{variable[1:]}' between processes must have {rule}, not "
                f"{len(numbers) if len(numbers) > 2 else width}",
                loc,
                "copy it in a process, or pass the values by hls::stream",
            )
        region.buffers[variable] = Shared(depth, width, (numbers[0], numbers[1]), loc)


def _shared(variable: str, loc: Loc | None) -> SourceError:
    return SourceError(
        f"variable '{variable[1:]}' must not join processes: only arrays of integers and streams do",
        loc,
        "pass the value by hls::stream",
    )


def _stream_element(line: str, region: Region) -> tuple[str, int] | None:
    """The stream that a constant getelementptr on an array of streams points to."""
    m = re.search(
        r"getelementptr (?:inbounds |nuw |nusw )*(.*), ptr (%[\w.$-]+), (.*)$", strip_debug(line)
    )
    if not m or m.group(2) not in region.pointers:
        return None
    base, start = region.pointers[m.group(2)]
    offset = constant_offset(m.group(1), m.group(3))
    return None if offset is None else (base, start + offset)


def constant_offset(kind: str, text: str) -> int | None:
    """Bytes from the base of a getelementptr on streams, which are one byte each; None: not constant.

    `kind` is the source element type, `text` the list of indices.
    """
    indices = re.findall(r"i\d+ (-?\d+)", text)
    if len(indices) != text.count(",") + 1:
        return None
    dims = [int(x) for x in re.findall(r"\[(\d+) x ", kind)]
    offset = 0
    for i, index in enumerate(indices):
        stride = 1
        for d in dims[i:]:
            stride *= d
        offset += int(index) * stride
    return offset


def _rename_numbers(line: str) -> str:
    return re.sub(r"%(\d+)\b", r"%v\1", line)


def wrapper(
    region: Region,
    index: int,
    name: str,
    ports: Mapping[int, str],
    scalars: Sequence[tuple[int, int, str]],
    debug: tuple[str, str],
    process_names: set[str],
) -> str:
    """The text of process `index` as a function over every port and stream.

    `ports`: names of stream and output arguments by position; `scalars`: (position, width, name);
    `debug`: attachments of the function and of the call.
    """
    own = region.calls[index].line
    names: dict[str, str] = {}
    for value, text in region.ports.items():
        names[value] = "%p." + ports[int(text.split()[1])]
    for value, (base, at) in region.pointers.items():
        if region.arrays[base] == 1 or value != base or _takes_one(own, value):
            names[value] = f"%s.{base[1:]}.{at}"
    names |= {v: f"%b.{v[1:]}" for v in region.buffers}
    for n, w, arg in scalars:
        for line in region.lines:
            if f"@hlsc.arg.{n}.i{w}(" in line and (m := _RESULT.match(line)):
                names[m.group(1)] = "%p." + arg
    body = []
    for line in region.lines:
        called = m.group(1).strip('"') if (m := _CALL.search(line)) else ""
        if (m := _RESULT.match(line)) and m.group(1) in region.buffers:
            continue
        if (called in process_names and line != own) or called.startswith("hlsc.arg."):
            continue
        text = re.sub(r"%[\w.$-]+", lambda m: names.get(m.group(), m.group()), line)
        body.append(_rename_numbers(text) + (debug[1] if line == own else ""))
    params = [f"ptr noalias %p.{n}" for n in ports.values()]
    params += [f"i{w} %p.{n}" for _, w, n in scalars]
    params += [f"ptr noalias %s.{s.base[1:]}.{s.index}" for s in region.streams]
    params += [f"ptr noalias {b}" for b, n in region.arrays.items() if n > 1]
    params += [f"ptr noalias %b.{b[1:]}" for b in region.buffers]
    head = f"define void @{name}({', '.join(dict.fromkeys(params))}) noinline nounwind{debug[0]} {{"
    return "\n".join([head, "entry:", *body, "  ret void", "}"])


def _takes_one(line: str, value: str) -> bool:
    """Whether a call takes this pointer as one stream (a reference of one byte)."""
    return bool(re.search(rf"dereferenceable\(1\) {re.escape(value)}(?=[,)])", line))
