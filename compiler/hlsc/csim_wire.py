# SPDX-License-Identifier: Apache-2.0
"""What goes in and out of a simulated kernel: arguments as bytes, and the checks on the answer.

Shared by C-simulation and RTL simulation, so that both take the same vectors, return the same `Run`,
and complain about the same things.  The byte format is described in csim_harness.h.
"""

from __future__ import annotations

import itertools
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hlsc.errors import HlscError
from hlsc.exchange import Reader

__all__ = [
    "CsimError",
    "Parameter",
    "Run",
    "as_signed",
    "compare",
    "decode",
    "encode",
    "from_words",
    "split_transfers",
    "to_words",
]

_NOT_GIVEN = (1 << 64) - 1
_POINTERS = ("pointer", "const_pointer")


class CsimError(HlscError):
    """A simulated kernel did what a correct one does not do, or was called wrongly."""


@dataclass(frozen=True)
class Parameter:
    """An argument of the top function.

    `kind`: axis, stream (without TLAST), value, reference, pointer, const_pointer, unknown; for the
    return value: return, none.  `width` is that of the data in bits, `type` the C++ type (in RTL
    simulation: in or out); `word` is the width of a stream's word with its side channels, where known.
    `of`: the array of streams that it is an element of (not in RTL, where each is a port).
    """

    name: str
    kind: str
    width: int
    signed: bool = False
    type: str = ""
    word: int = 0
    of: str = ""

    @property
    def bytes(self) -> int:
        return (self.width + 7) // 8

    @property
    def word_bytes(self) -> int:
        return ((self.word or self.width) + 7) // 8


@dataclass(frozen=True)
class Run:
    """What one call of a kernel gave.

    streams: transfers of each output stream, words as raw bits: uint64 (beats,) up to 64 bits (see
        `as_signed`), else uint8 (beats, bytes).  A stream without TLAST is one transfer, or none if
        nothing came.
    scalars: values of references and pointers after the call, and "return".
    arrays: content after the call, in the shape and dtype given.
    high_water: most words that each stream ever held (internal ones too, with the shim headers).
    seconds: native run time of the call.  log: what the kernel printed to std::cout.
    beats: how many each stream moved.
    cycles, cycles_done: RTL simulation only; clock edges from the one that takes the write of ap_start
        to the one that takes the last output beat, and to the interrupt (or ap_done).
    """

    streams: dict[str, list[np.ndarray]]
    scalars: dict[str, int]
    high_water: dict[str, int]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    seconds: float = 0.0
    log: str = ""
    cycles: int | None = None
    cycles_done: int | None = None
    beats: dict[str, int] = field(default_factory=dict)


# ---------------------------------------------------------------------------------------- words


def to_words(name: str, values: np.ndarray, width: int, signed: bool | None) -> bytes:
    """Numbers as (width+7)/8 little-endian bytes each.

    values: any integers up to 64 bits; beyond, uint8 or uint64 with a last axis that makes up one word.
    signed None takes what fits either way (raw bits or a number).  CsimError for what does not fit.
    """
    values = np.asarray(values)
    size = (width + 7) // 8
    if values.dtype.kind not in "iub":
        raise CsimError(f"{name} must hold integers, not {values.dtype}")
    if width > 64:
        if values.dtype in (np.uint8, np.uint64):
            raw = np.ascontiguousarray(values).view(np.uint8)
            if raw.ndim > 1 and raw.shape[-1] == size:
                return raw.tobytes()
        raise CsimError(
            f"{name} must be uint8 with a last axis of {size} for words of {width} bits, not "
            f"{values.dtype} {values.shape}"
        )
    if values.dtype == np.uint64 and width == 64 and not signed:
        return np.ascontiguousarray(values).tobytes()
    if values.size:
        least, most = int(values.min()), int(values.max())
        low = 0 if signed is False else -(1 << (width - 1))
        high = (1 << (width - 1 if signed else width)) - 1
        if least < low or most > high:
            raise CsimError(
                f"{name} must be in {low}..{high} ({width} bits), not {least if least < low else most}"
            )
    wide = values.astype("<i8" if values.dtype.kind == "i" else "<u8").reshape(-1)
    return wide.view(np.uint8).reshape(-1, 8)[:, :size].tobytes()


def from_words(raw: bytes | memoryview, width: int, signed: bool) -> np.ndarray:
    """The inverse: uint64 (int64 if signed) of shape (n,) up to 64 bits, beyond uint8 (n, bytes)."""
    size = (width + 7) // 8
    words = np.frombuffer(raw, np.uint8).reshape(-1, size)
    if width > 64:
        return words.copy()
    wide = np.zeros((len(words), 8), np.uint8)
    wide[:, :size] = words
    values = wide.view("<u8").reshape(-1)
    return as_signed(values, width) if signed else values


