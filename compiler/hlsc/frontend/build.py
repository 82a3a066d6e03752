# SPDX-License-Identifier: Apache-2.0
"""From process wrappers to the final module: inline, hang facts on loops and arrays, unroll, clean."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hlsc.errors import SourceError
from hlsc.frontend import passes
from hlsc.frontend.arrays import (
    FunctionIndex,
    Target,
    array_facts,
    check_target,
    find_target,
    rename_allocas,
)
from hlsc.frontend.facts import (
    Resolved,
    SourceLoop,
    dependence,
    marker_of,
    resolve,
    set_loop_metadata,
)
from hlsc.frontend.floating import check_floats
from hlsc.frontend.grammar import Pragma
from hlsc.frontend.indices import expose_indices, hide_indices
from hlsc.frontend.intrinsics import SIDE_EFFECT
from hlsc.frontend.llvmtext import Function, Loop, ModuleText, innermost, natural_loops
from hlsc.frontend.memory import CONSTRUCT, FILL
from hlsc.frontend.operators import bind_products, bind_stores, check_operator
from hlsc.frontend.program import ArrayFacts, DependencePragma, LoopFacts
from hlsc.ir import Loc

__all__ = ["Built", "build"]

_CALL = re.compile(r'\bcall\b[^@]*@("?[\w.$]+"?)\(')
_SMALL = 64  # elements up to which an array is filled without a loop


@dataclass
class Built:
    """The final module and what is known of its loops and, per process, arrays."""

    module: ModuleText
    loops: dict[int, LoopFacts]
    arrays: dict[str, dict[str, ArrayFacts]]
    resolved: list[Resolved] = field(default_factory=list)


def build(
    text: str,
    processes: list[str],
    loops: Mapping[int, SourceLoop],
    pragmas: Mapping[int, Pragma],
    arguments: Mapping[str, str],
) -> Built:
    """Optimise a module whose external functions are the process wrappers.

    `arguments`: types of the arrays among their parameters.
    """
    module = ModuleText(passes.run_passes(text, passes.INLINE))
    table: dict[int, SourceLoop] = {}
    arrays: dict[str, dict[str, ArrayFacts]] = {}
    resolved: list[Resolved] = []
    bound: list[Resolved] = []  # BIND_OP of products
    calls = ""
    for name in processes:
        f = module.function(name)
        _check_calls(module, f)
        rename_allocas(f)
        marks = _object_marks(module, f, pragmas, arguments)
        resolved += [m[0] for m in marks]
        table.update(_loops(module, f, loops, table, marks))
        plain = [(r, t) for r, t, _ in marks if r.pragma.name not in {"BIND_OP", "DEPENDENCE"}]
        arrays[name] = array_facts(plain)
        mine = [(r, t) for r, t, _ in marks if r.pragma.options.get("op") == "mul"]
        numbered = [(k, t) for k, (_, t) in enumerate(mine, len(bound))]
        bound += [r for r, _ in mine]
        calls += bind_stores(f, numbered)
    text = _unroll(f"{module}{calls}", table)
    text = re.sub(
        r"^(declare .*@hlsc\.(?:read|write|empty|once).*)$", r"\1 noduplicate", text, flags=re.M
    )
    text = re.sub(
        r"^(declare .*@hlsc\.(?:read|write|empty|once)[^#]*?) #\d+ noduplicate$",
        r"\1 #900",
        text,
        flags=re.M,
    )
    text += f"attributes #900 = {{ noduplicate {SIDE_EFFECT} }}\n"
    text = hide_indices(ModuleText(passes.run_passes(text, passes.PROMOTE)))
    module = ModuleText(passes.run_passes(text, passes.CLEAN))
    expose_indices(module)
    bind_products(module, bound)
    facts = {k: v.facts for k, v in table.items()}
    return Built(module, facts, arrays, resolved)


def _check_calls(module: ModuleText, f: Function) -> None:
    check_floats(module, f)
    defined = {x.name for x in module.functions}
    for _, _, line in f.lines():
        m = _CALL.search(line)
        if not m:
            continue
        name = m.group(1).strip('"')
        if name.startswith(("llvm.", "hlsc.", "_ZN9hlsc_mark")):
            continue
        loc = module.metadata.loc_of(line)
        if name.startswith("_ZN7hlsc_ir7declare"):
            raise SourceError(
                "an hls::stream must be declared in the DATAFLOW function, not in a process", loc
            )
        if name in defined:
            raise SourceError("a function must not call itself", loc, "write a loop or a template")
        if re.match(r"_Z(?:n[wa]|d[la])|(?:malloc|calloc|realloc|free)$", name):
            raise SourceError(
                "memory must not be allocated at run time (new, malloc)", loc, "declare an array"
            )
        raise SourceError(f"function {name} must be defined in the given sources", loc)


def _object_marks(
    module: ModuleText, f: Function, pragmas: Mapping[int, Pragma], arguments: Mapping[str, str]
) -> list[tuple[Resolved, Target, str]]:
    """Read and delete the markers with objects; the third item is the marker's block."""
    index = FunctionIndex.of(f)
    types = dict(arguments)
    types |= {
        m.group(1): m.group(2)
        for p in module.parts
        if isinstance(p, str)
        and (m := re.match(r"(@[\w.$-]+) = .*?(?:constant|global) (\[.*?\]|\S+) [\[zi{c]", p))
    }
    found: list[tuple[Resolved, Target, str]] = []
    for b in f.blocks:
        keep = []
        for line in b.lines:
            hit = marker_of(line)
            if hit is None:
                keep.append(line)
                continue
            pragma = resolve(hit[0], pragmas, module.metadata.function_of(line))
            if pragma.pragma.name == "STREAM":
                raise pragma.error(
                    "must name a stream that the DATAFLOW function declares",
                    "move it behind the declaration",
                )
            target = find_target(index, types, hit[1])
            if pragma.pragma.name == "BIND_OP":
                check_operator(pragma, target)
            else:
                target = check_target(pragma, target)
            assert target is not None
            found.append((pragma, target, b.name))
        b.lines = keep
    return found


