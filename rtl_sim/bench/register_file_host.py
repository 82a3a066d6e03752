# SPDX-License-Identifier: Apache-2.0
"""What drives one AXI4-Lite register file in its bench: bus master, protocol monitor, mock kernel."""

from __future__ import annotations

import logging
import random
from typing import Any

import cocotb
from cocotb.triggers import Event, FallingEdge, RisingEdge
from cocotbext.axi import AxiLiteBus, AxiLiteMaster
from cocotbext.axi.axil_channels import AxiLiteAWTransaction, AxiLiteWTransaction
from cocotbext.axi.constants import AxiResp

from bench.register_file import DESIGN
from bench.runner import pauses
from hlsc.backend.axilite import registers

__all__ = ["HANG", "Bench"]

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
