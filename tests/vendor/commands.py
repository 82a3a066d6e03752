# SPDX-License-Identifier: Apache-2.0
"""Options of vendor commands as a table, and the strict parser for it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from tclrun import Refusal


@dataclass(frozen=True)
class Command:
    """Options with a value, flags, and how many plain words there may be."""

    values: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    least: int = 0
    most: int = 0


def spec(text: str, least: int = 0, most: int | None = None) -> Command:
    """`-part= -force`: options with a value end in `=`."""
    words = text.split()
    values = tuple(w[1:-1] for w in words if w.endswith("="))
    flags = tuple(w[1:] for w in words if not w.endswith("="))
    return Command(values, flags, least, least if most is None else most)


def parse(table: Mapping[str, Command], words: list[str]) -> tuple[str, dict[str, str], list[str]]:
    """(command, options, plain words); Refusal for anything that the table does not hold."""
    name = words[0].removeprefix("::")
    if name not in table:
        near = difflib.get_close_matches(name, table, 1)
        raise Refusal(f"invalid command name {name!r}" + (f" (meant: {near[0]}?)" if near else ""))
    known = table[name]
    options: dict[str, str] = {}
    plain: list[str] = []
    rest = iter(words[1:])
    for text in rest:
        option = text[1:]
        # A value such as -0.5 is no option.
        if not text.startswith("-") or option[:1].isdigit():
            plain.append(text)
        elif option in known.flags:
            options[option] = "1"
        elif option in known.values:
            value = next(rest, None)
            if value is None:
                raise Refusal(f"{name}: option {text} must have a value")
            options[option] = value
        else:
            raise Refusal(f"{name}: unknown option {text}")
    if not known.least <= len(plain) <= known.most:
        raise Refusal(f"{name}: takes {known.least} to {known.most} words, not {len(plain)}: {plain}")
    return name, options, plain


def tcl_list(text: str) -> list[str]:
    """Words of a Tcl list with braces, as our scripts write them (no backslashes)."""
    words: list[str] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        if text[at] != "{":
            end = next((i for i in range(at, len(text)) if text[i].isspace()), len(text))
            words.append(text[at:end])
        else:
            depth, end = 0, at
            while True:
                depth += {"{": 1, "}": -1}.get(text[end], 0)
                end += 1
                if depth == 0:
                    break
                if end >= len(text):
                    raise Refusal(f"unbalanced braces in {text!r}")
            words.append(text[at + 1 : end - 1])
        at = end
    return words
