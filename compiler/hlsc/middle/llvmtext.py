# SPDX-License-Identifier: Apache-2.0
"""Parser of LLVM 22 IR text, the subset that occurs after the front end's passes.

The module is printed once and parsed: llvmlite's value API lacks predicates, GEP types, flags and
metadata.  An instruction outside the subset is a `SourceError` that names the line of the C++ source.
"""

from __future__ import annotations

import re
from dataclasses import replace

from hlsc.errors import SourceError
from hlsc.frontend.program import SCOPE
from hlsc.ir import Loc
from hlsc.middle.llvmline import Line, unquote
from hlsc.middle.llvmtypes import (
    ArrayType,
    Block,
    Function,
    GlobalTable,
    Instr,
    IntConst,
    IntType,
    Module,
    OtherType,
    StructType,
    Type,
    Value,
)

__all__ = ["SHIM_HEADERS", "parse_module", "parse_type"]

SHIM_HEADERS = frozenset(
    "ap_int.h ap_fixed.h hls_stream.h ap_axi_sdata.h hlsc_ap_base.h hlsc_ap_bits.h hlsc_ap_ops.h "
    "hlsc_ap_ref.h hlsc_stream_synth.h".split()
)
"""Headers whose lines are never shown: a location inside them moves out to the call in user code."""

_BINARY = frozenset("add sub mul udiv sdiv urem srem shl lshr ashr and or xor".split())
_CASTS = frozenset("zext sext trunc bitcast ptrtoint inttoptr".split())


class _Metadata:
    """The numbered metadata of a module: locations and loop marks."""

    _line = re.compile(r"^!(\d+) = (?:distinct )?(.*)$", re.M)

    def __init__(self, text: str) -> None:
        self.raw = {int(m.group(1)): m.group(2) for m in self._line.finditer(text)}
        self._locs: dict[int, Loc | None] = {}
        self.marked = f'"{SCOPE}' in text

    def _ref(self, text: str, key: str) -> int | None:
        m = re.search(rf"\b{key}: !(\d+)", text)
        return int(m.group(1)) if m else None

    def file_of(self, scope: int | None) -> str:
        while scope is not None:
            text = self.raw.get(scope, "")
            file = self._ref(text, "file")
            if file is not None:
                m = re.search(r'filename: "((?:[^"\\]|\\.)*)"', self.raw.get(file, ""))
                return m.group(1) if m else ""
            scope = self._ref(text, "scope")
        return ""

    def loc(self, number: int | None) -> Loc | None:
        """The place in user code: shim headers are left through inlinedAt."""
        if number is None:
            return None
        if number not in self._locs:
            text = self.raw.get(number, "")
            m = re.search(r"\bline: (\d+)", text)
            file = self.file_of(self._ref(text, "scope"))
            found = Loc(file, int(m.group(1))) if m and file else None
            outer = self._ref(text, "inlinedAt")
            if outer is not None and (found is None or re.split(r"[/\\]", file)[-1] in SHIM_HEADERS):
                found = self.loc(outer) or found
            self._locs[number] = found and replace(found, scopes=self._scopes(number))
        return self._locs[number]

    def _scopes(self, number: int | None) -> tuple[int, ...]:
        """Numbers of the marked functions that a location lies in, calls inlined."""
        found = []
        while number is not None and self.marked:
            text = self.raw.get(number, "")
            at = self._ref(text, "scope")
            number = self._ref(text, "inlinedAt")
            while at is not None:
                text = self.raw.get(at, "")
                if m := re.search(rf'linkageName: "{re.escape(SCOPE)}(\d+)"', text):
                    found.append(int(m.group(1)))
                at = None if "DISubprogram(" in text else self._ref(text, "scope")
        return tuple(dict.fromkeys(found))

    def loop(self, number: int | None) -> int | None:
        """The key behind `!"hlsc.loop", i32 L` in a loop's metadata."""
        for ref in re.findall(r"!(\d+)", self.raw.get(number, "") if number is not None else ""):
            m = re.match(r'!\{!"hlsc\.loop", i32 (\d+)\}', self.raw.get(int(ref), ""))
            if m:
                return int(m.group(1))
        return None

    def subprogram_loc(self, number: int | None) -> Loc | None:
        text = self.raw.get(number, "") if number is not None else ""
        m = re.search(r"\bline: (\d+)", text)
        file = self.file_of(number)
        return Loc(file, int(m.group(1))) if m and file else None


_DBG = re.compile(r", !([\w.]+) !(\d+)")


