# SPDX-License-Identifier: Apache-2.0
"""The memories of a process: registers, tables, RAMs of hlsc's templates, ports to memories outside."""

from __future__ import annotations

from collections.abc import Sequence

from hlsc.backend.emit import templates
from hlsc.backend.mlir import Extern, Hw, Sig, identifier
from hlsc.backend.region import RegionHardware
from hlsc.backend.uses import LoadUse, Shared, StoreUse, rdata_name
from hlsc.errors import SourceError
from hlsc.ir import Memory
from hlsc.schedule.delays import memory_style

__all__ = ["emit_memory"]


def emit_memory(
    hw: Hw, module: str, memory: Memory, regions: Sequence[RegionHardware], shared: Shared
) -> str:
    """Emit one memory; SystemVerilog text of its table if it is a ROM, of its RAM if it is static."""
    loads, stores = shared.loads.get(memory.name, []), shared.stores.get(memory.name, [])
    if memory.external is not None and memory_style(memory) == "register":
        _words_outside(hw, memory, regions, shared)
        return ""
    if memory.external is not None:
        for port in sorted({x.port for x in loads} | {x.port for x in stores}):
            _outside(hw, memory, port, shared)
        return ""
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
    size = (("WIDTH", width), ("DEPTH", depth), ("AW", aw))
    if memory.ports != "1r1w" and style == "bram" and memory.init is None:
        return _with_ports(hw, module, memory, size, shared)
    if memory.init is not None:
        return _clocked_table(hw, module, memory, shared)
    rdata = hw.later(rdata_name(memory.name, 0), width)
    address = hw.choose([(x.wants, x.address) for x in loads])
    write = {
        "we": _writes(hw, memory, stores),
        "waddr": hw.choose([(x.wants, x.address) for x in stores]) if stores else hw.const(0, aw),
        "wdata": hw.choose([(x.wants, x.data) for x in stores]) if stores else hw.const(0, width),
    }
    ports = [("clk", 1), ("raddr", aw), ("we", 1), ("waddr", aw), ("wdata", width)]
    feeds = {"clk": hw.clk1, "raddr": address, **write}
    template = "hlsc_lutram_1r1w"
    if style == "bram":
        template = "hlsc_ram_1r1w"
        ports.append(("re", 1))
        feeds["re"] = hw.any(*(x.takes for x in loads))
    name, text = _ram(module, memory, template)
    ram = Extern(name, size, tuple(ports), (("rdata", width),))
    hw.instance(memory.name, ram, feeds, {"rdata": rdata}, memory.loc)
    return text


def _ram(module: str, memory: Memory, template: str) -> tuple[str, str]:
    """Module of a RAM: hlsc's own; of a static array a copy of it (name, text) with its first words."""
    if memory.start is None:
        return template, ""
    name = f"{module}_{identifier(memory.name)}_ram"
    lines = ["  initial begin", "    for (int i = 0; i < DEPTH; ++i) mem[i] = '0;"]
    lines += [
        f"    mem[{k}] = {memory.width}'h{word & ((1 << memory.width) - 1):x};"
        for k, word in enumerate(memory.start)
        if word
    ]
    text = templates([template]).replace(template, name)
    # What a block `always_ff` writes, no other may.
    text = text.replace("always_ff @(", "always @(")
    at = text.rindex("endmodule")
    return name, text[:at] + "\n".join(["", *lines, "  end", ""]) + text[at:]


def _uses(
    memory: Memory, port: int, shared: Shared
) -> tuple[list[LoadUse], list[StoreUse], list[LoadUse | StoreUse]]:
    """Loads, stores and both that go through one port."""
    loads = [x for x in shared.loads.get(memory.name, []) if x.port == port]
    stores = [x for x in shared.stores.get(memory.name, []) if x.port == port]
    return loads, stores, [*loads, *stores]


def _outside(hw: Hw, memory: Memory, port: int, shared: Shared) -> None:
    """Pins of one port of a memory outside, which answers in the cycle behind `ce`."""
    loads, stores, both = _uses(memory, port, shared)
    pin = f"m_{identifier(memory.external or '')}_"
    hw.output(f"{pin}address{port}", hw.choose([(x.wants, x.address) for x in both]))
    hw.output(f"{pin}ce{port}", hw.any(*(x.takes for x in both)))
    if stores:
        hw.output(f"{pin}we{port}", hw.any(*(x.takes for x in stores)))
        hw.output(f"{pin}d{port}", hw.choose([(x.wants, x.data) for x in stores]))
    if loads:
        q = hw.input(f"{pin}q{port}", memory.width)
        hw.define(hw.later(rdata_name(memory.name, port), memory.width), q)


