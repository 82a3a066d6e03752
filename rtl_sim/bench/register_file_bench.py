# SPDX-License-Identifier: Apache-2.0
"""Bench of the AXI4-Lite register file: storage against a model, control against a mock kernel."""

from __future__ import annotations

import logging
import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import Event, FallingEdge, First, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster
from cocotbext.axi.axil_channels import AxiLiteAWTransaction, AxiLiteWTransaction
from cocotbext.axi.constants import AxiResp

from bench.register_file import DESIGN, GOOD, MUTANTS
from bench.runner import PAUSES, pauses
from hlsc.backend.axilite import address_width, registers

CTRL, GIER, IER, ISR = 0x0, 0x4, 0x8, 0xC
START, DONE, IDLE, READY, RESTART, INTERRUPT = 1, 2, 4, 8, 0x80, 0x200

HANG = 400
"""Cycles without the end of an access after which the bus is taken to hang."""


class Bench:
    """One instance: bus master, protocol monitor, mock kernel."""

    def __init__(self, dut: Any, name: str, rng: random.Random) -> None:
        self.dut, self.name, self.rng = dut, name, rng
        self.table = registers(DESIGN)
        self.at = {r.name: r.offset for r in self.table}
        self.bus: Any = AxiLiteBus.from_prefix(dut, name)
        self.runs = 0
        self.order = {"address first": 0, "data first": 0, "together": 0}
        self.violation = ""
        self.accesses = 0
        self.hung = Event()
        self.length = 5
        self.results: list[tuple[int, int]] = []
        self.pin("ap_idle").value = 1

    def pin(self, name: str) -> Any:
        return getattr(self.dut, f"{self.name}_{name}")

    async def start(self) -> None:
        """Reset, then the background tasks."""
        self.dut.rst.value = 1
        # Reset is not passed on: the bench decides itself when it begins and ends.
        self.master = AxiLiteMaster(self.bus, self.dut.clk)
        self.master.write_if.log.setLevel(logging.ERROR)  # a line per access costs more than the access
        self.master.read_if.log.setLevel(logging.ERROR)
        for _ in range(3):
            await RisingEdge(self.dut.clk)
        self.dut.rst.value = 0
        self.watcher = cocotb.start_soon(self.watch())
        self.kernel = cocotb.start_soon(self.run_kernel())

    def stop(self) -> None:
        self.watcher.cancel()
        self.kernel.cancel()

    def stall(self, kind: str) -> None:
        write, read = self.master.write_if, self.master.read_if
        channels = (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel)
        for channel in channels:
            generator = pauses(kind, self.rng)
            channel.clear_pause_generator()
            channel.pause = False
            if generator is not None:
                channel.set_pause_generator(generator)

    async def write(self, offset: int, value: int, size: int = 4) -> None:
        data = value.to_bytes(size, "little")
        response = await self.master.write(offset, data)
        self.accesses += 1
        assert response.resp == AxiResp.OKAY, f"write of 0x{offset:x} must answer OKAY"

    async def write_word(self, offset: int, value: int, strobes: int) -> None:
        """One word with any strobes: `write` keeps the lanes at 0 that it does not write."""
        channels = self.master.write_if
        await channels.aw_channel.send(AxiLiteAWTransaction(awaddr=offset, awprot=0))
        await channels.w_channel.send(AxiLiteWTransaction(wdata=value, wstrb=strobes))
        response = await channels.b_channel.recv()
        self.accesses += 1
        assert int(response.bresp) == AxiResp.OKAY, f"write of 0x{offset:x} must answer OKAY"

    async def read(self, offset: int, size: int = 4) -> int:
        response = await self.master.read(offset, size)
        self.accesses += 1
        assert response.resp == AxiResp.OKAY, f"read of 0x{offset:x} must answer OKAY"
        return int.from_bytes(response.data, "little")

    async def expect(self, offset: int, value: int, why: str) -> None:
        got = await self.read(offset)
        assert got == value, f"0x{offset:02x} must be 0x{value:x} ({why}), not 0x{got:x}"

    async def watch(self) -> None:
        """Handshake rules: what is valid stays and does not move until it is taken, and that soon."""
        accesses, quiet = 0, 0
        names = ("BVALID", "BREADY", "RVALID", "RREADY", "RDATA")
        before: dict[str, int] = dict.fromkeys(names, 0)
        ahead = 0  # address handshakes less data handshakes
        while True:
            await FallingEdge(self.dut.clk)
            quiet = quiet + 1 if accesses == self.accesses else 0
            accesses = self.accesses
            if quiet > HANG:
                self.hung.set()
            now = {n: int(self.pin(n).value) for n in names}
            for channel in "BR":
                held = before[f"{channel}VALID"] and not before[f"{channel}READY"]
                if held and not now[f"{channel}VALID"]:
                    self.violation = f"{channel}VALID must stay until {channel}READY"
                if held and channel == "R" and now["RDATA"] != before["RDATA"]:
                    self.violation = "RDATA must not change before RREADY"
            before = now
            aw = int(self.pin("AWVALID").value) & int(self.pin("AWREADY").value)
            w = int(self.pin("WVALID").value) & int(self.pin("WREADY").value)
            if aw and w and not ahead:
                self.order["together"] += 1
            elif (aw or w) and not ahead:
                self.order["address first" if aw else "data first"] += 1
            ahead += aw - w

    async def run_kernel(self) -> None:
        """ap_ctrl_hs: a run of `length` cycles per start, outputs in its last but one."""
        done, ready, idle = self.pin("ap_done"), self.pin("ap_ready"), self.pin("ap_idle")
        while True:
            await FallingEdge(self.dut.clk)  # away from the clock edge: settled, and stable at it
            if not int(self.pin("ap_start").value):
                done.value, ready.value, idle.value = 0, 0, 1
                continue
            for left in reversed(range(self.length)):
                idle.value, done.value, ready.value = 0, int(left == 0), int(left == 0)
                if left == 1 and self.results:
                    status, big = self.results.pop(0)
                    self.pin("status").value, self.pin("big").value = status, big
                self.pin("status_ap_vld").value = int(left == 1)
                self.pin("big_ap_vld").value = int(left == 1)
                if left:
                    await FallingEdge(self.dut.clk)
            self.runs += 1

    async def wait(self, cycles: int) -> None:
        for _ in range(cycles):
            await RisingEdge(self.dut.clk)


