# SPDX-License-Identifier: Apache-2.0
"""The scheduler: difference constraints, a linear program that wants few registers, a search for II.

For one II every constraint of the problem is a difference of two cycles, so longest paths decide
whether there is a schedule, and a positive cycle says why not.  The schedule itself is the optimum of

    10000 * last cycle + 100000 * sum(cycle of reads and exit) + sum(width * lifetime)

over these constraints, which OR-Tools' GLOP solves; the matrix is totally unimodular, so the optimum is
integral.  Ports and operators that operations share at II > 1 are no difference constraints: those
operations are placed first (`placing`), large straight-line regions take them in order of time.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from ortools.linear_solver import pywraplp

from hlsc.errors import HlscError
from hlsc.ir import Loc
from hlsc.schedule.binding import bind
from hlsc.schedule.placing import Undecided, least_ii, place, pool_levels
from hlsc.schedule.problem import END, EXIT, ORIGIN, Problem

__all__ = ["Limit", "Schedule", "ScheduleError", "asap", "random_schedule", "schedule"]

MAX_II = 4096
_CP_NODES = 1500
_ROUNDS = 300  # recurrences that wishes may give way to


class ScheduleError(HlscError):
    """No schedule exists, whatever the initiation interval."""


@dataclass(frozen=True)
class Limit:
    """Why an initiation interval below the reached one is impossible."""

    kind: str  # recurrence, port, allocation, exit
    text: str
    lines: tuple[Loc, ...] = ()

    @property
    def article(self) -> str:
        return "an" if self.kind[0] in "ae" else "a"

    def __str__(self) -> str:
        where = ", ".join(str(x) for x in self.lines)
        return f"{self.kind}: {self.text}" + (f" ({where})" if where else "")


@dataclass(frozen=True)
class Schedule:
    """Cycle of every operation and pseudo-operation; `ii` None: iterations do not overlap.

    `length` is the number of cycles of one iteration, `bound` the shared operator of each operation
    that has one.
    """

    problem: Problem
    ii: int | None
    times: Mapping[int, int]
    asked: int | None = None
    limit: Limit | None = None
    bound: Mapping[int, int] = field(default_factory=dict)

    @property
    def length(self) -> int:
        return self.times[END] + 1

    def __str__(self) -> str:
        head = f"{self.problem.region.name}: ii {self.ii} length {self.length}"
        lines = [head + (f" asked {self.asked}, {self.limit}" if self.limit else "")]
        by_time: dict[int, list[int]] = {}
        for i in self.problem.operations:
            by_time.setdefault(self.times[i], []).append(i)
        names = {ORIGIN: "origin", EXIT: "exit", END: "end"}
        names |= {i: f"live {v}" for v, i in self.problem.live.items()}
        by_id = self.problem.region.by_id()
        for t in sorted(by_time):
            lines.append(f"  cycle {t}")
            for i in by_time[t]:
                on = f" on {self.bound[i]}" if i in self.bound else ""
                lines += [f"    {by_id[i] if i in by_id else names[i]}{on}"] if i != ORIGIN else []
        return "\n".join(lines)


def schedule(problem: Problem) -> Schedule:
    """The schedule with the smallest initiation interval that is at least the asked one."""
    region = problem.region
    if not problem.overlap:
        times = _wished(problem, None) or _solve(problem, None)
        if times is None:
            why = _explain(problem, None)
            raise ScheduleError(f"{region.loc or region.name}: {region.name} has no schedule: {why}")
        return Schedule(problem, None, times, bound=bind(problem, None, times))
    asked = region.ii or 1
    ii = asked
    limit: Limit | None = None
    while ii <= MAX_II:
        step = 1
        try:
            times = _wished(problem, ii) or _solve(problem, ii)
        except Undecided:
            times, step = None, max(1, ii // 8)
        if times is not None:
            return Schedule(problem, ii, times, region.ii, limit, bind(problem, ii, times))
        least = least_ii(problem)
        limit = _explain(problem, max(ii, least - 1))
        ii = max(ii + step, least)
    raise ScheduleError(f"{region.loc or region.name}: {region.name} has no schedule: {limit}")


# --------------------------------------------------------------------------- longest paths


def _weights(problem: Problem, ii: int | None) -> dict[tuple[int, int], int]:
    """Least t[dst] - t[src] per pair."""
    weights: dict[tuple[int, int], int] = {}
    for c in problem.constraints:
        key, w = (c.src, c.dst), c.latency - (ii or 0) * c.distance
        if weights.get(key, w - 1) < w:
            weights[key] = w
    return weights


def _longest(
    problem: Problem, weights: Mapping[tuple[int, int], int]
) -> tuple[dict[int, int], list[int] | None]:
    """Earliest cycles, or the operations of a positive cycle."""
    order = [ORIGIN, *(i for i in problem.operations if i != ORIGIN)]
    out: dict[int, list[tuple[int, int]]] = {i: [] for i in order}
    for (src, dst), w in weights.items():
        out[src].append((dst, w))
    times = dict.fromkeys(order, 0)
    parent: dict[int, int] = {}
    changed, rounds = True, 0
    while changed:
        changed, rounds = False, rounds + 1
        for u in order:
            t = times[u]
            for v, w in out[u]:
                if t + w > times[v]:
                    times[v] = t + w
                    parent[v] = u
                    changed = True
        if changed and (rounds > 2 or times[ORIGIN] > 0):
            cycle = _parent_cycle(parent)
            if cycle is not None:
                return times, cycle
    return times, None


def _parent_cycle(parent: Mapping[int, int]) -> list[int] | None:
    state: dict[int, int] = {}
    for k, start in enumerate(parent, 1):
        path, u = [], start
        while u in parent and u not in state:
            state[u] = k
            path.append(u)
            u = parent[u]
        if state.get(u) == k and u in path:
            return path[path.index(u) :][::-1]
    return None


def asap(problem: Problem, ii: int | None) -> dict[int, int] | None:
    """Earliest cycle of every operation without regard to ports; None: impossible at this II."""
    times, cycle = _longest(problem, _weights(problem, ii))
    return None if cycle else times


# -------------------------------------------------------------------------------- solving


def _wished(problem: Problem, ii: int | None) -> dict[int, int] | None:
    """A schedule that keeps the wishes which stand in no recurrence; None: there is none."""
    wishes = problem.wishes
    for _ in range(_ROUNDS):
        trial = replace(problem, constraints=(*problem.constraints, *wishes))
        _, cycle = _longest(trial, _weights(trial, ii))
        if cycle is None:
            return _solve(trial, ii) if wishes else None
        pairs = set(zip(cycle, [*cycle[1:], cycle[0]], strict=True))
        left = tuple(c for c in wishes if (c.src, c.dst) not in pairs)
        if len(left) == len(wishes):
            return None
        wishes = left
    return None


def _solve(problem: Problem, ii: int | None) -> dict[int, int] | None:
    weights = _weights(problem, ii)
    early, cycle = _longest(problem, weights)
    if cycle is not None:
        return None
    fixed: dict[int, int] = {}
    if ii is not None and least_ii(problem) > ii:
        return None
    contended = bool(problem.ports or problem.pools)
    if problem.ports and ii == 1:
        for _, group in problem.ports:
            for k, a in enumerate(group):
                for b in group[k + 1 :]:
                    if (a, b) not in problem.exclusive:
                        return None
                    weights[(a, b)] = max(0, weights.get((a, b), 0))
                    weights[(b, a)] = max(0, weights.get((b, a), 0))
    elif ii == 1:
        pass  # every operation has a shared operator to itself
    elif contended and (ii is not None or len(problem.operations) <= _CP_NODES // 5):
        placed = place(problem, ii, weights, early)
        if placed is None:
            return None
        fixed = placed
    elif contended:
        times = _optimise(problem, weights, {})
        assert times is not None
        rank = {i: k for k, i in enumerate(problem.operations)}
        for _, group in problem.ports:
            row = sorted(group, key=lambda i: (times[i], rank[i]))
            for a, b in pairwise(row):
                weights[(a, b)] = max(1, weights.get((a, b), 1))
        for count, group in pool_levels(problem):
            row = sorted(group, key=lambda i: (times[i], rank[i]))
            for a, b in zip(row, row[count:], strict=False):
                weights[(a, b)] = max(1, weights.get((a, b), 1))
    if _longest(problem, weights)[1] is not None:
        return None
    return _optimise(problem, weights, fixed)


def _optimise(
    problem: Problem,
    weights: Mapping[tuple[int, int], int],
    fixed: Mapping[int, int],
) -> dict[int, int] | None:
    solver = pywraplp.Solver.CreateSolver("GLOP")
    solver.SuppressOutput()
    top = float(sum(max(0, w) for w in weights.values()) + sum(fixed.values()) + 1)
    t = {}
    for i in problem.operations:
        low, high = (0.0, 0.0) if i == ORIGIN else (0.0, top)
        if i in fixed:
            low = high = float(fixed[i])
        t[i] = solver.NumVar(low, high, "")
    for (src, dst), w in weights.items():
        if src == ORIGIN and w <= 0:
            continue
        row = solver.Constraint(float(w), solver.infinity())
        row.SetCoefficient(t[dst], 1.0)
        row.SetCoefficient(t[src], -1.0)
    goal = solver.Objective()
    cost = dict.fromkeys(problem.operations, 0.0)
    cost[END] += 10_000.0
    for i in problem.early:
        cost[i] += 100_000.0
    distance = {(c.src, c.dst) for c in problem.constraints if c.why == "phi"}
    for v in problem.values:
        users = [u for u in v.users if u in t]
        life = solver.NumVar(0.0, top, "")
        goal.SetCoefficient(life, float(max(1, v.width)))
        is_phi = any((v.src, u) in distance for u in users)
        offset = 0 if is_phi else v.latency
        for u in users:
            row = solver.Constraint(-float(offset), solver.infinity())  # life >= t_u - t_src - latency
            row.SetCoefficient(life, 1.0)
            row.SetCoefficient(t[u], -1.0)
            row.SetCoefficient(t[v.src], 1.0)
    for i, c in cost.items():
        # A little for every cycle, so that nothing is left to chance.
        goal.SetCoefficient(t[i], c + 0.01)
    goal.SetMinimization()
    if solver.Solve() != pywraplp.Solver.OPTIMAL:
        return None
    return {i: round(x.solution_value()) for i, x in t.items()}


# ---------------------------------------------------------------------------------- reasons


def _explain(problem: Problem, ii: int | None) -> Limit:
    """Why this II is impossible: a recurrence, or a port or operators with too many users."""
    weights = _weights(problem, ii)
    _, cycle = _longest(problem, weights)
    by_id = problem.region.by_id()

    def lines(ids: Sequence[int]) -> tuple[Loc, ...]:
        return _lines([by_id[i].loc for i in ids if i in by_id])

    if cycle is not None:
        pairs = set(zip(cycle, [*cycle[1:], cycle[0]], strict=True))
        whys = {c.why for c in problem.constraints if (c.src, c.dst) in pairs}
        nodes = [by_id[i] for i in cycle if i in by_id]
        where = lines(cycle)
        streams = sorted({n.ref for n in nodes if n.op in {"read", "write", "empty"} and n.ref})
        memories = sorted({n.ref for n in nodes if n.op in {"load", "store"} and n.ref})
        if EXIT in cycle:
            return Limit("exit", "the loop's exit condition is not known before the next start", where)
        if "order" in whys and whys <= {"order"} and streams:
            return Limit("port", f"stream {', '.join(streams)} is used more than once", where)
        names = list(dict.fromkeys(n.name or n.op for n in nodes))
        through = f" through memory {', '.join(memories)}" if memories else ""
        return Limit("recurrence", f"{' -> '.join(names)}{through}", where)
    found = [
        (len(g), Limit("port", f"{name} has {len(g)} users in one iteration", lines(g)))
        for name, g in problem.ports
    ]
    for pool in problem.pools:
        for count, g in pool.levels():
            what = f"limit={count} of {pool.op} ({pool.said[count]}) for {len(g)} in one iteration"
            found.append((-(-len(g) // count), Limit("allocation", what, lines(g))))
    if not found:
        return Limit("recurrence", "no feasible order", ())
    return max(found, key=lambda x: x[0])[1]


def _lines(locs: Sequence[Loc | None]) -> tuple[Loc, ...]:
    known = {x for x in locs if x is not None and x.line > 0}  # 0: LLVM merged several lines
    found = sorted(known, key=lambda x: (x.file, x.line))
    return tuple(found)


# ------------------------------------------------------------------------------------ fuzz


def random_schedule(problem: Problem, seed: int, extra: int = 3) -> Schedule:
    """A legal schedule of no merit, to fuzz the back end: delays added at random while all fits."""
    base = schedule(problem)
    rng = random.Random(seed)
    weights = _weights(problem, base.ii)
    shared = {i for g in (*problem.ports, *pool_levels(problem)) for i in g[1]}
    order = [i for i in problem.operations if i not in {ORIGIN, *shared}]
    for i in rng.sample(order, len(order)):
        trial = dict(weights)
        key = (ORIGIN, i)
        late = base.times[i] + rng.randint(0, extra)
        trial[key] = max(trial.get(key, 0), late)
        for s in shared:
            trial[(ORIGIN, s)] = max(trial.get((ORIGIN, s), 0), base.times[s])
            trial[(s, ORIGIN)] = -base.times[s]
        times, cycle = _longest(problem, trial)
        if cycle is None and times[ORIGIN] == 0:
            weights = trial
    times, cycle = _longest(problem, weights)
    assert cycle is None
    return replace(base, times=times)
