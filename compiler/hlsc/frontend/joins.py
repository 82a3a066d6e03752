# SPDX-License-Identifier: Apache-2.0
"""Who joins whom: streams and arrays of the top function, and which processes are at their ends."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hlsc.errors import SourceError
from hlsc.frontend.interfaces import Argument
from hlsc.frontend.intrinsics import read_intrinsic
from hlsc.frontend.llvmtext import Function, ModuleText, strip_debug
from hlsc.frontend.program import ArrayFacts, Between
from hlsc.frontend.region import Region, constant_offset
from hlsc.frontend.wrapper import token_names
from hlsc.ir import Channel, Loc

__all__ = [
    "Ends",
    "Streams",
    "array_directions",
    "buffers_of",
    "channels_of",
    "find_ends",
    "split_arrays",
    "tokens_of",
]

_ELEMENT = re.compile(
    r"^\s*(%[\w.$-]+) = getelementptr (?:inbounds |nuw |nusw )*(.*?), ptr (%[\w.$-]+), (.*)"
)
_POINTER = re.compile(r"^\s*(%[\w.$-]+) = (?:getelementptr|select|freeze|phi) ")
_STREAM_CALL = re.compile(r"@hlsc\.(read|write|empty)(?:\.i(\d+))?\(ptr (?:[\w()]+ )*(%[\w.$-]+)")


@dataclass
class Ends:
    """Who reads and writes a stream, and where."""

    readers: dict[str, Loc | None] = field(default_factory=dict)
    writers: dict[str, Loc | None] = field(default_factory=dict)


@dataclass
class Streams:
    """Channels by the parameter names of the wrappers."""

    single: dict[str, str] = field(default_factory=dict)  # %s.x.0 or %p.in -> channel
    arrays: dict[str, list[str]] = field(default_factory=dict)  # %x -> channels


def split_arrays(f: Function, streams: Streams) -> None:
    """Accesses to an array of streams become accesses to the parameters that are its elements."""
    for base, channels in streams.arrays.items():
        if not re.search(re.escape(base) + r"(?=[,)])", f.header):
            continue
        elements = [f"%s.{base[1:]}.{i}" for i in range(len(channels))]
        new: dict[str, str] = {}
        for b in f.blocks:
            keep = []
            for line in b.lines:
                m = _ELEMENT.match(line)
                if m and m.group(3) == base:
                    offset = constant_offset(m.group(2), strip_debug(m.group(4)))
                    if offset is not None:
                        new[m.group(1)] = elements[offset]
                        continue
                keep.append(line)
            b.lines = keep
        new[base] = elements[0]

        def one(m: re.Match[str], new: dict[str, str] = new) -> str:
            return new.get(m.group(), m.group())

        for b in f.blocks:
            b.lines = [re.sub(r"%[\w.$-]+", one, x) for x in b.lines]


def find_ends(
    module: ModuleText, f: Function, process: str, streams: Streams, ends: dict[str, Ends]
) -> None:
    for _, _, line in f.lines():
        if m := _STREAM_CALL.search(line):
            channel = streams.single.get(m.group(3))
            loc = module.metadata.loc_of(line)
            if not channel:
                raise SourceError(
                    "every stream access must be on one stream that is known at compile time",
                    loc,
                    "unroll the loop over the array of streams, or branch around the accesses",
                )
            side = ends.setdefault(channel, Ends())
            table = side.writers if m.group(1) == "write" else side.readers
            table.setdefault(process, loc)


def channels_of(
    area: Region,
    arguments: Sequence[Argument],
    module: ModuleText,
    ends: Mapping[str, Ends],
    depths: Mapping[tuple[str, int], int],
    top_loc: Loc | None,
) -> tuple[tuple[Channel, ...], dict[str, str]]:
    fields = _port_fields(area)
    channels = []
    directions: dict[str, str] = {}
    for a in arguments:
        if a.kind != "stream":
            continue
        e = ends.get(a.name, Ends())
        _single(a.name, e, top_loc)
        if e.readers and e.writers:
            raise SourceError(f"stream argument '{a.name}' must be read or written, not both", top_loc)
        reader, writer = next(iter(e.readers), None), next(iter(e.writers), None)
        if reader or writer:
            directions[a.name] = "in" if reader else "out"
            channels.append(
                Channel(a.name, a.width, 2, writer, reader, fields.get(a.position, ()), top_loc)
            )
    for s in (x for x in area.streams if x.argument is None):
        e = ends.get(s.name, Ends())
        _single(s.name, e, s.loc)
        if not e.readers or not e.writers:
            what = "written and read" if not (e.readers or e.writers) else "read"
            what = "written" if e.readers else what
            raise SourceError(
                f"stream '{s.name}' must be {what} by a process", s.loc, "delete it if it is not used"
            )
        reader, writer = next(iter(e.readers)), next(iter(e.writers))
        if reader == writer:
            raise SourceError(
                f"stream '{s.name}' must join two processes; '{reader}' writes and reads it",
                s.loc,
                "use an array or a variable",
            )
        depth = depths[s.base, s.index]
        channels.append(Channel(s.name, s.width, depth, writer, reader, s.fields, s.loc))
    seen: set[str] = set()
    for c in channels:
        if c.name in seen:
            raise SourceError(
                f"stream '{c.name}' must have a name of its own: an element of an array has it too",
                c.loc,
                "rename one of them",
            )
        seen.add(c.name)
    return tuple(channels), directions


def _accesses(f: Function, pointer: str) -> tuple[bool, bool]:
    """Whether a function loads and whether it stores through a pointer parameter."""
    pointers, loads, stores = {pointer}, False, False
    for _, _, line in f.lines():
        if not pointers & set(re.findall(r"%[\w.$-]+", line)):
            continue
        if m := _POINTER.match(line):
            pointers.add(m.group(1))
        loads |= " load " in line or "@llvm.mem" in line
        stores |= " store " in line or "@llvm.mem" in line
    return loads, stores


def array_directions(
    module: ModuleText, names: Sequence[str], arguments: Sequence[Argument], loc: Loc | None
) -> dict[str, str]:
    """in, out or inout of each array argument that a process uses; one process only."""
    result: dict[str, str] = {}
    users: dict[str, str] = {}
    for process in names:
        f = module.function(f"hlsc.p.{process}")
        for a in (a for a in arguments if a.kind == "array"):
            loads, stores = _accesses(f, f"%p.{a.name}")
            if not (loads or stores):
                continue
            if a.name in users:
                raise SourceError(
                    f"array argument '{a.name}' must be used by one process, not by '{users[a.name]}' "
                    f"and '{process}'",
                    loc,
                    "let one process read it and pass the values by hls::stream",
                )
            users[a.name] = process
            result[a.name] = "inout" if loads and stores else "in" if loads else "out"
    return result


def buffers_of(
    module: ModuleText,
    area: Region,
    names: Sequence[str],
    channels: Sequence[Channel],
    facts: Mapping[str, ArrayFacts],
) -> tuple[Between, ...]:
    """The arrays between processes, written by the first; outside a loop nothing comes back to it."""
    found = []
    halves = 2 if area.body else 1
    for alloca, s in area.buffers.items():
        name, (first, second) = alloca[1:], (names[i] for i in s.users)
        if not _accesses(module.function(f"hlsc.p.{first}"), f"%b.{name}")[1]:
            raise SourceError(f"array '{name}' must be written by '{first}'", s.loc)
        kind = f"[{halves} x {s.type}]"
        tokens = token_names(area, alloca)
        said = facts.get(name, ArrayFacts())
        found.append(Between(name, kind, halves, first, second, *tokens, said, s.loc))
    for b in found if halves == 1 else ():
        reach, work = {b.consumer}, [b.consumer]
        while work:
            p = work.pop()
            nexts = [c.consumer for c in channels if c.producer == p and c.consumer]
            nexts += [x.consumer for x in found if x.producer == p]
            work += [x for x in nexts if x not in reach]
            reach |= set(nexts)
        if b.producer in reach:
            raise SourceError(
                f"array '{b.name}' must not stand in a cycle: '{b.consumer}', which starts when "
                f"'{b.producer}' has ended, sends to it",
                b.loc,
                "pass the values by hls::stream",
            )
    return tuple(found)


def tokens_of(buffers: Sequence[Between]) -> list[Channel]:
    """The streams of the tokens of arrays between processes."""
    found = []
    for b in buffers:
        found.append(Channel(b.full, 1, b.halves, b.producer, b.consumer, (), b.loc, b.name))
        if b.free:
            ends = b.consumer, b.producer
            found.append(Channel(b.free, 1, b.halves, *ends, (), b.loc, b.name, b.halves))
    return found


def _single(name: str, e: Ends, loc: Loc | None) -> None:
    for table, what in ((e.writers, "written"), (e.readers, "read")):
        if len(table) > 1:
            (a, at), (b, bt) = list(table.items())[:2]
            raise SourceError(
                f"stream '{name}' must be {what} by one process, not by '{a}' ({at}) and '{b}' ({bt})",
                loc,
                "give each process its own stream",
            )


def _port_fields(area: Region) -> dict[int, tuple[tuple[str, int], ...]]:
    result = {}
    for line in area.port_names:
        i = read_intrinsic(line)
        if i and i.name in {"port", "ports"}:
            result[i.args[0]] = i.fields
    return result
