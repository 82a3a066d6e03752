# SPDX-License-Identifier: Apache-2.0
"""Every address as base + byte constant + Σ coefficient · integer value.

GEP chains are walked down to an alloca, a global table or a pointer parameter; index arithmetic is
walked through zext, sext, add, sub, mul, shl and `or disjoint` as far as it is exact.  Afterwards the
function has no pointer arithmetic: loads, stores and stream calls carry an `Access`, whose integer
terms are ordinary operands of the instruction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hlsc.errors import SourceError
from hlsc.ir import Loc
from hlsc.middle.bits import signed
from hlsc.middle.elements import Leaf, leaves_of
from hlsc.middle.llvmtypes import (
    Access,
    ArrayType,
    Block,
    ConstGep,
    Function,
    GlobalRef,
    Instr,
    IntConst,
    IntType,
    Local,
    StructType,
    Term,
    Type,
    Undef,
    Value,
    field_offset,
    size_of,
)

__all__ = ["resolve_addresses"]

_MASK = (1 << 64) - 1
_BLOCK = ("llvm.memset.", "llvm.memcpy.", "llvm.memmove.")
_IGNORED = ("llvm.lifetime.", "llvm.dbg.", "llvm.assume", "llvm.donothing", "llvm.experimental.noalias")


@dataclass(frozen=True)
class _Choice:
    """A pointer that is one of two, by a condition."""

    cond: Value
    if_one: _Pointer
    if_zero: _Pointer


_Pointer = Access | _Choice | None  # None: undefined


class _Resolver:
    def __init__(self, function: Function) -> None:
        self.function = function
        self.defs = {i.name: i for b in function.blocks for i in b.instrs if i.name}
        self.params = dict(function.params)
        self.memo: dict[str, _Pointer] = {}
        self.open: set[str] = set()  # phis whose ways are being looked at
        self.joins: dict[str, list[Instr]] = {}

    # Pointers ---------------------------------------------------------------

    def pointer(self, v: Value, loc: Loc | None) -> _Pointer:
        if isinstance(v, GlobalRef):
            return Access("@" + v.name)
        if isinstance(v, ConstGep):
            return Access("@" + v.base, v.offset)
        if isinstance(v, Undef):
            return None
        assert isinstance(v, Local), v
        if v.name in self.params:
            return Access("%" + v.name)
        if v.name not in self.memo:
            self.memo[v.name] = self._instruction(self.defs[v.name])
        return self.memo[v.name]

    def _instruction(self, i: Instr) -> _Pointer:
        if i.op == "alloca":
            return Access("%" + i.name)
        if i.op == "getelementptr":
            return self._shift(self.pointer(i.args[0], i.loc), i)
        if i.op == "freeze":
            return self.pointer(i.args[0], i.loc)
        if i.op == "select":
            a, b = (self.pointer(x, i.loc) for x in i.args[1:])
            if a is None or b is None or a == b:
                return a if b is None else b
            return _Choice(i.args[0], a, b)
        if i.op == "phi":
            return self._joined(i)
        raise SourceError(
            f"a pointer must come from an array of this function, not from `{i.op}`",
            i.loc,
            "pass arrays and streams by reference and index them",
        )

    def _joined(self, i: Instr) -> _Pointer:
        """An address that branches chose: a choice among theirs, with what they put into them.

        LLVM makes such addresses of `if (c) x = a[j]; else x = b[k];`.  The phis of the conditions and
        of the indices go into `joins`.
        """
        if i.name in self.open:
            raise SourceError(
                "a pointer must not change from one pass of control flow to another",
                i.loc,
                "index the array instead of moving a pointer through it",
            )
        self.open.add(i.name)
        ways = [self.pointer(x, i.loc) for x in i.args]
        new = self.joins[i.name] = []

        def phi(bits: int, values: Sequence[Value]) -> Local:
            name, t = f"{i.name}.{len(new)}", IntType(bits)
            types = (t,) * len(values)
            new.append(Instr("phi", name, t, tuple(values), types, labels=i.labels, loc=i.loc))
            return Local(name)

        def brought(p: _Pointer, mine: Sequence[bool]) -> _Pointer:
            """An address with the values that come along its own ways; along others none matters."""

            def value(v: Value, bits: int) -> Local:
                return phi(bits, [v if own else Undef() for own in mine])

            if isinstance(p, _Choice):
                one, zero = (brought(x, mine) for x in (p.if_one, p.if_zero))
                return _Choice(value(p.cond, 1), one, zero)
            if p is None or not p.terms:
                return p
            terms = ((t, value(Local(t.value), t.bits)) for t in p.terms)
            return replace(p, terms=tuple(replace(t, value=v.name) for t, v in terms))

        first, *others = dict.fromkeys(p for p in ways if p is not None)
        if not others:
            return first
        result = brought(first, [w == first for w in ways])
        for p in others:
            mine = [w == p for w in ways]
            result = _Choice(phi(1, [IntConst(own, 1) for own in mine]), brought(p, mine), result)
        return result

    def _shift(self, base: _Pointer, gep: Instr) -> _Pointer:
        if base is None:
            return None
        if isinstance(base, _Choice):
            a, b = self._shift(base.if_one, gep), self._shift(base.if_zero, gep)
            return _Choice(base.cond, a, b)
        offset = base.offset
        known = list(base.known)
        terms = {(t.value, t.bits, t.sign, t.stride): t.coef for t in base.terms}
        t: Type = gep.source_type or IntType(8)
        stride = size_of(t)
        for n, (index, it) in enumerate(zip(gep.args[1:], gep.arg_types[1:], strict=True)):
            if n and isinstance(t, StructType):
                assert isinstance(index, IntConst)
                offset += field_offset(t, index.value)
                t = t.fields[index.value]
                continue
            if n:
                assert isinstance(t, ArrayType), gep
                t = t.element
                stride = size_of(t)
            assert isinstance(it, IntType)
            c, more = self.linear(index, it.bits, True, wrap=it.bits == 64)
            offset += c * stride
            if more and c:
                known.append((stride, c * stride))
            for key, coef in more.items():
                at = (*key, stride)
                terms[at] = terms.get(at, 0) + coef * stride
        parts = tuple(Term(signed(c & _MASK, 64), *k) for k, c in terms.items() if c & _MASK)
        return Access(base.array, signed(offset & _MASK, 64), parts, tuple(known))

    def target(self, v: Value, loc: Loc | None) -> _Pointer:
        """The address of an access, `s.a` and `s.b` by a condition told apart (`_Choice`)."""
        return self._members(self.pointer(v, loc))

    def _members(self, p: _Pointer) -> _Pointer:
        """LLVM writes a choice of members as one address with a chosen byte offset; as an index of the
        first member it would leave it."""
        if isinstance(p, _Choice):
            return replace(p, if_one=self._members(p.if_one), if_zero=self._members(p.if_zero))
        array = None if p is None else self.defs.get(p.array[1:])
        if p is None or array is None or array.source_type is None:
            return p
        leaves = leaves_of(array.source_type)
        for t in p.terms if len(leaves) > 1 else ():
            moved = p.offset + t.coef
            if t.bits == t.stride == 1 and _leaf_at(leaves, p.offset) is not _leaf_at(leaves, moved):
                rest = replace(p, terms=tuple(x for x in p.terms if x is not t))
                one, zero = self._members(replace(rest, offset=moved)), self._members(rest)
                return _Choice(Local(t.value), one, zero)
        return p

    # Index arithmetic ---------------------------------------------------------------

    def linear(
        self, v: Value, bits: int, sign: bool, wrap: bool
    ) -> tuple[int, dict[tuple[str, int, bool], int]]:
        """`v` of `bits` bits, read as signed or not, as constant and coefficients per leaf.

        `wrap`: the sum is taken modulo 2**bits anyway, so that overflow inside does not matter.
        """
        if isinstance(v, IntConst):
            return signed(v.value, bits) if sign else v.value, {}
        if isinstance(v, Undef):
            return 0, {}
        assert isinstance(v, Local), v
        leaf = (0, {(v.name, bits, sign): 1})
        i = self.defs.get(v.name)
        if i is None:
            return leaf
        exact = wrap or (("nsw" if sign else "nuw") in i.flags)
        if i.op in ("zext", "sext") and isinstance(t := i.arg_types[0], IntType):
            inner = i.args[0]
            if i.op == "sext":
                return self.linear(inner, t.bits, True, False) if sign or wrap else leaf
            if "nneg" in i.flags:  # both readings are equal: take the one that its operand keeps exact
                d = self.defs.get(inner.name) if isinstance(inner, Local) else None
                if d is not None and "nsw" in d.flags and "nuw" not in d.flags:
                    return self.linear(inner, t.bits, True, False)
            return self.linear(inner, t.bits, False, False)
        if i.op == "freeze":
            return self.linear(i.args[0], bits, sign, wrap)
        if (i.op in ("add", "sub") and exact) or (i.op == "or" and "disjoint" in i.flags):
            s = -1 if i.op == "sub" else 1
            ca, ta = self.linear(i.args[0], bits, sign, wrap)
            cb, tb = self.linear(i.args[1], bits, sign, wrap)
            terms = dict(ta)
            for k, c in tb.items():
                terms[k] = terms.get(k, 0) + s * c
            return ca + s * cb, terms
        if i.op == "select" and isinstance(i.args[0], Local):
            # SROA multiplies an index of 0 or 1 out: the byte offset is 0 or a stride, behind a member.
            one, zero = i.args[1:]
            if isinstance(one, IntConst) and isinstance(zero, IntConst):
                a, b = (signed(x.value, bits) if sign else x.value for x in (one, zero))
                return b, {(i.args[0].name, 1, False): a - b}
        factor = i.args[1] if len(i.args) == 2 else None
        if i.op in ("mul", "shl") and exact and isinstance(factor, IntConst):
            f = (
                1 << factor.value
                if i.op == "shl"
                else signed(factor.value, bits)
                if sign
                else factor.value
            )
            ca, ta = self.linear(i.args[0], bits, sign, wrap)
            return ca * f, {k: c * f for k, c in ta.items()}
        return leaf


def _leaf_at(leaves: Sequence[Leaf], offset: int) -> Leaf | None:
    """The member of which an element begins at an offset."""
    for leaf in leaves:
        left = offset - leaf.offset
        for extent, stride in leaf.dims:
            if not 0 <= left < extent * stride:
                break
            left %= stride
        else:
            if left == 0:
                return leaf
    return None


def resolve_addresses(function: Function) -> Function:
    """The function with `Access`es in place of pointers; no getelementptr or alloca remains."""
    r = _Resolver(function)
    blocks = []
    for b in function.blocks:
        out: list[Instr] = []
        for i in b.instrs:
            if i.op in ("getelementptr", "alloca") or (i.name and str(i.type) == "ptr"):
                if i.op == "phi":
                    r.pointer(Local(i.name), i.loc)
                    out.extend(r.joins[i.name])
                continue
            if i.op == "call" and i.callee.startswith(_IGNORED):
                continue
            if i.op == "load":
                out.extend(_load(i, r.target(i.args[0], i.loc), i.name))
            elif i.op == "store":
                out.extend(_store(i, r.target(i.args[1], i.loc), (), i.args[0]))
            elif i.op == "call" and i.callee.startswith(_BLOCK):
                out.append(_block(i, r))
            elif i.op == "call" and i.args and str(i.arg_types[0]) == "ptr":
                out.append(_call(i, r.pointer(i.args[0], i.loc)))
            else:
                out.append(i)
        blocks.append(Block(b.name, tuple(out)))
    return replace(function, blocks=tuple(blocks))


def _operands(a: Access) -> tuple[Value, ...]:
    return tuple(Local(t.value) for t in a.terms)


def _load(i: Instr, p: _Pointer, name: str) -> list[Instr]:
    if isinstance(p, _Choice):
        one, zero = f"{name}.one", f"{name}.zero"
        return [
            *_load(i, p.if_one, one),
            *_load(i, p.if_zero, zero),
            Instr(
                "select",
                name,
                i.type,
                (p.cond, Local(one), Local(zero)),
                (IntType(1), i.type, i.type),
                loc=i.loc,
            ),
        ]
    if p is None:
        return [Instr("freeze", name, i.type, (Undef(),), (i.type,), loc=i.loc)]
    return [replace(i, name=name, args=_operands(p), arg_types=(), access=p)]


def _store(i: Instr, p: _Pointer, guards: tuple[tuple[Value, bool], ...], data: Value) -> list[Instr]:
    if isinstance(p, _Choice):
        return [
            *_store(i, p.if_one, (*guards, (p.cond, True)), data),
            *_store(i, p.if_zero, (*guards, (p.cond, False)), data),
        ]
    if p is None:
        return []
    args = (data, *_operands(p), *(v for v, _ in guards))
    return [replace(i, args=args, arg_types=(), access=p, guards=guards)]


def _call(i: Instr, p: _Pointer) -> Instr:
    if isinstance(p, Access):
        return replace(i, args=(*i.args[1:], *_operands(p)), arg_types=i.arg_types[1:], access=p)
    raise SourceError(
        "a stream must be chosen at compile time, not by a condition",
        i.loc,
        "write one call per stream under if and else",
    )


def _block(i: Instr, r: _Resolver) -> Instr:
    """memset(access; value, length) or memcpy(access, source; length)."""
    to = r.pointer(i.args[0], i.loc)
    if "memset" in i.callee:
        if isinstance(to, Access):
            return replace(i, op="memset", args=(*i.args[1:3], *_operands(to)), arg_types=(), access=to)
    else:
        source = r.pointer(i.args[1], i.loc)
        if isinstance(to, Access) and isinstance(source, Access):
            args = (i.args[2], *_operands(to), *_operands(source))
            return replace(i, op="memcpy", args=args, arg_types=(), access=to, source=source)
    raise SourceError(
        "an array must be copied from one known place to another", i.loc, "write it as a loop"
    )
