# SPDX-License-Identifier: Apache-2.0
"""Independent check of a schedule against the region it is for; runs on every schedule hlsc makes.

It re-derives every rule from the region's nodes (data, chaining, phi windows, exit, live-outs, stream
order, memory hazards inside and across iterations, ports) and takes only the cycles, the initiation
interval, operation costs and the clock budget from outside.  It shares no code with the solver or with
the construction of its constraints: a dropped constraint there is an error here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hlsc.ir import Node, Process
from hlsc.schedule.delays import Timing, memory_style
from hlsc.schedule.sdc import Schedule
from hlsc.schedule.sharing import governed

__all__ = ["VerifyError", "verify", "violations"]


class VerifyError(Exception):
    """A schedule breaks a rule: a bug in hlsc, never in the user's program."""


def verify(process: Process, schedule: Schedule, timing: Timing) -> Schedule:
    """The schedule, if nothing is wrong with it; raises VerifyError with every violation."""
    found = list(violations(process, schedule, timing))
    if found:
        where = f"{process.name}.{schedule.problem.region.name}"
        raise VerifyError(f"schedule of {where}: " + "; ".join(found[:20]))
    return schedule


def violations(process: Process, schedule: Schedule, timing: Timing) -> Iterator[str]:
    """Every rule that the schedule breaks, in words."""
    check = _Check(process, schedule, timing)
    yield from check.data()
    yield from check.chaining()
    yield from check.control()
    yield from check.streams()
    yield from check.memories()
    yield from check.tokens(process)
    yield from check.operators()


def _strip(nodes: Mapping[int, Node], i: int) -> Node:
    while nodes[i].op in ("zext", "sext"):
        i = nodes[i].args[0]
    return nodes[i]


