# SPDX-License-Identifier: Apache-2.0
"""The board's programmable logic by itself: DMA registers, their faults, DDR, time; no gRPC, no pynq.

The kernel is a small one (out = in0 + in1) whose TLAST the test chooses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import vboard.logic
from convloom.kernels import KernelSpec, Register, load_kernel
from vboard.errors import VboardError
from vboard.host import ADDRESS, ADDRESS_HIGH, CONTROL, LENGTH, RECEIVE, STATUS, Host
from vboard.library import Design, build_library
from vboard.logic import Logic
from vboard.profile import load_profile

SV = Path(__file__).with_name("test_vboard_sum.sv")
SPEC: KernelSpec = replace(
    load_kernel("gemm_systolic"),
    name="sum_kernel",
    top="sum_kernel",
    registers=(
        Register("beats", 0x10, ""),
        Register("last_at", 0x18, ""),
        Register("status", 0x20, "", "out"),
    ),
)
HALTED, IDLE, INTERNAL, SLAVE, DECODE, IOC, ERROR_IRQ = 1, 2, 0x10, 0x20, 0x40, 0x1000, 0x4000


@pytest.fixture(scope="module")
def library() -> Path:
    return build_library(Design(SPEC, "tiny", SV, SV))


def make(library: Path, board: str = "pynq-z2", **changes: object) -> Host:
    return Host(Logic(library, replace(load_profile(board), **changes)), SPEC)


@pytest.fixture
def host(library: Path) -> Iterator[Host]:
    made = make(library)
    yield made
    made.logic.close()


def beats(rng: np.random.Generator, count: int) -> np.ndarray:
    return rng.integers(0, 1 << 62, count, np.uint64)


def add(host: Host, rng: np.random.Generator, count: int, *, last_at: int | None = None, room: int = 0):
    """Arms a receive of room beats, starts, sends count beats on both; returns the receive's view."""
    a, b = beats(rng, count), beats(rng, count)
    host.cma.clear()
    host.start_channels()
    address, view = host.buffer(room or count)
    view[:] = 0
    host.transfer("out", address, view.nbytes)
    host.logic.write(host.kernel + 0x10, count)
    host.logic.write(host.kernel + 0x18, count if last_at is None else last_at)
    host.logic.write(host.kernel, 1)
    for stream, data in (("in0", a), ("in1", b)):
        host.transfer(stream, host.buffer(data)[0], data.nbytes)
    return view, a + b


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


# ----------------------------------------------------------------------------------------- time


def figures(host: Host, rng: np.random.Generator, count: int = 2000) -> dict:
    add(host, rng, count)
    for stream in ("out", "in0", "in1"):
        host.wait(stream)
    return host.logic.counters()


def test_same_work_takes_the_same_cycles(host, rng, monkeypatch):
    first = figures(host, rng)["run"]["cycles"]
    for milliseconds in (0, 1, 100):  # how far one poll may go does not matter
        monkeypatch.setattr(vboard.logic, "_POLL_MILLISECONDS", milliseconds)
        assert figures(host, rng)["run"]["cycles"] == first


def test_cycles_do_not_depend_on_how_often_the_host_looks(library, seed):
    """The host starts a second transfer after the first: the only thing that it has to wait for."""

    def run(looks: int, order: tuple[str, ...]) -> int:
        rng = np.random.default_rng(seed)
        host = make(library)
        host.start_channels()
        address, _ = host.buffer(400)
        host.transfer("out", address, 3200)
        host.logic.write(host.kernel + 0x10, 400)
        host.logic.write(host.kernel + 0x18, 400)
        host.logic.write(host.kernel, 1)
        halves = {s: [host.buffer(beats(rng, 200))[0] for _ in range(2)] for s in order}
        for stream in ("in0", "in1"):
            host.transfer(stream, halves[stream].pop(), 1600)
        while any(halves.values()):
            for stream in order:
                for _ in range(looks):
                    host.status(stream)
                if halves[stream] and host.idle(stream):
                    host.transfer(stream, halves[stream].pop(), 1600)
        host.wait("out")
        cycles = host.logic.counters()["run"]["cycles"]
        host.logic.close()
        return cycles

    assert len({run(looks, ("in0", "in1")) for looks in (0, 1, 2, 7)}) == 1


def test_ports_move_a_beat_a_cycle_when_the_sum_allows(library, rng):
    count = 4000
    fast = make(library, ddr_bytes_per_cycle=64.0)
    cycles = figures(fast, rng, count)["run"]["cycles"]
    latency = fast.logic.profile.ddr_latency
    assert count < cycles < count + 10 * latency


