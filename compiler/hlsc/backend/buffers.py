# SPDX-License-Identifier: Apache-2.0
"""Arrays between processes in the top module: registers, distributed RAM or block RAM.

With all halves in one block RAM the producer has one port and the consumer the other.  Where a process
needs both ports, each half is a block RAM of its own, and its ports are those of the process that has
the half.  Which one that is follows from the tokens that they write.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from hlsc.backend.mlir import Extern, Hw, Sig, identifier
from hlsc.ir import Buffer, Design

__all__ = ["Buffers"]

_PIN = r"(address|ce|we|d|q)(\d+)"


class Buffers:
    """First `connect` every process, then `emit`."""

    def __init__(self, hw: Hw, design: Design, reset: Sig, done: Sig) -> None:
        self.hw, self.design, self.reset, self.done = hw, design, reset, done
        self.by_name = {b.name: b for b in design.buffers}
        self.pins: dict[tuple[str, str, str], Sig] = {}  # (process, buffer, pin)

    def connect(
        self, process: str, buffer: str, module: Hw, feeds: dict[str, Sig], results: dict[str, Sig]
    ) -> None:
        """Feeds and results of one process's pins of a buffer."""
        own = re.compile(rf"m_{identifier(buffer)}_{_PIN}")
        for pin, width in (*module.inputs, *module.outputs):
            if own.fullmatch(pin):
                value = self.hw.later(f"{process}_{pin}", width)
                (feeds if (pin, width) in module.inputs else results)[pin] = value
                self.pins[process, buffer, pin.removeprefix(f"m_{identifier(buffer)}_")] = value

    def emit(self) -> None:
        """The memories of all buffers."""
        owners: dict[str, list[Sig]] = {}
        for b in self.design.buffers:
            if b.style == "register":
                self._registers(b)
            elif b.style == "lutram":
                self._distributed(b)
            elif not b.turns:
                self._one_ram(b)
            else:
                if b.array not in owners:
                    owners[b.array] = self._owners(b)
                self._turns(b, owners[b.array])

    def _pin(self, process: str, b: Buffer, pin: str) -> Sig | None:
        return self.pins.get((process, b.name, pin))

    def _answer(self, process: str, b: Buffer, pin: str, value: Sig) -> None:
        if (q := self._pin(process, b, pin)) is not None:
            self.hw.define(q, value)

    def _registers(self, b: Buffer) -> None:
        hw, both = self.hw, (b.producer, b.consumer)
        for k in range(b.depth):
            writes = [
                (we, d)
                for p in both
                if (we := self._pin(p, b, f"we{k}")) and (d := self._pin(p, b, f"d{k}"))
            ]
            word = hw.const(0, b.width)
            if writes:
                enable = hw.any(*(we for we, _ in writes))
                word = hw.register(f"{b.name}_{k}", hw.choose(writes), enable, loc=b.loc)
            for p in both:
                self._answer(p, b, f"q{k}", word)

    def _distributed(self, b: Buffer) -> None:
        """The producer only stores, by its port 1; the consumer only loads, by its port 0."""
        hw, aw = self.hw, b.address_width
        feeds = {
            "clk": hw.clk1,
            "raddr": self._pin(b.consumer, b, "address0") or hw.const(0, aw),
            "we": self._pin(b.producer, b, "we1") or hw.const(0, 1),
            "waddr": self._pin(b.producer, b, "address1") or hw.const(0, aw),
            "wdata": self._pin(b.producer, b, "d1") or hw.const(0, b.width),
        }
        self._instance("hlsc_lutram_1r1w", b, feeds, {"rdata": b.consumer})

    def _one_ram(self, b: Buffer) -> None:
        """Both halves: one port is the producer's, the other the consumer's."""
        feeds = {"clk": self.hw.clk1}
        ends = {"_a": b.producer, "_b": b.consumer}
        for end, p in ends.items():
            feeds |= self._port(end, b, [(None, p)], 0, b.address_width, None)
        if self._pin(b.producer, b, "q0") or self._pin(b.consumer, b, "we0"):
            self._instance("hlsc_ram_2rw", b, feeds, {f"rdata{e}": p for e, p in ends.items()})
            return
        names = {"we": "we_a", "waddr": "addr_a", "wdata": "wdata_a", "re": "en_b", "raddr": "addr_b"}
        one_way = {"clk": feeds["clk"], **{n: feeds[x] for n, x in names.items()}}
        self._instance("hlsc_ram_1r1w", b, one_way, {"rdata": b.consumer})

    def _owners(self, b: Buffer) -> list[Sig]:
        """Per half, whether the consumer has it: from the producer's token on to its own."""
        hw, clear = self.hw, self.hw.any(self.reset, self.done)
        gives = []
        for c in (c for c in self.design.channels if c.array == b.array):
            name = identifier(c.name)
            given = hw.all(hw.later(f"w_{name}_valid", 1), hw.later(f"w_{name}_ready", 1))
            gives.append((c.producer == b.consumer, given))
        turns = {}
        for back, given in gives if b.halves > 1 else ():
            turn = hw.later(f"{b.array}_{'back' if back else 'on'}_turn", 1)
            after = hw.binary("xor", turn, given)
            hw.register(f"{b.array}_{'back' if back else 'on'}", after, reset=(clear, 0), into=turn)
            turns[back] = turn
        owners = []
        for k in range(b.halves):
            owner = hw.later(f"{b.array}_owner{k}", 1)
            after = owner
            for back, given in gives:
                mine = None if b.halves == 1 else turns[back] if k else hw.inv(turns[back])
                after = hw.mux(hw.all(given, mine), hw.const(0 if back else 1, 1), after)
            hw.register(f"{b.array}_owner", after, reset=(clear, 0), into=owner)
            owners.append(owner)
        return owners

    def _turns(self, b: Buffer, owners: Sequence[Sig]) -> None:
        """A block RAM per half, whose two ports are those of the process that has it."""
        hw, both = self.hw, (b.producer, b.consumer)
        words = b.depth - b.half
        aw = max(1, (words - 1).bit_length())
        for k, owner in enumerate(owners):
            feeds = {"clk": hw.clk1}
            cases = [(hw.inv(owner), b.producer), (owner, b.consumer)]
            for port, end in enumerate(("_a", "_b")):
                feeds |= self._port(end, b, cases, port, aw, k if b.halves > 1 else None)
            inputs = tuple((n, x.width) for n, x in feeds.items())
            outs = {
                f"rdata{end}": hw.later(f"buffer_{b.name}_{k}{end}", b.width) for end in ("_a", "_b")
            }
            size = (("WIDTH", b.width), ("DEPTH", words), ("AW", aw))
            ram = Extern("hlsc_ram_2rw", size, inputs, tuple((n, b.width) for n in outs))
            hw.instance(f"{b.name}_buffer{k if b.halves > 1 else ''}", ram, feeds, outs, b.loc)
        for p in both:
            for port, end in enumerate(("_a", "_b")):
                words_of = [hw.later(f"buffer_{b.name}_{k}{end}", b.width) for k in range(b.halves)]
                value, ce = words_of[0], self._pin(p, b, f"ce{port}")
                if b.halves > 1 and ce is not None:
                    high = hw.register(f"{p}_{b.name}_half", self._half(p, b, port), ce)
                    value = hw.mux(high, words_of[1], words_of[0])
                self._answer(p, b, f"q{port}", value)

    def _half(self, process: str, b: Buffer, port: int) -> Sig:
        address = self._pin(process, b, f"address{port}")
        assert address is not None
        return self.hw.extract(address, address.width - 1, 1)

    def _port(
        self,
        end: str,
        b: Buffer,
        cases: Sequence[tuple[Sig | None, str]],
        port: int,
        aw: int,
        half: int | None,
    ) -> dict[str, Sig]:
        """Feeds of one port of a RAM: the process whose case holds, in one half or in both."""
        hw = self.hw
        enables, writes, addresses, data = [], [], [], []
        for case, p in cases:
            ce, address = self._pin(p, b, f"ce{port}"), self._pin(p, b, f"address{port}")
            if ce is None or address is None:
                continue
            here = None
            if half is not None:
                high = self._half(p, b, port)
                here = high if half else hw.inv(high)
            enables.append(hw.all(case, ce, here))
            addresses.append((case or hw.const(1, 1), hw.extract(address, 0, aw)))
            if we := self._pin(p, b, f"we{port}"):
                writes.append(hw.all(case, we, here))
                data.append((case or hw.const(1, 1), self.pins[p, b.name, f"d{port}"]))
        none = [(hw.const(0, 1), hw.const(0, aw))], [(hw.const(0, 1), hw.const(0, b.width))]
        return {
            f"en{end}": hw.any(*enables),
            f"we{end}": hw.any(*writes),
            f"addr{end}": hw.choose(addresses or none[0]),
            f"wdata{end}": hw.choose(data or none[1]),
        }

    def _instance(
        self, module: str, b: Buffer, feeds: Mapping[str, Sig], takers: Mapping[str, str]
    ) -> None:
        """A memory of all words; `takers`: output -> the process that takes it by its port 0."""
        hw = self.hw
        size = (("WIDTH", b.width), ("DEPTH", b.depth), ("AW", b.address_width))
        outs = {n: hw.later(f"buffer_{b.name}_{n}", b.width) for n in takers}
        inputs = tuple((n, x.width) for n, x in feeds.items())
        ram = Extern(module, size, inputs, tuple((n, b.width) for n in outs))
        hw.instance(f"{b.name}_buffer", ram, feeds, outs, b.loc)
        for n, process in takers.items():
            self._answer(process, b, "q0", outs[n])
