# SPDX-License-Identifier: Apache-2.0
"""The board's programmable logic by itself: DMA registers and their faults; no gRPC, no pynq."""

from __future__ import annotations

import random

import numpy as np
import pytest
from sum_board import add, beats

from vboard.host import ADDRESS, ADDRESS_HIGH, CONTROL, LENGTH, RECEIVE, STATUS, Host

HALTED, IDLE, INTERNAL, SLAVE, DECODE, IOC, ERROR_IRQ = 1, 2, 0x10, 0x20, 0x40, 0x1000, 0x4000


def until(host: Host, stream: str, bits: int, polls: int = 200) -> int:
    for _ in range(polls):
        status = host.status(stream)
        if status & bits:
            return status
    raise AssertionError(f"{stream}: DMASR stayed 0x{status:x}; {host.logic.counters()}")


# ------------------------------------------------------------------------------------ registers


def test_registers_after_reset(host):
    for stream in ("in0", "in1", "out"):
        base = host.channels[stream]
        assert host.logic.read(base + CONTROL) == 0x10002
        assert host.status(stream) == HALTED
    assert host.logic.read(host.channels["in1"] + RECEIVE + STATUS) == 0  # axi_dma_1 has no S2MM


def test_run_and_stop_of_an_idle_channel(host):
    base = host.channels["in0"]
    host.logic.write(base, 1)
    assert host.status("in0") == 0 and host.logic.read(base) & 1
    host.logic.write(base, 0x1001)
    assert host.logic.read(base) == 0x1003
    host.logic.write(base, 0)
    assert host.status("in0") & HALTED and not host.logic.read(base) & 1


def test_a_transfer_ends_idle_with_its_interrupt_bit(host, rng):
    view, expected = add(host, rng, 100)
    host.wait("out")
    np.testing.assert_array_equal(view, expected)
    for stream in ("in0", "in1", "out"):
        assert host.status(stream) == IDLE | IOC
        host.logic.write(host.channels[stream] + STATUS, IOC)  # write one to clear
        assert host.status(stream) == IDLE
    assert host.logic.read(host.channels["out"] + LENGTH) == 800
    assert host.logic.counters()["dma"]["axi_dma_0"]["s2mm"]["transfers"] == 1
    assert host.logic.faults() == []


def test_reset_of_one_channel_resets_both_and_drops_a_transfer(host, rng):
    host.start_channels()
    address, _ = host.buffer(beats(rng, 700))
    host.transfer("in0", address, 5600)
    assert not host.status("in0") & IDLE
    host.logic.write(host.channels["out"] + CONTROL, 4)
    for stream in ("in0", "out"):
        assert host.status(stream) == HALTED
        assert host.logic.read(host.channels[stream] + CONTROL) == 0x10002
    assert host.status("in1") == 0  # the other DMA
    assert host.logic.read(host.channels["in0"] + LENGTH) == 0
    view, expected = add(host, rng, 20)
    host.wait("out")
    np.testing.assert_array_equal(view, expected)


def test_stop_during_a_transfer_lets_it_end_then_halts(host, rng):
    view, expected = add(host, rng, 64)
    host.logic.write(host.channels["in0"], 0)
    host.wait("out")
    assert host.status("in0") & (HALTED | IDLE) == HALTED | IDLE
    np.testing.assert_array_equal(view, expected)


def test_addresses_read_back_and_length_of_a_halted_channel_starts_nothing(host):
    base = host.channels["in1"]
    host.logic.write(base + ADDRESS, 0x16800008)
    host.logic.write(base + ADDRESS_HIGH, 0)
    assert host.logic.read(base + ADDRESS) == 0x16800008
    host.logic.write(base + LENGTH, 64)
    assert host.status("in1") == HALTED
    assert "halted" in host.logic.faults()[0]


def test_scatter_gather_registers_are_refused(host):
    host.logic.write(host.channels["in0"] + 0x08, 1)
    assert host.logic.read(host.channels["in0"] + 0x08) == 0
    assert "scatter-gather" in host.logic.faults()[0]
    host.logic.write(host.channels["in1"] + RECEIVE, 1)
    assert "does not have" in host.logic.faults()[0]


# --------------------------------------------------------------------------------------- faults


