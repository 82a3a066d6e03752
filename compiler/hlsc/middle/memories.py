# SPDX-License-Identifier: Apache-2.0
"""Arrays → memories: leaves, dimensions, banks.

An array of structs is one memory per member ("leaf").  Each access is split into one index per
dimension of its leaf; dimensions that are partitioned, or only ever indexed by constants, become
separate banks, the others one linear address.  A bank that is known at compile time costs nothing; one
that is not is selected by the index.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod

from hlsc.errors import SourceError
from hlsc.frontend.program import ArrayFacts, Between
from hlsc.ir import Loc, Memory, Port, Region
from hlsc.middle.elements import Bounds, Index, Leaf, indices, leaves_of
from hlsc.middle.graph import Builder
from hlsc.middle.llvmtypes import (
    Access,
    AggregateConst,
    ArrayType,
    Instr,
    IntConst,
    IntType,
    StructType,
    Term,
    Type,
    Undef,
    Value,
    field_offset,
    size_of,
)

__all__ = ["ArrayInfo", "Index", "Leaf", "MemoryMap", "Plan", "access_size", "with_ports"]

ArrayInfo = tuple[Type, Value | None, Loc | None]
"""Type, initial value (constant tables) and place of an array."""


@dataclass(frozen=True)
class Split:
    """How one dimension is cut: `kind` none, complete, cyclic, block or half; `factor` banks."""

    extent: int
    kind: str = "none"
    factor: int = 1

    @property
    def inner(self) -> int:
        return -(-self.extent // self.factor)


@dataclass(frozen=True)
class Choice:
    """One dimension of an access: the banks possible, the node that tells which (None: only one is
    possible) and the index inside the bank."""

    banks: tuple[int, ...]
    which: int | None
    inside: int


@dataclass
class Plan:
    """One leaf of one array, and the banks that it became."""

    name: str
    leaf: Leaf
    splits: tuple[Split, ...]
    style: str
    loc: Loc | None = None
    init: dict[tuple[int, ...], int] | None = None  # by indices; missing entries are 0
    banks: dict[tuple[int, ...], str] = field(default_factory=dict)
    ports: str = "1r1w"
    between: str = ""  # what processes that share it call it
    halves: int = 1  # 2: the first dimension tells the half

    @property
    def half(self) -> int:
        """Words from one half to the other: its bit of the address stands above all others."""
        inner = prod(s.inner for s in self.splits[1:])
        return 1 << (inner - 1).bit_length() if self.halves > 1 else 0

    @property
    def depth(self) -> int:
        inner = prod(s.inner for s in self.splits if s.kind != "half")
        return self.half + inner

    def bank_name(self, bank: tuple[int, ...]) -> str:
        cut = [str(b) for b, s in zip(bank, self.splits, strict=True) if s.factor > 1]
        return "_".join([self.name, *cut])

    def shared_name(self, bank: tuple[int, ...]) -> str:
        """What both processes call a bank; no other array's can have that name."""
        cut = [str(b) for b, s in zip(bank, self.splits, strict=True) if s.factor > 1]
        path = [self.leaf.path[1:]] if self.leaf.path else []
        return "_".join([self.between, *(["", *path, *cut] if path or cut else [])])


def _flat_init(t: Type, v: Value | None, prefix: tuple[int, ...], out: dict[int, int], at: int) -> None:
    """Initial values by byte offset."""
    if v is None or isinstance(v, Undef) or (isinstance(v, AggregateConst) and v.elements is None):
        return
    if isinstance(v, IntConst):
        out[at] = v.value
    elif isinstance(v, AggregateConst) and v.elements is not None:
        for n, e in enumerate(v.elements):
            if isinstance(t, ArrayType):
                _flat_init(t.element, e, prefix, out, at + n * size_of(t.element))
            elif isinstance(t, StructType):
                _flat_init(t.fields[n], e, prefix, out, at + field_offset(t, n))


