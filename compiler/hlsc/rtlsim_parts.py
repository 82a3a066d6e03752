# SPDX-License-Identifier: Apache-2.0
"""Test benches speak of whole C++ arrays: their elements to the words of ports, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hlsc.csim_wire import CsimError, Parameter, Run, from_words, to_words
from hlsc.parts import Part

__all__ = ["gather", "join_parts", "parts_of", "split_parts"]

Parts = Mapping[str, Part]
"""What ports carry of array arguments, by the port's name."""


def parts_of(interface: Mapping[str, Any]) -> dict[str, Part]:
    """The parts of the arrays of a design's description; streams are arguments by themselves."""
    ports = (p for p in interface["ports"] if p.get("part") and p["kind"] != "axis")
    return {p["name"]: Part.from_dict(p["part"]) for p in ports}


def gather(part: Part, data: bytes, width: int) -> bytes:
    """The words of a port from the elements of an array, of `width` bits each."""
    elements = np.vstack([_bits(data, width), np.zeros((1, width), np.uint8)])
    return np.packbits(
        elements[_places(part)].reshape(-1, part.lanes * width), axis=1, bitorder="little"
    ).tobytes()


def _scatter(part: Part, words: bytes, elements: np.ndarray) -> None:
    """The words of a port into the bits of the elements."""
    width = elements.shape[1]
    at = _places(part)
    elements[at[at >= 0]] = _bits(words, part.lanes * width).reshape(*at.shape, width)[at >= 0]


def _bits(data: bytes, width: int) -> np.ndarray:
    """Shape (words, width), lowest bit first."""
    rows = np.frombuffer(data, np.uint8).reshape(-1, (width + 7) // 8)
    return np.unpackbits(rows, axis=1, bitorder="little")[:, :width]


def _places(part: Part) -> np.ndarray:
    """Shape (words, lanes): numbers of the elements, -1 for padding."""
    return np.array([[-1 if n is None else n for n in word] for word in part.words()])


def split_parts(
    parameters: Sequence[Parameter],
    parts: Parts,
    scalars: Mapping[str, int],
    arrays: Mapping[str, np.ndarray],
) -> tuple[dict[str, int], dict[str, np.ndarray]]:
    """Scalars and arrays of the ports from those of the arguments; outputs get what they start with."""
    cut = {p.argument for p in parts.values()}
    words, values = {k: v for k, v in arrays.items() if k not in cut}, dict(scalars)
    for p in parameters:
        if (part := parts.get(p.name)) is None:
            continue
        if part.argument not in arrays:
            raise CsimError(f"array {part.argument} must be given")
        raw = gather(part, _elements(p, part, arrays[part.argument]), p.width // part.lanes)
        if p.kind == "pointer":
            words[p.name] = from_words(raw, p.width, p.signed)
        else:
            values[p.name] = int.from_bytes(raw, "little")
            if p.signed and values[p.name] >> (p.width - 1):
                values[p.name] -= 1 << p.width
    return values, words


def join_parts(
    parameters: Sequence[Parameter], parts: Parts, arrays: Mapping[str, np.ndarray], run: Run
) -> Run:
    """The run with the arrays of the arguments instead of the ports'."""
    bits: dict[str, np.ndarray] = {}
    kinds: dict[str, tuple[int, bool]] = {}
    for p in parameters:
        if (part := parts.get(p.name)) is None:
            continue
        width = p.width // part.lanes
        name = part.argument
        if name not in bits:
            bits[name] = _bits(_elements(p, part, arrays[name]), width).copy()
            kinds[name] = width, p.signed
        if p.kind == "pointer":
            _scatter(part, to_words(p.name, run.arrays[p.name], p.width, None), bits[name])
        elif p.name in run.scalars:
            value = run.scalars[p.name] & ((1 << p.width) - 1)
            _scatter(part, value.to_bytes(p.bytes, "little"), bits[name])
    whole = {k: v for k, v in run.arrays.items() if k not in parts}
    for name, found in bits.items():
        given = np.asarray(arrays[name])
        values = from_words(np.packbits(found, axis=1, bitorder="little").tobytes(), *kinds[name])
        whole[name] = values.astype(given.dtype).reshape(given.shape)
    scalars = {k: v for k, v in run.scalars.items() if k not in parts}
    return replace(run, arrays=whole, scalars=scalars)


def _elements(p: Parameter, part: Part, values: np.ndarray) -> bytes:
    width = p.width // part.lanes
    data = to_words(f"array {part.argument}", values, width, None if width > 64 else p.signed)
    count, most = len(data) // ((width + 7) // 8), part.elements
    if count != most:
        raise CsimError(f"array {part.argument} must have {most} words, not {count}")
    return data
