# SPDX-License-Identifier: Apache-2.0
"""Many small designs in one Verilator build, each run under random stalls on every stream.

`build(designs)` makes one program; `run` gives it a script of runs: which design, scalars, words per
stream, probabilities of a pause.  The designs must use plain ap_ctrl_hs wires and ap_none/ap_vld scalars.
"""

from __future__ import annotations

import functools
import hashlib
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hlsc import toolchain
from hlsc.backend.top import axis_signals
from hlsc.ir import Design

WAIVED = ("DECLFILENAME", "UNUSEDSIGNAL")


@dataclass(frozen=True)
class Run:
    """One start of one design; pauses in 0..99: percent of cycles without valid or ready."""

    design: str
    streams: Mapping[str, Sequence[int]]
    scalars: Mapping[str, int]
    pause_in: int = 0
    pause_out: int = 0
    seed: int = 1
    limit: int = 20_000


@dataclass(frozen=True)
class Outcome:
    """Words per output stream, last value per scalar output, words of the inputs that were not taken."""

    streams: dict[str, list[int]]
    scalars: dict[str, int]
    left: dict[str, int]
    cycles: int
    done: bool


_COMMON = r"""
#include <cstdint>
#include <cstdio>
#include <iostream>
#include <map>
#include <functional>
#include <string>
#include <vector>
#include "Vbatch.h"
#include "verilated.h"
typedef unsigned __int128 W;
struct In { std::string name; std::function<void(W)> set; std::function<void(int)> valid; std::function<int()> ready; };
struct Out { std::string name; std::function<W()> get; std::function<int()> valid; std::function<void(int)> ready; };
struct Dut {
  std::vector<In> ins; std::vector<Out> outs;
  std::map<std::string, std::function<void(uint64_t)>> args;
  std::map<std::string, std::function<uint64_t()>> results;
  std::map<std::string, std::function<int()>> vld;
  std::function<void(int)> start; std::function<int()> done, ready, idle;
};
static uint64_t state;
static unsigned dice() { state ^= state << 13; state ^= state >> 7; state ^= state << 17; return (state >> 20) % 100; }
static std::string hex(W v) { std::string s; do { s.insert(s.begin(), "0123456789abcdef"[(int)(v & 15)]); v >>= 4; } while (v); return s; }
static W parse(const std::string &s) { W v = 0; for (char c : s) v = v << 4 | (W)(c <= '9' ? c - '0' : c - 'a' + 10); return v; }
"""

