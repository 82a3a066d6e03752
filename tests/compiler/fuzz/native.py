# SPDX-License-Identifier: Apache-2.0
"""Many programs, natively: one C-simulation kernel that calls the one it is asked for.

The kernel `fuzz_batch` takes a list of 64-bit words and gives one back, both run by run in the order
of the arguments: values of scalars, elements of arrays, counts and words of streams, and how many
words were taken of an input.  A stream may get more words than the program takes: what it took is
what the RTL gets.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from math import prod

import numpy as np

from fuzz.case import Argument, Case, Stimulus
from hlsc import toolchain
from hlsc.csim import CsimError, Kernel

__all__ = ["Expected", "build", "run"]

_HEAD = """\
#include <ap_axi_sdata.h>
#include <ap_int.h>
#include <hls_stream.h>
#include <stdint.h>
typedef hls::stream<ap_uint<64>> Words;
template <class T> T plain(const ap_uint<64>& w) { return T(w); }
template <class T> ap_uint<64> raw(const T& v, int width) { return ap_uint<64>(v) << (64 - width) >> (64 - width); }
template <class T> void fill(hls::stream<T>& s, Words& from, unsigned n) {
  for (unsigned i = 0; i < n; ++i) s.write(plain<T>(from.read()));
}
template <int W> void fill(hls::stream<ap_axiu<W, 1, 1, 1>>& s, Words& from, unsigned n) {
  for (unsigned i = 0; i < n; ++i) {
    ap_axiu<W, 1, 1, 1> w;
    w.data = from.read();
    w.last = from.read();
    w.keep = -1; w.strb = -1; w.user = 0; w.id = 0; w.dest = 0;
    s.write(w);
  }
}
template <class T> void give(const T& v, Words& to, int width) { to.write(raw(v, width)); }
template <int W> void give(const ap_axiu<W, 1, 1, 1>& v, Words& to, int) {
  to.write(v.data);
  to.write((v.keep.and_reduce() ? 2 : 0) + v.last.to_int());
}
template <class T> void drain(hls::stream<T>& s, Words& to, int width) {
  to.write(s.size());
  while (!s.empty()) give(s.read(), to, width);
}
template <class T> void load(T* at, Words& from, unsigned n) {
  for (unsigned i = 0; i < n; ++i) at[i] = plain<T>(from.read());
}
template <class T> void save(const T* at, Words& to, unsigned n, int width) {
  for (unsigned i = 0; i < n; ++i) to.write(raw(at[i], width));
}
template <class T> void taken(hls::stream<T>& s, Words& to, unsigned n) {
  to.write(n - s.size());
  while (!s.empty()) s.read();
}
"""  # noqa: E501


@dataclass(frozen=True)
class Expected:
    """What a program answers: raw bits; an axis word has TLAST above its data."""

    streams: dict[str, tuple[int, ...]]
    scalars: dict[str, int]
    taken: dict[str, int]
    arrays: dict[str, tuple[int, ...]]


def _glue(case: Case) -> str:
    lines = [f"void call_{case.name}(Words& words_in, Words& words_out) {{"]
    for a in case.arguments:
        if a.kind == "value":
            lines.append(f"  {a.type} {a.name} = plain<{a.type}>(words_in.read());")
        elif a.kind == "result":
            lines.append(f"  {a.type} {a.name} = 0;")
        elif a.dims:
            lines.append(f"  {a.type} {a.name}{''.join(f'[{n}]' for n in a.dims)};")
            lines.append(f"  load(({a.type}*){a.name}, words_in, {prod(a.dims)});")
        else:
            lines.append(f'  hls::stream<{a.type}> {a.name}("{a.name}");')
        if a.kind == "in":
            lines.append(f"  unsigned n_{a.name} = words_in.read().to_uint();")
            lines.append(f"  fill({a.name}, words_in, n_{a.name});")
    passed = ", ".join(f"&{a.name}" if a.kind == "result" else a.name for a in case.arguments)
    lines.append(f"  n_{case.name}::{case.name}({passed});")
    ends = {
        "result": "  words_out.write(raw({0}, {1}));",
        "in": "  taken({0}, words_out, n_{0});",
        "out": "  drain({0}, words_out, {1});",
        "array": "  save((const {2}*){0}, words_out, {3}, {1});",
    }
    lines += [
        ends[a.kind].format(a.name, a.width, a.type, prod(a.dims))
        for a in case.arguments
        if a.kind in ends
    ]
    return "\n".join([*lines, "}"])


def build(cases: Sequence[Case], *, sanitize: bool = False) -> Kernel:
    """One program over all cases; ToolError if one does not compile."""
    parts = [_HEAD]
    for c in cases:
        parts += [f"namespace n_{c.name} {{\n{c.source}\n}}", _glue(c)]
    calls = "\n".join(f"    case {i}: return call_{c.name}(in, out);" for i, c in enumerate(cases))
    parts.append(
        "void call(int which, Words& in, Words& out) {\n  switch (which) {\n" + calls + "\n  }\n}\n"
        "void fuzz_batch(int which, int runs, Words& in, Words& out) {\n"
        "  for (int i = 0; i < runs; ++i) call(which, in, out);\n}\n"
    )
    source = "\n".join(parts)
    path = toolchain.cache_dir("fuzz", source) / "batch.cpp"
    path.write_text(source)
    return Kernel([path], "fuzz_batch", std="c++17", sanitize=sanitize)


def _request(case: Case, stimulus: Stimulus) -> list[int]:
    words: list[int] = []
    for a in case.arguments:
        if a.kind == "value":
            words.append(stimulus.scalars[a.name])
        elif a.dims:
            words += stimulus.arrays[a.name]
        elif a.kind == "in":
            given = stimulus.streams[a.name]
            words.append(len(given))
            for w in given:
                words += _split(a, w)
    return words


def _split(a: Argument, word: int) -> list[int]:
    return [word & (1 << a.width) - 1, word >> a.width] if a.axis else [word]


def run(kernel: Kernel, which: int, case: Case, timeout: float = 20) -> list[Expected]:
    """All stimuli one after the other in one process, as static variables want it.

    Raises CsimError for what no correct program does: an empty read, words left inside, a crash.
    """
    request = [w for s in case.stimuli for w in _request(case, s)]
    streams = {"in": [np.array(request or [0], np.uint64)]}
    scalars = {"which": which, "runs": len(case.stimuli)}
    done = kernel.run(streams, scalars, twice=False, timeout=timeout)
    words = iter([int(w) for w in done.streams["out"][0]] if done.streams["out"] else [])
    return [_answer(case, words) for _ in case.stimuli]


def _answer(case: Case, words: Iterator[int]) -> Expected:
    expected = Expected({}, {}, {}, {})
    for a in case.arguments:
        if a.kind == "result":
            expected.scalars[a.name] = next(words)
        elif a.kind == "in":
            expected.taken[a.name] = next(words)
        elif a.kind == "array":
            expected.arrays[a.name] = tuple(islice(words, prod(a.dims)))
        elif a.kind == "out":
            count, got = next(words), []
            for _ in range(count):
                w = next(words)
                if a.axis:
                    flags = next(words)
                    if not flags & 2:
                        raise CsimError(f"{case.name}: TKEEP of {a.name} must be all ones")
                    w |= (flags & 1) << a.width
                got.append(w)
            expected.streams[a.name] = tuple(got)
    return expected
