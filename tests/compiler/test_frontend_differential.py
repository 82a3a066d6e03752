# SPDX-License-Identifier: Apache-2.0
"""The final module against the IR before any pass and against a plain model, on random inputs.

First half of the compiler's regression "IR before all passes against the final design": the second
half (CDFG, RTL) belongs to the stages behind.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest

from convloom.kernels import load_kernel
from convloom.lowering import lower
from convloom.random_layers import random_layers
from convloom.reference import ALGORITHMS
from hlsc.errors import HlscError
from hlsc.frontend import compile_program
from hlsc.frontend.execute import Runner
from hlsc.frontend.program import Program
from hlsc.interp import interpret
from hlsc.middle import lower as lower_program

KERNELS = Path(__file__).parent / "frontend"


@lru_cache
def build(name: str) -> tuple[Program, Runner, Runner]:
    """A kernel's program, its final module and its IR before all passes, both ready to run."""
    stages: dict[str, str] = {}
    program = compile_program([KERNELS / f"{name}.cpp"], "top", dump=stages.__setitem__)
    return program, Runner.of_program(program), Runner.of_raw(stages["llvm-raw"], program)


def both(name: str, streams, scalars):
    """The result that both ends agree on."""
    _, final, raw = build(name)
    expected = raw.run(streams, scalars)
    assert final.run(streams, scalars) == expected
    assert not any(expected.left.values()), "inputs must be read to the end"
    return expected


def signed(value: int, width: int) -> int:
    value &= (1 << width) - 1
    return value - (1 << width) if value >> (width - 1) else value


