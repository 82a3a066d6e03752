# SPDX-License-Identifier: Apache-2.0
"""One line of LLVM IR as tokens, and what every line is made of: names, types, values, attributes."""

from __future__ import annotations

import re

from hlsc.middle.llvmtypes import (
    AggregateConst,
    ArrayType,
    ConstGep,
    GlobalRef,
    IntConst,
    IntType,
    Local,
    OtherType,
    StructType,
    Type,
    Undef,
    Value,
    field_offset,
    size_of,
)

__all__ = ["Line", "unquote"]

_TOKEN = re.compile(
    r'\s*(c"(?:[^"\\]|\\.)*"|[%@]?"(?:[^"\\]|\\.)*"|[%@][\w.$-]+|![\w.]*|#\d+|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?'
    r"|0x[0-9A-Fa-f]+|[A-Za-z_][\w.]*|\.\.\.|[()\[\]{}<>,=*|:])"
)
_FLAGS = frozenset(
    "nuw nsw exact disjoint nneg samesign inbounds nusw tail musttail notail fastcc ccc "
    "volatile".split()
)
_PARAM_WORDS = frozenset(
    "noundef nonnull signext zeroext inreg noalias nocapture readonly writeonly readnone immarg "
    "returned nofree swiftself nest writable dead_on_unwind local_unnamed_addr unnamed_addr".split()
)


def unquote(name: str) -> str:
    if name.startswith('"'):
        name = name[1:-1]
        return re.sub(r"\\([0-9A-Fa-f]{2})", lambda m: chr(int(m.group(1), 16)), name)
    return name


class Line:
    """Tokens of one instruction or declaration."""

    def __init__(self, text: str, types: dict[str, Type]) -> None:
        self.text, self.named = text, types
        self.toks: list[str] = []
        at = 0
        while at < len(text):
            m = _TOKEN.match(text, at)
            if not m:
                if text[at:].strip():
                    raise ValueError(f"character {text[at:].strip()[0]!r}")
                break
            self.toks.append(m.group(1))
            at = m.end()
        self.at = 0

    def peek(self) -> str:
        return self.toks[self.at] if self.at < len(self.toks) else ""

    def next(self) -> str:
        tok = self.peek()
        if not tok:
            raise ValueError("unexpected end")
        self.at += 1
        return tok

    def take(self, tok: str) -> bool:
        if self.peek() == tok:
            self.at += 1
            return True
        return False

    def expect(self, tok: str) -> None:
        got = self.next()
        if got != tok:
            raise ValueError(f"{got!r} where {tok!r} was expected")

    def skip_group(self) -> None:
        """Step over a parenthesis that stands next."""
        self.expect("(")
        depth = 1
        while depth:
            depth += {"(": 1, ")": -1}.get(self.next(), 0)

    def flags(self) -> frozenset[str]:
        got = set()
        while self.peek() in _FLAGS:
            got.add(self.next())
        return frozenset(got)

    def attributes(self) -> None:
        """Step over parameter attributes."""
        while True:
            tok = self.peek()
            if tok in _PARAM_WORDS or tok.startswith('"') or tok.startswith("#"):
                self.next()
                if self.take("="):
                    self.next()
            elif tok in ("align",):
                self.next()
                self.next()
            elif tok in (
                "dereferenceable",
                "dereferenceable_or_null",
                "range",
                "captures",
                "sret",
                "byval",
                "memory",
                "initializes",
                "nofpclass",
            ):
                self.next()
                self.skip_group()
            else:
                return

    def type(self) -> Type:
        tok = self.next()
        if tok == "[":
            count = int(self.next())
            self.expect("x")
            element = self.type()
            self.expect("]")
            return ArrayType(count, element)
        if tok == "<" and self.peek() == "{":
            self.next()
            t = self._fields(True)
            self.expect(">")
            return t
        if tok == "<":
            raise ValueError("a vector type")
        if tok == "{":
            return self._fields(False)
        if tok.startswith("%"):
            name = unquote(tok[1:])
            if name not in self.named:
                raise ValueError(f"unknown type %{name}")
            return self.named[name]
        m = re.fullmatch(r"i(\d+)", tok)
        return IntType(int(m.group(1))) if m else OtherType(tok)

    def _fields(self, packed: bool) -> StructType:
        fields: list[Type] = []
        while not self.take("}"):
            fields.append(self.type())
            self.take(",")
        return StructType(tuple(fields), packed)

    def value(self, t: Type) -> Value:
        tok = self.next()
        if tok.startswith("%"):
            return Local(unquote(tok[1:]))
        if tok.startswith("@"):
            return GlobalRef(unquote(tok[1:]))
        if tok in ("undef", "poison", "null"):
            return Undef()
        if tok == "zeroinitializer":
            return AggregateConst(None)
        if tok.startswith('c"'):
            data = re.sub(r"\\([0-9A-Fa-f]{2}|\\)", _unescape, tok[2:-1])
            return AggregateConst(tuple(IntConst(ord(c), 8) for c in data))
        if tok in ("[", "{", "<"):
            if tok == "<":
                self.expect("{")
            elements: list[Value] = []
            close = "]" if tok == "[" else "}"
            while not self.take(close):
                elements.append(self.value(self.type()))
                self.take(",")
            if tok == "<":
                self.expect(">")
            return AggregateConst(tuple(elements))
        if tok == "getelementptr":
            return self._const_gep()
        if tok == "splat":
            raise ValueError("a vector constant")
        if isinstance(t, IntType):
            number = {"true": 1, "false": 0}.get(tok)
            return IntConst((int(tok) if number is None else number) % (1 << t.bits), t.bits)
        raise ValueError(f"the constant {tok} of type {t}")

    def _const_gep(self) -> Value:
        self.flags()
        if self.take("nuw"):
            pass
        self.expect("(")
        source = self.type()
        self.expect(",")
        self.type()
        base = self.value(OtherType("ptr"))
        offset, t, first = 0, source, True
        while self.take(","):
            it = self.type()
            index = self.value(it)
            if not isinstance(index, IntConst):
                raise ValueError("an index that is no number")
            n = index.value - (1 << index.bits if index.value >> (index.bits - 1) else 0)
            if first:
                offset, first = n * size_of(t), False
            elif isinstance(t, ArrayType):
                offset, t = offset + n * size_of(t.element), t.element
            elif isinstance(t, StructType):
                offset, t = offset + field_offset(t, n), t.fields[n]
        self.expect(")")
        if isinstance(base, GlobalRef):
            return ConstGep(base.name, offset)
        if isinstance(base, ConstGep):
            return ConstGep(base.base, base.offset + offset)
        raise ValueError("a constant address")

    def typed(self) -> tuple[Type, Value]:
        t = self.type()
        self.attributes()
        return t, self.value(t)


def _unescape(m: re.Match[str]) -> str:
    return "\\" if m.group(1) == "\\" else chr(int(m.group(1), 16))
