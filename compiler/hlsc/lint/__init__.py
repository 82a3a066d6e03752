# SPDX-License-Identifier: Apache-2.0
"""`hlsc lint`: what the vendor's tools would pass over in silence, and from which release on.

It reads sources as they are after the preprocessor, and directive files, and reports pragmas and
directives that some release does not know or does not heed where they stand, struct words that lose
TLAST, loops without a known trip count, and dataflow streams that need a depth. hlsc itself refuses
what it does not know, so it has no part here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hlsc import toolchain
from hlsc.errors import HlscError
from hlsc.frontend.grammar import split_options
from hlsc.frontend.lexer import Scope, Walk
from hlsc.ir import Loc
from hlsc.lint.directives import SUFFIXES, directive_findings, labels
from hlsc.lint.placement import stands_before_loop, unknown_name
from hlsc.lint.releases import ALL, Release, named, select
from hlsc.lint.spelling import CONDITION, breaches
from hlsc.lint.structure import dataflow_streams, unbounded_loops
from hlsc.lint.words import stream_words

_PRAGMA = re.compile(r"\s*#\s*pragma\s+HLS\s+(.*)", re.I | re.S)
_MARKER = re.compile(r'# \d+ "((?:[^"\\]|\\.)*)"')

__all__ = ["ALL", "Finding", "Release", "lint", "select"]


@dataclass(frozen=True, order=True)
class Finding:
    """rule: placement, option, tlast, depth or tripcount. tools: the releases concerned, in words."""

    file: str
    line: int
    rule: str
    message: str
    remedy: str
    tools: str

    @property
    def is_note(self) -> bool:
        """Whether it only takes something from the vendor's reports."""
        return self.rule == "tripcount"

    def __str__(self) -> str:
        kind = "note" if self.is_note else "warning"
        text = f"{self.file}:{self.line}: {kind}: {self.message} ({self.tools})"
        return f"{text}; {self.remedy}" if self.remedy else text


def lint(
    files: Sequence[Path],
    top: str = "",
    releases: Sequence[Release] = ALL,
    include_dirs: Sequence[Path] = (),
    defines: Mapping[str, str] | None = None,
) -> list[Finding]:
    """Findings of all files and the headers of the user that they include, each once, in order.

    Files that end in .tcl, .cfg or .ini hold directives; the functions and loops that they name are
    looked for in the sources, if there are any. top: the top function; without it its arguments are not
    looked at. Raises HlscError if a file is missing or does not preprocess.
    """
    found: set[Finding] = set()
    walks: list[Walk] = []
    library = (str(toolchain.shim_include_dir()), "/usr/", "<")
    for file in files:
        if not file.is_file():
            raise HlscError(f"source file must exist, not {file}")
        if file.suffix in SUFFIXES:
            continue
        flags = ["-std=c++17", "-E", f"-isystem{toolchain.shim_include_dir()}"]
        flags += [f"-I{d}" for d in include_dirs] + [f"-D{k}={v}" for k, v in (defines or {}).items()]
        text = toolchain.clang().run([*flags, file], what=f"reading {file.name}").stdout
        walks.append(Walk(_without(text, library)))
        found.update(_file(walks[-1], top, list(releases)))
    known = labels(walks)
    for file in files:
        if file.suffix in SUFFIXES:
            for loc, rule, what, remedy, concerned in directive_findings(file, list(releases), known):
                found.add(_finding(loc, rule, what, remedy, concerned))
    return sorted(found)


def _without(text: str, library: tuple[str, ...]) -> str:
    """Preprocessed text less what comes from these folders and from the compiler itself."""
    kept, user = [], True
    for line in text.splitlines(keepends=True):
        marker = _MARKER.match(line)
        if marker:
            user = not marker[1].startswith(library)
        if user or marker:
            kept.append(line)
    return "".join(kept)


def _file(walk: Walk, top: str, releases: list[Release]) -> set[Finding]:
    found = set()
    for i, token in enumerate(walk.tokens):
        if token.kind == "pragma":
            found.update(_pragma(walk, i, top, releases))
    vitis = [r for r in releases if r.dialect == "vitis"]
    looks = [
        ("tlast", stream_words(walk, top), vitis),
        ("tripcount", unbounded_loops(walk), releases),
        ("depth", dataflow_streams(walk), releases),
    ]
    for rule, results, concerned in looks:
        for loc, message, remedy in results:
            if concerned:
                found.add(_finding(loc, rule, message, remedy, concerned))
    return found


def _finding(loc: Loc, rule: str, message: str, remedy: str, releases: Sequence[Release]) -> Finding:
    return Finding(loc.file, loc.line, rule, message, remedy, named(releases))


def _parts(text: str) -> tuple[str, str, bool] | None:
    """(name, options, whether it has a condition) of `#pragma HLS [if (…)] NAME …`; None for others."""
    found = _PRAGMA.match(text)
    if found is None:
        return None
    rest, conditional = found[1], False
    if condition := re.match(r"if\s*\(", rest, re.I):
        depth = at = 0
        for at in range(condition.end() - 1, len(rest)):
            depth += (rest[at] == "(") - (rest[at] == ")")
            if depth == 0:
                break
        rest, conditional = rest[at + 1 :], True
    name, _, options = rest.strip().partition(" ")
    return (name, options, conditional) if name else None


def _pragma(walk: Walk, i: int, top: str, releases: list[Release]) -> set[Finding]:
    token = walk.tokens[i]
    if (parts := _parts(token.text)) is None:
        return set()
    written, options, conditional = parts
    name = written.upper()
    before = i - 1
    while before >= 0 and walk.tokens[before].kind == "pragma":
        before -= 1
    scope = walk.scope_of[i]
    place = "loop" if before in walk.loop_heads else _place(scope)
    shown = f"#pragma HLS {written}"
    try:
        pairs = split_options(options)
    except ValueError as error:
        message = f"{shown} must consist of option=value and words, not '{error}'"
        return {_finding(token.loc, "option", message, "", releases)}
    if stands_before_loop(walk, i, name) and place in ("loop", "function"):
        message = f"{shown} stands before a loop, and applies to the {place} around it"
        return {_finding(token.loc, "placement", message, "put it into the loop's body", releases)}
    found = {
        _finding(token.loc, b.rule, f"{shown} {b.what}", b.remedy, b.releases)
        for b in breaches(name, pairs, place, releases)
    }
    strangers = [r for r in releases if not CONDITION.taken(r)]
    if conditional and strangers:
        message = f"{shown} has a condition, which is not known there"
        found.add(_finding(token.loc, "option", message, CONDITION.instead, strangers))
    if (unknown := unknown_name(walk, i, name, pairs)) is not None:
        found.add(_finding(token.loc, "option", f"{shown} {unknown[0]}", unknown[1], releases))
    function = scope.function() if scope else None
    if name == "INTERFACE" and top and function is not None and function.name != top:
        message = f"{shown} stands in '{function.name}', which is not the top, and is passed over"
        found.add(_finding(token.loc, "placement", message, f"move it into '{top}'", releases))
    return found


def _place(scope: Scope | None) -> str:
    return "" if scope is None or scope.kind not in ("loop", "function", "block") else scope.kind
