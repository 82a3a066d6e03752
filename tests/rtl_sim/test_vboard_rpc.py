# SPDX-License-Identifier: Apache-2.0
"""The virtual board's gRPC server by itself: its methods here are of bytes, and need no board."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("grpc", reason="grpcio comes with pynq: pip install 'convloom[board]'")

import grpc

from vboard.errors import VboardError
from vboard.rpc import Method, Refusal, Server

SECONDS = 30.0


def decode(data: bytes) -> bytes:
    if data == b"unreadable":
        raise ValueError
    return data


def echo(request: bytes) -> bytes:
    if request == b"refuse":
        raise Refusal("request must be another")
    if request == b"fail":
        raise ZeroDivisionError
    return request


def letters(request: bytes) -> Iterator[bytes]:
    for letter in request:
        if letter == ord("!"):
            raise Refusal("letters must be no marks")
        yield bytes([letter])


KEPT: list[bytes] = []


def keep(requests: Iterator[bytes]) -> bytes:
    KEPT.append(b"".join(requests))
    return b""


METHODS = {
    "/t.T/keep": Method(keep, decode, bytes, streams_requests=True),
    "/t.T/echo": Method(echo, decode, bytes),
    "/t.T/join": Method(b"".join, decode, bytes, streams_requests=True),
    "/t.T/letters": Method(letters, decode, bytes, streams_replies=True),
}


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    server = Server(METHODS, f"unix:{tmp_path}/s", [("grpc.max_receive_message_length", 1000)])
    yield f"unix:{tmp_path}/s"
    server.stop(SECONDS)


@pytest.fixture
def channel(address: str) -> Iterator[Any]:
    with grpc.insecure_channel(address) as opened:
        yield opened


def test_one_message_and_streams_each_way(channel):
    assert channel.unary_unary("/t.T/echo")(b"x", timeout=SECONDS) == b"x"
    assert channel.unary_unary("/t.T/echo")(b"", timeout=SECONDS) == b""
    pieces = [b"%d" % i for i in range(100)]
    assert channel.stream_unary("/t.T/join")(iter(pieces), timeout=SECONDS) == b"".join(pieces)
    assert channel.stream_unary("/t.T/join")(iter([]), timeout=SECONDS) == b""
    assert list(channel.unary_stream("/t.T/letters")(b"abc", timeout=SECONDS)) == [b"a", b"b", b"c"]


@pytest.mark.parametrize(
    ("kind", "name", "request_", "code", "text"),
    [
        ("unary_unary", "echo", b"refuse", "FAILED_PRECONDITION", "request must be another"),
        ("unary_unary", "echo", b"fail", "INTERNAL", "the virtual board failed"),
        ("unary_unary", "echo", b"unreadable", "INTERNAL", "a message of this method"),
        ("unary_unary", "echo", bytes(1001), "RESOURCE_EXHAUSTED", "larger than max"),
        ("unary_unary", "other", b"x", "UNIMPLEMENTED", "does not have this method"),
        ("unary_stream", "letters", b"ab!", "FAILED_PRECONDITION", "no marks"),
        ("stream_unary", "join", iter([b"x", b"unreadable"]), "INTERNAL", "a message of this method"),
        ("stream_unary", "join", iter([bytes(1001)]), "RESOURCE_EXHAUSTED", "larger than max"),
    ],
)
def test_a_call_that_fails_says_why_and_the_next_one_works(channel, kind, name, request_, code, text):
    with pytest.raises(grpc.RpcError) as caught:
        answer = getattr(channel, kind)(f"/t.T/{name}")(request_, timeout=SECONDS)
        list(answer)
    assert caught.value.code() is getattr(grpc.StatusCode, code)
    assert text in caught.value.details()
    assert channel.unary_unary("/t.T/echo")(b"x", timeout=SECONDS) == b"x"


def test_more_calls_than_the_server_takes_are_refused_until_some_end(channel):
    free = threading.Event()
    join, echo = channel.stream_unary("/t.T/join"), channel.unary_unary("/t.T/echo")

    def endless() -> Iterator[bytes]:
        yield b"x"
        free.wait(SECONDS)

    def code() -> Any:
        try:
            return echo(b"x", timeout=SECONDS)
        except grpc.RpcError as error:
            return error.code()

    held = [join.future(endless(), timeout=SECONDS) for _ in range(64)]
    deadline = time.monotonic() + SECONDS
    while code() == b"x":  # until all of them have come
        assert time.monotonic() < deadline
    assert code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    free.set()
    assert [h.result(SECONDS) for h in held] == 64 * [b"x"]
    assert code() == b"x"


def test_a_stream_that_is_cut_off_is_no_shorter_one(channel):
    """The client goes away, which for its messages looks as if it had sent them all."""
    KEPT.clear()
    call = channel.stream_unary("/t.T/keep")
    for _ in range(10):
        sent, free = threading.Event(), threading.Event()

        def pieces(sent: Any = sent, free: Any = free) -> Iterator[bytes]:
            yield b"half"
            sent.set()  # asked for the next piece: this one is on its way
            free.wait(SECONDS)

        cut = call.future(pieces(), timeout=SECONDS)
        assert sent.wait(SECONDS)
        cut.cancel()
        free.set()
        call(iter([b"who", b"le"]), timeout=SECONDS)
    assert KEPT == 10 * [b"whole"]


def test_stop_ends_what_is_under_way(tmp_path):
    address, free = f"unix:{tmp_path}/s", threading.Event()
    server = Server(METHODS, address, [])

    def endless() -> Iterator[bytes]:
        yield b"x"
        free.wait(SECONDS)

    with grpc.insecure_channel(address) as channel:
        call = channel.stream_unary("/t.T/join").future(endless(), timeout=SECONDS)
        assert channel.unary_unary("/t.T/echo")(b"x", timeout=SECONDS) == b"x"
        server.stop(SECONDS)
        assert call.exception(SECONDS).code() is grpc.StatusCode.UNAVAILABLE or call.cancelled()
        free.set()


def test_an_address_that_is_taken_is_refused(tmp_path):
    with pytest.raises(VboardError, match="address must be free to listen at"):
        Server(METHODS, f"unix:{tmp_path}/missing/s", [])
