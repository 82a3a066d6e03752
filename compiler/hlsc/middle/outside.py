# SPDX-License-Identifier: Apache-2.0
"""Array arguments that are cut: a port per bank, for one word a wire, of joined elements a wide one.

Until here each bank, and each lane of a reshaped word, is a memory of the process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hlsc.errors import SourceError
from hlsc.ir import Arg, Memory, Node, Port, Process, Region
from hlsc.middle.banks import Plan
from hlsc.middle.lanes import join_lanes
from hlsc.parts import Part

__all__ = ["MAX_JOINED", "cut_arguments", "cut_ports"]

MAX_JOINED = 4096  # bits of a word that ARRAY_RESHAPE makes


@dataclass
class _Bank:
    """What one port carries: the memory of each lane."""

    part: Part
    lanes: dict[str, int] = field(default_factory=dict)


def cut_arguments(
    process: Process, plans: Sequence[tuple[Port, Plan]]
) -> tuple[Process, dict[str, list[Port]]]:
    """The process with its cut arguments as ports, and those ports by argument.

    plans: the arguments of the process and what became of them.
    """
    made: dict[str, list[Port]] = {}
    for port, plan in plans:
        assert port.part is not None
        banks: dict[tuple[int, ...], _Bank] = {}
        for at, memory in sorted(plan.banks.items()):
            own, lane = _apart(port.part, at)
            bank = banks.setdefault(own, _Bank(replace(port.part, bank=own)))
            bank.lanes[memory] = lane
        for bank in banks.values():
            process, new = _bank(process, port, plan, bank)
            made.setdefault(port.name, []).append(new)
    return process, made


def cut_ports(ports: Sequence[Port], made: Mapping[str, Sequence[Port]]) -> tuple[Port, ...]:
    """The ports with those of the cut arguments in their places."""
    found = [x for p in ports for x in (made.get(p.name, ()) if p.part and not p.part.bank else (p,))]
    names: dict[str, Port] = {}
    for p in found:
        if (other := names.setdefault(p.name, p)) is not p:
            array = (p.part or other.part or Part(p.name, (), ())).argument
            raise SourceError(
                f"port '{p.name}' must have a name of its own: a part of '{array}' has it too",
                p.loc,
                "rename one of the arguments",
            )
    return tuple(found)


def _apart(part: Part, at: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    """The bank of the port, and the lane of its words."""
    lane = 0
    for cut, k in zip(part.cuts, at, strict=True):
        lane = lane * cut.factor + k if cut.wide else lane
    own = (0 if cut.wide else k for cut, k in zip(part.cuts, at, strict=True))
    return tuple(own), lane


def _bank(process: Process, port: Port, plan: Plan, bank: _Bank) -> tuple[Process, Port]:
    part, size = bank.part, plan.leaf.bits
    width = size * part.lanes
    if width > MAX_JOINED:
        raise SourceError(
            f"words of the array argument '{part.argument}' must have at most {MAX_JOINED} bits, not "
            f"{width}",
            plan.loc,
            "join fewer elements (ARRAY_RESHAPE cyclic factor=…)",
        )
    names = set(bank.lanes)
    first = next(m for m in process.memories if m.name in names)
    word = replace(first, width=width, external=part.name)
    regions = process.regions
    if part.lanes > 1:
        taken = {m.name for m in process.memories}
        name = part.name if part.name not in taken else f"{part.name}_word"
        word = replace(word, name=name)
        regions = tuple(join_lanes(r, bank.lanes, word, size, part.argument) for r in regions)
        names.add(word.name)
    ops = {n.op for r in regions for n in r.nodes if n.ref == word.name and n.op in ("load", "store")}
    direction = "inout" if len(ops) == 2 else "in" if ops == {"load"} else "out"
    memories = tuple(m for m in process.memories if m.name not in names)
    new = replace(port, name=part.name, width=width, direction=direction, depth=plan.depth, part=part)
    if plan.depth > 1 and port.kind != "ap_memory":
        raise SourceError(
            f"INTERFACE of '{part.argument}' must be ap_memory, not {port.kind}: a bank of it has "
            f"{plan.depth} words",
            port.loc,
            "partition or reshape it completely",
        )
    if plan.depth > 1:
        return replace(process, regions=regions, memories=(*memories, word)), new
    if direction == "inout":
        raise SourceError(
            f"single elements of the array argument '{part.argument}' must be only read or only "
            "written, not both: each is a port of its own",
            plan.loc,
            "copy them into a local array, and back at the end",
        )
    usual = "ap_none" if direction == "in" else "ap_vld"
    new = replace(new, kind=usual if port.kind == "ap_memory" else port.kind, depth=0)
    regions = tuple(_wires(r, word, new) for r in regions)
    args = (Arg(new.name, width, new.name),) if direction == "in" else ()
    return replace(process, regions=regions, memories=memories, args=(*process.args, *args)), new


def _wires(region: Region, word: Memory, port: Port) -> Region:
    """A port of one word: it is read as a scalar argument, and written as an output."""
    nodes = []
    for n in region.nodes:
        if n.ref == word.name and n.op == "load":
            n = Node(n.id, "arg", n.width, ref=port.name, loc=n.loc)
        elif n.ref == word.name and n.op == "store":
            n = replace(n, op="out", args=n.args[1:], ref=port.name)
        nodes.append(n)
    dependences = tuple(d for d in region.dependences if d.memory != word.name)
    return replace(region, nodes=tuple(nodes), dependences=dependences)
