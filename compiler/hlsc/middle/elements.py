# SPDX-License-Identifier: Apache-2.0
"""Byte addresses → elements: scalar members of an array, an access as one index per dimension."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hlsc.middle.llvmtypes import (
    Access,
    ArrayType,
    IntType,
    StructType,
    Term,
    Type,
    field_offset,
    size_of,
)

__all__ = ["Bounds", "Index", "Leaf", "indices", "leaves_of"]

Bounds = Callable[[Term], tuple[int, int]]
"""Least and greatest value of a term without its coefficient."""


@dataclass(frozen=True)
class Leaf:
    """One scalar member of an array: its bytes inside, and (extent, stride in bytes) per dimension."""

    path: str
    offset: int
    bits: int
    dims: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Index:
    """One dimension's index: constant + Σ coef · value."""

    const: int
    terms: tuple[Term, ...] = ()


def leaves_of(t: Type) -> list[Leaf]:
    """The scalar members of a type."""

    def walk(t: Type, path: str, offset: int, dims: tuple[tuple[int, int], ...]) -> list[Leaf]:
        if isinstance(t, IntType):
            return [Leaf(path, offset, t.bits, dims)]
        if isinstance(t, ArrayType):
            return walk(t.element, path, offset, (*dims, (t.count, size_of(t.element))))
        if isinstance(t, StructType):
            single = len(t.fields) == 1
            return [
                leaf
                for n, f in enumerate(t.fields)
                for leaf in walk(
                    f, path if single else f"{path}_{n}", offset + field_offset(t, n), dims
                )
            ]
        raise ValueError(str(t))

    found = walk(t, "", 0, ())
    if isinstance(t, StructType) and t.packed and len({leaf.bits for leaf in found}) == 1:
        size = size_of(IntType(found[0].bits))
        if size_of(t) % size == 0:
            # A table that clang took apart, a member per run of rows: one row of all its elements.
            return [Leaf("", 0, found[0].bits, ((size_of(t) // size, size),))]
    return found


def indices(
    leaf: Leaf, a: Access, offset: int, bounds: Bounds | None
) -> tuple[tuple[Index, ...], int] | None:
    """Per dimension constant and terms of an access at `offset` bytes, and how many of the constants
    lie outside their extents; None if no element of the leaf begins there.
    """
    strides = [s for _, s in leaf.dims]
    consts, parts = [0] * len(strides), [[] for _ in strides]  # type: list[int], list[list[Term]]
    left = offset - leaf.offset
    told = all(_within(t, leaf.dims) for t in a.terms) and all(s in strides for s, _ in a.known)
    for t in a.terms if told else ():
        parts[strides.index(t.stride)].append(_divided(t, t.stride))
    for stride, size in a.known if told else ():
        consts[strides.index(stride)] += size // stride
        left -= size
    rest = [] if told else list(a.terms)
    for d, stride in enumerate(strides):
        if d + 1 < len(strides):
            rest = [part for t in rest for part in _parted(t, stride)]
        parts[d] += [_divided(t, stride) for t in rest if t.coef % stride == 0]
        rest = [t for t in rest if t.coef % stride]
    if rest or left % (strides[-1] if strides else 1 << 62):
        return None
    outside = 0
    for d, (extent, stride) in enumerate(leaf.dims):
        q, r = divmod(left, stride)
        if not told and any(parts[d + 1 :]):
            q, r = _divide(leaf, d, left, parts, bounds)
        consts[d] += q
        left = r
        # Beside an index too: clang makes a member of each run of rows of a table.
        if not 0 <= (q if parts[d] else consts[d]) < extent:
            outside += 1
    return tuple(Index(c, tuple(p)) for c, p in zip(consts, parts, strict=True)), outside


def _divide(
    leaf: Leaf, d: int, left: int, parts: list[list[Term]], bounds: Bounds | None
) -> tuple[int, int]:
    """A byte offset as index of dimension d and rest, where inner dimensions have variable indices.

    The rest may be negative (`j - 1`).  The bounds of the inner indices decide; where they are not
    known the constant nearest to 0 is taken, as C++ indices stay inside their own dimension.
    """
    stride = leaf.dims[d][1]
    if bounds is not None:
        low = high = left
        for (_, inner), terms in zip(leaf.dims[d + 1 :], parts[d + 1 :], strict=True):
            for t in terms:
                ends = [x * t.coef * inner for x in bounds(t)]
                low, high = low + min(ends), high + max(ends)
        if low // stride == high // stride:
            return low // stride, left - low // stride * stride
    q, r = divmod(left, stride)
    extent, inner = leaf.dims[d + 1]
    return (q + 1, r - stride) if 2 * r > extent * inner else (q, r)


def _within(t: Term, dims: Sequence[tuple[int, int]]) -> bool:
    """Whether an index counts the elements of one dimension, without stepping over its end at once."""
    first = next((d for d, (_, stride) in enumerate(dims) if stride == t.stride), None)
    return first == 0 or (first is not None and abs(t.coef) < dims[first][0] * t.stride)


def _divided(t: Term, stride: int) -> Term:
    """A term in bytes as one in elements."""
    return Term(t.coef // stride, t.value, t.bits, t.sign)


def _parted(t: Term, stride: int) -> tuple[Term, ...]:
    """A term that steps over more than a row, but not over whole ones, indexes the row as well."""
    rows = (2 * t.coef + stride) // (2 * stride)
    if abs(t.coef) < stride or t.coef % stride == 0:
        return (t,)
    return replace(t, coef=rows * stride), replace(t, coef=t.coef - rows * stride)