def _words_outside(hw: Hw, memory: Memory, regions: Sequence[RegionHardware], shared: Shared) -> None:
    """Pins of the registers between two processes: each word's value, and what it is to become."""
    pin = f"m_{identifier(memory.external or '')}_"
    for k in range(memory.depth if shared.stores.get(memory.name) else 0):
        enable, data = _written(hw, memory, k, shared)
        hw.output(f"{pin}we{k}", enable)
        hw.output(f"{pin}d{k}", data)
    if shared.loads.get(memory.name):
        words = [hw.input(f"{pin}q{k}", memory.width) for k in range(memory.depth)]
        _define_loads(hw, memory, regions, words)


def _with_ports(
    hw: Hw, module: str, memory: Memory, size: tuple[tuple[str, int], ...], shared: Shared
) -> str:
    """A block RAM whose ports both read and write: one of them or two."""
    aw, width = memory.address_width, memory.width
    ends = ("",) if memory.ports == "1rw" else ("_a", "_b")
    inputs: list[tuple[str, int]] = [("clk", 1)]
    feeds = {"clk": hw.clk1}
    results: dict[str, Sig] = {}
    for port, end in enumerate(ends):
        _, stores, both = _uses(memory, port, shared)
        one = {
            f"en{end}": hw.any(*(x.takes for x in both)),
            f"we{end}": _writes(hw, memory, stores),
            f"addr{end}": hw.choose([(x.wants, x.address) for x in both] or [_none(hw, aw)]),
            f"wdata{end}": hw.choose([(x.wants, x.data) for x in stores] or [_none(hw, width)]),
        }
        inputs += [(name, sig.width) for name, sig in one.items()]
        feeds |= one
        results[f"rdata{end}"] = hw.later(rdata_name(memory.name, port), width)
    template = "hlsc_ram_1rw" if memory.ports == "1rw" else "hlsc_ram_2rw"
    name, text = _ram(module, memory, template)
    ram = Extern(name, size, tuple(inputs), tuple((n, width) for n in results))
    hw.instance(memory.name, ram, feeds, results, memory.loc)
    return text


def _none(hw: Hw, width: int) -> tuple[Sig, Sig]:
    return hw.const(0, 1), hw.const(0, width)


def _clocked_table(hw: Hw, module: str, memory: Memory, shared: Shared) -> str:
    """A table in block RAM, once per port."""
    table, aw = f"{module}_{identifier(memory.name)}_rom", memory.address_width
    rom = Extern(table, (), (("clk", 1), ("re", 1), ("raddr", aw)), (("rdata", memory.width),))
    for port in sorted({x.port for x in shared.loads[memory.name]}):
        loads = _uses(memory, port, shared)[0]
        feeds = {
            "clk": hw.clk1,
            "re": hw.any(*(x.takes for x in loads)),
            "raddr": hw.choose([(x.wants, x.address) for x in loads]),
        }
        result = hw.later(rdata_name(memory.name, port), memory.width)
        hw.instance(memory.name, rom, feeds, {"rdata": result}, memory.loc)
    return _rom_text(table, memory, clocked=True)


def _constant_tables(hw: Hw, module: str, memory: Memory, regions: Sequence[RegionHardware]) -> str:
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


def _register_file(hw: Hw, memory: Memory, regions: Sequence[RegionHardware], shared: Shared) -> None:
    """Words as registers: any number of reads, each a selection; one write per cycle and word."""
    words = []
    for k in range(memory.depth):
        enable, data = _written(hw, memory, k, shared)
        first = None if memory.start is None else memory.start[k]
        words.append(hw.register(f"{memory.name}_{k}", data, enable, loc=memory.loc, initial=first))
    _define_loads(hw, memory, regions, words)


def _written(hw: Hw, memory: Memory, k: int, shared: Shared) -> tuple[Sig, Sig]:
    """Whether word k is written, and with what."""
    stores = shared.stores.get(memory.name, [])
    hits = [(hw.all(x.takes, hw.equals(x.address, k)), x.data) for x in stores]
    enable = hw.any(*(h for h, _ in hits))
    if memory.start is not None:
        enable = _out_of_reset(hw, enable)
    return enable, hw.choose(hits) if hits else hw.const(0, memory.width)


def _writes(hw: Hw, memory: Memory, stores: Sequence[StoreUse]) -> Sig:
    enable = hw.any(*(x.takes for x in stores))
    return enable if memory.start is None else _out_of_reset(hw, enable)


def _out_of_reset(hw: Hw, enable: Sig) -> Sig:
    """What a static array starts with must outlive the first cycle of reset, in which a process that
    is not reset yet may store anything."""
    return hw.all(enable, hw.inv(hw.rst))


def _define_loads(hw: Hw, memory: Memory, regions: Sequence[RegionHardware], words: list[Sig]) -> None:
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
