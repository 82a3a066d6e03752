# SPDX-License-Identifier: Apache-2.0
"""Bounds of SSA integers, as far as array indices need them: counters, masks, extensions.

They decide how a constant in an address divides between dimensions: `a[i][j - 1]` arrives as one byte
offset, and only the bounds of j tell that it belongs to the inner dimension.
"""

from __future__ import annotations

from hlsc.middle.bits import signed
from hlsc.middle.cfg import Cfg, Loop
from hlsc.middle.llvmtypes import Instr, IntConst, IntType, Local, Term, Value

__all__ = ["Induction"]

Bounds = tuple[int, int]


class Induction:
    """Bounds by name; a value is read as unsigned unless said otherwise."""

    def __init__(self, cfg: Cfg) -> None:
        self.cfg = cfg
        self.memo: dict[tuple[str, bool], Bounds | None] = {}

    def term(self, t: Term) -> Bounds:
        """Bounds of a term's value, its coefficient not applied."""
        got = self.value(Local(t.value), t.bits, t.sign)
        if got is not None:
            return got
        return (-(1 << (t.bits - 1)), (1 << (t.bits - 1)) - 1) if t.sign else (0, (1 << t.bits) - 1)

    def value(self, v: Value, bits: int, sign: bool = False) -> Bounds | None:
        if isinstance(v, IntConst):
            n = signed(v.value, bits) if sign else v.value
            return n, n
        if not isinstance(v, Local) or v.name not in self.cfg.definitions:
            return None
        key = (v.name, sign)
        if key not in self.memo:
            self.memo[key] = None  # a cycle finds nothing
            block, i = self.cfg.definitions[v.name]
            got = self._instr(block, i, bits, sign)
            limit = (-(1 << (bits - 1)), 1 << (bits - 1)) if sign else (0, 1 << bits)
            if got is not None and not (limit[0] <= got[0] and got[1] < limit[1]):
                got = None
            if got is None:  # the other reading, where both agree
                other = self._instr(block, i, bits, not sign)
                if other is not None and other[0] >= 0 and other[1] < 1 << (bits - 1):
                    got = other
            self.memo[key] = got
        return self.memo[key]

    def _instr(self, block: str, i: Instr, bits: int, sign: bool) -> Bounds | None:
        ops = [
            self.value(a, t.bits, sign) if isinstance(t, IntType) else None
            for a, t in zip(i.args, i.arg_types, strict=False)
        ]
        if i.op == "phi":
            return self._phi(block, i, bits, sign)
        if i.op in ("zext", "sext") and isinstance(i.arg_types[0], IntType):
            inner = self.value(i.args[0], i.arg_types[0].bits, i.op == "sext")
            if inner is None and i.op == "zext":
                return 0, (1 << i.arg_types[0].bits) - 1
            return inner
        if i.op == "freeze" or (i.op == "trunc" and ops[0] is not None):
            return ops[0]
        if i.op == "select":
            a, b = ops[1], ops[2]
            return None if a is None or b is None else (min(a[0], b[0]), max(a[1], b[1]))
        if i.op == "and" and not sign:
            tops = [o[1] for o in ops if o is not None and o[0] >= 0]
            return (0, min(tops)) if tops else None
        if i.op == "urem" and isinstance(i.args[1], IntConst) and i.args[1].value and not sign:
            return 0, i.args[1].value - 1
        if i.op == "lshr" and isinstance(i.args[1], IntConst) and not sign:
            a = ops[0] or (0, (1 << bits) - 1)
            return a[0] >> i.args[1].value, a[1] >> i.args[1].value
        if len(ops) < 2 or ops[0] is None or ops[1] is None:
            return None
        (al, ah), (bl, bh) = ops[0], ops[1]
        if i.op == "add" or (i.op == "or" and "disjoint" in i.flags):
            return al + bl, ah + bh
        if i.op == "sub":
            return al - bh, ah - bl
        if i.op == "mul":
            ps = [x * y for x in (al, ah) for y in (bl, bh)]
            return min(ps), max(ps)
        if i.op == "shl" and isinstance(i.args[1], IntConst):
            return al << i.args[1].value, ah << i.args[1].value
        return None

    def _phi(self, block: str, i: Instr, bits: int, sign: bool) -> Bounds | None:
        lp = self.cfg.loops.get(block)
        outside = [v for v, p in zip(i.args, i.labels, strict=True) if lp is None or p not in lp.blocks]
        starts = [self.value(v, bits, sign) for v in outside]
        if not starts or any(s is None for s in starts):
            return None
        lo = min(s[0] for s in starts if s is not None)
        hi = max(s[1] for s in starts if s is not None)
        if lp is None:
            return lo, hi
        steps = {
            self._step(i.name, v, bits) for v, p in zip(i.args, i.labels, strict=True) if p in lp.blocks
        }
        if steps == {0}:
            return lo, hi
        if len(steps) != 1 or (step := steps.pop()) is None or len(lp.latches) != 1:
            return None
        bound = self._bound(lp, i.name, bits, sign, step)
        if bound is None:
            return None
        # The guard before a rotated loop: its first iteration may start anywhere in lo … hi.
        return (lo, max(hi, bound)) if step > 0 else (min(lo, bound), hi)

    def _step(self, phi: str, v: Value, bits: int) -> int | None:
        """c if v is phi + c."""
        if v == Local(phi):
            return 0
        if not isinstance(v, Local) or v.name not in self.cfg.definitions:
            return None
        i = self.cfg.definitions[v.name][1]
        if i.op == "add" and i.args[0] == Local(phi) and isinstance(i.args[1], IntConst):
            return signed(i.args[1].value, bits)
        return None

    def _bound(self, lp: Loop, phi: str, bits: int, sign: bool, step: int) -> int | None:
        """Largest (step > 0) or smallest value of the phi in an iteration after the first."""
        t = self.cfg.blocks[lp.latches[0]].terminator
        if t.op != "br" or len(t.labels) != 2 or not isinstance(t.args[0], Local):
            return None
        c = self.cfg.definitions.get(t.args[0].name)
        if c is None or c[1].op != "icmp":
            return None
        cond = c[1]
        stays = t.labels[0] == lp.header
        offset = self._step(phi, cond.args[0], bits)
        limit = self.value(cond.args[1], bits, sign)
        if offset is None or limit is None:
            return None
        p = cond.predicate
        if not stays:
            p = (
                dict(eq="ne", ne="eq", ult="uge", ule="ugt", ugt="ule", uge="ult").get(p)
                or dict(slt="sge", sle="sgt", sgt="sle", sge="slt")[p]
            )
        if p[0] in "us" and (p[0] == "s") != sign and limit[0] < 0:
            return None
        # In iterations that go on, phi + offset satisfies p; the next phi is phi + step.
        if step > 0 and p in ("ult", "slt", "ule", "sle"):
            return limit[1] - (p[1:] == "lt") - offset + step
        if step < 0 and p in ("ugt", "sgt", "uge", "sge"):
            return limit[0] + (p[1:] == "gt") - offset + step
        if p == "ne" and step in (1, -1):  # counts until it meets the limit
            return (limit[1] if step > 0 else limit[0]) - step - offset + step
        return None
