# SPDX-License-Identifier: Apache-2.0
"""Bodies for the function templates that hlsc_stream_synth.h leaves undefined.

Their mangled names carry the widths.  A stream access becomes one call on exact widths and a store or
load of the whole word, which SROA and instcombine turn into plain values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from hlsc.errors import SourceError
from hlsc.frontend.llvmtext import ModuleText

__all__ = ["Intrinsic", "define_bodies", "read_intrinsic", "stream_declarations"]

_NAME = re.compile(r"_ZN7hlsc_ir\d+([a-z]+)I")
SIDE_EFFECT = "nounwind willreturn nosync nocallback memory(inaccessiblemem: readwrite)"
AXIS_FIELDS = ("data", "keep", "strb", "user", "last", "id", "dest")


@dataclass(frozen=True)
class Intrinsic:
    """A function of namespace hlsc_ir and its template arguments."""

    name: str
    args: tuple[int, ...]

    @property
    def extents(self) -> tuple[int, ...]:
        """Of ports: the extents of the array of streams."""
        return tuple(n for n in self.args[1:4] if n)

    @property
    def fields(self) -> tuple[tuple[str, int], ...]:
        """Of declare, port and ports: the members of the stream's word with their widths."""
        first = {"declare": 3, "port": 4, "ports": 7}[self.name]
        widths = self.args[first:]
        if self.args[first - 1]:  # an AXI4-Stream word
            return tuple((n, w) for n, w in zip(AXIS_FIELDS, widths, strict=True) if w)
        return tuple((f"f{i}", w) for i, w in enumerate(widths))


def read_intrinsic(mangled: str) -> Intrinsic | None:
    m = _NAME.match(mangled)
    if not m:
        return None
    numbers = re.findall(r"L[ib](n?\d+)E", mangled)
    return Intrinsic(m.group(1), tuple(int(x.replace("n", "-")) for x in numbers))


def _resize(value: str, have: int, want: int) -> tuple[list[str], str]:
    if have == want:
        return [], value
    op = "zext" if have < want else "trunc"
    return [f"  %r = {op} i{have} {value} to i{want}"], "%r"


def _body(mangled: str, i: Intrinsic) -> str | None:
    head = f"define internal void @{mangled}"
    if i.name == "read":
        w, m = i.args
        more, v = _resize("%v", w, m)
        return _text(
            f"{head}(ptr %s, ptr %b) alwaysinline nounwind {{",
            f"  %v = call i{w} @hlsc.read.i{w}(ptr %s)",
            *more,
            f"  store i{m} {v}, ptr %b, align 1",
        )
    if i.name == "write":
        w, m = i.args
        more, v = _resize("%v", m, w)
        return _text(
            f"{head}(ptr %s, ptr %b) alwaysinline nounwind {{",
            f"  %v = load i{m}, ptr %b, align 1",
            *more,
            f"  call void @hlsc.write.i{w}(ptr %s, i{w} {v})",
        )
    if i.name == "empty":
        return _text(
            f"{head}(ptr %s, ptr %b) alwaysinline nounwind {{",
            "  %v = call i1 @hlsc.empty(ptr %s)",
            "  %r = zext i1 %v to i8",
            "  store i8 %r, ptr %b, align 1",
        )
    if i.name == "scalar":
        n, w, m, _ = i.args
        more, v = _resize("%v", w, m)
        return _text(
            f"{head}(ptr %b) alwaysinline nounwind {{",
            f"  %v = call i{w} @hlsc.arg.{n}.i{w}()",
            *more,
            f"  store i{m} {v}, ptr %b, align 1",
        )
    return None


def _text(*lines: str) -> str:
    return "\n".join([*lines, "  ret void", "}"])


def define_bodies(module: ModuleText) -> None:
    """Give bodies to the declared intrinsics, and declare what the bodies call."""
    needed: dict[str, str] = {}
    parts: list[object] = []
    for part in module.parts:
        m = re.match(r'declare .*?@("?[\w.$]+"?)\(', part) if isinstance(part, str) else None
        intrinsic = read_intrinsic(m.group(1)) if m else None
        body = _body(m.group(1), intrinsic) if m and intrinsic else None
        if body is None or intrinsic is None:
            parts.append(part)
            continue
        parts.append(body)
        width = intrinsic.args[1 if intrinsic.name == "scalar" else 0]
        name = {
            "read": f"i{width} @hlsc.read.i{width}(ptr)",
            "write": f"void @hlsc.write.i{width}(ptr, i{width})",
            "empty": "i1 @hlsc.empty(ptr)",
            "scalar": f"i{width} @hlsc.arg.{intrinsic.args[0]}.i{width}()",
        }[intrinsic.name]
        effect = "nounwind willreturn memory(none)" if intrinsic.name == "scalar" else SIDE_EFFECT
        needed[name] = f"declare {name} {effect}"
    module.parts = [*parts, *sorted(needed.values())]  # type: ignore[list-item]


def stream_declarations(mangled: str) -> tuple[int, int, tuple[tuple[str, int], ...]]:
    """Width, depth (0: not said) and fields of a `declare` intrinsic."""
    i = read_intrinsic(mangled)
    if i is None or i.name != "declare":
        raise SourceError(f"{mangled} must declare a stream")  # a bug of ours
    return i.args[0], i.args[1], i.fields
