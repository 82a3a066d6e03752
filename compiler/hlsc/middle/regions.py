# SPDX-License-Identifier: Apache-2.0
"""A function's control flow → the state machine of regions.

Innermost loops become pipelined regions; a loop around exactly one such region joins it ("flattened")
when that does not cost the inner loop its initiation interval; everything else becomes blocks, each
run as one graph, and loops that cannot be flattened are cycles of the state machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from hlsc.errors import SourceError
from hlsc.frontend.program import LoopFacts
from hlsc.ir import Dependence, Loc, Region
from hlsc.middle.cfg import Cfg, Loop, liveness
from hlsc.middle.ifconvert import Leave, RegionGraph, convert
from hlsc.middle.instructions import Environment
from hlsc.middle.llvmtypes import Block, Instr, Local, Undef

__all__ = ["Shape", "build_regions", "shape_regions"]


@dataclass(frozen=True)
class Shape:
    """Which blocks make one region; `nest`: headers of the loops it iterates, outermost first."""

    entry: str
    blocks: tuple[str, ...]
    nest: tuple[str, ...] = ()


def _facts(lp: Loop, loops: Mapping[int, LoopFacts]) -> LoopFacts:
    return loops.get(lp.key, LoopFacts()) if lp.key is not None else LoopFacts()


def _resources(cfg: Cfg, blocks: set[str]) -> tuple[set[str], set[str]]:
    """Streams used, and arrays used, by the blocks."""
    streams: set[str] = set()
    arrays: set[str] = set()
    for x in blocks:
        for i in cfg.blocks[x].instrs:
            if i.access is not None:
                if i.op == "call":
                    streams.add(f"{i.access.array}+{i.access.offset}")
                else:
                    arrays.add(i.access.array)
    return streams, arrays


def _nests(cfg: Cfg, loops: Mapping[int, LoopFacts], flatten: bool) -> dict[str, tuple[str, ...]]:
    """Loops that become one region each: header of the outermost → headers from outside inwards."""
    found: dict[str, tuple[str, ...]] = {}

    def visit(lp: Loop) -> bool:
        """Whether the loop is one region as a whole."""
        inner = [visit(cfg.loops[c]) for c in lp.children]
        if not inner:
            found[lp.header] = (lp.header,)
            return True
        facts = _facts(lp, loops)
        if facts.pipeline:
            child = cfg.loops[lp.children[0]]
            raise SourceError(
                "every loop below a pipelined loop must unroll, which this one does not"
                + (f" (the pipelined loop stands at {facts.loc})" if facts.loc else ""),
                _facts(child, loops).loc or loop_loc(cfg, child),
                "give it a constant bound: `for (j = 0; j < MAX; j++) { if (j >= m) break; … }`",
            )
        if not all(inner) or len(inner) != 1 or not flatten or not _may_flatten(cfg, lp, loops):
            return False
        found[lp.header] = (lp.header, *found.pop(lp.children[0]))
        return True

    for lp in cfg.loops.values():
        if lp.parent is None:
            visit(lp)
    return found


def _may_flatten(cfg: Cfg, lp: Loop, loops: Mapping[int, LoopFacts]) -> bool:
    child = cfg.loops[lp.children[0]]
    asked = _facts(child, loops).flatten
    if asked is False or _facts(lp, loops).flatten is False or _facts(lp, loops).pipeline is False:
        return False
    innermost = child
    while innermost.children:
        innermost = cfg.loops[innermost.children[0]]
    if _facts(innermost, loops).pipeline is False:
        return False
    streams, arrays = _resources(cfg, set(child.blocks))
    outer_streams, outer_arrays = _resources(cfg, set(lp.blocks) - set(child.blocks))
    # A second use of a port in the same iteration would double the interval of every iteration.
    return asked is True or not (streams & outer_streams or arrays & outer_arrays)


def loop_loc(cfg: Cfg, lp: Loop) -> Loc | None:
    """A line of the loop: that of its latch's branch, or any inside."""
    for x in (*lp.latches, lp.header):
        if (loc := cfg.blocks[x].terminator.loc) is not None:
            return loc
    return None