class MemoryMap:
    """The arrays of one process function.

    First `note` every access, then `plan`; afterwards `load` and `store` make nodes.
    """

    def __init__(
        self,
        arrays: Mapping[str, ArrayInfo],
        bounds: Bounds | None = None,
        external: Mapping[str, Port] | None = None,
        between: Mapping[str, Between] | None = None,
    ) -> None:
        """`arrays`: by name with % or @; `external`: those that lie behind a port, and the port;
        `between`: those that two processes share."""
        self.arrays = dict(arrays)
        self.external = dict(external or {})
        self.between = dict(between or {})
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
            p = Plan(
                unique(array[1:] + path), leaf, splits, fact.style, fact.loc or loc, ports=fact.ports
            )
            if shared is not None:
                p.between, p.halves = shared.name, shared.halves
            if array.startswith("@"):
                flat: dict[int, int] = {}
                _flat_init(t, init, (), flat, 0)
                p.init = {}
                for idx in product(*(range(e) for e, _ in leaf.dims)):
                    at = leaf.offset + sum(i * s for i, (_, s) in zip(idx, leaf.dims, strict=True))
                    if flat.get(at):
                        p.init[idx] = flat[at]
            self.plans[array, path] = p

    def _split(
        self, d: int, extent: int, fact: ArrayFacts, constant: bool, array: str, loc: Loc | None
    ) -> Split:
        shared = self.between.get(array)
        if shared is not None:  # its processes must cut it alike; the first dimension is not declared
            constant = False
            d -= 1
            if d < 0:
                return Split(extent, "half")
        # A reshaped dimension becomes banks too: the same words per cycle, in memories side by side.
        none = fact.reshape.get(d + 1, fact.reshape.get(0, ("none", 1)))
        kind, factor = fact.partition.get(d + 1, fact.partition.get(0, none))
        if array in self.external:
            return Split(extent)
        if constant and kind != "complete":
            kind = "complete"
        if kind == "complete" or (kind != "none" and factor >= extent):
            return Split(extent, "complete", extent)
        if kind in ("cyclic", "block"):
            return Split(extent, kind, max(1, factor))
        return Split(extent)

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
                init = self._rom(p, bank)
                where = p.shared_name(bank) if p.between else port.name if port else None
                m = Memory(name, p.leaf.bits, p.depth, style, init, p.loc, p.ports, where)
                out.append(m)
        return out

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

    def _rom(self, p: Plan, bank: tuple[int, ...]) -> tuple[int, ...] | None:
        if p.init is None:
            return None
        words = [0] * p.depth
        for idx, value in p.init.items():
            at = 0
            for i, s, b in zip(idx, p.splits, bank, strict=True):
                which, inner = (
                    (i % s.factor, i // s.factor) if s.kind != "block" else divmod(i, s.inner)
                )
                if which != b:
                    break
                at = at * s.inner + inner
            else:
                words[at] = value
        return tuple(words)

    def bank(self, p: Plan, bank: tuple[int, ...]) -> str:
        if bank not in p.banks:
            p.banks[bank] = p.bank_name(bank)
        return p.banks[bank]

    def places(
        self, b: Builder, a: Access, size: int, value: Callable[[Term], int], loc: Loc | None
    ) -> list[tuple[Plan, list[Choice]]]:
        """Per leaf covered: its plan and, per dimension, the banks possible."""
        out = []
        for leaf, index in self.locate(a, size, loc):
            p = self.plans[a.array, leaf.path]
            out.append((p, self._choices(b, p, index, value)))
        return out

    def combinations(
        self, b: Builder, p: Plan, dims: list[Choice]
    ) -> list[tuple[int | None, str, int]]:
        """Every bank possible: (condition or None, memory, address)."""
        out: list[tuple[int | None, str, int]] = []
        for combo in product(*(d.banks for d in dims)):
            conds = [
                b.binary("eq", d.which, b.const(k, b.width(d.which)))
                for k, d in zip(combo, dims, strict=True)
                if d.which is not None
            ]
            out.append(
                (b.all_(conds) if conds else None, self.bank(p, combo), self.address(b, p, dims))
            )
        return out

    def address(self, b: Builder, p: Plan, dims: list[Choice]) -> int:
        """The address inside a bank: the dimensions' inner indices, row by row."""
        aw = max(1, (p.depth - 1).bit_length())
        address = b.const(0, aw)
        for d, s in zip(dims, p.splits, strict=True):
            if s.kind == "half":
                continue
            address = b.binary("add", b.binary("mul", address, b.const(s.inner, aw)), d.inside)
        if p.halves > 1:
            low = p.half.bit_length() - 1
            parts = [b.trunc(dims[0].inside, 1), *([b.trunc(address, low)] if low else [])]
            address = b.concat(parts)
        return address

    def word(
        self,
        b: Builder,
        p: Plan,
        dims: list[Choice],
        load: Callable[[str, int], int],
        done: tuple[int, ...] = (),
    ) -> int:
        """The value loaded: banks not known at compile time are chosen by the bits of the index."""
        if len(done) == len(dims):
            return load(self.bank(p, done), self.address(b, p, dims))
        d = dims[len(done)]
        words = {k: self.word(b, p, dims, load, (*done, k)) for k in d.banks}
        if d.which is None:
            return words[d.banks[0]]
        return _mux(b, d.which, b.width(d.which) - 1, 0, words)

    def _choices(
        self,
        b: Builder,
        p: Plan,
        index: tuple[Index, ...],
        value: Callable[[Term], int],
    ) -> list[Choice]:
        aw = max(1, (p.depth - 1).bit_length())

        def total(i: Index, bits: int) -> int:
            """The index modulo 2**bits."""
            t = b.const(i.const, bits)
            for term in i.terms:
                x = b.resize(value(term), bits, term.sign)
                t = b.binary("add", t, b.binary("mul", x, b.const(term.coef, bits)))
            return t

        choices: list[Choice] = []
        for i, s in zip(index, p.splits, strict=True):
            if s.kind in ("none", "half"):
                choices.append(Choice((0,), None, total(i, aw)))
                continue
            if not i.terms:
                const = i.const % s.extent  # one outside can only stand under a false condition
                inner, which = divmod(const, s.factor)
                if s.kind == "block":
                    which, inner = divmod(const, s.inner)
                choices.append(Choice((which,), None, b.const(inner, aw)))
                continue
            if s.kind == "cyclic" and all(t.coef % s.factor == 0 for t in i.terms):
                inside = Index(
                    i.const // s.factor,
                    tuple(Term(t.coef // s.factor, t.value, t.bits, t.sign) for t in i.terms),
                )
                choices.append(Choice((i.const % s.factor,), None, total(inside, aw)))
                continue
            bits = max(1, (s.extent - 1).bit_length())
            whole = total(i, bits)
            fb = b.const(s.factor, bits) if s.factor < 1 << bits else None
            if s.kind == "complete":
                which_node, inside_node = whole, b.const(0, aw)
            elif s.kind == "cyclic":
                assert fb is not None
                which_node, inside_node = b.binary("urem", whole, fb), b.binary("udiv", whole, fb)
            else:
                size = b.const(s.inner, bits)
                which_node, inside_node = b.binary("udiv", whole, size), b.binary("urem", whole, size)
            inside_node = b.resize(inside_node, aw)
            count = s.extent if s.kind == "complete" else s.factor
            residues = self._residues(i, count if s.kind == "cyclic" else 0)
            banks = tuple(k for k in range(count) if residues is None or k in residues)
            choices.append(Choice(banks, which_node if len(banks) > 1 else None, inside_node))
        return choices

    def _residues(self, i: Index, modulus: int) -> set[int] | None:
        """The residues that a sum can take when its coefficients share a factor with the modulus."""
        if modulus < 2:
            return None
        step = modulus
        for t in i.terms:
            while step and t.coef % step:
                step -= 1
                while modulus % step:
                    step -= 1
        return {r for r in range(modulus) if (r - i.const) % step == 0} if step > 1 else None


def _mux(b: Builder, which: int, bit: int, base: int, words: dict[int, int]) -> int:
    """words[which] as a tree of selects; `words` all have the bits above `bit` of `base`."""
    if len(words) == 1:
        return next(iter(words.values()))
    low = {k: v for k, v in words.items() if not k >> bit & 1}
    high = {k: v for k, v in words.items() if k >> bit & 1}
    if not low or not high:
        return _mux(b, which, bit - 1, base, words)
    one = _mux(b, which, bit - 1, base | 1 << bit, high)
    return b.select(b.extract(which, bit, 1), one, _mux(b, which, bit - 1, base, low))


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
