# SPDX-License-Identifier: Apache-2.0
"""The final module made to keep the conventions of `program.py`, and the `Program` around it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hlsc.errors import SourceError
from hlsc.frontend.build import Built
from hlsc.frontend.expand import expand_intrinsics
from hlsc.frontend.facts import Resolved
from hlsc.frontend.interfaces import Argument, build_ports
from hlsc.frontend.intrinsics import read_intrinsic
from hlsc.frontend.llvmtext import Function, ModuleText, strip_debug
from hlsc.frontend.program import ArrayFacts, Binding, LoopFacts, ProcessCall, Program
from hlsc.frontend.region import Region, constant_offset
from hlsc.frontend.selects import select_values
from hlsc.ir import Buffer, Channel, Loc

__all__ = ["finish"]

_PARAM = re.compile(r"(ptr|i\d+)((?: [\w()]+)*) (%[\w.$-]+)(?=[,)])")
_ELEMENT = re.compile(
    r"^\s*(%[\w.$-]+) = getelementptr (?:inbounds |nuw |nusw )*(.*?), ptr (%[\w.$-]+), (.*)"
)
_POINTER = re.compile(r"^\s*(%[\w.$-]+) = (?:getelementptr|select|freeze|phi) ")
_STREAM_CALL = re.compile(r"@hlsc\.(read|write|empty)(?:\.i(\d+))?\(ptr (?:[\w()]+ )*(%[\w.$-]+)")


@dataclass
class _Ends:
    """Who reads and writes a stream, and where."""

    readers: dict[str, Loc | None] = field(default_factory=dict)
    writers: dict[str, Loc | None] = field(default_factory=dict)


@dataclass
class _Streams:
    """Channels by the parameter names of the wrappers."""

    single: dict[str, str] = field(default_factory=dict)  # %s.x.0 or %p.in -> channel
    arrays: dict[str, list[str]] = field(default_factory=dict)  # %x -> channels


def finish(
    built: Built,
    area: Region,
    names: Sequence[str],
    arguments: Sequence[Argument],
    interfaces: Sequence[Resolved],
    depths: Mapping[tuple[str, int], int],
    top: str,
    loc: Loc | None,
) -> Program:
    """Bind parameters, derive the channels' ends and ports, clean the text."""
    module = built.module
    streams = _Streams()
    for s in area.streams:
        streams.single[f"%s.{s.base[1:]}.{s.index}"] = s.name
    for base, n in area.arrays.items():
        if n > 1:
            of = {s.index: s.name for s in area.streams if s.base == base}
            streams.arrays[base] = [of[i] for i in sorted(of)]
    for a in arguments:
        if a.kind == "stream":
            streams.single[f"%p.{a.name}"] = a.name
    ends: dict[str, _Ends] = {}
    for name in names:
        _split_arrays(module.function(f"hlsc.p.{name}"), streams)
    for name in names:
        _find_ends(module, module.function(f"hlsc.p.{name}"), name, streams, ends)
    channels, directions = _channels(area, arguments, module, ends, depths, loc)
    directions |= _array_directions(module, names, arguments, loc)
    ports, control = build_ports(top, arguments, interfaces, directions, loc)
    buffers = _buffers(module, area, names, channels)
    calls = []
    for i, name in enumerate(names):
        f = module.function(f"hlsc.p.{name}")
        bindings = _bind(module, f, streams, arguments)
        _outputs(module, f, arguments)
        arrays = _surviving(f, module, built.arrays[f"hlsc.p.{name}"])
        at = area.calls[i].loc
        at = loc if at is None or at.file.startswith("<") else at
        calls.append(ProcessCall(name, name, bindings, arrays, at))
    _check_globals(module)
    loops = _rename_dependences(module, built.loops)
    text = _clean(module, names)
    return Program(
        top,
        text,
        ports,
        channels,
        tuple(calls),
        loops,
        control.mode,
        control.bundle,
        loc,
        buffers,
    )


def _split_arrays(f: Function, streams: _Streams) -> None:
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


