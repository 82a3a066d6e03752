# SPDX-License-Identifier: Apache-2.0
"""One function per process call of the top function.

Each process is the code of the top function with the other processes' calls taken out, its streams and
ports being parameters: constants, computed scalars and arrays of streams reach the process's body by
ordinary inlining, a function that is called twice becomes two processes, and each process runs through
a DATAFLOW loop by itself.

An array between processes is a parameter too; in a loop it has two halves, which take turns.  Around
its call a process reads and writes tokens: the consumer waits for a full half, which the producer
gives; in a loop the producer waits for a free half, which the consumer gives back, and two are free at
first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from hlsc.frontend.facts import set_loop_metadata
from hlsc.frontend.llvmtext import NAME, Block, Function, ModuleText, natural_loops
from hlsc.frontend.region import Region

__all__ = ["TOKEN_DECLARATIONS", "token_names", "wrapper"]

_RESULT = re.compile(r"^\s*(%[\w.$-]+) = ")
_CALL = re.compile(rf"\bcall\b[^@]*@({NAME})\(")

TOKEN_DECLARATIONS = ("declare i1 @hlsc.read.i1(ptr)", "declare void @hlsc.write.i1(ptr, i1)")


def token_names(region: Region, alloca: str) -> tuple[str, str]:
    """Streams of an array's full and free halves; the latter "" if it has one half only."""
    return f"{alloca[1:]}__full", f"{alloca[1:]}__free" if region.body else ""


def wrapper(
    module: ModuleText,
    region: Region,
    index: int,
    name: str,
    ports: Mapping[int, str],
    scalars: Sequence[tuple[int, int, str]],
    debug: tuple[str, str],
    process_names: set[str],
) -> str:
    """The text of process `index` as a function over every port and stream.

    `module`: gets the metadata of the loops; `ports`: names of stream and output arguments by position;
    `scalars`: (position, width, name); `debug`: attachments of the function and of the call.
    """
    own = region.calls[index].line
    names = _names(region, own, ports, scalars)
    take, give = _tokens(region, index)
    f = Function(name, _header(region, name, ports, scalars, debug[0]))
    for b in region.blocks:
        block = Block(_number(b.name) if f.blocks else "entry")
        f.blocks.append(block)
        if len(f.blocks) == 1 and region.body:
            block.lines += ["  %hlsc.half = alloca i1", "  store i1 false, ptr %hlsc.half"]
        repeats = b.name == region.body
        for line in b.lines:
            called = m.group(1).strip('"') if (m := _CALL.search(line)) else ""
            if (m := _RESULT.match(line)) and m.group(1) in region.buffers:
                continue
            if (called in process_names and line != own) or called.startswith("hlsc.arg."):
                continue
            if repeats and " = phi " not in line:
                block.lines += _halves(region)
                repeats = False
            text = re.sub(r"%[\w.$-]+", lambda m: names.get(m.group(), m.group()), line)
            if line == own:
                block.lines += [*take, _rename_numbers(text) + debug[1], *give]
            else:
                block.lines.append(_rename_numbers(text))
        if not block.successors:
            block.lines.append("  ret void")
    keys = {_number(header): key for header, key in region.loops.items()}
    for header, loop in natural_loops(f).items():
        set_loop_metadata(module, f, loop, keys[header], None)
    return str(f)


def _names(
    region: Region, own: str, ports: Mapping[int, str], scalars: Sequence[tuple[int, int, str]]
) -> dict[str, str]:
    """What the values of the top function are called in the wrapper."""
    names: dict[str, str] = {}
    for value, text in region.ports.items():
        names[value] = "%p." + ports[int(text.split()[1])]
    for value, (base, at) in region.pointers.items():
        if region.arrays[base] == 1 or value != base or _takes_one(own, value):
            names[value] = f"%s.{base[1:]}.{at}"
    names |= {v: f"%{'hlsc.at' if region.body else 'b'}.{v[1:]}" for v in region.buffers}
    for n, w, arg in scalars:
        for line in region.lines:
            if f"@hlsc.arg.{n}.i{w}(" in line and (m := _RESULT.match(line)):
                names[m.group(1)] = "%p." + arg
    return names


def _header(
    region: Region,
    name: str,
    ports: Mapping[int, str],
    scalars: Sequence[tuple[int, int, str]],
    debug: str,
) -> str:
    params = [f"ptr noalias %p.{n}" for n in ports.values()]
    params += [f"i{w} %p.{n}" for _, w, n in scalars]
    params += [f"ptr noalias %s.{s.base[1:]}.{s.index}" for s in region.streams]
    params += [f"ptr noalias {b}" for b, n in region.arrays.items() if n > 1]
    params += [f"ptr noalias %b.{b[1:]}" for b in region.buffers]
    params += [f"ptr noalias %t.{t}" for b in region.buffers for t in token_names(region, b) if t]
    return f"define void @{name}({', '.join(dict.fromkeys(params))}) noinline nounwind{debug} {{"


def _tokens(region: Region, index: int) -> tuple[list[str], list[str]]:
    """Lines before and behind a process's call: it waits for halves, and gives them on."""
    take, give = [], []
    for n, (alloca, shared) in enumerate(region.buffers.items()):
        full, free = token_names(region, alloca)
        if index in shared.users:
            waits, gives = (free, full) if index == shared.users[0] else (full, free)
            take += [f"  %hlsc.token.{n} = call i1 @hlsc.read.i1(ptr %t.{waits})"] if waits else []
            give += [f"  call void @hlsc.write.i1(ptr %t.{gives}, i1 false)"] if gives else []
    return take, give


def _halves(region: Region) -> list[str]:
    """The halves of this iteration; the next one takes the others."""
    lines = [
        "  %hlsc.now = load i1, ptr %hlsc.half",
        "  %hlsc.next = xor i1 %hlsc.now, true",
        "  store i1 %hlsc.next, ptr %hlsc.half",
        "  %hlsc.row = zext i1 %hlsc.now to i64",
    ]
    for alloca, shared in region.buffers.items():
        at = f"[2 x {shared.type}], ptr %b.{alloca[1:]}, i64 0, i64 %hlsc.row"
        lines.append(f"  %hlsc.at.{alloca[1:]} = getelementptr inbounds {at}")
    return lines


def _number(label: str) -> str:
    return f"v{label}" if label.isdigit() else label


def _rename_numbers(line: str) -> str:
    return re.sub(r"%(\d+)\b", r"%v\1", line)


def _takes_one(line: str, value: str) -> bool:
    """Whether a call takes this pointer as one stream (a reference of one byte)."""
    return bool(re.search(rf"dereferenceable\(1\) {re.escape(value)}(?=[,)])", line))