def test_faults_that_nobody_asks_for_are_not_kept_for_ever(host):
    for address in range(100):
        host.logic.write(host.channels["in0"] + ADDRESS, 4 * address + 4)
        host.logic.write(host.channels["in0"] + LENGTH, 8)  # the channel is halted
        host.logic.write(host.channels["in1"] + 4 * address + 0x60, 1)  # no such register
    found = host.logic.faults()
    assert len(found) == 64 and f"register {4 * 99 + 0x60:#x} " in found[31] and "halted" in found[-1]
    assert host.logic.faults() == []


def test_no_tlast_never_completes_when_the_buffer_is_just_full(host, rng):
    view, expected = add(host, rng, 16, last_at=0)
    for _ in range(300):
        assert not host.status("out") & (IDLE | INTERNAL)
    assert (
        host.logic.counters()["streams"]["out"] | {"beats": 16, "packets": 0}
        == (host.logic.counters()["streams"]["out"])
    )
    host.logic.write(host.channels["out"], 4)  # a driver's way out
    view, expected = add(host, rng, 16)
    host.wait("out")
    np.testing.assert_array_equal(view, expected)


def test_early_tlast_ends_the_receive_with_its_true_length(host, rng):
    view, expected = add(host, rng, 16, last_at=5)
    until(host, "out", IDLE)
    assert host.logic.read(host.channels["out"] + LENGTH) == 40
    np.testing.assert_array_equal(view[:5], expected[:5])
    assert not view[5:].any()
    host.transfer("out", host.buffer(11)[0], 88)  # the rest has no TLAST, and waits for ever
    for _ in range(100):
        assert not host.status("out") & (IDLE | INTERNAL)


def test_receive_buffer_too_small_is_an_internal_error(host, rng):
    add(host, rng, 16, room=8)
    status = until(host, "out", INTERNAL)
    assert status & ERROR_IRQ
    assert until(host, "out", HALTED) & INTERNAL
    assert "longer than the 64 bytes" in host.logic.faults()[0]
    host.logic.write(host.channels["out"], 1)  # only a reset helps
    assert host.status("out") & HALTED and "reset" in host.logic.faults()[0]
    host.logic.program()
    view, expected = add(host, rng, 16)
    host.wait("out")
    np.testing.assert_array_equal(view, expected)


def test_an_error_shows_before_the_channel_halts(host, rng):
    """So that pynq's wait, which looks for Halted first, can name the cause."""
    add(host, rng, 16, room=8)
    seen = [host.status("out") for _ in range(60)]
    first = next(s for s in seen if s & INTERNAL)
    assert not first & HALTED and seen[-1] & HALTED


def test_length_above_the_width_is_cut(host, rng):
    host.start_channels()
    address, _ = host.buffer(16)
    host.transfer("in0", address, (1 << 26) + 64)
    assert host.logic.read(host.channels["in0"] + LENGTH) == 64
    assert "67108928 is wider than the register: cut to 64" in host.logic.faults()[0]
    host.transfer("in1", address, 1 << 26)  # cut to 0
    assert until(host, "in1", INTERNAL) & INTERNAL
    assert until(host, "in1", HALTED)


def test_a_second_length_during_a_transfer_is_ignored(host, rng):
    view, expected = add(host, rng, 600)
    host.logic.write(host.channels["in0"] + LENGTH, 8)
    host.wait("out")
    np.testing.assert_array_equal(view, expected)
    assert "under way" in host.logic.faults()[0]


def test_unaligned_address_is_an_internal_error(host):
    host.start_channels()
    address, _ = host.buffer(16)
    host.transfer("in0", address + 4, 8)
    assert until(host, "in0", INTERNAL)
    assert "multiple of 8" in host.logic.faults()[0]


@pytest.mark.parametrize(
    ("stream", "address", "bit", "text"),
    [
        ("in0", 0x20000000, DECODE, "outside DDR"),
        ("in0", 0xFFFFFFF8, DECODE, "outside DDR"),
        ("in0", 1 << 40, DECODE, "outside DDR"),
        ("in0", (1 << 64) - 64, DECODE, "outside DDR"),  # ends at 0
        ("in1", (1 << 64) - 8, DECODE, "outside DDR"),
        ("in0", 0x00100000, SLAVE, "no allocated buffer"),
        ("in1", 0x16800000 + 0x4000000, SLAVE, "no allocated buffer"),
    ],
)
def test_addresses_without_memory_are_errors(host, stream, address, bit, text):
    host.start_channels()
    host.buffer(4)
    host.transfer(stream, address, 64)
    status = until(host, stream, 0x70)
    assert status & 0x70 == bit
    assert until(host, stream, HALTED)
    assert text in host.logic.faults()[0]


