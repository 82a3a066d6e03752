# SPDX-License-Identifier: Apache-2.0
"""The intermediate representation between hlsc's front end and its back end.

A `Design` is a set of `Process`es joined by FIFO `Channel`s (one process if the top function has no
DATAFLOW).  A process is a state machine over `Region`s.  A region is a data-flow graph that is run
once (a block) or iterated in a pipeline (a loop); all control inside it has been turned into
predicates.  Values are bit vectors without a sign; operations carry the sign where it matters.

Execution of a region, one iteration: every node is evaluated in order; nodes with side effects
(`SIDE_EFFECTS`) act only where their predicate is 1; loads see the stores of earlier iterations and
those that stand before them in node order.  A loop iterates until `exit` is 1; the iteration in which
it is 1 is evaluated whole, so side effects that must not happen then are predicated with its negation.
On leaving, `liveouts` are copied to the process's variables, and the first successor whose condition
is 1 (None: always) is entered; a target None ends the process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hlsc.parts import Part

__all__ = [
    "BINARY",
    "COMPARE",
    "SHAREABLE",
    "SIDE_EFFECTS",
    "Allocation",
    "Arg",
    "Buffer",
    "Channel",
    "Dependence",
    "Design",
    "IRError",
    "Loc",
    "Memory",
    "Node",
    "Port",
    "Process",
    "Region",
]


class IRError(Exception):
    """The IR breaks one of its own rules: a bug in hlsc, not in the user's program."""


