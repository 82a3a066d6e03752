# SPDX-License-Identifier: Apache-2.0
"""Small C++ kernels → Program without the front end, and their native run, for the middle's tests.

Streams are declared by hand: `STREAM(32)` gives `read32(s)`, `write32(s, v)`; see `PRELUDE`.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import re
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

import llvmlite.binding as llvm

from hlsc.frontend.program import ArrayFacts, Binding, LoopFacts, ProcessCall, Program
from hlsc.ir import Channel, Port

PRELUDE = """
typedef void *S;
#define STREAM(N)                                                            \\
  extern "C" void read_##N(S, void *) __asm__("test.read.i" #N);             \\
  extern "C" void write_##N(S, const void *) __asm__("test.write.i" #N);     \\
  inline unsigned _BitInt(N) read##N(S s) {                                  \\
    unsigned _BitInt(N) v;                                                   \\
    read_##N(s, &v);                                                         \\
    return v;                                                                \\
  }                                                                          \\
  inline void write##N(S s, unsigned _BitInt(N) v) { write_##N(s, &v); }
extern "C" bool empty(S) __asm__("hlsc.empty");
extern "C" void loop(int) __asm__("test.loop");
template <int N> using u = unsigned _BitInt(N);
template <int N> using s = _BitInt(N);
typedef unsigned u32;
"""

_FLAGS = (
    "-x c++ -std=c++17 -O1 -Xclang -disable-llvm-passes -fno-rtti -fno-exceptions "
    "-fno-discard-value-names -gline-tables-only -fno-sanitize=undefined -emit-llvm -S"
).split()
_PASSES = (
    "always_inliner global_dead_code_eliminate sroa sccp loop_unroll sccp simplify_cfg sroa sccp "
    "simplify_cfg sroa instruction_combine new_gvn aggressive_dce sccp instruction_combine "
    "jump_threading simplify_cfg "
    "loop_deletion instruction_combine simplify_cfg global_dead_code_eliminate"
).split()


@functools.cache
def _machine() -> llvm.TargetMachine:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(jit=True)


@functools.cache
def compile_ir(source: str) -> str:
    """LLVM text of a kernel `k` after the pass list, loops marked by `loop(n)` carrying metadata."""
    key = hashlib.sha256((PRELUDE + source + " ".join(_FLAGS + _PASSES)).encode()).hexdigest()[:16]
    with tempfile.TemporaryDirectory() as tmp:
        cpp, ll = Path(tmp) / "k.cpp", Path(tmp) / f"{key}.ll"
        cpp.write_text(PRELUDE + "#line 1\n" + source)
        subprocess.run(
            [sys.executable, "-m", "ziglang", "clang", *_FLAGS, "k.cpp", "-o", ll.name],
            check=True,
            cwd=tmp,
            timeout=120,
        )
        text = ll.read_text()
    text = text.replace("\\01hlsc", "hlsc").replace("\\01test", "test")
    text = re.sub(r"^attributes #\d+ = \{[^}]*\}\n", "", text, flags=re.M)
    text = re.sub(r" #\d+", "", re.sub(r", !tbaa !\d+", "", text))
    text = re.sub(r'(, )?!"llvm.loop.unroll.disable"', "", text)
    text = re.sub(r"^(declare .*@hlsc\..*)$", r"\1 noduplicate", text, flags=re.M)
    text = _plain_streams(_mark_loops(text)).replace("define linkonce_odr", "define internal")
    text = re.sub(
        r"^(define internal .*?)( comdat)?( !dbg !\d+)? \{$", r"\1 alwaysinline\3 {", text, flags=re.M
    )
    module = llvm.parse_assembly(text, llvm.create_context())
    module.verify()
    builder = llvm.create_pass_builder(_machine(), llvm.create_pipeline_tuning_options())
    manager = llvm.create_new_module_pass_manager()
    for name in _PASSES:
        getattr(manager, f"add_{name}_pass")()
    manager.run(module, builder)
    return str(module)


def _plain_streams(text: str) -> str:
    """Accesses through memory → intrinsics that pass the word itself (no C calling convention)."""
    number = 0
    widths: set[str] = set()

    def access(m: re.Match[str]) -> str:
        nonlocal number
        number += 1
        kind, n, stream, data, rest = m.groups()
        widths.add(n)
        w = next(x for x in (8, 16, 32, 64, 128, 192, 256) if x >= int(n))
        v, z = f"%rt.v{number}", f"%rt.z{number}"
        if kind == "read":
            wide = f"  {z} = {'zext' if w > int(n) else 'bitcast'} i{n} {v} to i{w}{rest}\n"
            return (
                f"  {v} = call i{n} @hlsc.read.i{n}(ptr {stream}){rest}\n"
                f"{wide}  store i{w} {z}, ptr {data}{rest}"
            )
        narrow = f"  {z} = {'trunc' if w > int(n) else 'bitcast'} i{w} {v} to i{n}{rest}\n"
        return (
            f"  {v} = load i{w}, ptr {data}{rest}\n{narrow}"
            f"  call void @hlsc.write.i{n}(ptr {stream}, i{n} {z}){rest}"
        )

    text = re.sub(
        r"^  call void @test\.(read|write)\.i(\d+)"
        r"\(ptr (?:noundef )?(%[\w.]+), ptr (?:noundef )?(%[\w.]+)\)"
        r"(.*)$",
        access,
        text,
        flags=re.M,
    )
    for n in sorted(widths):
        text += f"declare i{n} @hlsc.read.i{n}(ptr) noduplicate\n"
        text += f"declare void @hlsc.write.i{n}(ptr, i{n}) noduplicate\n"
    return text


def _mark_loops(text: str) -> str:
    """`call @test.loop(n)` in a body → `hlsc.loop` on the next latch after it; unmarked loops must not
    unroll, which a mark of their own (llvm.loop.unroll.disable) says."""
    out: list[str] = []
    pending: list[int] = []
    extra: list[str] = []
    number = 90000
    for line in text.split("\n"):
        if m := re.search(r"call void @test\.loop\(i32 (?:noundef )?(-?\d+)\)", line):
            pending.append(int(m.group(1)))
            continue
        if m := re.search(r"!llvm\.loop !(\d+)", line):
            mark = ""
            if pending:
                key = pending.pop()
                if key < 0:  # unroll completely
                    mark = ', !{!"llvm.loop.unroll.full"}'
                else:
                    mark = f', !{{!"hlsc.loop", i32 {key}}}, !{{!"llvm.loop.unroll.disable"}}'
            else:
                mark = ', !{!"llvm.loop.unroll.disable"}'
            line = re.sub(r"!llvm\.loop !\d+", f"!llvm.loop !{number}", line)
            refs = [f"!{number}"]
            for node in re.findall(r"!\{[^{}]*\}", mark):
                number += 1
                extra.append(f"!{number} = {node}")
                refs.append(f"!{number}")
            extra.append(f"{refs[0]} = distinct !{{{', '.join(refs)}}}")
            number += 1
        out.append(line)
    return "\n".join(out + extra) + "\n"


def make_program(
    source: str,
    ports: Sequence[tuple[str, str, int]],
    *,
    arrays: Mapping[str, ArrayFacts] | None = None,
    loops: Mapping[int, LoopFacts] | None = None,
) -> Program:
    """A one-process program of the kernel `k`.

    `ports` in the order of the parameters: (name, "in" | "out" | "scalar" | "result", width).
    """
    made: list[Port] = []
    channels: list[Channel] = []
    bindings: list[Binding] = []
    for name, kind, width in ports:
        if kind in ("in", "out"):
            made.append(Port(name, "axis", kind, width))
            inward = kind == "in"
            channels.append(
                Channel(name, width, producer=None if inward else "k", consumer="k" if inward else None)
            )
            bindings.append(Binding("channel", name))
        elif kind == "scalar":
            made.append(Port(name, "s_axilite", "in", width, 0x10 + 8 * len(made)))
            bindings.append(Binding("scalar", name))
        else:
            made.append(Port(name, "s_axilite", "out", width, 0x10 + 8 * len(made)))
            bindings.append(Binding("out", name))
    return Program(
        "k",
        compile_ir(source),
        tuple(made),
        tuple(channels),
        (ProcessCall("k", "k", tuple(bindings), dict(arrays or {})),),
        dict(loops or {}),
    )


_RT = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)


def _runtime(text: str) -> str:
    """Bodies of the stream intrinsics: they pass words of any width through memory."""
    out = []
    for kind, n in sorted(set(re.findall(r"@hlsc\.(read|write)\.i(\d+)\(", text))):
        size = -(-int(n) // 8)
        if kind == "read":
            out.append(
                f"define i{n} @hlsc.read.i{n}(ptr %s) {{\n  %b = alloca i{n}, align 16\n"
                f"  call void @rt_read(ptr %s, ptr %b, i32 {size})\n"
                f"  %v = load i{n}, ptr %b, align 16\n"
                f"  ret i{n} %v\n}}"
            )
        else:
            out.append(
                f"define void @hlsc.write.i{n}(ptr %s, i{n} %v) {{\n  %b = alloca i{n}, align 16\n"
                f"  store i{n} %v, ptr %b, align 16\n"
                f"  call void @rt_write(ptr %s, ptr %b, i32 {size})\n"
                f"  ret void\n}}"
            )
    if "@hlsc.empty(" in text:
        out.append(
            "define i1 @hlsc.empty(ptr %s) {\n  %b = alloca i8\n"
            "  call void @rt_empty(ptr %s, ptr %b, i32 1)\n"
            "  %v = load i8, ptr %b\n  %c = trunc i8 %v to i1\n  ret i1 %c\n}"
        )
    text = re.sub(r"^declare .*@hlsc\..*$", "", text, flags=re.M)
    heads = "\n".join(f"declare void @rt_{k}(ptr, ptr, i32)" for k in ("read", "write", "empty"))
    return text + "\n" + heads + "\n" + "\n".join(out) + "\n"


class Native:
    """The Program's LLVM text, compiled as it is and run with queues behind its streams."""

    def __init__(self, program: Program) -> None:
        self.program = program
        text = _runtime(program.module)
        self.module = llvm.parse_assembly(text, llvm.create_context())
        self.module.verify()
        self.engine = llvm.create_mcjit_compiler(self.module, _machine())
        self.queues: dict[int, deque[int]] = {}
        self.starved = False
        self.hooks = [_RT(self._read), _RT(self._write), _RT(self._empty)]
        for name, hook in zip(("rt_read", "rt_write", "rt_empty"), self.hooks, strict=True):
            f = self.module.get_function(name)
            self.engine.add_global_mapping(f, ctypes.cast(hook, ctypes.c_void_p).value)
        self.engine.finalize_object()

    def _read(self, stream: int, data: int, size: int) -> None:
        q = self.queues[stream]
        if not q:
            self.starved = True
        ctypes.memmove(data, (q.popleft() if q else 0).to_bytes(size, "little"), size)

    def _write(self, stream: int, data: int, size: int) -> None:
        self.queues[stream].append(int.from_bytes(ctypes.string_at(data, size), "little"))

    def _empty(self, stream: int, data: int, size: int) -> None:
        ctypes.memmove(data, bytes([not self.queues[stream]]), size)

    def run(
        self, streams: Mapping[str, Sequence[int]], scalars: Mapping[str, int]
    ) -> tuple[dict[str, list[int]], dict[str, int], bool]:
        """Words per output stream, scalar results, whether a read found its stream empty."""
        (call,) = self.program.processes
        ports = {p.name: p for p in self.program.ports}
        self.queues, self.starved = {}, False
        args: list[object] = []
        types: list[object] = []
        keys: dict[str, int] = {}
        results: dict[str, ctypes.Array[ctypes.c_char]] = {}
        for n, b in enumerate(call.bindings):
            if b.kind == "channel":
                keys[b.target] = 4096 * (n + 1)
                self.queues[keys[b.target]] = deque(streams.get(b.target, ()))
                args.append(keys[b.target])
                types.append(ctypes.c_void_p)
            elif b.kind == "out":
                results[b.target] = ctypes.create_string_buffer(16)
                args.append(ctypes.addressof(results[b.target]))
                types.append(ctypes.c_void_p)
            else:
                args.append(scalars[b.target])
                types.append(ctypes.c_uint64 if ports[b.target].width > 32 else ctypes.c_uint32)
        address = self.engine.get_function_address(call.function)
        ctypes.CFUNCTYPE(None, *types)(address)(*args)
        outs = {
            c.name: list(self.queues[keys[c.name]]) for c in self.program.channels if c.consumer is None
        }
        values = {
            n: int.from_bytes(r.raw, "little") & ((1 << ports[n].width) - 1) for n, r in results.items()
        }
        return outs, values, self.starved
