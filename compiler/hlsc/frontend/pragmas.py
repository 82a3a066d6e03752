# SPDX-License-Identifier: Apache-2.0
"""Pragmas become calls of marker functions, so that clang resolves what they speak of.

1. In the source with its includes in place, `#pragma HLS …` becomes a line of tokens whose values are
   open to macro expansion (names and words are not).
2. Behind the preprocessor a lexical walk finds in which braces each line stands, checks the place and
   writes, on the same line, `hlsc_mark::m<number, values…>::at(object)`: values are template arguments,
   so they are constants of each template instantiation; the object is an lvalue like any other.
3. In LLVM IR the marker's mangled name gives number and values (`read_marker`), its block the loop, its
   argument the object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hlsc.errors import SourceError
from hlsc.frontend.directives import Directive
from hlsc.frontend.grammar import SPECS, Pragma, parse_pragma, split_options
from hlsc.frontend.lexer import PRAGMA_LINE, Scope, Walk

__all__ = ["Marker", "Rewriter", "dimensions", "protect", "read_marker", "top_parameters"]

# One line, so that the line markers of the source behind it stay right.
MARKERS = (
    '# 1 "<hlsc>"\n'
    "namespace hlsc_mark { template <int I, long long... V> struct m { "
    "static void here(); "
    "template <class T> static void object(const volatile void*); "
    "template <class T> static void pointer(const volatile void*); "
    "template <class T> __attribute__((always_inline, nodebug)) static inline void at(T& x) "
    "{ object<T>(__builtin_addressof(x)); } "
    "template <class T> __attribute__((always_inline, nodebug)) static inline void at(T*& x) "
    "{ pointer<T>(x); } "
    "template <class T> __attribute__((always_inline, nodebug)) static inline void at(T* const& x) "
    "{ pointer<T>(x); } }; }\n"
)

_HLS = re.compile(r"[ \t]*#[ \t]*pragma[ \t]+HLS\b(.*)", re.IGNORECASE | re.DOTALL)
_SKIP = re.compile(
    r'//(?:[^\\\n]|\\(?:.|\n))*|/\*(?:.|\n)*?\*/|R"([^()\s\\]*)\((?:.|\n)*?\)\1"'
    r'|"(?:[^"\\\n]|\\(?:.|\n))*"'
    r"|'(?:[^'\\\n]|\\(?:.|\n))+'"
    r"|(?P<pragma>^[ \t]*#[ \t]*pragma[ \t]+(?i:HLS)\b(?:[^\\\n]|\\(?:.|\n))*)",
    re.MULTILINE,
)
_BRACED = re.compile(r"\{ ?(.*?) ?\}(?= \{|$)")


def protect(text: str) -> str:
    """Step 1: pragma lines become `__hlsc_pragma_ <hex of name and keys> {value} {value}`."""

    def one(m: re.Match[str]) -> str:
        raw = m.group("pragma")
        if raw is None:
            return m.group()
        lines = raw.count("\n")
        body = re.sub(r"/\*.*?\*/|//.*$", " ", raw.replace("\\\n", " "))
        hit = _HLS.match(body)
        assert hit, body
        return _encode(hit.group(1).strip()) + "\n" * lines

    return _SKIP.sub(one, text)


def _encode(body: str) -> str:
    words = body.split(None, 1)
    try:
        pairs = split_options(words[1]) if len(words) > 1 else []
    except ValueError:
        pairs = []
        words = [body]
    name = words[0] if words else ""
    keys = " ".join([name, *(k if v is None else k + "=" for k, v in pairs)])
    if not pairs and len(words) == 1 and " " in name:
        keys = "!" + name  # malformed: kept whole for the error message
    values = " ".join(f"{{ {v} }}" for _, v in pairs if v is not None)
    return f"{PRAGMA_LINE}0 {keys.encode().hex() or '20'}x {values}".rstrip()


def _decode(line: str) -> str:
    """The pragma's text with its values expanded."""
    hit = _HLS.match(line)
    if hit:  # from _Pragma
        return hit.group(1).strip()
    _, code, *rest = line.split(None, 2)
    keys = bytes.fromhex(code.rstrip("x")).decode()
    if keys.startswith("!"):
        return keys[1:]
    values = (f"({v})" if " " in v else v for v in _BRACED.findall(rest[0].strip() if rest else ""))
    return " ".join(k + next(values) if k.endswith("=") else k for k in keys.split())


@dataclass(frozen=True)
class Marker:
    """A marker call in IR: which pragma, the constant values of its integer options, its object."""

    number: int
    values: tuple[int, ...]
    kind: str  # here, object, pointer
    type: str  # mangled type of the object
    callee: str


def read_marker(name: str) -> Marker | None:
    """What a function's mangled name says, if it is a marker."""
    if not name.startswith("_ZN9hlsc_mark1mI"):
        return None
    number = re.match(r"_ZN9hlsc_mark1mILi(\d+)E", name)
    call = re.search(r"E(4here|6object|7pointer)(?:I(.*)E)?Ev", name)
    if not number or not call:
        return None
    texts = re.findall(r"Lx(n?\d+)E", name[: call.start() + 1])
    values = tuple(int(t.replace("n", "-")) for t in texts)
    return Marker(int(number.group(1)), values, call.group(1)[1:], call.group(2) or "", name)


