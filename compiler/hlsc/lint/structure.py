# SPDX-License-Identifier: Apache-2.0
"""What stands around the pragmas: loops without bounds, and streams that meet again.

A lexical look, as an HLS engineer reads: it needs no elaboration, so it also takes sources that no tool
compiles yet. What it can not decide, such as a bound behind a typedef, it leaves alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from hlsc.frontend.lexer import Scope, Token, Walk
from hlsc.frontend.pragmas import top_parameters
from hlsc.ir import Loc

__all__ = ["Finding", "dataflow_streams", "matching", "unbounded_loops"]

Finding = tuple[Loc, str, str]  # place, what, remedy

_CONSTANT = {"const", "constexpr", "enum", "template"}


def matching(tokens: Sequence[Token], start: int, opener: str, closer: str) -> int:
    """Index behind the bracket that closes the one at `start`."""
    depth = 0
    for i in range(start, len(tokens)):
        depth += (tokens[i].text == opener) - (tokens[i].text == closer)
        if depth == 0:
            return i + 1
    return len(tokens)


# ----------------------------------------------------------------------------------------- loops


def unbounded_loops(walk: Walk) -> Iterator[Finding]:
    """Loops whose number of iterations no one can read from the source, without LOOP_TRIPCOUNT.

    Vitis then reports no latency; nothing else depends on it.
    """
    counted = {
        id(walk.scope_of[i])
        for i, t in enumerate(walk.tokens)
        if t.kind == "pragma" and "LOOP_TRIPCOUNT" in t.text.upper()
    }
    unrolled = {
        id(walk.scope_of[i])
        for i, t in enumerate(walk.tokens)
        if t.kind == "pragma" and "UNROLL" in t.text.upper().split()[2:3]
    }
    constants = _constants(walk)
    for at, head, body in _loops(walk):
        if body is not None and (id(body) in counted or id(body) in unrolled):
            continue
        variable = _variable_bound(head, walk.tokens[at].text, constants)
        if variable:
            yield (
                walk.tokens[at].loc,
                f"the loop's number of iterations depends on {variable}: no latency is reported",
                "add LOOP_TRIPCOUNT min=… max=…",
            )


def _loops(walk: Walk) -> Iterator[tuple[int, Sequence[Token], Scope | None]]:
    """(index of for, while or do; what stands in its parentheses; its body, if that has braces)."""
    tokens = walk.tokens
    bodies = {s.open: s for s in walk.scope_of if s is not None and s.kind == "loop"}
    ends_of_do = set()
    for i, token in enumerate(tokens[:-1]):
        if token.text == "do" and tokens[i + 1].text == "{":
            last = matching(tokens, i + 1, "{", "}")
            ends_of_do.add(last)
            end = matching(tokens, last + 1, "(", ")")
            yield i, tokens[last + 2 : end - 1], bodies.get(tokens[i + 1].end)
        elif token.text in ("for", "while") and tokens[i + 1].text == "(" and i not in ends_of_do:
            end = matching(tokens, i + 1, "(", ")")
            body = bodies.get(tokens[end].end) if end < len(tokens) else None
            yield i, tokens[i + 2 : end - 1], body


def _constants(walk: Walk) -> set[str]:
    """Names that are declared const, constexpr, as enumerators or template parameters."""
    found: set[str] = set()
    tokens = walk.tokens
    for i, token in enumerate(tokens):
        if token.text not in _CONSTANT:
            continue
        if token.text == "template" and i + 1 < len(tokens) and tokens[i + 1].text == "<":
            end = matching(tokens, i + 1, "<", ">")
            found.update(t.text for t in tokens[i:end] if t.kind == "name")
            continue
        if token.text == "enum":
            end = next((k for k in range(i, len(tokens)) if tokens[k].text in ";}"), i)
            found.update(t.text for t in tokens[i:end] if t.kind == "name")
            continue
        for k in range(i, min(i + 12, len(tokens) - 1)):
            if tokens[k + 1].text in ("=", "(") and tokens[k].kind == "name":
                # a constant of constants; a const copy of a variable is one no more than the variable
                if token.text == "constexpr" or _literal(tokens, k + 2, found):
                    found.add(tokens[k].text)
                break
            if tokens[k].text in ";{),":
                break
    return found


def _literal(tokens: Sequence[Token], at: int, constants: set[str]) -> bool:
    for i in range(at, len(tokens)):
        if tokens[i].text in (";", ","):
            return True
        if tokens[i].kind == "name" and tokens[i].text not in constants:
            return False
    return False


def _variable_bound(head: Sequence[Token], keyword: str, constants: set[str]) -> str:
    """The name in a loop's condition that is not the loop's own variable nor a constant; "" if none."""
    if keyword != "for":
        if [t.text for t in head] in (["0"], ["false"]):
            return ""  # do { … } while (0)
        names = [t.text for t in head if t.kind == "name" and t.text not in ("true", "false")]
        return f"'{names[0]}'" if names else "its body"
    parts: list[list[Token]] = [[]]
    depth = 0
    for token in head:
        depth += (token.text in "([{") - (token.text in ")]}") if token.kind == "punct" else 0
        if token.text == ";" and depth == 0:
            parts.append([])
        else:
            parts[-1].append(token)
    if len(parts) != 3:
        return ""  # for (x : range)
    if not parts[1] or not parts[2]:
        return "its body"
    own, starts, equals = set(), [], False
    for token in parts[0]:
        equals = (equals or token.text == "=") and token.text != ","
        if token.kind == "name" and not equals:
            own.add(token.text)
        elif equals:
            starts.append(token)
    return _variable([*parts[1], *starts], own | constants)


def _variable(tokens: Sequence[Token], constants: set[str]) -> str:
    """The first name among these that is none of the constants, quoted; "" if there is none."""
    texts = [t.text for t in tokens]
    for n, token in enumerate(tokens):
        if token.kind != "name" or token.text in constants | {"true", "false", "sizeof"}:
            continue
        around = (texts[n - 1] if n else "", texts[n + 1] if n + 1 < len(texts) else "")
        if "::" not in around and around[1] != "(":  # members of classes and calls can not be told
            return f"'{token.text}'"
    return ""


# -------------------------------------------------------------------------------------- dataflow


@dataclass(frozen=True)
class _Stream:
    name: str
    loc: Loc
    source: int  # number of the call that writes it
    sink: int


@dataclass(frozen=True)
class _Call:
    function: str
    arguments: tuple[frozenset[str], ...]  # the names in each

    def uses(self, name: str) -> bool:
        return any(name in a for a in self.arguments)


def dataflow_streams(walk: Walk) -> Iterator[Finding]:
    """Streams of DATAFLOW regions that lie beside a longer way between the same two processes.

    Such a stream fills while the longer way is still working; with the default depth of 2 the
    region can lock up, which shows in co-simulation only. One that its process writes at most twice,
    outside loops, can not fill.
    """
    for i, token in enumerate(walk.tokens):
        if token.kind == "pragma" and "DATAFLOW" in token.text.upper():
            scope = walk.scope_of[i]
            if scope is not None:
                yield from _region(walk, scope)


def _region(walk: Walk, scope: Scope) -> Iterator[Finding]:
    locals_, deep, calls = _inside(walk, scope)
    streams = []
    for name, loc in locals_.items():
        users = [n for n, call in enumerate(calls) if call.uses(name)]
        if len(users) == 2:
            streams.append(_Stream(name, loc, users[0], users[1]))
    for stream in streams:
        if stream.name in deep or _written_rarely(walk, calls[stream.source], stream.name):
            continue
        if way := _longer_way(stream, streams):
            yield (
                stream.loc,
                f"stream '{stream.name}' has the default depth beside the longer way over "
                f"{', '.join(way)} and can lock the region up",
                "write STREAM variable=… depth=…, enough for what the longer way holds back",
            )


def _inside(walk: Walk, scope: Scope) -> tuple[dict[str, Loc], set[str], list[_Call]]:
    """Streams declared in a scope, those of them with a depth, and the calls that use them."""
    tokens = walk.tokens
    locals_: dict[str, Loc] = {}
    deep: set[str] = set()
    calls: list[_Call] = []
    for i in (i for i, s in enumerate(walk.scope_of) if s is scope):
        text = tokens[i].text
        if tokens[i].kind == "pragma":
            words = text.replace("=", " = ").split()
            keys = [w.upper() for w in words]
            if {"STREAM", "DEPTH", "VARIABLE"} <= set(keys):
                deep.add(words[keys.index("VARIABLE") + 2].split("[")[0])
        elif text == "stream" and tokens[i + 1].text == "<":
            end = matching(tokens, i + 1, "<", ">")
            while end < len(tokens) and tokens[end].text != ";":
                if tokens[end].kind == "name" and tokens[end + 1].text in (";", ",", "(", "[", "{"):
                    locals_[tokens[end].text] = tokens[end].loc
                end += 1
        elif text == "(" and (tokens[i - 1].kind == "name" or tokens[i - 1].text == ">"):
            end = matching(tokens, i, "(", ")")
            call = _Call(_callee(tokens, i), _arguments(tokens[i + 1 : end - 1]))
            if tokens[end].text == ";" and any(call.uses(name) for name in locals_):
                calls.append(call)
    return locals_, deep, calls


def _callee(tokens: Sequence[Token], paren: int) -> str:
    """The function's name in front of `(` or of `<…>(`."""
    at, depth = paren - 1, 0
    while at > 0 and (tokens[at].text == ">" or depth):
        depth += (tokens[at].text == ">") - (tokens[at].text == "<")
        at -= 1
    return tokens[at].text


