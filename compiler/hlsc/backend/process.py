# SPDX-License-Identifier: Apache-2.0
"""One process as one module: its regions one after the other, and what they share.

Ports: clk, rst, start (one cycle), done (one cycle); per stream read `i_<c>_valid`, `i_<c>_data`,
`i_<c>_ready` (out), per stream written `o_<c>_…`; `a_<argument>` per scalar argument; `s_<port>` and
`s_<port>_vld` per scalar output (registered).  Variables are registers that regions load as they end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hlsc.backend.mlir import Extern, Hw, Sig, identifier
from hlsc.backend.region import RegionHardware, Shared
from hlsc.errors import SourceError
from hlsc.ir import Channel, Memory, Port, Process
from hlsc.schedule.delays import memory_style
from hlsc.schedule.sdc import Schedule

__all__ = ["ProcessModule", "emit_process"]


@dataclass(frozen=True)
class ProcessModule:
    """The module, SystemVerilog of its tables, and the streams and ports that it uses."""

    hw: Hw
    tables: tuple[str, ...]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    args: tuple[tuple[str, str], ...]  # (input of the module, port of the top)
    outs: tuple[str, ...]


def emit_process(
    module: str,
    process: Process,
    schedules: Mapping[str, Schedule],
    channels: Mapping[str, Channel],
    ports: Mapping[str, Port],
) -> ProcessModule:
    """Emit `process`, whose regions are scheduled, under the module name `module`."""
    hw = Hw(module)
    hw.input("clk", 1)
    hw.input("rst", 1)
    start = hw.input("start", 1)
    shared = Shared()
    for a in process.args:
        hw.define(hw.later(f"arg_{a.name}", a.width), hw.input(f"a_{identifier(a.name)}", a.width))
    used_reads, used_writes, used_outs = _uses(process)
    for c in used_reads:
        hw.define(hw.later(f"{c}_valid", 1), hw.input(f"i_{identifier(c)}_valid", 1))
        hw.define(
            hw.later(f"{c}_data", channels[c].width),
            hw.input(f"i_{identifier(c)}_data", channels[c].width),
        )
    for c in used_writes:
        hw.define(hw.later(f"{c}_ready", 1), hw.input(f"o_{identifier(c)}_ready", 1))

    enters = {r.name: hw.later(f"enter_{r.name}", 1) for r in process.regions}
    regions = [
        RegionHardware(hw, process, schedules[r.name], enters[r.name], k, shared)
        for k, r in enumerate(process.regions)
    ]
    done = []
    for k, r in enumerate(process.regions):
        into = [start] if k == 0 else []
        for hardware in regions:
            for condition, (_, target) in zip(
                hardware.conditions, hardware.region.successors, strict=True
            ):
                if target == r.name:
                    into.append(condition)
        hw.define(enters[r.name], hw.any(*into))
    for hardware in regions:
        for condition, (_, target) in zip(hardware.conditions, hardware.region.successors, strict=True):
            if target is None:
                done.append(condition)
    hw.output("done", hw.any(*done))

    for name, width in sorted(process.variables.items()):
        into_var = hw.later(f"var_{name}", width)
        loads = shared.variables.get(name)
        if loads:
            hw.register(name, hw.choose(loads), hw.any(*(e for e, _ in loads)), into=into_var)
        else:  # read but never written: undefined in the source, 0 here
            hw.define(into_var, hw.const(0, width))

    tables = []
    for memory in process.memories:
        text = _memory(hw, module, memory, regions, shared)
        if text:
            tables.append(text)

    for c in used_reads:
        hw.output(f"i_{identifier(c)}_ready", hw.any(*(x.takes for x in shared.reads.get(c, []))))
    for c in used_writes:
        transfers = shared.writes[c]
        hw.output(f"o_{identifier(c)}_valid", hw.any(*(x.takes for x in transfers)))
        data = hw.choose([(x.wants, x.data) for x in transfers if x.data is not None])
        hw.output(f"o_{identifier(c)}_data", data)
    for p in used_outs:
        transfers = shared.outs[p]
        written = hw.any(*(x.takes for x in transfers))
        data = hw.choose([(x.wants, x.data) for x in transfers if x.data is not None])
        hw.output(f"s_{identifier(p)}", hw.register(f"{p}_out", data, written))
        vld = hw.register(f"{p}_vld", written, reset=(hw.rst, 0))
        hw.output(f"s_{identifier(p)}_vld", vld)
    return ProcessModule(
        hw,
        tuple(tables),
        used_reads,
        used_writes,
        tuple((f"a_{identifier(a.name)}", a.port) for a in process.args),
        used_outs,
    )


def _uses(process: Process) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    reads, writes, outs = set(), set(), set()
    for r in process.regions:
        for n in r.nodes:
            if n.op in {"read", "empty"}:
                reads.add(n.ref or "")
            elif n.op == "write":
                writes.add(n.ref or "")
            elif n.op == "out":
                outs.add(n.ref or "")
    return tuple(sorted(reads)), tuple(sorted(writes)), tuple(sorted(outs))


# ---------------------------------------------------------------------------------- memories


def _memory(
    hw: Hw,
    module: str,
    memory: Memory,
    regions: list[RegionHardware],
    shared: Shared,
) -> str:
    """Emit one memory; SystemVerilog text of its table if it is a ROM."""
    loads, stores = shared.loads.get(memory.name, []), shared.stores.get(memory.name, [])
    if not loads:
        return ""
    style = memory_style(memory)
    if memory.init is not None and stores:
        raise SourceError(
            f"array {memory.name} must not be both initialised and written",
            memory.loc,
            "initialise it in a loop, or make it const",
        )
    width, depth, aw = memory.width, memory.depth, memory.address_width
    if style == "register" and memory.init is None:
        _register_file(hw, memory, regions, shared)
        return ""
    if memory.init is not None and style != "bram":
        return _constant_tables(hw, module, memory, regions)
    rdata = hw.later(f"{memory.name}_rdata", width)
    address = hw.choose([(x.wants, x.address) for x in loads])
    enable = hw.any(*(x.takes for x in loads))
    size = (("WIDTH", width), ("DEPTH", depth), ("AW", aw))
    if memory.init is not None:
        table = f"{module}_{identifier(memory.name)}_rom"
        rom = Extern(table, (), (("clk", 1), ("re", 1), ("raddr", aw)), (("rdata", width),))
        feeds = {"clk": hw.clk1, "re": enable, "raddr": address}
        hw.instance(memory.name, rom, feeds, {"rdata": rdata}, memory.loc)
        return _rom_text(table, memory, clocked=True)
    write = {
        "we": hw.any(*(x.takes for x in stores)),
        "waddr": hw.choose([(x.wants, x.address) for x in stores]) if stores else hw.const(0, aw),
        "wdata": hw.choose([(x.wants, x.data) for x in stores]) if stores else hw.const(0, width),
    }
    ports = (("clk", 1), ("raddr", aw), ("we", 1), ("waddr", aw), ("wdata", width))
    feeds = {"clk": hw.clk1, "raddr": address, **write}
    if style == "bram":
        ram = Extern("hlsc_ram_1r1w", size, (*ports, ("re", 1)), (("rdata", width),))
        feeds["re"] = enable
    else:
        ram = Extern("hlsc_lutram_1r1w", size, ports, (("rdata", width),))
    hw.instance(memory.name, ram, feeds, {"rdata": rdata}, memory.loc)
    return ""


def _constant_tables(hw: Hw, module: str, memory: Memory, regions: list[RegionHardware]) -> str:
    """A small table: logic, one copy per load."""
    table = f"{module}_{identifier(memory.name)}_rom"
    aw, width = memory.address_width, memory.width
    rom = Extern(table, (), (("raddr", aw),), (("rdata", width),))
    for hardware in regions:
        for n in hardware.region.nodes:
            if n.op == "load" and n.ref == memory.name:
                address = hardware.value(n.args[0], hardware.t[n.id])
                value = hardware.shared.load_values[(hardware.region.name, n.id)]
                hw.instance(memory.name, rom, {"raddr": address}, {"rdata": value}, n.loc)
    return _rom_text(table, memory, clocked=False)


def _register_file(hw: Hw, memory: Memory, regions: list[RegionHardware], shared: Shared) -> None:
    """Words as registers: any number of reads, each a selection; one write per cycle and word."""
    stores = shared.stores.get(memory.name, [])
    words = []
    for k in range(memory.depth):
        hits = [(hw.all(x.takes, hw.equals(x.address, k)), x.data) for x in stores]
        enable = hw.any(*(h for h, _ in hits))
        data = hw.choose(hits) if hits else hw.const(0, memory.width)
        words.append(hw.register(f"{memory.name}_{k}", data, enable, loc=memory.loc))
    for hardware in regions:
        for n in hardware.region.nodes:
            if n.op == "load" and n.ref == memory.name:
                address = hardware.value(n.args[0], hardware.t[n.id])
                value = hardware.shared.load_values[(hardware.region.name, n.id)]
                hw.define(value, _select(hw, words, address))


def _select(hw: Hw, words: list[Sig], address: Sig) -> Sig:
    row = list(words)
    for b in range(address.width):
        bit = hw.extract(address, b, 1)
        row = [
            hw.mux(bit, row[k + 1], row[k]) if k + 1 < len(row) else row[k]
            for k in range(0, len(row), 2)
        ]
    return row[0]


def _rom_text(name: str, memory: Memory, *, clocked: bool) -> str:
    """A table as SystemVerilog; addresses beyond the table give 0."""
    width, aw = memory.width, memory.address_width
    assert memory.init is not None
    lines = [f"// {memory.name}: {memory.depth} words of {width} bits"]
    lines += [f"module {name} ("]
    if clocked:
        lines += ["    input  logic clk,", "    input  logic re,"]
    lines += [
        f"    input  logic [{aw - 1}:0] raddr,",
        f"    output logic [{width - 1}:0] rdata",
        ");",
        f"  logic [{width - 1}:0] word;",
        "  always_comb begin",
        "    case (raddr)",
    ]
    words = [*memory.init, *([0] * (memory.depth - len(memory.init)))]
    for k, word in enumerate(words):
        if word:
            lines.append(f"      {aw}'d{k}: word = {width}'h{word & ((1 << width) - 1):x};")
    lines += [f"      default: word = {width}'h0;", "    endcase", "  end"]
    if clocked:
        lines += ["  always_ff @(posedge clk) begin", "    if (re) rdata <= word;", "  end"]
    else:
        lines += ["  assign rdata = word;"]
    return "\n".join([*lines, "endmodule", ""])
