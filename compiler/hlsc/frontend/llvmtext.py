# SPDX-License-Identifier: Apache-2.0
"""LLVM IR as text: functions, blocks, natural loops, metadata, debug locations.

llvmlite's value API lacks metadata, flags and most instruction attributes, so the front end works on
the printed module, line by line.  Only what LLVM itself prints (after one parse) is understood.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from hlsc.ir import Loc

__all__ = [
    "Block",
    "Function",
    "Loop",
    "Metadata",
    "ModuleText",
    "natural_loops",
    "plain_name",
    "strip_debug",
]

NAME = r'(?:"[^"]*"|[\w.$-]+)'
_LABEL = re.compile(rf"^({NAME}):")
_SUCCESSOR = re.compile(rf"label %({NAME})")
_DEFINE = re.compile(rf"^define .*?@({NAME})\(")
_META = re.compile(r"^!(\d+) = (.*)$")
_LOC = re.compile(r"!DILocation\(line: (\d+),(?: column: \d+,)? scope: !(\d+)(?:, inlinedAt: !(\d+))?")
_CALLED = re.compile(rf"\bcall\b[^@]*@({NAME})\(")


@dataclass
class Block:
    """A basic block: its label, its instruction lines, the terminator last (a switch is one entry)."""

    name: str
    lines: list[str] = field(default_factory=list)

    @property
    def successors(self) -> list[str]:
        last = self.lines[-1] if self.lines else ""
        return list(dict.fromkeys(_SUCCESSOR.findall(last)))


@dataclass
class Function:
    """A function definition; `header` is the define line up to the opening brace."""

    name: str
    header: str
    blocks: list[Block] = field(default_factory=list)

    def block(self, name: str) -> Block:
        return next(b for b in self.blocks if b.name == name)

    def lines(self) -> Iterator[tuple[Block, int, str]]:
        for b in self.blocks:
            for i, line in enumerate(b.lines):
                yield b, i, line

    def calls(self) -> list[str]:
        """Names of the functions that are called directly, in order, repeated as they occur."""
        return [m.group(1).strip('"') for _, _, x in self.lines() if (m := _CALLED.search(x))]

    @property
    def subprogram(self) -> int | None:
        m = re.search(r"!dbg !(\d+) \{$", self.header)
        return int(m.group(1)) if m else None

    def __str__(self) -> str:
        out = [self.header]
        for i, b in enumerate(self.blocks):
            out += ([""] if i else []) + [f"{b.name}:", *b.lines]
        return "\n".join([*out, "}"])


@dataclass
class Loop:
    """A natural loop: its header, every block in it, its latches, the loop around it."""

    header: str
    blocks: set[str]
    latches: list[str]
    parent: Loop | None = None

    def ancestors(self) -> Iterator[Loop]:
        at = self.parent
        while at is not None:
            yield at
            at = at.parent


class Metadata:
    """Numbered metadata of a module, with locations resolved on demand."""

    def __init__(self, nodes: dict[int, str]) -> None:
        self.nodes = nodes
        self.next = max(nodes, default=-1) + 1

    def add(self, text: str) -> int:
        """Append a node; `{self}` in the text stands for its own number."""
        number = self.next
        self.next += 1
        self.nodes[number] = text.replace("{self}", f"!{number}")
        return number

    def string(self, number: int, key: str) -> str | None:
        m = re.search(rf'\b{key}: "((?:[^"\\]|\\.)*)"', self.nodes.get(number, ""))
        return m.group(1) if m else None

    def reference(self, number: int, key: str) -> int | None:
        m = re.search(rf"\b{key}: !(\d+)", self.nodes.get(number, ""))
        return int(m.group(1)) if m else None

    def file_of(self, scope: int) -> str:
        """The file name of a scope (subprogram, lexical block or file itself)."""
        seen = 0
        at: int | None = scope
        while at is not None and seen < 64:
            name = self.string(at, "filename")
            if name is not None:
                return name
            file = self.reference(at, "file")
            at = file if file is not None else self.reference(at, "scope")
            seen += 1
        return ""

    def subprogram_loc(self, number: int) -> Loc:
        m = re.search(r"\bline: (\d+)", self.nodes[number])
        return Loc(self.file_of(number), int(m.group(1)) if m else 0)

    def loc(self, number: int, outermost: bool = False) -> Loc | None:
        """Where a DILocation points; `outermost`: the user's line that all of it was inlined into."""
        m = _LOC.search(self.nodes.get(number, ""))
        if not m:
            return None
        here = Loc(self.file_of(int(m.group(2))), int(m.group(1)))
        if outermost and m.group(3):
            around = self.loc(int(m.group(3)), True)
            if around is not None and not around.file.startswith("<"):
                return around
        return here

    def loc_of(self, line: str, outermost: bool = False) -> Loc | None:
        """Where an instruction line stands."""
        m = re.search(r"!dbg !(\d+)", line)
        return self.loc(int(m.group(1)), outermost) if m else None

    def places_of(self, line: str) -> list[Loc]:
        """Where an instruction line stands, and the calls through which it came to be inlined."""
        found: list[Loc] = []
        m = re.search(r"!dbg !(\d+)", line)
        number = m.group(1) if m else None
        while number and (m := _LOC.search(self.nodes.get(int(number), ""))):
            found.append(Loc(self.file_of(int(m.group(2))), int(m.group(1))))
            number = m.group(3)
        return found

    def function_of(self, line: str) -> str:
        """The C++ name, template arguments included, of the function an instruction was written in."""
        m = re.search(r"!dbg !(\d+)", line)
        scope = self.reference(int(m.group(1)), "scope") if m else None
        return (self.string(scope, "name") or "") if scope is not None else ""

    def loop_items(self, line: str) -> list[int]:
        """The items of the !llvm.loop node of a branch, without the self reference."""
        m = re.search(r"!llvm\.loop !(\d+)", line)
        if not m:
            return []
        return [int(x) for x in re.findall(r"!(\d+)", self.nodes[int(m.group(1))])[1:]]

    def loop_loc(self, line: str) -> Loc | None:
        for item in self.loop_items(line):
            if (loc := self.loc(item)) is not None:
                return loc
        return None

    def loop_value(self, line: str, key: str) -> int | None:
        """The integer of `!{!"key", i32 n}` in the loop metadata of a branch."""
        for item in self.loop_items(line):
            m = re.match(rf'!\{{!"{re.escape(key)}"(?:, i32 (-?\d+))?\}}', self.nodes[item])
            if m:
                return int(m.group(1) or 1)
        return None


