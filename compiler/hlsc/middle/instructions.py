# SPDX-License-Identifier: Apache-2.0
"""LLVM instructions → nodes of a region's graph, under the predicates of their blocks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from hlsc.errors import SourceError
from hlsc.middle import bank_access
from hlsc.middle.arithmetic import rows_of_adders
from hlsc.middle.cfg import Cfg
from hlsc.middle.graph import Builder
from hlsc.middle.intrinsics import call_value
from hlsc.middle.llvmtypes import (
    AggregateConst,
    Instr,
    IntConst,
    IntType,
    Local,
    Term,
    Undef,
    Value,
)
from hlsc.middle.memories import MemoryMap, access_size

__all__ = ["Environment", "Instructions"]


@dataclass
class Environment:
    """What a region needs to know of its process."""

    cfg: Cfg
    memories: MemoryMap
    parameters: dict[str, Callable[[Builder], int]]  # scalar parameters
    channel: Callable[[Instr], tuple[str, int]]  # stream call → channel name and width
    output: Callable[[Instr], tuple[str, int] | None]  # store to an output parameter → port and width
    variable: Callable[[str, int], str]  # SSA value kept between regions → variable's name
    widths: dict[str, int]  # bits of every SSA value


class Instructions:
    """Makes nodes in `b`; `val` has those of the SSA values so far, `pred` the predicates of blocks."""

    def __init__(self, env: Environment) -> None:
        self.env, self.cfg = env, env.cfg
        self.b = Builder()
        self.val: dict[str, int] = {}
        self.pred: dict[str, int] = {}

    def value(self, v: Value, loc: object = None, bits: int | None = None) -> int:
        """The node of an operand."""
        if isinstance(v, IntConst):
            return self.b.const(v.value, v.bits)
        if isinstance(v, Undef):
            assert bits is not None
            return self.b.const(0, bits)
        if isinstance(v, Local):
            if v.name in self.val:
                return self.val[v.name]
            if v.name in self.env.parameters:
                return self.env.parameters[v.name](self.b)
            bits = self.env.widths[v.name]
            return self.b.var(self.env.variable(v.name, bits), bits)
        raise SourceError(
            f"the operand {v} must be an integer", None, "do not take addresses of functions"
        )

    def term(self, t: Term) -> int:
        return self.value(Local(t.value), None, t.bits)

    def load(self, i: Instr) -> int:
        b = self.b
        assert i.access is not None and isinstance(i.type, IntType)
        if i.access.array not in self.env.memories.arrays:
            raise SourceError(
                f"the argument {i.access.array[1:]} must be a stream or a scalar to be read",
                i.loc,
                "pass arrays through streams",
            )
        parts = []
        memories = self.env.memories
        for plan, dims in memories.places(b, i.access, access_size(i), self.term, i.loc):

            def load(memory: str, address: int, width: int = plan.leaf.bits) -> int:
                return b.add("load", width, (address,), ref=memory, name=i.name)

            word = bank_access.word(b, plan, dims, load)
            if (port := memories.external.get(i.access.array)) is not None:
                word = b.resize(word, max(i.type.bits, port.width), port.signed)
            parts.append(word)
        return b.resize(b.concat(parts[::-1]), i.type.bits)

    def store(self, i: Instr, x: str) -> None:
        b = self.b
        assert i.access is not None and isinstance(i.type, IntType)
        data = self.value(i.args[0], i.loc, i.type.bits)
        pred = self.pred[x]
        for v, want in i.guards:
            c = self.value(v, i.loc, 1)
            pred = b.and_(pred, c if want else b.not_(c))
        port = self.env.output(i)
        if port is not None:
            b.add("out", 0, (b.resize(data, port[1]),), ref=port[0], pred=pred)
            return
        at = 0
        memories = self.env.memories
        for plan, dims in memories.places(b, i.access, access_size(i), self.term, i.loc):
            have = max(0, min(plan.leaf.bits, i.type.bits - at))
            word = b.resize(b.extract(data, at, have), plan.leaf.bits)
            at += plan.leaf.bits
            for cond, memory, address in bank_access.combinations(b, plan, dims):
                p = pred if cond is None else b.and_(pred, cond)
                b.add("store", 0, (address, word), ref=memory, pred=p)

    def fill(self, i: Instr, x: str) -> None:
        """Word `counter` of every bank of an array gets a repeated byte."""
        b = self.b
        assert i.access is not None and isinstance(i.args[1], IntConst)
        if i.access.array in self.env.memories.between:
            raise SourceError(
                f"the array {i.access.array[1:]} between processes must be filled by a loop", i.loc
            )
        counter = self.value(i.args[0], i.loc, 32)
        for plan in self.env.memories.plans_of(i.access.array):
            size = -(-plan.leaf.bits // 8)
            data = b.const(int.from_bytes(bytes([i.args[1].value]) * size, "little"), plan.leaf.bits)
            pred = b.and_(self.pred[x], b.binary("ult", counter, b.const(plan.depth, 32)))
            address = b.resize(counter, max(1, (plan.depth - 1).bit_length()))
            for bank in product(*(range(s.factor) for s in plan.splits)):
                b.add("store", 0, (address, data), ref=plan.bank(bank), pred=pred)

    def call(self, i: Instr, x: str) -> int | None:
        b = self.b
        if i.callee.startswith("hlsc."):
            channel, width = self.env.channel(i)
            kind = i.callee.split(".")[1]
            if kind == "read":
                return b.add("read", width, ref=channel, pred=self.pred[x], name=i.name)
            if kind == "write":
                data = self.value(i.args[0], i.loc, width)
                b.add("write", 0, (data,), ref=channel, pred=self.pred[x])
                return None
            if kind == "empty":
                return b.add("empty", 1, ref=channel, name=i.name)
            raise SourceError(
                f"the operation {i.callee} is not known", i.loc, "use read, write and empty"
            )
        bits = i.type.bits if isinstance(i.type, IntType) else 0
        args = [
            self.value(v, i.loc, getattr(t, "bits", 1))
            for v, t in zip(i.args, i.arg_types, strict=False)
        ]
        return b.name(call_value(b, i, args, bits), i.name)

    def compute(self, i: Instr) -> int:
        b = self.b
        if i.op == "extractvalue":
            v = i.args[0]
            assert isinstance(v, Local)
            whole = self.val[v.name]  # {value, overflow} as a concat, overflow on top
            w = b.width(whole)
            return b.extract(whole, w - 1, 1) if i.indices[0] else b.extract(whole, 0, w - 1)
        if not isinstance(i.type, IntType) or any(isinstance(v, AggregateConst) for v in i.args):
            raise SourceError(
                f"`{i.op}` of type {i.type} is not supported",
                i.loc,
                "use integers of any width instead",
            )
        w = i.type.bits
        bits = [t.bits if isinstance(t, IntType) else None for t in i.arg_types] or [w]
        args = [self.value(v, i.loc, n) for v, n in zip(i.args, bits, strict=True)]
        match i.op:
            case "zext" | "sext":
                return self._extend(i, args[0], w)
            case "trunc":
                return b.trunc(args[0], w)
            case "freeze" | "bitcast":
                return args[0]
            case "select":
                if isinstance(i.args[1], Undef):
                    return args[2]
                return args[1] if isinstance(i.args[2], Undef) else b.select(*args)
            case "icmp":
                return b.binary(i.predicate, *args)
            case op if op in ("insertvalue", "ptrtoint", "inttoptr"):
                raise SourceError(
                    f"`{op}` is not supported", i.loc, "use integers instead of addresses"
                )
            case "mul" if "fabric" in i.flags:
                return rows_of_adders(b, *args)
            case op:
                return b.binary(op, *args)

    def _extend(self, i: Instr, a: int, w: int) -> int:
        """An extension moves before a sum that cannot overflow, so that chains of sums of growing
        widths become one sum (widths are narrowed again later)."""
        b = self.b
        sign = i.op == "sext"
        v = i.args[0]
        d = self.cfg.definitions.get(v.name) if isinstance(v, Local) else None
        n = b.node(a)
        if d is not None and n.op in ("add", "sub") and ("nsw" if sign else "nuw") in d[1].flags:
            # The node must be this very sum: folding may have merged it with one that does wrap.
            same = [self.value(z, i.loc, n.width) for z in d[1].args]
            if d[1].op == n.op and sorted(same) == sorted(n.args):
                return b.binary(n.op, *(b.resize(z, w, sign) for z in n.args))
        return b.sext(a, w) if sign else b.zext(a, w)
