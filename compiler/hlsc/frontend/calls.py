# SPDX-License-Identifier: Apache-2.0
"""ALLOCATION function: calls of one function become one call, which its callers take turns at.

Everything is inlined, so that each call is an instance.  Calls that shall share one leave their
arguments in variables and their number beside them, go to the block with the only call, and come back
from there by that number.  Calls that stand in a sequence then form a loop around the instance, with
what is between them as its body; what one iteration leaves to the next are variables like any other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from hlsc.errors import SourceError
from hlsc.frontend import passes
from hlsc.frontend.allocation import instances, is_operation
from hlsc.frontend.facts import FunctionFacts, Resolved, SourceLoop, set_loop_metadata
from hlsc.frontend.intrinsics import SIDE_EFFECT
from hlsc.frontend.llvmtext import Block, Function, Loop, ModuleText, innermost, natural_loops
from hlsc.frontend.program import ONCE, LoopFacts

__all__ = ["share_calls"]

_CALL = re.compile(r'^\s*(?:(%[\w.$-]+) = )?call (.*?)@("?[\w.$]+"?)\((.*)\)(?: #\d+)?((?:, !.*)?)$')
_FIRST = re.compile(
    r"^\s*(%[\w.$-]+) = getelementptr [^,]*, ptr (%[\w.$-]+)(?:, i\d+ 0)+(?:, !.*)?$", re.MULTILINE
)
_WORDS = re.compile(r"(?:\([^()]*\)|\{[^{}]*\}|\[[^\[\]]*\]|%\"[^\"]*\"|<[^<>]*>|[^\s(){}\[\]<>])+")


@dataclass(frozen=True)
class _Group:
    """Calls that share an instance, by the numbers of their blocks."""

    given: Resolved
    plain: str
    sites: tuple[int, ...]


def share_calls(
    module: ModuleText, functions: Mapping[str, FunctionFacts], loops: dict[int, SourceLoop]
) -> ModuleText:
    """The module of unoptimised IR with as many calls as ALLOCATION allows; adds to `loops`.

    Raises SourceError where calls cannot take turns.
    """
    for name, facts in functions.items():
        limits = [x for x in facts.allocations if not is_operation(x)]
        if not limits:
            continue
        place = _Place(module, name, facts, functions, loops)
        groups = [g for given in limits for x in instances(given) for g in place.groups(given, x)]
        if groups:
            # What lives across a call becomes a variable, so that blocks may be joined anew.
            module = ModuleText(passes.run_passes(str(module), ("register_to_memory",)))
            declared = f"declare void @{ONCE}() {SIDE_EFFECT}"
            module.parts += [] if declared in module.parts else [declared]
            _join_all(module, module.function(name), groups, loops)
    return module


class _Place:
    """One function with limits of what it calls."""

    def __init__(
        self,
        module: ModuleText,
        name: str,
        facts: FunctionFacts,
        functions: Mapping[str, FunctionFacts],
        loops: Mapping[int, SourceLoop],
    ) -> None:
        self.module, self.f, self.facts = module, module.function(name), facts
        self.functions, self.loops = functions, loops
        self.sites = 0

    def groups(self, given: Resolved, plain: str) -> list[_Group]:
        """Calls in order, as evenly as the limit asks, each in a block of its own; none if there are
        no more calls than the limit allows."""
        callee = self._callee(given, plain)
        blocks = [b for b in self.f.blocks if callee in _called(b)]
        count, limit = sum(_called(b).count(callee) for b in blocks), given.values["limit"]
        nest = natural_loops(self.f)
        if any(self._unrolls(x) for b in blocks for x in _around(nest, b)):
            raise _not_in_turn(given, plain, "one stands in a loop that unrolls")
        if count <= limit:
            return []
        if self.facts.pipeline or any(self._pipelined(x) for b in blocks for x in _around(nest, b)):
            raise _not_in_turn(given, plain, "they stand in a pipelined loop or function")
        _name_once(self.f)
        first = self.sites
        self._isolate(callee)
        nest = natural_loops(self.f)
        rows: dict[str, list[int]] = {}  # by the loop that the calls stand in
        for n in range(first, self.sites):
            loop = innermost(nest, f"hlsc.site.{n}")
            rows.setdefault(loop.header if loop else "", []).append(n)
        if len(rows) > limit:
            raise _not_in_turn(given, plain, f"they stand in {len(rows)} places, of which some repeat")
        counts = dict.fromkeys(rows, 1)
        for _ in range(limit - len(rows)):
            counts[max(rows, key=lambda x: len(rows[x]) / counts[x])] += 1
        parts = [part for x, row in rows.items() for part in _even(row, counts[x])]
        return [_Group(given, plain, part) for part in parts if len(part) > 1]

    def _callee(self, given: Resolved, plain: str) -> str:
        named = {g.name for g in self.module.functions if _is_named(self.module, g, plain)}
        called = sorted(named & set(self.f.calls()))
        if not called:
            raise given.error(
                f"must name a function that '{given.function}' calls, not '{plain}'",
                "name it as it is written, without arguments",
            )
        own = (x for x in self.loops.values() if x.function == self.f.name)
        if self.facts.dataflow is not None or any(x.dataflow is not None for x in own):
            raise given.error(
                f"must not name '{plain}', a process: processes run at the same time",
                "write one process that is called once",
            )
        if len(called) > 1:
            raise given.error(
                f"must name one function, not '{plain}', which stands for {len(called)}",
                "name it with its template arguments",
            )
        return called[0]

    def _of(self, loop: Loop) -> SourceLoop:
        last = self.f.block(loop.latches[0]).lines[-1]
        key = self.module.metadata.loop_value(last, "hlsc.loop")
        assert key is not None, loop.header  # `collect` gave one to every loop
        return self.loops[key]

    def _pipelined(self, loop: Loop) -> bool:
        return bool(self._of(loop).facts.pipeline)

    def _unrolls(self, loop: Loop) -> bool:
        """By itself, or because it stands below a pipeline."""
        if self._of(loop).unroll is not None or self.facts.pipeline is not None:
            return True
        return any(self._pipelined(x) for x in loop.ancestors()) or self._below_a_pipeline()

    def _below_a_pipeline(self) -> bool:
        """Whether a pipelined loop or function calls this function, perhaps through others."""
        callers = {self.f.name}
        while True:
            more = {g.name for g in self.module.functions if callers & set(g.calls())} | callers
            if more == callers:
                break
            callers = more
        callers -= {self.f.name}
        pipelined = {
            x.function for x in self.loops.values() if x.facts.pipeline or x.unroll is not None
        }
        return any(c in pipelined or self.functions[c].pipeline for c in callers if c in self.functions)

    def _isolate(self, callee: str) -> None:
        """Each call of a function gets the block `hlsc.site.N`; its result is used behind it."""
        blocks: list[Block] = []
        for b in self.f.blocks:
            here = Block(b.name)
            blocks.append(here)
            for line in b.lines:
                if (m := _CALL.match(line)) is None or m.group(3) != callee:
                    here.lines.append(line)
                    continue
                n = self.sites
                self.sites += 1
                here.lines.append(f"  br label %hlsc.site.{n}")
                site = Block(f"hlsc.site.{n}", [line, f"  br label %hlsc.back.{n}"])
                here = Block(f"hlsc.back.{n}")
                blocks += [site, here]
            if here.name != b.name:
                self._rename_in_phis(b.name, here.name)
        self.f.blocks = blocks

    def _rename_in_phis(self, old: str, new: str) -> None:
        for b in self.f.blocks:
            b.lines = [
                x.replace(f", %{old} ]", f", %{new} ]") if " = phi " in x else x for x in b.lines
            ]


def _even(row: Sequence[int], count: int) -> list[tuple[int, ...]]:
    """A row in parts of neighbours, as equal as can be."""
    ends = [len(row) * k // count for k in range(count + 1)]
    return [tuple(row[a:b]) for a, b in pairwise(ends)]


def _called(b: Block) -> list[str]:
    """Names of the functions that a block calls, one per call."""
    return [m.group(3) for x in b.lines if (m := _CALL.match(x))]


def _around(nest: Mapping[str, Loop], b: Block) -> list[Loop]:
    return [x for x in nest.values() if b.name in x.blocks]


def _not_in_turn(given: Resolved, plain: str, why: str) -> SourceError:
    return given.error(
        f"must not limit '{plain}', whose calls cannot take turns: {why}",
        f"write ALLOCATION operation instances=mul limit={given.values['limit']} in the body of "
        f"'{plain}': its calls then share operators",
    )


def _is_named(module: ModuleText, f: Function, plain: str) -> bool:
    """Whether a function has this name; template arguments matter if they are given."""
    if f.subprogram is None:
        return False
    name = re.sub(r"\s", "", module.metadata.string(f.subprogram, "name") or "")
    head, angle, rest = re.sub(r"[\s()&]", "", plain).partition("<")
    return name.partition("<" if not angle else " ")[0] == head.rpartition("::")[2] + angle + rest


# ------------------------------------------------------------------------------------- joining


def _join_all(
    module: ModuleText, f: Function, groups: Sequence[_Group], loops: dict[int, SourceLoop]
) -> None:
    """Put one call in the place of each group's calls."""
    for k, group in enumerate(groups):
        _join(f, group, k)
        nest = natural_loops(f)
        loop = nest.get(f"hlsc.shared.{k}")
        if not _is_reducible(f, nest):
            raise _not_in_turn(group.given, group.plain, "one stands in a branch, others behind it")
        if loop is None:  # on branches that exclude each other
            continue
        again = Block(f"hlsc.again.{k}", [f"  br label %{loop.header}"])
        for name in loop.latches:
            b = f.block(name)
            b.lines[-1] = b.lines[-1].replace(f"label %{loop.header}", f"label %{again.name}")
        f.blocks.append(again)
        facts = LoopFacts(label=group.plain, loc=group.given.loc)
        key = max(loops, default=-1) + 1
        loops[key] = SourceLoop(facts, function=f.name)
        set_loop_metadata(module, f, Loop(loop.header, set(), [again.name]), key, None)


