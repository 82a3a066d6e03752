# SPDX-License-Identifier: Apache-2.0
"""The final module made to keep the conventions of `program.py`, and the `Program` around it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from hlsc.errors import SourceError
from hlsc.frontend.build import Built
from hlsc.frontend.expand import expand_intrinsics
from hlsc.frontend.facts import Resolved
from hlsc.frontend.interfaces import Argument, build_ports
from hlsc.frontend.joins import (
    Ends,
    Streams,
    array_directions,
    buffers_of,
    channels_of,
    find_ends,
    split_arrays,
    tokens_of,
)
from hlsc.frontend.llvmtext import Function, ModuleText, plain_name
from hlsc.frontend.program import ArrayFacts, Binding, LoopFacts, ProcessCall, Program
from hlsc.frontend.region import Region
from hlsc.frontend.selects import select_shifted
from hlsc.frontend.wrapper import token_names
from hlsc.ir import Loc
from hlsc.parts import Part

__all__ = ["finish"]

_PARAM = re.compile(r"(ptr|i\d+)((?: [\w()]+)*) (%[\w.$-]+)(?=[,)])")


def finish(
    built: Built,
    area: Region,
    names: Sequence[str],
    arguments: Sequence[Argument],
    interfaces: Sequence[Resolved],
    depths: Mapping[tuple[str, int], int],
    facts: Mapping[str, ArrayFacts],
    top: str,
    loc: Loc | None,
) -> Program:
    """Bind parameters, derive the channels' ends and ports, clean the text.

    `facts`: of the arrays between processes.
    """
    module = built.module
    streams = Streams()
    for alloca in area.buffers:
        streams.single |= {f"%t.{t}": t for t in token_names(area, alloca) if t}
    elements = {
        i: [a.name for a in arguments if a.position == i] for i in {a.position for a in arguments}
    }
    for s in area.streams:
        channel = s.name if s.argument is None else elements[s.argument][s.index]
        streams.single[f"%s.{s.base[1:]}.{s.index}"] = channel
        if area.arrays[s.base] > 1:
            streams.arrays.setdefault(s.base, []).append(channel)
    for a in arguments:
        if a.kind == "stream" and a.part is None:
            streams.single[f"%p.{a.name}"] = a.name
    ends: dict[str, Ends] = {}
    for name in names:
        split_arrays(module.function(f"hlsc.p.{name}"), streams)
    for name in names:
        find_ends(module, module.function(f"hlsc.p.{name}"), name, streams, ends)
    channels, directions = channels_of(area, arguments, module, ends, depths, loc)
    directions |= array_directions(module, names, arguments, loc)
    arguments = _cut(arguments, [facts, *built.arrays.values()])
    ports, control = build_ports(top, arguments, interfaces, directions, loc)
    buffers = buffers_of(module, area, names, channels, facts)
    channels = (*channels, *tokens_of(buffers))
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


def _cut(
    arguments: Sequence[Argument], tables: Sequence[Mapping[str, ArrayFacts]]
) -> tuple[Argument, ...]:
    """The arguments with what ARRAY_PARTITION and ARRAY_RESHAPE say of arrays, in any of `tables`."""
    found = []
    for a in arguments:
        said = [table[key] for table in tables if (key := f"p.{a.name}") in table]
        if len(said) > 1:
            raise SourceError(
                f"array argument '{a.name}' must be cut in one function, not in {len(said)}",
                said[1].loc,
            )
        for facts in said:
            cuts = tuple(facts.cut(d, extent) for d, extent in enumerate(a.extents))
            a = replace(a, part=Part(a.name, cuts, ()))
        found.append(a)
    return tuple(found)


def _bind(
    module: ModuleText, f: Function, streams: Streams, arguments: Sequence[Argument]
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
    """Variables that keep their values between runs must be the module's own."""
    used = {
        m: line
        for f in module.functions
        for _, _, line in f.lines()
        for m in re.findall(r"@([\w.$-]+)", line)
    }
    for part in module.parts:
        m = re.match(r"@([\w.$-]+) = (.*?)\bglobal\b(.*)", part) if isinstance(part, str) else None
        if not m or m.group(1) not in used:
            continue
        if "hls::stream" in m.group(3):
            raise SourceError(
                f"a stream must be a variable of a function or an argument ({plain_name(m.group(1))})",
                module.metadata.loc_of(used[m.group(1)]),
                "declare it in the function that calls its processes, and pass it to them",
            )
        if not re.search(r"\b(internal|linkonce_odr)\b", m.group(2)):
            raise SourceError(
                f"a global variable must be static or constant ({plain_name(m.group(1))})",
                module.metadata.loc_of(used[m.group(1)]),
                "nothing else can read or set it in hardware: declare it static",
            )


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
        select_shifted(f)
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
