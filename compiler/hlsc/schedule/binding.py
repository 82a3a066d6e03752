# SPDX-License-Identifier: Apache-2.0
"""Which shared operator each operation takes: two of one slot take different ones."""

from __future__ import annotations

from collections.abc import Mapping

from hlsc.schedule.problem import Problem

__all__ = ["bind"]


def bind(problem: Problem, ii: int | None, times: Mapping[int, int]) -> dict[int, int]:
    """Operator per operation.  In each slot those with the least choice choose first, and take the
    operator with the fewest users: its multiplexers stay small."""
    bound: dict[int, int] = {}
    for pool in problem.pools:
        users = dict.fromkeys(range(max(pool.choice.values())), 0)
        taken: set[tuple[int, int]] = set()
        for i in sorted(pool.choice, key=lambda i: (pool.choice[i], times[i])):
            slot = times[i] if ii is None else times[i] % ii
            free = [k for k in range(pool.choice[i]) if (slot, k) not in taken]
            bound[i] = min(free, key=lambda k: (users[k], k))
            users[bound[i]] += 1
            taken.add((slot, bound[i]))
    return bound
