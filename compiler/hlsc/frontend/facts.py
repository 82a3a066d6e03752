# SPDX-License-Identifier: Apache-2.0
"""What the markers in IR say: facts about loops and functions, and later about arrays.

Loop and function markers are read in unoptimised IR, where a marker's block lies in the loop that the
pragma was written in; the facts then hang on the loop's latch as `!llvm.loop` metadata, which survives
every pass.  Markers with an object stay through inlining: only then is the object an alloca.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hlsc.errors import SourceError
from hlsc.frontend.grammar import SPECS, Pragma
from hlsc.frontend.llvmtext import Function, Loop, ModuleText, innermost, natural_loops
from hlsc.frontend.pragmas import Marker, read_marker
from hlsc.frontend.program import DependencePragma, LoopFacts
from hlsc.frontend.unroll import copy_loop
from hlsc.ir import Loc

__all__ = ["FunctionFacts", "Resolved", "SourceLoop", "collect", "marker_of", "set_loop_metadata"]

_CALL = re.compile(r"\bcall\b[^@]*@(_ZN9hlsc_mark1m\w+)\((?:.*?(%[\w.$-]+|@[\w.$-]+)\s*\))?")


@dataclass(frozen=True)
class Resolved:
    """One pragma in one instantiation: its integers evaluated, its object's mangled type."""

    pragma: Pragma
    values: Mapping[str, int]
    function: str  # C++ name of the instantiation it was found in
    type: str = ""
    pointer: bool = False

    @property
    def loc(self) -> Loc:
        return self.pragma.loc

    def error(self, message: str, remedy: str = "") -> SourceError:
        return SourceError(f"#pragma HLS {self.pragma.name} {message}", self.loc, remedy)

    def __str__(self) -> str:
        parts = [self.pragma.name]
        for key, text in sorted(self.pragma.options.items()):
            value = self.values.get(key, text)
            parts.append(f"{key}={value}" if value != "" else key)
        return " ".join(parts)


@dataclass
class SourceLoop:
    """Facts of one loop of one function instantiation; `unroll` 0: fully, None: not at all."""

    facts: LoopFacts
    unroll: int | None = None
    reason: str = ""  # why it must unroll, for the error message
    function: str = ""  # mangled
    dataflow: Loc | None = None  # its body calls processes


@dataclass
class FunctionFacts:
    """Function-level pragmas of one instantiation."""

    dataflow: Loc | None = None
    pipeline: Resolved | None = None
    interfaces: list[Resolved] = field(default_factory=list)
    dependences: list[Resolved] = field(default_factory=list)
    allocations: list[Resolved] = field(default_factory=list)


def marker_of(line: str) -> tuple[Marker, str] | None:
    """The marker that an instruction line calls, and its argument."""
    if "hlsc_mark" not in line:
        return None
    m = _CALL.search(line)
    marker = read_marker(m.group(1)) if m else None
    return (marker, m.group(2) or "") if m and marker else None


def resolve(marker: Marker, pragmas: Mapping[int, Pragma], function: str) -> Resolved:
    """Combine a marker with its pragma; checks the range of each value."""
    pragma = pragmas[marker.number]
    if pragma.name == "LABEL":
        return Resolved(pragma, {}, function)
    values = dict(zip(pragma.integers, marker.values, strict=True))
    found = Resolved(pragma, values, function, marker.type, marker.kind == "pointer")
    for key, value in values.items():
        low = SPECS[pragma.name].options[key].low
        if value < low:
            raise found.error(f"must have a '{key}' of at least {low}, not {value}")
    return found


def collect(
    module: ModuleText, pragmas: Mapping[int, Pragma]
) -> tuple[dict[int, SourceLoop], dict[str, FunctionFacts], list[Resolved]]:
    """Read and delete the loop and function markers of unoptimised IR.

    Gives facts of loops by the key that their latches now carry, facts of functions by mangled name,
    and every pragma in the order of the module.
    """
    loops: dict[int, SourceLoop] = {}
    functions: dict[str, FunctionFacts] = {}
    everything: list[Resolved] = []
    for f in module.functions:
        own = functions[f.name] = FunctionFacts()
        nest = natural_loops(f)
        marks: dict[str, list[Resolved]] = {h: [] for h in nest}
        for b in f.blocks:
            keep = []
            for line in b.lines:
                hit = marker_of(line)
                if hit is None or hit[0].kind != "here":
                    keep.append(line)
                    continue
                found = resolve(hit[0], pragmas, module.metadata.function_of(line))
                if found.pragma.name != "LABEL":
                    everything.append(found)
                if found.pragma.place == "function":
                    _function_fact(own, found)
                    continue
                loop = innermost(nest, b.name)
                if loop is None and found.pragma.name != "LABEL":
                    raise found.error("must stand in a loop that can repeat", "delete it")
                if loop is not None:
                    marks[loop.header].append(found)
            b.lines = keep
        factors: list[tuple[int, str, SourceLoop]] = []
        for header, loop in nest.items():
            key = len(loops)
            loops[key] = _loop(module, f, loop, marks[header], own)
            set_loop_metadata(module, f, loop, key, loops[key].unroll)
            factors.append((len(loop.blocks), header, loops[key]))
        for n, (_, header, source) in enumerate(sorted(factors, key=lambda x: x[:2])):  # inner first
            if source.unroll is not None and source.unroll > 1:
                copy_loop(f, header, source.unroll, n, source.facts.loc)
    return loops, functions, everything


