# SPDX-License-Identifier: Apache-2.0
"""The LLVM IR of a program made runnable: stream accesses call the runtime of dataflow_run.cpp."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hlsc.dataflow_claims import DECLARATIONS, Claim, watch
from hlsc.frontend.llvmtext import ModuleText
from hlsc.frontend.program import Binding, Program, without_once
from hlsc.ir import Loc

__all__ = ["instrument", "memory_bytes"]


def memory_bytes(width: int) -> int:
    """Bytes that an integer takes in a buffer: those of its C++ type."""
    size = (width + 7) // 8
    return next((x for x in (1, 2, 4, 8) if size <= x), -(-size // 8) * 8)


def instrument(program: Program) -> tuple[str, dict[int, Loc], list[Claim]]:
    """The module with bodies for its stream accesses and a table of its processes; places by number;
    the DEPENDENCE pragmas that it watches."""
    module = ModuleText(without_once(program.module))
    places: dict[int, Loc] = {}
    claims = watch(module, program, places)
    lines = []
    for line in str(module).splitlines():
        m = re.search(r"call [^@]*@hlsc\.(?:read|write|empty)[\w.]*\(([^)]*)\)", line)
        if m:
            place = max(places, default=0) + 1
            loc = module.metadata.loc_of(line, False)
            if loc is not None:
                places[place] = loc
            line = line[: m.end(1)] + f", i32 {place}" + line[m.end(1) :]
        lines.append(line)
    text = re.sub(
        r"^declare .*@hlsc\.(read|write|empty)(?:\.i(\d+))?\(.*$", _body, "\n".join(lines), flags=re.M
    )
    entries = []
    for i, process in enumerate(program.processes):
        text += _entry(text, i, process.function, process.bindings)
        entries.append(f"ptr @hlsc.dataflow.{i}")
    text += (
        "\ndeclare void @hlsc_dataflow_read(ptr, ptr, i64, i32)\n"
        "declare void @hlsc_dataflow_write(ptr, ptr, i64, i32)\n"
        "declare i8 @hlsc_dataflow_empty(ptr, i32)\n"
        f"{DECLARATIONS}"
        f"@hlsc_dataflow_processes = constant [{len(entries)} x ptr] [{', '.join(entries)}]\n"
    )
    return text, places, claims


def _body(m: re.Match[str]) -> str:
    kind, width = m.group(1), int(m.group(2) or 1)
    if kind == "empty":
        return (
            "define internal i1 @hlsc.empty(ptr %s, i32 %p) {\n"
            "  %v = call i8 @hlsc_dataflow_empty(ptr %s, i32 %p)\n"
            "  %r = trunc i8 %v to i1\n  ret i1 %r\n}"
        )
    size = (width + 7) // 8
    memory = f"i{8 * size}"
    head = f"  %b = alloca {memory}, align 16\n"
    access = f"  call void @hlsc_dataflow_{kind}(ptr %s, ptr %b, i64 {size}, i32 %p)\n"
    if kind == "read":
        value = f"  %r = trunc {memory} %m to i{width}\n  ret i{width} %r\n}}"
        if width == 8 * size:
            value = f"  ret {memory} %m\n}}"
        return (
            f"define internal i{width} @hlsc.read.i{width}(ptr %s, i32 %p) {{\n{head}{access}"
            f"  %m = load {memory}, ptr %b, align 16\n{value}"
        )
    give = "" if width == 8 * size else f"  %m = zext i{width} %v to {memory}\n"
    return (
        f"define internal void @hlsc.write.i{width}(ptr %s, i{width} %v, i32 %p) {{\n{head}{give}"
        f"  store {memory} {'%m' if give else '%v'}, ptr %b, align 16\n{access}  ret void\n}}"
    )


def _entry(text: str, index: int, function: str, bindings: Sequence[Binding]) -> str:
    """A process as a function of its arguments' addresses."""
    header = re.search(rf"^define void @{re.escape(function)}\((.*)$", text, re.M)
    assert header
    types = re.findall(r"(ptr|i\d+)(?: [\w()]+)* %", header.group(1))
    lines, passed, at, k = list[str](), list[str](), 0, 0
    for binding in bindings:
        for _ in binding.targets or [binding.target]:
            kind = types[k]
            k += 1
            if binding.kind == "const":
                passed.append(f"{kind} {binding.value}")
                continue
            lines.append(f"  %g{at} = getelementptr ptr, ptr %a, i64 {at}")
            lines.append(f"  %p{at} = load ptr, ptr %g{at}")
            if kind != "ptr":
                size = 8 * memory_bytes(int(kind[1:]))
                lines.append(f"  %w{at} = load i{size}, ptr %p{at}, align 1")
                same = f"i{size}" == kind
                if not same:
                    lines.append(f"  %v{at} = trunc i{size} %w{at} to {kind}")
                passed.append(f"{kind} %{'w' if same else 'v'}{at}")
            else:
                passed.append(f"ptr %p{at}")
            at += 1
    body = "\n".join([*lines, f"  call void @{function}({', '.join(passed)})", "  ret void"])
    return f"\ndefine internal void @hlsc.dataflow.{index}(ptr %a) {{\n{body}\n}}\n"
