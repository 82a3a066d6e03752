# SPDX-License-Identifier: Apache-2.0
"""What values the nodes of a process can take, as intervals.

Phis, variables and memories are solved by iteration with widening.  A phi's next value counts only in
iterations that do not leave the loop, and each arm of a select only under its condition: such facts are
followed through `and`, `or`, `not` and comparisons back to counters, so that loop bounds are found.
"""

from __future__ import annotations

from collections.abc import Mapping

from hlsc.ir import COMPARE, Node, Process, Region
from hlsc.middle.bits import signed
from hlsc.middle.intervals import Range, transfer

__all__ = ["ProcessRanges"]

_DEPTH = 6  # how far facts are followed from a select or phi
_PATIENCE = 6  # rounds before an interval that still grows becomes its type's


Facts = dict[int, Range]


class RegionRanges:
    """Ranges of one region's nodes, for given ranges of variables and memories."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self.nodes = region.by_id()
        self.range: dict[int, Range] = {}
        self.grown: dict[int, int] = {}
        self._exit_facts: Facts | None = None
        # Per node, what it is computed from, as a bit mask of ids: facts about other nodes cannot help.
        self.cone: dict[int, int] = {}
        for n in region.nodes:
            mask = 1 << n.id
            if n.op != "phi":
                for x in n.args:
                    mask |= self.cone[x]
            self.cone[n.id] = mask
        self.thresholds = sorted(
            {n.value for n in region.nodes if n.op == "const" and n.value is not None}
        )

    def solve(self, variables: Mapping[str, Range], memories: Mapping[str, Range]) -> None:
        """Sweep until nothing changes; a second call goes on from what the first has found."""
        # Selects too: they look past their operands, at what conditions say.
        inputs = {"phi", "var", "load", "select"}
        before: set[int] = set()
        first = not self.range
        for _ in range(400):
            changed: set[int] = set()
            self._exit_facts = None
            for n in self.region.nodes:
                if not (first or n.op in inputs or any(x in changed or x in before for x in n.args)):
                    continue
                new = self._evaluate(n, variables, memories)
                old = self.range.get(n.id)
                if old is not None and new != old:
                    new = old.join(new)  # ranges only grow, so that this ends
                if new != old:
                    self.range[n.id] = new
                    changed.add(n.id)
            if not changed:
                return
            first, before = False, changed
        for n in self.region.nodes:  # never seen; then nothing is known
            if n.width and n.op != "const":
                self.range[n.id] = Range.full(n.width)

    def _evaluate(
        self, n: Node, variables: Mapping[str, Range], memories: Mapping[str, Range]
    ) -> Range:
        if n.op == "phi":
            return self._phi(n)
        if n.op == "var":
            return variables.get(n.ref or "", Range.full(n.width))
        if n.op == "load":
            return memories.get(n.ref or "", Range.full(n.width))
        if n.op in ("arg", "read", "empty"):
            return Range.full(n.width)
        if n.width == 0:
            return Range.exactly(0, 1)
        got = transfer(n, [self.range[x] for x in n.args])
        if n.op == "select":
            c, x, y = n.args
            one = self._given(x, self._assume({c: 1}))
            zero = self._given(y, self._assume({c: 0}))
            got = got.meet(one.join(zero))
        return got

    def _phi(self, n: Node) -> Range:
        init, nxt = n.args
        start = self.range[init]
        old = self.range.get(n.id)
        if old is None or nxt not in self.range:
            return start
        if self._exit_facts is None:
            assert self.region.exit is not None
            self._exit_facts = self._assume({self.region.exit: 0})
        new = old.join(start).join(self._given(nxt, self._exit_facts))
        if new == old:
            return old
        self.grown[n.id] = self.grown.get(n.id, 0) + 1
        return self._widen(old, new, self.grown[n.id])

    def _widen(self, old: Range, new: Range, rounds: int) -> Range:
        w = new.width
        if rounds <= 2:
            return new
        if rounds > _PATIENCE:
            # First the next constant of the region (a loop's bound), in the end the whole type.
            full = Range.full(w)
            last = rounds > 2 * _PATIENCE
            up = full.hi if last else next((t for t in self.thresholds if t >= new.hi), full.hi)
            sup = full.shi if last else next((t for t in self.thresholds if t >= new.shi), full.shi)
            lo = new.lo if new.lo == old.lo else 0
            hi = new.hi if new.hi == old.hi else min(up, full.hi)
            slo = new.slo if new.slo == old.slo else full.slo
            shi = new.shi if new.shi == old.shi else min(sup, full.shi)
            return Range(w, lo, hi, slo, shi).tight()
        hi, shi = new.hi, new.shi
        above = [t for t in self.thresholds if t >= hi]
        top = (1 << hi.bit_length()) - 1
        hi = hi if hi == old.hi else min(above[0] if above else top, top)
        above = [t for t in self.thresholds if t >= shi]
        stop = (1 << max(shi, 0).bit_length()) - 1
        shi = shi if shi == old.shi else min(above[0] if above else stop, stop, (1 << (w - 1)) - 1)
        slo = new.slo
        if slo != old.slo and slo < 0:
            slo = -(1 << (-slo - 1).bit_length())
        return Range(w, new.lo, max(hi, new.hi), min(slo, new.slo), max(shi, new.shi))

    # Facts ---------------------------------------------------------------

    def _assume(self, bits: dict[int, int]) -> Facts:
        """What one-bit nodes with known values say about others."""
        facts: Facts = {}
        work = list(bits.items())
        waiting: list[
            tuple[int, int]
        ] = []  # and = 0, or = 1: one operand decides when the other is known
        while work:
            i, v = work.pop()
            n = self.nodes[i]
            if i in facts and n.width == 1:
                continue
            facts[i] = Range.exactly(v, 1)
            if n.op == "xor" and self.nodes[n.args[1]].op == "const":
                work.append((n.args[0], v ^ (self.nodes[n.args[1]].value or 0)))
            elif (n.op, v) in (("and", 1), ("or", 0)):
                work += [(x, v) for x in n.args]
            elif (n.op, v) in (("and", 0), ("or", 1)):
                waiting.append((i, v))
            elif n.op in COMPARE:
                self._compare_fact(n, v, facts)
            if not work:
                for item in list(waiting):
                    a, b = self.nodes[item[0]].args
                    for x, y in ((a, b), (b, a)):
                        known = facts.get(x) or self.range.get(x)
                        if known is not None and known.constant == 1 - item[1] and y not in facts:
                            waiting.remove(item)
                            work.append((y, item[1]))
                            break
        return facts

    def _compare_fact(self, n: Node, v: int, facts: Facts) -> None:
        a, b = n.args
        x, y = self._known(a, facts), self._known(b, facts)
        if x is None or y is None:
            return
        w = x.width
        if n.op == "eq":
            if v:
                both = x.meet(y)
                self._note(a, both, facts)
                self._note(b, both, facts)
            elif y.constant is not None:  # cuts only an end of the interval
                c = y.constant
                if x.lo == c and x.hi > c:
                    self._note(a, x.meet(Range.unsigned(c + 1, x.hi, w)), facts)
                elif x.hi == c and x.lo < c:
                    self._note(a, x.meet(Range.unsigned(x.lo, c - 1, w)), facts)
            return
        make = Range.unsigned if n.op == "ult" else Range.of_signed
        xl, xh, yl, yh = (x.lo, x.hi, y.lo, y.hi) if n.op == "ult" else (x.slo, x.shi, y.slo, y.shi)
        if v:
            if xl <= yh - 1:
                self._note(a, x.meet(make(xl, min(xh, yh - 1), w)), facts)
            if xl + 1 <= yh:
                self._note(b, y.meet(make(max(yl, xl + 1), yh, w)), facts)
        else:
            if yl <= xh:
                self._note(a, x.meet(make(max(xl, yl), xh, w)), facts)
                self._note(b, y.meet(make(yl, min(yh, xh), w)), facts)

    def _known(self, i: int, facts: Facts) -> Range | None:
        return facts.get(i, self.range.get(i))

    def _note(self, i: int, r: Range, facts: Facts) -> None:
        """A range of a node, and what it says about what it was extended or counted from."""
        n = self.nodes[i]
        if n.op == "const" or r == self.range.get(i):
            return
        facts[i] = r
        if n.op in ("zext", "sext"):
            k = self.nodes[n.args[0]].width
            inner = self.range.get(n.args[0])
            if inner is not None:
                if n.op == "zext" and r.hi < 1 << k:
                    self._note(n.args[0], inner.meet(Range.unsigned(r.lo, r.hi, k)), facts)
                elif n.op == "sext":
                    self._note(n.args[0], inner.meet(Range.of_signed(r.slo, r.shi, k)), facts)
        elif n.op == "add" and self.nodes[n.args[1]].op == "const":
            c, x = self.nodes[n.args[1]].value or 0, self.range.get(n.args[0])
            if x is not None and x.hi + c < 1 << n.width and r.lo >= c:  # no wrap
                self._note(n.args[0], x.meet(Range.unsigned(r.lo - c, r.hi - c, n.width)), facts)
            elif x is not None:
                s = signed(c, n.width)
                half = 1 << (n.width - 1)
                if -half <= x.slo + s and x.shi + s < half:
                    self._note(n.args[0], x.meet(Range.of_signed(r.slo - s, r.shi - s, n.width)), facts)

    def _given(self, i: int, facts: Facts) -> Range:
        """`_under`, if any fact can matter."""
        cone = self.cone[i]
        if any(cone >> k & 1 for k in facts):
            return self._under(i, facts, _DEPTH)
        return self.range[i]

    def _under(self, i: int, facts: Facts, depth: int) -> Range:
        """The range of a node if the facts hold."""
        known = self.range[i]
        if i in facts:
            known = known.meet(facts[i])
        n = self.nodes[i]
        cone = self.cone[i]
        if (
            depth == 0
            or not any(cone >> k & 1 for k in facts)
            or n.op in ("const", "var", "arg", "phi", "load", "read", "empty")
        ):
            return known
        if n.op == "select":
            c, x, y = n.args
            fc = facts.get(c)
            if fc is not None and fc.constant is not None:
                return known.meet(self._under(x if fc.constant else y, facts, depth - 1))
            return known.meet(
                self._under(x, self._also(facts, c, 1), depth - 1).join(
                    self._under(y, self._also(facts, c, 0), depth - 1)
                )
            )
        return known.meet(transfer(n, [self._under(x, facts, depth - 1) for x in n.args]))

    def _also(self, facts: Facts, i: int, v: int) -> Facts:
        bits = {k: r.lo for k, r in facts.items() if r.width == 1 and r.constant is not None}
        return {**facts, **self._assume(bits | {i: v})}


class ProcessRanges:
    """Ranges of all nodes, variables and memories of a process."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.regions = {r.name: RegionRanges(r) for r in process.regions}
        self.variables: dict[str, Range] = {
            v: Range.exactly(0, w) for v, w in process.variables.items()
        }
        self.memories: dict[str, Range] = {}
        for m in process.memories:
            if m.external is not None:
                self.memories[m.name] = Range.full(m.width)
                continue
            words = m.init or m.start or (0,)
            r = Range.exactly(words[0], m.width)
            for x in words[1:]:
                r = r.join(Range.exactly(x, m.width))
            self.memories[m.name] = r
        self._solve()

    def _solve(self) -> None:
        for round_ in range(60):
            changed = False
            for rr in self.regions.values():
                rr.solve(self.variables, self.memories)
                for v, i in rr.region.liveouts.items():
                    changed |= self._grow(self.variables, v, rr.range[i], round_)
                for n in rr.region.nodes:
                    if n.op == "store":
                        changed |= self._grow(self.memories, n.ref or "", rr.range[n.args[1]], round_)
            if not changed:
                return
        raise AssertionError(f"ranges of {self.process.name} do not settle")

    def _grow(self, table: dict[str, Range], name: str, new: Range, round_: int) -> bool:
        old = table[name]
        joined = old.join(new)
        if joined == old:
            return False
        table[name] = joined if round_ < 4 else Range.full(old.width)
        return True

    def of(self, region: str, node: int) -> Range:
        return self.regions[region].range[node]
