# SPDX-License-Identifier: Apache-2.0
"""UNROLL factor=n: n copies of a loop's body, each behind its own exit check.

Done on unoptimised IR, where values cross blocks through memory only, so that copying blocks is all
there is to it; right for every number of iterations and for every break.  (LLVM's unroller only takes
counts that divide the times that the loop's *header* runs, and unrolls completely otherwise.)
"""

from __future__ import annotations

import re

from hlsc.errors import SourceError
from hlsc.frontend.llvmtext import Block, Function, natural_loops
from hlsc.ir import Loc

__all__ = ["copy_loop"]

_LABEL = re.compile(r"label %([\w.$-]+)")
_DEFINED = re.compile(r"^\s*(%[\w.$-]+) = ")


def copy_loop(f: Function, header: str, factor: int, serial: int, loc: Loc | None) -> None:
    """In place: one round of the loop does what `factor` rounds did.  `serial` tells copies of nested
    loops apart: it must not repeat in a function."""
    loop = natural_loops(f)[header]
    _name_numbers(f)
    inside = [b for b in f.blocks if b.name in loop.blocks]
    values = {m.group(1) for b in inside for x in b.lines if (m := _DEFINED.match(x))}
    used_outside = [
        x
        for b in f.blocks
        if b.name not in loop.blocks
        for x in b.lines
        if values & set(re.findall(r"%[\w.$-]+", x))
        or (" = phi " in x and set(re.findall(r"%([\w.$-]+) \]", x)) & loop.blocks)
    ]
    if used_outside or any(" = phi " in x for x in f.block(header).lines):
        raise SourceError(
            "UNROLL factor=n must stand in a loop that is left without a value",
            loc,
            "assign to a variable before the break or return",
        )
    copies: list[Block] = []
    for k in range(1, factor):
        following = f"{header}.u{serial}.{k + 1}" if k + 1 < factor else header
        suffix, last = f".u{serial}.{k}", k + 1 == factor
        copies += [_copy(b, loop.blocks, values, header, following, suffix, last) for b in inside]
    for b in inside:
        b.lines[-1] = _retarget(b.lines[-1], header, f"{header}.u{serial}.1")
    at = max(i for i, b in enumerate(f.blocks) if b.name in loop.blocks) + 1
    f.blocks[at:at] = copies


def _retarget(line: str, old: str, new: str) -> str:
    """A terminator with its back edge turned to the next copy, where the loop's metadata is no more."""
    out = re.sub(rf"label %{re.escape(old)}(?![\w.$-])", f"label %{new}", line)
    return re.sub(r", !llvm\.loop !\d+", "", out) if out != line else line


def _copy(
    block: Block,
    blocks: set[str],
    values: set[str],
    header: str,
    following: str,
    suffix: str,
    last: bool,
) -> Block:
    def label(m: re.Match[str]) -> str:
        name = m.group(1)
        if name == header:
            return f"label %{following}"
        return f"label %{name}{suffix}" if name in blocks else m.group()

    def value(m: re.Match[str]) -> str:
        name = m.group()
        # In a phi the blocks stand as values.
        return f"{name}{suffix}" if name in values or name[1:] in blocks else name

    lines = []
    for line in block.lines:
        parts = _LABEL.split(line)
        text = "".join(
            re.sub(r"%[\w.$-]+", value, p) if i % 2 == 0 else label(_label_match(p))
            for i, p in enumerate(parts)
        )
        if not last and f"label %{following}" in text:
            text = re.sub(r", !llvm\.loop !\d+", "", text)
        lines.append(text)
    return Block(f"{block.name}{suffix}", lines)


def _label_match(name: str) -> re.Match[str]:
    m = _LABEL.match(f"label %{name}")
    assert m
    return m


def _name_numbers(f: Function) -> None:
    """Numbered values get names: their numbers would have to follow the order of the text."""
    f.header = re.sub(r"%(\d+)(?=[,)])", r"%n.\1", f.header)
    for b in f.blocks:
        b.lines = [re.sub(r"%(\d+)\b(?![\w.$-])", r"%n.\1", x) for x in b.lines]
