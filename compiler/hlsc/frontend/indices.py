# SPDX-License-Identifier: Apache-2.0
"""Indices of arrays, kept apart from their addresses while LLVM cleans up.

instcombine moves the constant of `a[2][j + 5]` to the row's: bytes that also are `a[3][j - 3]`.  That
is one place but not one bank, so which dimension an index counts must survive.  In a structure
`s.b[j - 1]` would look like `s.a[j + 2]` where `int a[3]` stands before `b`.  It also computes
`a[x >> 5 & 1]` of four-byte elements with the offset `x >> 3 & 4`, which is no index any more.  So
variable indices are passed through a function that LLVM knows nothing of, but for plain arrays, unless
their index is made by shifts and masks.
"""

from __future__ import annotations

import re

from hlsc.frontend.arrays import FunctionIndex
from hlsc.frontend.llvmtext import Function, ModuleText

__all__ = ["expose_indices", "hide_indices"]

_DECLARE = (
    "declare i64 @hlsc.index(i64) nounwind willreturn nosync nocallback speculatable memory(none)\n"
)
_GEP = re.compile(r"^\s*(%[\w.$-]+) = getelementptr .*?, ptr ([%@][\w.$-]+)((?:, i\d+ [^,\s]+)*)")
_ALLOCA = re.compile(r"^\s*(%[\w.$-]+) = alloca (.*?)(?:, align|, !dbg|$)")
_GLOBAL = re.compile(r"(@[\w.$-]+) = .*?(?:constant|global) (\[.*)", re.S)
_PLAIN = re.compile(r"\[\d+ x i\d+\]")
_CALL = re.compile(r"^\s*(%[\w.$-]+) = call i64 @hlsc\.index\(i64 (\S+)\)")


def hide_indices(module: ModuleText) -> str:
    """The module's text with those indices behind calls."""
    tables = {
        m.group(1): m.group(2) for p in module.parts if isinstance(p, str) and (m := _GLOBAL.match(p))
    }
    for f in module.functions:
        _hide(f, tables)
    return f"{module}{_DECLARE}"


def _hide(f: Function, tables: dict[str, str]) -> None:
    types, made_by = dict(tables), FunctionIndex.of(f).definitions
    count = 0

    def scaled_away(value: str) -> bool:
        """Whether the element's size could go into how the index is made."""
        text = made_by.get(value, "")
        while m := re.match(r"(?:zext|sext|trunc) .*?(%[\w.$-]+) to ", text):
            text = made_by.get(m.group(1), "")
        return text.startswith(("and ", "lshr ", "ashr ", "shl "))

    for b in f.blocks:
        lines = []
        for line in b.lines:
            if m := _ALLOCA.match(line):
                types[m.group(1)] = m.group(2)
            elif m := _GEP.match(line):
                # Blocks stand in an order in which definitions come first, but for addresses in loops.
                kind = types.setdefault(m.group(1), types.get(m.group(2), ""))
                indices = m.group(3)
                for value in dict.fromkeys(re.findall(r", i64 (%[\w.$-]+)", indices)):
                    if _PLAIN.match(kind) and not scaled_away(value):
                        continue
                    count += 1
                    lines.append(f"  %hlsc.index.{count} = call i64 @hlsc.index(i64 {value})")
                    indices = re.sub(rf"{re.escape(value)}(?![\w.$-])", f"%hlsc.index.{count}", indices)
                line = line[: m.start(3)] + indices + line[m.end(3) :]
            lines.append(line)
        b.lines = lines


def expose_indices(module: ModuleText) -> None:
    """In place: the calls taken out again."""
    for f in module.functions:
        values: dict[str, str] = {}
        for b in f.blocks:
            kept = []
            for line in b.lines:
                if m := _CALL.match(line):
                    values[m.group(1)] = m.group(2)
                else:
                    kept.append(line)
            b.lines = kept
        if not values:
            continue

        def exposed(m: re.Match[str], values: dict[str, str] = values) -> str:
            name = m.group()
            while name in values:
                name = values[name]
            return name

        for b in f.blocks:
            b.lines = [re.sub(r"%[\w.$-]+", exposed, x) if "%hlsc.index" in x else x for x in b.lines]
    module.parts = [p for p in module.parts if not (isinstance(p, str) and "@hlsc.index(" in p)]
