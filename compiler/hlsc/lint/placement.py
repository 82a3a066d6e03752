# SPDX-License-Identifier: Apache-2.0
"""Pragmas that stand before the loop they mean, and names that nothing has.

Both are legal to every tool: the pragma then applies to what encloses it, or to nothing.
"""

from __future__ import annotations

import difflib
import re

from hlsc.frontend.lexer import Walk
from hlsc.frontend.pragmas import top_parameters
from hlsc.lint.spelling import Pairs

__all__ = ["stands_before_loop", "unknown_name"]

_OF_LOOPS = ("PIPELINE", "UNROLL", "LOOP_FLATTEN", "LOOP_TRIPCOUNT", "DATAFLOW")
_LOOPS = ("for", "while", "do")


def stands_before_loop(walk: Walk, i: int, name: str) -> bool:
    """Whether the pragma at token i follows other statements and comes right before a loop.

    At the beginning of a body it is meant for that body, even if nothing but a loop follows.
    """
    scope = walk.scope_of[i]
    if name not in _OF_LOOPS or scope is None:
        return False
    before = next((k for k in range(i - 1, -1, -1) if walk.tokens[k].kind != "pragma"), -1)
    if walk.tokens[before].end == scope.open or before in walk.loop_heads:
        return False
    after = [t.text for t in walk.tokens[i + 1 : i + 16] if t.kind != "pragma"]
    keyword = after[2:3] if after[1:2] == [":"] else after[:1]
    return bool(keyword) and keyword[0] in _LOOPS


def unknown_name(walk: Walk, i: int, name: str, pairs: Pairs) -> tuple[str, str] | None:
    """(what, remedy) if variable= or port= names what the sources, or the function, do not have."""
    scope = walk.scope_of[i]
    function = scope.function() if scope else None
    for key, value in pairs:
        base = re.match(r"(?:this\s*->\s*|\*)?([A-Za-z_]\w*)", value or "")
        if base is None or key.lower() not in ("variable", "port"):
            continue
        if key.lower() == "port" and name == "INTERFACE" and function is not None and function.head:
            known = {p for p, _ in top_parameters([t.text for t in function.head])} | {"return"}
            what = f"names '{base[1]}', which is no argument of '{function.name}'"
        else:
            known = {t.text for t in walk.tokens if t.kind == "name"} | {"return"}
            what = f"names '{base[1]}', which the sources do not have"
        if base[1] not in known:
            near = difflib.get_close_matches(base[1], sorted(known), 1, 0.6)
            return what, f"did you mean {near[0]}?" if near else ""
    return None