def test_bursts_end_at_4_kb(host):
    """Of a send from the last three beats of a page on, these are read and the rest is refused."""
    host.start_channels()
    page, _ = host.buffer(512)
    host.transfer("in0", page + 4096 - 24, 64)
    assert until(host, "in0", 0x70) & SLAVE
    assert f"burst {page + 4096:#x} to {page + 4096 + 39:#x}" in host.logic.faults()[0]
    assert host.logic.counters()["ddr"]["bytes_read"] == 24


def test_a_receive_beyond_its_buffer_is_a_slave_error_and_writes_nothing_there(host, rng):
    host.start_channels()
    host.logic.write(host.kernel + 0x10, 1024)
    host.logic.write(host.kernel + 0x18, 1024)
    data = [host.buffer(beats(rng, 1024))[0] for _ in range(2)]
    address, _ = host.buffer(512)  # one page of the two that are sent
    behind = np.frombuffer(host.logic.memory, np.uint64, 512, address + 4096 - host.cma.base)
    before = behind.copy()
    host.transfer("out", address, 8192)
    host.logic.write(host.kernel, 1)
    for stream, at in zip(("in0", "in1"), data, strict=True):
        host.transfer(stream, at, 8192)
    assert until(host, "out", 0x70) & SLAVE
    np.testing.assert_array_equal(behind, before)


def test_a_short_last_beat_keeps_its_length(host, rng):
    """13 bytes: TKEEP 0x1f on the second beat, which the kernel passes on."""
    host.start_channels()
    a, b = (host.buffer(beats(rng, 2)) for _ in range(2))
    address, view = host.buffer(2)
    view[:] = 0
    host.transfer("out", address, 16)
    host.logic.write(host.kernel + 0x10, 2)
    host.logic.write(host.kernel + 0x18, 2)
    host.logic.write(host.kernel, 1)
    host.transfer("in0", a[0], 13)
    host.transfer("in1", b[0], 16)
    host.wait("out")
    assert host.logic.read(host.channels["out"] + LENGTH) == 13
    kept = np.uint64((1 << 40) - 1)
    masked = a[1][1] & kept
    assert view[0] == a[1][0] + b[1][0] and view[1] == (masked + b[1][1]) & kept


def test_kernel_never_started_moves_nothing_and_says_so(host, rng):
    host.start_channels()
    address, _ = host.buffer(beats(rng, 40))
    host.transfer("in0", address, 320)
    before = host.logic.counters()
    for _ in range(300):
        assert not host.status("in0") & IDLE
    after = host.logic.counters()
    assert after["run"]["starts"] == 0 and after["streams"]["in0"]["beats"] == 0
    assert after["dma"]["axi_dma_0"]["mm2s"]["left"] == 320
    assert after["cycle"] - before["cycle"] < 10_000  # nothing can happen, so time stands still


def test_nothing_that_a_host_writes_ends_the_board(host, seed):
    """Addresses and lengths at every edge, in any order: a wild access would end this process."""
    rng = random.Random(seed)
    base, end = host.cma.base, host.cma.base + host.cma.size
    low = (0, 4, base, base + 4088, end - 8, end - 2048, 0x20000000 - 64, 0xFFFFF800, 0xFFFFFFF8)
    lengths = (0, 1, 9, 64, 4097, 1 << 20, (1 << 26) - 1, (1 << 32) - 1)
    channels = list(host.channels)
    for step in range(600):
        if step % 20 == 0:
            host.logic.program()
            host.cma.clear()
            host.buffer(rng.choice([1, 512, 5000]))
        base = host.channels[rng.choice(channels)]
        host.logic.write(base, rng.choice([1, 1, 4]))
        host.logic.write(base, 1)
        host.logic.write(base + ADDRESS, rng.choice(low))
        host.logic.write(base + ADDRESS_HIGH, rng.choice([0, 0, 1, 0x80000000, 0xFFFFFFFF]))
        host.logic.write(base + LENGTH, rng.choice(lengths))
        host.logic.write(host.kernel + rng.choice([0, 0x10, 0x18]), rng.choice([1, 0x81, 600]))
        host.logic.write(base + 4 * rng.randrange(64), rng.getrandbits(32))
        host.logic.run(rng.randrange(500))
        host.status(rng.choice(channels))
    host.logic.program()
    view, expected = add(host, np.random.default_rng(seed), 16)
    host.wait("out")
    np.testing.assert_array_equal(view, expected)
