# SPDX-License-Identifier: Apache-2.0
"""Sums as balanced trees; multiplications by constants as shifts and additions.

Nine products arrive as a chain of eight additions; as a tree they are four deep.  Terms that close a
recurrence (an accumulator) are added last, so that the loop's cycle holds one addition only.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from heapq import heapify, heappop, heappush

from hlsc.ir import COMPARE, Node, Region
from hlsc.middle.bits import signed
from hlsc.middle.graph import Builder
from hlsc.middle.simplify import dead_code, rebuild

__all__ = ["balance_sums", "csd_digits", "multiply_by_constants", "rows_of_adders", "shift_add_factors"]

_LATE = 1 << 20
_MAX_DIGITS = 4  # a constant with more signed digits stays a multiplication (a DSP)


def csd_digits(value: int) -> list[tuple[int, int]]:
    """Canonical signed digits of an integer: (exponent, +1 or −1), lowest first, no two adjacent."""
    out = []
    at = 0
    while value:
        if value & 1:
            digit = 2 - (value & 3)
            out.append((at, digit))
            value -= digit
        value >>= 1
        at += 1
    return out


@lru_cache
def shift_add_factors(
    value: int, width: int
) -> tuple[tuple[tuple[int, int], ...], list[tuple[int, int]]] | None:
    """`value` modulo 2**width as one or two factors 1 ± 2**k and the signed digits of the rest.

    Exact divisions by constants arrive as multiplications by inverses, which have many digits and few
    such factors: 1/9 modulo 2**28 is (1 − 2**3)(1 + 2**6)(1 + 2**12 + 2**24).  None if more than
    _MAX_DIGITS additions would be left.
    """
    zeros = (value & -value).bit_length() - 1
    bits = width - zeros  # what the factors of the odd part must give
    if value == 0 or bits < 3:
        return None
    pairs = [(k, sign) for k in range(2, bits) for sign in (1, -1)]
    inverse = {(k, sign): pow(1 + sign * (1 << k), -1, 1 << bits) for k, sign in pairs}
    tried = [(f,) for f in pairs] + [(f, g) for i, f in enumerate(pairs) for g in pairs[i:]]
    best = None
    for factors in tried:
        rest = value >> zeros
        for f in factors:
            rest = rest * inverse[f] & ((1 << bits) - 1)
        digits = csd_digits(signed(rest, bits))
        cost = len(factors) + len(digits) - 1
        if cost <= _MAX_DIGITS and (best is None or cost < best[0]):
            best = cost, factors, [(at + zeros, d) for at, d in digits]
    return None if best is None else best[1:]


def rows_of_adders(b: Builder, x: int, y: int) -> int:
    """x · y of their width without a multiplier: a row per bit of the factor that has fewer."""

    def bits(i: int) -> tuple[int, bool]:
        """How many bits a factor has before its extension, and whether the top one counts negative."""
        n = b.node(i)
        return (b.width(n.args[0]), n.op == "sext") if n.op in ("zext", "sext") else (n.width, False)

    if bits(x)[0] < bits(y)[0]:
        x, y = y, x
    width, (count, negative) = b.width(x), bits(y)
    total, zero = b.const(0, width), b.const(0, width)
    for k in range(count):
        row = b.select(b.extract(y, k, 1), b.binary("shl", x, b.const(k, width)), zero)
        total = b.binary("sub" if negative and k == count - 1 else "add", total, row)
    return total


def multiply_by_constants(region: Region) -> Region:
    """Multiplications by constants of few signed digits become sums of shifted values."""

    def change(b: Builder, n: Node, args: list[int]) -> int | None:
        if n.op != "mul" or (c := b.constant(args[1])) is None:
            return None
        factors: tuple[tuple[int, int], ...] = ()
        digits = csd_digits(signed(c, n.width))
        if len(digits) > _MAX_DIGITS:
            found = shift_add_factors(c, n.width)
            if found is None:
                return None
            factors, digits = found
        value = args[0]
        for at, sign in factors:
            value = b.binary(
                "add" if sign > 0 else "sub", value, b.binary("shl", value, b.const(at, n.width))
            )
        total: int | None = None
        for at, digit in sorted(digits, key=lambda d: (-d[1], d[0])):
            term = b.binary("shl", value, b.const(at, n.width)) if at else value
            if total is None:
                total = term if digit > 0 else b.binary("sub", b.const(0, n.width), term)
            else:
                total = b.binary("add" if digit > 0 else "sub", total, term)
        return total

    return rebuild(region, change)


def balance_sums(region: Region) -> Region:
    """Chains of additions and subtractions of one width become trees, the late terms last."""
    nodes = region.by_id()
    uses: dict[int, int] = {}
    for n in region.nodes:
        for a in (*n.args, *(() if n.pred is None else (n.pred,))):
            uses[a] = uses.get(a, 0) + 1
    kept = [*region.liveouts.values(), *(c for c, _ in region.successors if c is not None)]
    for i in kept + ([] if region.exit is None else [region.exit]):
        uses[i] = uses.get(i, 0) + 2
    users = {a: n for n in region.nodes for a in n.args}  # the only one where uses is 1

    def is_sum(i: int) -> bool:
        return nodes[i].op in ("add", "sub")

    def inner(i: int) -> bool:
        """Part of a larger sum."""
        return is_sum(i) and uses.get(i, 0) == 1 and i in users and is_sum(users[i].id)

    roots = {n.id for n in region.nodes if is_sum(n.id) and not inner(n.id)}
    cones = _cones(region)
    loops = [(n.id, cones[n.args[1]]) for n in region.nodes if n.op == "phi"]
    b = Builder()
    new: dict[int, int] = {}
    depth: dict[int, int] = {}

    def terms_of(root: int) -> list[tuple[int, int]]:
        out: list[tuple[int, int]] = []
        work = [(root, 1)]
        while work:
            i, sign = work.pop()
            if i == root or inner(i):
                x, y = nodes[i].args
                work += [(y, sign if nodes[i].op == "add" else -sign), (x, sign)]
            else:
                out.append((i, sign))
        return out

    def late(term: int, root: int) -> bool:
        return any(cones[term] >> p & 1 and nxt >> root & 1 for p, nxt in loops)

    phis = []
    for n in region.nodes:
        b.loc = n.loc
        if n.op == "phi":
            new[n.id] = b.phi(new[n.args[0]], n.name)
            phis.append(n)
            depth[n.id] = 0
            continue
        terms = terms_of(n.id) if n.id in roots else []
        if len(terms) < 3:
            pred = None if n.pred is None else new[n.pred]
            new[n.id] = b.copy(n, [new[a] for a in n.args], pred)
            base = max((depth.get(a, 0) for a in n.args), default=0)
            depth[n.id] = base + (0 if n.op in ("zext", "sext", "trunc", "concat", "extract") else 1)
            continue
        heap = [
            (_LATE if late(i, n.id) else depth[i], k, new[i], sign) for k, (i, sign) in enumerate(terms)
        ]
        heapify(heap)
        count = len(heap)
        while len(heap) > 1:
            d1, _, x, s1 = heappop(heap)
            d2, _, y, s2 = heappop(heap)
            if s1 == s2:
                got, sign = b.binary("add", x, y), s1
            else:
                got, sign = (b.binary("sub", x, y) if s1 > 0 else b.binary("sub", y, x)), 1
            heappush(heap, (max(d1, d2) + 1, count, got, sign))
            count += 1
        d, _, got, sign = heap[0]
        new[n.id] = b.name(got if sign > 0 else b.binary("sub", b.const(0, n.width), got), n.name)
        depth[n.id] = d % _LATE
    for n in phis:
        b.close(new[n.id], new[n.args[1]])
    return dead_code(
        replace(
            region,
            nodes=tuple(b.nodes),
            exit=None if region.exit is None else new[region.exit],
            liveouts={v: new[i] for v, i in region.liveouts.items()},
            successors=tuple((None if c is None else new[c], t) for c, t in region.successors),
        )
    )


def _cones(region: Region) -> dict[int, int]:
    """Per node, the nodes it is computed from within one iteration, itself included, as a bit mask.

    Conditions count too: a select whose condition comes from a phi depends on it.
    """
    cones: dict[int, int] = {}
    for n in region.nodes:
        mask = 1 << n.id
        if n.op != "phi":
            for a in n.args:
                mask |= 0 if n.op == "select" and a == n.args[0] else cones[a]
        if n.op in COMPARE:
            mask = 1 << n.id  # a comparison ends what is added up
        cones[n.id] = mask
    return cones
