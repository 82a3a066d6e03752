# SPDX-License-Identifier: Apache-2.0
"""Arrays → memories: leaves, dimensions, banks.

An array of structs is one memory per member ("leaf").  Each access is split into one index per
dimension of its leaf; dimensions that are partitioned, or only ever indexed by constants, become
separate banks, the others one linear address (nodes of both: `hlsc.middle.bank_access`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from hlsc.errors import SourceError
from hlsc.frontend.llvmtext import plain_name
from hlsc.frontend.program import ArrayFacts, Between
from hlsc.ir import Loc, Memory, Port, Region
from hlsc.middle.bank_access import Choice, choices
from hlsc.middle.banks import Plan, initial_values
from hlsc.middle.elements import Bounds, Index, Leaf, indices, leaves_of
from hlsc.middle.graph import Builder
from hlsc.middle.llvmtypes import Access, Instr, IntType, Term, Type, Value, size_of
from hlsc.parts import Cut

__all__ = ["ArrayInfo", "MemoryMap", "access_size", "with_ports"]

ArrayInfo = tuple[Type, Value | None, Loc | None]
"""Type, initial value (constant tables, static variables) and place of an array."""


class MemoryMap:
    """The arrays of one process function.

    First `note` every access, then `plan`; afterwards `places` tells what an access touches.
    """

    def __init__(
        self,
        arrays: Mapping[str, ArrayInfo],
        bounds: Bounds | None = None,
        external: Mapping[str, Port] | None = None,
        between: Mapping[str, Between] | None = None,
        static: Collection[str] = (),
    ) -> None:
        """`arrays`: by name with % or @; `external`: those that lie behind a port, and the port;
        `between`: those that two processes share; `static`: those that keep
        their words between runs."""
        self.arrays = dict(arrays)
        self.external = dict(external or {})
        self.between = dict(between or {})
        self.static = frozenset(static)
        self.bounds = bounds
        self.leaves: dict[str, list[Leaf]] = {}
        self.constant_dims: dict[tuple[str, str], list[bool]] = {}
        self.plans: dict[tuple[str, str], Plan] = {}
        self.used: list[tuple[str, str]] = []
        for name, (t, _, loc) in self.arrays.items():
            try:
                self.leaves[name] = leaves_of(t)
            except ValueError as e:
                raise SourceError(
                    f"the array {name[1:]} must hold integers, not {e}", loc, "use ap_int or C integers"
                ) from e

    # Looking at accesses ---------------------------------------------------------------

    def widen_leaves(self, accesses: list[tuple[Access, int, Loc | None]]) -> None:
        """Leaves that are only used several at a time (wide integers kept as bytes) become one."""
        for name, leaves in self.leaves.items():
            sizes = {size for a, size, _ in accesses if a.array == name}
            if len(sizes) != 1 or len(leaves) != 1 or not leaves[0].dims:
                continue
            (size,) = sizes
            leaf = leaves[0]
            if (
                name in self.external
                or name in self.between
                or size * 8 <= leaf.bits
                or any(
                    a.offset % size or any(t.coef % size for t in a.terms)
                    for a, _, _ in accesses
                    if a.array == name
                )
            ):
                continue
            dims = list(leaf.dims)
            while dims and dims[-1][1] < size:
                extent, stride = dims.pop()
                if extent * stride > size and (extent * stride) % size == 0:
                    dims.append((extent * stride // size, size))
            self.leaves[name] = [Leaf(leaf.path, leaf.offset, size * 8, tuple(dims))]

    def locate(self, a: Access, size: int, loc: Loc | None) -> list[tuple[Leaf, tuple[Index, ...]]]:
        """The leaves that an access of `size` bytes covers, lowest address first."""
        found: list[tuple[Leaf, tuple[Index, ...]]] = []
        done = 0
        while done < size:
            leaf, index = self._leaf(a, done, loc)
            step = size_of(IntType(leaf.bits)) if a.array in self.external else -(-leaf.bits // 8)
            if step > size - done:
                raise SourceError(
                    f"the array {a.array[1:]} must be accessed by whole elements of {leaf.bits} bits, "
                    f"not by {size} bytes",
                    loc,
                    "do not reinterpret the array as another type",
                )
            found.append((leaf, index))
            done += step
        return found

    def _leaf(self, a: Access, skip: int, loc: Loc | None) -> tuple[Leaf, tuple[Index, ...]]:
        offset = a.offset + skip
        candidates: list[tuple[int, int, Leaf, tuple[Index, ...]]] = []
        for leaf in self.leaves[a.array]:
            got = indices(leaf, a, offset, self.bounds)
            if got is not None:
                candidates.append((got[1], len(candidates), leaf, got[0]))
        if not candidates:
            raise SourceError(
                f"the access to {a.array[1:]} must fall on one of its elements",
                loc,
                "do not reinterpret the array as another type",
            )
        _, _, leaf, index = min(candidates)
        return leaf, index

    def note(self, a: Access, size: int, loc: Loc | None) -> None:
        for leaf, index in self.locate(a, size, loc):
            key = (a.array, leaf.path)
            flags = self.constant_dims.setdefault(key, [True] * len(leaf.dims))
            if key not in self.used:
                self.used.append(key)
            for d, i in enumerate(index):
                if i.terms:
                    flags[d] = False

    def plan(self, facts: Mapping[str, ArrayFacts], unique: Callable[[str], str]) -> None:
        for array, path in self.used:
            (leaf,) = (x for x in self.leaves[array] if x.path == path)
            shared = self.between.get(array)
            fact = facts.get(array[1:], ArrayFacts()) if shared is None else shared.facts
            t, init, loc = self.arrays[array]
            splits = tuple(
                self._split(d, extent, fact, self.constant_dims[array, path][d], array, loc)
                for d, (extent, _) in enumerate(leaf.dims)
            )
            stem = plain_name(array[1:]) if array in self.static else array[1:]
            p = Plan(unique(stem + path), leaf, splits, fact.style, fact.loc or loc, ports=fact.ports)
            if shared is not None:
                p.between, p.halves = shared.name, shared.halves
            if array.startswith("@"):
                p.init = initial_values(t, init, leaf)
            self.plans[array, path] = p

    def _split(
        self, d: int, extent: int, fact: ArrayFacts, constant: bool, array: str, loc: Loc | None
    ) -> Cut:
        shared = self.between.get(array)
        if shared is not None:  # its processes must cut it alike; the first dimension is not declared
            constant = False
            d -= 1
            if d < 0:
                return Cut(extent, "half")
        if array in self.external:
            part = self.external[array].part
            return part.cuts[d] if part else Cut(extent)
        # A reshaped dimension becomes banks too: the same words per cycle, in memories side by side.
        cut = fact.cut(d, extent)
        return Cut(extent, "complete", extent) if constant else cut

    def plans_of(self, array: str) -> list[Plan]:
        """The plans of an array's members that are used."""
        return [p for (a, _), p in self.plans.items() if a == array]

    def size(self, array: str) -> int:
        """Bytes of the whole array."""
        return size_of(self.arrays[array][0])

    # Making nodes ---------------------------------------------------------------

    def memories(self) -> list[Memory]:
        out = []
        for (array, _), p in self.plans.items():
            port = self.external.get(array)
            style = p.style if port is None else "bram"
            for bank, name in sorted(p.banks.items()):
                words = p.words(bank)
                init, start = (None, words) if array in self.static else (words, None)
                where = p.shared_name(bank) if p.between else port.name if port else None
                m = Memory(name, p.leaf.bits, p.depth, style, init, p.loc, p.ports, where, start=start)
                out.append(m)
        return out

    def cut_arguments(self) -> list[tuple[Port, Plan]]:
        """The array arguments that are cut."""
        ports = ((self.external.get(array), p) for (array, _), p in self.plans.items())
        return [(port, p) for port, p in ports if port is not None and port.part is not None]

    def shared_banks(self) -> dict[str, tuple[Between, Plan]]:
        """The banks of arrays between processes, by the name that both know."""
        return {
            p.shared_name(bank): (self.between[array], p)
            for (array, _), p in self.plans.items()
            if p.between
            for bank in p.banks
        }

    def banks_of(self) -> dict[str, list[str]]:
        """C++ array name → names of the memories that it became (complete only after all regions)."""
        out = _Banks(self)
        return out

    def places(
        self, b: Builder, a: Access, size: int, value: Callable[[Term], int], loc: Loc | None
    ) -> list[tuple[Plan, list[Choice]]]:
        """Per leaf covered: its plan and, per dimension, the banks possible."""
        out = []
        for leaf, index in self.locate(a, size, loc):
            p = self.plans[a.array, leaf.path]
            out.append((p, choices(b, p, index, value, self.bounds)))
        return out


