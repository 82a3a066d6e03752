# SPDX-License-Identifier: Apache-2.0
"""A lexical walk over preprocessed C++: tokens, line markers, and what each brace encloses.

It is no parser: clang reads the program.  It only has to know, for a pragma, whether the innermost
braces are a loop's body, a function's body or something else, which name they carry, and where a
statement ends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hlsc.ir import Loc

__all__ = ["PRAGMA_LINE", "Scope", "Token", "Walk", "tokenize"]

PRAGMA_LINE = "__hlsc_pragma_"
_TOKEN = re.compile(
    r"""
    (?P<marker>^\#[ ]+\d+[ ]+"(?:[^"\\]|\\.)*"[^\n]*$)
  | (?P<pragma>^[ \t]*(?:__hlsc_pragma_\d+\b[^\n]*|\#[ \t]*pragma\b[^\n]*)$)
  | (?P<raw>\bR"(?P<delim>[^()\s\\]*)\((?:.|\n)*?\)(?P=delim)")
  | (?P<string>(?:u8|u|U|L)?"(?:[^"\\\n]|\\.)*")
  | (?P<char>'(?:[^'\\\n]|\\.)+')
  | (?P<number>\.?\d(?:'?[\w.]|[eEpP][+-])*)
  | (?P<name>[A-Za-z_]\w*)
  | (?P<newline>\n)
  | (?P<space>[ \t\r\f]+)
  | (?P<punct>::|->|.)
    """,
    re.VERBOSE | re.MULTILINE,
)


@dataclass(frozen=True)
class Token:
    kind: str  # name, number, string, char, punct, pragma
    text: str
    start: int
    end: int
    loc: Loc


@dataclass
class Scope:
    """A pair of braces.  `kind`: namespace, class, function, loop, block, init."""

    kind: str
    name: str = ""  # function's name or loop's label
    open: int = 0  # offset behind the opening brace
    loc: Loc | None = None
    parent: Scope | None = None
    head: list[Token] = field(default_factory=list)  # tokens of a function's declarator

    def function(self) -> Scope | None:
        at: Scope | None = self
        while at is not None and at.kind != "function":
            at = at.parent
        return at


def tokenize(text: str) -> list[Token]:
    """Tokens of preprocessed text; line markers set the locations, comments are gone already."""
    tokens = []
    file, line = "", 1
    for m in _TOKEN.finditer(text):
        kind = m.lastgroup if m.lastgroup != "delim" else "raw"
        if kind == "marker":
            number, name = re.match(r'#\s+(\d+)\s+"((?:[^"\\]|\\.)*)"', m.group()).groups()  # type: ignore[union-attr]
            file, line = name.replace("\\\\", "\\"), int(number) - 1
        elif kind == "newline":
            line += 1
        elif kind != "space":
            assert kind is not None
            real = "string" if kind == "raw" else kind
            tokens.append(Token(real, m.group(), m.start(), m.end(), Loc(file, line)))
            line += m.group().count("\n")
    return tokens


class Walk:
    """Steps through the tokens; `step` returns each with the scope it stands in."""

    def __init__(self, text: str) -> None:
        self.tokens = tokenize(text)
        self.scopes: list[Scope] = []
        # Every token's innermost scope, and the last significant token before it.
        self.scope_of: list[Scope | None] = []
        self.functions: list[Scope] = []
        self.closed: dict[int, int] = {}  # index of ')' -> index of its '('
        # Unbraced loop bodies: index of the token that ends a loop's head -> label.
        self.loop_heads: dict[int, str] = {}
        self._run()

    def _run(self) -> None:
        current: Scope | None = None
        parens: list[int] = []
        boundary = 0  # first token of the present statement
        saved: list[tuple[int, int]] = []
        significant: list[int] = []
        for i, t in enumerate(self.tokens):
            self.scope_of.append(current)
            if t.kind == "pragma":
                continue
            if t.kind == "punct":
                if t.text in "([":
                    parens.append(i)
                elif t.text in ")]" and parens:
                    self.closed[i] = parens.pop()
                    if t.text == ")" and self._opens_loop(self.closed[i]):
                        self.loop_heads[i] = self._label(self.closed[i] - 1)
                elif t.text == "{":
                    head = [k for k in significant if k >= boundary]
                    current = self._scope(i, head, current)
                    saved.append((boundary, len(parens)))
                    boundary = i + 1
                elif t.text == "}" and saved:
                    before, depth = saved.pop()
                    del parens[depth:]
                    # Behind an initialiser the statement goes on.
                    initialiser = current is not None and current.kind == "init"
                    boundary = before if initialiser else i + 1
                    current = current.parent if current else None
                elif t.text == ";" and not self._in_parens(parens, saved):
                    boundary = i + 1
            elif t.text == "do":
                self.loop_heads[i] = self._label(i)
            significant.append(i)
            if len(significant) > 4096:
                del significant[:2048]

    @staticmethod
    def _in_parens(parens: list[int], saved: list[tuple[int, int]]) -> bool:
        return len(parens) > (saved[-1][1] if saved else 0)

    def _prev(self, i: int) -> int:
        i -= 1
        while i >= 0 and self.tokens[i].kind == "pragma":
            i -= 1
        return i

    def _text(self, i: int) -> str:
        return self.tokens[i].text if i >= 0 else ""

    def _opens_loop(self, paren: int) -> bool:
        before = self._prev(paren)
        # The `while (…)` that ends a do loop is taken for a head too: only `;` can follow it.
        return self._text(before) in {"for", "while"}

    def _label(self, keyword: int) -> str:
        """The label in front of `for`, `while` or `do` (the index of it or of its parenthesis)."""
        k = keyword
        while k >= 0 and self._text(k) not in {"for", "while", "do"}:
            k -= 1
        colon = self._prev(k)
        name = self._prev(colon)
        if self._text(colon) == ":" and self.tokens[name].kind == "name":
            before = self._text(self._prev(name))
            if before in {";", "{", "}", ")", ":"} and self._text(name) not in {"default", "public"}:
                return self._text(name)
        return ""

    def _scope(self, i: int, head: list[int], parent: Scope | None) -> Scope:
        t = self.tokens[i]
        kind, name, tokens = self._classify(i, head, parent)
        scope = Scope(kind, name, t.end, t.loc, parent, tokens)
        if kind == "function":
            self.functions.append(scope)
        return scope

    def _classify(self, i: int, head: list[int], parent: Scope | None) -> tuple[str, str, list[Token]]:
        prev = self._prev(i)
        word = self._text(prev)
        inside = parent is not None and parent.kind in {"function", "loop", "block"}
        if prev in self.loop_heads:
            return "loop", self.loop_heads[prev], []
        if word in {"else", "try"}:
            return "block", "", []
        if word == ")" and prev in self.closed:
            before = self._text(self._prev(self.closed[prev]))
            if before in {"if", "while", "switch", "catch", "constexpr"}:
                return "block", "", []
        if self._is_lambda(prev):
            return "function", "", []
        texts = [self._text(k) for k in head]
        if inside and (not texts or word in {";", "{", "}", ":"}):
            return "block", "", []
        if "namespace" in texts or (texts[:1] == ["extern"] and self.tokens[prev].kind == "string"):
            return "namespace", "", []
        depth, group, colon = 0, -1, False
        start = self._behind_template(texts)
        for n, x in enumerate(texts):
            if n < start:
                continue  # a default in there, <class T = int>, is no initialiser
            if x in "([" and x:
                if depth == 0 and group < 0 and x == "(" and n and self._declares(texts, n):
                    group = n
                depth += 1
            elif x in ")]" and x:
                depth -= 1
            elif x == ":" and depth == 0 and group > 0:
                colon = True  # a constructor's initialisers follow
            elif x == "=" and depth == 0 and group < 0 and "operator" not in texts:
                return "init", "", []
        if colon and (self.tokens[prev].kind == "name" or word == ">"):
            return "init", "", []
        if group > 0 and not inside:
            return "function", texts[group - 1], [self.tokens[k] for k in head]
        if any(x in {"class", "struct", "union", "enum"} for x in texts[start:]) and group < 0:
            return "class", "", []
        return "init", "", []

    @staticmethod
    def _behind_template(texts: list[str]) -> int:
        """How many tokens `template <…>` takes at the beginning of a declaration, repeated ones too."""
        at = 0
        while texts[at : at + 2] == ["template", "<"]:
            depth, parens = 0, 0
            for n in range(at + 1, len(texts)):
                parens += (texts[n] in {"(", "["}) - (texts[n] in {")", "]"})
                if not parens:  # in parentheses < and > compare
                    depth += (texts[n] == "<") - (texts[n] == ">")
                if depth == 0 and not parens:
                    at = n + 1
                    break
            else:
                return at
        return at

    @staticmethod
    def _declares(texts: list[str], n: int) -> bool:
        return texts[n - 1] not in {"__attribute__", "alignas", "decltype", "__declspec", "noexcept"}

    def _is_lambda(self, prev: int) -> bool:
        k = prev
        for _ in range(24):
            word = self._text(k)
            if word == "]" and k in self.closed:
                opener = self.closed[k]
                before = self._text(self._prev(opener))
                return not (self.tokens[self._prev(opener)].kind == "name" and before != "return") and (
                    before not in {")", "]"}
                )
            if word == ")" and k in self.closed:
                k = self._prev(self.closed[k])
                if self._text(k) not in {"]"}:
                    return False
                continue
            if word in {"mutable", "noexcept", "->", "::", ">", "<"} or (
                k >= 0 and self.tokens[k].kind == "name"
            ):
                k = self._prev(k)
                continue
            return False
        return False