class _Check:
    def __init__(self, process: Process, schedule: Schedule, timing: Timing) -> None:
        problem = schedule.problem
        self.process = process
        self.region = problem.region
        self.nodes = {n.id: n for n in self.region.nodes}
        self.place = {n.id: k for k, n in enumerate(self.region.nodes)}
        self.t = schedule.times
        # Iterations that do not overlap are as far apart as an iteration is long.
        self.loop = self.region.exit is not None
        self.overlap = self.loop and self.region.pipelined
        self.ii = schedule.ii if schedule.ii is not None else schedule.length
        self.last = schedule.length - 1
        self.cost = problem.costs
        self.live = problem.live
        self.bound = schedule.bound
        self.budget = timing.budget
        self.control_delay = timing.table.control
        self.logic = {
            m.name
            for m in process.memories
            if memory_style(m) == "register" or (m.init is not None and memory_style(m) != "bram")
        }
        self.ports = {m.name: m.ports for m in process.memories}
        self.external = {m.name for m in process.memories if m.external is not None}
        self.port_of = problem.port_of
        self.tableau = _Tableau(self.nodes)
        self.exit_cycle = min((t for i, t in self.t.items() if i == -2), default=0)

    def ready(self, i: int) -> int | None:
        """First cycle in which the value of node i can be used; None: any."""
        n = _strip(self.nodes, i)
        if n.op in ("const", "var", "arg"):
            return None
        if n.op == "phi":
            return self.t[n.id] + 1 - self.ii
        return self.t[n.id] + self.cost[n.id].latency

    def operands(self, n: Node) -> tuple[int, ...]:
        if n.op == "phi":
            return n.args[1:]
        return n.args if n.pred is None else (*n.args, n.pred)

    def data(self) -> Iterator[str]:
        for n in self.nodes.values():
            if n.op in ("const", "var", "arg", "zext", "sext"):
                continue
            if n.id not in self.t:
                yield f"{n} has no cycle"
                continue
            if not 0 <= self.t[n.id] <= self.last:
                yield f"{n} stands in cycle {self.t[n.id]} of 0..{self.last}"
            for a in self.operands(n):
                if n.op == "phi" and _strip(self.nodes, a).id == n.id:
                    continue
                ready = self.ready(a)
                if ready is not None and self.t[n.id] < ready:
                    yield f"{n} in cycle {self.t[n.id]} uses %{a} before cycle {ready}"

    def chaining(self) -> Iterator[str]:
        arrival: dict[int, float] = {}
        for n in self.region.nodes:
            if n.op in ("const", "var", "arg", "phi", "zext", "sext") or n.id not in self.t:
                continue
            start = 0.0
            for a in self.operands(n):
                s = _strip(self.nodes, a)
                if s.op in ("const", "var", "arg", "phi"):
                    continue
                c = self.cost[s.id]
                if c.latency == 0 and self.t[s.id] == self.t[n.id]:
                    start = max(start, arrival[s.id])
                elif c.latency and self.t[s.id] + c.latency == self.t[n.id]:
                    start = max(start, c.out_delay)
            own = self.cost[n.id].delay
            arrival[n.id] = start + own
            if own > self.budget:
                arrival[n.id] = self.budget  # reported elsewhere: no schedule can help
                late = start > 0 and start + own > self.budget + 1e-6
            else:
                late = start + own > self.budget + 1e-6 and start <= self.budget
            if late:
                after = f"{start + own:.2f} of {self.budget:.2f} ns"
                yield f"{n} in cycle {self.t[n.id]} ends after {after}"

        if self.overlap and self.region.exit is not None:
            s = _strip(self.nodes, self.region.exit)
            if s.op in ("const", "var", "arg", "phi"):
                return
            c, end = self.cost[s.id], 0.0
            if self.t[s.id] + c.latency == self.exit_cycle:
                end = (arrival[s.id] if c.latency == 0 else c.out_delay) + self.control_delay
            if end > self.budget + 1e-6:
                yield f"the exit in cycle {self.exit_cycle} comes after {end:.2f} ns"

    def control(self) -> Iterator[str]:
        t, nodes = self.t, self.nodes
        if self.region.exit is not None:
            ready = self.ready(self.region.exit)
            if ready is not None and self.exit_cycle < ready:
                yield f"the exit is taken in cycle {self.exit_cycle}, known in {ready}"
            for n in nodes.values():
                # An iteration that must not run has started already; its effects must come later.
                effect = n.op in ("read", "write", "store", "out") and n.id in t
                if self.overlap and effect and t[n.id] + self.ii <= self.exit_cycle:
                    yield f"{n} acts in an iteration that the exit in cycle {self.exit_cycle} cancels"
            if self.exit_cycle > self.last:
                yield "the exit is taken behind the last cycle"
        for n in nodes.values():
            if n.id in t and n.op not in ("const", "var", "arg", "zext", "sext"):
                end = t[n.id] + max(0, self.cost[n.id].latency - 1)
                if end > self.last:
                    yield f"{n} ends in cycle {end} of 0..{self.last}"
        for cond, _ in self.region.successors:
            ready = None if cond is None else self.ready(cond)
            if ready is not None and ready > self.last:
                yield f"successor condition %{cond} is known in {ready} of 0..{self.last}"
        for name, i in self.region.liveouts.items():
            at = t[self.live[name]]
            ready = self.ready(i)
            if ready is not None and at < ready:
                yield f"{name} is loaded in cycle {at}, its value known in {ready}"
            if at > self.last or (self.loop and at < self.exit_cycle):
                yield f"{name} is loaded in cycle {at}, outside exit..end"
            for n in nodes.values():
                late = n.id in t and t[n.id] > at
                if late and any(self.is_var(a, name) for a in self.operands(n)):
                    yield f"{n} in cycle {t[n.id]} reads {name}, loaded anew in {at}"
            for other, j in self.region.liveouts.items():
                if self.is_var(j, name) and t[self.live[other]] > at:
                    yield f"{other} takes {name} after it was loaded anew"
            conds = [c for c, _ in self.region.successors if c is not None]
            if any(self.is_var(c, name) for c in conds) and at != self.last:
                yield f"a successor condition takes {name} after it was loaded anew"

    def is_var(self, i: int, name: str) -> bool:
        n = _strip(self.nodes, i)
        return n.op == "var" and n.ref == name

    def streams(self) -> Iterator[str]:
        ends: dict[tuple[str, str | None], list[Node]] = {}
        for n in self.region.nodes:
            if n.op in ("read", "empty"):
                ends.setdefault(("in", n.ref), []).append(n)
            elif n.op in ("write", "out"):
                ends.setdefault(("out", n.ref), []).append(n)
        for (_, ref), group in ends.items():
            group = [n for n in group if n.id in self.t]
            for k, a in enumerate(group):
                for b in group[k + 1 :]:
                    if a.op == "empty" and b.op == "empty":
                        continue
                    # empty looks at the state before its cycle; a transfer is seen one cycle later.
                    least = 0 if a.op == "empty" else 1
                    if least and self.t[b.id] == self.t[a.id]:
                        least = 0 if self.tableau.never_both(a.pred, b.pred) else 1
                    if self.t[b.id] < self.t[a.id] + least:
                        yield f"{ref}: {b} must follow {a}"
                    least = 0 if b.op == "empty" else 1
                    if self.loop and self.t[a.id] + self.ii < self.t[b.id] + least:
                        yield f"{ref}: {a} of the next iteration overtakes {b}"

    def operators(self) -> Iterator[str]:
        """Limits of the process that more operations exceed: who shares, and who meets in a slot."""
        exceeded = []
        for limit in self.process.allocations:
            users = [
                n
                for r in self.process.regions
                for n in r.nodes
                if limit in governed(self.process, n, r.by_id())
            ]
            if len(users) > limit.limit:
                exceeded.append(limit)
                if len({n.ref for n in users}) != 1:
                    yield f"the {limit.op} of {limit.function} must share one pool"
        taken: dict[tuple[str | None, int, int], Node] = {}
        for n in self.nodes.values():
            limits = [a for a in governed(self.process, n, self.nodes) if a in exceeded]
            k = self.bound.get(n.id)
            if k is None or not 0 <= k < min((a.limit for a in limits), default=k + 1):
                if limits:
                    yield f"{n} has operator {k} of {min(a.limit for a in limits)}"
                continue
            slot = self.t[n.id] % self.ii if self.overlap else self.t[n.id]
            other = taken.setdefault((n.ref, k, slot), n)
            if other is not n:
                yield f"{other} and {n} need one operator in slot {slot}"

    def memories(self) -> Iterator[str]:
        groups: dict[str, list[Node]] = {}
        for n in self.region.nodes:
            if n.op in ("load", "store") and n.id in self.t:
                groups.setdefault(n.ref or "", []).append(n)
        for ref, group in groups.items():
            for k, a in enumerate(group):
                if ref not in self.logic:
                    yield from self.own_port(ref, a)
                for b in group[k + 1 :]:
                    yield from self.hazard(ref, a, b)
                    if ref not in self.logic and self.port_of.get(a.id) == self.port_of.get(b.id):
                        yield from self.port(ref, a, b)

    def tokens(self, process: Process) -> Iterator[str]:
        """Accesses to what processes share lie between the tokens that they stand between."""
        take = {m.name: m.take for m in process.memories if m.take}
        give = {m.name: m.give for m in process.memories if m.give}
        for n in self.region.nodes:
            if n.op not in ("load", "store") or n.id not in self.t:
                continue
            for token in self.region.nodes:
                behind = self.place[token.id] < self.place[n.id]
                if token.op == "read" and token.ref == take.get(n.ref or "", ""):
                    later = self.t[n.id] + (0 if behind else self.ii)
                    if later < self.t[token.id] and (behind or self.loop):
                        yield f"{n.ref}: {n} comes before {token}"
                if token.op == "write" and token.ref == give.get(n.ref or "", ""):
                    later = self.t[token.id] + (self.ii if behind else 0)
                    if later < self.t[n.id] + self.cost[n.id].latency and (not behind or self.loop):
                        yield f"{n.ref}: {n} comes behind {token}"

    def own_port(self, ref: str, n: Node) -> Iterator[str]:
        kind = self.ports[ref]
        legal = {"1rw": (0,), "2rw": (0, 1), "1r1w": (0,) if n.op == "load" else (1,)}[kind]
        if self.port_of.get(n.id) not in legal:
            yield f"{ref}: {n} has port {self.port_of.get(n.id)} of a memory with {kind}"

    def hazard(self, ref: str, a: Node, b: Node) -> Iterator[str]:
        """a stands before b in the iteration."""
        if a.op == "load" and b.op == "load":
            return
        ta, tb = self.t[a.id], self.t[b.id]
        fixed = [self.nodes[x.args[0]] for x in (a, b)]
        if all(x.op == "const" for x in fixed) and fixed[0].value != fixed[1].value:
            return

        def kind(first: Node, second: Node) -> str:
            return {"storeload": "RAW", "loadstore": "WAR", "storestore": "WAW"}[first.op + second.op]

        def least(first: Node, second: Node) -> int:
            # Whether a read beats a write of the same cycle is not known of memories outside.
            return 0 if kind(first, second) == "WAR" and ref not in self.external else 1

        def facts(first: Node, second: Node, inter: bool) -> Sequence[int | None]:
            return [
                f.distance
                for f in self.region.dependences
                if f.memory == ref and f.inter == inter and f.kind in ("", kind(first, second))
            ]

        if tb < ta + least(a, b) and not facts(a, b, False):
            both_act = not (a.op == b.op and self.tableau.never_both(a.pred, b.pred))
            if both_act and not self.never_same(a, b):
                yield f"{ref}: {b} in cycle {tb} must follow {a} in cycle {ta}"
            elif not both_act and tb < ta and not self.never_same(a, b):
                yield f"{ref}: {b} in cycle {tb} stands before {a} in cycle {ta}"
        if not self.loop:
            return
        for first, second in ((a, b), (b, a)):
            promised = facts(first, second, True)
            if None in promised:
                continue
            apart = max((d or 1 for d in promised), default=1)
            if self.t[second.id] + apart * self.ii < self.t[first.id] + least(first, second):
                yield f"{ref}: {second} of a later iteration overtakes {first}"

    def never_same(self, a: Node, b: Node) -> bool:
        """Addresses of one iteration that differ by a constant."""

        def offset(i: int) -> tuple[int, int]:
            n = self.nodes[i]
            if n.op in ("add", "sub"):
                x, y = (self.nodes[k] for k in n.args)
                if y.op == "const":
                    base, c = offset(x.id)
                    return base, c + (y.value or 0) * (1 if n.op == "add" else -1)
                if x.op == "const" and n.op == "add":
                    base, c = offset(y.id)
                    return base, c + (x.value or 0)
            return i, 0

        (base_a, ca), (base_b, cb) = offset(a.args[0]), offset(b.args[0])
        width = self.nodes[a.args[0]].width
        return base_a == base_b and (ca - cb) % (1 << width) != 0

    def port(self, ref: str, a: Node, b: Node) -> Iterator[str]:
        ta, tb = self.t[a.id], self.t[b.id]
        clash = ta % self.ii == tb % self.ii if self.overlap else ta == tb
        if not clash:
            return
        if a.op == b.op == "store" and ta == tb and self.tableau.never_both(a.pred, b.pred):
            return
        yield f"{ref}: {a} in cycle {ta} and {b} in cycle {tb} need one port"


