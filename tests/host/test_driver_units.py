# SPDX-License-Identifier: Apache-2.0
"""Parts of the driver and its commands that need neither a board nor pynq's overlay."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from convloom.cli import main
from convloom.commands import board_level, levels, timeline
from convloom.commands.board_state import BoardFile, read_boards, running_board, start_ticks
from convloom.errors import ConvloomError


def test_convloom_imports_pynq_only_in_the_driver() -> None:
    """Everything but the driver works where pynq is not installed, and says what is missing."""
    program = """
import sys
sys.modules["pynq"] = None
import convloom.cli, convloom.lowering, convloom.commands.levels, convloom.commands.board
assert "grpc" not in sys.modules and "vboard" not in sys.modules and "hlsc" not in sys.modules
try:
    import convloom.driver
except convloom.errors.ConvloomError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "the driver needs pip install 'convloom[board]'" in done.stdout


def test_the_driver_names_no_simulator() -> None:
    import ast

    folder = Path(__file__).parents[2] / "host" / "convloom" / "driver"
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.split(".")[0] not in ("vboard", "hlsc"), f"{path.name} imports {name}"


def test_words_for_registers() -> None:
    pytest.importorskip("pynq", reason="pynq comes with the extra board: pip install 'convloom[board]'")
    from convloom.driver.dma import status_text
    from convloom.driver.ip import control_text, kernel_of

    assert status_text(0x1002) == "0x1002 (Idle, IOC_Irq)"
    assert status_text(0x4011) == "0x4011 (Halted, DMAIntErr, Err_Irq)"
    assert status_text(0) == "0x0 (running)"
    assert control_text(4) == "0x04 (idle)" and control_text(0) == "0x00 (busy)"
    found = kernel_of("xilinx.com:hls:gemm_systolic:1.0")
    assert found is not None and found.name == "gemm_systolic"
    for other in ("xilinx.com:ip:axi_dma:7.1", "", None, "gemm_systolic"):
        assert kernel_of(other) is None