def _instruction(text: str, types: dict[str, Type], meta: _Metadata) -> Instr:
    marks = {m.group(1): int(m.group(2)) for m in _DBG.finditer(text)}
    loc = meta.loc(marks.get("dbg"))
    loop = meta.loop(marks.get("llvm.loop"))
    text = _DBG.sub("", text)
    try:
        ln = Line(text, types)
        name = ""
        if len(ln.toks) > 2 and ln.toks[1] == "=":
            name = unquote(ln.next()[1:])
            ln.expect("=")
        made = _body(ln, name, loc, loop)
        return replace(made, flags=made.flags | {"fabric"}) if "hlsc.fabric" in marks else made
    except (ValueError, IndexError) as e:
        raise SourceError(
            f"the LLVM instruction `{text.strip()}` is not supported ({e})",
            loc,
            "write the statement with integers, arrays, loops and streams only",
        ) from e


def _body(ln: Line, name: str, loc: Loc | None, loop: int | None) -> Instr:
    flags = ln.flags()
    op = ln.next()
    flags |= ln.flags()
    void = OtherType("void")
    if op in _BINARY:
        t = ln.type()
        a = ln.value(t)
        ln.expect(",")
        return Instr(op, name, t, (a, ln.value(t)), (t, t), flags, loc=loc)
    if op in _CASTS:
        t, a = ln.typed()
        ln.expect("to")
        return Instr(op, name, ln.type(), (a,), (t,), flags, loc=loc)
    if op == "icmp":
        predicate = ln.next()
        t = ln.type()
        a = ln.value(t)
        ln.expect(",")
        return Instr(op, name, IntType(1), (a, ln.value(t)), (t, t), flags, predicate, loc=loc)
    if op == "freeze":
        t, a = ln.typed()
        return Instr(op, name, t, (a,), (t,), loc=loc)
    if op == "select":
        ct, c = ln.typed()
        ln.expect(",")
        t, a = ln.typed()
        ln.expect(",")
        _, b = ln.typed()
        return Instr(op, name, t, (c, a, b), (ct, t, t), loc=loc)
    if op == "phi":
        t = ln.type()
        values: list[Value] = []
        labels: list[str] = []
        while True:
            ln.expect("[")
            values.append(ln.value(t))
            ln.expect(",")
            labels.append(unquote(ln.next()[1:]))
            ln.expect("]")
            if not ln.take(","):
                break
        return Instr(op, name, t, tuple(values), (t,) * len(values), labels=tuple(labels), loc=loc)
    if op == "br":
        if ln.take("label"):
            return Instr(op, "", void, labels=(unquote(ln.next()[1:]),), loc=loc, loop=loop)
        t, c = ln.typed()
        both = []
        for _ in range(2):
            ln.expect(",")
            ln.expect("label")
            both.append(unquote(ln.next()[1:]))
        return Instr(op, "", void, (c,), (t,), labels=tuple(both), loc=loc, loop=loop)
    if op == "switch":
        t, c = ln.typed()
        ln.expect(",")
        ln.expect("label")
        targets = [unquote(ln.next()[1:])]
        cases = []
        ln.expect("[")
        while not ln.take("]"):
            case = ln.value(ln.type())
            if not isinstance(case, IntConst):
                raise ValueError("a case that is no number")
            cases.append(case.value)
            ln.expect(",")
            ln.expect("label")
            targets.append(unquote(ln.next()[1:]))
        return Instr(
            op, "", void, (c,), (t,), labels=tuple(targets), cases=tuple(cases), loc=loc, loop=loop
        )
    if op == "ret":
        if ln.take("void"):
            return Instr(op, "", void, loc=loc)
        t, a = ln.typed()
        return Instr(op, "", t, (a,), (t,), loc=loc)
    if op == "unreachable":
        return Instr(op, "", void, loc=loc)
    if op == "alloca":
        t = ln.type()
        if ln.take(","):
            size = ln.typed()[1] if ln.peek() != "align" else None
            if isinstance(size, IntConst) and size.value != 1:
                t = ArrayType(size.value, t)
            elif size is not None and not isinstance(size, IntConst):
                raise ValueError("an array whose length is not constant")
        return Instr(op, name, OtherType("ptr"), source_type=t, loc=loc)
    if op == "load":
        t = ln.type()
        ln.expect(",")
        pt, p = ln.typed()
        return Instr(op, name, t, (p,), (pt,), flags, loc=loc)
    if op == "store":
        t, v = ln.typed()
        ln.expect(",")
        pt, p = ln.typed()
        return Instr(op, "", t, (v, p), (t, pt), flags, loc=loc)
    if op == "getelementptr":
        source = ln.type()
        ln.expect(",")
        pairs = [ln.typed()]
        while ln.take(","):
            pairs.append(ln.typed())
        ts, vs = zip(*pairs, strict=True)
        return Instr(op, name, OtherType("ptr"), vs, ts, flags, source_type=source, loc=loc)
    if op == "call":
        flags |= ln.flags()
        ln.attributes()
        t = ln.type()
        callee = ln.next()
        if not callee.startswith("@"):
            raise ValueError("a call through a pointer")
        ln.expect("(")
        args: list[tuple[Type, Value]] = []
        while not ln.take(")"):
            if ln.peek() in ("metadata",):
                while ln.peek() not in (",", ")"):
                    ln.next()
            else:
                args.append(ln.typed())
            ln.take(",")
        return Instr(
            op,
            name,
            t,
            tuple(v for _, v in args),
            tuple(a for a, _ in args),
            flags,
            callee=unquote(callee[1:]),
            loc=loc,
        )
    if op in ("extractvalue", "insertvalue"):
        t, a = ln.typed()
        vals, tys = [a], [t]
        if op == "insertvalue":
            ln.expect(",")
            et, e = ln.typed()
            vals.append(e)
            tys.append(et)
        idx = []
        while ln.take(","):
            idx.append(int(ln.next()))
        r: Type = t
        if op == "extractvalue":
            for i in idx:
                r = r.fields[i] if isinstance(r, StructType) else r.element  # type: ignore[union-attr]
        return Instr(op, name, r, tuple(vals), tuple(tys), indices=tuple(idx), loc=loc)
    raise ValueError("unknown operation")