class _Tableau:
    """Whether two one-bit values can be 1 together, by case analysis; True only if proved."""

    def __init__(self, nodes: Mapping[int, Node]) -> None:
        self.nodes = nodes
        self.steps = 0

    def never_both(self, p: int | None, q: int | None) -> bool:
        if p is None or q is None:
            return False
        self.steps = 20_000
        return not self.open([(p, 1), (q, 1)], {})

    def open(self, goals: list[tuple[int, int]], known: dict[tuple[object, ...], int]) -> bool:
        """Some assignment meets all goals (or the search was given up)."""
        goals = list(goals)
        while goals:
            self.steps -= 1
            if self.steps < 0:
                return True
            i, value = goals.pop()
            n = self.nodes[i]
            if n.op == "const":
                if n.value != value:
                    return False
            elif n.op in ("and", "or") and n.width == 1:
                if value == (n.op == "and"):
                    goals += [(a, value) for a in n.args]
                else:
                    return any(self.open([*goals, (a, value)], dict(known)) for a in n.args)
            elif n.op == "xor" and n.width == 1:
                x, y = n.args
                return any(self.open([*goals, (x, v), (y, v ^ value)], dict(known)) for v in (0, 1))
            elif n.op == "select" and n.width == 1:
                c, one, zero = n.args
                return self.open([*goals, (c, 1), (one, value)], dict(known)) or self.open(
                    [*goals, (c, 0), (zero, value)], dict(known)
                )
            elif not self.learn(n, value, known):
                return False
        return True

    def learn(self, n: Node, value: int, known: dict[tuple[object, ...], int]) -> bool:
        opposite = {"ne": "eq", "uge": "ult", "ugt": "ule", "sge": "slt", "sgt": "sle"}
        key: tuple[object, ...] = ("node", n.id)
        if n.op in opposite or n.op in opposite.values():
            op = n.op
            if op in opposite:
                op, value = opposite[op], 1 - value
            sides = [self.nodes[a] for a in n.args]
            key = (op, *((s.op, s.value) if s.op == "const" else s.id for s in sides))
        if known.setdefault(key, value) != value:
            return False
        if key[0] == "eq" and value and isinstance(key[2], tuple):
            for other, v in known.items():
                same = other[0] == "eq" and v and other[1] == key[1] and other[2] != key[2]
                if same and isinstance(other[2], tuple):
                    return False
        return True