def dimensions(mangled: str) -> tuple[int, ...]:
    """Extents of a mangled array type: `A4_A8_i` → (4, 8)."""
    m = re.match(r"((?:A\d+_)*)", mangled)
    return tuple(int(x) for x in re.findall(r"A(\d+)_", m.group(1))) if m else ()


class Rewriter:
    """Step 2 for all sources of a program; `pragmas[number]` is what marker `number` stands for."""

    def __init__(self, is_library: Callable[[str], bool], top: str) -> None:
        self.pragmas: dict[int, Pragma] = {}
        self.is_library = is_library
        self.top = top
        self.top_head: list[str] = []
        self.placed: set[int] = set()  # ids of the directives that found their place

    def _new(self, pragma: Pragma) -> int:
        number = len(self.pragmas)
        self.pragmas[number] = pragma
        return number

    def rewrite(self, text: str, directives: Sequence[Directive] = ()) -> str:
        """Preprocessed text with pragmas replaced by markers, behind the marker templates.

        Directives that find their place here are added to `placed`.
        """
        walk = Walk(text)
        edits: list[tuple[int, int, str]] = []
        self._labels(walk, edits)
        for d in directives:
            edits += self._directive(walk, d)
        for i, token in enumerate(walk.tokens):
            if token.kind != "pragma":
                continue
            if not (token.text.lstrip().startswith(PRAGMA_LINE) or _HLS.match(token.text)):
                continue
            edits.append(self._pragma(walk, i))
        self._find_top(walk)
        edits.sort()
        out, at = [], 0
        for start, end, new in edits:
            out += [text[at:start], new]
            at = end
        return MARKERS + "".join(out) + text[at:]

    def _find_top(self, walk: Walk) -> None:
        for f in walk.functions:
            if f.name == self.top and (f.parent is None or f.parent.kind == "namespace"):
                self.top_head = [t.text for t in f.head]

    def _labels(self, walk: Walk, edits: list[tuple[int, int, str]]) -> None:
        """Every labelled loop gets a marker that carries its label."""
        seen = set()
        for scope in [s for s in walk.scope_of if s is not None]:
            if id(scope) in seen or scope.kind != "loop" or not scope.name:
                continue
            seen.add(id(scope))
            assert scope.loc is not None
            if not self.is_library(scope.loc.file):
                pragma = Pragma("LABEL", {}, scope.loc, "loop", scope.name)
                text = f" {self._call(self._new(pragma), pragma)}"
                edits.append((scope.open, scope.open, text))
        for i, label in walk.loop_heads.items():
            head = walk.tokens[i]
            if label and _unbraced(walk, i) and not self.is_library(head.loc.file):
                pragma = Pragma("LABEL", {}, head.loc, "loop", label)
                call = self._ahead(pragma)
                edits.append((head.end, head.end, call))

    def _ahead(self, pragma: Pragma) -> str:
        """A marker ahead of a loop's body that has no braces."""
        return f" if ({self._call(self._new(pragma), pragma).rstrip(';')}, 0); else "

    def _pragma(self, walk: Walk, i: int) -> tuple[int, int, str]:
        token = walk.tokens[i]
        pragma = parse_pragma(_decode(token.text), token.loc)
        scope = walk.scope_of[i]
        before = i - 1
        while before >= 0 and walk.tokens[before].kind == "pragma":
            before -= 1
        prefix = before in walk.loop_heads
        if prefix:
            place, label = "loop", walk.loop_heads[before]
        else:
            place, label = _place(scope), (scope.name if scope and scope.kind == "loop" else "")
        after = walk.tokens[before].text if before >= 0 else ""
        if not prefix and (after in {")", "else", ",", "="} or place == ""):
            raise SourceError(
                f"#pragma HLS {pragma.name} must stand among the statements of a function",
                token.loc,
                "move it behind the opening brace of the loop or function it is meant for",
            )
        if place not in SPECS[pragma.name].places:
            places = " or ".join(f"a {p}" for p in SPECS[pragma.name].places)
            raise SourceError(
                f"#pragma HLS {pragma.name} must stand directly in the body of {places}, not "
                + {"block": "in other braces", "loop": "in a loop", "function": "in a function"}[place],
                token.loc,
                "move it behind the opening brace of what it is meant for",
            )
        function = scope.function() if scope else None
        if pragma.name == "INTERFACE" and (function is None or function.name != self.top):
            raise SourceError(
                f"#pragma HLS INTERFACE must stand in the top function '{self.top}'",
                token.loc,
                f"is '{function.name}' the top?" if function else "",
            )
        pragma = replace(pragma, place=place, label=label)
        call = self._ahead(pragma) if prefix else self._call(self._new(pragma), pragma)
        return token.start, token.end, call

    def _directive(self, walk: Walk, d: Directive) -> list[tuple[int, int, str]]:
        """Marker calls for a directive, in every function of its name (overloads, templates)."""
        edits = []
        scopes = {id(s): s for s in walk.scope_of if s is not None}
        for scope in scopes.values():
            function = scope.function()
            if function is None or function.name != d.function:
                continue
            if (scope.kind, scope.name) != (("loop", d.label) if d.label else ("function", d.function)):
                continue
            if scope.kind not in SPECS[d.pragma.name].places:
                places = " or ".join(SPECS[d.pragma.name].places)
                raise SourceError(
                    f"directive {d.pragma.name} must name a {places}, not a {scope.kind}", d.pragma.loc
                )
            if d.pragma.name == "INTERFACE" and d.function != self.top:
                raise SourceError(
                    f"directive INTERFACE must name the top function '{self.top}'", d.pragma.loc
                )
            pragma = replace(d.pragma, place=scope.kind, label=scope.name if d.label else "")
            at = self._after_declaration(walk, scope, pragma)
            edits.append((at, at, f" {self._call(self._new(pragma), pragma)}"))
            self.placed.add(id(d))
        for i, label in walk.loop_heads.items():
            around = walk.scope_of[i]
            function = around.function() if around else None
            if not d.label or label != d.label or function is None or function.name != d.function:
                continue
            if _unbraced(walk, i) and "loop" in SPECS[d.pragma.name].places:
                at = walk.tokens[i].end
                edits.append((at, at, self._ahead(replace(d.pragma, place="loop", label=label))))
                self.placed.add(id(d))
        return edits

    def _after_declaration(self, walk: Walk, scope: Scope, pragma: Pragma) -> int:
        """Where a directive's marker goes: behind the declaration of its variable, if that stands in
        the scope; else behind the opening brace."""
        name = re.match(r"\w+", pragma.options.get("variable", ""))
        if name is None or name.group() in {t.text for t in scope.head}:
            return scope.open
        for i, token in enumerate(walk.tokens):
            if token.start < scope.open or token.text != name.group() or token.kind != "name":
                continue
            inside = walk.scope_of[i]
            if inside is None or not _within(inside, scope):
                continue
            depth = 0
            for k in range(i, len(walk.tokens)):
                text = walk.tokens[k].text
                depth += (text in "([{") - (text in ")]}") if text else 0
                if text == ";" and depth <= 0:
                    return walk.tokens[k].end
            break
        return scope.open

    @staticmethod
    def _call(number: int, pragma: Pragma) -> str:
        if pragma.name == "LABEL":
            return f"::hlsc_mark::m<{number}>::here();"
        values = "".join(f", ({pragma.options[k]})" for k in pragma.integers)
        variable = pragma.options.get("variable")
        call = f"at({variable})" if variable else "here()"
        return f"::hlsc_mark::m<{number}{values}>::{call};"


