# SPDX-License-Identifier: Apache-2.0
"""Floating point: refused at the line of the user's that brings it."""

from __future__ import annotations

import re

from hlsc.errors import SourceError
from hlsc.frontend.clang import is_library
from hlsc.frontend.llvmtext import Function, ModuleText
from hlsc.ir import Loc

__all__ = ["check_floats", "floating_point"]

_NAMES = re.compile(r'[%@!]"?[\w.$-]+"?|c?"[^"]*"')
_TYPE = re.compile(r"\b(float|double|half|bfloat|x86_fp80|fp128)\b")
_SPELLED = {"half": "_Float16", "bfloat": "__bf16", "x86_fp80": "long double", "fp128": "__float128"}


def floating_point(loc: Loc | None, what: str) -> SourceError:
    """`what`: the construct that is floating point."""
    return SourceError(
        f"floating point is not supported: {what}", loc, "write ap_int with a stated scale"
    )


def check_floats(module: ModuleText, f: Function) -> None:
    """Raises SourceError if a function computes with floating point or keeps it."""
    kept: str | None = None
    for _, _, line in f.lines():
        m = _TYPE.search(_NAMES.sub("", line))
        if m is None:
            continue
        kind = _SPELLED.get(m.group(1), m.group(1))
        places = module.metadata.places_of(line)
        if place := next((x for x in places if not is_library(x.file)), None):
            raise floating_point(place, kind)
        kept = kept or kind  # variables have no line: one that uses them has
    if kept:
        loc = None if f.subprogram is None else module.metadata.subprogram_loc(f.subprogram)
        raise floating_point(loc, kept)
