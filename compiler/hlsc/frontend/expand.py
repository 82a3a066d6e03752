# SPDX-License-Identifier: Apache-2.0
"""LLVM intrinsics that instcombine leaves, written out as plain instructions.

The middle end then sees integer arithmetic, comparisons, selects, casts, memory and stream calls, and
the few intrinsics of `_KEPT`.
"""

from __future__ import annotations

import re

from hlsc.errors import SourceError
from hlsc.frontend.llvmtext import Function, Metadata, strip_debug

__all__ = ["expand_intrinsics"]

_CALL = re.compile(
    r"^\s*(?:(%[\w.$-]+) = )?(?:tail |musttail |notail )?call .*?@llvm\.([a-z.]+?)\.i(\d+)\((.*)\)"
)
_KEPT = {"ctlz", "cttz", "scmp", "ucmp", "sadd.sat", "ssub.sat"}
"""What the middle end knows how to build."""
_COMPARE = {"umin": "ult", "umax": "ugt", "smin": "slt", "smax": "sgt"}


def expand_intrinsics(f: Function, metadata: Metadata) -> None:
    """In place; an intrinsic that is not known is an error at its source line."""
    count = 0
    for b in f.blocks:
        lines: list[str] = []
        for line in b.lines:
            if "@llvm." not in line or " call " not in line:
                lines.append(line)
                continue
            m = _CALL.match(strip_debug(line).split(") #")[0].rstrip(")") + ")")
            new = None
            if m and m.group(1):
                args = [re.sub(r"^(?:i\d+|noundef|\s)+ ", "", a.strip()) for a in m.group(4).split(",")]
                new = _expand(m.group(1), m.group(2), int(m.group(3)), args, f"%hlsc.x{count}")
                count += 1
                if m.group(2) in _KEPT:
                    new = [strip_debug(line).strip()]
            if new is None:
                name = re.search(r"@(llvm\.[\w.]+)", line)
                raise SourceError(
                    f"the code must not need {name.group(1) if name else 'this intrinsic'}",
                    metadata.loc_of(line),
                    "report it: the front end does not know how to write it out",
                )
            debug = re.search(r", !dbg !\d+", line)
            lines += [f"  {x}{debug.group() if debug else ''}" for x in new]
        b.lines = lines


def _expand(to: str, name: str, w: int, args: list[str], t: str) -> list[str] | None:
    a = args[0]
    b = args[1] if len(args) > 1 else ""
    if name in _COMPARE:
        return [
            f"{t} = icmp {_COMPARE[name]} i{w} {a}, {b}",
            f"{to} = select i1 {t}, i{w} {a}, i{w} {b}",
        ]
    if name == "abs":
        return [
            f"{t}.n = sub i{w} 0, {a}",
            f"{t} = icmp slt i{w} {a}, 0",
            f"{to} = select i1 {t}, i{w} {t}.n, i{w} {a}",
        ]
    if name == "usub.sat":
        return [
            f"{t}.s = sub i{w} {a}, {b}",
            f"{t} = icmp ult i{w} {a}, {b}",
            f"{to} = select i1 {t}, i{w} 0, i{w} {t}.s",
        ]
    if name == "uadd.sat":
        return [
            f"{t}.s = add i{w} {a}, {b}",
            f"{t} = icmp ult i{w} {t}.s, {a}",
            f"{to} = select i1 {t}, i{w} -1, i{w} {t}.s",
        ]
    if name in {"fshl", "fshr"}:
        return _funnel(to, name, w, args, t)
    if name in {"bitreverse", "ctpop"} and w == 1:
        return [f"{to} = add i1 {a}, 0"]
    if name in {"bswap", "bitreverse"}:
        return _permute(to, w, a, 8 if name == "bswap" else 1, t)
    if name == "ctpop":
        return _ctpop(to, w, a, t)
    return None


def _funnel(to: str, name: str, w: int, args: list[str], t: str) -> list[str] | None:
    a, b, s = args
    if re.fullmatch(r"\d+", s):
        left = int(s) % w if name == "fshl" else (w - int(s) % w) % w
        if left == 0:
            return [f"{to} = add i{w} {a if name == 'fshl' else b}, 0"]
        return [
            f"{t}.h = shl i{w} {a}, {left}",
            f"{t}.l = lshr i{w} {b}, {w - left}",
            f"{to} = or disjoint i{w} {t}.h, {t}.l",
        ]
    if w & (w - 1):
        return None
    lines = [f"{t}.s = and i{w} {s}, {w - 1}", f"{t}.r = sub i{w} {w - 1}, {t}.s"]
    if name == "fshl":
        lines += [
            f"{t}.h = shl i{w} {a}, {t}.s",
            f"{t}.o = lshr i{w} {b}, 1",
            f"{t}.l = lshr i{w} {t}.o, {t}.r",
        ]
    else:
        lines += [
            f"{t}.l = lshr i{w} {b}, {t}.s",
            f"{t}.o = shl i{w} {a}, 1",
            f"{t}.h = shl i{w} {t}.o, {t}.r",
        ]
    return [*lines, f"{to} = or disjoint i{w} {t}.h, {t}.l"]


def _permute(to: str, w: int, a: str, step: int, t: str) -> list[str]:
    """Reverse the order of groups of `step` bits."""
    lines, n, acc = [], w // step, ""
    for i in range(n):
        move = w - step - 2 * i * step
        part = f"{t}.m{i}"
        lines.append(f"{part} = and i{w} {a}, {((1 << step) - 1) << (i * step)}")
        moved = f"{t}.s{i}"
        op = "shl" if move >= 0 else "lshr"
        lines.append(f"{moved} = {op} i{w} {part}, {abs(move)}")
        if acc:
            whole = to if i == n - 1 else f"{t}.o{i}"
            lines.append(f"{whole} = or disjoint i{w} {acc}, {moved}")
            acc = whole
        else:
            acc = moved
    return lines


def _ctpop(to: str, w: int, a: str, t: str) -> list[str]:
    lines, acc = [], ""
    for i in range(w):
        lines.append(f"{t}.s{i} = lshr i{w} {a}, {i}")
        lines.append(f"{t}.b{i} = and i{w} {t}.s{i}, 1")
        if acc:
            whole = to if i == w - 1 else f"{t}.a{i}"
            lines.append(f"{whole} = add i{w} {acc}, {t}.b{i}")
            acc = whole
        else:
            acc = f"{t}.b{i}"
    return lines