@dataclass(frozen=True)
class Loc:
    """A place in the user's source: file name as the user gave it, line from 1.

    `scopes`: the functions with an ALLOCATION that it belongs to, calls inlined (`Allocation.scope`).
    """

    file: str
    line: int
    scopes: tuple[int, ...] = field(default=(), compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


BINARY = frozenset("add sub mul and or xor shl lshr ashr udiv sdiv urem srem".split())
"""Operands and result have one width; shl, lshr and ashr by the width or more give 0, 0, sign."""

COMPARE = frozenset("eq ne ult ule ugt uge slt sle sgt sge".split())
"""Operands have one width, the result 1 bit."""

SHAREABLE = frozenset("add sub mul shl lshr ashr udiv sdiv urem srem".split())
"""Operations whose operators ALLOCATION may limit, so that several share one."""

SIDE_EFFECTS = frozenset("store read write out".split())
"""Operations that take a predicate.  A `read` whose predicate is 0 gives an undefined value."""

_LEAVES = frozenset("const var arg phi".split())
_CASTS = frozenset("zext sext trunc".split())
_OTHER = frozenset("select extract concat load empty".split())
_OPS = BINARY | COMPARE | SIDE_EFFECTS | _LEAVES | _CASTS | _OTHER


@dataclass(frozen=True)
class Node:
    """One operation.  `args` are node ids of the same region.

    =========  ====================================  =====================================
    op         args                                  attributes
    =========  ====================================  =====================================
    const                                            `value`, 0 <= value < 2**width
    var                                              `ref`: variable of the process, on entry
    arg                                              `ref`: scalar argument of the process
    phi        (init, next); init: const, var, arg   value of the present iteration
    BINARY     (a, b)
    COMPARE    (a, b)                                width 1
    zext …     (a,)                                  zext, sext, trunc
    select     (cond, if_one, if_zero)
    extract    (a,)                                  `value`: lowest bit taken
    concat     (high, …, low)
    load       (address,)                            `ref`: memory
    store      (address, data)                       `ref`: memory, `pred`, width 0
    read       ()                                    `ref`: channel, `pred`
    write      (data,)                               `ref`: channel, `pred`, width 0
    empty      ()                                    `ref`: channel, width 1
    out        (data,)                               `ref`: output port, `pred`, width 0
    =========  ====================================  =====================================
    """

    id: int
    op: str
    width: int
    args: tuple[int, ...] = ()
    value: int | None = None
    ref: str | None = None
    pred: int | None = None
    name: str = ""
    loc: Loc | None = None

    def __str__(self) -> str:
        text = f"%{self.id} = {self.op}.{self.width}" if self.width else f"%{self.id}: {self.op}"
        if self.ref is not None:
            text += f" @{self.ref}"
        if self.args:
            text += " " + ", ".join(f"%{a}" for a in self.args)
        if self.value is not None:
            text += f" [{self.value}]"
        if self.pred is not None:
            text += f" if %{self.pred}"
        if self.name:
            text += f" ; {self.name}"
        return text


@dataclass(frozen=True)
class Dependence:
    """A DEPENDENCE pragma: what the programmer promises about a memory in one loop.

    `kind` is RAW, WAR, WAW or "" for all; `inter` False speaks of one iteration, True of different
    ones; `distance` None means "no such dependence", n means "n iterations apart at least".
    """

    memory: str
    kind: str = ""
    inter: bool = True
    distance: int | None = None


@dataclass(frozen=True)
class Region:
    """A block (`exit` None, run once) or a loop, as one predicated data-flow graph."""

    name: str
    nodes: tuple[Node, ...]
    exit: int | None = None
    liveouts: Mapping[str, int] = field(default_factory=dict)
    successors: tuple[tuple[int | None, str | None], ...] = ((None, None),)
    ii: int | None = None  # asked initiation interval; None: as small as possible
    pipelined: bool = True  # False: iterations do not overlap
    dependences: tuple[Dependence, ...] = ()
    label: str = ""  # the loop's label in the source
    loc: Loc | None = None

    @property
    def is_loop(self) -> bool:
        return self.exit is not None

    def by_id(self) -> dict[int, Node]:
        return {n.id: n for n in self.nodes}

    def __str__(self) -> str:
        head = f"{'loop' if self.is_loop else 'block'} {self.name}"
        if self.is_loop:
            head += f" exit %{self.exit}" + (f" ii {self.ii}" if self.ii else "")
        lines = [head] + [f"  {n}" for n in self.nodes]
        lines += [f"  {v} := %{n}" for v, n in sorted(self.liveouts.items())]
        for cond, target in self.successors:
            lines.append(f"  -> {target or 'end'}" + ("" if cond is None else f" if %{cond}"))
        return "\n".join(lines)


@dataclass(frozen=True)
class Allocation:
    """At most `limit` operators do the operations `op` of a function in a process that holds it.

    `scope`: the function, as in `Loc.scopes`; `whole`: it is the process's own, to which all belongs.
    """

    op: str
    limit: int
    scope: int
    function: str
    whole: bool = False
    loc: Loc | None = None


@dataclass(frozen=True)
class Memory:
    """An array that stays a memory: `depth` words of `width` bits, one address space, one bank.

    `style`: auto, register, lutram, bram; `init` makes it a ROM if nothing stores to it; with `start`
    it is static: it keeps its words between runs, and these are the first.  `ports`: 1r1w
    (one read and one write per cycle), 1rw (one access), 2rw (two accesses, each a read or a write).
    `external`: the array argument of the top whose memory lies outside, behind an ap_memory port, or
    the buffer between processes.  Then `take` and `give` are the channels of its tokens: what stands
    behind a read of `take` must not come before it, what stands before a write of `give` not after it.
    """

    name: str
    width: int
    depth: int
    style: str = "auto"
    init: tuple[int, ...] | None = None
    loc: Loc | None = None
    ports: str = "1r1w"
    external: str | None = None
    take: str | None = None
    give: str | None = None
    start: tuple[int, ...] | None = None

    @property
    def address_width(self) -> int:
        return max(1, (self.depth - 1).bit_length())


@dataclass(frozen=True)
class Arg:
    """A scalar argument of a process: the value of a scalar input port, constant during a run."""

    name: str
    width: int
    port: str


@dataclass(frozen=True)
class Process:
    name: str
    regions: tuple[Region, ...]  # the first is the entry
    args: tuple[Arg, ...] = ()
    variables: Mapping[str, int] = field(default_factory=dict)  # name -> width
    memories: tuple[Memory, ...] = ()
    loc: Loc | None = None
    allocations: tuple[Allocation, ...] = ()

    def __str__(self) -> str:
        lines = [f"process {self.name}"]
        lines += [f"limit {a.limit} {a.op} in {a.function}" for a in self.allocations]
        lines += [f"arg {a.name}.{a.width} = port {a.port}" for a in self.args]
        lines += [f"var {n}.{w}" for n, w in sorted(self.variables.items())]
        for m in self.memories:
            rom = "" if m.init is None else " rom"
            rom += "" if m.start is None else " static"
            rom += "" if m.ports == "1r1w" else f" {m.ports}"
            rom += "" if m.external is None else f" port {m.external}"
            lines.append(f"memory {m.name} {m.depth}x{m.width} {m.style}{rom}")
        lines += [str(r) for r in self.regions]
        return "\n".join(lines)


@dataclass(frozen=True)
class Channel:
    """A stream.  `producer` or `consumer` None: the stream port of the same name.

    `fields` are the members of a structured word, lowest bits first; their widths add up to `width`.
    `array`: its words are tokens of that array between processes and carry nothing; `initial` of them
    are in it at first, and again when all processes have ended.
    """

    name: str
    width: int
    depth: int = 2
    producer: str | None = None
    consumer: str | None = None
    fields: tuple[tuple[str, int], ...] = ()
    loc: Loc | None = None
    array: str = ""
    initial: int = 0


@dataclass(frozen=True)
class Buffer:
    """A bank of an array between two processes, which take turns at its `halves` (1 or 2).

    Each of them has a `Memory` with its name as `external`, whose `depth` is that of all halves: the
    second begins at `half`, a power of two, so that the highest bit of an address tells the half.
    `style`: register, lutram, bram; `turns`: each half is a block RAM of its own, both ports of which
    are those of the process that has it; else there is one, with a port for each process.
    """

    name: str
    width: int
    depth: int
    producer: str
    consumer: str
    loc: Loc | None = None
    array: str = ""
    halves: int = 1
    half: int = 0
    style: str = "bram"
    turns: bool = False

    @property
    def address_width(self) -> int:
        return max(1, (self.depth - 1).bit_length())


@dataclass(frozen=True)
class Port:
    """An argument of the top function.

    `kind`: axis (its channel has the same name), s_axilite, ap_none, ap_vld, ap_memory; `direction`: in
    or out, of a memory that is read and written inout.  `offset` is the byte offset in the s_axilite
    register map, `bundle` its name; `depth` the number of words behind an ap_memory port; `part` what
    of an array the port carries, if not all of it.
    """

    name: str
    kind: str
    direction: str
    width: int
    offset: int | None = None
    bundle: str = ""
    signed: bool = False
    loc: Loc | None = None
    depth: int = 0
    part: Part | None = None


@dataclass(frozen=True)
class Design:
    top: str
    ports: tuple[Port, ...]
    processes: tuple[Process, ...]
    channels: tuple[Channel, ...] = ()
    control: str = "ap_ctrl_hs"  # or ap_ctrl_none
    control_bundle: str = ""  # s_axilite bundle that carries ap_ctrl_hs; "": plain wires
    loc: Loc | None = None
    buffers: tuple[Buffer, ...] = ()

    def __str__(self) -> str:
        lines = [f"design {self.top} {self.control}"]
        for p in self.ports:
            at = "" if p.offset is None else f" @0x{p.offset:x}"
            at += f" depth {p.depth}" if p.depth else ""
            lines.append(f"port {p.name} {p.kind} {p.direction} {p.width}{at}")
        for c in self.channels:
            ends = f"{c.producer or 'port'} -> {c.consumer or 'port'}"
            tokens = f" tokens {c.initial} of {c.array}" if c.array else ""
            lines.append(f"channel {c.name}.{c.width} depth {c.depth} {ends}{tokens}")
        for b in self.buffers:
            halves = f" halves at {b.half}" if b.halves > 1 else ""
            what = f"{b.depth}x{b.width} {b.style}{halves}"
            lines.append(f"buffer {b.name} {what} {b.producer} -> {b.consumer}")
        return "\n".join(lines + [str(p) for p in self.processes]) + "\n"

    def validate(self) -> Design:
        """Check every rule that the types do not express; returns the design, raises IRError."""
        channels = {c.name: c for c in self.channels}
        ports = {p.name: p for p in self.ports}
        processes = {p.name for p in self.processes}
        buffers = {b.name: b for b in self.buffers}
        outside = [m.external for p in self.processes for m in p.memories if m.external is not None]
        for kind, names in (
            ("ap_memory port", [x for x in outside if x not in buffers]),
            ("port and buffer", [*ports, *buffers]),
            ("channel", [c.name for c in self.channels]),
            ("port", [p.name for p in self.ports]),
            ("process", [p.name for p in self.processes]),
            *((f"region of {p.name}", [r.name for r in p.regions]) for p in self.processes),
            *((f"memory of {p.name}", [m.name for m in p.memories]) for p in self.processes),
        ):
            if len(set(names)) != len(names):
                raise IRError(f"every {kind} must have a name of its own: {', '.join(names)}")
        for c in self.channels:
            if c.depth < 1:
                raise IRError(f"channel {c.name}: depth must be 1 or more, not {c.depth}")
            for end in (c.producer, c.consumer):
                if end is not None and end not in processes:
                    raise IRError(f"channel {c.name}: unknown process {end}")
            if c.fields and sum(w for _, w in c.fields) != c.width:
                raise IRError(f"channel {c.name}: fields must add up to {c.width} bits")
        for process in self.processes:
            for m in process.memories:
                words = m.init or m.start or ()
                if m.depth < 1 or len(words) > m.depth or any(w >> m.width or w < 0 for w in words):
                    raise IRError(f"{process.name}.{m.name}: initial words must fit the memory")
                if m.ports not in {"1r1w", "1rw", "2rw"}:
                    raise IRError(f"{process.name}.{m.name}: ports must be 1r1w, 1rw or 2rw")
                if m.external is None:
                    continue
                place = buffers.get(m.external) or ports.get(m.external)
                if place is None or (place.width, place.depth) != (m.width, m.depth):
                    raise IRError(f"{process.name}.{m.name}: no port {m.external} of this size")
                ends = (place.producer, place.consumer) if isinstance(place, Buffer) else ()
                if ends and process.name not in ends:
                    raise IRError(f"{process.name}.{m.name}: buffer {place.name} joins other processes")
            for region in process.regions:
                where = f"{process.name}.{region.name}"
                _check_region(where, process, region, channels, ports)
        return self


def _check_region(
    where: str,
    process: Process,
    region: Region,
    channels: Mapping[str, Channel],
    ports: Mapping[str, Port],
) -> None:
    def must(ok: bool, node: Node | None, rule: str) -> None:
        if not ok:
            raise IRError(f"{where}: {rule}" + (f": {node}" if node else ""))

    seen: dict[int, Node] = {}
    by_id = region.by_id()
    must(len(by_id) == len(region.nodes), None, "node ids must be unique")
    memories = {m.name: m for m in process.memories}
    args = {a.name: a.width for a in process.args}
    for n in region.nodes:
        must(n.op in _OPS, n, "unknown operation")
        operands = n.args[:1] if n.op == "phi" else n.args
        for a in (*operands, *(() if n.pred is None else (n.pred,))):
            must(a in seen, n, f"operand %{a} must stand before its use")
        w = [seen[a].width for a in operands]
        if n.pred is not None:
            must(n.op in SIDE_EFFECTS and seen[n.pred].width == 1, n, "bad predicate")
        if n.op == "const":
            must(n.value is not None and 0 <= n.value < 1 << n.width, n, "value must fit")
        elif n.op == "var":
            must(process.variables.get(n.ref or "") == n.width, n, "variable and width must match")
        elif n.op == "arg":
            must(args.get(n.ref or "") == n.width, n, "argument and width must match")
        elif n.op == "phi":
            must(len(n.args) == 2 and seen[n.args[0]].op in {"const", "var", "arg"}, n, "bad init")
            must(n.args[1] in by_id and by_id[n.args[1]].width == n.width, n, "bad next")
            must(w == [n.width], n, "widths must match")
        elif n.op in BINARY:
            must(w == [n.width] * 2, n, "widths must match")
        elif n.op in COMPARE:
            must(len(w) == 2 and w[0] == w[1] and n.width == 1, n, "widths must match")
        elif n.op in {"zext", "sext"}:
            must(len(w) == 1 and w[0] < n.width, n, "must widen")
        elif n.op == "trunc":
            must(len(w) == 1 and w[0] > n.width, n, "must narrow")
        elif n.op == "select":
            must(w == [1, n.width, n.width], n, "widths must match")
        elif n.op == "extract":
            must(len(w) == 1 and n.value is not None and n.value + n.width <= w[0], n, "range")
        elif n.op == "concat":
            must(sum(w) == n.width, n, "widths must add up")
        elif n.op in {"load", "store"}:
            must(n.ref in memories, n, "unknown memory")
            m = memories[n.ref or ""]
            must(w[:1] == [m.address_width], n, f"address must have {m.address_width} bits")
            must((n.width if n.op == "load" else w[1]) == m.width, n, "data width must match")
        elif n.op in {"read", "write", "empty"}:
            must(n.ref in channels, n, "unknown channel")
            c = channels[n.ref or ""]
            end = c.producer if n.op == "write" else c.consumer
            must(end == process.name, n, f"process must be the channel's end, not {end}")
            if n.op != "empty":
                must((w[0] if n.op == "write" else n.width) == c.width, n, "width must match")
        elif n.op == "out":
            must(n.ref in ports and ports[n.ref or ""].direction == "out", n, "unknown output")
            must(w == [ports[n.ref or ""].width], n, "width must match")
        seen[n.id] = n
    if region.exit is not None:
        must(region.exit in by_id and by_id[region.exit].width == 1, None, "exit must be one bit")
    else:
        must(all(n.op != "phi" for n in region.nodes), None, "a block must have no phi")
    for v, i in region.liveouts.items():
        must(i in by_id and by_id[i].width == process.variables.get(v), None, f"bad liveout {v}")
    names = {r.name for r in process.regions}
    must(region.successors[-1][0] is None, None, "the last successor must be unconditional")
    for cond, target in region.successors:
        must(cond is None or (cond in by_id and by_id[cond].width == 1), None, "bad condition")
        must(target is None or target in names, None, f"unknown successor {target}")
