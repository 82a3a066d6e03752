# SPDX-License-Identifier: Apache-2.0
"""memset and memcpy on arrays → loops of fills and element copies.

clang turns the initialisers of arrays (`int a[64] = {0}`) into these.  Filling a whole array takes as
many iterations as its deepest bank has words: all banks are written in every iteration.
"""

from __future__ import annotations

from dataclasses import replace

from hlsc.errors import SourceError
from hlsc.middle.llvmtypes import (
    Access,
    Block,
    Function,
    Instr,
    IntConst,
    IntType,
    Local,
    OtherType,
    Term,
    Value,
)
from hlsc.middle.memories import MemoryMap

__all__ = ["expand_memory_calls", "is_memory_call"]

_I32 = IntType(32)
_VOID = OtherType("void")
_UNROLL = 64  # elements that are copied one by one without a loop


def is_memory_call(i: Instr) -> bool:
    """Whether the (address-resolved) instruction fills or copies a piece of an array."""
    return i.op in ("memset", "memcpy")


def expand_memory_calls(function: Function, memories: MemoryMap) -> Function:
    """The function with loops in place of memset and memcpy; the memories must be planned already."""
    blocks: list[Block] = []
    renamed: dict[str, str] = {}  # block → the piece that now ends it
    for b in function.blocks:
        name, body = b.name, list[Instr]()
        for n, i in enumerate(b.instrs):
            if not is_memory_call(i):
                body.append(i)
                continue
            count, make = _plan(i, memories, f"{b.name}.{n}")
            if count == 0:
                continue
            if count == 1:
                body += make(IntConst(0, 32), "")
                continue
            loop, after = f"{b.name}.{i.op}{n}", f"{b.name}.after{n}"
            c, up, end = f"{loop}.i", f"{loop}.next", f"{loop}.end"
            blocks.append(Block(name, (*body, Instr("br", "", _VOID, labels=(loop,), loc=i.loc))))
            blocks.append(
                Block(
                    loop,
                    (
                        Instr(
                            "phi", c, _I32, (IntConst(0, 32), Local(up)), labels=(name, loop), loc=i.loc
                        ),
                        *make(Local(c), loop),
                        _binary("add", up, Local(c), IntConst(1, 32), i),
                        replace(
                            _binary("icmp", end, Local(c), IntConst(count - 1, 32), i),
                            type=IntType(1),
                            predicate="eq",
                        ),
                        Instr(
                            "br",
                            "",
                            _VOID,
                            (Local(end),),
                            (IntType(1),),
                            labels=(after, loop),
                            loc=i.loc,
                        ),
                    ),
                )
            )
            name, body = after, []
        blocks.append(Block(name, tuple(body)))
        renamed[b.name] = name
    if len(blocks) == len(function.blocks):
        return replace(function, blocks=tuple(blocks))
    # New loops keep their own labels; everything else names the piece that now ends the block.
    originals = {b.name for b in function.blocks}

    def fix(b: Block) -> Block:
        if b.name not in originals:
            return b
        return Block(
            b.name,
            tuple(
                replace(i, labels=tuple(renamed.get(x, x) for x in i.labels)) if i.op == "phi" else i
                for i in b.instrs
            ),
        )

    return replace(function, blocks=tuple(fix(b) for b in blocks))


def _binary(op: str, name: str, a: Value, b: Value, i: Instr) -> Instr:
    return Instr(op, name, _I32, (a, b), (_I32, _I32), loc=i.loc)


def _plan(i: Instr, memories: MemoryMap, tag: str):  # type: ignore[no-untyped-def]
    """How many iterations, and what one does with the counter."""
    assert i.access is not None
    length = i.args[1] if i.op == "memset" else i.args[0]
    array = i.access.array
    if not isinstance(length, IntConst):
        raise SourceError(
            f"the length of a block operation on {array[1:]} must be constant",
            i.loc,
            "write it as a loop",
        )
    plans = memories.plans_of(array)
    whole = memories.size(array) == length.value and not i.access.offset and not i.access.terms
    if i.op == "memset" and whole:
        fill = i.args[0]
        if not isinstance(fill, IntConst):
            raise SourceError(
                f"{array[1:]} must be filled with a constant", i.loc, "write it as a loop"
            )
        return max((p.depth for p in plans), default=0), lambda c, loop: [
            Instr("fill", "", _I32, (c, fill), (_I32, IntType(8)), access=i.access, loc=i.loc)
        ]
    if not plans:
        return 0, lambda c, loop: []
    bits = {p.leaf.bits for p in plans}
    if len(bits) != 1 or length.value % (step := -(-bits.copy().pop() // 8)):
        raise SourceError(
            f"block operations on part of {array[1:]} must cover whole elements of one type",
            i.loc,
            "write it as a loop",
        )
    count = length.value // step
    t = IntType(bits.pop())
    target, source = i.access, i.source

    def element(c: Value, name: str) -> list[Instr]:
        here = _at(target, step, c)
        data: Value
        out: list[Instr] = []
        if source is None:
            fill = i.args[0]
            assert isinstance(fill, IntConst)
            data = IntConst(int.from_bytes(bytes([fill.value]) * step, "little"), t.bits)
        else:
            there = _at(source, step, c)
            out.append(
                Instr(
                    "load", name, t, tuple(Local(x.value) for x in there.terms), access=there, loc=i.loc
                )
            )
            data = Local(name)
        args = (data, *(Local(x.value) for x in here.terms))
        return [*out, Instr("store", "", t, args, access=here, loc=i.loc)]

    if count <= _UNROLL:
        return 1, lambda c, loop: [
            x for k in range(count) for x in element(IntConst(k, 32), f"{tag}.copy{k}")
        ]
    for p in plans + ([] if source is None else memories.plans_of(source.array)):
        if any(s.factor > 1 for s in p.splits):
            raise SourceError(
                f"the partitioned array {p.name} must be filled and copied by a loop",
                i.loc,
                "write the loop",
            )
    return count, lambda c, loop: element(c, f"{loop}.copy")


def _at(a: Access, step: int, c: Value) -> Access:
    if isinstance(c, IntConst):
        return replace(a, offset=a.offset + step * c.value)
    assert isinstance(c, Local)
    return replace(a, terms=(*a.terms, Term(step, c.name, 32, False)))
