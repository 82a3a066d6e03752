# SPDX-License-Identifier: Apache-2.0
"""Runs LLVM IR of the front end natively: before all passes, or the final module.

Streams are unbounded queues of integers (packed words); processes run one after the other in the order
of the source, as the C++ program does.  For tests of every later stage: what the RTL must do is what
`Runner.of_raw` does.
"""

from __future__ import annotations

import ctypes
import itertools
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import llvmlite.binding as llvm

from hlsc.errors import HlscError
from hlsc.frontend.intrinsics import define_bodies, read_intrinsic
from hlsc.frontend.llvmtext import ModuleText
from hlsc.frontend.passes import target_machine
from hlsc.frontend.program import Program

__all__ = ["Result", "Runner"]

_CALLBACK = ctypes.CFUNCTYPE(None, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint64)
# Engines live as long as the process: the garbage collector may free a context before its engine, which
# ends the process with a segmentation fault.
_ENGINES: list[tuple[llvm.ExecutionEngine, llvm.ContextRef]] = []
_EMPTY = ctypes.CFUNCTYPE(ctypes.c_uint8, ctypes.c_uint64)


@dataclass
class Result:
    """Words that left on each output stream, and the scalar outputs by name (unsigned)."""

    streams: dict[str, list[int]] = field(default_factory=dict)
    scalars: dict[str, int] = field(default_factory=dict)
    left: dict[str, list[int]] = field(default_factory=dict)  # what inputs were not read


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
                take = f"  %m = load {memory}, ptr %b, align 1\n"
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
                f"  store {memory} {'%v' if same else '%m'}, ptr %b, align 1\n"
                f"  %p = inttoptr i64 {write} to ptr\n  call void %p(i64 %h, ptr %b, i64 {size})\n"
                "  ret void\n}"
            )

        pattern = r"^declare .*@hlsc\.(read|write|empty)(?:\.i(\d+))?\(.*$"
        return re.sub(pattern, one, text, flags=re.MULTILINE)

    def compile(self, text: str, functions: Sequence[str]) -> list[Callable[[], None]]:
        """Compile a module; gives `void f()` for each name."""
        context = llvm.create_context()
        module = llvm.parse_assembly(text, context=context)
        module.verify()
        target_machine()  # initialises LLVM; the engine takes a machine of its own
        machine = llvm.Target.from_default_triple().create_target_machine(opt=0)
        engine = llvm.create_mcjit_compiler(module, machine)
        _ENGINES.append((engine, context))
        engine.finalize_object()
        return [ctypes.CFUNCTYPE(None)(engine.get_function_address(f)) for f in functions]