def _arguments(tokens: Sequence[Token]) -> tuple[frozenset[str], ...]:
    """The names in each of the arguments between a call's parentheses."""
    found: list[set[str]] = [set()]
    depth = 0
    for token in tokens:
        depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
        if token.text == "," and depth == 0:
            found.append(set())
        elif token.kind == "name":
            found[-1].add(token.text)
    return tuple(map(frozenset, found))


def _written_rarely(walk: Walk, call: _Call, stream: str) -> bool:
    """Whether the called function writes this argument at most twice and in no loop."""
    place = next(n for n, names in enumerate(call.arguments) if stream in names)
    for function in walk.functions:
        if function.name != call.function or not function.head:
            continue
        parameters = top_parameters([t.text for t in function.head])
        if place >= len(parameters):
            continue
        name, writes = parameters[place][0], 0
        for i, scope in enumerate(walk.scope_of):
            if scope is None or scope.function() is not function or walk.tokens[i].text != name:
                continue
            after = [t.text for t in walk.tokens[i + 1 : i + 3]]
            if after == [".", "read"]:
                continue
            if after != [".", "write"] or _in_loop(scope):
                return False
            writes += 1
        return 0 < writes <= 2
    return False


def _in_loop(scope: Scope | None) -> bool:
    while scope is not None and scope.kind != "function":
        if scope.kind == "loop":
            return True
        scope = scope.parent
    return False


def _longer_way(stream: _Stream, streams: Sequence[_Stream]) -> list[str]:
    """Names of the streams on a way of two or more from where this one starts to where it ends.

    Also from a common origin: what reaches the same sink over more processes than this stream does.
    """

    def ways(source: int) -> Iterator[list[_Stream]]:
        for s in streams:
            if s.source == source and s is not stream:
                if s.sink == stream.sink:
                    yield [s]
                elif s.sink < stream.sink:
                    yield from ([s, *rest] for rest in ways(s.sink))

    found = [way for way in ways(stream.source) if len(way) > 1]
    return [s.name for s in max(found, key=len)] if found else []
