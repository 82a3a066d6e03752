# SPDX-License-Identifier: Apache-2.0
"""Start, look at and stop virtual boards, which any pynq program then uses as if they were real.

eval "$(convloom board start gemm)"       starts one and sets PYNQ_REMOTE_DEVICES, CONVLOOM_BITSTREAM
convloom conv … --on board                runs on it
convloom board status                     what runs, and its counters
convloom board stop
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from convloom.commands.board_state import BoardFile, read_boards, start_ticks, state_directory
from convloom.commands.text import size, table
from convloom.commands.ways import KERNELS
from convloom.errors import ConvloomError
from convloom.kernels import kernel_names, load_kernel

__all__ = ["HELP", "NAME", "configure", "run"]

NAME = "board"
HELP = "start, look at and stop virtual boards"

PORT = 7967
"""What pynq appends to an address, also to that of a unix socket."""
START_SECONDS = 600.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="start|status|stop", required=True)
    start = actions.add_parser("start", help="start a virtual board", allow_abbrev=False)
    start.add_argument("kernel", nargs="?", default="gemm", help="default: %(default)s")
    start.add_argument("--config", default="tiny", help="size of the kernel, default: %(default)s")
    start.add_argument("--board", default="pynq-z2", metavar="PROFILE", help="default: %(default)s")
    start.add_argument("--json", action="store_true", help="print what was started as JSON")
    status = actions.add_parser("status", help="what runs, and its counters", allow_abbrev=False)
    status.add_argument("--json", action="store_true")
    stop = actions.add_parser("stop", help="stop all, or those named", allow_abbrev=False)
    stop.add_argument("names", nargs="*", metavar="NAME", help="as `status` shows them")


def run(args: argparse.Namespace) -> int:
    """Do it; returns the exit code."""
    return {"start": _start, "status": _status, "stop": _stop}[args.action](args)


def _start(args: argparse.Namespace) -> int:
    kernel = KERNELS.get(args.kernel, args.kernel)
    if kernel not in kernel_names():
        known = [short for short, name in KERNELS.items() if name in kernel_names()]
        raise ConvloomError(f"kernel must be one of {', '.join(known)}, not {args.kernel}")
    load_kernel(kernel).config(args.config)
    try:
        from vboard.artefacts import build_overlay
        from vboard.profile import load_profile
    except ImportError as error:
        raise ConvloomError(
            f"virtual boards need pip install 'convloom[flow,board]' ({error})"
        ) from None
    from hlsc.errors import HlscError

    load_profile(args.board)
    print(f"building {kernel} {args.config}", file=sys.stderr, flush=True)
    try:
        bitstream = build_overlay(kernel, args.board, args.config).bitstream
    except HlscError as error:
        raise ConvloomError(f"{kernel} {args.config} can not be built: {error}") from None
    root = tempfile.gettempdir()  # a socket's path holds 107 bytes
    home = Path(tempfile.mkdtemp(prefix="vboard-", dir=root if len(root) < 60 else "/tmp"))
    address = f"unix:{home}/vb"
    argv = [sys.executable, "-m", "vboard", "serve", kernel, "--board", args.board]
    argv += ["--config", args.config, "--address", f"{address}:{PORT}"]
    log = home / "log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            start_new_session=True,  # it outlives this command
        )
    try:
        _await_ready(process, log)
    except BaseException:
        process.kill()
        process.wait(10)
        shutil.rmtree(home, ignore_errors=True)
        raise
    board = BoardFile(
        home.name,
        process.pid,
        start_ticks(process.pid),
        address,
        bitstream,
        kernel,
        args.config,
        args.board,
    )
    board.save()
    if args.json:
        print(json.dumps(_describe(board, None)))
    else:  # for eval
        print(f"export PYNQ_REMOTE_DEVICES={address} CONVLOOM_BITSTREAM={bitstream}")
        print(f"{board.name}: {kernel} {args.config} on {args.board}, {bitstream}", file=sys.stderr)
    return 0


def _await_ready(process: subprocess.Popen[bytes], log: Path) -> None:
    assert process.stdout is not None
    with process.stdout as stream:
        readable = select.select([stream], [], [], START_SECONDS)[0]
        line = stream.readline() if readable else b""
    if not line.startswith(b"ready"):
        text = " ".join(log.read_text(errors="replace").split())[-400:]
        raise ConvloomError(f"the virtual board must start, but it ended: {text or 'it said nothing'}")


def _counters(board: BoardFile) -> dict[str, Any] | None:
    """Its counters over PYNQ.remote; None if it does not answer."""
    configured = "PYNQ_REMOTE_DEVICES" in os.environ
    os.environ.setdefault("PYNQ_REMOTE_DEVICES", board.address)  # pynq reads it when it is imported
    try:
        from pynq.pl_server.remote_device import RemoteDevice

        from convloom.driver.counters import Counters

        return Counters(RemoteDevice(0, board.address)).read()
    except Exception as error:
        print(f"{board.name} does not answer: {' '.join(str(error).split())[:120]}", file=sys.stderr)
        return None
    finally:
        if not configured:  # this board is not what later commands of the process mean
            del os.environ["PYNQ_REMOTE_DEVICES"]


def _describe(board: BoardFile, counters: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "name": board.name,
        "address": board.address,
        "bitstream": str(board.bitstream),
        "kernel": board.kernel,
        "config": board.config,
        "board": board.profile,
        "running": board.alive,
        "counters": counters,
    }


def _status(args: argparse.Namespace) -> int:
    boards = read_boards()
    found = [_describe(b, _counters(b) if b.alive else None) for b in boards]
    if args.json:
        print(json.dumps(found))
        return 0
    if not found:
        print("no virtual board runs; convloom board start starts one")
        return 0
    rows = []
    for one in found:
        counters = one["counters"] or {}
        last = (counters.get("run") or {}).get("cycles")
        rows.append(
            [
                one["name"],
                one["kernel"],
                one["config"],
                one["board"],
                "yes" if one["running"] else "no",
                size(counters.get("cycle", 0)),
                "" if last is None else f"{last:,}",
                one["address"],
            ]
        )
    head = ["name", "kernel", "config", "board", "runs", "cycles", "last run", "PYNQ_REMOTE_DEVICES"]
    print(table(head, rows, right=["cycles", "last run"]))
    return 0


def _stop(args: argparse.Namespace) -> int:
    boards = {board.name: board for board in read_boards()}
    for name in args.names:
        if name not in boards:
            known = ", ".join(boards) or "none"
            raise ConvloomError(f"board must be one of those that run ({known}), not {name}")
    for name in args.names or list(boards):
        board = boards[name]
        if board.alive:
            _end(board)
        board.file.unlink(missing_ok=True)
        home = Path(board.address.removeprefix("unix:")).parent
        if home.name == name:  # and nothing else that a changed file might name
            shutil.rmtree(home, ignore_errors=True)
        print(f"stopped {name}")
    with contextlib.suppress(OSError):
        state_directory().rmdir()
    return 0


def _end(board: BoardFile) -> None:
    """Ask the process to end, then end it; the number is checked to be still the board's."""
    for number, seconds in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        with contextlib.suppress(ProcessLookupError):
            os.kill(board.pid, number)
        limit = time.monotonic() + seconds
        while board.alive and time.monotonic() < limit:
            time.sleep(0.05)
        if not board.alive:
            return
    raise ConvloomError(f"board {board.name} must end, but process {board.pid} does not")