_LABEL = re.compile(r'^("(?:[^"\\]|\\.)*"|[\w.$-]+):')
_GLOBAL = re.compile(r'^@("(?:[^"\\]|\\.)*"|[\w.$-]+) = (.*)$')


def parse_module(text: str) -> Module:
    """Parse a whole module; raises `SourceError` for what the subset does not hold."""
    meta = _Metadata(text)
    types = _named_types(text)
    module = Module()
    lines = text.split("\n")
    i = 0
    while i < len(lines):
        line = lines[i]
        if line.startswith("define "):
            end = i + 1
            while lines[end] != "}":
                end += 1
            f = _function(lines[i:end], types, meta)
            module.functions[f.name] = f
            i = end
        elif m := _GLOBAL.match(line):
            g = _global(unquote(m.group(1)), m.group(2), types)
            if g is not None:
                module.globals[g.name] = g
        i += 1
    return module


def parse_type(text: str) -> Type:
    """A type without names."""
    return Line(text, {}).type()


def _named_types(text: str) -> dict[str, Type]:
    bodies = {
        unquote(m.group(1)): m.group(2)
        for m in re.finditer(r'^%("(?:[^"\\]|\\.)*"|[\w.$-]+) = type (.*)$', text, re.M)
    }
    types: dict[str, Type] = {}

    def resolve(name: str) -> None:
        if name in types:
            return
        for ref in re.findall(r'%("(?:[^"\\]|\\.)*"|[\w.$-]+)', bodies[name]):
            resolve(unquote(ref))
        types[name] = Line(bodies[name], types).type()

    for name in bodies:
        resolve(name)
    return types


def _global(name: str, rest: str, types: dict[str, Type]) -> GlobalTable | None:
    m = re.search(r"\b(constant|global) ", rest)
    if m is None or name.startswith("llvm."):
        return None
    ln = Line(_DBG.sub("", rest[m.end() :]), types)
    t = ln.type()
    init = None
    if "external" not in rest[: m.start()]:
        try:
            init = ln.value(t)
        except ValueError:
            init = None  # refused where it is used
    return GlobalTable(name, t, init, m.group(1) == "constant")


def _function(lines: list[str], types: dict[str, Type], meta: _Metadata) -> Function:
    head = lines[0]
    sub = re.search(r"!dbg !(\d+)", head)
    m = re.match(r'^define [^@]*@("(?:[^"\\]|\\.)*"|[\w.$-]+)(\(.*)$', head)
    assert m is not None, head
    name = unquote(m.group(1))
    loc = meta.subprogram_loc(int(sub.group(1))) if sub else None
    ln = Line(re.sub(r" !dbg !\d+", "", m.group(2)), types)
    ln.expect("(")
    params: list[tuple[str, Type]] = []
    unnamed = 0
    while not ln.take(")"):
        if ln.take("..."):
            raise SourceError(f"{name} must not take variable arguments", loc, "name every argument")
        t = ln.type()
        ln.attributes()
        pname = unquote(ln.next()[1:]) if ln.peek().startswith("%") else str(unnamed)
        unnamed += pname.isdigit()
        params.append((pname, t))
        ln.take(",")
    blocks: list[Block] = []
    label = str(unnamed)
    instrs: list[Instr] = []
    i = 1
    while i < len(lines):
        line = lines[i]
        i += 1
        if not line.strip() or line.lstrip().startswith((";", "#dbg_")):
            continue
        lm = _LABEL.match(line)
        if lm:
            if instrs:
                blocks.append(Block(label, tuple(instrs)))
            label, instrs = unquote(lm.group(1)), []
            continue
        if line.lstrip().startswith("switch") and "]" not in line:
            while "]" not in lines[i]:
                line += " " + lines[i]
                i += 1
            line += " " + lines[i]
            i += 1
        instrs.append(_instruction(line, types, meta))
    blocks.append(Block(label, tuple(instrs)))
    return Function(name, tuple(params), tuple(blocks), loc)
