# SPDX-License-Identifier: Apache-2.0
"""Boards that go away or fall silent: told in the time given, and the next call works afterwards."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pynq", reason="pynq comes with the extra board: pip install 'convloom[board]'")

from driver_support import LAYER, tensors
from virtual_board import check_next, check_run, load, start

from convloom.driver import BoardError
from convloom.layer import ConvLayer

LARGE = ConvLayer(1, 40, 40, 8, 16, 3, 3)


@pytest.fixture
def board() -> Iterator[Any]:
    made = start("gemm_systolic")
    yield made
    made.stop()


def end_in_mid_run(overlay: Any, what: signal.Signals, pid: int) -> None:
    """Runs layers until a signal to the server stops one."""
    timer = threading.Timer(0.4, os.kill, (pid, what))
    timer.start()
    try:
        with pytest.raises(BoardError, match="the board must answer"):
            for _ in range(50):
                overlay.run(LARGE, *tensors(LARGE))
    finally:
        timer.join()


def test_a_server_that_dies_in_mid_transfer(board: Any) -> None:
    overlay = load(board)
    end_in_mid_run(overlay, signal.SIGKILL, board.pid)
    with pytest.raises(BoardError, match="the connection to it is lost"):
        overlay.run(LAYER, *tensors(LAYER))
    overlay.close()
    again = start("gemm_systolic")
    try:
        with load(again) as overlay:
            check_next(overlay)
    finally:
        again.stop()


def test_a_server_that_falls_silent_and_comes_back(board: Any) -> None:
    with load(board, answer=1.0) as overlay:
        end_in_mid_run(overlay, signal.SIGSTOP, board.pid)
        with pytest.raises(BoardError, match=r"must answer in time, and is silent.* with answer="):
            overlay.run(LAYER, *tensors(LAYER))
        os.kill(board.pid, signal.SIGCONT)
        check_run(overlay)  # and what could not be freed meanwhile goes when the PL is programmed
    assert board.counters()["cma"]["used"] == 0


CLIENT = """
import sys
from convloom.driver import BoardError, ConvOverlay
try:
    ConvOverlay(sys.argv[1], answer=1.0)
except BoardError as error:
    print(error)
"""


def test_a_board_that_takes_the_connection_and_never_answers(tmp_path: Path) -> None:
    """pynq asks as soon as it makes its device, so that even opening needs a limit."""
    import grpc  # type: ignore[import-untyped]

    from vboard.artefacts import build_overlay

    overlay = build_overlay("gemm_systolic", "pynq-z2", "tiny")
    free = threading.Event()

    class Silent(grpc.GenericRpcHandler):
        def service(self, details: Any) -> Any:
            return grpc.unary_unary_rpc_method_handler(lambda request, context: free.wait(60) and b"")

    server = grpc.server(ThreadPoolExecutor(4), handlers=[Silent()])
    server.add_insecure_port(f"unix:{tmp_path}/vb:7967")
    server.start()
    try:
        done = subprocess.run(
            [sys.executable, "-c", CLIENT, str(overlay.bitstream)],
            env={**os.environ, "PYNQ_REMOTE_DEVICES": f"unix:{tmp_path}/vb"},
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        free.set()
        server.stop(None)
    assert done.returncode == 0, done.stderr
    assert "must answer within 1 s, and is silent: start its server again" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("address", "said"),
    [
        (
            "unix:/nowhere/vb",
            "the board at unix:/nowhere/vb must be a PYNQ board that answers (Failed to",
        ),
        ("", "this machine must be a PYNQ board that answers (No Devices Found); name a remote"),
    ],
)
def test_no_board_there(address: str, said: str) -> None:
    from vboard.artefacts import build_overlay

    overlay = build_overlay("gemm_systolic", "pynq-z2", "tiny")
    done = subprocess.run(
        [sys.executable, "-c", CLIENT.replace("answer=1.0", ""), str(overlay.bitstream)],
        env={**os.environ, "PYNQ_REMOTE_DEVICES": address},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert said in done.stdout, done.stdout