def as_signed(values: np.ndarray, width: int) -> np.ndarray:
    """Raw words of `width` bits (uint64, up to 64 bits) as two's complement: int64."""
    shift = np.uint64(64 - width)
    return (values << shift).view(np.int64) >> np.int64(shift)


def _transfers(p: Parameter, transfers: Sequence[np.ndarray]) -> tuple[int, bytes]:
    if isinstance(transfers, np.ndarray):
        raise CsimError(f"stream {p.name} must be given as a list of transfers, not one array")
    data, flags = [], []
    for i, transfer in enumerate(transfers):
        beats = np.asarray(transfer)
        if len(beats) == 0:
            raise CsimError(f"transfer {i} of stream {p.name} must have at least one beat, not 0")
        if p.width <= 64 and beats.ndim != 1:
            raise CsimError(
                f"transfer {i} of stream {p.name} must have one axis (beats), not {beats.ndim}"
            )
        data.append(to_words(f"transfer {i} of stream {p.name}", beats, p.width, None))
        last = np.zeros(len(beats), np.uint8)
        last[-1] = 1
        flags.append(last.tobytes())
    flag_bytes = b"".join(flags)
    return len(flag_bytes), b"".join(data) + flag_bytes


# --------------------------------------------------------------------------------------- request


def encode(
    parameters: Sequence[Parameter],
    streams: Mapping[str, Sequence[np.ndarray]],
    scalars: Mapping[str, int],
    arrays: Mapping[str, np.ndarray],
    calls: int,
) -> bytes:
    """A request for csim_harness.h; see `Kernel.run` for the arguments."""
    found: list[tuple[str, int, bytes]] = []
    for of, elements in itertools.groupby(parameters, lambda p: p.of):
        given = [(p.name, *_encode_one(p, streams, scalars, arrays)) for p in elements]
        found += [(of, len(given), _arguments(given))] if of else given
    return struct.pack("<I", calls) + _arguments(found)


def _arguments(given: Sequence[tuple[str, int, bytes]]) -> bytes:
    """A list of arguments: name, count, bytes."""
    parts = [struct.pack("<I", len(given))]
    for name, count, data in given:
        text = name.encode()
        parts += [struct.pack("<I", len(text)), text, struct.pack("<QQ", count, len(data)), data]
    return b"".join(parts)


def _encode_one(
    p: Parameter,
    streams: Mapping[str, Sequence[np.ndarray]],
    scalars: Mapping[str, int],
    arrays: Mapping[str, np.ndarray],
) -> tuple[int, bytes]:
    if p.kind in ("axis", "stream"):
        if p.name in scalars or p.name in arrays:
            raise CsimError(f"argument {p.name} must be given in streams: it is {p.type}")
        return _transfers(p, streams[p.name]) if p.name in streams else (_NOT_GIVEN, b"")
    if p.name in streams:
        raise CsimError(f"argument {p.name} must be a stream to be given in streams, not {p.type}")
    if p.name in arrays:
        if p.kind not in _POINTERS:
            raise CsimError(f"argument {p.name} must be an array to be given in arrays, not {p.type}")
        data = to_words(f"array {p.name}", arrays[p.name], p.width, p.signed)
        return len(data) // p.bytes, data
    if p.name in scalars:
        return 1, scalar_bytes(p, scalars[p.name])
    if p.kind in ("value", "const_pointer"):
        raise CsimError(f"argument {p.name} must be given: it is an input ({p.type})")
    return 0, b""


def scalar_bytes(p: Parameter, value: int) -> bytes:
    """An integer as the bytes of one word; CsimError if it does not fit."""
    value = int(value)
    low = -(1 << (p.width - 1)) if p.signed else 0
    high = (1 << (p.width - p.signed)) - 1
    if not low <= value <= high:
        raise CsimError(f"argument {p.name} must be in {low}..{high} ({p.width} bits), not {value}")
    return (value & ((1 << p.width) - 1)).to_bytes(p.bytes, "little")


# ----------------------------------------------------------------------------------------- reply


def decode(
    top: str,
    reply: bytes,
    parameters: Sequence[Parameter],
    result: Parameter | None,
    streams: Mapping[str, Sequence[np.ndarray]],
    arrays: Mapping[str, np.ndarray],
    *,
    cycles: bool = False,
) -> list[Run]:
    """One Run per call; raises CsimError with everything that is wrong with the first bad one.

    `cycles`: u64 cycles and u64 cycles_done stand behind each call (RTL simulation).
    """
    r = Reader(reply)
    if r.number("B"):
        raise CsimError(f"{top}: {r.text()}")
    runs: list[Run] = []
    while r.left:
        run = _decode_call(top, r, parameters, result, streams, arrays, len(runs))
        if cycles:
            run = replace(run, cycles=r.number("Q"), cycles_done=r.number("Q"))
        runs.append(run)
    return runs


