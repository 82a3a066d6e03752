# SPDX-License-Identifier: Apache-2.0
"""A gRPC server that answers in the thread that received the call.

`grpc.server` hands every call from thread to thread four times, which takes longer than all the rest of
a register access. This one stands beside it, on the same layer of grpcio (`cygrpc`). That layer is not
public, but pynq asks for exactly grpcio 1.64.0.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from grpc._cython import cygrpc  # type: ignore[import-untyped]

from vboard.errors import VboardError

__all__ = ["Method", "Refusal", "Server"]

_log = logging.getLogger(__name__)
_STREAMS = 32  # calls that send a stream and are served at once, each in a thread
_MAX_CALLS = 64
_STREAM_SECONDS = 120.0  # that a client may take to send one stream


class Refusal(Exception):
    """Ends a call with a status that is not OK, and this text."""

    def __init__(self, text: str, code: Any = cygrpc.StatusCode.failed_precondition) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Method:
    """run: request → reply; of a client that streams it gets an iterator, to one it returns one.

    A method with one request must not wait: meanwhile no other call is answered.
    """

    run: Callable[[Any], Any]
    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]
    streams_requests: bool = False
    streams_replies: bool = False


class Server:
    """Serves methods (by `/package.Service/name`) at an address until `stop`.

    options: gRPC's channel arguments. VboardError if nothing can listen at the address.
    """

    def __init__(
        self, methods: Mapping[str, Method], address: str, options: Sequence[tuple[str, int]]
    ) -> None:
        self.methods = methods
        self.streams = ThreadPoolExecutor(_STREAMS, "stream")
        self.open = 0  # calls; touched by the loop's thread only
        self._lock = threading.Lock()
        self._stopping = self._ended = False
        self._queue = cygrpc.CompletionQueue()
        self._server = cygrpc.Server(tuple((name.encode(), value) for name, value in options), False)
        self._server.register_completion_queue(self._queue)
        try:
            if not self._server.add_http2_port(address.encode()):
                raise RuntimeError
        except RuntimeError:
            raise VboardError(f"address must be free to listen at, not {address}") from None
        self._server.start()
        self._next_call()
        self._thread = threading.Thread(target=self._loop, name="rpc", daemon=True)
        self._thread.start()

    def stop(self, seconds: float) -> None:
        """Take no more calls, cancel those under way, and wait so long for their end."""
        with self._lock:
            self._stopping = True
            self._server.shutdown(self._queue, self._stopped)
        self._server.cancel_all_calls()
        self._thread.join(seconds)

    def _stopped(self, event: Any) -> None:
        self._ended = True

    def _next_call(self) -> None:
        with self._lock:
            if not self._stopping:
                self._server.request_call(self._queue, self._queue, self._accept)

    def _loop(self) -> None:
        """Every event has what handles it as its tag."""
        while self.open or not self._ended:
            event = self._queue.poll()
            try:
                event.tag(event)
            except Exception:
                _log.exception("an event was not handled")

    def _accept(self, event: Any) -> None:
        self._next_call()
        if not event.success or event.call_details.method is None:
            return  # no call, but the server stops
        self.open += 1
        method = self.methods.get(event.call_details.method.decode(errors="replace"))
        call = _Call(self, event.call, method)
        if method is None:
            call.end(cygrpc.StatusCode.unimplemented, "the board does not have this method")
        elif self.open > _MAX_CALLS:
            call.end(
                cygrpc.StatusCode.resource_exhausted, f"calls at once must be at most {_MAX_CALLS}"
            )
        elif method.streams_requests:
            self.streams.submit(call.serve_stream)
        else:
            call.serve()


class _Call:
    """One call. All but `serve_stream` runs in the server's thread."""

    def __init__(self, server: Server, call: Any, method: Method | None) -> None:
        self._server, self._call = server, call
        self._method: Any = method
        self._replies: Iterator[Any] = iter(())
        self._begun = self._cancelled = False

    def serve(self) -> None:
        self._batch((cygrpc.ReceiveMessageOperation(0),), self._received)

    def _batch(self, operations: tuple[Any, ...], then: Callable[[Any], None]) -> None:
        self._call.start_server_batch(operations, then)

    def _received(self, event: Any) -> None:
        data = event.batch_operations[0].message()
        try:
            if data is None:
                raise Refusal("the client went away", cygrpc.StatusCode.cancelled)
            request = self._decoded(data)
        except Refusal as refusal:
            self.end(refusal.code, str(refusal))
            return
        if self._method.streams_replies:
            self._replies = self._method.run(request)
            self._send_next(None)
        else:
            self._answer(request)

    def _decoded(self, data: bytes) -> Any:
        try:
            return self._method.decode(data)
        except Exception:
            text = "request must be a message of this method"
            raise Refusal(text, cygrpc.StatusCode.internal) from None

    def _answer(self, request: Any) -> None:
        try:
            data = self._method.encode(self._method.run(request))
        except Refusal as refusal:
            self.end(refusal.code, str(refusal))
        except Exception:
            _log.exception("a call failed inside the server")
            self.end(cygrpc.StatusCode.internal, "the virtual board failed")
        else:
            self._end((cygrpc.SendMessageOperation(data, 0),), cygrpc.StatusCode.ok, "")

    def _send_next(self, event: Any) -> None:
        """The next message of the reply, as soon as the one before is on its way."""
        try:
            if event is not None and not event.success:
                raise Refusal("the client went away", cygrpc.StatusCode.cancelled)
            data = self._method.encode(next(self._replies))
        except StopIteration:
            self.end(cygrpc.StatusCode.ok, "")
        except Refusal as refusal:
            self.end(refusal.code, str(refusal))
        else:
            self._batch((*self._head(), cygrpc.SendMessageOperation(data, 0)), self._send_next)

    def end(self, code: Any, text: str) -> None:
        """End the call, with a reason if it is not OK."""
        self._end((), code, text)

    def _end(self, operations: tuple[Any, ...], code: Any, text: str) -> None:
        status = cygrpc.SendStatusFromServerOperation(None, code, text.encode(), 0)
        self._batch((*self._head(), *operations, status), self._over)

    def _head(self) -> tuple[Any, ...]:
        begun, self._begun = self._begun, True
        return () if begun else (cygrpc.SendInitialMetadataOperation(None, 0),)

    def _over(self, event: Any) -> None:
        self._server.open -= 1

    # A stream of requests, in a thread of its own: its client may take its time.

    def serve_stream(self) -> None:
        timer = threading.Timer(_STREAM_SECONDS, self._call.cancel)
        timer.daemon = True
        timer.start()
        try:
            self._batch((cygrpc.ReceiveCloseOnServerOperation(0),), self._closed)
            self._answer(self._requests())
        finally:
            timer.cancel()

    def _closed(self, event: Any) -> None:
        self._cancelled = event.batch_operations[0].cancelled()

    def _requests(self) -> Iterator[Any]:
        arrived: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

        def take(event: Any) -> None:
            arrived.put(event.batch_operations[0].message())

        while True:
            self._batch((cygrpc.ReceiveMessageOperation(0),), take)
            data = arrived.get()
            if data is None:
                # The same for a stream's end and a client that went away, whose event comes next.
                self._batch((), lambda event: arrived.put(None))
                arrived.get()
                if self._cancelled:
                    raise Refusal("the client went away", cygrpc.StatusCode.cancelled)
                return
            yield self._decoded(data)
