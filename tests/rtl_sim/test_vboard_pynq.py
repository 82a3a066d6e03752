# SPDX-License-Identifier: Apache-2.0
"""Unmodified pynq against the virtual board: overlays, registers, layers, faults; two processors.

pynq reads its environment when it is imported, so every client is a process of its own.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from pynq_client import SPEC, begin, client, end, layer_job, save

import vboard
from hlsc import toolchain
from vboard.artefacts import build_overlay
from vboard.cli import main
from vboard.errors import VboardError
from vboard.hwh import reached_mhz
from vboard.library import build_library, design
from vboard.profile import load_profile

if importlib.util.find_spec("pynq") is None:  # importing it would look for boards
    pytest.skip(
        "pynq comes with the extra board: pip install 'convloom[board]'", allow_module_level=True
    )

BOARDS = ("pynq-z2", "kv260")


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    """Compiling may take longer than one test may."""
    build_library(design("gemm_systolic", "tiny"))


@pytest.fixture(scope="module")
def board(_built: None) -> Iterator[Callable[[str], vboard.Board]]:
    """board(profile): one running board per profile, shared by the tests of this module."""
    running: dict[str, vboard.Board] = {}

    def get(profile: str) -> vboard.Board:
        if profile not in running or not running[profile].alive:
            running[profile] = vboard.start("gemm_systolic", profile)
        return running[profile]

    yield get
    for made in running.values():
        made.stop()


# ---------------------------------------------------------------------------------------- overlay


@pytest.mark.parametrize("profile", BOARDS)
def test_overlay_shows_ips_registers_and_clock(board, profile):
    told = client(
        board(profile),
        """
        ol = load(BIT)
        rows = ol.ip_dict["gemm_systolic_0"]["registers"]
        kernel = ol.gemm_systolic_0
        kernel.register_map.rows = 77
        kernel.register_map.clamp_low = 0xffffff80
        ol.axi_gpio_led.write(0, 5)
        from pynq import Clocks
        tell(
            ips={n: [d["type"], d["phys_addr"], d["addr_range"]] for n, d in ol.ip_dict.items()
                 if "phys_addr" in d},
            registers=sorted(kernel.register_map._register_classes),
            offsets={n: r["address_offset"] for n, r in rows.items()},
            control=repr(kernel.register_map.CTRL),
            rows=[int(kernel.register_map.rows), kernel.read(0x10), int(kernel.register_map.rows.rows)],
            low=kernel.read(0x88) & 0xffffffff,  # signed in pynq 3.1
            dma=repr(ol.axi_dma_0.register_map.S2MM_DMASR),
            channels=[ol.axi_dma_1.recvchannel is None, ol.axi_dma_0.buffer_max_size],
            led=ol.axi_gpio_led.read(0),
            mhz=Clocks.fclk0_mhz,
            arch=Device.active_device.arch,
            name=Device.active_device.name,
        )
        """,
    )
    facts = load_profile(profile)
    where = facts.addresses
    assert told["ips"] == {
        "gemm_systolic_0": ["xilinx.com:hls:gemm_systolic:1.0", where["kernel"], 0x10000],
        "axi_dma_0": ["xilinx.com:ip:axi_dma:7.1", where["axi_dma_0"], 0x10000],
        "axi_dma_1": ["xilinx.com:ip:axi_dma:7.1", where["axi_dma_1"], 0x10000],
        "axi_gpio_led": ["xilinx.com:ip:axi_gpio:2.0", where["axi_gpio_led"], 0x10000],
    }
    expected = {r.name: r.offset for r in SPEC.registers}
    assert told["offsets"] == {"CTRL": 0, "GIER": 4, "IP_IER": 8, "IP_ISR": 12} | expected
    assert set(told["registers"]) == set(told["offsets"])
    assert "AP_IDLE=1" in told["control"] and "AP_START=0" in told["control"]
    assert told["rows"] == [77, 77, 77] and told["low"] == 0xFFFFFF80
    assert "Halted=0" in told["dma"] and "DMAIntErr=0" in told["dma"]
    assert told["channels"] == [True, (1 << 26) - 1] and told["led"] == 5
    assert told["mhz"] == pytest.approx(reached_mhz(facts)[0], rel=1e-4)
    assert told["arch"] == ("armv7l" if facts.is_zynq7000 else "aarch64")
    assert told["name"] == facts.board


@pytest.mark.parametrize("profile", ["pynq-z2", "aup-zu3"])
def test_pynqs_own_selftest_passes(profile, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    overlay = build_overlay("gemm_systolic", profile, "tiny", out=tmp_path)
    argv = [sys.executable, "-m", "vboard", "serve", "gemm_systolic", "--board", profile]
    environment = {**os.environ, "no_proxy": "127.0.0.1"}
    server = subprocess.Popen(
        [*argv, "--address", f"127.0.0.1:{port}", "--with-parent"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None and server.stdout.readline().startswith("ready")
        lock = toolchain.build_root() / "overlay" / ".pynq.lock"
        test = ["python", "-m", "pynq.remote.selftest", "--ip", "127.0.0.1", "--port", str(port)]
        out = toolchain.run(
            ["flock", lock, sys.executable, *test[1:], "--bitstream", overlay.bitstream],
            what="pynq's self-test",
            env=environment,
            timeout=100,
        ).stdout
    finally:
        server.communicate(timeout=10)
    assert "11 passed, 0 failed" in " ".join(out.split()).lower().replace("pass:", ""), out


def test_wrong_and_foreign_overlays_are_refused(board, tmp_path):
    made = board("pynq-z2")
    other = build_overlay("gemm_systolic", "kv260", "tiny", out=tmp_path)
    text = bytearray(made.bitstream.read_bytes())
    digest = made.counters()["digest"].encode()
    at = bytes(text).index(digest)
    text[at : at + 4] = b"0000"
    (tmp_path / "stale.bit").write_bytes(text)
    (tmp_path / "stale.hwh").write_bytes(made.bitstream.with_suffix(".hwh").read_bytes())
    (tmp_path / "bare.bit").write_bytes(made.bitstream.read_bytes())
    told = client(
        made,
        f"""
        from pathlib import Path
        warnings.simplefilter("ignore")  # about a clock that this board can not have
        said = {{}}
        for name in ({other.bitstream.name!r}, "stale.bit", "bare.bit"):
            try:
                load(str(Path({str(tmp_path)!r}, name)))
            except Exception as error:
                said[name] = str(error)
        load(BIT)
        tell(said=said, programmed=counters()["programmed"])
        """,
    )
    assert "overlay must be for board pynq-z2, not kv260" in told["said"][other.bitstream.name]
    assert "overlay must be for digest" in told["said"]["stale.bit"]
    assert "bare.bit" in told["said"] and told["programmed"]


# ------------------------------------------------------------------------------------------ layers


@pytest.mark.parametrize("profile", BOARDS)
def test_layers_are_bit_exact_and_take_the_same_cycles_each_time(board, profile, seed, tmp_path):
    jobs = [layer_job(seed, i) for i in range(3)]
    files = [str(save(job, tmp_path / f"{i}.npz")) for i, (job, _) in enumerate(jobs)]
    told = client(
        board(profile),
        f"""
        ol = load(BIT)
        ol.axi_dma_0, ol.axi_dma_1  # drivers are bound when first named: that writes registers
        results, cycles = [], []
        for file in {files + files[:1]}:
            results.append(run_job(ol, file))
            cycles.append(counters()["run"]["cycles"])
        ol = load(BIT)
        ol.axi_dma_0, ol.axi_dma_1
        run_job(ol, {files[0]!r})
        cycles.append(counters()["run"]["cycles"])
        tell(results=results, cycles=cycles, counters=counters())
        """,
    )
    for (job, expected), (words, status) in zip(jobs, told["results"][:3], strict=True):
        assert status == 0, SPEC.explain_status(status)
        np.testing.assert_array_equal(job.result([np.array(words, np.uint64)]), expected)
    first, _, _, again, fresh = told["cycles"]
    assert first == again == fresh > 0
    counts = told["counters"]
    job = jobs[0][0]
    assert counts["run"]["bytes_in"] == job.bytes_in and counts["run"]["bytes_out"] == job.bytes_out
    assert counts["cma"]["buffers"] == 0 and counts["faults"] == []


def test_two_boards_at_once_keep_apart(board, seed, tmp_path):
    jobs = [layer_job(seed, i) for i in (4, 5)]
    processes = []
    for profile, (job, _) in zip(BOARDS, jobs, strict=True):
        file = save(job, tmp_path / f"{profile}.npz")
        code = f"""
        ol = load(BIT)
        ol.axi_dma_0, ol.axi_dma_1
        runs = [run_job(ol, {str(file)!r}) for _ in range(4)]
        tell(same=all(r == runs[0] for r in runs), run=runs[0], starts=counters()["run"]["starts"])
        """
        processes.append(begin(board(profile), code))
    for process, (job, expected) in zip(processes, jobs, strict=True):
        told = end(process, 100)
        assert told["same"] and told["starts"] == 4 and told["run"][1] == 0
        np.testing.assert_array_equal(job.result([np.array(told["run"][0], np.uint64)]), expected)


# ------------------------------------------------------------------------------------------ faults


def test_faults_reach_pynq_with_their_cause_and_the_next_run_works(board, seed, tmp_path):
    job, expected = layer_job(seed)
    file = save(job, tmp_path / "job.npz")
    told = client(
        board("pynq-z2"),
        f"""
        def caught(action):
            try:
                action()
            except Exception as error:
                return str(error)
            return ""

        said = {{}}
        from pynq import MMIO
        ol = load(BIT)
        said["small"] = caught(lambda: run_job(ol, {str(file)!r}, short=1))
        said["faults"] = counters()["faults"]
        ol = load(BIT)
        # registers that do not exist
        kernel = ol.gemm_systolic_0
        said["offset"] = caught(lambda: kernel.read(0x100))
        said["hole"] = caught(lambda: MMIO(0x50000000, 0x1000))
        said["wide"] = caught(lambda: MMIO(0x40000000, 0x20000))
        # memory
        b = allocate(1000, np.uint64)
        said["two"] = caught(lambda: [ol.axi_dma_0.sendchannel.transfer(b) for _ in range(2)])
        huge = allocate(200 << 20, np.uint8)
        said["cma"] = caught(lambda: huge.physical_address)
        said["reason"] = counters()["faults"][-1]
        ol = load(BIT)
        ol.axi_dma_0, ol.axi_dma_1
        tell(said=said, result=run_job(ol, {str(file)!r}))
        """,
    )
    said = told["said"]
    assert "DMA Internal Error" in said["small"]
    assert any("buffer too small" in f for f in said["faults"])
    assert "register offset must be below 0x100 in the kernel, not 0x100" in said["offset"]
    assert "not at 0x50000000" in said["hole"] and "inside one IP" in said["wide"]
    assert "not idle" in said["two"]
    assert said["cma"] and "must fit into contiguous memory" in said["reason"]
    words, status = told["result"]
    assert status == 0
    np.testing.assert_array_equal(job.result([np.array(words, np.uint64)]), expected)


def test_a_server_killed_in_mid_transfer_ends_its_client(_built):
    with vboard.Board("gemm_systolic") as made:
        process = begin(
            made,
            """
            ol = load(BIT)
            b = allocate(1000, np.uint64)
            ol.axi_dma_0.sendchannel.transfer(b)
            tell(ready=True)
            sys.stdout.flush()
            try:
                ol.axi_dma_0.sendchannel.wait()
            except Exception as error:
                tell(said=str(error))
            """,
        )
        assert process.stdout is not None and "TOLD" in process.stdout.readline()
        time.sleep(0.3)
        os.kill(made.pid, signal.SIGKILL)
        assert "UNAVAILABLE" in end(process, 30)["said"]
        assert not made.alive
        with pytest.raises(VboardError, match="must be running"):
            made.counters()


# --------------------------------------------------------------------------------------- processes


def test_the_server_dies_with_its_parent(_built):
    code = "import os, vboard; b = vboard.start('gemm_systolic'); print(b.pid, flush=True); os._exit(1)"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    pid = int(out.stdout)
    for _ in range(100):
        if not Path(f"/proc/{pid}").exists() or "State:\tZ" in Path(f"/proc/{pid}/status").read_text():
            return
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    raise AssertionError("the server outlived its parent by 10 s")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["serve", "gemm_systolic", "--address", "0.0.0.0:7967"], "must be of this machine only"),
        (["serve", "gemm_systolic", "--address", "nowhere"], "HOST:PORT or unix:/PATH"),
        (["serve", "gemm_systolic", "--address", "example.org:80"], "IP address or localhost"),
        (["build", "gemm", "--out", "."], "kernel must be one of"),
        (["build", "gemm_systolic", "--board", "z3"], "board must be one of aup-zu3, kv260, pynq-z2"),
        (["build", "gemm_systolic", "--config", "huge"], "config must be one of tiny, z2"),
    ],
)
def test_wrong_arguments_are_one_line(arguments, text, capsys):
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert text in said and said.count("\n") == 1


def test_the_command_lists_boards():
    argv = [sys.executable, "-m", "vboard", "boards"]
    out = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert out.returncode == 0
    assert [line.split()[0] for line in out.stdout.splitlines()] == list(vboard.profile_names())


@pytest.mark.nightly
def test_a_waveform_holds_the_asked_window(tmp_path, seed):
    file = tmp_path / "wave.fst"
    job, _ = layer_job(seed)
    jobs = save(job, tmp_path / "job.npz")
    with vboard.Board("gemm_systolic", waveform=(file, 0, 3000)) as made:
        client(made, f"ol = load(BIT); tell(run=run_job(ol, {str(jobs)!r}))", 200)
    assert file.stat().st_size > 10_000
