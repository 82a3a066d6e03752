# SPDX-License-Identifier: Apache-2.0
"""PYNQ.remote's device, mmio, buffer and gpio services over one board.

Every request is taken as hostile: checked, bounded, answered with one line. An error travels as
pynq expects it: in `msg` (or `message`) where a response has one, else as the status of the call.
"""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.message_factory import GetMessageClass  # type: ignore[import-untyped]

from convloom.errors import ConvloomError
from hlsc.errors import HlscError
from vboard.errors import VboardError
from vboard.protocol import SERVICES, messages, offered, service
from vboard.rpc import Method, Refusal, Server
from vboard.state import BoardState
from vboard.system import Files

__all__ = ["check_address", "make_server"]

_log = logging.getLogger(__name__)
_CHUNK = 1 << 20  # of a stream to the client
_MAX_MESSAGE = (2 << 20) + (64 << 10)  # pynq sends 2 MB and a name
_MAX_UPLOAD = 128 << 20  # bytes of files on their way, of all calls together
_GPIO_PINS = 174


# ------------------------------------------------------------------------------------ services


class _Services:
    """One method per RPC, named <service>_<method>; the state's lock is held where it is touched."""

    def __init__(self, state: BoardState) -> None:
        self.state = state
        self._uploading = 0
        data = messages("mmio").ReadResponse.DESCRIPTOR.fields_by_name["data"]
        self._signed_reads = data.type == data.TYPE_INT32

    # device

    def device_existsfile(self, request: Any, reply: Any) -> Any:
        with self.state.lock:
            return reply(exists=self.state.files.exists(Files.path(request.file_path)))

    def device_readfile(self, request: Any, reply: Any) -> Iterator[Any]:
        with self.state.lock:
            data = self.state.files.read(Files.path(request.file_path))
        for at in range(0, len(data), _CHUNK):
            yield reply(data=data[at : at + _CHUNK])

    def device_writefile(self, requests: Iterator[Any], reply: Any) -> Any:
        path, data = "", bytearray()
        try:
            for request in requests:
                if path and request.file_path != path:
                    raise VboardError("file must be the same in all messages of one call")
                path = request.file_path
                if len(data) + len(request.data) > Files.size_limit():
                    raise VboardError(f"file must have at most {Files.size_limit()} bytes")
                with self.state.lock:
                    if self._uploading + len(request.data) > _MAX_UPLOAD:
                        raise VboardError(
                            f"files on their way must be at most {_MAX_UPLOAD} bytes in all"
                        )
                    self._uploading += len(request.data)
                data += request.data
            with self.state.lock:
                self.state.write_file(Files.path(path), bytes(data))
        finally:
            with self.state.lock:
                self._uploading -= len(data)
        return reply()

    def device_set_bitstream_attrs(self, request: Any, reply: Any) -> Any:
        if request.partial:
            raise VboardError("bitstream must be a whole one: partial ones can not be simulated")
        return reply(status=True)

    def device_download(self, requests: Iterator[Any], reply: Any) -> Any:
        raise VboardError("bitstreams must come through /lib/firmware, as pynq sends them")

    def device_set_pl_clk(self, request: Any, reply: Any) -> Any:
        raise VboardError("PL clocks must be set through their registers, as pynq does")

    def device_shutdown(self, request: Any, reply: Any) -> Any:
        raise VboardError("a virtual board must be stopped by who started it, not by a client")

    # mmio

    def mmio_get_mmio(self, request: Any, reply: Any) -> Any:
        with self.state.lock:
            self.state.check_range(request.base_addr, request.length)
        # The name says it all, so clients that never let go of ranges cost nothing.
        return reply(status=True, mmio_id=f"{request.base_addr:x}+{request.length:x}")

    def _address(self, name: str, offset: int) -> int:
        base, plus, length = name.partition("+")
        try:
            if not plus or len(name) > 40:
                raise ValueError
            start, size = int(base, 16), int(length, 16)
        except ValueError:
            raise VboardError(f"mmio_id must be one of get_mmio's, not {name[:80]!r}") from None
        self.state.check_range(start, size)
        if offset % 4 or offset + 4 > size:
            raise VboardError(
                f"offset must be a multiple of 4 below the range's {size} bytes, not 0x{offset:x}"
            )
        return start + offset

    def mmio_read(self, request: Any, reply: Any) -> Any:
        if request.length != 4:
            raise VboardError(
                f"read must be of 4 bytes, not {request.length}: the answer holds 32 bits"
            )
        with self.state.lock:
            value = self.state.read_register(self._address(request.mmio_id, request.offset))
        if value >> 31 and self._signed_reads:  # pynq 3.1: int32, as its boards send it
            value -= 1 << 32
        return reply(status=True, data=value)

    def mmio_write(self, request: Any, reply: Any) -> Any:
        if len(request.data) != 4:
            raise VboardError(
                f"write must be of 4 bytes, not {len(request.data)}: a board keeps only the first word"
            )
        with self.state.lock:
            address = self._address(request.mmio_id, request.offset)
            self.state.write_register(address, int.from_bytes(request.data, "little"))
        return reply(status=True)

    # buffer

    def buffer_allocate(self, request: Any, reply: Any) -> Any:
        with self.state.lock:
            try:
                return reply(buffer_id=self.state.allocate(request.size))
            except VboardError as error:
                # pynq does not look at msg here, and fails later without a reason: keep it.
                self.state.fault(f"allocate: {error}")
                raise

    def buffer_write(self, requests: Iterator[Any], reply: Any) -> Any:
        name, at = None, 0
        for request in requests:
            with self.state.lock:
                if name is None:
                    name, at = request.buffer_id, request.start
                if request.buffer_id != name:
                    raise VboardError("buffer must be the same in all messages of one call")
                _, size = self.state.cma.find(name)
                if at < 0 or at + len(request.data) > size:
                    raise VboardError(
                        f"data must fit into the {size} bytes of {name}, not {at + len(request.data)}"
                    )
                if request.data:
                    self.state.memory(name, at, at + len(request.data))[:] = request.data
                at += len(request.data)
        if name is None:
            raise VboardError("a write must have at least one message")
        return reply()

    def buffer_read(self, request: Any, reply: Any) -> Iterator[Any]:
        with self.state.lock:
            size = len(self.state.memory(request.buffer_id, request.start, request.end))
        for at in range(request.start, request.start + size, _CHUNK):
            last = min(at + _CHUNK, request.start + size)
            with self.state.lock:
                data = bytes(self.state.memory(request.buffer_id, at, last))
            yield reply(data=data)

    def buffer_freebuffer(self, request: Any, reply: Any) -> Any:
        with self.state.lock:
            self.state.free(request.buffer_id)
        return reply()

    def _known(self, request: Any) -> int:
        with self.state.lock:
            return self.state.cma.find(request.buffer_id)[0]

    def buffer_flush(self, request: Any, reply: Any) -> Any:
        self._known(request)
        return reply()

    def buffer_invalidate(self, request: Any, reply: Any) -> Any:
        self._known(request)
        return reply()

    def buffer_physical_address(self, request: Any, reply: Any) -> Any:
        return reply(address=self._known(request))

    def buffer_virtual_address(self, request: Any, reply: Any) -> Any:
        return reply(address=self._known(request))

    def buffer_cacheable(self, request: Any, reply: Any) -> Any:
        self._known(request)
        return reply(cacheable=True)

    # gpio: pins of the processing system, which drive nothing here

    def gpio_get_gpio(self, request: Any, reply: Any) -> Any:
        if request.direction not in ("in", "out") or not 0 <= request.index < 1024:
            raise VboardError(
                f"GPIO must have an index of 0 to 1023 and direction in or out, not {request.index}"
                f" and {request.direction[:20]!r}"
            )
        name = f"{request.index}:{request.direction}"
        with self.state.lock:
            self.state.gpio.setdefault(name, 0)
        return reply(gpio_id=name)

    def _pin(self, name: str) -> str:
        if name not in self.state.gpio:
            raise VboardError(f"gpio_id must be one of get_gpio's, not {name[:40]!r}")
        return name

    def gpio_read(self, request: Any, reply: Any) -> Any:
        with self.state.lock:
            return reply(value=self.state.gpio[self._pin(request.gpio_id)])

    def gpio_write(self, request: Any, reply: Any) -> Any:
        if request.value not in (0, 1):
            raise VboardError(f"GPIO value must be 0 or 1, not {request.value}")
        with self.state.lock:
            self.state.gpio[self._pin(request.gpio_id)] = request.value
        return reply()

    def gpio_unexport(self, request: Any, reply: Any) -> Any:
        with self.state.lock:
            self.state.gpio.pop(request.gpio_id, None)
        return reply()

    def gpio_is_exported(self, request: Any, reply: Any) -> Any:
        with self.state.lock:
            return reply(is_exported=request.gpio_id in self.state.gpio)

    def gpio_get_gpio_base_path(self, request: Any, reply: Any) -> Any:
        return reply(base_path="/sys/class/gpio/gpiochip338")

    def gpio_get_gpio_npins(self, request: Any, reply: Any) -> Any:
        return reply(npins=_GPIO_PINS)


