# SPDX-License-Identifier: Apache-2.0
"""Cycles of the operations that share ports or operators: no two of a port, no more than there are
operators in one slot.

CP-SAT (one worker, fixed seed), which knows of every other constraint, has some time to find the best
cycles; first fit stands in where it finds none, and at once where shared operators have many users.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ortools.sat.python import cp_model

from hlsc.schedule.problem import END, ORIGIN, Problem

__all__ = ["Undecided", "least_ii", "place", "pool_levels"]

_SEARCHED = 24  # operations on shared operators that are few


class Undecided(Exception):
    """Neither a placement was found nor that there is none."""


def place(
    problem: Problem,
    ii: int | None,
    weights: Mapping[tuple[int, int], int],
    early: Mapping[int, int],
) -> dict[int, int] | None:
    """Cycles of the operations that share; None: impossible.  Raises Undecided.

    `weights`: least t[dst] - t[src]; `early`: earliest cycles by these.
    """
    fitted = _first_fit(problem, ii, weights, early)
    if fitted is not None and sum(len(pool.choice) for pool in problem.pools) > _SEARCHED:
        return fitted
    return _by_search(problem, ii, weights, early, fitted)


def _first_fit(
    problem: Problem,
    ii: int | None,
    weights: Mapping[tuple[int, int], int],
    early: Mapping[int, int],
) -> dict[int, int] | None:
    """Each operation in its first free cycle; None: a recurrence is broken.

    The earliest user of a port comes first; of shared operators the one that the length of the
    schedule waits for most.
    """
    after: dict[int, list[tuple[int, int]]] = {}
    before: dict[int, list[tuple[int, int]]] = {}
    for (src, dst), w in weights.items():
        after.setdefault(src, []).append((dst, w))
        before.setdefault(dst, []).append((src, w))
    late = _latest(before, early)
    partners: dict[int, set[int]] = {}
    for _, group in problem.ports:
        for i in group:
            partners.setdefault(i, set()).update(j for j in group if j != i)
    levels = [(count, frozenset(group)) for count, group in pool_levels(problem)]
    pooled = {i for _, group in levels for i in group}
    times, placed = dict(early), dict[int, int]()

    def slot(t: int) -> int:
        return t if ii is None else t % ii

    def free(i: int, at: int) -> bool:
        for j in partners.get(i, set()) & placed.keys():
            together = at == placed[j] and ((i, j) in problem.exclusive or (j, i) in problem.exclusive)
            if not together and slot(at) == slot(placed[j]):
                return False
        return all(
            sum(slot(placed[j]) == slot(at) for j in group & placed.keys()) < count
            for count, group in levels
            if i in group
        )

    left = partners.keys() | pooled
    while left:
        i = min(left, key=lambda x: (late[x] if x in pooled else times[x], x))
        left -= {i}
        cycles = range(times[i], times[i] + (ii or len(partners) + len(pooled)))
        at = next((x for x in cycles if free(i, x)), None)
        if at is None:
            return None
        placed[i] = times[i] = at
        if not _push(after, times, placed, i):
            return None
    return placed


def _latest(
    before: Mapping[int, Sequence[tuple[int, int]]], early: Mapping[int, int]
) -> dict[int, int]:
    """Latest cycles in a schedule of the least length, iterations apart left aside."""
    late = dict.fromkeys(early, early[END])
    work = [END]
    while work:
        v = work.pop()
        for u, w in before.get(v, ()):
            if w >= 0 and late[v] - w < late[u] and late[v] - w >= early[u]:
                late[u] = late[v] - w
                work.append(u)
    return late


def _push(
    after: Mapping[int, Sequence[tuple[int, int]]],
    times: dict[int, int],
    placed: Mapping[int, int],
    i: int,
) -> bool:
    """Move what must be later than operation i; False: one that has its place would move."""
    work = [i]
    while work:
        u = work.pop()
        for v, w in after.get(u, ()):
            if times[u] + w > times[v]:
                if v == ORIGIN or v in placed:
                    return False
                times[v] = times[u] + w
                work.append(v)
    return True


def _apart(problem: Problem, group: Sequence[int]) -> list[int]:
    """Operations of a port no two of which may share a cycle."""
    clique: list[int] = []
    for i in group:
        if all((j, i) not in problem.exclusive and (i, j) not in problem.exclusive for j in clique):
            clique.append(i)
    return clique


def pool_levels(problem: Problem) -> list[tuple[int, tuple[int, ...]]]:
    """(operators, operations) of all pools: at most so many of these operations in one slot."""
    return [x for pool in problem.pools for x in pool.levels()]


def least_ii(problem: Problem) -> int:
    """Least II that ports and shared operators allow; accesses with exclusive predicates count once."""
    ports = (len(_apart(problem, group)) for _, group in problem.ports)
    return max([1, *ports, *(-(-len(group) // count) for count, group in pool_levels(problem))])


def _one_after_another(releases: Sequence[int], count: int) -> list[int]:
    """Earliest cycles of operations that may begin at these (ascending), `count` at most in one."""
    found: list[int] = []
    for k, release in enumerate(releases):
        found.append(max(release, found[k - count] + 1) if k >= count else release)
    return found


def _by_search(
    problem: Problem,
    ii: int | None,
    weights: Mapping[tuple[int, int], int],
    early: Mapping[int, int],
    fitted: dict[int, int] | None,
) -> dict[int, int] | None:
    """The best cycles, by CP-SAT, or those `fitted`; None: impossible.  Raises Undecided."""
    model = cp_model.CpModel()
    pools = pool_levels(problem)
    rounds = [len(g) for _, g in problem.ports] + [-(-len(g) // k) for k, g in pools]
    slack = max(rounds) + 2 * (ii or 0) + 2
    top = max(early.values()) + slack
    t = {}
    for i in problem.operations:
        t[i] = model.NewIntVar(0, 0 if i == ORIGIN else top, f"t{i}")
    for (src, dst), w in weights.items():
        model.Add(t[dst] - t[src] >= w)
    members = sorted({i for g in (*problem.ports, *pools) for i in g[1]})
    where = t
    if ii is not None:
        where = {i: model.NewIntVar(0, ii - 1, f"s{i}") for i in members}
        for i in members:
            model.AddModuloEquality(where[i], t[i], ii)
    for count, group in pools:
        taken = [model.NewFixedSizeIntervalVar(where[i], 1, f"u{i}") for i in group]
        model.AddCumulative(taken, [1] * len(taken), count)
        last = sorted(early[i] for i in group)
        model.Add(sum(t[i] for i in group) >= sum(_one_after_another(last, count)))
    for _, group in problem.ports:
        for k, a in enumerate(group):
            for b in group[k + 1 :]:
                if (a, b) in problem.exclusive:
                    same = model.NewBoolVar(f"e{a}_{b}")
                    model.Add(t[a] == t[b]).OnlyEnforceIf(same)
                    model.Add(where[a] != where[b]).OnlyEnforceIf(same.Not())
                else:
                    model.Add(where[a] != where[b])
        # Implied, but without it a row of equals is proved optimal only by trying its orders.
        row = _apart(problem, group)
        releases = sorted(early[i] for i in row)
        model.Add(sum(t[i] for i in row) >= sum(_one_after_another(releases, 1)))
    model.Minimize(
        1000 * t[END] + 10_000 * sum(t[i] for i in sorted(problem.early)) + sum(t[i] for i in members)
    )
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = 1
    # Where first fit fails, the search mostly finds nothing either: it gets less time.
    solver.parameters.max_deterministic_time = 1.0 if fitted is None else 3.0
    status = solver.Solve(model)
    if status == cp_model.UNKNOWN and fitted is None and ii is not None:
        raise Undecided
    if status == cp_model.UNKNOWN:
        return fitted
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    return {i: solver.Value(t[i]) for i in members}
