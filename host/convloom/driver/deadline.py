# SPDX-License-Identifier: Apache-2.0
"""A time limit on every call to a remote board: pynq's calls have none.

A board that takes a connection and never answers (a stopped server, a pulled cable) would block a call
for ever. Nothing of pynq's package is changed: the calls of one device object are wrapped.
"""

from __future__ import annotations

import os
import threading
from typing import Any

from convloom.driver.errors import BoardError

__all__ = ["ANSWER_SECONDS", "limit_calls", "open_device"]

ANSWER_SECONDS = 20.0
"""In which a board has to answer; calls that move buffers and files may take `_STREAM` times that."""

_STREAM = 6
_LATE_SECONDS = 1.0
"""The limit after a call that was not answered: cleaning up after it must not wait as long again."""

_CALLS = ("UnaryUnaryMultiCallable", "UnaryStreamMultiCallable", "StreamUnaryMultiCallable")


class _Patience:
    """How long the calls of one device may take."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.late = False


class _Limited:
    """A call of a gRPC stub, with a deadline."""

    def __init__(self, call: Any, patience: _Patience, times: int) -> None:
        self.call, self.patience, self.times = call, patience, times

    def __call__(self, request: Any, timeout: float | None = None, **options: Any) -> Any:
        import grpc  # type: ignore[import-untyped]

        patience = self.patience
        limit = min(patience.seconds, _LATE_SECONDS) if patience.late else patience.seconds
        try:
            answer = self.call(request, timeout=timeout or limit * self.times, **options)
        except grpc.RpcError as error:
            patience.late = error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            raise
        patience.late = False
        return answer


def limit_calls(device: Any, seconds: float) -> None:
    """Give every call of a RemoteDevice a deadline; a device of another kind is left as it is."""
    stubs = getattr(device, "_stub", None)
    if not isinstance(stubs, dict):
        return
    import grpc

    patience = _Patience(seconds)
    for stub in stubs.values():
        for name, call in vars(stub).items():
            if isinstance(call, _Limited):
                call.patience = patience
            elif isinstance(call, tuple(getattr(grpc, kind) for kind in _CALLS)):
                streams = not isinstance(call, grpc.UnaryUnaryMultiCallable)
                setattr(stub, name, _Limited(call, patience, _STREAM if streams else 1))


def open_device(device: Any, seconds: float) -> Any:
    """`device`, or pynq's active one, with deadlines; BoardError if there is none or it is silent."""
    address = os.environ.get("PYNQ_REMOTE_DEVICES")
    try:
        if device is None:
            device = _remote(address, seconds) if address else _active()
    except RuntimeError as error:  # of pynq, without an address
        where = f"the board at {address}" if address else "this machine"
        remedy = "start its server, or correct" if address else "name a remote or virtual board in"
        raise BoardError(
            f"{where} must be a PYNQ board that answers ({error}); {remedy} PYNQ_REMOTE_DEVICES"
        ) from None
    limit_calls(device, seconds)
    return device


def _active() -> Any:
    from pynq import Device

    return Device.active_device


def _remote(address: str, seconds: float) -> Any:
    """pynq's active device, made in a thread, which is given up after that time.

    pynq talks to a remote board as soon as it makes the device, before a deadline can be set.
    """
    found: list[Any] = []

    def look() -> None:
        try:
            found.append(_active())
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=look, name="convloom-board", daemon=True)
    thread.start()
    thread.join(seconds)
    if not found:
        raise BoardError(
            f"the board at {address} must answer within {seconds:g} s, and is silent: start its server "
            "again"
        )
    if isinstance(found[0], Exception):
        raise found[0]
    return found[0]