def words(rng, count: int, width: int) -> list[int]:
    raw = rng.integers(0, 1 << 32, (count, (width + 31) // 32))
    return [sum(int(x) << (32 * i) for i, x in enumerate(row)) & ((1 << width) - 1) for row in raw]


@pytest.mark.parametrize("length", [1, 2, 5, 40])
def test_fir(rng, length):
    coefficients = [-3, 17, -64, 255, 255, -64]
    data = words(rng, length, 32)
    gain = int(rng.integers(-64, 64))
    side = (0xF << 32) | (0xF << 36)
    frame = [d | side | ((i == length - 1) << 41) for i, d in enumerate(data)]
    got = both("fir", {"in": frame}, {"gain": gain})
    samples = [signed(d, 12) for d in data]
    for i, word in enumerate(got.streams["out"]):
        taps = sum(c * samples[i - k] for k, c in enumerate(coefficients) if i >= k)
        assert signed(word, 32) == signed(taps * gain, 32)
        assert word >> 32 == frame[i] >> 32
    assert got.scalars == {"count": length}


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 5, 4), (2, 16, 3), (2, 3, 0)])
def test_nest_of_three_loops(rng, shape):
    rows, cols, depth = shape
    data = words(rng, rows * cols * depth, 32)
    got = both("nest3", {"in": data}, {"rows": rows, "cols": cols, "depth": depth})
    sums = [0] * cols
    for i, d in enumerate(data):
        sums[i // depth % cols] += signed(d, 32) * (i % depth + 1)
    assert [signed(w, 64) for w in got.streams["out"]] == sums


@pytest.mark.parametrize("count", [0, 1, 7, 300])
def test_histogram(rng, count):
    data = [x if rng.random() < 0.7 else 5 for x in words(rng, count, 6)]
    got = both("histogram", {"in": data}, {"n": count})
    assert got.streams["out"] == [data.count(i) for i in range(64)]
    runs, longest = 0, 0
    for i, x in enumerate(data):
        runs = runs + 1 if i and data[i - 1] == x else 1
        longest = max(longest, runs)
    assert got.scalars == {"ap_return": longest}


@pytest.mark.parametrize("size", [(3, 3), (4, 7), (9, 32), (2, 5)])
def test_line_buffer_of_structures(rng, size):
    height, width = size
    data = words(rng, height * width, 16)
    got = both("linebuffer", {"in": data}, {"width": width, "height": height})
    pixels = [[data[r * width + c] for c in range(width)] for r in range(height)]
    expected = []
    for r in range(2, height):
        for c in range(2, width):
            box = [pixels[r - i][c - j] for i in range(3) for j in range(3)]
            red, blue = sum(p & 31 for p in box), sum(p >> 11 for p in box)
            green = sum(p >> 5 & 63 for p in box)
            middle = pixels[r - 1][c - 1] >> 5 & 63
            word = red | 1 << 9 | green << 10 | middle << 20 | ((red - blue) & 0x7FF) << 30
            expected.append(word)
    assert got.streams["out"] == expected


@pytest.mark.parametrize("length", [1, 9])
def test_dataflow(rng, length):
    mask, amount = words(rng, 1, 70)[0], int(rng.integers(-(1 << 15), 1 << 15))
    values = words(rng, length, 70)
    items = [v | (i == length - 1) << 70 for i, v in enumerate(values)]
    got = both("dataflow", {"in": items}, {"mask": mask, "amount": amount})
    top = (1 << 70) - 1

    def rotate(v: int, n: int, m: int) -> int:
        return ((v << n | v >> (70 - n)) & top) ^ m

    left = [(rotate(v, 1, mask) + 3 * 2 * amount + 3) & top for v in values]
    right = [rotate(v, 3, ~mask & top) for v in values]
    assert [signed(w, 71) for w in got.streams["out"]] == [
        a - b for a, b in zip(left, right, strict=True)
    ]
    assert got.scalars == {"count": length}


def test_every_pragma(rng):
    """Pragmas change no value: not even where loops are unrolled in two instantiations."""
    n = 20
    data = words(rng, 16 * 4 + n + 8 * 2 + n, 32)
    both("every_pragma", {"in": data}, {"n": n})


def test_arrays_of_streams(rng):
    data = words(rng, 5, 32)
    got = both("fan", {"in": data}, {"n": 5})
    program, _, _ = build("fan")
    assert {b.kind for p in program.processes for b in p.bindings} == {"channel", "scalar"}
    assert [(c.name, c.depth) for c in program.channels[2:]] == [(f"middle_{i}", 9) for i in range(4)]
    expected = [(625 + d * (0 * 125 + 25 + 3 * 5 + 4)) & 0xFFFFFFFF for d in data]
    assert got.streams["out"] == expected


@pytest.mark.parametrize(("n", "stop"), [(0, 9), (1, 9), (7, 9), (12, 5), (12, 0), (9, 8)])
def test_partial_unrolling(rng, n, stop):
    data = words(rng, 10 + (min(n, stop) + 1) // 2, 32)
    both("partial", {"in": data}, {"n": n, "stop": stop})


def test_memory_forms(rng):
    """Copies and fills of arrays and structures, uninitialised locals, selected addresses."""
    data = words(rng, 24, 32)
    got = both("memory", {"in": data}, {"pick": 5})
    assert len(got.streams["out"]) == 24 * 3


def test_intrinsics_are_written_out(rng):
    """minimum, rotation, absolute value and saturation: what instcombine turns into LLVM intrinsics."""
    program, _, _ = build("intrinsics")
    assert "@llvm." not in program.module
    data = [*words(rng, 60, 32), 0, 1, 0xFFFFFFFF, 0x80000000, 0x7FFFFFFF]
    both("intrinsics", {"in": data}, {"n": len(data)})


def test_a_read_too_many_is_reported(rng):
    _, final, _ = build("nest3")
    with pytest.raises(HlscError, match=r"running 'top': a read from an empty stream"):
        final.run({"in": words(rng, 5, 32)}, {"rows": 1, "cols": 2, "depth": 3})


def test_a_wrong_module_is_caught(rng):
    """The comparison can fail: one operation changed in the final module."""
    program, _, raw = build("fir")
    wrong = re.sub(r"\bmul nsw i32", "add nsw i32", program.module, count=1)
    assert wrong != program.module
    mutant = Runner.of_program(replace(program, module=wrong))
    frame = [w | (i == 9) << 41 for i, w in enumerate(words(rng, 10, 32))]
    frame = [w & ~(1 << 41) for w in frame[:-1]] + [frame[-1] | 1 << 41]
    assert mutant.run({"in": frame}, {"gain": 7}) != raw.run({"in": frame}, {"gain": 7})


def test_gemm_systolic(seed):
    """The first real kernel: random layers, every bit of the output and the status register."""
    spec = load_kernel("gemm_systolic")
    stages: dict[str, str] = {}
    program = compile_program(
        spec.sources,
        spec.top,
        include_dirs=spec.include_dirs,
        defines=spec.defines("tiny"),
        dump=stages.__setitem__,
    )
    offsets = {p.name: p.offset for p in program.ports if p.kind == "s_axilite"}
    assert offsets == {r.name: r.offset for r in spec.registers}
    labels = {f.label for f in program.loops.values() if f.pipeline and f.ii == 1}
    assert labels == set(spec.hot_loops)
    final, raw = Runner.of_program(program), Runner.of_raw(stages["llvm-raw"], program)
    for layer, x, w, bias in random_layers(8, seed):
        job = lower(layer, x, w, bias, kernel=spec, config="tiny")
        streams = {
            name: [
                int(beat) | 0xFFFF << 64 | (i == len(transfer) - 1) << 81
                for transfer in transfers
                for i, beat in enumerate(transfer)
            ]
            for name, transfers in job.streams.items()
        }
        got = final.run(streams, job.registers)
        assert got == raw.run(streams, job.registers), layer.name
        assert got.scalars == {"status": 0} and not any(got.left.values()), layer.name
        out = got.streams["out"]
        assert [word >> 81 & 1 for word in out] == [0] * (len(out) - 1) + [1], layer.name
        y = job.result([np.array([word & (1 << 64) - 1 for word in out], np.uint64)])
        np.testing.assert_array_equal(y, ALGORITHMS["im2col"](layer, x, w, bias).y, layer.name)


def test_arrays_of_a_class_with_a_constructor(rng):
    """Elements are constructed by a loop over indices; the design agrees as far as the middle end."""
    data = [x & 0x800F for x in words(rng, 100, 16)]
    got = both("constructors", {"in": data}, {}).streams["out"]
    items = {}
    line = [(3, 1)] * 3
    for x, word in zip(data, got, strict=True):
        key = x & 1, (x >> 1) % 70
        line = [items.get(key, (3, 1)), *line[:2]]
        if x >> 15:
            line[0] = items[key] = x & 31, 2
        assert word == line[2][0] << 8 | line[0][0] << 3 | 1 << 2 | line[0][1]
    program, _, _ = build("constructors")
    assert interpret(lower_program(program), {"in": data}, {}).streams["out"] == got