# -------------------------------------------------------------------------------------- serving


def _methods(state: BoardState) -> dict[str, Method]:
    """Every method of pynq's own descriptors, by its path."""
    services = _Services(state)
    methods = {}
    for short in offered():
        descriptor = service(short)
        for method in descriptor.methods:
            # Found under the same name, so a method that pynq adds shows as a missing one.
            function = getattr(services, f"{short}_{method.name}", None)
            if function is None:
                _log.warning("PYNQ.remote has a method %s.%s that is not served", short, method.name)
                continue
            reply = _message(short, method.output_type)
            methods[f"/{descriptor.full_name}/{method.name}"] = Method(
                (_streaming if method.server_streaming else _single)(function, reply),
                _message(short, method.input_type).FromString,
                reply.SerializeToString,
                method.client_streaming,
                method.server_streaming,
            )
    return methods


def _message(short: str, descriptor: Any) -> Any:
    messages(SERVICES[short][0])
    return GetMessageClass(descriptor)


def _text(error: Exception) -> str:
    if isinstance(error, ConvloomError | HlscError):
        return str(error)
    _log.error("internal error", exc_info=error)
    return f"the virtual board failed: {type(error).__name__}: {error}"


def _single(function: Callable[[Any, Any], Any], reply: Any) -> Callable[[Any], Any]:
    slot = next((f for f in ("msg", "message") if f in reply.DESCRIPTOR.fields_by_name), None)

    def run(request: Any) -> Any:
        try:
            return function(request, reply)
        except Refusal:
            raise
        except Exception as error:
            text = _text(error)
        if slot:
            return reply(**{slot: text})
        raise Refusal(text)

    return run


