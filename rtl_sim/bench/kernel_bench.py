# SPDX-License-Identifier: Apache-2.0
"""cocotb bench of a whole kernel: AXI4-Lite control, AXI4-Stream in and out, ports as Vitis names them.

Runs the cases of the plan that `bench.kernel.run_kernel` left.  Every output beat is compared (data,
TLAST, TKEEP), nothing may be left over on any stream, and every wait is finite.
"""

from __future__ import annotations

import importlib
import logging
import os
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge, Timer
from cocotb.utils import get_sim_time
from cocotbext.axi import AxiLiteBus, AxiLiteMaster
from cocotbext.axi.stream import define_stream

from bench.kernel import PLAN_VARIABLE, Case, Figures, Job, Plan, load_plan, save_figures
from bench.runner import pauses

PERIOD = 10  # ns
STEP = 8  # cycles between two looks at the progress
SETTLE = 40  # cycles without a beat after which nothing more is on its way

CTRL, GIER, IER, ISR = 0x0, 0x4, 0x8, 0xC
START, DONE, IDLE = 1, 2, 4

# One transaction per beat, rather than cocotbext-axi's frames: every side-band signal of every beat is
# seen, and a beat costs one write instead of eight.
BeatBus, Beat, BeatSource, BeatSink, _ = define_stream(
    "Beat",
    signals=["tdata", "tvalid", "tready"],
    optional_signals=["tkeep", "tstrb", "tuser", "tlast", "tid", "tdest"],
)


class KernelFailure(AssertionError):
    """The kernel did something wrong; the text is all a reader needs."""