def _decode_call(
    top: str,
    r: Reader,
    parameters: Sequence[Parameter],
    result: Parameter | None,
    streams: Mapping[str, Sequence[np.ndarray]],
    arrays: Mapping[str, np.ndarray],
    call: int,
) -> Run:
    run = Run({}, {}, {}, {}, r.real(), r.text())
    problems: list[str] = []
    for p in [*parameters, *([result] if result else [])]:
        left, high, count = r.number("Q"), r.number("Q"), r.number("Q")
        data = r.take(count * p.bytes)
        if p.kind in ("axis", "stream"):
            run.high_water[p.name] = high
            flags = np.frombuffer(r.take(count), np.uint8)
            if p.name in streams:
                total = sum(len(t) for t in streams[p.name])
                run.beats[p.name] = total - left
                if left:
                    problems.append(leftover(p.name, left, total))
            else:
                run.beats[p.name] = count
                words = from_words(data, p.width, False)
                run.streams[p.name], bad = split_transfers(p, words, flags)
                problems += bad
        elif p.name in arrays:
            values = from_words(data, p.width, p.signed)
            given = np.asarray(arrays[p.name])
            run.arrays[p.name] = values.astype(given.dtype).reshape(given.shape)
        elif p.kind not in ("value", "const_pointer"):
            run.scalars[p.name] = int.from_bytes(data, "little")
            if p.signed and run.scalars[p.name] >> (p.width - 1):
                run.scalars[p.name] -= 1 << p.width
    for _ in range(r.number("I")):
        name, left, high = r.text(), r.number("Q"), r.number("Q")
        if left:
            much = "words" if left == _NOT_GIVEN else f"{left} words" if left > 1 else "1 word"
            problems.append(f"internal stream {name} must be empty at the end, but {much} left in it")
        run.high_water[name] = max(high, run.high_water.get(name, 0))
    if problems:
        where = f"{top}, second call" if call else top
        raise CsimError(f"{where}: " + "\n".join(problems))
    return run


def leftover(name: str, left: int, total: int) -> str:
    """The complaint about an input that was not read to its end."""
    return f"input stream {name} must be read to its end, but {left} of {total} beats are left"


def split_transfers(
    p: Parameter, words: np.ndarray, flags: np.ndarray
) -> tuple[list[np.ndarray], list[str]]:
    """Cut a stream's words after each TLAST (flag bit 0); bit 1 tells of a bad TKEEP.

    Returns the transfers, and complaints about TKEEP and a missing TLAST.
    """
    if p.kind == "stream":
        return ([words] if len(words) else []), []
    problems = []
    bad = np.flatnonzero(flags & 2)
    if len(bad):
        problems.append(
            f"TKEEP of stream {p.name} must be all ones, but is not in {len(bad)} of {len(flags)} "
            f"beats, first in beat {bad[0]}"
        )
    ends = np.flatnonzero(flags & 1) + 1
    complete = int(ends[-1]) if len(ends) else 0
    if complete < len(words):
        dangling = len(words) - complete
        beats = f"{dangling} beats dangle" if dangling > 1 else "1 beat dangles"
        behind = f" behind the last of {len(ends)} TLAST" if len(ends) else ": TLAST never came"
        problems.append(f"the last beat of stream {p.name} must carry TLAST, but {beats}{behind}")
    return [t.copy() for t in np.split(words, ends)[: len(ends)]], problems


def compare(
    top: str, one: Run, two: Run, first: str = "the first call", second: str = "the second"
) -> None:
    """Raise CsimError at the first difference between two runs."""

    def differ(what: str, a: object, b: object) -> None:
        raise CsimError(f"{top} must answer alike: {what} is {a} in {first} and {b} in {second}")

    for name, transfers in one.streams.items():
        others = two.streams.get(name, [])
        if len(transfers) != len(others):
            differ(f"the number of transfers of stream {name}", len(transfers), len(others))
        for i, (a, b) in enumerate(zip(transfers, others, strict=True)):
            if len(a) != len(b):
                differ(f"the length of transfer {i} of stream {name}", len(a), len(b))
            rows = (a != b).reshape(len(a), -1).any(axis=1)
            if rows.any():
                at = int(rows.argmax())
                differ(f"beat {at} of transfer {i} of stream {name}", _show(a[at]), _show(b[at]))
    for name, value in one.scalars.items():
        if two.scalars.get(name) != value:
            differ(f"scalar {name}", value, two.scalars.get(name))
    for name, array in one.arrays.items():
        unequal = np.argwhere(array != two.arrays[name])
        if len(unequal):
            place = tuple(int(i) for i in unequal[0])
            differ(f"element {place} of array {name}", array[place], two.arrays[name][place])


def _show(beat: np.ndarray) -> str:
    if beat.ndim:
        return "0x" + beat[::-1].tobytes().hex()
    return f"0x{int(beat):x}" if beat >= 0 else str(int(beat))