def test_the_limit_restarts_on_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the board counts beats every beat is progress; elsewhere only what ends is."""
    pytest.importorskip("pynq", reason="pynq comes with the extra board: pip install 'convloom[board]'")
    from convloom.driver import engine

    now, beats = [0.0], [0]
    monkeypatch.setattr(engine, "time", SimpleNamespace(monotonic=lambda: now[0]))

    def watch(there: bool) -> Any:
        def read() -> dict[str, Any]:
            return {"streams": {"in0": {"beats": 7}, "out": {"beats": beats[0]}}}

        return engine._Watch(SimpleNamespace(there=there, read=read), 1.0)  # type: ignore[arg-type]

    counting, plain = watch(True), watch(False)
    for _ in range(10):
        now[0] += 0.9
        beats[0] += 1
        assert not counting.expired()
    assert plain.expired() and plain.seconds == pytest.approx(9)
    plain.progress()
    now[0] += 0.9
    assert not counting.expired() and not plain.expired()
    now[0] += 0.2
    assert counting.expired() and plain.expired()
    assert counting.seconds == pytest.approx(1.1)


def test_loading_waits_for_another_process_only_so_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pynq", reason="pynq comes with the extra board: pip install 'convloom[board]'")
    from convloom.driver import BoardError, loading

    monkeypatch.setattr(loading.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(loading, "_LOCK_SECONDS", 0.1)
    said = pytest.raises(BoardError, match=r"lock must be free within 0\.1 s; another process")
    with loading.loading(), said, loading.loading():
        pass
    with loading.loading():
        pass


@pytest.mark.parametrize(
    ("text", "free"),
    [
        ("MemTotal: 9 kB\nCmaTotal:     131072 kB\nCmaFree:      1000 kB\n", 1_024_000),
        ("CmaTotal: 64 kB\nCmaFree: 0 kB\n", 0),
        ("CmaTotal: 0 kB\nCmaFree: 0 kB\n", None),  # a PC
        ("MemTotal: 9 kB\n", None),
    ],
)
def test_contiguous_memory_as_linux_says_it(text: str, free: int | None) -> None:
    pytest.importorskip("pynq", reason="pynq comes with the extra board: pip install 'convloom[board]'")
    from convloom.driver.counters import free_contiguous

    board = SimpleNamespace(
        exists_file=lambda path: SimpleNamespace(exists=path == "/proc/meminfo"),
        read_file=lambda path: text.encode(),
    )
    assert free_contiguous(board) == free


def board_file(**changes: Any) -> BoardFile:
    own = os.getpid()
    values = dict(
        name="vboard-x",
        pid=own,
        started=start_ticks(own),
        address="unix:/tmp/vboard-x/vb",
        bitstream=Path("x.bit"),
        kernel="gemm_systolic",
        config="tiny",
        profile="pynq-z2",
    )
    return BoardFile(**{**values, **changes})


def test_running_boards_are_found_by_their_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert read_boards() == [] and main(["board", "status"]) == 0
    assert "no virtual board runs" in capsys.readouterr().out
    board = board_file()
    board.save()
    assert read_boards() == [board] and board.alive
    assert running_board(board.address) == board and running_board("elsewhere") is None
    # Another process of the same number is not the board: it is not ended.
    board_file(started=board.started + 1).save()
    assert running_board(board.address) is None
    (tmp_path / "build" / "board" / "broken.json").write_text("{")
    assert main(["board", "stop"]) == 0
    assert capsys.readouterr().out == "stopped vboard-x\n"
    assert read_boards() == [] and os.getpid() == board.pid


def test_a_configured_board_needs_an_overlay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYNQ_REMOTE_DEVICES", "unix:/tmp/vboard-x/vb")
    monkeypatch.delenv("CONVLOOM_BITSTREAM", raising=False)
    spec = levels.load_kernel("gemm_systolic")
    with pytest.raises(ConvloomError, match=r"--bitstream must name the overlay for unix:/tmp"):
        board_level._bitstream(spec, "tiny")
    board_file().save()
    assert board_level._bitstream(spec, "tiny") == Path("x.bit")
    with pytest.raises(ConvloomError, match="must be one of gemm_systolic z2, not"):
        board_level._bitstream(spec, "z2")
    (tmp_path / "build" / "board" / "vboard-x.json").unlink()
    monkeypatch.setenv("CONVLOOM_BITSTREAM", "mine.bit")
    assert board_level._bitstream(spec, "tiny") == Path("mine.bit")


def test_reports_and_their_timeline(tmp_path: Path) -> None:
    pytest.importorskip("pynq", reason="pynq comes with the extra board: pip install 'convloom[board]'")
    from convloom.driver.report import Event, RunReport

    report = RunReport(
        kernel="gemm_systolic",
        config="tiny",
        lowering="im2col",
        layer="3x3s1_4x4x4_4",
        bytes_in=64,
        bytes_out=32,
        transfers={"in0": 1, "in1": 2, "out": 1},
        weights_kept=False,
        seconds={"lowering": 0.1, "transfer": 0.2, "wait": 0.3},
        clock_mhz=100.0,
        cycles=1000,
        macs=4000,
        host=(Event("transfer", 0.0, 0.2), Event("wait", 0.2, 0.5)),
        board=(Event("compute", 0.0, 900.0), Event("out", 0.0, 1000.0)),
    )
    assert report.modelled_seconds == pytest.approx(1e-5)
    assert "1,000 cycles, 4.00 MAC/cycle, 0.010 ms at 100 MHz" in str(report)
    with_time = report.with_lowering(0.4)
    assert with_time.seconds["lowering"] == pytest.approx(0.5)
    assert with_time.host[0] == Event("lowering", 0.0, 0.4) and with_time.host[1].start == 0.4
    plain = json.loads(json.dumps(report.as_json()))
    assert plain["macs_per_cycle"] == 4 and plain["dma_transfers"]["in1"] == 2
    target = tmp_path / "timeline.png"
    timeline.draw_timeline(target, [with_time, report])
    assert target.read_bytes().startswith(b"\x89PNG") and target.stat().st_size > 10_000