def shape_regions(cfg: Cfg, loops: Mapping[int, LoopFacts], flatten: bool = True) -> list[Shape]:
    """Cut the function into regions, the entry's first."""
    nests = _nests(cfg, loops, flatten)
    owner: dict[str, str] = {}  # block → entry of its region
    for h in nests:
        for x in cfg.loops[h].blocks:
            owner[x] = h
    members: dict[str, list[str]] = {}
    for x in cfg.order:
        if x in owner:
            if x == owner[x]:
                members[x] = list(cfg.loops[x].blocks)
            continue
        tops = {owner.get(p, "") for p in cfg.preds[x]}
        top = tops.pop() if len(tops) == 1 else ""
        if (
            top
            and top not in nests
            and x not in cfg.loops
            and cfg.loop_of[x] == cfg.loop_of[top]
            and x != cfg.entry
        ):
            owner[x] = top
            members[top].append(x)
        else:
            owner[x] = x
            members[x] = [x]
    return [Shape(e, tuple(m), nests.get(e, ())) for e, m in members.items()]


def split_edges(cfg: Cfg, shapes: list[Shape]) -> Cfg:
    """A region entered in its middle would be a bug of `shape_regions`: check it."""
    for s in shapes:
        for x in s.blocks:
            if x != s.entry:
                assert all(p in s.blocks for p in cfg.preds[x]), (s.entry, x)
    return cfg


def build_regions(
    env: Environment,
    loops: Mapping[int, LoopFacts],
    memories_of: Mapping[str, list[str]],
    flatten: bool = True,
) -> tuple[list[Region], dict[str, int]]:
    """Regions of the function and the variables between them.

    `memories_of`: C++ array name → its memories, for DEPENDENCE.
    """
    cfg = env.cfg
    shapes = shape_regions(cfg, loops, flatten)
    split_edges(cfg, shapes)
    live = liveness(cfg)
    names = _region_names(cfg, shapes, loops)
    defined_in = {
        i.name: s.entry
        for s in shapes
        for x in s.blocks
        for i in cfg.blocks[x].instrs
        if i.name in env.widths
    }
    variables: dict[str, int] = {}
    used: dict[str, set[str]] = {}

    def variable(name: str, bits: int) -> str:
        v = _clean(name, used)
        variables[v] = bits
        return v

    env = replace(env, variable=variable)
    regions: list[Region] = []
    for s in shapes:
        g = convert(env, s.blocks, s.entry, s.nest)
        liveouts = _liveouts(env, g, s, shapes, live, defined_in)
        regions.append(_region(env, g, s, names, liveouts, loops, memories_of))
    return regions, variables


def _clean(name: str, used: dict[str, set[str]]) -> str:
    """Variable of an SSA value: its own name; the numbers of nameless values get a letter."""
    return f"t.{name}" if name[:1].isdigit() else name


def _region_names(cfg: Cfg, shapes: list[Shape], loops: Mapping[int, LoopFacts]) -> dict[str, str]:
    names: dict[str, str] = {}
    taken: set[str] = set()
    for s in shapes:
        label = ""
        for h in s.nest:
            label = _facts(cfg.loops[h], loops).label or label
        base = label or ("loop" if s.nest else "block")
        name, n = base, 0
        while name in taken or (not label and n == 0):
            n += 1
            name = f"{base}{n}" if not label else f"{base}_{n}"
        taken.add(name)
        names[s.entry] = name
    return names


def _phi_inits(b: Block) -> list[Instr]:
    return [i for i in b.instrs if i.op == "phi"]