class Runner:
    """A compiled module with its streams and scalars; `run` may be called again and again."""

    def __init__(self, program: Program) -> None:
        self.ports = program.ports
        self.machine = _Machine()
        self.buffers = {p.name: (ctypes.c_uint8 * 1024)() for p in program.ports}
        self.handles = {c.name: 0x1000 + 16 * i for i, c in enumerate(program.channels)}
        self.functions: dict[str, Callable[[], None]] = {}

    @classmethod
    def of_program(cls, program: Program) -> Runner:
        """The final module: each process is called once, in the order of the source."""
        self = cls(program)
        text = self.machine.bodies(program.module)
        for process in program.processes:
            name = re.escape(process.function)
            header = re.search(rf"^define void @{name}\(.*$", text, re.MULTILINE)
            assert header
            types = re.findall(r"(ptr|i\d+) %", header.group())
            loads: list[str] = []
            args = []
            for kind, b in zip(types, process.bindings, strict=True):
                if b.kind == "channel":
                    args.append(f"ptr {_pointer(self.handles[b.target])}")
                elif b.kind == "out":
                    args.append(f"ptr {self._buffer(b.target)}")
                elif b.kind == "scalar":
                    value = f"%a{len(loads)}"
                    loads += self._load(b.target, int(kind[1:]), value)
                    args.append(f"{kind} {value}")
                else:
                    raise HlscError("arrays of streams cannot be run yet")
            call = f"  call void @{process.function}({', '.join(args)})"
            body = "\n".join([*loads, call, "  ret void"])
            text += f"define void @hlsc.run.{process.name}() {{\n{body}\n}}\n"
        names = [p.name for p in program.processes]
        compiled = self.machine.compile(text, [f"hlsc.run.{n}" for n in names])
        self.functions = dict(zip(names, compiled, strict=True))
        return self

    @classmethod
    def of_raw(cls, raw: str, program: Program) -> Runner:
        """The IR of stage llvm-raw, before any pass; ports are those of its program."""
        self = cls(program)
        module = ModuleText(raw)
        define_bodies(module)
        order = [p.name for p in program.ports if p.name != "ap_return"]
        parts = [self._raw_part(line, order) for line in str(module).splitlines()]
        text = self.machine.bodies("\n".join(parts))
        self.functions = {program.top: self.machine.compile(text, ["hlsc_run"])[0]}
        return self

    def _raw_part(self, line: str, order: Sequence[str]) -> str:
        """A line of the raw module, with a body for what only the compiler knows."""
        m = re.match(r"declare (.*?)@([\w.$]+)\((.*?)\)", line)
        name = m.group(2) if m else ""
        i = read_intrinsic(name)
        if name.startswith("_ZN9hlsc_mark") or (i and i.name == "declare"):
            return _empty_body(line)
        if i and i.name in {"port", "result"}:
            port = "ap_return" if i.args[0] < 0 else order[i.args[0]]
            at = _pointer(self.handles[port]) if i.name == "port" else self._buffer(port)
            return f"define ptr @{name}() {{\n  ret ptr {at}\n}}"
        if arg := re.match(r"hlsc\.arg\.(\d+)\.i(\d+)", name):
            width = int(arg.group(2))
            load = self._load(order[int(arg.group(1))], width, "%v")
            body = "\n".join([*load, f"  ret i{width} %v"])
            return f"define i{width} @{name}() {{\n{body}\n}}"
        return line

    def _buffer(self, port: str) -> str:
        return _pointer(ctypes.addressof(self.buffers[port]))

    def _load(self, port: str, width: int, to: str) -> list[str]:
        size = 8 * ((width + 7) // 8)
        load = f"load volatile i{size}, ptr {self._buffer(port)}, align 1"
        if size == width:
            return [f"  {to} = {load}"]
        return [f"  {to}.w = {load}", f"  {to} = trunc i{size} {to}.w to i{width}"]

    def run(self, streams: Mapping[str, Sequence[int]], scalars: Mapping[str, int]) -> Result:
        """One run on packed words for the input streams and values for the scalars."""
        queues = self.machine.queues
        queues.clear()
        self.machine.problem = ""
        for port in self.ports:
            if port.kind == "axis":
                queues[self.handles[port.name]] = deque(streams.get(port.name, ()))
            elif port.direction == "in":
                value = scalars[port.name] & ((1 << port.width) - 1)
                buffer = self.buffers[port.name]
                ctypes.memmove(buffer, value.to_bytes(len(buffer), "little"), len(buffer))
        for name, function in self.functions.items():
            function()
            if self.machine.problem:
                raise HlscError(f"running '{name}': {self.machine.problem}")
        result = Result()
        for port in self.ports:
            if port.kind == "axis":
                words = list(queues[self.handles[port.name]])
                (result.streams if port.direction == "out" else result.left)[port.name] = words
            elif port.direction == "out":
                value = int.from_bytes(bytes(self.buffers[port.name]), "little")
                result.scalars[port.name] = value & ((1 << port.width) - 1)
        return result


def _pointer(address: int) -> str:
    return f"inttoptr (i64 {address} to ptr)"


def _empty_body(declare: str) -> str:
    m = re.match(r"declare (?:!dbg !\d+ )?.*?@([\w.$]+)\((.*)\)", declare)
    assert m
    count = itertools.count()
    params = ", ".join(f"ptr %a{next(count)}" for p in m.group(2).split(",") if "ptr" in p)
    return f"define void @{m.group(1)}({params}) {{\n  ret void\n}}"