def _streaming(function: Callable[[Any, Any], Iterator[Any]], reply: Any) -> Callable[[Any], Any]:
    def run(request: Any) -> Iterator[Any]:
        try:
            yield from function(request, reply)
        except Exception as error:
            # pynq does not look at msg in streams: an error has to be the call's.
            raise Refusal(_text(error)) from None

    return run


def check_address(address: str, allow_remote: bool = False) -> str:
    """`host:port` or `unix:/path`, for the server to bind; VboardError if it is not of this machine."""
    if address.startswith("unix:/"):
        if len(address) > 5 + 107:
            raise VboardError(f"socket path must have at most 107 characters, not {len(address) - 5}")
        return address
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdecimal() or not 0 < int(port) < 65536:
        raise VboardError(f"address must be HOST:PORT or unix:/PATH, not {address!r}")
    try:
        local = host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        raise VboardError(f"host must be an IP address or localhost, not {host!r}") from None
    if not local and not allow_remote:
        raise VboardError(
            f"address must be of this machine only, not {host}: whoever reaches a board can use it; "
            "--allow-remote opens it"
        )
    return address


def make_server(state: BoardState, address: str, allow_remote: bool = False) -> Server:
    """A server of `state` at `address`, which answers already."""
    options = [
        ("grpc.max_receive_message_length", _MAX_MESSAGE),
        ("grpc.max_send_message_length", 4 << 20),
        ("grpc.max_metadata_size", 8192),
        ("grpc.so_reuseport", 0),
    ]
    return Server(_methods(state), check_address(address, allow_remote), options)
