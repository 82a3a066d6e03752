# SPDX-License-Identifier: Apache-2.0
"""Runs LLVM IR of the front end natively: before all passes, or the final module.

Streams are unbounded queues of integers (packed words); processes run one after the other in the order
of the source, as the C++ program does.  For tests of every later stage: what the RTL must do is what
`run_raw` does.
"""

from __future__ import annotations

import ctypes
import itertools
import re
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import llvmlite.binding as llvm

from hlsc.errors import HlscError
from hlsc.frontend.intrinsics import define_bodies, read_intrinsic
from hlsc.frontend.llvmtext import ModuleText
from hlsc.frontend.passes import target_machine
from hlsc.frontend.program import Program

__all__ = ["Result", "run_program", "run_raw"]

_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64)
_EMPTY = ctypes.CFUNCTYPE(ctypes.c_uint8, ctypes.c_uint64)


@dataclass
class Result:
    """Words that left on each output stream, and the scalar outputs by name (unsigned)."""

    streams: dict[str, list[int]] = field(default_factory=dict)
    scalars: dict[str, int] = field(default_factory=dict)


class _Machine:
    """Queues by handle, and the callbacks that IR calls."""

    def __init__(self) -> None:
        self.queues: dict[int, deque[int]] = {}
        self.problem = ""

        def read(handle: int, buffer: int, size: int) -> None:
            queue = self.queues.setdefault(handle, deque())
            if not queue:
                self.problem = self.problem or "a read from an empty stream"
            word = queue.popleft() if queue else 0
            ctypes.memmove(buffer, word.to_bytes(size, "little"), size)

        def write(handle: int, buffer: int, size: int) -> None:
            word = int.from_bytes(ctypes.string_at(buffer, size), "little")
            self.queues.setdefault(handle, deque()).append(word)

        def empty(handle: int) -> int:
            return not self.queues.get(handle)

        self.read, self.write, self.empty = _CALLBACK(read), _CALLBACK(write), _EMPTY(empty)

    def bodies(self, text: str) -> str:
        """Definitions of the stream intrinsics that a module declares."""
        read, write, empty = (
            ctypes.cast(f, ctypes.c_void_p).value for f in (self.read, self.write, self.empty)
        )

        def one(m: re.Match[str]) -> str:
            kind, width = m.group(1), int(m.group(2) or 1)
            if kind == "empty":
                return (
                    f"define i1 @hlsc.empty(ptr %s) {{\n  %p = inttoptr i64 {empty} to ptr\n"
                    "  %h = ptrtoint ptr %s to i64\n  %v = call i8 %p(i64 %h)\n"
                    "  %r = trunc i8 %v to i1\n  ret i1 %r\n}"
                )
            size = (width + 7) // 8
            head = f"  %b = alloca [{size} x i8]\n  %h = ptrtoint ptr %s to i64\n"
            memory = f"i{8 * size}"
            same = width == 8 * size
            if kind == "read":
                take = f"  %m = load {memory}, ptr %b\n"
                take += (
                    f"  ret {memory} %m\n"
                    if same
                    else (f"  %r = trunc {memory} %m to i{width}\n  ret i{width} %r\n")
                )
                return (
                    f"define i{width} @hlsc.read.i{width}(ptr %s) {{\n{head}"
                    f"  %p = inttoptr i64 {read} to ptr\n  call void %p(i64 %h, ptr %b, i64 {size})\n"
                    f"{take}}}"
                )
            give = f"  %m = zext i{width} %v to {memory}\n" if not same else ""
            return (
                f"define void @hlsc.write.i{width}(ptr %s, i{width} %v) {{\n{head}{give}"
                f"  store {memory} {'%v' if same else '%m'}, ptr %b\n"
                f"  %p = inttoptr i64 {write} to ptr\n  call void %p(i64 %h, ptr %b, i64 {size})\n"
                "  ret void\n}"
            )

        pattern = r"^declare .*@hlsc\.(read|write|empty)(?:\.i(\d+))?\(.*$"
        return re.sub(pattern, one, text, flags=re.MULTILINE)

    def execute(self, text: str, functions: Sequence[str]) -> None:
        """Compile a module and call `void f()` for each name."""
        module = llvm.parse_assembly(text, context=llvm.create_context())
        module.verify()
        target_machine()  # initialises LLVM; the engine takes a machine of its own
        machine = llvm.Target.from_default_triple().create_target_machine()
        engine = llvm.create_mcjit_compiler(module, machine)
        engine.finalize_object()
        for name in functions:
            ctypes.CFUNCTYPE(None)(engine.get_function_address(name))()
            if self.problem:
                raise HlscError(f"running '{name}': {self.problem}")


