# SPDX-License-Identifier: Apache-2.0
"""CIRCT modules as MLIR text: the `hw`, `comb` and `seq` operations that hlsc emits.

`hw.module` is a graph region, so a value may be used before it is defined: `Hw.later` gives a name to
be defined with `Hw.define`.  Text is made instead of calls into the bindings because it is eight times
as fast.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hlsc.ir import Loc

__all__ = ["Extern", "Hw", "Sig", "identifier"]

_UNKNOWN = "loc(unknown)"


def identifier(name: str) -> str:
    """A name that SystemVerilog and MLIR both take."""
    text = re.sub(r"[^A-Za-z0-9_]", "_", name) or "x"
    return text if not text[0].isdigit() else f"_{text}"


@dataclass(frozen=True)
class Sig:
    """An SSA value of `width` bits."""

    ref: str
    width: int


@dataclass(frozen=True)
class Extern:
    """A module written elsewhere; `params` in order with their values."""

    module: str
    params: tuple[tuple[str, int], ...]
    inputs: tuple[tuple[str, int], ...]
    outputs: tuple[tuple[str, int], ...]

    @property
    def symbol(self) -> str:
        return "_".join([self.module, *(str(v) for _, v in self.params)])

    def declaration(self) -> str:
        ports = [f"in %{n} : i{w}" for n, w in self.inputs] + [
            f"out {n} : i{w}" for n, w in self.outputs
        ]
        params = ", ".join(f"{n}: i32" for n, _ in self.params)
        head = f"hw.module.extern @{self.symbol}" + (f"<{params}>" if params else "")
        return f'{head}({", ".join(ports)}) attributes {{verilogName = "{self.module}"}}'


class Hw:
    """One `hw.module` under construction; its input `clock` clocks every register."""

    def __init__(self, name: str, clock: str = "clk") -> None:
        self.name, self.clock = name, clock
        self.inputs: list[tuple[str, int]] = []
        self.outputs: list[tuple[str, int]] = []
        self.lines: list[str] = []
        self.externs: dict[str, Extern] = {}
        self.instances: set[str] = set()
        self.register_bits = 0
        self._count = 0
        self._const: dict[tuple[int, int], Sig] = {}
        self._memo: dict[str, Sig] = {}
        self._results: dict[str, Sig] = {}
        self._names: set[str] = set()
        self.clk1 = Sig("%clk1", 1)
        self.rst = Sig("%rst", 1)  # in modules that have such an input

    # ----------------------------------------------------------------------------- ports

    def input(self, name: str, width: int) -> Sig:
        self.inputs.append((name, width))
        return Sig(f"%{name}", width)

    def output(self, name: str, value: Sig) -> None:
        self.outputs.append((name, value.width))
        self._results[name] = value

    # ------------------------------------------------------------------------------ text

    def _line(self, ref: str, text: str, loc: Loc | None) -> None:
        where = f'loc("{loc.file}":{loc.line}:0)' if loc else _UNKNOWN
        self.lines.append(f"  {ref} = {text} {where}")

    def _new(self) -> str:
        self._count += 1
        return f"%${self._count}"

    def _op(self, text: str, width: int, name: str = "", loc: Loc | None = None) -> Sig:
        """One operation; the same text gives the same value.  `text` has a hole for attributes."""
        if text in self._memo:
            return self._memo[text]
        sig = Sig(self._new(), width)
        hint = f' {{sv.namehint = "{identifier(name)}"}}' if name else ""
        self._line(sig.ref, text.replace("<>", hint), loc)
        self._memo[text] = sig
        return sig

    def later(self, name: str, width: int) -> Sig:
        """A value that `define` will define under this name."""
        return Sig(f"%{identifier(name)}", width)

    def define(self, later: Sig, value: Sig) -> None:
        """`later` is `value`."""
        assert later.width == value.width, (later, value)
        self._line(later.ref, f"comb.or {value.ref} : i{value.width}", None)

    # ------------------------------------------------------------------------------ comb

    def const(self, value: int, width: int) -> Sig:
        key = (value, width)
        if key not in self._const:
            sig = Sig(self._new(), width)
            shown = value if width > 1 or value == 0 else -1
            self._line(sig.ref, f"hw.constant {shown} : i{width}", None)
            self._const[key] = sig
        return self._const[key]

    def variadic(self, op: str, *args: Sig, name: str = "", loc: Loc | None = None) -> Sig:
        width = args[0].width
        assert all(a.width == width for a in args), (op, args)
        if len(args) == 1:
            return args[0]
        return self._op(f"comb.{op} {', '.join(a.ref for a in args)}<> : i{width}", width, name, loc)

    def binary(self, op: str, a: Sig, b: Sig, name: str = "", loc: Loc | None = None) -> Sig:
        assert a.width == b.width, (op, a, b)
        return self._op(f"comb.{op} {a.ref}, {b.ref}<> : i{a.width}", a.width, name, loc)

    def compare(self, op: str, a: Sig, b: Sig, name: str = "", loc: Loc | None = None) -> Sig:
        assert a.width == b.width, (op, a, b)
        return self._op(f"comb.icmp {op} {a.ref}, {b.ref}<> : i{a.width}", 1, name, loc)

    def mux(self, c: Sig, one: Sig, zero: Sig, name: str = "", loc: Loc | None = None) -> Sig:
        assert one.width == zero.width and c.width == 1, (c, one, zero)
        text = f"comb.mux {c.ref}, {one.ref}, {zero.ref}<> : i{one.width}"
        return self._op(text, one.width, name, loc)

    def extract(self, a: Sig, low: int, width: int, name: str = "", loc: Loc | None = None) -> Sig:
        if low == 0 and width == a.width:
            return a
        assert low + width <= a.width, (a, low, width)
        text = f"comb.extract {a.ref} from {low}<> : (i{a.width}) -> i{width}"
        return self._op(text, width, name, loc)

    def concat(self, *args: Sig, name: str = "", loc: Loc | None = None) -> Sig:
        """Highest first."""
        if len(args) == 1:
            return args[0]
        types = ", ".join(f"i{a.width}" for a in args)
        width = sum(a.width for a in args)
        return self._op(f"comb.concat {', '.join(a.ref for a in args)}<> : {types}", width, name, loc)

    def zext(self, a: Sig, width: int, name: str = "", loc: Loc | None = None) -> Sig:
        if width == a.width:
            return a
        return self.concat(self.const(0, width - a.width), a, name=name, loc=loc)

    def sext(self, a: Sig, width: int, name: str = "", loc: Loc | None = None) -> Sig:
        if width == a.width:
            return a
        top, n = self.extract(a, a.width - 1, 1), width - a.width
        many = top if n == 1 else self._op(f"comb.replicate {top.ref} : (i1) -> i{n}", n)
        return self.concat(many, a, name=name, loc=loc)

    def inv(self, a: Sig) -> Sig:
        return self.binary("xor", a, self.const((1 << a.width) - 1, a.width))

    def all(self, *args: Sig | None) -> Sig:
        """And of the given bits; None is true."""
        found = list(dict.fromkeys(a for a in args if a is not None))
        return self.variadic("and", *found) if found else self.const(1, 1)

    def any(self, *args: Sig) -> Sig:
        found = list(dict.fromkeys(args))
        return self.variadic("or", *found) if found else self.const(0, 1)

    def choose(self, cases: Sequence[tuple[Sig, Sig]]) -> Sig:
        """Value of the first case whose condition is 1; of the last one if none is."""
        result = cases[-1][1]
        for cond, value in reversed(cases[:-1]):
            result = self.mux(cond, value, result)
        return result

    def equals(self, a: Sig, value: int) -> Sig:
        return self.compare("eq", a, self.const(value, a.width))

    # ------------------------------------------------------------------------- registers

    def register(
        self,
        name: str,
        data: Sig,
        enable: Sig | None = None,
        reset: tuple[Sig, int] | None = None,
        loc: Loc | None = None,
        into: Sig | None = None,
        initial: int | None = None,
    ) -> Sig:
        """A register; `reset` is (condition, value) and wins over `enable`; `initial`: at power-on."""
        sig = into or Sig(self._new(), data.width)
        assert sig.width == data.width, (name, sig, data)
        label = unique = identifier(name)
        k = 1
        while unique in self._names:
            k += 1
            unique = f"{label}_{k}"
        self._names.add(unique)
        text = "seq.compreg.ce" if enable is not None else "seq.compreg"
        text += f' name "{unique}" {data.ref}, %{self.clock}'
        if enable is not None:
            text += f", {enable.ref}"
        if reset is not None:
            text += f" reset {reset[0].ref}, {self.const(reset[1], data.width).ref}"
        if initial is not None:
            text += f" initial {self._initial(initial, data.width)}"
        self._line(sig.ref, f"{text} : i{data.width}", loc)
        self.register_bits += data.width
        return sig

    def _initial(self, value: int, width: int) -> str:
        """A value that registers have at power-on."""
        ref = self._new()
        shown = value if width > 1 or value == 0 else -1
        body = f"%k = hw.constant {shown} : i{width} seq.yield %k : i{width}"
        text = f"seq.initial () {{ {body} }} : () -> !seq.immutable<i{width}>"
        self._line(ref, text, None)
        return ref

    # ------------------------------------------------------------------------- instances

    def instance(
        self,
        name: str,
        module: Extern | Hw,
        args: Mapping[str, Sig],
        results: Mapping[str, Sig] | None = None,
        loc: Loc | None = None,
    ) -> dict[str, Sig]:
        """An instance; outputs listed in `results` define those values.  An `Hw` gets clk by itself."""
        outs = {n: (results or {}).get(n) or Sig(self._new(), w) for n, w in module.outputs}
        feeds = []
        if isinstance(module, Hw):
            feeds.append(f"{module.clock}: %{self.clock}: !seq.clock")
            symbol = f"@{module.name}"
        else:
            self.externs[module.symbol] = module
            params = ", ".join(f"{n}: i32 = {v}" for n, v in module.params)
            symbol = f"@{module.symbol}" + (f"<{params}>" if params else "")
        for n, w in module.inputs:
            if isinstance(module, Hw) and n == module.clock:
                continue
            value = args[n]
            assert value.width == w, (name, n, value, w)
            feeds.append(f"{n}: {value.ref}: i{w}")
        label = identifier(name)
        k = 1
        while label in self._names:
            k += 1
            label = f"{identifier(name)}_{k}"
        self._names.add(label)
        refs = ", ".join(s.ref for s in outs.values())
        types = ", ".join(f"{n}: i{w}" for n, w in module.outputs)
        body = f'hw.instance "{label}" {symbol}({", ".join(feeds)}) -> ({types})'
        where = f'loc("{loc.file}":{loc.line}:0)' if loc else _UNKNOWN
        self.lines.append(f"  {refs + ' = ' if refs else ''}{body} {where}")
        return outs

    def text(self) -> str:
        ports = [
            f"in %{n} : {'!seq.clock' if n == self.clock else f'i{w}'} {_UNKNOWN}"
            for n, w in self.inputs
        ]
        ports += [f"out {n} : i{w} {_UNKNOWN}" for n, w in self.outputs]
        head = f"hw.module @{self.name}({', '.join(ports)})"
        refs = ", ".join(self._results[n].ref for n, _ in self.outputs)
        types = ", ".join(f"i{w}" for _, w in self.outputs)
        tail = f"  hw.output {refs} : {types} {_UNKNOWN}" if refs else f"  hw.output {_UNKNOWN}"
        clock = f"  %clk1 = seq.from_clock %{self.clock} {_UNKNOWN}"
        return "\n".join([f"{head} {{", clock, *self.lines, tail, f"}} {_UNKNOWN}"])
