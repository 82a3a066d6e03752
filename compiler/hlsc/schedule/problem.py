# SPDX-License-Identifier: Apache-2.0
"""The scheduling problem of one region, as data: operations, difference constraints, shared ports.

Times are cycles from the start of an iteration.  Every constraint has the form
`t[dst] - t[src] >= latency - II * distance`, where distance counts iterations; in a region whose
iterations do not overlap (`overlap` False) constraints with a distance hold by themselves.

Beside the region's nodes there are pseudo-operations (negative ids): ORIGIN (cycle 0), EXIT (the exit
condition is taken), END (the last cycle) and one per live-out variable (the cycle at whose end the
variable's register is loaded).  A phi's time is the cycle at whose end its register is loaded with the
next value; its users stand after the load of the iteration before: latency 1, distance 1.

Zero and sign extension are transparent: users of an extension are users of what it extends, so that a
pipeline register never holds copies of one bit.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field

from hlsc.ir import SIDE_EFFECTS, Loc, Node, Process, Region
from hlsc.schedule.delays import Cost, Timing
from hlsc.schedule.order import Order
from hlsc.schedule.prepare import find_accumulators
from hlsc.schedule.sharing import Pool, pools_of

__all__ = [
    "END",
    "EXIT",
    "LEAVES",
    "ORIGIN",
    "Constraint",
    "Problem",
    "Value",
    "build",
    "source",
]

ORIGIN, EXIT, END = -1, -2, -3
_LIVE = -10  # live-outs, from here downwards in order of name

LEAVES = frozenset({"const", "var", "arg"})


@dataclass(frozen=True)
class Constraint:
    """t[dst] - t[src] >= latency - II * distance.

    `why`: data, path, wish, phi, order, memory, exit, end.
    """

    src: int
    dst: int
    latency: int
    distance: int = 0
    why: str = "data"


@dataclass(frozen=True)
class Value:
    """A result that registers carry: `width` bits from cycle t[src] + latency to the last user."""

    src: int
    latency: int
    width: int
    users: tuple[int, ...]


@dataclass(frozen=True)
class Problem:
    """See the module.

    `wishes`: constraints that give way to the initiation interval.  `ports`: operations that need one
    port, never two in one slot; `port_of`: the port of each access to a memory that has ports.
    `pools`: operations that share operators, each of which takes one operator in its slot.
    """

    region: Region
    overlap: bool
    operations: tuple[int, ...]  # in topological order, pseudo-operations last
    costs: Mapping[int, Cost]
    constraints: tuple[Constraint, ...]
    wishes: tuple[Constraint, ...]
    values: tuple[Value, ...]
    ports: tuple[tuple[str, tuple[int, ...]], ...]
    exclusive: frozenset[tuple[int, int]]  # pairs of one port that may share a cycle
    early: frozenset[int]  # reads, empty, EXIT: better in cycle 0
    live: Mapping[str, int]  # variable -> pseudo-operation
    accumulators: Mapping[int, tuple[int, int]]
    slow: tuple[int, ...] = ()  # operations longer than the budget on their own
    port_of: Mapping[int, int] = field(default_factory=dict)
    pools: tuple[Pool, ...] = ()

    def node(self, i: int) -> Node | None:
        return self.region.by_id().get(i)

    def loc(self, i: int) -> Loc | None:
        n = self.node(i)
        return n.loc if n else self.region.loc


def source(by_id: Mapping[int, Node], i: int) -> Node:
    """What node `i` extends, through any number of extensions; itself if it is none."""
    n = by_id[i]
    while n.op in {"zext", "sext"}:
        n = by_id[n.args[0]]
    return n


def build(
    process: Process,
    region: Region,
    timing: Timing,
    after_write: frozenset[tuple[str, str]] = frozenset(),
    shared: Mapping[str, Cost] | None = None,
) -> Problem:
    """The problem of one prepared region (see `prepare`).

    `after_write`: pairs (written channel, read channel) whose data come back round through other
    processes, so that a read behind the write must not block it.  `shared`: what an operation of each
    pool of the process costs (see `units`).
    """
    return _Build(process, region, timing, after_write, shared or {}).problem()


class _Build:
    def __init__(
        self,
        process: Process,
        region: Region,
        timing: Timing,
        after: frozenset[tuple[str, str]],
        shared: Mapping[str, Cost],
    ) -> None:
        self.region, self.timing, self.after = region, timing, after
        self.pools = pools_of(process, region)
        self.shared = {i: shared[pool.name] for pool in self.pools for i in pool.choice}
        self.by_id = region.by_id()
        self.memories = {m.name: m for m in process.memories}
        self.overlap = region.is_loop and region.pipelined
        self.constraints: list[Constraint] = []
        self.users: dict[int, set[int]] = {}
        self.accumulators: dict[int, tuple[int, int]] = {}
        self.var_users: dict[str, set[int]] = {}
        self.wishes: list[Constraint] = []
        self.ops = [n for n in region.nodes if n.op not in LEAVES and n.op not in {"zext", "sext"}]
        self.costs = {n.id: self._cost(n) for n in self.ops}
        for total, (phi, product) in find_accumulators(region).items():
            if {total, product} & self.shared.keys():
                continue
            if self.costs[product].latency == 1 and self.by_id[total].width <= 48:
                self.accumulators[total] = (phi, product)
                for i in (total, product):
                    self.costs[i] = self._cost(self.by_id[i], in_dsp=True)

    # ------------------------------------------------------------------------------ costs

    def _cost(self, n: Node, in_dsp: bool = False) -> Cost:
        if n.op == "phi":
            return Cost(0.0)
        if n.id in self.shared:
            return self.shared[n.id]
        sources = [source(self.by_id, a) for a in n.args]
        widths = [self._effective(a) for a in n.args]
        cost = self.timing.cost(
            n,
            operand_width=max(widths, default=0),
            factor_widths=(widths[0], widths[1]) if n.op == "mul" else (0, 0),
            constant_operand=len(sources) > 1 and sources[1].op == "const",
            memory=self.memories.get(n.ref or ""),
            in_dsp=in_dsp,
        )
        all_const = bool(sources) and all(s.op == "const" for s in sources)
        return Cost(0.0) if all_const and cost.latency == 0 else cost

    def _effective(self, i: int) -> int:
        """Bits that an operand needs as a signed number."""
        n, s = self.by_id[i], source(self.by_id, i)
        if s.op == "const" and s.value is not None:
            value = s.value if s.value < 1 << (s.width - 1) else (1 << s.width) - s.value
            return min(value.bit_length() + 1, n.width)
        if s is n:
            return n.width
        return min(n.width, s.width + (1 if n.op == "zext" else 0))

    # -------------------------------------------------------------------------- data edges

    def _edge(self, src: int, dst: int, latency: int, distance: int = 0, why: str = "data") -> None:
        if src == dst and distance == 0:
            raise AssertionError(f"%{src} must not depend on itself")
        if distance and not self.overlap:
            return
        self.constraints.append(Constraint(src, dst, latency, distance, why))

    def _use(self, user: int, operand: int) -> None:
        """`user` takes the value of node `operand` in its own cycle."""
        s = source(self.by_id, operand)
        if s.op == "var":
            self.var_users.setdefault(s.ref or "", set()).add(user)
        if s.op in LEAVES:
            return
        self.users.setdefault(s.id, set()).add(user)
        if s.op == "phi":
            self._edge(s.id, user, 1, 1, "phi")
        else:
            extra = 1 if self._sum_to_other(s.id, user) else 0
            self._edge(s.id, user, self.costs[s.id].latency + extra)

    def _sum_to_other(self, s: int, user: int) -> bool:
        """A multiply-accumulate's sum leaves the DSP through its register only, but for its own phi."""
        if s not in self.accumulators:
            return False
        phi = self.accumulators[s][0]
        n = self.by_id.get(user)
        return not (user == phi or (n is not None and n.op == "select" and phi in n.args))

    def _paths(self) -> None:
        """Chaining: where the path from u to v is longer than the budget, v is a cycle later.

        The same for the comfortable length, as wishes.  Nothing that an early operation waits for is
        wished later: that would hold up whole iterations.
        """
        budget, comfort = self.timing.budget, self.timing.comfort
        costs = [(n.id, self.costs[n.id]) for n in self.ops if n.op != "phi"]
        self.slow = tuple(i for i, c in costs if c.delay > budget or c.out_delay > budget)
        for src, dst, latency in self._chains(budget):
            self._edge(src, dst, latency, why="path")
        if comfort < budget:
            urgent = self._before_early()
            self.wishes = [
                Constraint(*x, why="wish") for x in self._chains(comfort) if x[1] not in urgent
            ]

    def _before_early(self) -> set[int]:
        """Reads, the exit condition, and all that they follow from in the same iteration."""
        work = [n.id for n in self.ops if n.op in {"read", "empty"}]
        work += [] if self.region.exit is None else [self.region.exit]
        found = {EXIT}
        while work:
            n = source(self.by_id, work.pop())
            if n.id not in found and n.op not in LEAVES and n.op != "phi":
                found.add(n.id)
                work += [*n.args, *(() if n.pred is None else (n.pred,))]
        return found

    def _chains(self, budget: float) -> list[tuple[int, int, int]]:
        """(u, v, cycles) of the pairs that no path within `budget` joins."""
        order = {n.id: k for k, n in enumerate(self.ops)}
        after: dict[int, list[int]] = {n.id: [] for n in self.ops}
        for n in self.ops:
            if n.op == "phi":
                continue
            for a in (*n.args, *(() if n.pred is None else (n.pred,))):
                s = source(self.by_id, a)
                if s.op not in LEAVES and s.op != "phi":
                    after[s.id].append(n.id)
        exit_source = None
        if self.region.exit is not None:
            s = source(self.by_id, self.region.exit)
            exit_source = s.id if s.op not in LEAVES else None
        control = self.timing.table.control
        found = []
        beyond: dict[int, set[int]] = {}  # what must be later than this node, by the length of paths
        for n in reversed(self.ops):
            cost = self.costs[n.id]
            own = cost.out_delay if cost.latency else cost.delay
            if n.op == "phi":
                continue
            base = cost.latency + 1
            reach = {n.id: min(own, budget)}
            late: set[int] = set()
            work = [(order[n.id], n.id)]
            while work:
                _, u = heapq.heappop(work)
                if u in late:
                    continue
                if u == exit_source and self.overlap and reach[u] + control > budget:
                    found.append((n.id, EXIT, base))
                for v in after[u]:
                    if v in late:
                        continue
                    c = self.costs[v]
                    d = reach[u] + c.delay
                    if d > budget + 1e-9:
                        late.add(v)
                    elif c.latency == 0:
                        if v not in reach:
                            heapq.heappush(work, (order[v], v))
                        reach[v] = max(reach.get(v, 0.0), d)
            beyond[n.id] = late
            # A successor that says the same says it for this node too.
            implied: set[int] = set()
            for v in after[n.id]:
                if self.costs[v].latency == 0:
                    implied |= beyond[v]
            found += [(n.id, v, base) for v in sorted(late - implied)]
        return found

    # ------------------------------------------------------------------------------ whole

    def problem(self) -> Problem:
        region = self.region
        for n in self.ops:
            if n.op == "phi":
                following = source(self.by_id, n.args[1])
                if following.op in LEAVES:
                    if following.op == "var":
                        self.var_users.setdefault(following.ref or "", set()).add(n.id)
                elif following.op == "phi":
                    if following.id != n.id:
                        self.users.setdefault(following.id, set()).add(n.id)
                        self._edge(following.id, n.id, 1, 1, "phi")
                else:
                    self.users.setdefault(following.id, set()).add(n.id)
                    self._edge(following.id, n.id, self.costs[following.id].latency)
                continue
            for a in (*n.args, *(() if n.pred is None else (n.pred,))):
                self._use(n.id, a)
        pseudo = [ORIGIN]
        if region.exit is not None:
            pseudo.append(EXIT)
            self._use(EXIT, region.exit)
            self._use(END, region.exit)
            # Iterations behind the one that leaves may have started; they are cancelled, so none of
            # them may have had an effect: theirs come II cycles later, behind the cycle of EXIT.
            for n in self.ops:
                if n.op in SIDE_EFFECTS:
                    self._edge(EXIT, n.id, 1, 1, "exit")
            self._edge(EXIT, END, 0, why="end")
        live = {}
        for k, name in enumerate(sorted(region.liveouts)):
            live[name] = _LIVE - k
            self._use(live[name], region.liveouts[name])
            if region.exit is not None:
                self._use(live[name], region.exit)
                self._edge(EXIT, live[name], 0, why="end")
        for cond, _ in region.successors:
            if cond is not None:
                self._use(END, cond)
        for name, i in live.items():
            # The variable's old value is taken up to the cycle in which the new one is loaded.
            for user in sorted(self.var_users.get(name, ())):
                if user != i:
                    self._edge(user, i, 0, why="variable")
            self._edge(i, END, 0, why="end")
        pseudo += [*live.values(), END]
        for n in self.ops:
            self._edge(n.id, END, max(0, self.costs[n.id].latency - 1), why="end")
        self._paths()
        order = Order(region, self.ops, self.costs, self.memories, self.after, self._edge)
        order.channels()
        ports = order.memory()
        for i in [n.id for n in self.ops] + pseudo[1:]:
            self.constraints.append(Constraint(ORIGIN, i, 0, 0, "start"))
        values = []
        for n in self.ops:
            if users := self.users.get(n.id):
                values.append(Value(n.id, self.costs[n.id].latency, n.width, tuple(sorted(users))))
        early = {n.id for n in self.ops if n.op in {"read", "empty"}}
        if region.exit is not None:
            early.add(EXIT)
        return Problem(
            region=region,
            overlap=self.overlap,
            operations=(*(n.id for n in self.ops), *pseudo),
            costs=self.costs,
            constraints=tuple(dict.fromkeys(self.constraints)),
            wishes=tuple(dict.fromkeys(self.wishes)),
            values=tuple(values),
            ports=tuple(ports),
            exclusive=frozenset(order.exclusive),
            early=frozenset(early),
            live=live,
            accumulators=self.accumulators,
            slow=self.slow,
            port_of=order.port_of,
            pools=self.pools,
        )
