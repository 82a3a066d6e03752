# SPDX-License-Identifier: Apache-2.0
"""Directive files: `set_directive_*` lines of a Tcl script, `syn.directive.*` lines of a cfg file.

Each directive becomes the pragma of the same name at a place: the function or the labelled loop it
names.  One that finds no place is an error, like everything else that is not understood.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hlsc.errors import HlscError, SourceError
from hlsc.frontend.grammar import SPECS, Pragma, parse_pragma
from hlsc.ir import Loc

__all__ = ["Directive", "directive_lines", "directive_words", "read_directives"]

# What may follow the location without an option name.
_POSITIONAL = {
    "ALLOCATION": "instances",
    "ARRAY_PARTITION": "variable",
    "ARRAY_RESHAPE": "variable",
    "BIND_OP": "variable",
    "BIND_STORAGE": "variable",
    "STREAM": "variable",
    "INTERFACE": "port",
}


@dataclass(frozen=True)
class Directive:
    """A pragma and where it goes: function name, label of a loop in it ("": the function)."""

    pragma: Pragma
    function: str
    label: str = ""


def read_directives(path: Path) -> list[Directive]:
    """All directives of a file; `.tcl` is Tcl, anything else is told by its lines."""
    result = []
    for loc, whole in directive_lines(path):
        if whole.startswith("set_directive_"):
            result.append(_tcl(whole, loc))
        elif whole.startswith("syn.directive."):
            result.append(_cfg(whole, loc))
        elif path.suffix == ".tcl" or not re.match(r"[\w.]+\s*=", whole):
            raise SourceError(
                f"a directive file must hold set_directive_… or syn.directive.… lines, not '{whole}'",
                loc,
            )
    return result


def directive_lines(path: Path) -> Iterator[tuple[Loc, str]]:
    """The lines of a Tcl or cfg file, continued ones whole, less comments and sections."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise HlscError(f"directive file {path} must be readable: {error.strerror}") from None
    except UnicodeDecodeError:
        raise HlscError(f"directive file {path} must be text in UTF-8") from None
    pending, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if not pending:
            start = number
        if line.rstrip().endswith("\\"):
            pending += line.rstrip()[:-1] + " "
            continue
        whole = (pending + line).strip()
        pending = ""
        if not whole or whole.startswith(("#", "[")):
            continue
        yield Loc(str(path), start), whole


def directive_words(text: str, loc: Loc) -> list[str]:
    """The words of a directive; SourceError for unbalanced quotes."""
    try:
        return shlex.split(text.replace("{", '"').replace("}", '"'))
    except ValueError as error:
        raise SourceError(f"a directive must be well quoted: {error}", loc) from None


def _tcl(line: str, loc: Loc) -> Directive:
    words = directive_words(line, loc)
    name = words[0].removeprefix("set_directive_").upper()
    options: list[str] = []
    plain: list[str] = []
    i = 1
    while i < len(words):
        word = words[i]
        if word.startswith("-") and not re.match(r"-\d", word):
            key = word[1:].lower()
            spec = SPECS.get(name)
            kind = spec.options.get(key) if spec else None
            takes = kind is not None and kind.kind not in {"flag", "refused"}
            if takes and i + 1 < len(words):
                options.append(f"{key}={words[i + 1]}")
                i += 1
            else:
                options.append(key)
        else:
            plain.append(word)
        i += 1
    return _directive(name, plain, options, loc)


def _cfg(line: str, loc: Loc) -> Directive:
    key, _, rest = line.partition("=")
    name = key.strip().removeprefix("syn.directive.").upper()
    words = directive_words(rest, loc)
    options = [w for w in words[1:] if "=" in w]
    plain = words[:1] + [w for w in words[1:] if "=" not in w]
    return _directive(name, plain, options, loc)


def _directive(name: str, plain: list[str], options: list[str], loc: Loc) -> Directive:
    if not plain:
        raise SourceError(f"directive {name} must name a function or function/label", loc)
    function, _, label = plain[0].partition("/")
    rest = plain[1:]
    known = SPECS.get(name)
    if rest and known and name in _POSITIONAL:
        bare = [w for w in rest if w.lower() in _words_of(name)]
        objects = [w for w in rest if w not in bare]
        if len(objects) == 1:
            options = [f"{_POSITIONAL[name]}={objects[0]}", *options]
            rest = bare
    pragma = parse_pragma(" ".join([name, *rest, *options]), loc)
    return Directive(Pragma(pragma.name, pragma.options, loc, "", "", True), function, label)


def _words_of(name: str) -> set[str]:
    spec = SPECS[name]
    return {w for o in spec.options.values() if o.kind == "word" for w in o.words} | {
        k for k, o in spec.options.items() if o.kind == "flag"
    }
