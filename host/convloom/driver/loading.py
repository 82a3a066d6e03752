# SPDX-License-Identifier: Apache-2.0
"""Around pynq's loading: its caches on disk, its clocks, and its errors as ours."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from convloom.driver.errors import BoardError
from convloom.errors import ConvloomError

__all__ = ["call_status", "loading", "programming", "translated"]

try:
    import fcntl
except ImportError:  # not POSIX
    fcntl = None  # type: ignore[assignment]


_LOCK_SECONDS = 300.0
"""For another process to load its overlay: a slow link and several of them waiting are no error."""


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """One process of this user at a time: pynq keeps the state of "the" PL in files of its package."""
    if fcntl is None:
        yield
        return
    user = os.getuid()
    path = Path(tempfile.gettempdir(), f"convloom-pynq-{user}.lock")
    with path.open("a") as file:
        end = time.monotonic() + _LOCK_SECONDS
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise BoardError(
                        f"{path} must be free within {_LOCK_SECONDS:g} s; another process that loads "
                        "an overlay holds it: end that one"
                    ) from None
                time.sleep(0.02)
        yield


@contextlib.contextmanager
def loading() -> Iterator[None]:
    """While pynq reads metadata: without its cache, which goes by the hash of the .bit alone."""
    import pynq
    import pynq.pl_server

    cache = Path(pynq.pl_server.__file__).with_name("_current_metadata.pkl")
    with _alone():
        with contextlib.suppress(OSError):
            cache.unlink()
        yield


@contextlib.contextmanager
def programming(device: Any) -> Iterator[None]:
    """While pynq programs the PL of `device`."""
    from pynq import Clocks, Device

    # pynq keeps the clock registers of the first device it meets and writes every other device's there.
    Clocks.set_device(device)
    with contextlib.suppress(AttributeError):
        del Clocks._real_instance
    # And it sets port widths on whatever device is the active one.
    before = vars(Device).get("_active_device")
    Device.active_device = device
    try:
        with _alone():
            yield
    finally:
        if before is not None:
            Device.active_device = before
        else:
            del Device._active_device


@contextlib.contextmanager
def translated(doing: str) -> Iterator[None]:
    """Errors of pynq and of the connection become BoardError; ours pass."""
    try:
        yield
    except ConvloomError:
        raise
    except Exception as error:
        raise BoardError(_words(doing, error)) from error


def call_status(error: Exception) -> str:
    """The name of a failed gRPC call's status; "" for every other error."""
    code = getattr(error, "code", None)
    return str(getattr(code(), "name", code())) if callable(code) else ""


def _words(doing: str, error: Exception) -> str:
    details = getattr(error, "details", str)
    if name := call_status(error):
        if name == "UNAVAILABLE":
            return (
                f"{doing}: the board must answer, but the connection to it is lost "
                f"({str(details())[:160]}); start it again and load the overlay anew"
            )
        if name == "DEADLINE_EXCEEDED":
            return (
                f"{doing}: the board must answer in time, and is silent; it is stopped, overloaded or "
                "cut off: look at its server, or allow it more with answer="
            )
        return f"{doing}: the board refused ({name}: {str(details())[:200]})"
    text = " ".join(str(error).split()) or type(error).__name__
    return f"{doing}: pynq failed ({type(error).__name__}: {text[:300]})"