def _handle(n: int) -> int:
    return 0x1000 + 16 * n  # never followed, only compared


def run_program(
    program: Program, streams: Mapping[str, Sequence[int]], scalars: Mapping[str, int]
) -> Result:
    """Run the processes of a program on words for its input streams and values for its scalars."""
    machine = _Machine()
    handles = {c.name: _handle(i) for i, c in enumerate(program.channels)}
    for name, words in streams.items():
        machine.queues[handles[name]] = deque(words)
    ports = {p.name: p for p in program.ports}
    outs = {p.name: (ctypes.c_uint8 * 1024)() for p in program.ports if p.direction == "out"}
    text = machine.bodies(program.module)
    arrays = []
    for process in program.processes:
        header = re.search(rf"^define void @{re.escape(process.function)}\(.*$", text, re.M)
        assert header
        types = re.findall(r"(ptr|i\d+) %", header.group())
        args = []
        for kind, b in zip(types, process.bindings, strict=True):
            if b.kind == "channel":
                args.append(f"ptr inttoptr (i64 {handles[b.target]} to ptr)")
            elif b.kind == "scalar":
                args.append(f"{kind} {scalars[b.target] & ((1 << int(kind[1:])) - 1)}")
            elif b.kind == "out":
                args.append(f"ptr inttoptr (i64 {ctypes.addressof(outs[b.target])} to ptr)")
            else:
                raise HlscError("arrays of streams cannot be run yet")
        arrays.append(args)
        call = f"call void @{process.function}({', '.join(args)})"
        text += f"define void @hlsc.run.{process.name}() {{\n  {call}\n  ret void\n}}\n"
    machine.execute(text, [f"hlsc.run.{p.name}" for p in program.processes])
    result = Result()
    for c in program.channels:
        if c.consumer is None:
            result.streams[c.name] = list(machine.queues.get(handles[c.name], ()))
    for name, buffer in outs.items():
        port = ports[name]
        if port.kind != "axis":
            size = (port.width + 7) // 8
            result.scalars[name] = int.from_bytes(bytes(buffer[:size]), "little")
    return result


def run_raw(
    raw: str, program: Program, streams: Mapping[str, Sequence[int]], scalars: Mapping[str, int]
) -> Result:
    """Run the IR of stage llvm-raw, before any pass; names and positions are those of `program`."""
    machine = _Machine()
    module = ModuleText(raw)
    define_bodies(module)
    order = [p.name for p in program.ports if p.name != "ap_return"]
    buffers = {p.name: (ctypes.c_uint8 * 1024)() for p in program.ports}
    handles = {name: _handle(i) for i, name in enumerate(order)}
    for name, words in streams.items():
        machine.queues[handles[name]] = deque(words)
    parts: list[str] = []
    for part in str(module).splitlines():
        m = re.match(r"declare (.*?)@([\w.$]+)\((.*?)\)", part)
        name = m.group(2) if m else ""
        i = read_intrinsic(name)
        if name.startswith("_ZN9hlsc_mark") or (i and i.name == "declare"):
            parts.append(_empty_body(part))
        elif i and i.name in {"port", "result"}:
            port = "ap_return" if i.args[0] < 0 else order[i.args[0]]
            at = handles[port] if i.name == "port" else ctypes.addressof(buffers[port])
            parts.append(f"define ptr @{name}() {{\n  ret ptr inttoptr (i64 {at} to ptr)\n}}")
        elif m and (arg := re.match(r"hlsc\.arg\.(\d+)\.i(\d+)", name)):
            w = int(arg.group(2))
            value = scalars[order[int(arg.group(1))]] & ((1 << w) - 1)
            parts.append(f"define i{w} @{name}() {{\n  ret i{w} {_constant(value, w)}\n}}")
        else:
            parts.append(part)
    machine.execute(machine.bodies("\n".join(parts)), ["hlsc_run"])
    result = Result()
    for port in program.ports:
        if port.direction == "out" and port.kind == "axis":
            result.streams[port.name] = list(machine.queues.get(handles[port.name], ()))
        elif port.direction == "out":
            size = (port.width + 7) // 8
            value = int.from_bytes(bytes(buffers[port.name][:size]), "little")
            result.scalars[port.name] = value & ((1 << port.width) - 1)
    return result


def _constant(value: int, width: int) -> str:
    return ("true" if value else "false") if width == 1 else str(value)


def _empty_body(declare: str) -> str:
    m = re.match(r"declare (?:!dbg !\d+ )?.*?@([\w.$]+)\((.*)\)", declare)
    assert m
    count = itertools.count()
    params = ", ".join(f"ptr %a{next(count)}" for p in m.group(2).split(",") if "ptr" in p)
    return f"define void @{m.group(1)}({params}) {{\n  ret void\n}}"
