# SPDX-License-Identifier: Apache-2.0
"""BIND_OP: the products given to a variable, marked in LLVM IR.

While the variable still is memory, what is stored there goes through a function that LLVM knows nothing
of (`bind_stores`).  Behind the passes, the multiplication that such a call takes, through casts, masks
and shifts, gets `!hlsc.fabric` if it shall not be a DSP, and the call goes (`bind_products`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from hlsc.frontend.arrays import FunctionIndex, Target, find_target, type_dimensions
from hlsc.frontend.facts import Resolved
from hlsc.frontend.llvmtext import Function, ModuleText

__all__ = ["bind_products", "bind_stores", "check_operator"]

_STORE = re.compile(r"^(\s*store )(i\d+) (%[\w.$-]+)(, ptr )(%[\w.$-]+)(.*)$")
_COPY = re.compile(
    r"^\s*call void @llvm\.memcpy\.p0\.p0\.i64\(ptr (?:align \d+ )?(%[\w.$-]+), .*i64 (\d+),"
)
_CALL = re.compile(r"^\s*(%[\w.$-]+) = call i\d+ @hlsc\.bind\.(\d+)\.i\d+\(i\d+ (\S+)\)")
_THROUGH = re.compile(r"(?:zext|sext|trunc|and|or|shl|lshr|ashr|freeze) ")
_PURE = "nounwind willreturn nosync nocallback speculatable memory(none)"


def check_operator(found: Resolved, target: Target | None) -> None:
    """Raises SourceError for what BIND_OP does not do here."""
    o = found.pragma.options
    if target is None or not target.name.startswith("%") or type_dimensions(target.type):
        raise found.error(f"must name a variable of this process, not '{o['variable']}'")
    if o["op"] != "mul" and o.get("impl") == "dsp":
        raise found.error(
            "must have impl=fabric for sums, not dsp", "write op=mul impl=dsp for products"
        )


def bind_stores(f: Function, bound: Sequence[tuple[int, Target]]) -> str:
    """In place; `bound`: number and variable of each BIND_OP.  Gives the declarations of the calls."""
    index, numbers = FunctionIndex.of(f), {t.name: n for n, t in bound}
    declared: set[str] = set()
    count = 0

    def call(number: int, kind: str, value: str) -> tuple[str, str]:
        nonlocal count
        count += 1
        name = f"hlsc.bind.{number}.{kind}"
        declared.add(f"declare {kind} @{name}({kind}) {_PURE}\n")
        return f"%hlsc.bound.{count}", f"  %hlsc.bound.{count} = call {kind} @{name}({kind} {value})"

    def number_of(pointer: str) -> int | None:
        target = find_target(index, {}, pointer)
        return numbers.get(target.name) if target is not None and target.at_start else None

    for b in f.blocks:
        lines = []
        for line in b.lines:
            if (m := _STORE.match(line)) and (n := number_of(m.group(5))) is not None:
                value, made = call(n, m.group(2), m.group(3))
                lines.append(made)
                line = f"{m.group(1)}{m.group(2)} {value}{m.group(4)}{m.group(5)}{m.group(6)}"
            lines.append(line)
            if (m := _COPY.match(line)) and (n := number_of(m.group(1))) is not None:
                kind, copied = f"i{8 * int(m.group(2))}", f"%hlsc.copied.{count}"
                value, made = call(n, kind, copied)
                lines += [f"  {copied} = load {kind}, ptr {m.group(1)}, align 1", made]
                lines.append(f"  store {kind} {value}, ptr {m.group(1)}, align 1")
        b.lines = lines
    return "".join(sorted(declared))


def bind_products(module: ModuleText, pragmas: Sequence[Resolved]) -> None:
    """In place; raises SourceError for a variable that is never given a product."""
    calls: set[int] = set()
    products: set[int] = set()
    for f in module.functions:
        values: dict[str, str] = {}
        index = FunctionIndex.of(f)
        fabric: set[str] = set()
        for _, _, line in f.lines():
            if m := _CALL.match(line):
                number = int(m.group(2))
                values[m.group(1)] = m.group(3)
                calls.add(number)
                if found := _products(index, m.group(3)):
                    products.add(number)
                    if pragmas[number].pragma.options.get("impl") == "fabric":
                        fabric |= found
        if not values:
            continue

        def through(m: re.Match[str], values: dict[str, str] = values) -> str:
            name = m.group()
            while name in values:
                name = values[name]
            return name

        mark = f", !hlsc.fabric !{module.metadata.add('!{}')}" if fabric else ""
        for b in f.blocks:
            kept = [x for x in b.lines if not _CALL.match(x)]
            kept = [x + mark if x.split(" = ")[0].strip() in fabric else x for x in kept]
            b.lines = [re.sub(r"%[\w.$-]+", through, x) for x in kept]
    module.parts = [p for p in module.parts if not (isinstance(p, str) and "@hlsc.bind." in p)]
    for number in sorted(calls - products):
        variable = pragmas[number].pragma.options["variable"]
        raise pragmas[number].error(
            f"must name a variable that is given a product of two variables, not '{variable}'",
            "give the product a variable of its own and name that",
        )


def _products(index: FunctionIndex, value: str) -> set[str]:
    """The multiplications that a value is, behind casts, masks and shifts."""
    found: set[str] = set()
    work, seen = [value], set[str]()
    while work:
        name = work.pop()
        text = index.definitions.get(name, "")
        if name in seen:
            continue
        seen.add(name)
        if text.startswith("mul "):
            found.add(name)
        elif _THROUGH.match(text) or "@hlsc.bind." in text:
            work += re.findall(r"%[\w.$-]+", text)
    return found
