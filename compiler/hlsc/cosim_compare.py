# SPDX-License-Identifier: Apache-2.0
"""One port in one call: what the C++ gave against what the RTL gave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hlsc.csim_wire import Parameter
from hlsc.rtlsim_replay import Answer
from hlsc.testbench import Words

__all__ = ["compare_call"]

_SHOWN = 3  # differences per port and call


def compare_call(
    port: Parameter, description: Mapping[str, Any], given: Words, gave: Words, rtl: Answer
) -> list[str]:
    """What differs; nothing if the RTL did as the C++.

    description: the port in report.json, for the names of its signals.
    """
    if port.kind in ("axis", "stream"):
        if port.type == "in":
            if rtl.moved == given.count:
                return []
            return [
                f"stream {port.name} must be read to its end as in C++ ({given.count} beats), "
                f"but the RTL took {rtl.moved}"
            ]
        return list(_stream(port, description, gave, rtl))
    if port.kind == "pointer":
        return list(_array(port, gave, rtl))
    if port.type == "in":
        return []
    return list(_scalar(port, given, gave, rtl))


def _words(data: bytes, size: int) -> list[int]:
    return [int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size)]


def _stream(port: Parameter, description: Mapping[str, Any], gave: Words, rtl: Answer) -> Iterator[str]:
    if rtl.count != gave.count:
        yield f"stream {port.name} must give {gave.count} beats as in C++, not {rtl.count}"
    if rtl.data == gave.data:
        return
    shown = 0
    pairs = zip(_words(gave.data, port.word_bytes), _words(rtl.data, port.word_bytes), strict=False)
    for beat, (a, b) in enumerate(pairs):
        if a == b:
            continue
        parts = ", ".join(
            f"{name} 0x{x:x} in C++ and 0x{y:x} in RTL"
            for name, x, y in _split(port, description, a, b)
            if x != y
        )
        yield f"beat {beat} of stream {port.name}: {parts}"
        shown += 1
        if shown == _SHOWN:
            return


def _split(
    port: Parameter, description: Mapping[str, Any], a: int, b: int
) -> Iterator[tuple[str, int, int]]:
    """The signals of two words: data lowest, then the side channels in their order."""
    low = 0
    for name, width in description.get("signals", {"TDATA": port.width}).items():
        size = port.width if name == "TDATA" else width
        mask = (1 << size) - 1
        yield name, a >> low & mask, b >> low & mask
        low += size


def _number(value: int, port: Parameter) -> int:
    return value - (1 << port.width) if port.signed and value >> (port.width - 1) else value


def _array(port: Parameter, gave: Words, rtl: Answer) -> Iterator[str]:
    if rtl.data == gave.data:
        return
    shown = 0
    pairs = zip(_words(gave.data, port.bytes), _words(rtl.data, port.bytes), strict=True)
    for i, (a, b) in enumerate(pairs):
        if a != b:
            yield f"{port.name}[{i}] is {_number(a, port)} in C++ and {_number(b, port)} in RTL"
            shown += 1
            if shown == _SHOWN:
                return


def _scalar(port: Parameter, given: Words, gave: Words, rtl: Answer) -> Iterator[str]:
    if not gave.count:  # a null pointer
        return
    value = _number(int.from_bytes(gave.data, "little"), port)
    before = _number(int.from_bytes(given.data, "little"), port) if given.count else None
    found = _number(int.from_bytes(rtl.data, "little"), port)
    if rtl.written is False:
        if value != before:
            yield f"{port.name} is {value} in C++, but the RTL does not write it"
        return
    # Without a valid signal nothing tells an output that this call did not write.
    if found != value and (rtl.written or value != before):
        yield f"{port.name} is {value} in C++ and {found} in RTL"
