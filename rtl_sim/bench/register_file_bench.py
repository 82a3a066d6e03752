# SPDX-License-Identifier: Apache-2.0
"""Bench of the AXI4-Lite register file: storage against a model, control against a mock kernel."""

from __future__ import annotations

import random
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import First

from bench.register_file import DESIGN, GOOD, MUTANTS
from bench.register_file_host import HANG, Bench
from bench.runner import PAUSES
from hlsc.backend.axilite import address_width

CTRL, GIER, IER, ISR = 0x0, 0x4, 0x8, 0xC
START, DONE, IDLE, READY, RESTART, INTERRUPT = 1, 2, 4, 8, 0x80, 0x200


async def check_channels(b: Bench) -> None:
    """Each channel held while the others go on: nothing is lost, moved or answered twice."""
    write, read = b.master.write_if, b.master.read_if
    word, odd = b.at["word"], b.at["odd"]

    async def held(channel: Any, *accesses: Any) -> list[int]:
        """What the accesses give that begin together while the channel is held."""
        channel.pause = True
        tasks = [cocotb.start_soon(access) for access in accesses]
        await b.wait(8)
        channel.pause = False
        return [await task for task in tasks]

    await held(write.aw_channel, b.write(word, 0x12345678))
    await b.expect(word, 0x12345678, "data before the address")
    await held(write.w_channel, b.write(odd, 0x0AAA))
    await b.expect(odd, 0x0AAA, "address before the data")
    # The data that is offered must not follow the next address, nor what is written meanwhile.
    got = await held(read.r_channel, b.read(word), b.read(odd), b.write(word, 0x76543210))
    assert got[:2] == [0x12345678, 0x0AAA], f"held answers must not move, not be {got[:2]}"
    await held(write.b_channel, b.write(word, 0x11111111), b.write(odd, 0x1555))
    await b.expect(word, 0x11111111, "first of two writes")
    await b.expect(odd, 0x1555, "second of two writes")
    for lane in range(4):
        await b.write(word, 0)
        await b.write_word(word, 0xFFFFFFFF, 1 << lane)
        await b.expect(word, 0xFF << 8 * lane, f"strobe {lane} alone")


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
    await check_channels(b)
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