async def check_storage(b: Bench, kind: str, count: int) -> None:
    """Random accesses of any size against the model; the bench's pins show what is stored."""
    b.stall(kind)
    inputs = [p for p in DESIGN.ports if p.direction == "in"]
    model = {p.name: 0 for p in inputs}
    for p in inputs:
        await b.write(p.offset or 0, 0, 4 * -(-p.width // 32))
    top = 1 << address_width(DESIGN)

    def stored(first: int, value: int, size: int, strobes: int) -> None:
        """Step the model for one write, and compare every scalar with it."""
        for p in inputs:
            for i in range(size):
                bit = 8 * (first + i - (p.offset or 0))
                if strobes >> i & 1 and 0 <= bit < p.width:
                    byte = (value >> 8 * i & 0xFF) << bit
                    kept = model[p.name] & ~(0xFF << bit)
                    model[p.name] = (kept | byte) & ((1 << p.width) - 1)
            pin = int(b.pin(p.name).value)
            assert pin == model[p.name], f"{p.name} must be 0x{model[p.name]:x}, not 0x{pin:x}"

    if kind == "none":  # every word of the map once: none must show at another address
        for first in range(0x10, top, 4):
            value = b.rng.getrandbits(32)
            await b.write(first, value)
            stored(first, value, 4, 0b1111)
    for _ in range(count):
        # Mostly where registers are, sometimes anywhere.
        near = b.rng.choice(inputs).offset or 0
        first = near + b.rng.randrange(4) if b.rng.random() < 0.8 else b.rng.randrange(0x10, top)
        size = min(b.rng.choice((1, 2, 3, 4, 4, 8, 16)), top - first)
        choice = b.rng.random()
        if choice < 0.3:
            strobes, value = b.rng.getrandbits(4), b.rng.getrandbits(32)
            await b.write_word(first & ~3, value, strobes)
            stored(first & ~3, value, 4, strobes)
        elif choice < 0.6:
            value = b.rng.getrandbits(8 * size)
            await b.write(first, value, size)
            stored(first, value, size, (1 << size) - 1)
        else:
            image = {
                (p.offset or 0) + i: model[p.name] >> 8 * i & 0xFF
                for p in inputs
                for i in range(4 * -(-p.width // 32))
            }
            outputs = [p for p in DESIGN.ports if p.direction == "out"]
            hidden = {(p.offset or 0) + i for p in outputs for i in range(4 * -(-p.width // 32) + 4)}
            data = (await b.read(first, size)).to_bytes(size, "little")
            for i, byte in enumerate(data):
                at = first + i
                if at not in hidden:
                    want = image.get(at, 0)
                    assert byte == want, f"byte 0x{at:x} must be 0x{want:x}, not 0x{byte:x}"


async def check_control(b: Bench) -> None:
    """Start, done, ready, idle; strobes of CTRL; output scalars."""
    await b.read(CTRL)
    await b.expect(CTRL, IDLE, "at rest")
    await b.write_word(CTRL, 0xFFFFFFFF, 0b1110)
    await b.expect(CTRL, IDLE, "the start bit was not strobed")
    await b.wait(5)
    assert b.runs == 0, "a write without strobe 0 must not start"
    b.length = 40
    b.results = [(0xDEADBEEF, 0x12_3456_789A)]
    await b.write(CTRL, START)
    running = await b.read(CTRL)
    assert running & (DONE | IDLE | READY) == 0, f"CTRL must show a run, not 0x{running:x}"
    await b.expect(b.at["status_ctrl"], 0, "not written yet")
    await b.wait(60)
    await b.expect(CTRL, DONE | IDLE | READY, "after the run")
    await b.expect(CTRL, IDLE, "done and ready clear on read")
    await b.expect(b.at["status"], 0xDEADBEEF, "result")
    await b.expect(b.at["status_ctrl"], 1, "written, and reading the data does not clear it")
    await b.expect(b.at["status_ctrl"], 0, "cleared by reading")
    await b.expect(b.at["big_0"], 0x3456789A, "low word")
    await b.expect(b.at["big_1"], 0x12, "high word")
    await b.expect(b.at["big_ctrl"], 1, "written")
    assert b.runs == 1, f"one start must give one run, not {b.runs}"


async def check_polling(b: Bench) -> None:
    """No done is lost or seen twice while CTRL is read without pause."""
    for i in range(24):
        b.length = 2 + i % 12
        await b.write(CTRL, START)
        seen = 0
        for _ in range(12):
            seen += bool(await b.read(CTRL) & DONE)
        assert seen == 1, f"done must be seen once per run, not {seen} times (run of {b.length})"


async def check_interrupt(b: Bench) -> None:
    b.length = 3
    line = b.pin("interrupt")

    async def run() -> None:
        await b.write(CTRL, START)
        await b.wait(12)

    await b.write(GIER, 1)
    await run()
    await b.expect(ISR, 0, "no channel is enabled")
    assert not int(line.value), "interrupt must stay low without a channel"
    await b.write(IER, 1)
    await b.write(GIER, 0)
    await run()
    await b.expect(ISR, 1, "done happened")
    assert not int(line.value), "interrupt must stay low without GIER"
    await b.write(GIER, 1)
    await b.wait(3)
    assert int(line.value), "interrupt must rise with GIER"
    got = await b.read(CTRL)
    assert got & INTERRUPT, f"CTRL must show the interrupt, not 0x{got:x}"
    await b.write(ISR, 1)
    await b.expect(ISR, 0, "toggled off")
    assert not int(line.value), "interrupt must fall"
    await b.write(ISR, 3)
    await b.expect(ISR, 3, "toggled on by hand")
    await b.write(ISR, 3)
    await b.write(IER, 2)
    await run()
    await b.expect(ISR, 2, "ready happened")
    await b.write(ISR, 2)
    await b.write(IER, 0)
    await b.write(GIER, 0)
    await b.expect(IER, 0, "disabled")
    await b.read(CTRL)


async def check_restart(b: Bench) -> None:
    """Runs follow each other until the bit is cleared; done is reported once, at rest."""
    b.length = 7
    before = b.runs
    await b.write(CTRL, START | RESTART)
    while b.runs < before + 4:
        got = await b.read(CTRL)
        assert got & RESTART and not got & (DONE | IDLE), f"CTRL must show restarts, not 0x{got:x}"
    await b.write(CTRL, 0)
    await b.wait(20)
    ran = b.runs
    await b.wait(20)
    assert b.runs == ran, "clearing auto-restart must end the runs"
    got = await b.read(CTRL)
    assert got & (DONE | IDLE | RESTART) == DONE | IDLE, f"CTRL must show one end, not 0x{got:x}"
    await b.expect(CTRL, IDLE, "reported once")


async def check_reset(b: Bench) -> None:
    """Reset between address and data of a write leaves nothing behind."""
    await b.write(b.at["word"], 0x12345678)
    b.master.write_if.w_channel.pause = True
    pending = cocotb.start_soon(b.write(b.at["word"], 0xFFFFFFFF))
    await b.wait(8)
    b.dut.rst.value = 1
    b.master.write_if.assert_reset(True)
    pending.cancel()
    await b.wait(2)
    b.dut.rst.value = 0
    b.master.write_if.assert_reset(False)
    b.master.write_if.w_channel.pause = False
    await b.wait(2)
    assert int(b.pin("word").value) == 0, "scalars must be 0 after reset"
    await b.write(b.at["odd"], 0x1A5A)
    await b.expect(b.at["odd"], 0x1A5A, "the bus works after reset")
    await b.expect(b.at["word"], 0, "the half write is gone")


async def scenario(b: Bench) -> None:
    await check_storage(b, "random", 30)
    b.stall("none")
    await check_control(b)
    await check_polling(b)
    await check_interrupt(b)
    await check_restart(b)
    for kind in PAUSES:
        await check_storage(b, kind, 30)
    b.stall("none")
    await check_reset(b)
    assert not b.violation, b.violation


async def run(dut: Any, name: str) -> tuple[Bench, str]:
    """The bench after the scenario, and what was wrong ("" if nothing was)."""
    b = Bench(dut, name, random.Random(random.random()))
    await b.start()
    failure = ""

    async def judged() -> None:
        nonlocal failure
        try:
            await scenario(b)
        except AssertionError as error:
            failure = str(error).partition("\nassert ")[0]

    task = cocotb.start_soon(judged())
    await First(task, b.hung.wait())
    if not task.done():
        task.cancel()
        failure = f"the bus must answer within {HANG} cycles"
    b.stop()
    return b, failure


@cocotb.test(timeout_time=400, timeout_unit="us")
async def register_file(dut: Any) -> None:
    Clock(dut.clk, 10, "ns").start()
    b, failure = await run(dut, GOOD)
    assert not failure, failure
    dut._log.info("write order: %s", b.order)
    assert all(b.order.values()), f"every order of AW and W must occur, not {b.order}"


@cocotb.test(timeout_time=4000, timeout_unit="us")
async def mutants(dut: Any) -> None:
    """The same scenario finds every seeded fault."""
    Clock(dut.clk, 10, "ns").start()
    missed = []
    for name in MUTANTS:
        _, failure = await run(dut, name)
        dut._log.info("%s: %s", name, failure)
        if not failure:
            missed.append(name)
    assert not missed, f"mutants must be caught, not {', '.join(missed)}"