def _join(f: Function, group: _Group, k: int) -> None:
    """One call behind which a switch leads back; what differs between calls goes through variables."""
    shared = Block(f"hlsc.shared.{k}", [f"  call void @{ONCE}()"])
    entry = [f"  %hlsc.turn.{k} = alloca i32, align 4"]
    calls = [_taken(f.block(f"hlsc.site.{n}")) for n in group.sites]
    rows = [[_argument(x) for x in _split(m.group(4))] for _, m in calls]
    first = calls[0][1]
    kind = _WORDS.findall(first.group(2))[-1]
    stores: list[list[str]] = [[f"  store i32 {n}, ptr %hlsc.turn.{k}"] for n in range(len(rows))]
    fetches: list[list[str]] = [[] for _ in rows]
    passed = []
    for i, column in enumerate(zip(*rows, strict=True)):
        variable, one = f"%hlsc.given.{k}.{i}", column[0]
        values = [x.value for x in column]
        if one.type == "ptr" and not one.object and len(set(values)) == 1:
            passed.append(f"{one.attributed} {one.value}")
            continue
        if one.type == "ptr" and not one.object:
            raise _not_in_turn(
                group.given, group.plain, f"argument {i + 1} is another object each time"
            )
        what = one.object or one.type
        entry.append(f"  {variable} = alloca {what}")
        for n, value in enumerate(values):
            moved = value
            if one.object:
                moved = f"{variable}.{n}"
                to, at = (stores, value) if one.copied else (fetches, variable)
                to[n].append(f"  {moved} = load {what}, ptr {at}")
            to, at = (fetches, value) if one.object and not one.copied else (stores, variable)
            to[n].append(f"  store {what} {moved}, ptr {at}")
        if one.object:
            passed.append(f"{one.attributed} {variable}")
        else:
            shared.lines.append(f"  {variable}.in = load {what}, ptr {variable}")
            passed.append(f"{one.attributed} {variable}.in")
    out = f"%hlsc.result.{k}"
    to_out = f"{out}.out = " if kind != "void" else ""
    callee = f"{first.group(2)}@{first.group(3)}({', '.join(passed)}){first.group(5)}"
    shared.lines.append(f"  {to_out}call {callee}")
    if to_out:
        entry.append(f"  {out} = alloca {kind}")
        shared.lines.append(f"  store {kind} {out}.out, ptr {out}")
    backs = [f"hlsc.back.{n}" for n in group.sites]
    cases = "\n".join(f"    i32 {n}, label %{x}" for n, x in enumerate(backs[:-1]))
    shared.lines += [
        f"  {out}.turn = load i32, ptr %hlsc.turn.{k}",
        f"  switch i32 {out}.turn, label %{backs[-1]} [\n{cases}\n  ]",
    ]
    for (at, m), name, n, store, fetch in zip(calls, backs, group.sites, stores, fetches, strict=True):
        site, back = f.block(f"hlsc.site.{n}"), f.block(name)
        got = [f"  {m.group(1)} = load {kind}, ptr {out}"] if m.group(1) else []
        back.lines = [*fetch, *got, *site.lines[at + 1 : -1], *back.lines]
        site.lines = [*site.lines[:at], *store, f"  br label %{shared.name}"]
    f.blocks[0].lines[:0] = entry
    f.blocks.append(shared)