def _find_ends(
    module: ModuleText, f: Function, process: str, streams: _Streams, ends: dict[str, _Ends]
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
            side = ends.setdefault(channel, _Ends())
            table = side.writers if m.group(1) == "write" else side.readers
            table.setdefault(process, loc)


def _channels(
    area: Region,
    arguments: Sequence[Argument],
    module: ModuleText,
    ends: Mapping[str, _Ends],
    depths: Mapping[tuple[str, int], int],
    top_loc: Loc | None,
) -> tuple[tuple[Channel, ...], dict[str, str]]:
    fields = _port_fields(area)
    channels = []
    directions: dict[str, str] = {}
    for a in arguments:
        if a.kind != "stream":
            continue
        e = ends.get(a.name, _Ends())
        _single(a.name, e, top_loc)
        if e.readers and e.writers:
            raise SourceError(f"stream argument '{a.name}' must be read or written, not both", top_loc)
        reader, writer = next(iter(e.readers), None), next(iter(e.writers), None)
        if reader or writer:
            directions[a.name] = "in" if reader else "out"
            channels.append(
                Channel(a.name, a.width, 2, writer, reader, fields.get(a.position, ()), top_loc)
            )
    for s in area.streams:
        e = ends.get(s.name, _Ends())
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


def _array_directions(
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


def _buffers(
    module: ModuleText, area: Region, names: Sequence[str], channels: Sequence[Channel]
) -> tuple[Buffer, ...]:
    """The arrays between processes: written by the first, which nothing of the second comes back to."""
    found = []
    for alloca, s in area.buffers.items():
        name, (first, second) = alloca[1:], (names[i] for i in s.users)
        for process, what in ((first, "written"), (second, "used")):
            loads, stores = _accesses(module.function(f"hlsc.p.{process}"), f"%b.{name}")
            if not (stores if what == "written" else loads or stores):
                raise SourceError(f"array '{name}' must be {what} by '{process}'", s.loc)
        found.append(Buffer(name, s.width, s.depth, first, second, s.loc))
    for b in found:
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


def _single(name: str, e: _Ends, loc: Loc | None) -> None:
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
        if i and i.name == "port":
            result[i.args[0]] = i.fields
    return result


def _bind(
    module: ModuleText, f: Function, streams: _Streams, arguments: Sequence[Argument]
) -> tuple[Binding, ...]:
    """Drop the parameters that the process does not use; bind the others."""
    body = "\n".join(x for _, _, x in f.lines())
    used = set(re.findall(r"%[\w.$-]+", body))
    head, rest = f.header.split("(", 1)
    kept: list[str] = []
    bindings: list[Binding] = []
    kinds = {f"%p.{a.name}": a for a in arguments}
    for m in _PARAM.finditer(rest):
        name = m.group(3)
        if name not in used:
            continue
        kept.append(f"{m.group(1)} {name}")
        if name in streams.single:
            bindings.append(Binding("channel", streams.single[name]))
        elif name.startswith("%b."):
            bindings.append(Binding("array", name[3:]))
        else:
            a = kinds[name]
            bindings.append(Binding("scalar" if a.kind == "in" else a.kind, a.name))
    debug = f" !dbg !{f.subprogram}" if f.subprogram is not None else ""
    f.header = f"{head}({', '.join(kept)}){debug} {{"
    return tuple(bindings)


def _outputs(module: ModuleText, f: Function, arguments: Sequence[Argument]) -> None:
    """Stores to scalar outputs take their exact width; nothing else may be done with them."""
    outs = {f"%p.{a.name}": a for a in arguments if a.kind == "out"}
    fresh = 0
    for b in f.blocks:
        lines = []
        for line in b.lines:
            hit = [n for n in outs if re.search(re.escape(n) + r"(?![\w.$-])", line)]
            if not hit:
                lines.append(line)
                continue
            a = outs[hit[0]]
            m = re.match(r"^\s*store i(\d+) (\S+), ptr (%[\w.$-]+)(?:, align \d+)?(.*)$", line)
            if not m or m.group(3) != hit[0]:
                raise SourceError(
                    f"output '{a.name}' must only be written, as a whole",
                    module.metadata.loc_of(line),
                    "work on a local variable and assign it once",
                )
            width, value, _, debug = m.groups()
            if int(width) != a.width:
                if value.startswith("%"):
                    new = f"%hlsc.out.{fresh}"
                    fresh += 1
                    lines.append(f"  {new} = trunc i{width} {value} to i{a.width}{debug}")
                    value = new
                elif value not in {"true", "false", "undef", "poison"}:
                    number = int(value) & ((1 << a.width) - 1)
                    value = str(number) if a.width > 1 else ("true" if number else "false")
            lines.append(f"  store i{a.width} {value}, ptr {hit[0]}{debug}")
        b.lines = lines


def _surviving(
    f: Function, module: ModuleText, facts: Mapping[str, ArrayFacts]
) -> dict[str, ArrayFacts]:
    """Facts of the arrays that are still memories, pieces that SROA cut off included."""
    body = str(f)
    present = re.findall(r"^\s*%([\w.$-]+) = alloca ", body, re.MULTILINE)
    present += [m for m in re.findall(r"@([\w.$-]+)", body) if m in facts]
    result = {}
    for name in present:
        base = name.split(".sroa.")[0]
        if base in facts:
            result[name] = facts[base]
    return result


def _rename_dependences(module: ModuleText, loops: Mapping[int, LoopFacts]) -> dict[int, LoopFacts]:
    """Facts of the loops that are left; a variable that SROA split stands for each of its pieces."""
    names: list[str] = []
    present: set[int] = set()
    for f in module.functions:
        for _, _, line in f.lines():
            if m := re.match(r"^\s*%([\w.$-]+) = alloca ", line):
                names.append(m.group(1))
            if "!llvm.loop" in line:
                key = module.metadata.loop_value(line, "hlsc.loop")
                if key is not None:
                    present.add(key)
    result = {}
    for key in sorted(present):
        facts = loops[key]
        deps = []
        for d in facts.dependences:
            pieces = [n for n in names if ".sroa." in n and n.split(".sroa.")[0] == d.variable]
            deps += [replace(d, variable=p) for p in dict.fromkeys(pieces)] if pieces else [d]
        result[key] = replace(facts, dependences=tuple(deps))
    return result


def _check_globals(module: ModuleText) -> None:
    used = {
        m: line
        for f in module.functions
        for _, _, line in f.lines()
        for m in re.findall(r"@([\w.$-]+)", line)
    }
    for part in module.parts:
        m = re.match(r"@([\w.$-]+) = .*\bglobal\b", part) if isinstance(part, str) else None
        if m and m.group(1) in used:
            raise SourceError(
                f"a static or global variable must be constant ({_plain(m.group(1))})",
                module.metadata.loc_of(used[m.group(1)]),
                "declare it in the function: every run starts clean",
            )


def _plain(mangled: str) -> str:
    parts = re.findall(r"\d+([A-Za-z_]\w*?)(?=\d|E|$)", mangled)
    return parts[-1] if parts else mangled


def _plain_call(line: str) -> str:
    """A stream access without the attributes that LLVM's passes add."""
    line = re.sub(r"\bptr (?:nonnull |noundef |align \d+ |dereferenceable\(\d+\) )+", "ptr ", line)
    return re.sub(r"\) #\d+(?=,|$)", ")", re.sub(r"\btail call\b", "call", line))


def _clean(module: ModuleText, names: Sequence[str]) -> str:
    """Only the processes, the globals they use and their metadata; parameters by their own names."""
    for f in module.functions:
        for b in f.blocks:
            b.lines = [
                _plain_call(x) if "@hlsc." in x else x
                for x in b.lines
                if "@llvm.lifetime" not in x and "@llvm.assume" not in x
            ]
        expand_intrinsics(f, module.metadata)
        select_values(f, module.metadata)
    for f in list(module.functions):
        name = f.name.removeprefix("hlsc.p.")
        text = str(f)
        used = set(re.findall(r"%[\w.$-]+", text))
        new: dict[str, str] = {}
        for p in re.findall(r"%[psb]\.[\w.$-]+", f.header):
            short = "%" + p[3:].removesuffix(".0")
            if short not in used and short not in new.values():
                new[p] = short
        for p, short in new.items():
            text = re.sub(re.escape(p) + r"(?![\w.$-])", short, text)
        text = text.replace(f"@{f.name}(", f"@{name}(", 1)
        module.replace(f, text)
    called = "\n".join(p for p in module.parts if isinstance(p, str) and p.startswith("define"))
    parts = []
    for p in module.parts:
        m = re.match(r'declare .*@("?[\w.$]+"?)\(', p) if isinstance(p, str) else None
        if m and f"@{m.group(1)}(" not in called:
            continue
        if p and not (isinstance(p, str) and p.startswith(";")):
            parts.append(p)
    module.parts = parts
    return str(module)
