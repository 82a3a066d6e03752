# SPDX-License-Identifier: Apache-2.0
"""Unoptimised IR made ready for the pass list: linkage, attributes, one latch per loop, lifetimes."""

from __future__ import annotations

import re
from collections.abc import Collection

from hlsc.frontend.llvmtext import Function, ModuleText
from hlsc.frontend.memory import Layout, index_constructors, lower_memory, struct_types

__all__ = ["prepare"]

_LINKAGE = re.compile(
    r"^define (?:(?:linkonce_odr|weak_odr|linkonce|weak|internal|private|hidden|dso_local|"
    r"local_unnamed_addr|unnamed_addr) )*"
)
_TBAA = re.compile(r", !(?:tbaa|tbaa\.struct|nonnull|align|noundef|range|srcloc) !\d+")
_LIFETIME = re.compile(
    r"call void @llvm\.lifetime\.(start|end)\.p0\((?:i64[^,]*, )?ptr[^%]*(%[\w.$-]+)\)"
)
_MEMCPY = re.compile(
    r"call void @llvm\.memcpy\.p0\.p0\.i64\(ptr align (\d+) (\S+), ptr align (\d+) (\S+), i64 (\d+), "
    r"i1 false\)(.*)"
)
_WIDE = re.compile(
    r"^(\s*%\S+(?= = load)|)(?:\s*= |\s*)(load|store) i(\d+),? (ptr %[^,]+|%?[\w.-]+)(,.*|)$"
)
_ALLOCA = re.compile(r"^\s*(%[\w.$-]+) = alloca ([^,]+)")


def prepare(module: ModuleText, entry: str, lives: Collection[str] = ()) -> None:
    """In place: everything but `entry` internal and alwaysinline; tbaa, comdats, attributes dropped.

    The start of a scalar's lifetime becomes a store of undef: a variable of a loop body then carries
    nothing from one iteration to the next, and needs no register.  Copies of small objects, and those
    from `c ? a : b`, become a load and a store: SROA sees through a selected address only there.
    In the functions `lives` the lifetimes stay too: they tell where variables are declared.
    """
    parts: list[str | Function] = []
    types = struct_types(module.parts)
    globals_ = {
        m.group(1): m.group(2)
        for p in module.parts
        if isinstance(p, str)
        and (m := re.match(r"(@[\w.$-]+) = .*?(?:constant|global) (\[.*?\]|\S+) [\[zi{c]", p))
    }
    for part in module.parts:
        if isinstance(part, Function):
            index_constructors(part)
            lower_memory(part, types, globals_)
            _function(part, entry, types, part.name in lives)
        elif part.startswith(("attributes #", "$")) or part.startswith(";"):
            continue
        else:
            part = re.sub(r" = (?:linkonce_odr|weak_odr) ", " = internal ", part)
            part = re.sub(r", comdat(?:\(\$[^)]*\))?", "", part)
            part = re.sub(r"\) #\d+$", ")", part)
            part = re.sub(r"^declare !dbg !\d+ ", "declare ", part)
        parts.append(part)
    module.parts = parts


def _function(f: Function, entry: str, types: dict[str, str], lives: bool) -> None:
    m = re.search(r" !dbg !\d+", f.header)
    debug = m.group() if m else ""
    head = _LINKAGE.sub("define " if f.name == entry else "define internal ", f.header)
    close = _close(head)
    inline = "noinline" if f.name == entry else "alwaysinline"
    f.header = f"{head[: close + 1]} {inline} nounwind{debug} {{"
    kinds: dict[str, str] = {}
    selected: set[str] = set()
    copies = 0
    for b in f.blocks:
        lines = []
        for line in b.lines:
            line = _TBAA.sub("", line)
            if " call " in line:
                line = re.sub(r"\) #\d+(?=,|$)", ")", line)
            if a := _ALLOCA.match(line):
                kinds[a.group(1)] = a.group(2)
            if p := re.match(r"^\s*(%\S+) = phi ptr ", line):
                selected.add(p.group(1))
            if c := _MEMCPY.search(line):
                to_align, to, from_align, source, size, rest = c.groups()
                if size in {"1", "2", "4", "8"} or source in selected:
                    kind, value = f"i{8 * int(size)}", f"%hlsc.copy.{copies}"
                    copies += 1
                    lines.append(f"  {value} = load {kind}, ptr {source}, align {from_align}{rest}")
                    lines.append(f"  store {kind} {value}, ptr {to}, align {to_align}{rest}")
                    continue
            if hit := _LIFETIME.search(line):
                kind = kinds.get(hit.group(2), "")
                lines += [line] if lives else []
                if hit.group(1) == "start" and _is_flat(kind, types):
                    lines += _undefined(kind, hit.group(2), Layout(types), f"%hlsc.life.{copies}")
                    copies += 1
                continue
            if w := _WIDE.match(line):
                lines += _whole_word(w, f"%hlsc.wide.{copies}") or [line]
                copies += 1
                continue
            lines.append(line)
        b.lines = lines


def _undefined(kind: str, to: str, layout: Layout, fresh: str) -> list[str]:
    """Stores of undef to every member: one of the whole would split wide integers into bytes, which
    SROA then puts together again with a shift and an or per byte and access."""
    lines = []
    for n, (offset, member) in enumerate(layout.leaves(kind)):
        at = to
        if offset:
            at = f"{fresh}.{n}"
            lines.append(f"  {at} = getelementptr inbounds i8, ptr {to}, i64 {offset}")
        lines.append(f"  store {member} undef, ptr {at}, align 1")
    return lines


def _whole_word(access: re.Match[str], fresh: str) -> list[str] | None:
    """A load or store of a _BitInt that leaves bytes of its object untouched, widened to all of it:
    calling conventions take such objects apart in other pieces, which SROA cannot follow."""
    head, verb, width, value, rest = access.groups()
    n = int(width)
    whole = 128 if n <= 128 else -(-n // 64) * 64
    if n <= 64 or n == whole:
        return None
    debug = (re.search(r", !dbg !\d+", rest) or [""])[0]
    if verb == "load":
        return [
            f"  {fresh} = load i{whole}, {value}{rest}",
            f"{head} = trunc i{whole} {fresh} to i{n}{debug}",
        ]
    return [
        f"  {fresh} = zext i{n} {value} to i{whole}{debug}",
        f"  store i{whole} {fresh}{rest}",
    ]


def _is_flat(kind: str, types: dict[str, str]) -> bool:
    """Whether a type is an integer, or a structure of them without arrays and streams."""
    if re.fullmatch(r"i\d+|\[\d+ x i8\]", kind):
        return True
    # A wide _BitInt is held as an array of bytes.
    text = re.sub(r"\[\d+ x i8\]", "i8", types.get(kind, "["))
    if not kind.startswith("%") or "hls::stream" in kind or "[" in text:
        return False
    members = re.findall(r'%"[^"]*"|%[^\s,}]+|\w+', text)
    return all(_is_flat(m, types) for m in members)


def _close(header: str) -> int:
    """Where the parameter list of a define line ends."""
    depth = 0
    for i in range(header.index("@"), len(header)):
        if header[i] == "(":
            depth += 1
        elif header[i] == ")":
            depth -= 1
            if depth == 0:
                return i
    raise ValueError(header)