def _place(scope: Scope | None) -> str:
    """Where a pragma in this scope stands: loop, function, block, or nowhere ("")."""
    if scope is None or scope.kind in {"namespace", "class", "init"}:
        return ""
    return scope.kind


def _unbraced(walk: Walk, head: int) -> bool:
    """Whether the loop whose head ends with a token has a body without braces."""
    after = next((t for t in walk.tokens[head + 1 :] if t.kind != "pragma"), None)
    return after is not None and after.text not in ("{", ";")


def _within(scope: Scope, outer: Scope) -> bool:
    at: Scope | None = scope
    while at is not None:
        if at is outer:
            return True
        at = at.parent
    return False


def top_parameters(head: Sequence[str]) -> list[tuple[str, str]]:
    """Names and declarations (without default) from the tokens of a function's declarator."""
    start = max(i for i, x in enumerate(head) if x == "(" and i)
    depth = 0
    for i in range(len(head) - 1, -1, -1):  # the last top-level pair of parentheses
        if head[i] == ")":
            depth += 1
        elif head[i] == "(":
            depth -= 1
            if depth == 0:
                start = i
                break
    found: list[tuple[str, str]] = []
    depth = 0
    current: list[str] = []
    for x in [*head[start + 1 :], ","]:
        if x in {"(", "<", "[", "{"}:
            depth += 1
        elif x in {")", ">", "]", "}"}:
            depth -= 1
            if depth < 0:
                x = ","
                depth = 0
        if x == "," and depth == 0:
            cut = current.index("=") if "=" in current else len(current)
            if current and current != ["void"]:
                found.append((_declared_name(current[:cut]), " ".join(current[:cut])))
            current = []
            if depth < 0:
                break
        else:
            current.append(x)
    return found


def _declared_name(tokens: Sequence[str]) -> str:
    """The name that a parameter's tokens declare: the last one before its extents."""
    depth, name = 0, ""
    for x in tokens:
        if x == "[" and depth == 0:
            break
        depth += (x == "<") - (x == ">") - 2 * (x == ">>")
        if re.match(r"[A-Za-z_]\w*$", x):
            name = x
    return name
