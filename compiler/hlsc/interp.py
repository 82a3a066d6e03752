# SPDX-License-Identifier: Apache-2.0
"""Interpreter of `hlsc.ir.Design`: what a design means, in a form that can be run.

Every process becomes a Python generator that gives way when it must wait for a channel; regions are
turned into Python source once, so that a node costs a few tenths of a microsecond.  Channels are
unbounded, or hold what they declare (`bounded=True`), and then a deadlock is reported with the name
of every process and channel that takes part.

What is undefined (a read whose predicate is 0, a memory word never stored, an address beyond the end)
gives `undefined()`, 0 unless the caller passes a random source; a correct design gives the same outputs
whatever it returns.  Division by zero gives all ones, its remainder the dividend, as the hardware does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field

from hlsc.errors import HlscError
from hlsc.ir import Design, Node, Process, Region

__all__ = ["DeadlockError", "Result", "RunError", "interpret"]


class RunError(HlscError):
    """A run of the design did not end as it must (step limit)."""


class DeadlockError(RunError):
    """Every process that has not ended waits for a channel; the text names them all."""


@dataclass
class Result:
    """What one run gave: words per output stream, last value per scalar output, what was left over."""

    streams: dict[str, list[int]] = field(default_factory=dict)
    scalars: dict[str, int] = field(default_factory=dict)
    left: dict[str, int] = field(default_factory=dict)  # words not consumed, by channel
    iterations: dict[str, int] = field(default_factory=dict)  # "process.region" -> iterations
    arrays: dict[str, list[int]] = field(default_factory=dict)  # words behind ap_memory ports


_Wait = tuple[str, str]  # ("read" or "write", channel)


def interpret(
    design: Design,
    streams: Mapping[str, Sequence[int]] | None = None,
    scalars: Mapping[str, int] | None = None,
    *,
    arrays: Mapping[str, Sequence[int]] | None = None,
    kept: dict[tuple[str, str], list[int | None]] | None = None,
    bounded: bool = False,
    undefined: Callable[[], int] | None = None,
    limit: int = 50_000_000,
) -> Result:
    """Run the design once.

    `streams`: packed words per input stream port; `scalars`: value per scalar input port (bits, taken
    modulo its width); `arrays`: words behind ap_memory ports, else undefined; `kept`: static arrays by
    process and memory, which one run leaves to the next (None: as at power-on); `limit`: iterations of
    one process before RunError.  Raises DeadlockError.
    """
    queues: dict[str, deque[int]] = {c.name: deque([0] * c.initial) for c in design.channels}
    widths = {c.name: c.width for c in design.channels}
    for name, words in (streams or {}).items():
        if name not in queues:
            raise RunError(f"stimulus must be for a stream port, not {name}")
        queues[name].extend(w & ((1 << widths[name]) - 1) for w in words)
    caps: dict[str, int | None] = {
        c.name: c.depth if bounded and c.producer and c.consumer else None for c in design.channels
    }
    result = Result()
    source = undefined or (lambda: 0)
    ports = {p.name: p for p in design.ports}
    values = {
        n: (scalars or {}).get(n, 0) & ((1 << p.width) - 1)
        for n, p in ports.items()
        if p.kind not in {"axis", "ap_memory"} and p.direction == "in"
    }
    buffers = {
        b.name: [source() & ((1 << b.width) - 1) for _ in range(b.depth)] for b in design.buffers
    }
    for n, p in ports.items():
        if p.kind == "ap_memory":
            given = [w & ((1 << p.width) - 1) for w in (arrays or {}).get(n, ())]
            if given and len(given) != p.depth:
                raise RunError(f"array {n} must have {p.depth} words, not {len(given)}")
            result.arrays[n] = given or [source() & ((1 << p.width) - 1) for _ in range(p.depth)]
    running: dict[str, Generator[_Wait, None, None]] = {}
    kept = {} if kept is None else kept
    for process in design.processes:
        for m in process.memories:
            if m.start is not None:
                kept.setdefault((process.name, m.name), list(m.start))
        running[process.name] = _run(
            process, queues, caps, values, result, source, limit, buffers, kept
        )
    waits: dict[str, _Wait] = {}
    while running:
        moved = False
        for name in list(running):
            wait = waits.get(name)
            if wait is not None and not _ready(wait, queues, caps):
                continue
            moved = True
            try:
                waits[name] = next(running[name])
            except StopIteration:
                del running[name]
                waits.pop(name, None)
        if not moved:
            raise DeadlockError(_deadlock(design, waits, queues))
    for c in design.channels:
        if c.consumer is None:
            result.streams[c.name] = list(queues[c.name])
        elif queues[c.name] and not c.array:
            result.left[c.name] = len(queues[c.name])
    return result


def _ready(wait: _Wait, queues: Mapping[str, deque[int]], caps: Mapping[str, int | None]) -> bool:
    kind, channel = wait
    if kind == "read":
        return bool(queues[channel])
    cap = caps[channel]
    return cap is None or len(queues[channel]) < cap


def _deadlock(design: Design, waits: Mapping[str, _Wait], queues: Mapping[str, deque[int]]) -> str:
    channels = {c.name: c for c in design.channels}
    lines = ["deadlock: no process can go on"]
    for name, (kind, channel) in sorted(waits.items()):
        c = channels[channel]
        other = (c.producer if kind == "read" else c.consumer) or "the port"
        if c.array:
            what = f"waits for {'room in' if c.initial else 'the words of'} array {c.array}"
        else:
            fill = f"{len(queues[channel])} of {c.depth} words"
            what = f"waits to {kind} {channel} ({'empty' if kind == 'read' else 'full'}, {fill})"
        lines.append(f"{name} {what}, held up by {other}")
    return "; ".join(lines)


# ---------------------------------------------------------------------------------- regions

_INFIX = {"add": "+", "sub": "-", "mul": "*", "and": "&", "or": "|", "xor": "^"}
_SIGNLESS = {"eq": "==", "ne": "!=", "ult": "<", "ule": "<=", "ugt": ">", "uge": ">="}
_SIGNED = {"slt": "<", "sle": "<=", "sgt": ">", "sge": ">="}


def _signed(text: str, width: int) -> str:
    """Signed value of an unsigned expression."""
    return f"(({text}) ^ {1 << (width - 1)}) - {1 << (width - 1)}"


def _sdiv(a: int, b: int) -> int:
    if b == 0:
        return -1 if a >= 0 else 1
    q = abs(a) // abs(b)
    return q if (a < 0) == (b < 0) else -q


def _srem(a: int, b: int) -> int:
    return a if b == 0 else a - _sdiv(a, b) * b


def _expression(n: Node, width: Callable[[int], int]) -> str:
    """Python expression of a pure node over v<id> (all unsigned, below 2**width)."""
    mask = (1 << n.width) - 1
    a = [f"v{i}" for i in n.args]
    if n.op in _INFIX:
        text = f"{a[0]} {_INFIX[n.op]} {a[1]}"
        return f"({text}) & {mask}" if n.op in {"add", "sub", "mul"} else text
    if n.op in _SIGNLESS:
        return f"1 if {a[0]} {_SIGNLESS[n.op]} {a[1]} else 0"
    if n.op in _SIGNED:
        w = width(n.args[0])
        return f"1 if {_signed(a[0], w)} {_SIGNED[n.op]} {_signed(a[1], w)} else 0"
    if n.op == "shl":
        return f"({a[0]} << {a[1]}) & {mask} if {a[1]} < {n.width} else 0"
    if n.op == "lshr":
        return f"{a[0]} >> {a[1]}"
    if n.op == "ashr":
        return f"(({_signed(a[0], n.width)}) >> {a[1]}) & {mask}"
    if n.op == "udiv":
        return f"{a[0]} // {a[1]} if {a[1]} else {mask}"
    if n.op == "urem":
        return f"{a[0]} % {a[1]} if {a[1]} else {a[0]}"
    if n.op in {"sdiv", "srem"}:
        return f"_{n.op}({_signed(a[0], n.width)}, {_signed(a[1], n.width)}) & {mask}"
    if n.op == "zext":
        return a[0]
    if n.op == "sext":
        return f"({_signed(a[0], width(n.args[0]))}) & {mask}"
    if n.op == "trunc":
        return f"{a[0]} & {mask}"
    if n.op == "select":
        return f"{a[1]} if {a[0]} else {a[2]}"
    if n.op == "extract":
        return f"({a[0]} >> {n.value}) & {mask}"
    if n.op == "concat":
        parts, shift = [], n.width
        for i in n.args:
            shift -= width(i)
            parts.append(f"v{i} << {shift}" if shift else f"v{i}")
        return " | ".join(parts)
    raise AssertionError(n.op)


def _region_source(region: Region, process: Process) -> str:
    by_id = region.by_id()
    depth = {m.name: m.depth for m in process.memories}
    phis = [n for n in region.nodes if n.op == "phi"]
    pad, body = "    ", []

    def put(indent: int, text: str) -> None:
        body.append(pad * indent + text)

    put(0, "def region(V, A, M, Q, C, OUT, U, LIMIT):")
    for n in region.nodes:
        if n.op in {"const", "var", "arg"}:
            value = str(n.value) if n.op == "const" else f"{'V' if n.op == 'var' else 'A'}[{n.ref!r}]"
            put(1, f"v{n.id} = {value}")
    for n in phis:
        put(1, f"v{n.id} = v{n.args[0]}")
    put(1, "count = 0")
    put(1, "while True:")
    put(2, "count += 1")
    put(2, "if count > LIMIT: raise RunError")
    for n in region.nodes:
        if n.op in {"const", "var", "arg", "phi"}:
            continue
        i = 2
        if n.op in {"read", "write", "store", "out"} and n.pred is not None:
            put(2, f"if v{n.pred}:")
            i = 3
        if n.op == "read":
            put(i, f"while not Q[{n.ref!r}]: yield ('read', {n.ref!r})")
            put(i, f"v{n.id} = Q[{n.ref!r}].popleft()")
            if n.pred is not None:
                put(2, f"else: v{n.id} = U() & {(1 << n.width) - 1}")
        elif n.op == "write":
            put(i, f"while C[{n.ref!r}] is not None and len(Q[{n.ref!r}]) >= C[{n.ref!r}]:")
            put(i + 1, f"yield ('write', {n.ref!r})")
            put(i, f"Q[{n.ref!r}].append(v{n.args[0]})")
        elif n.op == "store":
            put(i, f"if v{n.args[0]} < {depth[n.ref or '']}: M[{n.ref!r}][v{n.args[0]}] = v{n.args[1]}")
        elif n.op == "out":
            put(i, f"OUT[{n.ref!r}] = v{n.args[0]}")
        elif n.op == "load":
            a = f"v{n.args[0]}"
            put(2, f"v{n.id} = M[{n.ref!r}][{a}] if {a} < {depth[n.ref or '']} else None")
            put(2, f"if v{n.id} is None: v{n.id} = U() & {(1 << n.width) - 1}")
        elif n.op == "empty":
            put(2, f"v{n.id} = 0 if Q[{n.ref!r}] else 1")
        else:
            put(2, f"v{n.id} = {_expression(n, lambda i: by_id[i].width)}")
    put(2, "break" if region.exit is None else f"if v{region.exit}: break")
    if phis:
        names = ", ".join(f"v{n.id}" for n in phis)
        nexts = ", ".join(f"v{n.args[1]}" for n in phis)
        put(2, f"{names} = {nexts}")
    live = ", ".join(f"{v!r}: v{i}" for v, i in sorted(region.liveouts.items()))
    put(1, f"V.update({{{live}}})")
    for cond, target in region.successors:
        if cond is None:
            put(1, f"return {target!r}, count")
            break
        put(1, f"if v{cond}: return {target!r}, count")
    put(1, "yield")  # makes it a generator also without channels
    return "\n".join(body)


def _run(
    process: Process,
    queues: dict[str, deque[int]],
    caps: dict[str, int | None],
    values: Mapping[str, int],
    result: Result,
    undefined: Callable[[], int],
    limit: int,
    buffers: Mapping[str, list[int]],
    kept: Mapping[tuple[str, str], list[int | None]],
) -> Generator[_Wait, None, None]:
    compiled = {}
    for region in process.regions:
        scope: dict[str, object] = {"_sdiv": _sdiv, "_srem": _srem, "RunError": _Limit}
        code = compile(_region_source(region, process), f"<{process.name}.{region.name}>", "exec")
        exec(code, scope)
        compiled[region.name] = scope["region"]
    variables = {v: undefined() & ((1 << w) - 1) for v, w in process.variables.items()}
    args = {a.name: values[a.port] for a in process.args}
    memories: dict[str, list[int | None]] = {
        m.name: [None] * m.depth if m.init is None else [*m.init, *([0] * (m.depth - len(m.init)))]
        for m in process.memories
        if m.external is None
    }
    for m in process.memories:
        if m.external is not None:
            memories[m.name] = {**buffers, **result.arrays}[m.external]  # type: ignore[assignment]
        elif m.start is not None:
            memories[m.name] = kept[process.name, m.name]
    where: str | None = process.regions[0].name
    while where is not None:
        region_function = compiled[where]
        key = f"{process.name}.{where}"
        left = limit - result.iterations.get(key, 0)
        try:
            where, count = yield from region_function(  # type: ignore[operator]
                variables, args, memories, queues, caps, result.scalars, undefined, left
            )
        except _Limit:
            raise RunError(f"{key} must end within {limit} iterations, and does not") from None
        result.iterations[key] = result.iterations.get(key, 0) + count


class _Limit(Exception):
    pass
