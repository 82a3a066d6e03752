# SPDX-License-Identifier: Apache-2.0
"""The command `vboard`: `build` writes an overlay, `serve` runs a board, `boards` lists the profiles.

Exit codes: 0 done; 1 the input can not be used; 2 wrong use of the command; 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import select
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from convloom.errors import ConvloomError
from convloom.kernels import kernel_names
from hlsc.errors import HlscError
from vboard.profile import load_profile, profile_names

__all__ = ["main"]

DEFAULT_ADDRESS = "127.0.0.1:7967"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vboard",
        description="A virtual PYNQ board: unmodified pynq drives the Verilated accelerator.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    build = commands.add_parser("build", help="write KERNEL_CONFIG.bit and .hwh", allow_abbrev=False)
    _add_design(build)
    build.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="where to (.)")
    build.set_defaults(run=_build)
    serve = commands.add_parser(
        "serve",
        help="run a board until interrupted (PYNQ_REMOTE_DEVICES=127.0.0.1)",
        allow_abbrev=False,
    )
    _add_design(serve)
    serve.add_argument(
        "--address",
        default=DEFAULT_ADDRESS,
        metavar="HOST:PORT",
        help="where to listen, or unix:/PATH:7967 (%(default)s)",
    )
    serve.add_argument(
        "--allow-remote", action="store_true", help="listen on addresses that other machines reach"
    )
    serve.add_argument("--waveform", type=Path, metavar="FILE", help="record an FST waveform")
    serve.add_argument(
        "--window",
        type=int,
        nargs=2,
        default=(0, 20_000),
        metavar=("FIRST", "LAST"),
        help="cycles that it holds, counted from programming (0 20000)",
    )
    serve.add_argument("--with-parent", action="store_true", help="end when standard input ends")
    serve.add_argument(
        # What Board has built already: finding it again would import the whole compiler.
        "--prebuilt",
        nargs=3,
        metavar=("LIBRARY", "BITSTREAM", "DIGEST"),
        help=argparse.SUPPRESS,
    )
    serve.set_defaults(run=_serve)
    boards = commands.add_parser("boards", help="list the board profiles", allow_abbrev=False)
    boards.set_defaults(run=_boards)
    return parser


def _add_design(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kernel", metavar="KERNEL", help=", ".join(kernel_names()))
    parser.add_argument(
        "--board", default="pynq-z2", metavar="B", help=f"{', '.join(profile_names())} (%(default)s)"
    )
    parser.add_argument(
        "--config", default="tiny", metavar="C", help="size of the kernel (%(default)s)"
    )


def _build(options: argparse.Namespace) -> int:
    from vboard.artefacts import build_overlay

    overlay = build_overlay(options.kernel, options.board, options.config, out=options.out)
    print(f"wrote {overlay.bitstream}\nwrote {overlay.hwh}")
    return 0


def _boards(options: argparse.Namespace) -> int:
    for name in profile_names():
        profile = load_profile(name)
        print(f"{name:10} {profile.title}; {profile.part}, {profile.clock_mhz:g} MHz")
    return 0


def _serve(options: argparse.Namespace) -> int:
    # gRPC's own lines would stand before ours.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from vboard.logic import Logic, check_waveform
    from vboard.server import check_address, make_server
    from vboard.state import BoardState

    check_address(options.address, options.allow_remote)  # before minutes of compiling
    if options.waveform is not None:
        check_waveform(options.waveform, *options.window)
    profile = load_profile(options.board)
    library, bitstream, digest = options.prebuilt or _prebuild(options)
    logic = Logic(Path(library), profile)
    if options.waveform is not None:
        logic.record(options.waveform, *options.window)
    identity = dict(kernel=options.kernel, config=options.config, board=options.board)
    state = BoardState(logic, profile, identity | {"digest": digest})
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    server = make_server(state, options.address, options.allow_remote)
    print(f"ready at {options.address}: {bitstream}", flush=True)
    _wait(ended, options.with_parent)
    server.stop(0.5)
    # A thread may still be in the model; the process ends anyway.
    if state.lock.acquire(timeout=2):
        logic.close()
    sys.stdout.flush()
    os._exit(0)


def _prebuild(options: argparse.Namespace) -> tuple[str, str, str]:
    from vboard.artefacts import build_overlay
    from vboard.library import build_library, design

    overlay = build_overlay(options.kernel, options.board, options.config)
    library = build_library(design(options.kernel, options.config), trace=options.waveform is not None)
    return str(library), str(overlay.bitstream), overlay.digest


def _wait(ended: threading.Event, with_parent: bool) -> None:
    """Until a signal, or until the process that holds the other end of standard input is gone."""
    parent = os.getppid()
    while not ended.wait(0 if with_parent else 1.0):
        if with_parent:
            readable: list[Any] = select.select([sys.stdin], [], [], 1.0)[0]
            if readable and not os.read(sys.stdin.fileno(), 4096):
                return
            if os.getppid() != parent:  # a fork of it may still hold the pipe
                return


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    options = _parser().parse_args(argv)
    try:
        return int(options.run(options))
    except (ConvloomError, HlscError) as error:
        print(f"vboard: {error}", file=sys.stderr)
        return 1
    except ImportError as error:
        print(f"vboard: {error.name} must be installed: pip install 'convloom[board]'", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        print(f"vboard: {where}{error.strerror or error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except Exception as error:
        print(
            f"vboard: internal error: {type(error).__name__}: {json.dumps(str(error))}; please report",
            file=sys.stderr,
        )
        return 70
