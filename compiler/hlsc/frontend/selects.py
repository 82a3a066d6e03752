# SPDX-License-Identifier: Apache-2.0
"""Selected shift amounts, turned round into selected values.

instcombine writes a choice between two fields of one word as the word shifted by a selected amount.
Hardware wants two sets of wires.
"""

from __future__ import annotations

import re

from hlsc.frontend.llvmtext import Function

__all__ = ["select_shifted"]

_CONST = re.compile(r"^\s*(%[\w.$-]+) = select i1 (\S+), i\d+ (\d+), i\d+ (\d+)(?:,|$)")
_SHIFT = re.compile(r"^\s*(%[\w.$-]+) = (lshr|ashr|shl) ((?:\w+ )*)(i\d+) (\S+), (%[\w.$-]+)(?:,|$)")
_DEBUG = re.compile(r", !dbg !\d+")


def _debug(line: str) -> str:
    m = _DEBUG.search(line)
    return m.group() if m else ""


def select_shifted(f: Function) -> None:
    """In place."""
    amounts = {
        m.group(1): m.groups()[1:] for _, _, x in f.lines() if (m := _CONST.match(x)) is not None
    }
    count = 0
    for b in f.blocks:
        lines = []
        for line in b.lines:
            m = _SHIFT.match(line)
            if not m or m.group(6) not in amounts:
                lines.append(line)
                continue
            result, op, flags, kind, value, amount = m.groups()
            condition, one, zero = amounts[amount]
            for suffix, n in (("a", one), ("b", zero)):
                lines.append(
                    f"  %hlsc.h{count}.{suffix} = {op} {flags}{kind} {value}, {n}{_debug(line)}"
                )
            lines.append(
                f"  {result} = select i1 {condition}, {kind} %hlsc.h{count}.a, "
                f"{kind} %hlsc.h{count}.b{_debug(line)}"
            )
            count += 1
        b.lines = lines