class _Banks(dict[str, list[str]]):
    """Names of an array's memories, looked up when asked, since banks appear as they are used."""

    def __init__(self, memories: MemoryMap) -> None:
        super().__init__()
        self.memories = memories

    def _names(self, array: str) -> list[str]:
        return [
            n
            for (a, _), p in self.memories.plans.items()
            if a[1:] == array
            for n in sorted(p.banks.values())
        ]

    def __contains__(self, array: object) -> bool:
        return any(a[1:] == array for a in self.memories.arrays)

    def __getitem__(self, array: str) -> list[str]:
        return self._names(array)

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(dict.fromkeys(a[1:] for a in self.memories.arrays))


def with_ports(memories: Iterable[Memory], regions: Iterable[Region]) -> tuple[Memory, ...]:
    """Memories outside get a second port where a region makes more than one access to them."""
    most: dict[str, int] = {}
    for r in regions:
        count = Counter(n.ref or "" for n in r.nodes if n.op in ("load", "store"))
        for name, k in count.items():
            most[name] = max(k, most.get(name, 0))
    return tuple(
        m if m.external is None else replace(m, ports="2rw" if most.get(m.name, 0) > 1 else "1rw")
        for m in memories
    )


def access_size(i: Instr) -> int:
    """Bytes that a load or store moves."""
    assert isinstance(i.type, IntType)
    return -(-i.type.bits // 8)