class TimedBeat(Beat):  # type: ignore[misc, valid-type]
    """A beat that knows when it was taken."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.at = get_sim_time("ns")


class KernelBench:
    """Masters, sources and sinks around one kernel."""

    def __init__(self, dut: Any, plan: Plan, case: Case) -> None:
        self.dut, self.plan, self.case = dut, plan, case
        self.rng = random.Random(random.random())
        prefix = case.prefix
        self.clock = getattr(dut, f"{prefix}ap_clk")
        self.reset_n = getattr(dut, f"{prefix}ap_rst_n")
        self.interrupt = getattr(dut, f"{prefix}interrupt", None)
        self.explain: Callable[[Job, str, int, int], str] | None = None
        if plan.explain:
            module, _, function = plan.explain.partition(":")
            self.explain = getattr(importlib.import_module(module), function)
        self.reset_n.value = 0
        args = (self.clock, self.reset_n, False)
        bus: Any = AxiLiteBus.from_prefix(dut, prefix + plan.control)
        self.control = AxiLiteMaster(bus, *args)
        self.bvalid = bus.write.b.bvalid
        self.sources = {n: BeatSource(BeatBus.from_prefix(dut, prefix + n), *args) for n in plan.inputs}
        self.sinks = {n: BeatSink(BeatBus.from_prefix(dut, prefix + n), *args) for n in plan.outputs}
        for sink in self.sinks.values():
            sink._transaction_obj = TimedBeat
        for part in (
            *self.sources.values(),
            *self.sinks.values(),
            self.control.read_if,
            self.control.write_if,
        ):
            part.log.setLevel(logging.ERROR)
        self.sent = dict.fromkeys(plan.inputs, 0)
        self.started = 0.0

    # ------------------------------------------------------------------------------ set-up

    async def reset(self) -> None:
        """Reset for a few cycles; whatever was queued or received is forgotten."""
        self.reset_n.value = 0
        await self.cycles(3)
        for part in (*self.sources.values(), *self.sinks.values()):
            part.clear()
        self.sent = dict.fromkeys(self.sent, 0)
        self.reset_n.value = 1
        await self.cycles(2)

    def stall(self) -> None:
        """Set the case's stall patterns, on every channel a generator of its own."""
        write, read = self.control.write_if, self.control.read_if
        channels = (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel)
        kinds = [(c, self.case.stall_control) for c in channels]
        kinds += [(s, self.case.stall_in) for s in self.sources.values()]
        kinds += [(s, self.case.stall_out) for s in self.sinks.values()]
        for channel, kind in kinds:
            generator = pauses(kind, self.rng)
            if generator is not None:
                channel.set_pause_generator(generator)

    async def cycles(self, count: int) -> None:
        """Wait, and end just behind a rising edge."""
        if count > 1:
            await Timer((count - 1) * PERIOD, "ns")
        await RisingEdge(self.clock)

    # ------------------------------------------------------------------------------ registers

    async def write(self, offset: int, value: int) -> None:
        response = await self.control.write(offset, (value % (1 << 32)).to_bytes(4, "little"))
        if int(response.resp):
            raise KernelFailure(f"write of 0x{offset:x} must answer OKAY, not {response.resp}")

    async def read(self, offset: int) -> int:
        response = await self.control.read(offset, 4)
        if int(response.resp):
            raise KernelFailure(f"read of 0x{offset:x} must answer OKAY, not {response.resp}")
        return int.from_bytes(response.data, "little")

    # ------------------------------------------------------------------------------ one layer

    def queue(self, job: Job) -> None:
        for name, transfers in job.inputs.items():
            source = self.sources[name]
            keep = (1 << len(source.bus.tdata) // 8) - 1
            for beats in transfers:
                for i, value in enumerate(beats.tolist()):
                    last = int(i == len(beats) - 1)
                    source.send_nowait(Beat(tdata=value, tkeep=keep, tstrb=keep, tlast=last))
                self.sent[name] += len(beats)

    async def start(self, job: Job) -> None:
        if self.case.early:
            self.queue(job)
        for name, value in job.registers.items():
            await self.write(self.plan.offsets[name], value)
        await self.write(GIER, 1)
        await self.write(IER, 1)

        async def note_start() -> None:
            # The register file answers in the cycle in which ap_start rises.
            await RisingEdge(self.bvalid)
            self.started = get_sim_time("ns")

        noting = cocotb.start_soon(note_start())
        await self.write(CTRL, START)
        if not noting.done():
            noting.cancel()
            raise KernelFailure("BVALID must rise for the write of ap_start")
        if not self.case.early:
            self.queue(job)

    async def layer(self, job: Job) -> Figures:
        """One run, from registers to the last leftover."""
        await self.start(job)
        wanted = sum(len(b) for transfers in job.outputs.values() for b in transfers)
        before, quiet, waited, done = -1, 0, 0, False
        while not done or self.received() < wanted:
            await self.cycles(STEP)
            waited += STEP
            quiet = quiet + STEP if before == self.moved() else 0
            before = self.moved()
            done = done or await self.is_done(quiet)
            if done and quiet >= max(SETTLE, 64):
                break  # what is missing will not come
            if quiet >= self.plan.quiet or waited >= self.plan.limit:
                raise KernelFailure(await self.hang(job, waited, quiet))
        await self.cycles(SETTLE)
        self.compare(job)
        await self.check_rest(job)
        times = [beat.at for sink in self.sinks.values() for beat in sink.queue._queue]
        beats = {n: sum(map(len, t)) for n, t in {**job.inputs, **job.outputs}.items()}
        for sink in self.sinks.values():
            sink.clear()
        return Figures(round((max(times, default=self.started) - self.started) / PERIOD), beats)

    async def is_done(self, quiet: int) -> bool:
        """By the interrupt, which costs nothing; without one by reading CTRL now and then."""
        if self.interrupt is not None:
            return bool(int(self.interrupt.value))
        return quiet % 64 == 0 and bool(await self.read(CTRL) & DONE)

    async def check_rest(self, job: Job) -> None:
        """After the last beat: registers, interrupt, and nothing left over."""
        for name, source in self.sources.items():
            left = source.count() + int(source.valid.value)
            if left:
                raise KernelFailure(f"{name}: every beat must be taken, but {left} are left")
        if self.interrupt is not None:
            state = await self.read(CTRL)
            if state & (START | DONE | IDLE) != DONE | IDLE:
                raise KernelFailure(f"CTRL must show done and idle after the run, not 0x{state:x}")
            await self.write(ISR, 1)
            await self.cycles(2)
            if int(self.interrupt.value):
                raise KernelFailure("interrupt must fall when the status is cleared")
        for name, value in job.results.items():
            got = await self.read(self.plan.offsets[name])
            if got != value % (1 << 32):
                raise KernelFailure(f"register {name} must be {value}, not {got}")

    def received(self) -> int:
        return sum(int(sink.count()) for sink in self.sinks.values())

    def moved(self) -> int:
        """Beats that have crossed any stream since the reset."""
        return self.received() + sum(self.sent[n] - s.count() for n, s in self.sources.items())

    # ------------------------------------------------------------------------------ judging

    def compare(self, job: Job) -> None:
        """Raise for the first beat of any output stream that is not as expected."""
        for name, transfers in job.outputs.items():
            sink = self.sinks[name]
            keep = (1 << len(sink.bus.tdata) // 8) - 1
            got = list(sink.queue._queue)
            at = 0
            for t, beats in enumerate(transfers):
                for i, value in enumerate(beats.tolist()):
                    where = (
                        f"{name}: beat {i} of {len(beats)} of transfer {t}{self.told(job, name, t, i)}"
                    )
                    if at == len(got):
                        total = sum(map(len, transfers))
                        raise KernelFailure(f"{where} must come, but only {at} of {total} beats did")
                    beat = got[at]
                    at += 1
                    if int(beat.tdata) != value:
                        raise KernelFailure(
                            f"{where} must be 0x{value:016x}, not 0x{int(beat.tdata):016x}"
                        )
                    if hasattr(sink.bus, "tlast") and int(beat.tlast) != (i == len(beats) - 1):
                        rule = "must not" if int(beat.tlast) else "must"
                        raise KernelFailure(f"{where} {rule} carry TLAST")
                    if hasattr(sink.bus, "tkeep") and int(beat.tkeep) != keep:
                        raise KernelFailure(
                            f"{where} must have TKEEP 0x{keep:x}, not 0x{int(beat.tkeep):x}"
                        )
            if at < len(got):
                raise KernelFailure(
                    f"{name}: nothing must come after {at} beats, but {len(got) - at} did, "
                    f"the first 0x{int(got[at].tdata):016x}"
                )

    def told(self, job: Job, stream: str, transfer: int, beat: int) -> str:
        return "" if self.explain is None else f" ({self.explain(job, stream, transfer, beat)})"

    async def hang(self, job: Job, waited: int, quiet: int) -> str:
        """Who moved how much, and what differs so far."""
        lines = [f"the kernel must end, but after {waited} cycles no beat has moved for {quiet}"]
        if quiet < self.plan.quiet:
            lines = [f"the kernel must end within {waited} cycles"]
        for name, source in self.sources.items():
            taken = self.sent[name] - source.count() - int(source.valid.value)
            ready = "ready" if int(source.ready.value) else "not ready"
            lines.append(f"  {name}: {taken} of {self.sent[name]} beats taken, {ready}")
        for name, sink in self.sinks.items():
            wanted = sum(map(len, job.outputs.get(name, ())))
            valid = "valid" if int(sink.valid.value) else "not valid"
            lines.append(f"  {name}: {sink.count()} of {wanted} beats came, {valid}")
        if self.interrupt is not None:
            lines.append(f"  interrupt: {int(self.interrupt.value)}")
        try:
            self.compare(job)
        except KernelFailure as error:
            lines.append(f"  first difference: {error}")
        return "\n".join(lines)


async def run_case(dut: Any, plan: Plan, case: Case) -> list[Figures]:
    bench = KernelBench(dut, plan, case)
    Clock(bench.clock, PERIOD, "ns").start()
    await bench.reset()
    bench.stall()
    if case.reset_after is not None:
        job = case.jobs[0]
        total = sum(len(b) for side in (job.inputs, job.outputs) for t in side.values() for b in t)
        if not 0 < case.reset_after < total:
            raise ValueError(f"reset_after of {case.name} must be from 1 to {total - 1} beats")
        cut = cocotb.start_soon(bench.start(job))
        for _ in range(plan.limit):
            await bench.cycles(1)
            if bench.moved() >= case.reset_after:
                break
        else:
            raise KernelFailure(
                f"{case.reset_after} beats must move before the reset, not {bench.moved()}"
            )
        if not cut.done():
            cut.cancel()
        await bench.reset()
    return [await bench.layer(job) for job in case.jobs]


PLAN_FILE = Path(os.environ[PLAN_VARIABLE])
PLAN = load_plan(PLAN_FILE)
CASES = {case.name: case for case in PLAN.cases}


# The bus could hang as well: no case outlives what its jobs may take together, and one more.
LIMIT = PERIOD * (PLAN.limit + 10_000) * (1 + max(len(c.jobs) for c in PLAN.cases))


@cocotb.test(timeout_time=LIMIT, timeout_unit="ns")
@cocotb.parametrize(name=[cocotb.Param(n, n) for n in CASES])
async def case(dut: Any, name: str) -> None:
    one = CASES[name]
    try:
        figures = await run_case(dut, PLAN, one)
    except KernelFailure as error:
        text = str(error).partition("\nassert ")[0]
        if not one.expect_failure or not re.search(one.expect_failure, text):
            raise
        dut._log.info("%s fails as it must: %s", name, text)
        return
    assert not one.expect_failure, f"must fail with {one.expect_failure!r}, not pass"
    save_figures(PLAN_FILE.parent / "cycles.json", name, figures)