def _taken(site: Block) -> tuple[int, re.Match[str]]:
    """Where the call of an isolated block stands."""
    return next((i, m) for i, x in enumerate(site.lines) if (m := _CALL.match(x)))


def _split(arguments: str) -> list[str]:
    """At commas outside brackets."""
    found, depth, at = [], 0, 0
    for i, c in enumerate(arguments):
        depth += (c in "([{<") - (c in ")]}>")
        if c == "," and depth == 0:
            found.append(arguments[at:i].strip())
            at = i + 1
    return [*found, arguments[at:].strip()] if arguments.strip() else []


@dataclass(frozen=True)
class _Argument:
    """`attributed`: type with attributes; `object`: type of what a pointer hands over, by a copy that
    the call takes (`copied`) or fills; "" otherwise."""

    type: str
    attributed: str
    value: str
    object: str
    copied: bool


def _argument(text: str) -> _Argument:
    words = _WORDS.findall(text)
    handed = [(w, m) for w in words if (m := re.match(r"(byval|sret)\((.*)\)$", w))]
    kind = handed[0][1].group(2) if handed else ""
    copied = bool(handed) and handed[0][1].group(1) == "byval"
    return _Argument(words[0], " ".join(words[:-1]), words[-1], kind, copied)


def _name_once(f: Function) -> None:
    """One name for one object: references that the function was given, which clang keeps in variables,
    and arrays, whose first elements clang points to."""
    text = "\n".join(x for _, _, x in f.lines())
    new: dict[str, str] = {}
    for m in re.finditer(r"store ptr (%[\w.$-]+), ptr (%[\w.$-]+\.addr),", text):
        value, variable = m.groups()
        uses = re.findall(rf"^.*{re.escape(variable)}(?![\w.$-]).*$", text, re.MULTILINE)
        loads = [u for x in uses if (u := re.match(r"\s*(%\S+) = load ptr, ptr ", x))]
        if len(uses) == len(loads) + 2:  # beside them the alloca and this store
            new |= {u.group(1): value for u in loads}
    for m in _FIRST.finditer(text):
        new[m.group(1)] = new.get(m.group(2), m.group(2))
    for b in f.blocks:
        kept = [x for x in b.lines if x.split(" = ")[0].strip() not in new]
        b.lines = [re.sub(r"%[\w.$-]+", lambda m: new.get(m.group(), m.group()), x) for x in kept]


def _is_reducible(f: Function, nest: Mapping[str, Loop]) -> bool:
    """Whether every cycle is a natural loop."""
    back = {(latch, x.header) for x in nest.values() for latch in x.latches}
    before: dict[str, int] = {b.name: 0 for b in f.blocks}
    edges = {b.name: [s for s in b.successors if (b.name, s) not in back] for b in f.blocks}
    for successors in edges.values():
        for s in successors:
            before[s] += 1
    work = [name for name, n in before.items() if n == 0]
    done = 0
    while work:
        name = work.pop()
        done += 1
        for s in edges[name]:
            before[s] -= 1
            if before[s] == 0:
                work.append(s)
    return done == len(f.blocks)