@pytest.mark.parametrize("rate", [1.5, 6.0, 12.2, 20.0])
def test_the_sum_caps_what_all_ports_move(library, rng, rate):
    count = 3000
    host = make(library, ddr_bytes_per_cycle=rate)
    counters = figures(host, rng, count)
    assert counters["ddr"]["bytes_read"] == 16 * count
    assert counters["ddr"]["bytes_written"] == 8 * count
    assert counters["ddr"]["limit_stalls"] > 0
    bound = 24 * count / rate
    # 512 beats of each FIFO are written after the last beat of the stream.
    slack = 3 * 512 * 8 / rate + 20 * host.logic.profile.ddr_latency
    assert bound - slack < counters["run"]["cycles"] < bound + slack


def test_latency_delays_the_first_beat(library, rng):
    short, long = (figures(make(library, ddr_latency=n), rng, 10)["run"]["cycles"] for n in (20, 220))
    assert long - short == 200


def test_stalls_are_told_by_cause(library, rng):
    counters = figures(make(library, ddr_bytes_per_cycle=2.0), rng)
    streams = counters["streams"]
    assert streams["in0"]["beats"] == streams["out"]["beats"] == 2000
    assert streams["in0"]["packets"] == streams["out"]["packets"] == 1
    assert streams["in1"]["ddr_stalls"] > 1000
    assert streams["in0"]["kernel_stalls"] > 1000  # begun earlier, it waits for in1
    assert streams["out"]["kernel_stalls"] > 1000  # it had nothing to send


def test_every_write_takes_the_profiles_cycles(library):
    host = make(library, access_cycles=77)
    before = host.logic.counters()["cycle"]
    host.logic.write(host.kernel + 0x10, 5)
    host.logic.write(host.logic.profile.addresses["axi_gpio_led"], 5)
    assert host.logic.counters()["cycle"] - before == 2 * 77
    host.status("in0")
    assert host.logic.read(host.logic.profile.addresses["axi_gpio_led"]) == 5
    assert host.logic.counters()["cycle"] - before == 2 * 77


def test_done_is_kept_for_the_host_and_clears_when_read(host, rng):
    add(host, rng, 50)
    host.wait("out")
    seen = [host.logic.read(host.kernel) for _ in range(60)]
    done = [s for s in seen if s & 2]
    assert len(done) == 1 and seen[-1] == 4
    assert host.logic.counters()["run"]["done"]


def test_polling_control_alone_finds_the_end(host, rng):
    view, expected = add(host, rng, 300)
    while not host.logic.read(host.kernel) & 2:
        pass
    host.wait("out")
    np.testing.assert_array_equal(view, expected)
    assert host.logic.read(host.kernel + 0x20) == 300


def test_programming_starts_everything_anew(host, rng):
    add(host, rng, 50)
    host.logic.program()
    counters = host.logic.counters()
    assert counters["cycle"] == 0 and counters["run"]["starts"] == 0
    assert host.status("out") == HALTED and host.logic.read(host.kernel) == 4
    assert host.logic.read(host.kernel + 0x10) == 0


def test_an_address_of_no_ip_is_an_error(host):
    with pytest.raises(VboardError, match="nothing answers at 0x50000000"):
        host.logic.read(0x50000000)


def test_a_waveform_holds_the_window_that_was_asked_for(rng, tmp_path):
    traced = make(build_library(Design(SPEC, "tiny", SV, SV), trace=True))
    file = tmp_path / "wave.fst"
    traced.logic.record(file, 200, 299)
    add(traced, rng, 300)
    traced.wait("out")
    traced.logic.close()
    data = file.read_bytes()
    assert data[0] == 0  # a header block: length, first and last time
    first, last = (int.from_bytes(data[i : i + 8], "big") for i in (9, 17))
    assert (first, last) == (2 * 200, 2 * 299 + 1)  # two times a cycle


def test_recording_needs_a_model_that_can(host, tmp_path):
    with pytest.raises(VboardError, match="built without a recorder"):
        host.logic.record(tmp_path / "wave.fst", 0, 9)


def test_a_kernel_without_a_stream_is_refused(tmp_path):
    text = SV.read_text().replace("in1_T", "weights_T")
    other = tmp_path / "k.sv"
    other.write_text(text)
    with pytest.raises(VboardError, match="must have a port in1_TDATA to be on a board"):
        build_library(Design(SPEC, "tiny", other, other))
