# SPDX-License-Identifier: Apache-2.0
"""Selected addresses and selected shift amounts, turned round into selected values.

instcombine writes `c ? a[i] : b[j]` as a load from a selected address, and two fields of one word as
the word shifted by a selected amount.  Hardware wants two loads, and two sets of wires.
"""

from __future__ import annotations

import re

from hlsc.errors import SourceError
from hlsc.frontend.llvmtext import Function, Metadata

__all__ = ["select_values"]

_SELECT = re.compile(r"^\s*(%[\w.$-]+) = select i1 (\S+), ptr (\S+), ptr ([^,\s]+)")
_JOIN = re.compile(r"^\s*(%[\w.$-]+) = phi ptr (\[.*\])(?:, !|$)")
_WAY = re.compile(r"\[ ([%@][\w.$-]+), %([\w.$-]+) \]")
_FIELD = re.compile(
    r"^\s*(%[\w.$-]+) = getelementptr (.*?), ptr (%[\w.$-]+)((?:, i\d+ \d+)+(?:, !.*)?)$"
)
_LOAD = re.compile(r"^\s*(%[\w.$-]+) = load (i\d+), ptr (%[\w.$-]+)(.*)$")
_CONST = re.compile(r"^\s*(%[\w.$-]+) = select i1 (\S+), i\d+ (\d+), i\d+ (\d+)(?:,|$)")
_SHIFT = re.compile(r"^\s*(%[\w.$-]+) = (lshr|ashr|shl) ((?:\w+ )*)(i\d+) (\S+), (%[\w.$-]+)(?:,|$)")
_DEBUG = re.compile(r", !dbg !\d+")


def select_values(f: Function, metadata: Metadata) -> None:
    """In place; a store to a selected address, or an address that a loop carries, is an error."""
    _fields(f)
    _joined(f)
    _addresses(f, metadata)
    _shifts(f)


def _fields(f: Function) -> None:
    """A constant offset from an address that branches chose becomes one in each branch."""
    for b in f.blocks:
        at = 0
        while at < len(b.lines):
            joined = _JOIN.match(b.lines[at])
            fields = [m for x in b.lines if joined and (m := _FIELD.match(x))]
            field = next((m for m in fields if joined and m.group(3) == joined.group(1)), None)
            if joined is None or field is None:
                at += 1
                continue
            result, how, _, offset = field.groups()
            arms = []
            for k, (address, before) in enumerate(_WAY.findall(joined.group(2))):
                source = next(x for x in f.blocks if x.name == before)
                line = f"  {result}.way{k} = getelementptr {how}, ptr {address}{offset}"
                source.lines.insert(-1, line)
                arms.append(f"[ {result}.way{k}, %{before} ]")
            b.lines.remove(field.group())
            line = f"  {result} = phi ptr {', '.join(arms)}{_debug(joined.group())}"
            b.lines.insert(at + 1, line)


def _joined(f: Function) -> None:
    """A load from an address that branches chose becomes a load in each branch, if nothing is stored
    between the join and the load."""
    for b in f.blocks:
        for line in list(b.lines):
            if not (m := _JOIN.match(line)):
                continue
            name, ways = m.group(1), _WAY.findall(m.group(2))
            uses = [(x, y) for x in f.blocks for y in x.lines if y != line and _uses(y, name)]
            at = b.lines.index(line)
            loads = [_LOAD.match(y) if x is b else None for x, y in uses]
            last = max((b.lines.index(y) for x, y in uses if x is b), default=at)
            stored = any(" store " in y or "@llvm.mem" in y for y in b.lines[at:last])
            if stored or not loads or any(x is None or x.group(3) != name for x in loads):
                continue
            for k, load in enumerate(x for x in loads if x is not None):
                arms: list[str] = []
                kind, rest = load.group(2), load.group(4)
                for address, before in ways:
                    value = f"{name}.way{k}.{len(arms)}"
                    source = next(x for x in f.blocks if x.name == before)
                    source.lines.insert(-1, f"  {value} = load {kind}, ptr {address}{rest}")
                    arms.append(f"[ {value}, %{before} ]")
                b.lines[b.lines.index(load.group())] = ""
                b.lines.insert(at, f"  {load.group(1)} = phi {kind} {', '.join(arms)}{_debug(line)}")
            b.lines = [x for x in b.lines if x and x != line]


def _uses(line: str, name: str) -> bool:
    return re.search(re.escape(name) + r"(?![\w.$-])", line) is not None


def _debug(line: str) -> str:
    m = _DEBUG.search(line)
    return m.group() if m else ""


def _refuse(line: str, metadata: Metadata) -> SourceError:
    return SourceError(
        "an address must be one array element that is known at compile time or by its index",
        metadata.loc_of(line),
        "select the values instead of pointers or references; store in both branches of an if",
    )


def _addresses(f: Function, metadata: Metadata) -> None:
    count = 0
    while True:
        found = next(
            ((b, i, m) for b, i, x in f.lines() if (m := _SELECT.match(x))),
            None,
        )
        if found is None:
            break
        block, at, m = found
        name, condition, one, zero = m.groups()
        del block.lines[at]
        use = re.compile(re.escape(name) + r"(?![\w.$-])")
        for b in f.blocks:
            lines = []
            for line in b.lines:
                if not use.search(line):
                    lines.append(line)
                    continue
                hit = re.match(
                    r"^\s*(%[\w.$-]+) = (load (?:volatile )?(\S+|%\S+), |getelementptr .*?)ptr ", line
                )
                address = hit and re.search(r"ptr (%[\w.$-]+)", line)
                if not hit or not address or address.group(1) != name:
                    raise _refuse(line, metadata)
                result = hit.group(1)
                kind = (hit.group(3) or "ptr").rstrip(",")
                parts = []
                for value, suffix in ((one, "a"), (zero, "b")):
                    fresh = f"%hlsc.s{count}.{suffix}"
                    text = re.sub(rf"^\s*{re.escape(result)} =", f"  {fresh} =", line)
                    lines.append(use.sub(lambda _, v=value: v, text))  # type: ignore[misc]
                    parts.append(f"{kind} {fresh}")
                count += 1
                lines.append(
                    f"  {result} = select i1 {condition}, {parts[0]}, {parts[1]}{_debug(line)}"
                )
            b.lines = lines
    for _, _, line in f.lines():
        if " = phi ptr " in line:
            raise _refuse(line, metadata)


def _shifts(f: Function) -> None:
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
