# SPDX-License-Identifier: Apache-2.0
"""A program with its top function's arguments and stimuli: one .cpp file that says all of it.

The first line is a comment with JSON, the rest is the program.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

__all__ = ["Argument", "Case", "Stimulus"]

_HEAD = "// fuzz: "


@dataclass(frozen=True)
class Argument:
    """`kind`: in, out (streams), value, result (scalars), array, table (an array that is only read).

    `type`: C++ type of a scalar, word or element; `width` is that of the value or of a word's data;
    `axis` words are ap_axiu<width, 1, 1, 1>; `dims` are the extents of an array.
    """

    name: str
    kind: str
    type: str
    width: int
    signed: bool = False
    axis: bool = False
    dims: tuple[int, ...] = ()


@dataclass(frozen=True)
class Stimulus:
    """Raw bits: `scalars` by name; `streams` by name, an axis word has TLAST above its data; elements
    of `arrays` by name, the last index fastest."""

    scalars: Mapping[str, int]
    streams: Mapping[str, tuple[int, ...]]
    arrays: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    name: str  # of the top function
    source: str
    arguments: tuple[Argument, ...]
    stimuli: tuple[Stimulus, ...]
    clock_ns: float = 10.0

    def file_text(self) -> str:
        head = asdict(self)
        del head["source"]
        return f"{_HEAD}{json.dumps(head)}\n{self.source}"

    @classmethod
    def load(cls, path: Path) -> Case:
        head, _, source = path.read_text().partition("\n")
        assert head.startswith(_HEAD), f"{path} must begin with {_HEAD!r}"
        data = json.loads(head.removeprefix(_HEAD))
        stimuli = tuple(
            Stimulus(s["scalars"], _words(s["streams"]), _words(s.get("arrays", {})))
            for s in data["stimuli"]
        )
        arguments = tuple(Argument(**a | {"dims": tuple(a.get("dims", ()))}) for a in data["arguments"])
        return cls(data["name"], source, arguments, stimuli, data["clock_ns"])


def _words(given: Mapping[str, list[int]]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(words) for name, words in given.items()}
