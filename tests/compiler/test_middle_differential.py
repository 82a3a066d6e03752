# SPDX-License-Identifier: Apache-2.0
"""The compiler's first regression: the LLVM text that the front end hands over, run natively, against
the final IR in the interpreter, on varied kernels with random inputs."""

from __future__ import annotations

import functools
import importlib.util
import os
import random
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import pytest

from hlsc.frontend.program import ArrayFacts, LoopFacts
from hlsc.interp import interpret
from hlsc.ir import Design
from hlsc.middle import Options, lower


@functools.cache
def _support() -> ModuleType:
    path = Path(__file__).with_name("middle_support.py")
    spec = importlib.util.spec_from_file_location("middle_support", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Kernel:
    name: str
    source: str
    ports: tuple[tuple[str, str, int], ...]
    scalars: dict[str, tuple[int, int]] = field(default_factory=dict)  # range of each scalar
    words: int = 400  # per input stream
    small: tuple[int, ...] = ()  # words that occur often (markers that end loops)
    arrays: dict[str, ArrayFacts] = field(default_factory=dict)
    loops: dict[int, LoopFacts] = field(default_factory=dict)


IO32 = (("x", "in", 32), ("y", "out", 32))

KERNELS = [
    Kernel(
        "arithmetic",
        """
STREAM(37) STREAM(61)
extern "C" void k(S x, S y, u32 n) {
  for (u32 i = 0; i < n; i++) {
    u<37> v = read37(x);
    s<17> a = (s<17>)v;
    u<9> b = (u<9>)(v >> 17);
    s<11> c = (s<11>)(v >> 26);
    s<61> r = (s<61>)a * c + (a >> (b & 7)) - (s<61>)(b << 3) + (a < c) + ((u<17>)a < b) * 5;
    r ^= (s<61>)(a / (s<17>)((b & 15) + 1)) << 20;
    r += a % (s<17>)((c & 31) + 1) + (s<61>)(b / (u<9>)((v & 3) + 1)) * 1000;
    if (c > 100) r = -r; else if (c < -700) r = r * 3;
    write61(y, (u<61>)r);
  }
}""",
        (("x", "in", 37), ("y", "out", 61), ("n", "scalar", 32)),
        {"n": (0, 60)},
    ),
    Kernel(
        "nest",
        """
STREAM(32)
extern "C" void k(S x, S y, u32 rows, u32 cols) {
  u32 buf[16][24] = {};
  u32 sum = 0;
  for (u32 r = 0; r < rows; r++)
    for (u32 c = 0; c < cols; c++) {
      u32 v = read32(x);
      buf[r][c] = v;
      sum += v * (r + 1) + c;
    }
  for (u32 r = 0; r < rows; r++) {
    u32 best = r;
    for (u32 c = 1; c < cols; c++)
      if (buf[r][c - 1] + buf[r][c] > best) best = buf[r][c - 1] ^ buf[r][c];
    write32(y, best + sum);
  }
}""",
        (*IO32, ("rows", "scalar", 32), ("cols", "scalar", 32)),
        {"rows": (0, 16), "cols": (0, 24)},
    ),
    Kernel(
        "three_levels",
        """
STREAM(32)
extern "C" void k(S x, S y, u32 a, u32 b, u32 c) {
  for (u32 i = 0; i < a; i++) {
    u32 p = i * 7;
    for (u32 j = i; j < b; j++) {
      u32 q = p + j;
      for (u32 l = 0; l < c; l++) {
        q = q * 5 + read32(x);
        if ((q & 63) == 9) break;
      }
      p ^= q;
    }
    write32(y, p);
  }
}""",
        (*IO32, ("a", "scalar", 32), ("b", "scalar", 32), ("c", "scalar", 32)),
        {"a": (0, 6), "b": (0, 7), "c": (0, 6)},
    ),
    Kernel(
        "early_exit",
        """
STREAM(32)
extern "C" void k(S x, S y, u32 n) {
  u32 seen = 0;
  while (true) {
    u32 v = read32(x);
    if (v == 0) break;
    if (v & 1) { if (v % 3 == 0) continue; seen += v; }
    else if (seen > 50000) { write32(y, 1); seen = 0; }
    write32(y, v + seen);
    if (++n > 200) { write32(y, n); break; }
  }
  write32(y, seen);
}""",
        (*IO32, ("n", "scalar", 32)),
        {"n": (0, 250)},
        small=(0,),
    ),
    Kernel(
        "histogram",
        """
STREAM(32)
static const signed char T[7] = {3, -1, 4, 1, -5, 9, 2};
struct P { short a; s<14> b; unsigned char c[3]; };
extern "C" void k(S x, S y, u32 n) {
  int h[64] = {0};
  P ps[8] = {};
  for (u32 i = 0; i < n; i++) {
    u32 v = read32(x);
    h[v & 63] += T[v % 7] + ps[v >> 29].b;
    ps[(v >> 6) & 7].a = (short)v;
    ps[(v >> 9) & 7].b = (s<14>)(v >> 3);
    ps[(v >> 12) & 7].c[(v >> 20) % 3] += (unsigned char)v;
  }
  for (int i = 0; i < 64; i++)
    write32(y, h[i] + ps[i & 7].a * 3 + ps[i >> 3].b + ps[i & 7].c[i % 3]);
}""",
        (*IO32, ("n", "scalar", 32)),
        {"n": (0, 200)},
    ),
    Kernel(
        "switches",
        """
STREAM(8) STREAM(16)
extern "C" void k(S x, S y, u32 n) {
  s<12> acc = 1;
  u<3> state = 0;
  for (u32 i = 0; i < n; i++) {
    u<8> v = read8(x);
    switch (state) {
      case 0: acc += v; state = v & 3; break;
      case 1: acc = acc * 3 - v; state = 2 + (v & 1); break;
      case 2: if (v > 100) acc >>= 2; else acc <<= 1; state = v % 5; break;
      case 3: write16(y, (u<16>)acc); state = 0; break;
      default: acc ^= v; state = (u<3>)(v >> 6);
    }
  }
  write16(y, (u<16>)(s<16>)acc);
}""",
        (("x", "in", 8), ("y", "out", 16), ("n", "scalar", 32)),
        {"n": (0, 300)},
    ),
    Kernel(
        "sequential",
        """
STREAM(32)
extern "C" void k(S x, S y, u32 n, u32 *r) {
  u32 total = 0, buf[32];
  for (u32 t = 0; t < n; t++) {
    u32 len = read32(x) & 31;
    for (u32 i = 0; i < len; i++) buf[i] = read32(x);
    if (len & 1) { for (u32 i = 0; i < len; i++) total += buf[i] * i; }
    else { total ^= len; }
    for (u32 i = len; i > 0; i--) write32(y, buf[i - 1] + total);
    if (total % 11 == 3) break;
  }
  *r = total;
}""",
        (*IO32, ("n", "scalar", 32), ("r", "result", 32)),
        {"n": (0, 9)},
    ),
    Kernel(
        "partitioned",
        """
STREAM(32)
extern "C" void k(S x, S y, u32 n) {
  short a[4][9], b[24], c[24], d[6];
  for (int i = 0; i < 6; i++) d[i] = (short)i;
  for (int i = 0; i < 4; i++) for (int j = 0; j < 9; j++) a[i][j] = (short)read32(x);
  for (int i = 0; i < 24; i++) { u32 v = read32(x); b[i] = (short)v; c[i] = (short)(v >> 16); }
  for (u32 t = 0; t < n; t++) {
    u32 v = read32(x);
    u32 i = v % 4, j = (v >> 2) % 8 + 1, l = (v >> 5) % 22 + 1;
    a[i][j] += b[l] - c[l + 1] * a[2][j - 1];
    b[l - 1] = a[3][8 - j];
    c[2 * (l / 2) + 1] = d[v % 6];
    d[(v >> 8) % 6] = a[i][j];
    write32(y, a[i][0] + b[l] * 3 + c[l] + d[0]);
  }
}""",
        (*IO32, ("n", "scalar", 32)),
        {"n": (0, 120)},
        arrays={
            "a": ArrayFacts({1: ("complete", 0)}),
            "b": ArrayFacts({1: ("cyclic", 4)}),
            "c": ArrayFacts({1: ("block", 5)}),
            "d": ArrayFacts({0: ("complete", 0)}),
        },
    ),
    Kernel(
        "wide",
        """
STREAM(72) STREAM(130)
extern "C" void k(S x, S y, u32 n) {
  u<72> mem[10] = {};
  for (u32 i = 0; i < n; i++) {
    u<72> v;
    read_72(x, &v);
    u<72> o = mem[(unsigned)(v % 10)];
    mem[(unsigned)((v >> 9) % 10)] = v ^ (o >> 3);
    u<130> w = (u<130>)o * 3 + ((u<130>)v << 57);
    write_130(y, &w);
  }
}""",
        (("x", "in", 72), ("y", "out", 130), ("n", "scalar", 32)),
        {"n": (0, 100)},
    ),
    Kernel(
        "intrinsics",
        """
STREAM(32)
extern "C" void k(S x, S y, u32 n) {
  for (u32 i = 0; i < n; i++) {
    u32 v = read32(x);
    int a = (int)v, b = (int)(v * 2654435761u);
    u32 r = (a < b ? a : b) + __builtin_popcount(v) + (v << 7 | v >> 25);
    r ^= (v << (b & 31)) | (v >> (-b & 31));
    r += __builtin_bswap32(v) + __builtin_bitreverse32(v) + (a < 0 ? -a : a);
    r += __builtin_clz(v | 1) + 3 * __builtin_ctz(v | 0x80000000u);
    unsigned t = v - 1000000000u; if (v < 1000000000u) t = 0;
    write32(y, r + t);
  }
}""",
        (*IO32, ("n", "scalar", 32)),
        {"n": (0, 80)},
    ),
    Kernel(
        "polling",
        """
STREAM(32)
extern "C" void k(S x, S z, S y, u32 n) {
  u32 waited = 0;
  for (u32 i = 0; i < n; i++) {
    u32 v = read32(x);
    if (v & 4) v += read32(z);
    if (v & 8) { write32(y, v); }
    waited += v;
  }
  if (empty(z)) waited++;
  write32(y, waited);
}""",
        (("x", "in", 32), ("z", "in", 32), ("y", "out", 32), ("n", "scalar", 32)),
        {"n": (0, 100)},
    ),
    Kernel(
        "pointers",
        """
STREAM(32)
extern "C" void k(S x, S y, u32 n) {
  u32 ping[16], pong[16];
  for (int i = 0; i < 16; i++) { ping[i] = i; pong[i] = 2 * i; }
  for (u32 t = 0; t < n; t++) {
    u32 v = read32(x);
    u32 *p = v & 1 ? ping : pong;
    p[(v >> 1) & 15] += v >> 5;
    write32(y, p[(v >> 7) & 15]);
  }
}""",
        (*IO32, ("n", "scalar", 32)),
        {"n": (0, 100)},
    ),
]


@functools.cache
def _native(name: str) -> object:
    kernel = next(x for x in KERNELS if x.name == name)
    program = _support().make_program(
        kernel.source, kernel.ports, arrays=kernel.arrays, loops=kernel.loops
    )
    return _support().Native(program)


@functools.cache
def _design(name: str, options: Options) -> Design:
    return lower(_native(name).program, options=options)  # type: ignore[attr-defined]


def _stimulus(kernel: Kernel, rng: random.Random) -> tuple[dict[str, list[int]], dict[str, int]]:
    scalars = {n: rng.choice([lo, hi, rng.randint(lo, hi)]) for n, (lo, hi) in kernel.scalars.items()}
    streams = {}
    for n, kind, width in kernel.ports:
        if kind == "in":
            words = []
            for _ in range(kernel.words):
                style = rng.random()
                if kernel.small and style < 0.02:
                    words.append(rng.choice(kernel.small))
                elif style < 0.15:
                    words.append(
                        rng.choice([1, (1 << width) - 1, 1 << (width - 1), (1 << (width - 1)) - 1])
                    )
                else:
                    words.append(rng.getrandbits(width))
            streams[n] = words
    return streams, scalars


VARIANTS = {
    "all": Options(),
    "no_widths": Options(widths=False),
    "sequential": Options(flatten=False),
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.name)
def test_final_ir_equals_native_run(kernel: Kernel, variant: str) -> None:
    seed = int(os.environ.get("HLSC_SEED", "20240611"))
    rng = random.Random(f"{seed} {kernel.name}")
    native, design = _native(kernel.name), _design(kernel.name, VARIANTS[variant])
    produced = 0
    for case in range(12):
        streams, scalars = _stimulus(kernel, rng)
        outs, values, starved = native.run(streams, scalars)  # type: ignore[attr-defined]
        assert not starved, "the stimulus must be long enough"
        got = interpret(design, streams, scalars, undefined=lambda: rng.getrandbits(200), limit=200_000)
        assert got.streams == outs, f"case {case} of seed {seed}: {scalars}"
        assert got.scalars == values, f"case {case} of seed {seed}: {scalars}"
        produced += sum(len(v) for v in outs.values())
    assert produced > 20
