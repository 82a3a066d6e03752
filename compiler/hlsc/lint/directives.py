# SPDX-License-Identifier: Apache-2.0
"""Directive files under the same rules as pragmas: `set_directive_…` of Tcl, `syn.directive.…` of cfg.

In Tcl the kind of a thing has always been an option (`-mode axis`, `-type complete`); cfg files are
those of v++, so only its releases are asked about.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hlsc.errors import SourceError
from hlsc.frontend.directives import directive_lines, directive_words
from hlsc.frontend.lexer import Walk
from hlsc.ir import Loc
from hlsc.lint.releases import Release
from hlsc.lint.spelling import PRAGMAS, Pairs, Place, breaches

__all__ = ["SUFFIXES", "directive_findings", "labels"]

SUFFIXES = (".tcl", ".cfg", ".ini")
"""Files that are read as directives, not as C++."""

FIRST_CFG = (2023, 2)

# What stands behind the place without an option's name.
_SECOND = {"INTERFACE": "port", "ALLOCATION": "instances"}

Found = tuple[Loc, str, str, str, list[Release]]  # place, rule, what, remedy, releases


@dataclass(frozen=True)
class _Line:
    loc: Loc
    shown: str
    name: str
    pairs: Pairs
    where: str  # function or function/label

    @property
    def place(self) -> Place:
        return "loop" if "/" in self.where else "function"


def labels(walks: Sequence[Walk]) -> dict[str, set[str]]:
    """Functions of the sources → the labels of their loops."""
    found: dict[str, set[str]] = {}
    for walk in walks:
        for function in walk.functions:
            found.setdefault(function.name, set())
        for scope in {id(s): s for s in walk.scope_of if s is not None}.values():
            function_of = scope.function()
            if scope.kind == "loop" and scope.name and function_of is not None:
                found[function_of.name].add(scope.name)
    return found


def directive_findings(
    path: Path, releases: list[Release], known: Mapping[str, set[str]]
) -> Iterator[Found]:
    """What is wrong with a file's directives; known: functions and labels, {} if not to be told."""
    for loc, text in directive_lines(path):
        is_cfg = text.startswith("syn.directive.")
        if not is_cfg and not text.startswith("set_directive_"):
            continue
        if is_cfg:
            concerned = [r for r in releases if r.dialect == "vitis" and r.at_least(*FIRST_CFG)]
        else:
            concerned = releases
        if not concerned:
            continue
        try:
            line = _cfg(text, loc) if is_cfg else _tcl(text, loc)
        except SourceError as error:
            yield loc, "option", str(error).partition(": ")[2] or str(error), "", concerned
            continue
        if not line.where:
            yield loc, "placement", f"{line.shown} names no function", "", concerned
        elif missing := _missing(line.where, known):
            yield loc, "placement", f"{line.shown} stands at {missing}", "", concerned
        for b in breaches(line.name, line.pairs, line.place, concerned, directive=True):
            yield loc, b.rule, f"{line.shown} {b.what}", b.remedy, b.releases


def _missing(where: str, known: Mapping[str, set[str]]) -> str:
    function, _, label = where.partition("/")
    function = re.sub(r"<.*", "", function).rpartition("::")[2]
    if not known:
        return ""
    if function not in known:
        return f"the function '{function}', which the sources do not have"
    if label and label not in known[function]:
        return f"the loop '{label}', which '{function}' does not have"
    return ""


def _tcl(text: str, loc: Loc) -> _Line:
    words = directive_words(text, loc)
    name = words[0].removeprefix("set_directive_").upper()
    rule = PRAGMAS.get(name)
    pairs: list[tuple[str, str | None]] = []
    plain: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        key = word[1:].lower()
        if not word.startswith("-") or key[:1].isdigit():
            plain.append(word)
        elif rule is not None and key in rule.options and key not in rule.words:
            pairs.append((key, next(rest, "")))
        else:
            pairs.append((key, None))
    return _line(loc, words[0], name, pairs, plain)


def _cfg(text: str, loc: Loc) -> _Line:
    shown, _, rest = text.partition("=")
    words = directive_words(rest, loc)
    pairs = [(k, v) for k, e, v in (w.partition("=") for w in words[1:]) if e]
    plain = words[:1] + [w for w in words[1:] if "=" not in w]
    return _line(loc, shown.strip(), shown.strip().rpartition(".")[2].upper(), pairs, plain)


def _line(
    loc: Loc, shown: str, name: str, pairs: Sequence[tuple[str, str | None]], plain: list[str]
) -> _Line:
    rule = PRAGMAS.get(name)
    second = _SECOND.get(name, "variable")
    if len(plain) > 1 and rule is not None and second in rule.options:
        pairs = [(second, plain[1]), *pairs, *((w, None) for w in plain[2:])]
    else:
        pairs = [*pairs, *((w, None) for w in plain[1:])]
    return _Line(loc, shown, name, pairs, plain[0] if plain else "")
