# SPDX-License-Identifier: Apache-2.0
"""The top function as a list of process calls.

Everything of the entry function but the processes themselves is inlined and unrolled until one basic
block is left, or a DATAFLOW loop and the loops around it with the calls in one block.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod

from hlsc.errors import SourceError
from hlsc.frontend import passes
from hlsc.frontend.arrays import rename_allocas
from hlsc.frontend.facts import marker_of, set_loop_metadata
from hlsc.frontend.intrinsics import read_intrinsic, stream_declarations
from hlsc.frontend.llvmtext import (
    NAME,
    Block,
    Function,
    ModuleText,
    natural_loops,
    strip_debug,
)
from hlsc.frontend.memory import Layout, struct_types
from hlsc.frontend.pragmas import Marker
from hlsc.frontend.shared import Shared, shared_arrays
from hlsc.ir import Loc

__all__ = ["ENTRY", "Call", "LocalStream", "Region", "analyse", "constant_offset"]

ENTRY = "hlsc_run"
_PASSES = ("sccp", "loop_unroll", "sccp", "simplify_cfg", "sroa", "instruction_combine", "simplify_cfg")
_RESULT = re.compile(r"^\s*(%[\w.$-]+) = ")
_CALL = re.compile(rf"\bcall\b[^@]*@({NAME})\(")


@dataclass(frozen=True)
class LocalStream:
    """A stream declared in the top function, or one element of an array of them.

    The elements of an argument of the top have no name here.
    """

    name: str  # of the channel
    base: str  # alloca
    index: int
    width: int
    depth: int
    fields: tuple[tuple[str, int], ...]
    loc: Loc | None = None
    argument: int | None = None  # position of the argument of the top that it is an element of


@dataclass(frozen=True)
class Call:
    """A process call: the LLVM function, its arguments as text, its line."""

    function: str
    line: str
    loc: Loc | None


@dataclass
class Region:
    """The entry function: its blocks, the process calls in one of them, the streams it declares."""

    blocks: list[Block]
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
    loops: dict[str, int] = field(default_factory=dict)  # header of a loop that is left -> key
    body: str = ""  # the block with the calls, if it repeats

    @property
    def lines(self) -> list[str]:
        return [x for b in self.blocks for x in b.lines]


def analyse(
    module: ModuleText,
    process_names: set[str],
    top: str,
    top_loc: Loc | None,
    dataflow: bool,
    repeated: Mapping[int, Loc],
) -> Region:
    """Reduce the entry function, `process_names` being left as calls.

    `repeated`: keys and places of the loops that say DATAFLOW.
    """
    text = _reduced(module, process_names)
    work = ModuleText(passes.run_passes(text, passes.INLINE))
    entry = work.function(ENTRY)
    rename_allocas(entry)
    nest = natural_loops(entry)
    own = {
        header: key
        for header, loop in nest.items()
        if (key := work.metadata.loop_value(entry.block(loop.latches[0]).lines[-1], "hlsc.loop"))
        is not None
    }
    kept = {
        x.header
        for header, loop in nest.items()
        if own.get(header) in repeated
        for x in (loop, *loop.ancestors())
    }
    for header, loop in nest.items():
        if header in kept:
            set_loop_metadata(work, entry, loop, own.get(header, 0), None)
        else:
            set_loop_metadata(work, entry, loop, 0, 0, True)
    work = ModuleText(passes.run_passes(str(work), _PASSES))
    entry = work.function(ENTRY)
    region = Region([], [], [], {}, {})
    if len(entry.blocks) > 1:
        _find_body(work, entry, process_names, region, repeated)
    if len(entry.blocks) > 1 and not region.body:
        lines = [x for b in entry.blocks[1:] for x in b.lines]
        locs = [loc for x in lines if (loc := work.metadata.loc_of(x, True)) is not None]
        raise SourceError(
            f"a DATAFLOW function ('{top}') must consist of declarations, calls of processes and loops "
            "with constant bounds",
            next(iter(repeated.values()), locs[0] if locs else top_loc),
            "move conditions and other loops into a process"
            + ("" if repeated else ", or write DATAFLOW in the body of a loop around the calls"),
        )
    _read(work, entry, process_names, dataflow, region)
    return region


def _find_body(
    work: ModuleText,
    entry: Function,
    process_names: set[str],
    region: Region,
    repeated: Mapping[int, Loc],
) -> None:
    """The block of a DATAFLOW loop that has all calls, and the loops that are left."""
    nest = natural_loops(entry)
    for header, loop in nest.items():
        line = entry.block(loop.latches[0]).lines[-1]
        key = work.metadata.loop_value(line, "hlsc.loop")
        if key is None or work.metadata.loop_value(line, "hlsc.must") is not None:
            return  # it had to unroll
        region.loops[header] = key
    calling = [
        (b.name, line)
        for b in entry.blocks
        for line in b.lines
        if (m := _CALL.search(line)) and m.group(1).strip('"') in process_names
    ]
    rounds = {b for h, x in nest.items() if region.loops[h] in repeated for b in x.blocks}
    region.body = next((block for block, _ in calling if block in rounds), "")
    for block, line in calling:
        if region.body and block != region.body:
            raise SourceError(
                "processes must be called one after the other in the body of the one DATAFLOW loop, "
                "none beside it or under a condition of its own",
                work.metadata.loc_of(line, True),
                "move the call into a process",
            )


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


def _read(
    work: ModuleText, entry: Function, process_names: set[str], dataflow: bool, region: Region
) -> None:
    """Fill in the region's blocks, without what is known otherwise, and what they speak of."""
    meta = work.metadata
    region.declares = [p for p in work.parts if isinstance(p, str) and p.startswith("declare ")]
    declared: dict[tuple[str, int], tuple[str, Loc | None]] = {}
    order: list[tuple[str, int]] = []
    inside: set[str] = set()  # allocas whose life begins in the loop
    rounds = {x for loop in natural_loops(entry).values() for x in loop.blocks}
    for block in entry.blocks:
        kept = Block(block.name)
        region.blocks.append(kept)
        for line in block.lines:
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
            if intrinsic and intrinsic.name == "ports":
                count, width = prod(intrinsic.extents), intrinsic.args[4]
                region.arrays[name], region.pointers[name] = count, (name, 0)
                region.port_names.append(called)
                position = intrinsic.args[0]
                region.streams += [
                    LocalStream("", name, k, width, 0, intrinsic.fields, argument=position)
                    for k in range(count)
                ]
                continue
            if intrinsic and intrinsic.name in {"port", "result", "memory", "refused"}:
                region.ports[name] = f"{intrinsic.name} {intrinsic.args[0]}"
                region.port_names.append(called)
                continue
            if (hit := marker_of(line)) is not None:
                region.markers.append((hit[0], hit[1], line))
                continue
            if "@llvm.lifetime.start" in line and block.name in rounds:
                inside |= set(re.findall(r"ptr.*?(%[\w.$-]+)", line))
            if "@llvm.lifetime" in line or "@llvm.assume" in line or line.strip().startswith("ret "):
                continue
            if called in process_names:
                region.calls.append(Call(called, strip_debug(line), meta.loc_of(line, True)))
            kept.lines.append(strip_debug(line))
    if dataflow:
        region.buffers = shared_arrays(
            [x for b in entry.blocks for x in b.lines],
            region.ports,
            region.arrays,
            [c.loc for c in region.calls],
            process_names,
            meta,
            Layout(struct_types(list(work.parts))),
            inside if region.body else None,
        )
    for base, index in order:
        width, depth, fields = stream_declarations(declared[base, index][0])
        stem = base[1:].split(".")[0].strip('"')
        name = stem if region.arrays[base] == 1 else f"{stem}_{index}"
        loc = declared[base, index][1]
        region.streams.append(LocalStream(name, base, index, width, depth, fields, loc))


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