def _function_fact(facts: FunctionFacts, found: Resolved) -> None:
    name = found.pragma.name
    if name == "DATAFLOW":
        facts.dataflow = found.loc
    elif name == "INLINE":
        pass  # every function that is no process is inlined where it is called, with or without off
    elif name == "PIPELINE":
        if facts.pipeline is not None:
            raise found.error("must stand once in a function")
        facts.pipeline = found
    elif name == "INTERFACE":
        facts.interfaces.append(found)
    elif name == "DEPENDENCE":
        facts.dependences.append(found)
    elif name == "ALLOCATION":
        facts.allocations.append(found)
    else:
        raise found.error("must stand in a loop")


def dependence(found: Resolved, variable: str = "") -> DependencePragma | None:
    """A DEPENDENCE pragma as a fact; None if it only states that there may be a dependence."""
    o = found.pragma.options
    if o.get("dependent") is None:
        raise found.error("must say dependent=true or dependent=false")
    distance = found.values.get("distance")
    inter = o.get("type", "inter") == "inter"
    if o["dependent"] == "true":
        if distance is None:
            return None
        if not inter:
            raise found.error("must not give a distance within an iteration", "write type=inter")
    elif distance is not None:
        raise found.error(
            "must not give a distance to what it denies", "write dependent=true distance=n"
        )
    return DependencePragma(variable, o.get("direction", "").upper(), inter, distance, found.loc)


def _loop(
    module: ModuleText, f: Function, loop: Loop, marks: list[Resolved], own: FunctionFacts
) -> SourceLoop:
    meta = module.metadata
    loc = None
    for name in loop.latches:
        loc = loc or meta.loop_loc(f.block(name).lines[-1])
    facts = LoopFacts(loc=loc)
    unroll: int | None = None
    dataflow: Loc | None = None
    seen: set[str] = set()
    for found in marks:
        name, o, v = found.pragma.name, found.pragma.options, found.values
        if name not in {"DEPENDENCE", "LABEL"}:
            if name in seen:
                raise found.error("must stand once in a loop, not twice")
            seen.add(name)
        if name == "LABEL":
            facts = replace(facts, label=found.pragma.label, loc=facts.loc or found.loc)
        elif name == "PIPELINE":
            if "off" in o and "ii" in o:
                raise found.error("must not give II together with off")
            facts = replace(facts, pipeline="off" not in o, ii=v.get("ii"))
        elif name == "DATAFLOW":
            dataflow = found.loc
        elif name == "UNROLL":
            if "off" not in o:
                unroll = v.get("factor", 0)
                unroll = None if unroll == 1 else unroll
        elif name == "LOOP_FLATTEN":
            facts = replace(facts, flatten="off" not in o)
        elif name == "LOOP_TRIPCOUNT":
            if "max" in v and v.get("min", 0) > v["max"]:
                raise found.error(f"must have min ≤ max, not {v['min']} > {v['max']}")
            facts = replace(facts, trip_min=v.get("min"), trip_max=v.get("max"))
        elif name == "DEPENDENCE":
            fact = dependence(found)
            if fact:
                facts = replace(facts, dependences=(*facts.dependences, fact))
    for found in own.dependences:
        fact = dependence(found)
        if fact:
            facts = replace(facts, dependences=(*facts.dependences, fact))
    if facts.pipeline and unroll is not None and unroll == 0:
        raise SourceError(
            "a loop must not be pipelined and unrolled completely at once", facts.loc, "delete one"
        )
    if dataflow is not None and (facts.pipeline or unroll is not None):
        raise SourceError(
            "a DATAFLOW loop must not be pipelined or unrolled: its iterations overlap by themselves",
            dataflow,
            "pipeline the loops in its processes",
        )
    reason = "" if unroll is None else "it says UNROLL"
    return SourceLoop(facts, unroll, reason, f.name, dataflow)


def set_loop_metadata(
    module: ModuleText, f: Function, loop: Loop, key: int, unroll: int | None, must: bool = False
) -> None:
    """Hang a loop's key on its latches, and what LLVM's unroller shall do with it."""
    meta = module.metadata
    items: list[str] = []
    for name in loop.latches:
        line = f.block(name).lines[-1]
        items += [f"!{n}" for n in meta.loop_items(line) if meta.loc(n) is not None][: 1 - len(items)]
    texts = [f'!{{!"hlsc.loop", i32 {key}}}']
    if not must and unroll != 0:
        texts.append('!{!"llvm.loop.unroll.disable"}')
    else:
        texts += ['!{!"llvm.loop.unroll.full"}', f'!{{!"hlsc.must", i32 {key}}}']
    items += [f"!{meta.add(t)}" for t in texts]
    node = meta.add(f"distinct !{{{{self}}, {', '.join(items)}}}")
    for name in loop.latches:
        lines = f.block(name).lines
        lines[-1] = re.sub(r", !llvm\.loop !\d+", "", lines[-1]) + f", !llvm.loop !{node}"
