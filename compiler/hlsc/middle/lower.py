# SPDX-License-Identifier: Apache-2.0
"""`lower`: Program (LLVM text) → Design (predicated data-flow regions)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from hlsc.errors import SourceError
from hlsc.frontend.llvmtext import plain_name
from hlsc.frontend.program import Between, Binding, LoopFacts, ProcessCall, Program
from hlsc.ir import Allocation, Arg, Design, Loc, Port, Process, Region
from hlsc.middle.addresses import resolve_addresses
from hlsc.middle.arithmetic import balance_sums, multiply_by_constants
from hlsc.middle.banks import Plan
from hlsc.middle.between import join_banks
from hlsc.middle.cfg import Cfg
from hlsc.middle.expand import expand_memory_calls
from hlsc.middle.graph import Builder
from hlsc.middle.hoist import hoist_invariants
from hlsc.middle.induction import Induction
from hlsc.middle.instructions import Environment
from hlsc.middle.llvmtext import parse_module, parse_type
from hlsc.middle.llvmtypes import ArrayType, Function, Instr, IntType, Module, Type
from hlsc.middle.lowbits import fold_low_bits
from hlsc.middle.memories import ArrayInfo, MemoryMap, access_size, with_ports
from hlsc.middle.outside import cut_arguments, cut_ports
from hlsc.middle.prepare import prepare
from hlsc.middle.promote import promote_registers
from hlsc.middle.regions import build_regions
from hlsc.middle.simplify import simplify_process
from hlsc.middle.variables import tidy_variables
from hlsc.middle.widths import narrow_banks, narrow_widths

__all__ = ["Options", "lower"]

Dump = Callable[[str, str], None]


@dataclass(frozen=True)
class Options:
    """Passes that may be switched off, for tests and for looking at their effect."""

    widths: bool = True
    flatten: bool = True


def lower(program: Program, *, dump: Dump | None = None, options: Options | None = None) -> Design:
    """The program as regions of predicated nodes; `dump(stage, text)` is called after each stage.

    Raises `SourceError` for what is not supported.
    """
    options = options or Options()
    show = dump or (lambda stage, text: None)
    text = prepare(program.module)
    show("rotated", text)
    module = parse_module(text)
    banks: dict[str, tuple[Between, Plan]] = {}
    parts: dict[str, list[Port]] = {}
    owners: dict[str, str] = {}
    calls = program.processes
    processes, buffers = join_banks(
        [_process(program, c, module, options, banks, parts, owners) for c in calls], banks
    )
    design = Design(
        program.top,
        cut_ports(program.ports, parts),
        processes,
        program.channels,
        program.control,
        program.control_bundle,
        program.loc,
        buffers,
    ).validate()
    show("regions", str(design))
    stages: list[tuple[str, Callable[[Process], Process]]] = [
        ("simplified", lambda p: simplify_process(promote_registers(simplify_process(p)))),
        ("balanced", lambda p: simplify_process(_per_region(p, balance_sums))),
    ]
    if options.widths:
        stages.append(("narrowed", _narrow))
    stages.append(("multiplied", lambda p: simplify_process(_per_region(p, multiply_by_constants))))
    stages.append(("hoisted", lambda p: simplify_process(hoist_invariants(p))))
    stages.append(("tidied", lambda p: simplify_process(tidy_variables(p))))
    if options.widths:
        stages.append(("final", _narrow))
    for stage, change in stages:
        design = replace(design, processes=tuple(change(p) for p in design.processes))
        if stage == "narrowed":
            design = _narrow_banks(design)
        show(stage, str(design.validate()))
    return design


def _per_region(process: Process, change: Callable[[Region], Region]) -> Process:
    return replace(process, regions=tuple(change(r) for r in process.regions))


def _narrow(process: Process) -> Process:
    """Rounds of narrowing until the widths no longer change, at most three."""
    for _ in range(3):
        before = str(process)
        process = simplify_process(narrow_widths(process))
        if str(process) == before:
            break
    return process


def _narrow_banks(design: Design) -> Design:
    """Rounds of narrowing what is between processes and then the processes, as long as it helps."""
    for _ in design.buffers:
        before = design.buffers
        design = narrow_banks(design)
        design = replace(design, processes=tuple(_narrow(p) for p in design.processes))
        if design.buffers == before:
            break
    return design


class _Bindings:
    """Parameters of the process function and what they stand for."""

    def __init__(self, program: Program, call: ProcessCall, function: Function) -> None:
        if len(call.bindings) != len(function.params):
            raise SourceError(
                f"{call.name} must have {len(call.bindings)} arguments after compilation, "
                f"not {len(function.params)}",
                call.loc or function.loc,
                "pass structures and wide integers by reference",
            )
        self.call = call
        self.by_name: dict[str, Binding] = {}
        self.args: list[Arg] = []
        self.parameters: dict[str, Callable[[Builder], int]] = {}
        self.arrays: dict[str, ArrayInfo] = {}
        self.external: dict[str, Port] = {}  # by array
        self.ports = {p.name: p for p in program.ports}
        self.between: dict[str, Between] = {}  # by array
        shared = {b.name: b for b in program.buffers}
        self.channels = {c.name: c for c in program.channels}
        for (name, t), binding in zip(function.params, call.bindings, strict=True):
            self.by_name["%" + name] = binding
            if isinstance(t, IntType) and binding.kind in ("scalar", "const"):
                self._scalar(name, t.bits, binding)
            elif binding.kind == "array" and binding.target in shared:
                b = self.between["%" + name] = shared[binding.target]
                self.arrays["%" + name] = parse_type(b.type), None, b.loc
            elif binding.kind == "array":
                port = self.ports[binding.target]
                self.external["%" + name] = port
                kind: Type = IntType(port.width)
                for extent in [c.extent for c in port.part.cuts][::-1] if port.part else [port.depth]:
                    kind = ArrayType(extent, kind)
                self.arrays["%" + name] = kind, None, port.loc

    def _scalar(self, name: str, bits: int, binding: Binding) -> None:
        if binding.kind == "const":
            self.parameters[name] = lambda b: b.const(binding.value or 0, bits)
            return
        port = self.ports[binding.target]
        width, sign = min(bits, port.width), port.signed
        self.args.append(Arg(name, width, binding.target))
        self.parameters[name] = lambda b: b.resize(b.arg(name, width), bits, sign)

    def dependences(self, facts: LoopFacts) -> LoopFacts:
        """DEPENDENCE on an array argument, by the name of the parameter that is bound to it."""
        names = {f"p.{port.name}": array[1:] for array, port in self.external.items()}
        names |= {f"b.{b.name}": array[1:] for array, b in self.between.items()}
        mine = (replace(d, variable=names.get(d.variable, d.variable)) for d in facts.dependences)
        return replace(facts, dependences=tuple(mine))

    def channel(self, i: Instr) -> tuple[str, int]:
        assert i.access is not None
        binding = self.by_name.get(i.access.array)
        if binding is None or binding.kind not in ("channel", "channels"):
            raise SourceError(
                "a stream must be an argument of the process", i.loc, "pass it by reference"
            )
        if i.access.terms:
            raise SourceError(
                f"the stream array {i.access.array[1:]} must be indexed by constants",
                i.loc,
                "unroll the loop around it completely",
            )
        targets = binding.targets or (binding.target,)
        if not 0 <= i.access.offset < len(targets):
            raise SourceError(
                f"the index {i.access.offset} of {i.access.array[1:]} must be below {len(targets)}",
                i.loc,
                "correct the index",
            )
        name = targets[i.access.offset]
        return name, self.channels[name].width

    def output(self, i: Instr) -> tuple[str, int] | None:
        assert i.access is not None
        binding = self.by_name.get(i.access.array)
        if binding is None or binding.kind != "out":
            return None
        return binding.target, self.ports[binding.target].width


def _process(
    program: Program,
    call: ProcessCall,
    module: Module,
    options: Options,
    banks: dict[str, tuple[Between, Plan]],
    ports: dict[str, list[Port]],
    owners: dict[str, str],
) -> Process:
    """One process; `banks` gets those of the arrays that it shares, `ports` those of arguments that
    are cut, `owners` its static variables and its name."""
    function = module.functions[call.function]
    bindings = _Bindings(program, call, function)
    types: dict[str, ArrayInfo] = {
        "%" + i.name: (i.source_type, None, i.loc)
        for b in function.blocks
        for i in b.instrs
        if i.op == "alloca" and i.source_type is not None
    }
    types |= bindings.arrays
    function = resolve_addresses(function)
    arrays = _arrays(function, module, dict(types))
    static = {x for x in arrays if x.startswith("@") and not module.globals[x[1:]].constant}
    for x in sorted(static):
        _owned(x, call.name, owners, arrays[x][2])
    terms = Induction(Cfg(function)).term
    memories = MemoryMap(arrays, terms, bindings.external, bindings.between, static)
    accesses = [
        (i.access, access_size(i), i.loc)
        for b in function.blocks
        for i in b.instrs
        if i.op in ("load", "store") and i.access is not None and i.access.array in arrays
    ]
    memories.widen_leaves(accesses)
    for access, size, loc in accesses:
        memories.note(access, size, loc)
    taken: set[str] = set()

    def unique(name: str) -> str:
        got, n = name, 1
        while got in taken:
            got, n = f"{name}_{n}", n + 1
        taken.add(got)
        return got

    memories.plan(call.arrays, unique)
    cfg = Cfg(expand_memory_calls(function, memories))
    widths = {
        i.name: i.type.bits
        for x in cfg.order
        for i in cfg.blocks[x].instrs
        if i.name and isinstance(i.type, IntType)
    }
    widths |= {n: t.bits for n, t in function.params if isinstance(t, IntType)}
    env = Environment(
        cfg,
        memories,
        bindings.parameters,
        bindings.channel,
        bindings.output,
        lambda name, bits: name,
        widths,
    )
    loops = {k: bindings.dependences(f) for k, f in program.loops.items()}
    regions, variables = build_regions(env, loops, memories.banks_of(), options.flatten)
    banks |= memories.shared_banks()
    process = Process(
        call.name,
        tuple(regions),
        tuple(bindings.args),
        variables,
        tuple(memories.memories()),
        call.loc or function.loc,
        _limits(call, function),
    )
    # Before accesses are counted, which tells what ports a memory has.
    process, made = cut_arguments(fold_low_bits(process), memories.cut_arguments())
    ports |= made
    return replace(process, memories=with_ports(process.memories, process.regions))


def _limits(call: ProcessCall, function: Function) -> tuple[Allocation, ...]:
    """Those of functions that the process has anything of: what has lost its origin counts for them."""
    instrs = [i for b in function.blocks for i in b.instrs]
    inside = {s for i in instrs if i.loc is not None for s in i.loc.scopes}
    return tuple(a for a in call.allocations if a.whole or a.scope in inside)


def _arrays(function: Function, module: Module, arrays: dict[str, ArrayInfo]) -> dict[str, ArrayInfo]:
    """The arrays that the function uses: its own, constant tables and static variables."""
    for i in (i for b in function.blocks for i in b.instrs):
        for a in (i.access, i.source):
            if a is None or not a.array.startswith("@") or a.array in arrays:
                continue
            g = module.globals.get(a.array[1:])
            if g is None or g.init is None:
                raise SourceError(
                    f"the variable {a.array[1:]} must be defined in these files", i.loc, "define it"
                )
            loc = g.loc if g.constant else i.loc
            arrays[a.array] = (g.type, g.init, loc)
    return arrays


def _owned(variable: str, process: str, owners: dict[str, str], loc: Loc | None) -> None:
    """A static variable belongs to one process: two would race for it."""
    if owners.setdefault(variable, process) != process:
        raise SourceError(
            f"a static variable must be used by one process ({plain_name(variable[1:])}), not by "
            f"{owners[variable]} and {process}",
            loc,
            "pass the values by hls::stream",
        )
