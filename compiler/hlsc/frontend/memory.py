# SPDX-License-Identifier: Apache-2.0
"""memset, memcpy and constructors of arrays as loops over indices.

memset and memcpy become loads and stores of the members' own widths: a structure its members in a row,
an array a loop over its elements (its header's name starts with `FILL`).  Where clang constructs the
elements of an array (`CONSTRUCT`), an index takes the place of a moving pointer.  The build stage
unrolls these loops where the array is registers or the loop lies in a pipeline.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from hlsc.frontend.llvmtext import Block, Function

__all__ = ["CONSTRUCT", "FILL", "Layout", "index_constructors", "lower_memory", "struct_types"]

FILL = "hlsc.fill"
CONSTRUCT = ("arrayctor.loop", "arrayinit.body")  # clang's names of such loops' headers
_CALL = re.compile(
    r"^\s*call void @llvm\.mem(cpy|set)\.p0(?:\.p0)?\.i64\(ptr (?:align \d+ )?(\S+), "
    r"(?:ptr (?:align \d+ )?|i8 )(\S+), i64 (\d+), i1 false\)(.*)$"
)
_PLACE = re.compile(
    r"^\s*(%array(?:ctor|init)\.(?:start|end)\d*) = getelementptr .*, "
    r"ptr (%[\w.$-]+), i64 (\d+)(?:, !.*)?$"
)
_CONSTANT = re.compile(r"getelementptr ((?:inbounds |nuw |nusw )*)\(([^()]*)\)")
_GEP = re.compile(
    r"getelementptr (?:inbounds |nuw |nusw )*(.+?), ptr [%@][\w.$\"-]+((?:, i\d+ [^,!]+)*)"
)


@dataclass(frozen=True)
class Layout:
    """Sizes and members of LLVM types, by the x86-64 data layout that clang compiles for."""

    types: Mapping[str, str]

    def members(self, kind: str) -> list[str] | None:
        """Member types of a structure, None for anything else."""
        body = self.types.get(kind, kind)
        if body.startswith("<{"):
            return split(body[2:-2])
        return split(body[1:-1]) if body.startswith("{") else None

    def packed(self, kind: str) -> bool:
        return self.types.get(kind, kind).startswith("<{")

    def size_align(self, kind: str) -> tuple[int, int]:
        if m := re.fullmatch(r"i(\d+)", kind):
            size = (int(m.group(1)) + 7) // 8
            for power in (1, 2, 4, 8, 16):
                if size <= power:
                    return power, power
            return -(-size // 16) * 16, 16
        if kind == "ptr":
            return 8, 8
        if extent := array(kind):
            size, align = self.size_align(extent[1])
            return extent[0] * size, align
        members = self.members(kind)
        if members is None:
            raise ValueError(kind)
        at, most = 0, 1
        for member in members:
            size, align = self.size_align(member)
            align = 1 if self.packed(kind) else align
            at = -(-at // align) * align + size
            most = max(most, align)
        return -(-at // most) * most, most

    def leaves(self, kind: str, offset: int = 0) -> list[tuple[int, str]]:
        """(byte offset, type) of every integer and pointer in a type."""
        if kind == "ptr":
            return [(offset, kind)]
        if re.fullmatch(r"i\d+", kind):
            return [(offset, f"i{8 * self.size_align(kind)[0]}")]
        if a := array(kind):
            # A _BitInt of more than 128 bits is an array of bytes that is loaded whole.
            if a[1] == "i8" and a[0] > 16 and a[0] % 8 == 0:
                return [(offset, f"i{8 * a[0]}")]
            size = self.size_align(a[1])[0]
            return [x for i in range(a[0]) for x in self.leaves(a[1], offset + i * size)]
        result: list[tuple[int, str]] = []
        at = 0
        members = self.members(kind)
        if members is None:
            raise ValueError(kind)
        for m in members:
            size, align = self.size_align(m)
            at = at if self.packed(kind) else -(-at // align) * align
            result += self.leaves(m, offset + at)
            at += size
        return result

    def flatten(self, kind: str) -> tuple[int, str]:
        """Number and type of the elements of an array of any dimension, (1, type) of the rest."""
        count = 1
        while (a := array(kind)) and not (a[1] == "i8" and a[0] > 16 and a[0] % 8 == 0):
            count, kind = count * a[0], a[1]
        return count, kind


def array(kind: str) -> tuple[int, str] | None:
    m = re.fullmatch(r"\[(\d+) x (.*)\]", kind)
    return (int(m.group(1)), m.group(2)) if m else None


def split(text: str) -> list[str]:
    """Split a list of types at its top-level commas."""
    out, depth, current, quoted = [], 0, "", False
    for c in text:
        quoted ^= c == '"'
        if c in "[{(<" and not quoted:
            depth += 1
        elif c in "]})>" and not quoted:
            depth -= 1
        if c == "," and depth == 0 and not quoted:
            out.append(current.strip())
            current = ""
        else:
            current += c
    return [*out, current.strip()] if current.strip() else out


def struct_types(parts: list[str | Function]) -> dict[str, str]:
    """The named types of a module."""
    return {
        m.group(1): m.group(2)
        for p in parts
        if isinstance(p, str) and (m := re.match(r'(%[\w.$-]+|%"[^"]*") = type (.*)', p))
    }


def _pointee(value: str, definitions: Mapping[str, str], layout: Layout) -> str | None:
    """The type that a pointer points to, as far as its definition tells."""
    text = definitions.get(value, "")
    if m := re.match(r"(?:alloca|global) (.*?)(?:, align.*|, !dbg.*)?$", text):
        return m.group(1)
    m = _GEP.match(text)
    if not m:
        return None
    kind = m.group(1)
    for index in [x.strip().split(" ", 1)[1] for x in m.group(2).split(",")[1:]][1:]:
        if a := array(kind):
            kind = a[1]
        elif (members := layout.members(kind)) and index.isdigit():
            kind = members[int(index)]
        else:
            return None
    return kind


def _first(value: str, definitions: Mapping[str, str]) -> str:
    """The object that a pointer to its first member points to."""
    zero = re.compile(r"getelementptr .*ptr ([%@][\w.$-]+)(?:, i\d+ 0)+(?:, !.*)?$")
    while m := zero.match(definitions.get(value, "")):
        value = m.group(1)
    return value


def lower_memory(f: Function, types: Mapping[str, str], globals_: Mapping[str, str]) -> None:
    """In place; calls on objects of unknown type stay for SROA."""
    layout = Layout(types)
    definitions = {f"{g}": f"global {t}" for g, t in globals_.items()}
    _name_addresses(f)
    for _, _, line in f.lines():
        if m := re.match(r"^\s*(%[\w.$-]+) = (.*)$", line):
            definitions[m.group(1)] = m.group(2)
    count = 0
    work = list(f.blocks)
    f.blocks = []
    while work:
        block = work.pop(0)
        for i, line in enumerate(block.lines):
            m = _CALL.match(line)
            kind = _kind(m, definitions, layout) if m else None
            if m is None or kind is None:
                continue
            elements, element = layout.flatten(kind)
            name = f"{FILL}.{count}"
            count += 1
            new, rest = _copy(m, elements, element, layout, name, block, i)
            if rest is None:
                block.lines[i : i + 1] = new[0].lines
                work.insert(0, block)
            else:
                for b in [*f.blocks, *work, rest]:
                    b.lines = [_phi(x, block.name, rest.name) for x in b.lines]
                block.lines = [*block.lines[:i], f"  br label %{name}"]
                f.blocks += [block, *new]
                work.insert(0, rest)
            break
        else:
            f.blocks.append(block)


def _name_addresses(f: Function) -> None:
    """In place: members of global variables that a call fills or copies get an address of their own."""
    count = 0
    for block in f.blocks:
        lines = []
        for line in block.lines:
            while "@llvm.mem" in line and (m := _CONSTANT.search(line)):
                debug = (re.search(r", !dbg !\d+", line) or [""])[0]
                name = f"%{FILL}.g{count}"
                count += 1
                lines.append(f"  {name} = getelementptr {m.group(1)}{m.group(2)}{debug}")
                line = line[: m.start()] + name + line[m.end() :]
            lines.append(line)
        block.lines = lines


def index_constructors(f: Function) -> None:
    """In place: clang's loops over pointers that construct or fill the elements of an array, or its
    last ones, count indices."""
    places: dict[str, tuple[str, int]] = {}  # pointer -> array, element
    for _, _, line in f.lines():
        if m := _PLACE.match(line):
            places[m.group(1)] = m.group(2), int(m.group(3))
    for b in f.blocks:
        if not b.name.startswith(CONSTRUCT):
            continue
        text = "\n".join(b.lines)
        start = re.search(r"(%\S+) = phi ptr \[ (%\S+), (%\S+) \], \[ (%\S+), (%\S+) \](.*)", text)
        step = re.search(r"(%\S+) = getelementptr inbounds (.*), ptr (%\S+), i64 1(.*)", text)
        done = re.search(r"(%\S+) = icmp eq ptr (%\S+), (%\S+?)((?:, !.*)?)$", text, re.M)
        if not (start and step and done) or done.group(3) not in places:
            continue
        now, begin, before, _, latch, debug = start.groups()
        base, end = places[done.group(3)]
        origin, first = places.get(begin, (begin, 0))
        if origin != base:
            continue
        at, after = f"{now}.at", f"{now}.after"
        phi = f"{at} = phi i64 [ 0, {before} ], [ {after}, {latch} ]{debug}"
        here = f"{now} = getelementptr inbounds {step.group(2)}, ptr {begin}, i64 {at}{debug}"
        text = text.replace(start.group(), f"{phi}\n  {here}")
        text = text.replace(step.group(), f"{after} = add nuw nsw i64 {at}, 1{step.group(4)}")
        text = text.replace(
            done.group(), f"{done.group(1)} = icmp uge i64 {after}, {end - first}{done.group(4)}"
        )
        b.lines = text.split("\n")


def _phi(line: str, old: str, new: str) -> str:
    if " = phi " not in line:
        return line
    return re.sub(rf"%{re.escape(old)}(?= \])", f"%{new}", line)


def _kind(m: re.Match[str], definitions: Mapping[str, str], layout: Layout) -> str | None:
    """The type of the object that a call fills or copies, if one of its ends shows it."""
    size = int(m.group(4))
    if m.group(1) == "set" and m.group(3) != "0":
        return None
    for value in (m.group(2), m.group(3)):
        kind = _pointee(_first(value, definitions), definitions, layout)
        # The object may be the first member of what the pointer points to.
        while kind is not None:
            try:
                if layout.size_align(kind)[0] == size and layout.leaves(kind):
                    return kind
                if array(kind) is None and _ends_at(layout.leaves(kind), size):
                    return kind
            except ValueError:
                break
            inner = array(kind)
            members = layout.members(kind)
            kind = inner[1] if inner else (members[0] if members else None)
    return None


def _ends_at(leaves: list[tuple[int, str]], size: int) -> bool:
    """Whether the first `size` bytes are whole members and what follows is padding (bytes)."""
    inside = [o + (8 if k == "ptr" else int(k[1:]) // 8) for o, k in leaves if o < size]
    outside = [(o, k) for o, k in leaves if o >= size]
    return bool(inside) and max(inside) == size and all(k == "i8" for _, k in outside)


def _copy(
    m: re.Match[str],
    elements: int,
    element: str,
    layout: Layout,
    name: str,
    block: Block,
    at: int,
) -> tuple[list[Block], Block | None]:
    """Blocks that do the work, and the block behind them (None: the lines go in place)."""
    verb, to, source, total, rest = m.groups()
    debug = (re.search(r", !dbg !\d+", rest) or [""])[0]
    leaves = layout.leaves(element)
    if elements == 1:
        leaves = [x for x in leaves if x[0] < int(total)]
    lines: list[str] = []
    loop = elements > 1
    ends = [("d", to), ("s", source)] if verb == "cpy" else [("d", to)]
    base = {}
    for key, value in ends:
        base[key] = value
        if loop:
            base[key] = f"%{name}.{key}"
            gep = f"getelementptr inbounds {element}, ptr {value}, i64 %{name}.i"
            lines.append(f"  {base[key]} = {gep}{debug}")
    for n, (offset, kind) in enumerate(leaves):
        where = dict(base)
        if offset:
            for key, _ in ends:
                where[key] = f"%{name}.{key}{n}"
                gep = f"getelementptr inbounds i8, ptr {base[key]}, i64 {offset}"
                lines.append(f"  {where[key]} = {gep}{debug}")
        value = "null" if kind == "ptr" else source
        if verb == "cpy":
            value = f"%{name}.v{n}"
            lines.append(f"  {value} = load {kind}, ptr {where['s']}, align 1{debug}")
        lines.append(f"  store {kind} {value}, ptr {where['d']}, align 1{debug}")
    if not loop:
        return [Block("", lines)], None
    head = Block(
        name,
        [
            f"  %{name}.i = phi i64 [ 0, %{block.name} ], [ %{name}.next, %{name} ]{debug}",
            *lines,
            f"  %{name}.next = add nuw nsw i64 %{name}.i, 1{debug}",
            f"  %{name}.more = icmp ult i64 %{name}.next, {elements}{debug}",
            f"  br i1 %{name}.more, label %{name}, label %{name}.end{debug}",
        ],
    )
    return [head], Block(f"{name}.end", block.lines[at + 1 :])
