# SPDX-License-Identifier: Apache-2.0
"""The board's programmable logic by itself: how time passes, what is counted and recorded."""

from __future__ import annotations

import numpy as np
import pytest
from sum_board import SPEC, SV, add, beats, make

import vboard.logic
from vboard.cli import main
from vboard.errors import VboardError
from vboard.host import Host
from vboard.library import Design, build_library
from vboard.logic import STREAMS

HALTED = 1


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


def test_the_first_two_reads_after_a_write_to_a_channel_only_look(host, rng):
    """So pynq, which asks twice before it starts a transfer, finds a busy channel busy."""
    host.start_channels()
    address, _ = host.buffer(400)
    host.transfer("out", address, 3200)
    for register in (0x10, 0x18):
        host.logic.write(host.kernel + register, 400)
    host.logic.write(host.kernel, 1)
    host.transfer("in0", host.buffer(beats(rng, 400))[0], 3200)

    def start() -> None:
        host.transfer("in1", host.buffer(beats(rng, 100))[0], 800)

    def passes(stream: str) -> bool:
        before = host.logic.counters()["cycle"]
        assert not host.idle(stream)
        return host.logic.counters()["cycle"] > before

    start()
    assert [passes("in0") for _ in range(3)] == [False, False, True]  # to the end of in1
    assert host.idle("in1")
    start()
    assert passes("in0")  # not written to since: one read less, which remotely is a call
    assert host.idle("in1")
    start()
    assert [passes("in1") for _ in range(2)] == [False, False]


def test_ports_move_a_beat_a_cycle_and_direction_when_the_sum_allows(library, rng):
    """in0 and out share a port, in1 has the other: 24 bytes a cycle, though the sum is 64."""
    count = 4000
    fast = make(library, ddr_bytes_per_cycle=64.0)
    counters = figures(fast, rng, count)
    cycles, stalls = counters["run"]["cycles"], counters["run"]["stalls"]
    assert count < cycles < count + 10 * fast.logic.profile.ddr_latency
    assert not any(causes["bandwidth"] for causes in stalls.values())


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
    streams, stalls = counters["streams"], counters["run"]["stalls"]
    assert streams["in0"]["beats"] == streams["out"]["beats"] == 2000
    assert streams["in0"]["packets"] == streams["out"]["packets"] == 1
    assert stalls["in1"]["bandwidth"] > 1000
    assert stalls["in0"]["kernel"] > 1000  # begun earlier, it waits for in1
    assert stalls["out"]["kernel"] > 1000  # it had nothing to send


MEMORIES = {
    "fast": {"ddr_bytes_per_cycle": 64.0, "ddr_latency": 1},
    "narrow": {"ddr_bytes_per_cycle": 3.0},
    "distant": {"ddr_bytes_per_cycle": 64.0, "ddr_latency": 900},
    "slow host": {"ddr_bytes_per_cycle": 64.0, "access_cycles": 3000},
}


@pytest.mark.parametrize("memory", MEMORIES)
def test_every_cycle_of_a_run_has_one_cause(library, rng, memory):
    """Beats and stalls of each stream are the run's cycles, and what is slow is blamed."""
    count = 2000
    host = make(library, **MEMORIES[memory])
    for _ in range(2):  # the second run counts anew, and not what was between them
        run = figures(host, rng, count)["run"]
        host.logic.run(500)
        for stream in STREAMS:
            assert run["beats"][stream] + sum(run["stalls"][stream].values()) == run["cycles"], stream
    blamed = {"narrow": "bandwidth", "distant": "latency", "slow host": "dma"}.get(memory)
    causes = run["stalls"]["in1"]  # in1 is armed last, so it is what the others wait for
    causes.pop("idle")  # until then
    if blamed:
        assert causes[blamed] > 0.8 * sum(causes.values()) > 1000
    else:
        assert sum(causes.values()) < 200


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


@pytest.mark.parametrize(
    ("file", "window", "text"),
    [
        ("none/wave.fst", (0, 9), "wave.fst must be writable, not fail: No such file or directory"),
        (".", (0, 9), "must be writable, not fail: Is a directory"),
        ("wave.fst", (9, 8), "window must be two cycles in rising order, not 9 and 8"),
        ("wave.fst", (-1, 8), "window must be two cycles in rising order, not -1 and 8"),
    ],
)
def test_a_waveform_that_could_not_be_recorded_is_refused(host, tmp_path, capsys, file, window, text):
    """By the command too, before it compiles anything."""
    with pytest.raises(VboardError, match=text):
        host.logic.record(tmp_path / file, *window)
    argv = ["serve", "gemm_systolic", "--waveform", str(tmp_path / file)]
    assert main([*argv, "--window", *map(str, window)]) == 1
    assert text in capsys.readouterr().err


def test_recording_needs_a_model_that_can(host, tmp_path):
    with pytest.raises(VboardError, match="built without a recorder"):
        host.logic.record(tmp_path / "wave.fst", 0, 9)


def test_a_kernel_without_a_stream_is_refused(tmp_path):
    text = SV.read_text().replace("in1_T", "weights_T")
    other = tmp_path / "k.sv"
    other.write_text(text)
    with pytest.raises(VboardError, match="must have a port in1_TDATA to be on a board"):
        build_library(Design(SPEC, "tiny", other, other))
