# SPDX-License-Identifier: Apache-2.0
"""Benches for FIFOs, register slices and memories: cycle-exact models beside many instances at once."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, RisingEdge

from bench.blocks import BLOCKS, Block, rom_word
from bench.runner import PAUSES, pauses


class Checker(ABC):
    """One instance and its model.  `drive` sets a cycle's inputs, `look` compares and steps the model.

    The first difference is kept in `error`; nothing is checked after it.
    """

    def __init__(self, dut: Any, block: Block, rng: random.Random) -> None:
        self.block, self.rng, self.error, self.cycle, self.compared = block, rng, "", 0, 0
        self.pins = {
            name[len(block.name) + 1 :]: getattr(dut, name)
            for name in (h._name for h in dut)
            if name.startswith(f"{block.name}_") and self.is_port(name[len(block.name) + 1 :])
        }
        self.width = block.parameters.get("WIDTH", 1)
        self.set: dict[str, int] = {}

    def is_port(self, name: str) -> bool:
        return True

    def put(self, **values: int) -> None:
        for name, value in values.items():
            if self.set.get(name) != value:
                self.pins[name].value = value
                self.set[name] = value

    def expect(self, name: str, value: int) -> None:
        got = int(self.pins[name].value)
        self.compared += 1
        if got != value and not self.error:
            where = f"{self.block.name}, cycle {self.cycle}: {name}"
            self.error = f"{where} must be 0x{value:x}, not 0x{got:x}"

    def word(self) -> int:
        return self.rng.getrandbits(self.width)

    @abstractmethod
    def drive(self) -> None:
        """Set the inputs of the cycle."""

    @abstractmethod
    def look(self) -> None:
        """Compare the outputs of the cycle and step the model."""


class StreamChecker(Checker):
    """FIFO or slice: what it must show in every cycle follows from the words that it holds.

    Ready while there is room, valid while there is a word, the oldest word in front, one cycle after it
    was taken at the latest: so neither a lost word nor a lost cycle goes unseen.
    """

    def __init__(self, dut: Any, block: Block, rng: random.Random) -> None:
        super().__init__(dut, block, rng)
        self.is_slice = block.module == "hlsc_axis_slice"
        self.room = 2 if self.is_slice else block.parameters["DEPTH"]
        self.held: deque[int] = deque()
        self.reset = True
        self.in_pause: Iterator[bool] | None = None
        self.out_pause: Iterator[bool] | None = None
        self.passed = 0
        self.most = 0

    def drive(self) -> None:
        offer = self.in_pause is None or not next(self.in_pause)
        take = self.out_pause is None or not next(self.out_pause)
        self.put(in_valid=int(offer), out_ready=int(take))
        if offer:
            self.put(in_data=self.word())

    def look(self) -> None:
        self.cycle += 1
        ready = len(self.held) < self.room and not (self.is_slice and self.reset)
        valid = bool(self.held)
        self.reset = False
        self.expect("in_ready", int(ready))
        self.expect("out_valid", int(valid))
        if valid:
            self.expect("out_data", self.held[0])
            if self.set["out_ready"]:
                self.held.popleft()
                self.passed += 1
        if ready and self.set["in_valid"]:
            self.held.append(self.set["in_data"])
            self.most = max(self.most, len(self.held))

    def clear(self) -> None:
        self.held.clear()
        self.reset = True


class RamChecker(Checker):
    """1R1W memories and ROMs.  `density`: chance of each enable; every address is written first."""

    density = 0.5

    def __init__(self, dut: Any, block: Block, rng: random.Random) -> None:
        super().__init__(dut, block, rng)
        self.depth = block.parameters["DEPTH"]
        self.rom = block.module == "hlsc_rom"
        self.registered = block.module != "hlsc_lutram_1r1w"
        self.words: list[int | None] = [None] * self.depth
        if self.rom:
            self.words = [rom_word(i, self.width) for i in range(self.depth)]
        self.shown: int | None = None

    def drive(self) -> None:
        rng, first = self.rng, self.cycle < self.depth
        write = first or rng.random() < self.density
        at = self.cycle if first else rng.randrange(self.depth)
        near = rng.random() < 0.4
        self.put(raddr=at if near else rng.randrange(self.depth))
        if self.registered:
            self.put(re=int(rng.random() < self.density))
        if not self.rom:
            self.put(we=int(write), waddr=at, wdata=self.word())

    def look(self) -> None:
        self.cycle += 1
        now = self.words[self.set["raddr"]]
        if not self.registered:
            self.shown = now
        if self.shown is not None:
            self.expect("rdata", self.shown)
        if self.set.get("re"):
            self.shown = now
        if self.set.get("we"):
            self.words[self.set["waddr"]] = self.set["wdata"]


class DualPortChecker(Checker):
    """True dual-port memory; both ports never write one address in one cycle."""

    density = 0.5

    def __init__(self, dut: Any, block: Block, rng: random.Random) -> None:
        super().__init__(dut, block, rng)
        self.depth = block.parameters["DEPTH"]
        self.words: list[int | None] = [None] * self.depth
        self.shown: dict[str, int | None] = {"a": None, "b": None}

    def drive(self) -> None:
        rng, first = self.rng, self.cycle < self.depth
        a = self.cycle if first else rng.randrange(self.depth)
        b = a if rng.random() < 0.4 else rng.randrange(self.depth)
        write_a, write_b = (int(rng.random() < self.density) for _ in "ab")
        if first:
            write_a, write_b = 1, 0
        if a == b and write_a and write_b:
            write_a, write_b = (1, 0) if rng.random() < 0.5 else (0, 1)
        self.put(en_a=int(first or rng.random() < self.density), we_a=write_a, addr_a=a)
        self.put(en_b=int(rng.random() < self.density), we_b=write_b, addr_b=b)
        self.put(wdata_a=self.word(), wdata_b=self.word())

    def look(self) -> None:
        self.cycle += 1
        old = list(self.words)
        for p in "ab":
            shown = self.shown[p]
            if shown is not None:
                self.expect(f"rdata_{p}", shown)
            if self.set[f"en_{p}"]:
                at = self.set[f"addr_{p}"]
                self.shown[p] = old[at]
                if self.set[f"we_{p}"]:
                    self.words[at] = self.set[f"wdata_{p}"]


_CHECKERS: dict[str, type[Checker]] = {
    "hlsc_fifo": StreamChecker,
    "hlsc_axis_slice": StreamChecker,
    "hlsc_ram_2rw": DualPortChecker,
}


def make(dut: Any, mutants: bool) -> list[Checker]:
    """Checkers of all mutants, or of everything else."""
    chosen = [b for b in BLOCKS if bool(b.mutant) == mutants]
    return [_CHECKERS.get(b.module, RamChecker)(dut, b, random.Random(random.random())) for b in chosen]


async def start(dut: Any) -> None:
    Clock(dut.clk, 10, "ns").start()
    dut.rst.value = 1
    for _ in range(3):
        await RisingEdge(dut.clk)
    dut.rst.value = 0


async def cycles(dut: Any, checkers: Sequence[Checker], count: int) -> None:
    """Run `count` cycles; called and left just behind a rising edge."""
    for _ in range(count):
        for c in checkers:
            c.drive()
        await FallingEdge(dut.clk)
        for c in checkers:
            c.look()
        await RisingEdge(dut.clk)


async def exercise_streams(dut: Any, checkers: Sequence[StreamChecker]) -> None:
    """Every pair of stall patterns, full and empty, reset while words are held."""

    def pattern(c: StreamChecker, kind_in: str, kind_out: str) -> None:
        c.in_pause, c.out_pause = pauses(kind_in, c.rng), pauses(kind_out, c.rng)

    def held() -> Iterator[bool]:
        while True:
            yield True

    for kind_in in PAUSES:
        for kind_out in PAUSES:
            for c in checkers:
                pattern(c, kind_in, kind_out)
            await cycles(dut, checkers, 50)
    most = max(c.room for c in checkers)
    for c in checkers:
        c.in_pause, c.out_pause = None, held()
    await cycles(dut, checkers, most + 3)  # fill to the brim, and knock
    for c in checkers:
        c.in_pause, c.out_pause = None, None
    await cycles(dut, checkers, 2 * most)  # full speed at full fill
    for c in checkers:
        c.in_pause = held()
    await cycles(dut, checkers, most + 3)  # drain, and find nothing
    for c in checkers:
        pattern(c, "random", "random")
    await cycles(dut, checkers, 40)
    dut.rst.value = 1
    await RisingEdge(dut.clk)
    dut.rst.value = 0
    for c in checkers:
        c.clear()
    await cycles(dut, checkers, 40)


async def exercise_memories(dut: Any, checkers: Sequence[Checker], count: int) -> None:
    for density in (0.5, 0.15, 0.9):
        for c in checkers:
            if isinstance(c, (RamChecker, DualPortChecker)):
                c.density = density
        await cycles(dut, checkers, count)


@cocotb.test(timeout_time=100, timeout_unit="us")
async def streams(dut: Any) -> None:
    await start(dut)
    checkers = [c for c in make(dut, mutants=False) if isinstance(c, StreamChecker)]
    await exercise_streams(dut, checkers)
    errors = [c.error for c in checkers if c.error]
    assert not errors, "\n".join(errors)
    for c in checkers:
        assert c.passed > 100 and c.most == c.room, f"{c.block.name} must be filled and used"


@cocotb.test(timeout_time=100, timeout_unit="us")
async def memories(dut: Any) -> None:
    await start(dut)
    checkers = [c for c in make(dut, mutants=False) if not isinstance(c, StreamChecker)]
    await exercise_memories(dut, checkers, 250)
    errors = [c.error for c in checkers if c.error]
    assert not errors, "\n".join(errors)
    for c in checkers:
        assert c.compared > 200, f"{c.block.name} must be compared, not only {c.compared} times"


@cocotb.test(timeout_time=100, timeout_unit="us")
async def mutants(dut: Any) -> None:
    """The same checkers find every seeded fault."""
    await start(dut)
    checkers = make(dut, mutants=True)
    await exercise_streams(dut, [c for c in checkers if isinstance(c, StreamChecker)])
    await exercise_memories(dut, [c for c in checkers if not isinstance(c, StreamChecker)], 60)
    missed = [c.block.mutant for c in checkers if not c.error]
    assert not missed, f"mutants must be caught, not {', '.join(missed)}"
    for c in checkers:
        dut._log.info("%s: %s", c.block.mutant, c.error)