_MAIN = r"""
  for (auto &d : duts) { d.second.start(0); for (auto &i : d.second.ins) i.valid(0); for (auto &o : d.second.outs) o.ready(0); }
  m.ap_rst_n = 0; m.ap_clk = 0;
  for (int k = 0; k < 6; k++) { m.ap_clk = 0; m.eval(); m.ap_clk = 1; m.eval(); }
  m.ap_clk = 0; m.ap_rst_n = 1; m.eval();
  std::string name;
  while (std::cin >> name) {
    Dut &d = duts.at(name);
    int pin, pout, nargs, nstreams; long limit; std::string word, value;
    std::cin >> pin >> pout >> state >> limit >> nargs;
    for (int k = 0; k < nargs; k++) { std::cin >> word >> value; d.args.at(word)((uint64_t)parse(value)); }
    std::map<std::string, std::vector<W>> feed, got;
    std::map<std::string, uint64_t> scalars;
    std::cin >> nstreams;
    for (int k = 0; k < nstreams; k++) {
      int n; std::cin >> word >> n;
      auto &v = feed[word];
      for (int j = 0; j < n; j++) { std::cin >> value; v.push_back(parse(value)); }
    }
    std::map<std::string, size_t> at; std::map<std::string, int> offered;
    long cycle = 0; bool done = false;
    m.ap_clk = 0; d.start(1);
    for (; cycle < limit && !done; cycle++) {
      for (auto &i : d.ins) {
        auto &v = feed[i.name]; size_t p = at[i.name];
        if (!offered[i.name] && p < v.size() && (int)dice() >= pin) offered[i.name] = 1;
        i.valid(offered[i.name]);
        i.set(offered[i.name] ? v[p] : (W)state * state);
      }
      std::map<std::string, int> ready;
      for (auto &o : d.outs) { ready[o.name] = (int)dice() >= pout; o.ready(ready[o.name]); }
      m.eval();
      for (auto &i : d.ins) if (offered[i.name] && i.ready()) { at[i.name]++; offered[i.name] = 0; }
      for (auto &o : d.outs) if (ready[o.name] && o.valid()) got[o.name].push_back(o.get());
      for (auto &r : d.results) if (d.vld.at(r.first)()) scalars[r.first] = r.second();
      done = d.done();
      if (done != (bool)d.ready() || (done && d.idle())) { std::printf("handshake\n"); return 1; }
      m.ap_clk = 1; m.eval();
      m.ap_clk = 0;
    }
    d.start(0);
    for (auto &i : d.ins) i.valid(0);
    for (auto &o : d.outs) o.ready(0);
    m.eval();
    std::printf("run %s %d %ld\n", name.c_str(), done, cycle);
    for (auto &i : d.ins) std::printf("left %s %zu\n", i.name.c_str(), feed[i.name].size() - at[i.name]);
    for (auto &s : scalars) std::printf("scalar %s %llx\n", s.first.c_str(), (unsigned long long)s.second);
    for (auto &o : d.outs) {
      std::printf("stream %s", o.name.c_str());
      for (W w : got[o.name]) std::printf(" %s", hex(w).c_str());
      std::printf("\n");
    }
    if (!done) return 0;
  }
  return 0;
}
"""


def _wrapper(designs: Sequence[Design]) -> tuple[str, str]:
    """A top over all designs with prefixed ports, and the C++ that knows them."""
    ports, body = ["input ap_clk", "input ap_rst_n"], []
    cpp = [_COMMON, "int main() {", "  Vbatch m;", "  std::map<std::string, Dut> duts;"]

    def port(direction: str, name: str, width: int) -> None:
        ports.append(f"{direction} [{width - 1}:0] {name}")

    for d in designs:
        pins = [".ap_clk(ap_clk)", ".ap_rst_n(ap_rst_n)"]
        u = f"{d.top}_"

        def pin(direction: str, name: str, width: int, u: str = u, pins: list[str] = pins) -> str:
            port(direction, u + name, width)
            pins.append(f".{name}({u}{name})")
            return f"m.{u}{name}"

        cpp.append(f'  {{ Dut &d = duts["{d.top}"];')
        cpp.append(f"    d.start = [&](int v) {{ {pin('input', 'ap_start', 1)} = v; }};")
        for n in ("done", "ready", "idle"):
            cpp.append(f"    d.{n} = [&]() {{ return (int){pin('output', f'ap_{n}', 1)}; }};")
        for c in d.channels:
            if c.producer is None or c.consumer is None:
                into = c.producer is None
                way, back = ("input", "output") if into else ("output", "input")
                valid, ready = pin(way, f"{c.name}_TVALID", 1), pin(back, f"{c.name}_TREADY", 1)
                sets, gets = [], []
                for suffix, width, low, bits in axis_signals(c):
                    p = pin(way, f"{c.name}_{suffix}", width)
                    sets.append(f"{p} = (uint64_t)((w >> {low}) & (((W)1 << {bits}) - 1));")
                    gets.append(f"((W){p} & (((W)1 << {bits}) - 1)) << {low}")
                if into:
                    cpp.append(
                        f'    d.ins.push_back({{"{c.name}", [&](W w) {{ {" ".join(sets)} }}, '
                        f"[&](int v) {{ {valid} = v; }}, [&]() {{ return (int){ready}; }}}});"
                    )
                else:
                    cpp.append(
                        f'    d.outs.push_back({{"{c.name}", [&]() -> W {{ return {" | ".join(gets)}; }}, '
                        f"[&]() {{ return (int){valid}; }}, [&](int v) {{ {ready} = v; }}}});"
                    )
        for p in d.ports:
            if p.kind == "axis":
                continue
            if p.direction == "in":
                a = pin("input", p.name, p.width)
                cpp.append(f'    d.args["{p.name}"] = [&](uint64_t v) {{ {a} = v; }};')
            else:
                a, v = pin("output", p.name, p.width), pin("output", f"{p.name}_ap_vld", 1)
                cpp.append(f'    d.results["{p.name}"] = [&]() -> uint64_t {{ return {a}; }};')
                cpp.append(f'    d.vld["{p.name}"] = [&]() {{ return (int){v}; }};')
        cpp.append("  }")
        body.append(f"  {d.top} u_{d.top} ({', '.join(pins)});")
    sv = f"module batch(\n  {', '.join(ports)}\n);\n" + "\n".join(body) + "\nendmodule\n"
    return sv, "\n".join(cpp) + _MAIN