def _loops(
    module: ModuleText,
    f: Function,
    source: Mapping[int, SourceLoop],
    table: Mapping[int, SourceLoop],
    marks: list[tuple[Resolved, Target, str]],
) -> dict[int, SourceLoop]:
    """Number the loops of a process anew, one key per instance, and say what must unroll."""
    nest = natural_loops(f)
    own: dict[str, SourceLoop] = {}
    for header, loop in nest.items():
        keys = [module.metadata.loop_value(f.block(x).lines[-1], "hlsc.loop") for x in loop.latches]
        known = next((k for k in keys if k is not None), None)
        own[header] = replace(source[known]) if known is not None else SourceLoop(LoopFacts())
    for found, target, block in marks:
        if found.pragma.name != "DEPENDENCE":
            continue
        fact = dependence(found, target.name[1:])
        headers = list(nest)
        if found.pragma.place == "loop":
            inner = innermost(nest, block)
            if inner is None:
                raise found.error("must stand in a loop that can repeat", "delete it")
            headers = [inner.header]
        for header in headers:
            if fact is not None and fact not in own[header].facts.dependences:
                old = own[header].facts
                new = replace(old, dependences=(*old.dependences, fact))
                own[header] = replace(own[header], facts=new)
    result: dict[int, SourceLoop] = {}
    first = max(table, default=-1) + 1
    for key, (header, loop) in enumerate(nest.items(), first):
        mine = own[header]
        above = [own[x.header] for x in loop.ancestors() if own[x.header].facts.pipeline]
        if above:
            outer = above[-1].facts
            name = f"'{outer.label}' " if outer.label else ""
            mine = replace(
                mine, unroll=0, reason=f"it lies below the pipelined loop {name}({outer.loc})"
            )
        elif header.startswith((FILL, *CONSTRUCT)) and _fill_unrolls(f, loop, marks):
            mine = replace(mine, unroll=0, reason="it fills an array of registers")
        if mine.unroll is not None and mine.unroll > 1:
            mine = replace(mine, facts=_scaled(mine.facts, mine.unroll))
        result[key] = mine
        set_loop_metadata(module, f, loop, key, mine.unroll, mine.unroll == 0)
    return result


def _fill_unrolls(f: Function, loop: Loop, marks: list[tuple[Resolved, Target, str]]) -> bool:
    """Whether a loop that fills, copies or constructs goes over an array of registers: a small one, or
    one that is partitioned."""
    index = FunctionIndex.of(f)
    text = "\n".join(x for b in f.blocks if b.name in loop.blocks for x in b.lines)
    count = re.search(r"icmp (?:ult|uge) i64 %(?:hlsc\.fill|arrayctor|arrayinit)\S+, (\d+)", text)
    if count and int(count.group(1)) <= _SMALL:
        return True
    partitioned = {t.name for r, t, _ in marks if r.pragma.name.startswith("ARRAY_")}
    pointers = re.findall(r"getelementptr .*?ptr (%[\w.$-]+),", text)
    targets = [find_target(index, {}, p) for p in pointers]
    return any(t is not None and t.name in partitioned for t in targets)


def _scaled(facts: LoopFacts, factor: int) -> LoopFacts:
    """Facts of a loop after `factor` of its iterations became one."""
    scaled: list[DependencePragma] = []
    for d in facts.dependences:
        if d.distance is not None:
            if d.distance < factor:
                raise SourceError(
                    f"DEPENDENCE distance={d.distance} must not be below UNROLL factor={factor}", d.loc
                )
            d = replace(d, distance=d.distance // factor)
        scaled.append(d)
    low, high = ((None if x is None else -(-x // factor)) for x in (facts.trip_min, facts.trip_max))
    return replace(facts, dependences=tuple(scaled), trip_min=low, trip_max=high)


def _left(text: str) -> int:
    return len(_leftover(ModuleText(text)))


def _leftover(module: ModuleText) -> list[tuple[int, Loc | None]]:
    """Keys and places of the loops that must unroll and did not."""
    found = []
    for f in module.functions:
        for b in f.blocks:
            line = b.lines[-1]
            if "!llvm.loop" in line:
                key = module.metadata.loop_value(line, "hlsc.must")
                if key is not None:
                    found.append((key, module.metadata.loop_loc(line)))
    return found


def _combined(text: str) -> str:
    """A round for counters whose address went through a structure, as those of a concatenation do."""
    module = ModuleText(passes.run_passes(hide_indices(ModuleText(text)), passes.COMBINE))
    expose_indices(module)
    return passes.run_passes(str(module), passes.UNROLL)


def _unroll(text: str, table: Mapping[int, SourceLoop]) -> str:
    text = passes.run_passes(text, passes.UNROLL)
    rounds = [
        lambda x: passes.run_passes(x, passes.UNROLL),
        lambda x: passes.run_passes(x, ("sroa", *passes.UNROLL)),
        _combined,
    ]
    text = passes.until(text, rounds, _left)
    module = ModuleText(text)
    if left := _leftover(module):
        key, loc = left[0]
        raise SourceError(
            f"a loop must have a constant bound to unroll ({table[key].reason})",
            table[key].facts.loc or loc,
            "write for (j = 0; j < MAX; ++j) { if (j >= n) break; … } with a constant MAX",
        )
    return str(module)
