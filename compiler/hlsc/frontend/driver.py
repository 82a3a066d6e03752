# SPDX-License-Identifier: Apache-2.0
"""The front end as one function: C++ sources → `Program`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

from hlsc.errors import HlscError, SourceError
from hlsc.frontend import clang, passes, region
from hlsc.frontend.allocation import read_limits, with_limits
from hlsc.frontend.arrays import Target, array_facts, check_target
from hlsc.frontend.build import build
from hlsc.frontend.calls import share_calls
from hlsc.frontend.directives import read_directives
from hlsc.frontend.facts import FunctionFacts, Resolved, SourceLoop, collect, resolve
from hlsc.frontend.finish import finish
from hlsc.frontend.floating import floating_point
from hlsc.frontend.interfaces import MAX_WORD, Argument
from hlsc.frontend.intrinsics import define_bodies, read_intrinsic
from hlsc.frontend.llvmtext import Function, ModuleText
from hlsc.frontend.pragmas import Rewriter, protect, top_parameters
from hlsc.frontend.prepare import prepare
from hlsc.frontend.program import ArrayFacts, Program
from hlsc.frontend.wrapper import TOKEN_DECLARATIONS, wrapper
from hlsc.ir import Loc
from hlsc.parts import Cut, Part

__all__ = ["STAGES", "Dump", "compile_program"]

STAGES = ("pragmas", "llvm-raw", "llvm")
Dump = Callable[[str, str], None]

_STORAGE = ("ARRAY_PARTITION", "ARRAY_RESHAPE", "BIND_STORAGE")
_SYNTH = {"__HLSC_SYNTH__": "1", "__SYNTHESIS__": "1"}


def compile_program(
    sources: Sequence[Path],
    top: str,
    *,
    include_dirs: Sequence[Path] = (),
    defines: Mapping[str, str] | None = None,
    directives: Path | None = None,
    dump: Dump | None = None,
) -> Program:
    """Compile Vitis-style C++ as far as LLVM IR with facts.

    `dump(stage, text)` is called for each of `STAGES`: resolved pragmas; LLVM IR before any pass; the
    final module.  Raises SourceError for what the user wrote wrongly or hlsc does not support.
    """
    return _Compilation(top, dump).run(sources, include_dirs, defines or {}, directives)


_ARGUMENTS = {"port", "ports", "scalar", "result", "memory", "refused", "floating"}


class _Compilation:
    def __init__(self, top: str, dump: Dump | None) -> None:
        self.top = top
        self.dump = dump or (lambda stage, text: None)
        self.rewriter = Rewriter(clang.is_library, top)

    def run(
        self,
        sources: Sequence[Path],
        include_dirs: Sequence[Path],
        defines: Mapping[str, str],
        directives: Path | None,
    ) -> Program:
        macros = {**_SYNTH, **defines}
        given = read_directives(directives) if directives else []
        texts = []
        for source in sources:
            if not source.is_file():
                raise HlscError(f"source {source} must be a file")
            text = clang.rewrite_includes(source, include_dirs, macros)
            text = clang.expand(protect(text), source.name, macros)
            before = self.rewriter.top_head
            text = self.rewriter.rewrite(text, given)
            if self.rewriter.top_head is not before:
                text += f'\n# 1 "<hlsc>"\n{self._entry()}'
            texts.append((text, source.name))
        for d in given:
            if id(d) not in self.rewriter.placed:
                where = d.function + (f"/{d.label}" if d.label else "")
                raise SourceError(
                    f"directive {d.pragma.name} must name a function or a labelled loop, not '{where}'",
                    d.pragma.loc,
                )
        if not self.rewriter.top_head:
            raise HlscError(
                f"top function '{self.top}' must be defined in {', '.join(map(str, sources))}"
            )
        units = [self._compile(text, name) for text, name in texts]
        raw = units[0] if len(units) == 1 else passes.link(units)
        self.dump("llvm-raw", raw)
        return self._middle(ModuleText(raw))

    def _entry(self) -> str:
        """The function that calls the top with arguments of its types; arrays by their extents."""
        lines = []
        for n, (name, text) in enumerate(top_parameters(self.rewriter.top_head)):
            if name:
                lines.append(f"struct hlsc_argument_{n} {{ {text}; }};")
                kind = f"using type = decltype(hlsc_argument_{n}::{name});"
                lines.append(f"template <> struct hlsc_entry::declared<{n}> {{ {kind} }};")
        call = f"hlsc_entry::top<&{self.top}>::run();"
        lines.append(f'extern "C" void {region.ENTRY}() {{ {call} }}')
        return "\n".join(lines) + "\n"

    def _compile(self, text: str, name: str) -> str:
        """LLVM IR of one source; what clang says of a pragma's line becomes a message about it."""
        try:
            return clang.compile_ir(text, name)
        except clang.ClangError as error:
            for p in self.rewriter.pragmas.values():
                if p.loc != error.loc or p.name == "LABEL":
                    continue
                if m := re.match(r"use of undeclared identifier '(.*?)'", error.detail):
                    raise SourceError(
                        f"#pragma HLS {p.name} must stand behind the declaration of '{m.group(1)}'",
                        p.loc,
                    ) from None
                if "not a constant expression" in error.detail:
                    raise SourceError(
                        f"#pragma HLS {p.name} must have constant values",
                        p.loc,
                        "use constants, template parameters or macros",
                    ) from None
            raise

    def _middle(self, module: ModuleText) -> Program:
        loops, functions, resolved = collect(module, self.rewriter.pragmas)
        module = share_calls(module, functions, loops)
        top = self._find_top(module)
        own = functions[top.name]
        self._function_rules(module, functions, loops, top)
        limits = read_limits(module, functions, loops)
        repeated = {k: x.dataflow for k, x in loops.items() if x.dataflow is not None}
        prepare(module, region.ENTRY, {top.name} if repeated else set())
        dataflow = own.dataflow or next(iter(repeated.values()), None)
        top_loc = self._loc(module, top)
        arguments = self._arguments(module, top_loc)
        define_bodies(module)
        names = self._process_functions(module, top, dataflow)
        module = ModuleText(str(module))
        area = region.analyse(module, set(names), self.top, top_loc, dataflow is not None, repeated)
        if not area.calls:
            raise SourceError(
                f"DATAFLOW function '{self.top}' must call at least one process", dataflow
            )
        arrays = {a.position: a for a in arguments if a.kind == "array"}
        depths, facts = self._marked(area, arrays)
        ports = {a.position: a.name for a in arguments if a.kind != "in" and a.part is None}
        scalars = [(a.position, a.width, a.name) for a in arguments if a.kind == "in"]
        process_names = self._process_names(module, area)
        wrappers = []
        for i, name in enumerate(process_names):
            debug = self._debug(module, area.calls[i], name)
            made = f"hlsc.p.{name}", ports, scalars, debug, set(names)
            wrappers.append(wrapper(module, area, i, *made))
        text = self._assemble(module, area, wrappers)
        wrapped = [f"hlsc.p.{n}" for n in process_names]
        types = {f"%p.{a.name}": a.type for a in arrays.values()}
        built = build(text, wrapped, loops, self.rewriter.pragmas, types)
        program = finish(
            built, area, process_names, arguments, own.interfaces, depths, facts, self.top, top_loc
        )
        program = with_limits(program, limits, [c.function for c in area.calls])
        self.dump("pragmas", _listing([*resolved, *built.resolved]))
        self.dump("llvm", program.module)
        return program

    def _find_top(self, module: ModuleText) -> Function:
        entry = module.function(region.ENTRY)
        called: set[str] = set()
        work = [entry]
        by_name = {f.name: f for f in module.functions}
        while work:
            for name in work.pop().calls():
                if name in by_name and name not in called:
                    called.add(name)
                    work.append(by_name[name])
        for f in module.functions:
            mangled = re.match(r"_Z(\d+)(.*)", f.name)
            plain = f.name if not mangled else mangled.group(2)[: int(mangled.group(1))]
            if plain == self.top and f.name in called:
                return f
        raise HlscError(f"top function '{self.top}' must be defined in the sources")

    @staticmethod
    def _loc(module: ModuleText, f: Function) -> Loc | None:
        return None if f.subprogram is None else module.metadata.subprogram_loc(f.subprogram)

    def _arguments(self, module: ModuleText, loc: Loc | None) -> list[Argument]:
        """Arguments by position, from the intrinsics that the entry function's templates name."""
        names = dict(enumerate(n for n, _ in top_parameters(self.rewriter.top_head)))
        names[-1] = "ap_return"
        found: dict[int, list[Argument]] = {}
        for part in module.parts:
            m = re.match(r"declare .*?@([\w.$]+)\(", part) if isinstance(part, str) else None
            i = read_intrinsic(m.group(1)) if m else None
            if i is None or i.name not in _ARGUMENTS:
                continue
            n = i.args[0]
            name = names.get(n, f"arg{n}")
            if i.name == "floating":
                what = "the result" if n < 0 else f"argument '{name}'"
                raise floating_point(loc, f"{what} of '{self.top}'")
            if i.name == "refused":
                raise SourceError(
                    f"argument '{name}' of '{self.top}' must be a stream by reference, a scalar by "
                    "value, a pointer to a scalar that is written, or an array of integers or streams "
                    "of known size",
                    loc,
                    "m_axi is not supported yet: take an hls::stream<…>&",
                )
            if i.name == "ports":
                cuts = tuple(Cut(e, "complete", e) for e in i.extents)
                elements = [Part(name, cuts, at) for at in product(*(range(e) for e in i.extents))]
                found[n] = [Argument(n, part.name, "stream", i.args[4], part=part) for part in elements]
                continue
            kind = {"port": "stream", "scalar": "in", "result": "out", "memory": "array"}[i.name]
            signed = bool(i.args[3]) if kind != "stream" else False
            extents = i.args[5:] if kind == "array" else ()
            if extents and i.args[1] > MAX_WORD:
                raise SourceError(
                    f"elements of the array argument '{name}' must have at most {MAX_WORD} bits, "
                    f"not {i.args[1]}",
                    loc,
                    "split the elements, or take an hls::stream<…>&",
                )
            read_only = extents != () and bool(i.args[4])
            found[n] = [Argument(n, name, kind, i.args[1], signed, extents, read_only)]
        return [a for n in sorted(found) for a in found[n]]

    def _process_functions(self, module: ModuleText, top: Function, dataflow: Loc | None) -> list[str]:
        if dataflow is None:
            return [top.name]
        by_name = {f.name: f for f in module.functions}
        result = []
        for name in dict.fromkeys(top.calls()):
            f = by_name.get(name)
            if f is None or f.subprogram is None or re.search(r"[CD][0-4]E[A-Za-z]", name):
                continue
            if clang.is_library(module.metadata.file_of(f.subprogram)):
                continue
            if re.match(r"define internal (?:\w+ )*void @", f.header):
                result.append(name)
        return result

    def _function_rules(
        self,
        module: ModuleText,
        functions: Mapping[str, FunctionFacts],
        loops: dict[int, SourceLoop],
        top: Function,
    ) -> None:
        by_name = {f.name: f for f in module.functions}
        for loop in loops.values():
            if loop.dataflow and loop.function != top.name:
                raise SourceError(
                    f"a DATAFLOW loop must stand in the top function '{self.top}'", loop.dataflow
                )
        for name, facts in functions.items():
            if facts.dataflow and name != top.name:
                raise SourceError(
                    f"DATAFLOW must stand in the top function '{self.top}'", facts.dataflow
                )
            if facts.pipeline is None:
                continue
            inside = {name}
            work = [name]
            while work:
                for callee in by_name[work.pop()].calls():
                    if callee in by_name and callee not in inside:
                        inside.add(callee)
                        work.append(callee)
            for key, loop in loops.items():
                if loop.function in inside:
                    reason = f"its function is pipelined ({facts.pipeline.loc})"
                    loops[key] = replace(loop, unroll=0, reason=reason)

    def _marked(
        self, area: region.Region, arrays: Mapping[int, Argument]
    ) -> tuple[dict[tuple[str, int], int], dict[str, ArrayFacts]]:
        """Depth of each declared stream: STREAM, else the template argument, else 2; and what is said
        of the arrays between processes, by alloca, and of array arguments, as `p.<argument>`."""
        depths = {(s.base, s.index): s.depth or 2 for s in area.streams if s.argument is None}
        said: dict[tuple[str, int], Resolved] = {}
        marks: list[tuple[Resolved, Target]] = []
        for marker, value, _ in area.markers:
            found = resolve(marker, self.rewriter.pragmas, self.top)
            if value in area.buffers and found.pragma.name in _STORAGE:
                target = Target(value, area.buffers[value].type)
                marks.append((found, check_target(found, target)))
                continue
            if found.pragma.name in _STORAGE and area.ports.get(value, "").startswith("memory"):
                array = arrays[int(area.ports[value].split()[1])]
                marks.append((found, check_target(found, Target(f"%p.{array.name}", array.type))))
                continue
            if found.pragma.name != "STREAM":
                raise found.error("must stand in the process that uses the variable")
            if area.pointers.get(value) not in depths:
                raise found.error(
                    f"must name a stream that '{self.top}' declares, not "
                    f"'{found.pragma.options['variable']}'"
                )
            base, index = area.pointers[value]
            whole = found.type.startswith("A")
            for key in depths:
                if key[0] == base and (whole or key[1] == index):
                    if key in said:
                        raise found.error("must stand once per stream, not twice")
                    said[key] = found
                    depths[key] = found.values.get("depth", depths[key])
        return depths, array_facts(marks)

    def _process_names(self, module: ModuleText, area: region.Region) -> list[str]:
        plain = []
        for call in area.calls:
            f = module.function(call.function)
            name = module.metadata.string(f.subprogram or -1, "name") or call.function
            plain.append(re.sub(r"\W+", "_", re.sub(r"<.*", "", name)))
        count: dict[str, int] = {}
        result = []
        for name in plain:
            if plain.count(name) > 1:
                count[name] = count.get(name, 0) + 1
                name = f"{name}_{count[name]}"
            result.append(name)
        return result

    @staticmethod
    def _debug(module: ModuleText, call: region.Call, name: str) -> tuple[str, str]:
        f = module.function(call.function)
        if f.subprogram is None:
            return "", ""
        meta = module.metadata
        text = re.sub(r'name: "[^"]*"', f'name: "{name}"', meta.nodes[f.subprogram])
        number = meta.add(text)
        line = re.search(r"line: (\d+)", text)
        at = meta.add(f"!DILocation(line: {line.group(1) if line else 0}, scope: !{number})")
        return f" !dbg !{number}", f", !dbg !{at}"

    @staticmethod
    def _assemble(module: ModuleText, area: region.Region, wrappers: Sequence[str]) -> str:
        parts = [p for p in module.parts if not (isinstance(p, Function) and p.name == region.ENTRY)]
        have = {
            m.group(1) for p in parts if isinstance(p, str) and (m := re.search(r"@([\w.$]+)\(", p))
        }
        have |= {p.name for p in parts if isinstance(p, Function)}
        for line in [*area.declares, *(TOKEN_DECLARATIONS if area.buffers else ())]:
            m = re.search(r"@([\w.$]+)\(", line)
            if m and m.group(1) not in have:
                have.add(m.group(1))
                parts.append(re.sub(r" #\d+$", "", line))
        copy = ModuleText("")
        copy.parts = [*parts, *wrappers]
        copy.metadata = module.metadata
        return str(copy)


def _listing(resolved: Sequence[Resolved]) -> str:
    """The dump of stage `pragmas`: file, line, instantiation, place, pragma with its values."""
    lines = []
    for r in resolved:
        place = r.pragma.place + (f" {r.pragma.label}" if r.pragma.label else "")
        lines.append((r.loc.file, r.loc.line, f"{r.function}: {place}: {r}"))
    return "".join(f"{Path(f).name}:{n}: {t}\n" for f, n, t in sorted(lines))