def build(designs: Sequence[Design], texts: Sequence[str]) -> Path:
    """The program over these designs, from their SystemVerilog; cached by content."""
    sv, cpp = _wrapper(designs)
    seen: dict[str, str] = {}
    for text in texts:
        for module in text.split("\nendmodule"):
            name = next((x.split()[1].split("(")[0] for x in module.splitlines()
                         if x.startswith("module ")), None)  # fmt: skip
            if name:
                assert seen.setdefault(name, module) == module, f"two modules {name}"
    source = "".join(f"{m}\nendmodule\n" for m in seen.values()) + sv
    verilator = toolchain.verilator()

    def make(folder: Path) -> None:
        (folder / "batch.sv").write_text(source)
        (folder / "main.cpp").write_text(cpp)
        args = ["--cc", "--exe", "-O3", "--x-initial", "unique", "--x-assign", "unique", "-Wall"]
        args += [f"-Wno-{w}" for w in (*WAIVED, "MULTITOP")]
        args += ["--top-module", "batch", "--Mdir", "obj", "batch.sv", "main.cpp"]
        verilator.run(args, what="Verilating the batch", cwd=folder)
        make_args = ["make", "-C", "obj", "-f", "Vbatch.mk", "-j2", "OPT_FAST=-O1", "OPT_SLOW=-O0",
                     "OPT_GLOBAL=-O1", "CFG_CXXFLAGS_PCH_I=-include", "CFG_GCH_IF_CLANG="]  # fmt: skip
        toolchain.run(make_args, what="compiling the batch", cwd=folder, env=verilator.env)

    key = ("ir batch", source, cpp, verilator.version)
    return toolchain.cached("ir_batch", key, make) / "obj" / "Vbatch"


def run(program: Path, runs: Sequence[Run], seed: int = 1) -> list[Outcome]:
    """Outcomes in order; ends at the first run that does not end (its `done` is False)."""
    lines = []
    for r in runs:
        lines.append(f"{r.design} {r.pause_in} {r.pause_out} {r.seed | 1} {r.limit} {len(r.scalars)}")
        lines += [f"{n} {v:x}" for n, v in r.scalars.items()]
        lines.append(str(len(r.streams)))
        for n, words in r.streams.items():
            lines.append(" ".join([n, str(len(words)), *(f"{w:x}" for w in words)]))
    done = subprocess.run(
        [program, f"+verilator+seed+{seed % 2**31 or 1}", "+verilator+rand+reset+2"],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stdout[-500:] + done.stderr[-500:]
    outcomes: list[Outcome] = []
    for line in done.stdout.splitlines():
        words = line.split()
        if words[0] == "run":
            outcomes.append(Outcome({}, {}, {}, int(words[3]), words[2] == "1"))
        elif words[0] == "left":
            outcomes[-1].left[words[1]] = int(words[2])
        elif words[0] == "scalar":
            outcomes[-1].scalars[words[1]] = int(words[2], 16)
        else:
            outcomes[-1].streams[words[1]] = [int(w, 16) for w in words[2:]]
    return outcomes
