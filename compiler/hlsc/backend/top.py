# SPDX-License-Identifier: Apache-2.0
"""The top module: processes, FIFOs between them, register slices at stream ports, start and done.

Port names are those that Vitis HLS gives: ap_clk, ap_rst_n (active low), `<stream>_TDATA` …,
`s_axi_<bundle>_*` and `interrupt`, or ap_start, ap_done, ap_idle, ap_ready as wires.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from hlsc.backend import axilite
from hlsc.backend.buffers import Buffers
from hlsc.backend.mlir import Extern, Hw, Sig, identifier
from hlsc.backend.process import ProcessModule
from hlsc.errors import HlscError
from hlsc.ir import Channel, Design

__all__ = ["SIDE_CHANNELS", "axis_signals", "emit_top"]

SIDE_CHANNELS = ("data", "keep", "strb", "user", "last", "id", "dest")
"""Members of an axis word that become signals of their own."""

_BUS_IN = "AWADDR AWVALID WDATA WSTRB WVALID BREADY ARADDR ARVALID RREADY".split()
_BUS_OUT = "AWREADY WREADY BRESP BVALID ARREADY RDATA RRESP RVALID".split()


def axis_signals(channel: Channel) -> tuple[tuple[str, int, int, int], ...]:
    """Signals of a stream port: (suffix, width of the signal, lowest bit in the word, bits of it).

    TDATA is padded to whole bytes; a word without `data`, or with members that AXI4-Stream does not
    know, is TDATA as a whole.
    """
    names = [n for n, _ in channel.fields]
    if "data" not in names or any(n not in SIDE_CHANNELS for n in names):
        return (("TDATA", -(-channel.width // 8) * 8, 0, channel.width),)
    found, low = [], 0
    for name, width in channel.fields:
        if width:
            padded = -(-width // 8) * 8 if name == "data" else width
            found.append((f"T{name.upper()}", padded, low, width))
        low += width
    return tuple(found)


def emit_top(design: Design, modules: Mapping[str, ProcessModule]) -> Hw:
    """The top module over the modules of its processes, in the order of the design."""
    return _Top(design, modules).hw


class _Top:
    def __init__(self, design: Design, modules: Mapping[str, ProcessModule]) -> None:
        self.design, self.modules = design, modules
        self.hw = hw = Hw(design.top, clock="ap_clk")
        hw.input("ap_clk", 1)
        reset_n = hw.input("ap_rst_n", 1)
        self.rst = hw.inv(reset_n)
        self.scalars: dict[str, Sig] = {}
        self.drained: list[Sig] = []
        self.start = hw.later("run_start", 1)  # one cycle: every process begins
        self.done = hw.later("run_done", 1)
        self.ap_start = hw.later("ap_start_w", 1)
        self.idle = hw.later("run_idle", 1)
        self._streams()
        self.buffers = Buffers(hw, design, self.rst, self.done)
        self._processes()
        self.buffers.emit()
        self._run()
        self._control()

    def _streams(self) -> None:
        hw = self.hw
        for c in self.design.channels:
            ends = (c.producer, c.consumer)
            if c.depth < 1:
                raise HlscError(f"stream {c.name} must hold at least 1 word, not {c.depth}")
            if ends == (None, None):
                raise HlscError(f"stream {c.name} must be used by a process")
            name = identifier(c.name)
            used_in = c.producer is None or c.name in self.modules[c.producer].writes
            used_out = c.consumer is None or c.name in self.modules[c.consumer].reads
            template = "hlsc_fifo" if None not in ends else "hlsc_axis_slice"
            size: tuple[tuple[str, int], ...] = (("WIDTH", c.width),)
            if None not in ends:
                size += (("DEPTH", c.depth),)
            feeds = {
                "clk": hw.clk1,
                "rst": self.rst,
                "in_valid": hw.later(f"w_{name}_valid", 1) if used_in else hw.const(0, 1),
                "in_data": hw.later(f"w_{name}_data", c.width) if used_in else hw.const(0, c.width),
                "out_ready": hw.later(f"r_{name}_ready", 1) if used_out else hw.const(0, 1),
            }
            results = {
                "in_ready": hw.later(f"w_{name}_ready", 1),
                "out_valid": hw.later(f"r_{name}_valid", 1),
                "out_data": hw.later(f"r_{name}_data", c.width),
            }
            if c.array:
                template, size = "hlsc_tokens", (("DEPTH", c.depth), ("INITIAL", c.initial))
                del feeds["in_data"]
                hw.define(results.pop("out_data"), hw.const(0, c.width))
            buffer = Extern(
                template,
                size,
                tuple((n, x.width) for n, x in feeds.items()),
                tuple((n, x.width) for n, x in results.items()),
            )
            label = f"{c.name}_{'fifo' if None not in ends else 'slice'}"
            hw.instance(label, buffer, feeds, results, c.loc)
            if c.producer is None:
                self._stream_in(c)
            if c.consumer is None:
                self._stream_out(c)
                self.drained.append(hw.inv(results["out_valid"]))

    def _stream_in(self, c: Channel) -> None:
        hw, name = self.hw, identifier(c.name)
        parts = []
        for suffix, width, _, bits in axis_signals(c):
            parts.append(hw.extract(hw.input(f"{name}_{suffix}", width), 0, bits))
        hw.define(hw.later(f"w_{name}_data", c.width), hw.concat(*reversed(parts)))
        hw.define(hw.later(f"w_{name}_valid", 1), hw.input(f"{name}_TVALID", 1))
        hw.output(f"{name}_TREADY", hw.later(f"w_{name}_ready", 1))

    def _stream_out(self, c: Channel) -> None:
        hw, name = self.hw, identifier(c.name)
        word = hw.later(f"r_{name}_data", c.width)
        for suffix, width, low, bits in axis_signals(c):
            hw.output(f"{name}_{suffix}", hw.zext(hw.extract(word, low, bits), width))
        hw.output(f"{name}_TVALID", hw.later(f"r_{name}_valid", 1))
        hw.define(hw.later(f"r_{name}_ready", 1), hw.input(f"{name}_TREADY", 1))

    def _processes(self) -> None:
        hw = self.hw
        self.ended: list[Sig] = []
        self.outs: dict[str, tuple[Sig, Sig]] = {}
        for p in self.design.processes:
            m = self.modules[p.name]
            feeds = {"rst": self.rst, "start": self.start}
            results = {"done": hw.later(f"p_{identifier(p.name)}_done", 1)}
            channels = {c.name: c for c in self.design.channels}
            for c in m.reads:
                n, w = identifier(c), channels[c].width
                feeds[f"i_{n}_valid"] = hw.later(f"r_{n}_valid", 1)
                feeds[f"i_{n}_data"] = hw.later(f"r_{n}_data", w)
                results[f"i_{n}_ready"] = hw.later(f"r_{n}_ready", 1)
            for c in m.writes:
                n, w = identifier(c), channels[c].width
                feeds[f"o_{n}_ready"] = hw.later(f"w_{n}_ready", 1)
                results[f"o_{n}_valid"] = hw.later(f"w_{n}_valid", 1)
                results[f"o_{n}_data"] = hw.later(f"w_{n}_data", w)
            widths = {x.name: x.width for x in p.args}
            for (name, port), arg in zip(m.args, p.args, strict=True):
                feeds[name] = hw.later(f"scalar_{identifier(port)}", widths[arg.name])
            for port in m.outs:
                n = identifier(port)
                width = next(x.width for x in self.design.ports if x.name == port)
                if port in self.outs:
                    raise HlscError(f"output {port} must be written by one process only")
                self.outs[port] = (hw.later(f"out_{n}", width), hw.later(f"out_{n}_vld", 1))
                results[f"s_{n}"], results[f"s_{n}_vld"] = self.outs[port]
            for memory in p.memories:
                if memory.external is not None:
                    self._memory_pins(p.name, memory.external, m.hw, feeds, results)
            hw.instance(p.name, m.hw, feeds, results, p.loc)
            ended = hw.later(f"p_{identifier(p.name)}_ended", 1)
            now = hw.any(results["done"], ended)
            after = hw.all(now, hw.inv(self.done))
            hw.register(f"{p.name}_ended", after, reset=(self.rst, 0), into=ended)
            self.ended.append(ended)

        self._unused_memories()

    def _unused_memories(self) -> None:
        """What was read of them has no effect, but their pins stay."""
        hw = self.hw
        used = {
            m.external
            for p in self.design.processes
            for m in p.memories
            if any(n.ref == m.name for r in p.regions for n in r.nodes if n.op in ("load", "store"))
        }
        for p in self.design.ports:
            if p.kind == "ap_memory" and p.name not in used:
                width = max(1, (p.depth - 1).bit_length())
                hw.output(f"{identifier(p.name)}_address0", hw.const(0, width))
                hw.output(f"{identifier(p.name)}_ce0", hw.const(0, 1))

    def _memory_pins(
        self, process: str, port: str, module: Hw, feeds: dict[str, Sig], results: dict[str, Sig]
    ) -> None:
        """The pins of a memory outside go straight through, named as Vitis HLS names them; those of a
        buffer to where that is made."""
        hw, name = self.hw, identifier(port)
        if port in self.buffers.by_name:
            self.buffers.connect(process, port, module, feeds, results)
            return
        own = re.compile(rf"m_({name}_(?:address|ce|we|d|q)[01])")
        for pin, width in module.inputs:
            if m := own.fullmatch(pin):
                feeds[pin] = hw.input(m.group(1), width)
        for pin, width in module.outputs:
            if m := own.fullmatch(pin):
                results[pin] = hw.later(f"pin_{pin}", width)
                hw.output(m.group(1), results[pin])

    def _run(self) -> None:
        """busy from start to the cycle in which all has ended and the output slices are empty."""
        hw = self.hw
        busy = hw.later("run_busy", 1)
        hw.define(self.start, hw.all(self.ap_start, hw.inv(busy)))
        hw.define(self.done, hw.all(busy, *self.ended, *self.drained))
        after = hw.any(self.start, hw.all(busy, hw.inv(self.done)))
        hw.register("busy", after, reset=(self.rst, 0), into=busy)
        hw.define(self.idle, hw.all(hw.inv(busy), hw.inv(self.ap_start)))

    def _control(self) -> None:
        hw, design = self.hw, self.design
        in_file = [p for p in design.ports if p.kind == "s_axilite"]
        scalars = [p for p in design.ports if p.kind not in {"axis", "s_axilite", "ap_memory"}]
        if in_file or design.control_bundle:
            self._register_file(in_file)
        if design.control == "ap_ctrl_none":
            hw.define(self.ap_start, hw.const(1, 1))
        elif not design.control_bundle:
            hw.define(self.ap_start, hw.input("ap_start", 1))
            hw.output("ap_done", self.done)
            hw.output("ap_ready", self.done)
            hw.output("ap_idle", self.idle)
        for p in scalars:
            name = identifier(p.name)
            if p.kind not in {"ap_none", "ap_vld"}:
                raise HlscError(
                    f"port {p.name} must be axis, s_axilite, ap_none, ap_vld or ap_memory, not {p.kind}"
                )
            if p.direction == "in":
                value = hw.input(name, p.width)
                if p.kind == "ap_vld":
                    vld = hw.input(f"{name}_ap_vld", 1)
                    value = hw.mux(vld, value, hw.register(f"{name}_held", value, vld))
                hw.define(hw.later(f"scalar_{name}", p.width), value)
            else:
                value, vld = self.outs.get(p.name, (hw.const(0, p.width), hw.const(0, 1)))
                hw.output(name, value)
                if p.kind == "ap_vld":
                    hw.output(f"{name}_ap_vld", vld)

    def _register_file(self, ports: Sequence[object]) -> None:
        hw, design = self.hw, self.design
        in_file = [p for p in design.ports if p.kind == "s_axilite"]
        bundle = design.control_bundle or in_file[0].bundle
        bus = f"s_axi_{bundle}"
        aw = axilite.address_width(design)
        widths = {"AWADDR": aw, "ARADDR": aw, "WDATA": 32, "RDATA": 32, "WSTRB": 4}
        widths |= {"BRESP": 2, "RRESP": 2}
        inputs = [("ACLK", 1), ("ARESET", 1)] + [(n, widths.get(n, 1)) for n in _BUS_IN]
        outputs = [(n, widths.get(n, 1)) for n in _BUS_OUT]
        feeds = {"ACLK": hw.clk1, "ARESET": self.rst}
        results: dict[str, Sig] = {}
        for n in _BUS_IN:
            feeds[n] = hw.input(f"{bus}_{n}", widths.get(n, 1))
        for n in _BUS_OUT:
            results[n] = hw.later(f"bus_{n}", widths.get(n, 1))
            hw.output(f"{bus}_{n}", results[n])
        if design.control_bundle:
            outputs += [("interrupt", 1), ("ap_start", 1)]
            inputs += [("ap_done", 1), ("ap_ready", 1), ("ap_idle", 1)]
            results["ap_start"] = self.ap_start
            results["interrupt"] = hw.later("bus_interrupt", 1)
            hw.output("interrupt", results["interrupt"])
            feeds |= {"ap_done": self.done, "ap_ready": self.done, "ap_idle": self.idle}
        for p in in_file:
            if p.direction == "in":
                outputs.append((p.name, p.width))
                results[p.name] = hw.later(f"scalar_{identifier(p.name)}", p.width)
            else:
                inputs += [(p.name, p.width), (f"{p.name}_ap_vld", 1)]
                value, vld = self.outs.get(p.name, (hw.const(0, p.width), hw.const(0, 1)))
                feeds[p.name], feeds[f"{p.name}_ap_vld"] = value, vld
        extern = Extern(axilite.module_name(design), (), tuple(inputs), tuple(outputs))
        hw.instance(f"{bundle}_s_axi_u", extern, feeds, results)
