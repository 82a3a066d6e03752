# SPDX-License-Identifier: Apache-2.0
"""Python data as Tcl: `set` lines of nested lists, quoted so that Tcl reads back the same words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

__all__ = ["assignments", "word"]

Value = str | int | float | Sequence["Value"]

_PLAIN = re.compile(r"[A-Za-z0-9_./:%+=,@-]+")


def word(value: Value) -> str:
    """One Tcl word; a sequence becomes a list.  ValueError for text that braces can not hold."""
    if isinstance(value, (int, float)):
        return format(value, ".10g") if isinstance(value, float) else str(value)
    if not isinstance(value, str):
        return "{" + " ".join(word(v) for v in value) + "}"
    if _PLAIN.fullmatch(value):
        return value
    if re.search(r"[{}\\\n]", value):
        raise ValueError(
            f"a Tcl word of ours must be without braces, backslash and newline, not {value!r}"
        )
    return "{" + value + "}"


def assignments(values: Mapping[str, Value]) -> str:
    """A `set` line per entry, in order."""
    return "".join(f"set {name} {word(value)}\n" for name, value in values.items())
