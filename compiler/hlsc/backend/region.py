# SPDX-License-Identifier: Apache-2.0
"""One scheduled region as hardware: a token per iteration walks through the cycles of the schedule.

`v[c]` says that an iteration stands in cycle c.  It acts there when `act[c]`, and leaves when nothing
blocks it (`adv[c]`):

- II = 1: acts always; an operation that is blocked in cycle c (stream read empty, write full) stops
  the iterations in cycles up to c, those further on flow on: a blocked read in cycle 0 inserts
  bubbles, a blocked write freezes what has not come so far.
- II > 1: a phase counter runs freely; an iteration in cycle c acts in phase c mod II only, so a stopped
  one waits a whole turn and ports keep their slots.  Blocking stops the cycles of its own phase, and a
  new iteration starts only when the one before has left the first II cycles: two neighbours are never
  nearer than II cycles.
- Iterations that do not overlap: one token, which simply waits.

Since neighbours keep their distance of at least II cycles whatever stops them, every constraint of the
schedule holds under any stalls; a register loaded when an iteration leaves cycle c is valid for it in
cycles c+1 .. c+II, so a value that lives longer takes one register per II cycles.

A loop's exit may be known only in a later cycle than the next iteration starts: the iterations behind
the last one are then cancelled.  The schedule sees to it that they have had no effect by that time.
"""

from __future__ import annotations

from hlsc.backend.mlir import Hw, Sig
from hlsc.backend.uses import LoadUse, Operand, Shared, StoreUse, Transfer, UnitUse, rdata_name
from hlsc.ir import Node, Process, Region
from hlsc.schedule.delays import has_ports, memory_style
from hlsc.schedule.problem import END, EXIT, LEAVES, source
from hlsc.schedule.sdc import Schedule
from hlsc.schedule.units import factor_bits

__all__ = ["RegionHardware"]

_COMPARE = frozenset("eq ne ult ule ugt uge slt sle sgt sge".split())
_BINARY = {
    "add": "add", "sub": "sub", "and": "and", "or": "or", "xor": "xor",
    "shl": "shl", "lshr": "shru", "ashr": "shrs",
}  # fmt: skip
_SIGNED = {"sdiv": (True, True), "srem": (True, True), "ashr": (True, False)}


