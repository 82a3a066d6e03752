# SPDX-License-Identifier: Apache-2.0
"""Many small designs in one Verilator build, each run under random stalls on every stream.

`build(designs)` makes one program; `run` gives it a script of runs: which design, scalars, words per
stream, probabilities of a pause.  The designs must use plain ap_ctrl_hs wires, ap_none and ap_vld
scalars.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hlsc import toolchain
from hlsc.backend.top import axis_signals
from hlsc.ir import Design

WAIVED = ("DECLFILENAME", "PINCONNECTEMPTY", "UNUSEDSIGNAL")


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
    """Words per output stream, last value per scalar output, words of the inputs left over."""

    streams: dict[str, list[int]]
    scalars: dict[str, int]
    left: dict[str, int]
    cycles: int
    done: bool


_COMMON = r"""
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <map>
#include <string>
#include <vector>
#include "Vbatch.h"
#include "verilated.h"
typedef unsigned __int128 W;
// A port of the model: where it is, its bytes, and which bits of the word it carries.
struct Pin { void *at; int bytes, low, bits; };
static void set(const Pin &p, W word) {
  uint64_t v = (uint64_t)((word >> p.low) & (((W)1 << p.bits) - 1));
  std::memcpy(p.at, &v, p.bytes);
}
static W get(const Pin &p) {
  uint64_t v = 0;
  std::memcpy(&v, p.at, p.bytes);
  return ((W)v & (((W)1 << p.bits) - 1)) << p.low;
}
struct Stream { std::string name; Pin valid, ready; std::vector<Pin> data; };
struct Value { std::string name; Pin data, vld; };
struct Dut {
  Pin start, done, ready, idle;
  std::vector<Stream> ins, outs;
  std::vector<Value> args, results;
};
static uint64_t state;
static int dice() {
  state ^= state << 13; state ^= state >> 7; state ^= state << 17;
  return (int)((state >> 20) % 100);
}
static std::string hex(W v) {
  std::string s;
  do { s.insert(s.begin(), "0123456789abcdef"[(int)(v & 15)]); v >>= 4; } while (v);
  return s;
}
static W parse(const std::string &s) {
  W v = 0;
  for (char c : s) v = v << 4 | (W)(c <= '9' ? c - '0' : c - 'a' + 10);
  return v;
}
#define PIN(x, low, bits) {&m.x, (int)sizeof(m.x), low, bits}
"""

_MAIN = r"""
  for (auto &d : duts) {
    set(d.second.start, 0);
    for (auto &i : d.second.ins) set(i.valid, 0);
    for (auto &o : d.second.outs) set(o.ready, 0);
  }
  m.ap_rst_n = 0;
  for (int k = 0; k < 6; k++) { m.ap_clk = 0; m.eval(); m.ap_clk = 1; m.eval(); }
  m.ap_clk = 0; m.ap_rst_n = 1; m.eval();
  std::string name;
  while (std::cin >> name) {
    Dut &d = duts.at(name);
    int pin, pout, nargs, nstreams; long limit; std::string word, value;
    std::cin >> pin >> pout >> state >> limit >> nargs;
    for (int k = 0; k < nargs; k++) {
      std::cin >> word >> value;
      for (auto &a : d.args) if (a.name == word) set(a.data, parse(value));
    }
    std::map<std::string, std::vector<W>> feed, got;
    std::map<std::string, W> scalars;
    std::cin >> nstreams;
    for (int k = 0; k < nstreams; k++) {
      int n; std::cin >> word >> n;
      for (int j = 0; j < n; j++) { std::cin >> value; feed[word].push_back(parse(value)); }
    }
    std::map<std::string, size_t> at; std::map<std::string, int> offered;
    long cycle = 0; bool done = false;
    m.ap_clk = 0; m.eval();
    if (!get(d.idle) || get(d.done)) { std::printf("handshake before the start\n"); return 1; }
    set(d.start, 1);
    for (; cycle < limit && !done; cycle++) {
      for (auto &i : d.ins) {
        auto &v = feed[i.name]; size_t p = at[i.name]; int &o = offered[i.name];
        if (!o && p < v.size() && dice() >= pin) o = 1;
        set(i.valid, o);
        for (auto &x : i.data) set(x, o ? v[p] : (W)state * state);
      }
      std::map<std::string, int> ready;
      for (auto &o : d.outs) { ready[o.name] = dice() >= pout; set(o.ready, ready[o.name]); }
      m.eval();
      for (auto &i : d.ins) if (offered[i.name] && get(i.ready)) { at[i.name]++; offered[i.name] = 0; }
      for (auto &o : d.outs) if (ready[o.name] && get(o.valid)) {
        W w = 0;
        for (auto &x : o.data) w |= get(x);
        got[o.name].push_back(w);
      }
      for (auto &r : d.results) if (get(r.vld)) scalars[r.name] = get(r.data);
      done = get(d.done);
      bool idle = get(d.idle);
      if (done != (bool)get(d.ready) || (cycle && idle)) { std::printf("handshake\n"); return 1; }
      m.ap_clk = 1; m.eval();
      m.ap_clk = 0;
    }
    set(d.start, 0);
    for (auto &i : d.ins) set(i.valid, 0);
    for (auto &o : d.outs) set(o.ready, 0);
    m.eval();
    if (done && !get(d.idle)) { std::printf("handshake behind the end\n"); return 1; }
    std::printf("run %s %d %ld\n", name.c_str(), done, cycle);
    for (auto &i : d.ins) {
      std::printf("left %s %zu\n", i.name.c_str(), feed[i.name].size() - at[i.name]);
    }
    for (auto &s : scalars) std::printf("scalar %s %s\n", s.first.c_str(), hex(s.second).c_str());
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

        def pin(
            direction: str,
            name: str,
            width: int,
            low: int = 0,
            bits: int = 0,
            u: str = u,
            pins: list[str] = pins,
        ) -> str:
            port(direction, u + name, width)
            pins.append(f".{name}({u}{name})")
            return f"PIN({u}{name}, {low}, {bits or width})"

        cpp.append(f'  {{ Dut &d = duts["{d.top}"];')
        cpp.append(f"    d.start = {pin('input', 'ap_start', 1)};")
        cpp += [f"    d.{n} = {pin('output', f'ap_{n}', 1)};" for n in ("done", "ready", "idle")]
        for c in d.channels:
            if c.producer is not None and c.consumer is not None:
                continue
            into = c.producer is None
            way, back = ("input", "output") if into else ("output", "input")
            pair = f"{pin(way, f'{c.name}_TVALID', 1)}, {pin(back, f'{c.name}_TREADY', 1)}"
            data = ", ".join(
                pin(way, f"{c.name}_{suffix}", width, low, bits)
                for suffix, width, low, bits in axis_signals(c)
            )
            group = "ins" if into else "outs"
            cpp.append(f'    d.{group}.push_back({{"{c.name}", {pair}, {{{data}}}}});')
        for p in d.ports:
            if p.kind == "axis":
                continue
            if p.direction == "in":
                data = pin("input", p.name, p.width)
                cpp.append(f'    d.args.push_back({{"{p.name}", {data}, {data}}});')
            else:
                data = pin("output", p.name, p.width)
                vld = pin("output", f"{p.name}_ap_vld", 1) if p.kind == "ap_vld" else "d.done"
                cpp.append(f'    d.results.push_back({{"{p.name}", {data}, {vld}}});')
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
        make_args = ["make", "-C", "obj", "-f", "Vbatch.mk", "-j2", "OPT_FAST=-O0", "OPT_SLOW=-O0",
                     "OPT_GLOBAL=-O0", "CFG_CXXFLAGS_PCH_I=-include", "CFG_GCH_IF_CLANG="]  # fmt: skip
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