class ModuleText:
    """A module taken apart: text before and between functions, functions, metadata."""

    def __init__(self, text: str) -> None:
        self.parts: list[str | Function] = []
        nodes: dict[int, str] = {}
        lines = iter(text.splitlines())
        for line in lines:
            if line.startswith("define "):
                self.parts.append(_function(line, lines))
            elif m := _META.match(line):
                nodes[int(m.group(1))] = m.group(2)
            else:
                self.parts.append(line)
        self.metadata = Metadata(nodes)

    @property
    def functions(self) -> list[Function]:
        return [p for p in self.parts if isinstance(p, Function)]

    def function(self, name: str) -> Function:
        return next(f for f in self.functions if f.name == name)

    def replace(self, old: str | Function, new: str | Function | None) -> None:
        at = next(i for i, p in enumerate(self.parts) if p is old)
        self.parts[at : at + 1] = [] if new is None else [new]

    def __str__(self) -> str:
        meta = [f"!{n} = {t}" for n, t in sorted(self.metadata.nodes.items())]
        return "\n".join([*(str(p) for p in self.parts), *meta]) + "\n"


def _function(line: str, lines: Iterable[str]) -> Function:
    m = _DEFINE.match(line)
    assert m, line
    f = Function(m.group(1).strip('"'), line)
    for line in lines:
        if line == "}":
            break
        if m := _LABEL.match(line):
            f.blocks.append(Block(m.group(1)))
        elif line.strip() and not line.lstrip().startswith(";"):
            if not f.blocks:  # the printer leaves an unnamed entry block without a label
                f.blocks.append(Block("entry"))
            block = f.blocks[-1]
            if (
                block.lines
                and block.lines[-1].lstrip().startswith("switch")
                and "]" not in block.lines[-1]
            ):
                block.lines[-1] += "\n" + line
            else:
                block.lines.append(line)
    return f


def natural_loops(f: Function) -> dict[str, Loop]:
    """The natural loops of a function by header; loops with one header are one loop."""
    blocks = {b.name: b.successors for b in f.blocks}
    preds: dict[str, list[str]] = {b: [] for b in blocks}
    for b, succ in blocks.items():
        for s in succ:
            preds[s].append(b)
    entry = f.blocks[0].name
    order: list[str] = []
    seen = {entry}
    stack = [(entry, iter(blocks[entry]))]
    while stack:
        name, it = stack[-1]
        for s in it:
            if s not in seen:
                seen.add(s)
                stack.append((s, iter(blocks[s])))
                break
        else:
            order.append(name)
            stack.pop()
    order.reverse()
    index = {b: i for i, b in enumerate(order)}
    idom: dict[str, str] = {entry: entry}
    changed = True
    while changed:
        changed = False
        for b in order[1:]:
            new: str | None = None
            for p in preds[b]:
                if p in idom:
                    new = p if new is None else _meet(p, new, idom, index)
            assert new is not None
            if idom.get(b) != new:
                idom[b], changed = new, True
    loops: dict[str, Loop] = {}
    for b in order:
        for s in blocks[b]:
            if index[s] <= index[b] and _dominates(s, b, idom):
                loop = loops.setdefault(s, Loop(s, {s}, []))
                loop.latches.append(b)
                work = [b]
                while work:
                    at = work.pop()
                    if at not in loop.blocks:
                        loop.blocks.add(at)
                        work += [p for p in preds[at] if p in index]
    for loop in loops.values():
        around = [x for x in loops.values() if x is not loop and loop.header in x.blocks]
        loop.parent = min(around, key=lambda x: len(x.blocks), default=None)
    return loops


def _meet(a: str, b: str, idom: dict[str, str], index: dict[str, int]) -> str:
    while a != b:
        if index[a] > index[b]:
            a = idom[a]
        else:
            b = idom[b]
    return a


def _dominates(a: str, b: str, idom: dict[str, str]) -> bool:
    while True:
        if a == b:
            return True
        if b not in idom or idom[b] == b:
            return False
        b = idom[b]


def innermost(loops: dict[str, Loop], block: str) -> Loop | None:
    """The smallest loop that contains a block."""
    return min(
        (x for x in loops.values() if block in x.blocks), key=lambda x: len(x.blocks), default=None
    )


def strip_debug(line: str) -> str:
    """An instruction line without its metadata attachments."""
    return re.sub(r"(?:, !\w[\w.]* !\d+)+", "", line)


def plain_name(symbol: str) -> str:
    """The last part of a C++ variable's symbol: of `_ZZ3firE9shift_reg`, shift_reg."""
    for i in range(len(symbol)):
        if symbol.startswith("_Z") and (m := re.match(r"\d+(?=[A-Za-z_])", symbol[i:])):
            start = i + m.end()
            end = start + int(m.group())
            if end <= len(symbol) and re.fullmatch(r"E?(_\d*)?(\.\d+)?", symbol[end:]):
                return symbol[start:end]
    return symbol