class RegionHardware:
    """Emits one region into `hw`.

    `enter` starts it (one cycle); `done` is 1 in the cycle in which its last iteration ends, when
    `conditions[k]` says whether its k-th successor is taken.
    """

    def __init__(
        self, hw: Hw, process: Process, schedule: Schedule, enter: Sig, index: int | str, shared: Shared
    ) -> None:
        self.hw, self.schedule, self.shared = hw, schedule, shared
        self.region: Region = schedule.problem.region
        self.enter = enter
        self.prefix = self.region.name
        self.tag = f"R{index}"
        self.process = process
        self.by_id = self.region.by_id()
        self.t = schedule.times
        self.bound = schedule.bound
        self.ii = schedule.ii
        self.last = schedule.length - 1
        self.memories = {m.name: m for m in process.memories}
        self.stops = {self.t[n.id] for n in self.region.nodes if n.op in {"read", "write"}}
        self.phis = [n for n in self.region.nodes if n.op == "phi"]
        self.next_of = {n.args[1]: n for n in reversed(self.phis)}
        self._values: dict[tuple[int, int], Sig] = {}
        self._registers: dict[tuple[int, int], Sig] = {}
        ports = [(n.ref, self._port(n)) for n in self.region.nodes if n.op in {"load", "store"}]
        self.shared_ports = {x for x in ports if ports.count(x) > 1}
        cycles = range(self.last + 1)
        self.v = [hw.later(f"{self.tag}_v{c}", 1) for c in cycles]
        self.adv = [hw.later(f"{self.tag}_adv{c}", 1) for c in cycles]
        self.stall = [hw.later(f"{self.tag}_stall{c}", 1) for c in cycles]
        self.phi_register = {n.id: hw.later(f"{self.tag}_phi{n.id}", n.width) for n in self.phis}
        self.start = self._start()
        self.phase: list[Sig | None] = self._phases()
        self.act = [hw.all(self.v[c], self._in_phase(c)) for c in cycles]
        self._emit_operations()
        self._emit_stalls()
        self._emit_phis()
        self.done, self.conditions = self._emit_end()
        self._emit_tokens()

    # --------------------------------------------------------------------------- control

    def _name(self, text: str) -> str:
        return f"{self.prefix}_{text}"

    def _start(self) -> Sig:
        """One cycle after `enter` where phis must be loaded first; at once otherwise."""
        if not self.phis:
            return self.enter
        return self.hw.register(self._name("start"), self.enter, reset=(self.hw.rst, 0))

    def _phases(self) -> list[Sig | None]:
        hw, ii = self.hw, self.ii
        if ii is None or ii == 1:
            return [None]
        width = (ii - 1).bit_length()
        counter = hw.later(f"{self.tag}_phase", width)
        wrap = hw.any(hw.equals(counter, ii - 1), self.start)
        following = hw.binary("add", counter, hw.const(1, width))
        after = hw.mux(wrap, hw.const(0, width), following)
        hw.register(self._name("phase"), after, reset=(hw.rst, 0), into=counter)
        return [hw.equals(counter, p) for p in range(ii)]

    def _in_phase(self, c: int) -> Sig | None:
        return self.phase[c % len(self.phase)]

    def _go(self, c: int) -> Sig | None:
        """Enable of registers loaded at the end of cycle c.

        At II = 1 an empty cycle may load rubbish, which keeps `valid` out of the enables.  At II > 1 it
        must not: the iteration ahead may be stopped between c and c + II and still need the register.
        """
        return self.hw.inv(self.stall[c]) if self.ii == 1 else self.adv[c]

    def _emit_stalls(self) -> None:
        hw = self.hw
        blocked: dict[int, list[Sig]] = {}
        for n in self.region.nodes:
            if n.op not in {"read", "write"}:
                continue
            c = self.t[n.id]
            ready = hw.later(f"{n.ref}_{'valid' if n.op == 'read' else 'ready'}", 1)
            pred = self.value(n.pred, c) if n.pred is not None else None
            blocked.setdefault(c, []).append(hw.all(self.v[c], pred, hw.inv(ready)))
        for c in range(self.last + 1):
            found: list[Sig] = []
            for k in range(c, self.last + 1):
                if k == c or self.ii == 1 or (self.ii and (k - c) % self.ii == 0):
                    found += blocked.get(k, [])
            if c == 0 and self.ii and self.ii > 1:
                found += self.v[1 : min(self.ii, self.last + 1)]
            hw.define(self.stall[c], hw.any(*found))
            hw.define(self.adv[c], hw.all(self.act[c], hw.inv(self.stall[c])))

    def _exit(self, c: int) -> Sig:
        assert self.region.exit is not None
        return self.value(self.region.exit, c)

    def _emit_tokens(self) -> None:
        hw, rst = self.hw, (self.hw.rst, 0)
        stop: Sig | None = None
        if self.schedule.problem.overlap:
            e = self.t[EXIT]
            stop = hw.all(self.adv[e], self._exit(e))
            again = hw.any(self.start, hw.all(self.v[0], hw.inv(stop)))
        else:
            again = hw.any(self.start, hw.all(self.v[0], hw.inv(self.adv[0])))
            if self.region.exit is not None:
                loop = hw.all(self.adv[self.last], hw.inv(self._exit(self.last)))
                again = hw.any(again, loop)
        hw.register(self._name("run"), again, reset=rst, into=self.v[0])
        for c in range(1, self.last + 1):
            stay = hw.all(self.v[c], hw.inv(self.adv[c]))
            valid = hw.any(self.adv[c - 1], stay)
            if stop is not None and self._cancelled(c):
                valid = hw.all(valid, hw.inv(stop))
            hw.register(self._name(f"valid_{c}"), valid, reset=rst, into=self.v[c])

    def _cancelled(self, c: int) -> bool:
        """An iteration on its way into cycle c is behind the one that takes the exit."""
        return c <= self.t[EXIT]

    def _emit_end(self) -> tuple[Sig, list[Sig]]:
        hw, end = self.hw, self.t[END]
        done = self.adv[end]
        if self.region.exit is not None:
            done = hw.all(done, self._exit(end))
        for name, node in sorted(self.region.liveouts.items()):
            c = self.t[self.schedule.problem.live[name]]
            enable = self.adv[c]
            if self.region.exit is not None:
                enable = hw.all(enable, self._exit(c))
            self.shared.variables.setdefault(name, []).append((enable, self.value(node, c)))
        conditions, before = [], [done]
        for cond, _ in self.region.successors:
            if cond is None:
                conditions.append(hw.all(*before))
                break
            taken = self.value(cond, end)
            conditions.append(hw.all(*before, taken))
            before.append(hw.inv(taken))
        return done, conditions

    def _emit_phis(self) -> None:
        hw = self.hw
        for n in self.phis:
            c, enable = self.t[n.id], self.adv[self.t[n.id]]
            following = self.by_id[n.args[1]]
            hold = self._hold(n, following, c)
            if hold is not None:
                held, data = hold
                enable = hw.all(enable, held)
            else:
                data = self.value(following.id, c)
            init = self.by_id[n.args[0]]
            into, name = self.phi_register[n.id], n.name or f"{self.prefix}_phi{n.id}"
            if init.op == "const":
                reset = (self.start, init.value or 0)
                hw.register(name, data, enable, reset, n.loc, into)
            else:
                first = self._leaf(init)
                data = hw.mux(self.start, first, data)
                hw.register(name, data, hw.any(self.start, enable), None, n.loc, into)

    def _hold(self, phi: Node, following: Node, c: int) -> tuple[Sig, Sig] | None:
        """next = select(e, x, phi): (e, x), so that e becomes a clock enable."""
        if following.op != "select" or phi.id not in following.args[1:] or self.t[following.id] != c:
            return None
        cond, one, zero = following.args
        if one == zero:
            return None
        enable = self.value(cond, c)
        if zero == phi.id:
            return enable, self.value(one, c)
        return self.hw.inv(enable), self.value(zero, c)

    # ---------------------------------------------------------------------------- values

    def _leaf(self, n: Node) -> Sig:
        if n.op == "const":
            return self.hw.const(n.value or 0, n.width)
        return self.hw.later(f"{n.op}_{n.ref}", n.width)

    def value(self, i: int, c: int) -> Sig:
        """Node `i` of the iteration that stands in cycle `c`."""
        key = (i, c)
        if key not in self._values:
            self._values[key] = self._value(self.by_id[i], c)
        return self._values[key]

    def _value(self, n: Node, c: int) -> Sig:
        hw = self.hw
        if n.op in LEAVES:
            return self._leaf(n)
        if n.op in {"zext", "sext"}:
            inner = self.value(n.args[0], c)
            extend = hw.zext if n.op == "zext" else hw.sext
            return extend(inner, n.width, n.name, n.loc)
        t = self.t[n.id]
        if n.op == "phi":
            if c <= t:
                return self.phi_register[n.id]
            return self._copy(n, t, c)
        latency = self._latency(n)
        assert c >= t + latency, (n, t, latency, c)
        if n.id in self.bound and not self._stays(n):
            due = t + latency
            return self._shared_value(n) if c == due else self._copy(n, due, c)
        if latency == 0:
            return self._compute(n) if c == t else self._copy(n, t, c)
        return self._copy(n, t + latency - 1, c)

    def _copy(self, n: Node, origin: int, c: int) -> Sig:
        """The register that holds node n, first loaded at the end of cycle `origin`, in cycle c."""
        k = 0 if self.ii is None else (c - origin - 1) // self.ii
        return self._register(n, origin, k)

    def _register(self, n: Node, origin: int, k: int) -> Sig:
        key = (n.id, k)
        if key in self._registers:
            return self._registers[key]
        hw = self.hw
        name = n.name or f"{self.prefix}_{n.op}{n.id}"
        if n.id in self.bound and k == 0 and self._stays(n):
            sig = self._shared_value(n)
        elif n.op == "load" and k == 0 and self._style(n) == "bram":
            sig = self.shared.load_values[(self.region.name, n.id)]
        elif n.op == "mul" and k == 0 and n.id not in self.bound and self._latency(n):
            sig = self._product(n, name)
        elif k == 0 and n.id in self.next_of and self.t[self.next_of[n.id].id] == origin:
            sig = self.phi_register[self.next_of[n.id].id]
            if n.op == "phi":  # its register takes over another's old value at the same time
                pass
        else:
            at = origin + k * (self.ii or 0)
            if k:
                data = self._register(n, origin, k - 1)
            elif n.op == "phi":
                data = self.phi_register[n.id]
            else:
                data = self.value(n.id, origin)
            sig = hw.register(f"{name}_s{at + 1}", data, self._go(at), None, n.loc)
        self._registers[key] = sig
        return sig

    def _port(self, n: Node) -> int:
        return self.schedule.problem.port_of.get(n.id, 0)

    def _style(self, n: Node) -> str:
        return memory_style(self.memories[n.ref or ""])

    # ------------------------------------------------------------------------ operations

    def _factor(self, i: int) -> tuple[int, int, bool | None]:
        """(node, bits, signed) of a factor without its extension; signed None: all bits matter."""
        n, s = self.by_id[i], source(self.by_id, i)
        if s.op == "const" and s is n and n.value is not None:
            if n.value < 1 << (n.width - 1):
                return i, max(1, n.value.bit_length()), False
            return i, ((1 << n.width) - n.value - 1).bit_length() + 1, True
        if s is n:
            return i, n.width, None
        inner = self.by_id[n.args[0]]
        return n.args[0], inner.width, n.op == "sext"

    def _multiply(self, n: Node, c: int) -> tuple[Sig, bool]:
        """The product in as many bits as it needs, and whether it is signed."""
        hw = self.hw
        a, b = self._factor(n.args[0]), self._factor(n.args[1])
        width = n.width
        if a[2] is not None and b[2] is not None:
            width = min(width, a[1] + b[1])
        operands = []
        for i, (node, _, signed) in zip(n.args, (a, b), strict=True):
            sig = self.value(node if signed is not None else i, c)
            if sig.width >= width:
                sig = hw.extract(sig, 0, width)
            else:
                sig = hw.sext(sig, width) if signed else hw.zext(sig, width)
            operands.append(sig)
        product = hw.binary("mul", operands[0], operands[1], n.name, n.loc)
        return product, bool(a[2] or b[2])

    def _product(self, n: Node, name: str) -> Sig:
        """A registered multiply: the registers of all its cycles, extended behind them."""
        hw, t = self.hw, self.t[n.id]
        sig, signed = self._multiply(n, t)
        for k in range(self.schedule.problem.costs[n.id].latency):
            sig = hw.register(f"{name}_m{k}" if k else f"{name}_m", sig, self._go(t + k), None, n.loc)
        return hw.sext(sig, n.width) if signed else hw.zext(sig, n.width)

    def _compute(self, n: Node) -> Sig:
        """A combinational node in its own cycle."""
        hw, c = self.hw, self.t[n.id]
        if n.op == "read":
            return hw.later(f"{n.ref}_data", n.width)
        if n.op == "empty":
            return hw.inv(hw.later(f"{n.ref}_valid", 1))
        if n.op == "load":
            return self.shared.load_values[(self.region.name, n.id)]
        if n.op == "mul":
            sig, signed = self._multiply(n, c)
            return hw.sext(sig, n.width) if signed else hw.zext(sig, n.width)
        args = [self.value(a, c) for a in n.args]
        name, loc = n.name, n.loc
        if n.op in _BINARY:
            return hw.binary(_BINARY[n.op], args[0], args[1], name, loc)
        if n.op in _COMPARE:
            return hw.compare(n.op, args[0], args[1], name, loc)
        if n.op == "select":
            return hw.mux(args[0], args[1], args[2], name, loc)
        if n.op == "trunc":
            return hw.extract(args[0], 0, n.width, name, loc)
        if n.op == "extract":
            return hw.extract(args[0], n.value or 0, n.width, name, loc)
        if n.op == "concat":
            return hw.concat(*args, name=name, loc=loc)
        raise AssertionError(f"{n.op} must have been rewritten before the back end")

    def _shared_value(self, n: Node) -> Sig:
        return self.hw.later(f"{self.tag}_shared{n.id}", n.width)

    def _is_prompt(self, n: Node) -> bool:
        """Nothing can stop an iteration on its way from node n, on a shared operator, to its result."""
        ii = self.ii or self.schedule.length
        on_the_way = range(self.t[n.id] + 1, self.t[n.id] + 1 + self._latency(n))
        return not any(k >= c and (k - c) % ii == 0 for k in self.stops for c in on_the_way)

    def _stays(self, n: Node) -> bool:
        """The result of node n, on a shared operator, is held for later cycles than it is due in."""
        return not self._is_prompt(n) and (self.ii is None or self._latency(n) == 1)

    def _latency(self, n: Node) -> int:
        return self.schedule.problem.costs[n.id].latency

    def _share(self, n: Node) -> None:
        """Ask the shared operator that a node is bound to for its value."""
        t, latency = self.t[n.id], self._latency(n)
        if n.op == "mul":
            operands = tuple(self._shared_factor(a, t) for a in n.args)
        else:
            signed = _SIGNED.get(n.op, (False, False))
            values = (self.value(a, t) for a in n.args)
            operands = tuple(Operand(v, s) for v, s in zip(values, signed, strict=True))
        use = UnitUse(
            wants=self.act[t],
            takes=self.adv[t],
            leaves=self.adv[t + latency],
            start=self.start,
            depth=0 if self._is_prompt(n) else -(-latency // (self.ii or latency)),
            operands=operands,
            value=self._shared_value(n),
            name=n.name or f"{self.prefix}_{n.op}{n.id}",
            loc=n.loc,
        )
        self.shared.units.setdefault((n.ref or "", self.bound[n.id]), []).append(use)

    def _shared_factor(self, i: int, c: int) -> Operand:
        """A factor in the bits that `factor_bits` counts."""
        n, (bits, unsigned) = self.by_id[i], factor_bits(self.by_id, i)
        if n.op == "const":
            return Operand(self.hw.const((n.value or 0) & ((1 << bits) - 1), bits), not unsigned)
        inner = n.args[0] if n.op in {"zext", "sext"} else i
        return Operand(self.value(inner, c), not unsigned)

    def _emit_operations(self) -> None:
        """Everything with a side effect, and loads; pure values follow from their users."""
        hw, shared = self.hw, self.shared
        for n in self.region.nodes:
            if n.op == "load":
                shared.load_values[(self.region.name, n.id)] = hw.later(
                    f"{self.tag}_load{n.id}", n.width
                )
        costs = self.schedule.problem.costs
        for n in self.region.nodes:
            if n.op in LEAVES or n.op in {"phi", "zext", "sext"}:
                continue
            if n.id in self.bound:
                self._share(n)
            if n.width and costs[n.id].latency == 0:
                self.value(n.id, self.t[n.id])  # in order, so that recursion stays shallow
            if n.op not in {"load", "store", "read", "write", "out"}:
                continue
            c, ref = self.t[n.id], n.ref or ""
            pred = self.value(n.pred, c) if n.pred is not None else None
            wants, takes = hw.all(self.act[c], pred), hw.all(self.adv[c], pred)
            if n.op == "load":
                use = LoadUse(wants, takes, self.value(n.args[0], c), self._port(n))
                shared.loads.setdefault(ref, []).append(use)
                self._define_load(n, takes)
            elif n.op == "store":
                address, data = (self.value(a, c) for a in n.args)
                use_store = StoreUse(wants, takes, address, data, self._port(n))
                shared.stores.setdefault(ref, []).append(use_store)
            elif n.op == "read":
                shared.reads.setdefault(ref, []).append(Transfer(wants, takes))
            else:
                group = shared.writes if n.op == "write" else shared.outs
                transfer = Transfer(wants, takes, self.value(n.args[0], c))
                group.setdefault(ref, []).append(transfer)

    def _define_load(self, n: Node, takes: Sig) -> None:
        """The loaded value: the memory's output, kept where another access may use the port, or where
        the memory lies outside and may not hold it."""
        hw = self.hw
        value = self.shared.load_values[(self.region.name, n.id)]
        style = self._style(n)
        memory = self.memories[n.ref or ""]
        if not has_ports(memory):
            return  # the process selects the word
        port = self._port(n)
        data = hw.later(rdata_name(n.ref or "", port), n.width)
        if style == "bram" and ((n.ref, port) in self.shared_ports or memory.external is not None):
            name = n.name or f"{self.prefix}_load{n.id}"
            fresh = hw.register(f"{name}_fresh", takes)
            kept = hw.register(f"{name}_kept", data, fresh, None, n.loc)
            data = hw.mux(fresh, data, kept)
        hw.define(value, data)
