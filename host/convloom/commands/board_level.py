# SPDX-License-Identifier: Apache-2.0
"""The level `board`: layers through pynq, on a configured board or on a private virtual one.

Configured is what PYNQ_REMOTE_DEVICES names, or the PYNQ board that this runs on. Otherwise a virtual
board of this process is started per kernel and configuration, on a unix socket, and ends with it.
"""

from __future__ import annotations

import atexit
import contextlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from convloom.commands.board_state import running_board
from convloom.errors import ConvloomError
from convloom.kernels import KernelSpec
from convloom.lowering import Job

__all__ = ["SETTINGS", "Settings", "run_on_board", "simulated", "stop_boards"]

VARIABLE = "PYNQ_REMOTE_DEVICES"
T = TypeVar("T")


@dataclass
class Settings:
    """What a command's options choose. profile: of private boards; limit: None is the driver's."""

    bitstream: Path | None = None
    profile: str = "pynq-z2"
    limit: float | None = None
    trace: bool = False


SETTINGS = Settings()

_boards: list[Any] = []
_overlays: dict[tuple[str, str], Any] = {}


def _configured() -> bool:
    """Whether the user has chosen a board."""
    return bool(os.environ.get(VARIABLE)) or Path("/proc/device-tree/chosen/pynq_board").is_file()


def _bitstream(spec: KernelSpec, config: str) -> Path:
    """The overlay for a configured board."""
    if SETTINGS.bitstream is not None:
        return SETTINGS.bitstream
    address = os.environ.get(VARIABLE, "")
    state = running_board(address) if address else None
    if state is not None:
        if (state.kernel, state.config) != (spec.name, config):
            raise ConvloomError(
                f"the virtual board at {address} must be one of {spec.name} {config}, not "
                f"{state.kernel} {state.config}; start another with convloom board start"
            )
        return state.bitstream
    if named := os.environ.get("CONVLOOM_BITSTREAM"):
        return Path(named)
    here = Path(f"{spec.name}_{config}.bit")
    if here.is_file():
        return here
    raise ConvloomError(
        f"--bitstream must name the overlay for {address or 'this board'}, such as {here}"
    )


def _open(spec: KernelSpec, config: str, private: bool) -> Any:
    key = (spec.name, config)
    if key in _overlays:
        return _overlays[key]
    if _configured() and not private:
        from convloom.driver import ConvOverlay

        for other in list(_overlays):  # one PL: another overlay replaces what was loaded
            _overlays.pop(other).close()
        overlay = ConvOverlay(_bitstream(spec, config), config=config, trace=SETTINGS.trace)
    else:
        overlay = _open_private(spec, config)
    _overlays[key] = overlay
    return overlay


def simulated(work: Callable[[Any], T]) -> T:
    """What `work(vboard)` gives; ConvloomError where the simulator is missing or a design fails."""
    try:
        import vboard
        from hlsc.errors import HlscError
    except ImportError as error:
        raise ConvloomError(
            f"a virtual board needs pip install 'convloom[flow,board]' ({error}); or name a board in "
            f"{VARIABLE}"
        ) from None
    try:
        return work(vboard)
    except (HlscError, vboard.VboardError) as error:
        raise ConvloomError(f"no virtual board: {error}") from error


def _open_private(spec: KernelSpec, config: str) -> Any:
    board = simulated(lambda vboard: vboard.start(spec.name, board=SETTINGS.profile, config=config))
    if not _boards:
        atexit.register(stop_boards)
    _boards.append(board)
    # The device is made by hand: the variable would name one board, and child processes inherit it.
    from pynq.pl_server.remote_device import RemoteDevice

    from convloom.driver import ConvOverlay

    device = RemoteDevice(len(_boards) - 1, board.address)
    return ConvOverlay(board.bitstream, device=device, trace=SETTINGS.trace)


def stop_boards() -> None:
    """End every private board; the next run starts new ones."""
    for overlay in _overlays.values():
        with contextlib.suppress(Exception):
            overlay.close()
    _overlays.clear()
    for board in _boards:
        with contextlib.suppress(Exception):
            board.stop()
    _boards.clear()


def run_on_board(job: Job, spec: KernelSpec, config: str, *, private: bool = False) -> tuple[Any, Any]:
    """The layer's output and the driver's RunReport; ConvloomError where it fails.

    private: on a virtual board of this process, even where another is configured.
    """
    overlay = _open(spec, config, private)
    y = overlay.execute(job, limit=SETTINGS.limit)
    return y, overlay.report