def _liveouts(
    env: Environment,
    g: RegionGraph,
    s: Shape,
    shapes: list[Shape],
    live: Mapping[str, frozenset[str]],
    defined_in: Mapping[str, str],
) -> dict[str, int]:
    """Values for the variables that later regions read."""
    cfg = env.cfg
    out: dict[str, int] = {}
    nests = {t.entry: t.nest for t in shapes}
    # Phis at the entry of successors, from the edges that lead there.
    phi_edges: dict[str, list[tuple[Leave, Instr]]] = {}
    for e in g.leaves:
        if e.target is None:
            continue
        for name in live[e.target]:
            if defined_in.get(name) == s.entry and name in g.values:
                bits = env.widths[name]
                out[env.variable(name, bits)] = g.values[name]
        for i in _phi_inits(cfg.blocks[e.target]):
            if _initial_is_direct(cfg, e.target, i, nests):
                v = i.args[i.labels.index(e.source)]
                if isinstance(v, Local) and defined_in.get(v.name) == s.entry:
                    out[env.variable(v.name, env.widths[v.name])] = g.values[v.name]
                continue
            phi_edges.setdefault(i.name, []).append((e, i))
    for name, pairs in phi_edges.items():
        bits = env.widths[name]
        variable = env.variable(name, bits)
        i = pairs[0][1]
        others = [e for e in g.leaves if all(e is not p for p, _ in pairs)]
        keep = any(e.target is not None and name in live[e.target] for e in others)
        value: int | None = None
        if keep:
            value = g.values[name] if name in g.values else g.b.var(variable, bits)
        for e, i in reversed(pairs):
            v = i.args[i.labels.index(e.source)]
            if isinstance(v, Undef):
                continue
            node = g.edge_value(e.source, v, bits)
            value = node if value is None else g.b.select(e.condition, node, value)
        if value is not None:
            out[variable] = value
    return out


def _initial_is_direct(cfg: Cfg, header: str, i: Instr, nests: Mapping[str, tuple[str, ...]]) -> bool:
    """A pipelined loop reads its phi's initial value itself if all edges bring the same one."""
    if not nests.get(header):
        return False
    outside = {
        v
        for v, p in zip(i.args, i.labels, strict=True)
        if p in cfg.blocks and p not in cfg.loops[header].blocks
    } - {Undef()}
    return len(outside) <= 1


def _region(
    env: Environment,
    g: RegionGraph,
    s: Shape,
    names: Mapping[str, str],
    liveouts: Mapping[str, int],
    loops: Mapping[int, LoopFacts],
    memories_of: Mapping[str, list[str]],
) -> Region:
    cfg = env.cfg
    grouped: dict[str | None, list[int]] = {}
    for e in g.leaves:
        grouped.setdefault(None if e.target is None else names[e.target], []).append(e.condition)
    if not grouped:
        lp = cfg.loops[s.nest[0]] if s.nest else None
        facts = _facts(lp, loops) if lp else LoopFacts()
        raise SourceError(
            "a loop must end at some time: one without exit is not supported",
            facts.loc or (loop_loc(cfg, lp) if lp else None),
            "leave it by a counter or a flag in the stream (TLAST)",
        )
    targets = list(grouped.items())
    successors: list[tuple[int | None, str | None]] = [(g.b.any_(c), t) for t, c in targets[:-1]]
    successors.append((None, targets[-1][0]))
    facts, dependences = _nest_facts(cfg, s, loops, memories_of)
    loc = facts.loc or (loop_loc(cfg, cfg.loops[s.nest[-1]]) if s.nest else _first_loc(cfg, s))
    return Region(
        names[s.entry],
        tuple(g.b.nodes),
        g.exit,
        dict(liveouts),
        tuple(successors),
        facts.ii,
        facts.pipeline is not False,
        dependences,
        facts.label,
        loc,
    )


def _first_loc(cfg: Cfg, s: Shape) -> Loc | None:
    return next((i.loc for x in s.blocks for i in cfg.blocks[x].instrs if i.loc is not None), None)


def _nest_facts(
    cfg: Cfg, s: Shape, loops: Mapping[int, LoopFacts], memories_of: Mapping[str, list[str]]
) -> tuple[LoopFacts, tuple[Dependence, ...]]:
    """The innermost loop's pragmas count; DEPENDENCE of any loop of the nest."""
    if not s.nest:
        return LoopFacts(), ()
    all_facts = [_facts(cfg.loops[h], loops) for h in s.nest]
    inner = all_facts[-1]
    label = inner.label or next((f.label for f in reversed(all_facts) if f.label), "")
    deps: list[Dependence] = []
    for f in all_facts:
        for d in f.dependences:
            arrays = [d.variable] if d.variable else list(memories_of)
            for a in arrays:
                if a not in memories_of:
                    continue  # it lives in registers: nothing to promise
                deps += [Dependence(m, d.kind, d.inter, d.distance) for m in memories_of[a]]
    return replace(inner, label=label), tuple(dict.fromkeys(deps))
