# SPDX-License-Identifier: Apache-2.0
"""SystemVerilog and a description of its ports to a simulation program, cached by content.

Verilator's make files are not used: the runtime library, most of the time for a small design, is
compiled once; a design is few large files, compiled in parallel.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hlsc import toolchain
from hlsc.csim_wire import Parameter
from hlsc.errors import HlscError

__all__ = ["build"]

_HERE = Path(__file__).resolve().parent
_BENCH = (_HERE / "rtlsim_harness.cpp", _HERE / "rtlsim_ports.cpp")
_HEADERS = (_HERE / "rtlsim_harness.h", _HERE / "rtlsim_ports.h", _HERE / "csim_bytes.h")
_VERILATE = (
    "--cc --prefix Vtop -O3 --assert --no-timing -Wno-fatal -Wno-lint "
    "-Wno-SYMRSVDWORD "  # an IP's interrupt is called `interrupt`
    # Registers and memories start with random values: what is read before it is written shows.
    "--x-assign unique --x-initial unique --output-split 20000"
).split()
_COMPILE = (
    "-std=gnu++17 -w -DVM_COVERAGE=0 -DVM_SC=0 -DVM_TIMING=0 -DVM_TRACE_FST=0 -DVM_TRACE_SAIF=0 "
    "-fcf-protection=none"
).split()
_HANDSHAKES = ("in_valid", "in_ready", "out_valid", "out_ready")
_WATCH = "`verilator_config\n" + "".join(
    f'public_flat_rd -module "{module}" -var "{pin}"\n'
    for module in ("hlsc_fifo", "hlsc_tokens")
    for pin in _HANDSHAKES
)
_BUS = "AWADDR AWVALID AWREADY WDATA WSTRB WVALID WREADY BVALID BREADY".split()
_BUS += "ARADDR ARVALID ARREADY RDATA RVALID RREADY".split()
_AXIS = "DATA KEEP STRB USER LAST ID DEST VALID READY".split()


def build(
    files: Sequence[Path],
    top: str,
    interface: Mapping[str, Any],
    trace: bool = False,
    watch: bool = False,
) -> Path:
    """The directory with the program `sim` and `parameters.json` (see `hlsc.rtlsim.RtlKernel`).

    `trace`: the program writes a VCD file where HLSC_TRACE says; `watch`: it counts what goes through
    every FIFO.
    """
    tool, gxx = toolchain.verilator(), toolchain.gxx()
    define = [f"-DVM_TRACE={int(trace)}", f"-DVM_TRACE_VCD={int(trace)}"]

    def make(work: Path) -> None:
        model = work / "model"
        args = [*_VERILATE, *(["--trace-vcd"] if trace else []), "-Mdir", str(model)]
        args += ["--top-module", top]
        if watch:
            (work / "watch.vlt").write_text(_WATCH)
            args.append(str(work / "watch.vlt"))
        tool.run([*args, *files], what=f"translating {top}", timeout=300)
        pins = _pins((model / "Vtop.h").read_text())
        text, parameters = _bind(top, interface, pins, _fifos(model) if watch else {})
        runtime = _runtime(_classes(model / "Vtop_classes.mk"), define)
        _compile(_units(model, text), model, [f"-I{model}", *define])
        objects = [*sorted(model.glob("*.o")), *sorted(runtime.glob("*.o"))]
        args = [*map(str, objects), "-pthread", "-latomic", "-o", str(work / "sim")]
        gxx.run(args, what=f"linking {top}")
        (work / "parameters.json").write_text(json.dumps([asdict(p) for p in parameters]))
        (work / "watch.vlt").unlink(missing_ok=True)
        for path in sorted(model.rglob("*"), reverse=True):
            path.unlink()
        model.rmdir()

    key: list[object] = [
        [(p.name, p) for p in files],
        top,
        interface,
        tool.version,
        gxx.version,
        trace,
        watch,
    ]
    key += [_VERILATE, _COMPILE, _BENCH, _HEADERS, Path(__file__)]
    return toolchain.cached("rtlsim", key, make)


# ------------------------------------------------------------------------------------- compiling


def _runtime(names: Sequence[str], define: Sequence[str]) -> Path:
    """Directory of the compiled bench and of Verilator's compiled runtime files."""
    tool, gxx = toolchain.verilator(), toolchain.gxx()
    include = Path(tool.env["VERILATOR_ROOT"]) / "include"

    def make(work: Path) -> None:
        _compile([*_BENCH, *(include / f"{n}.cpp" for n in names)], work, define)

    key: list[Any] = [sorted(names), list(define), tool.version, gxx.version, _COMPILE]
    key += [_BENCH, _HEADERS, Path(__file__)]
    return toolchain.cached("rtlsim-runtime", key, make)


def _classes(makefile: Path) -> list[str]:
    """Runtime files that a model needs, from the lists that Verilator writes for make."""
    text = makefile.read_text().replace("\\\n", " ")
    return " ".join(re.findall(r"^VM_GLOBAL_(?:FAST|SLOW) \+=(.*)$", text, re.M)).split()


def _units(model: Path, main: str, most: int = 1 << 18) -> list[Path]:
    """Files that include the model and `main`: few, since headers take most of a small one's time.

    The slow half of a larger model (constructors, initial values) stands apart, to be compiled without
    optimisation.
    """
    fast: list[Path] = []
    slow: list[Path] = []
    for path in sorted(model.glob("Vtop*.cpp")):
        (slow if "__Slow" in path.name else fast).append(path)
    if sum(p.stat().st_size for p in fast + slow) < most:
        fast, slow = fast + slow, []
    units: list[Path] = []
    for kind, paths in (("fast", fast), ("slow", slow)):
        text, size = "", 0
        for path in paths:
            text += f'#include "{path.name}"\n'
            size += path.stat().st_size
            if size > most or path == paths[-1]:
                units.append(model / f"{kind}{len(units)}.cc")
                units[-1].write_text(text)
                text, size = "", 0
    units[0].write_text(units[0].read_text() + main)
    return units


def _compile(units: Sequence[Path], work: Path, extra: Sequence[str]) -> None:
    gxx = toolchain.gxx()
    include = Path(toolchain.verilator().env["VERILATOR_ROOT"]) / "include"
    flags = [*_COMPILE, f"-I{include}", f"-I{include / 'vltstd'}", f"-I{_HERE}", *extra]

    def one(unit: Path) -> None:
        # -O2 and -O3 take three times as long to compile and do not run faster.
        level = "-O0" if unit.name.startswith("slow") else "-O1"
        made = ["-c", str(unit), "-o", str(work / f"{unit.stem}.o")]
        gxx.run([*flags, level, *made], what=f"compiling {unit.name}", timeout=900)

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(one, units))


# --------------------------------------------------------------------------------------- binding


def _pins(header: str) -> dict[str, tuple[str, int]]:
    """Ports of the module: Verilog name -> (in or out, width), from the model's class."""
    found = {}
    pattern = r"VL_(IN|OUT)(?:8|16|64|W)?\(&(\w+),(\d+),(\d+)(?:,\d+)?\)"
    for way, name, msb, lsb in re.findall(pattern, header):
        found[name] = (way.lower(), int(msb) - int(lsb) + 1)
    return found


def _mangled(name: str) -> tuple[str, ...]:
    """How Verilator may spell a port in C++."""
    plain = name.replace("__", "___05F")
    return plain, f"__SYM__{plain}"


class _Binder:
    """Writes main.cc: one statement per port of the module."""

    def __init__(self, top: str, pins: Mapping[str, tuple[str, int]]) -> None:
        self.top, self.pins, self.used = top, pins, set[str]()
        self.lines: list[str] = []

    def find(self, port: str) -> str | None:
        return next((m for m in _mangled(port) if m in self.pins), None)

    def width(self, port: str) -> int:
        name = self.find(port)
        return self.pins[name][1] if name else 0

    def direction(self, port: str) -> str:
        name = self.find(port)
        return self.pins[name][0] if name else ""

    def bind(self, target: str, port: str, *, needed: bool = False) -> bool:
        name = self.find(port)
        if name is None:
            if needed:
                raise HlscError(f"module {self.top} must have a port {port}")
            return False
        self.used.add(name)
        self.lines.append(f"  {target} = hlsc_rtlsim::Pin(top.{name}, {self.pins[name][1]});")
        return True

    def add(self, line: str) -> None:
        self.lines.append("  " + line)


def _fifos(model: Path) -> dict[str, dict[str, str]]:
    """FIFOs by name: handshake -> member of the model's root that holds it."""
    found: dict[str, dict[str, str]] = {}
    text = (model / "Vtop___024root.h").read_text()
    for member, name, pin in re.findall(r"\b(\w+__DOT__(\w+)_fifo__DOT__(\w+));", text):
        if pin in _HANDSHAKES:
            found.setdefault(name.replace("___05F", "__"), {})[pin] = member
    return found


def _bind(
    top: str,
    interface: Mapping[str, Any],
    pins: Mapping[str, tuple[str, int]],
    fifos: Mapping[str, Mapping[str, str]],
) -> tuple[str, list[Parameter]]:
    """main.cc and the parameters, in the order of the ports."""
    b = _Binder(top, pins)
    for name, members in fifos.items():
        b.add(f'bench.fifos.emplace_back(); bench.fifos.back().name = "{name}";')
        for pin, member in members.items():
            b.add(f"bench.fifos.back().{pin} = hlsc_rtlsim::Pin(top.rootp->{member}, 1);")
    b.bind("bench.clock", "ap_clk", needed=True)
    b.bind("bench.reset_n", "ap_rst_n", needed=True)
    b.bind("bench.interrupt", "interrupt")
    control = interface["control"]
    if control not in ("ap_ctrl_hs", "ap_ctrl_none"):
        raise HlscError(f"control of {top} must be ap_ctrl_hs or ap_ctrl_none, not {control}")
    b.add(f"bench.control = {'true' if control == 'ap_ctrl_hs' else 'false'};")
    bundles = {p.get("bundle") or "control" for p in interface["ports"] if p["kind"] == "s_axilite"}
    bundles |= {interface["control_bundle"]} - {""}
    if len(bundles) > 1:
        raise HlscError(f"{top} must have one s_axilite bundle, not {', '.join(sorted(bundles))}")
    for bundle in bundles:
        for name in _BUS:
            b.bind(f"bench.bus.{name.lower()}", f"s_axi_{bundle}_{name}", needed=True)
    if control == "ap_ctrl_hs" and not interface["control_bundle"]:
        for name in ("ap_start", "ap_done", "ap_idle", "ap_ready"):
            b.bind(f"bench.{name}", name, needed=True)
    parameters = []
    counts = {"s": 0, "v": 0, "m": 0}
    kinds = {"axis": ("s", _bind_stream), "ap_memory": ("m", _bind_memory)}
    for port in interface["ports"]:
        letter, bind = kinds.get(port["kind"], ("v", _bind_scalar))
        parameters.append(bind(b, port))
        b.add(f"bench.arguments.push_back({{'{letter}', {counts[letter]}}});")
        counts[letter] += 1
    if missed := set(pins) - b.used - {m for n in _unbound(bundles) for m in _mangled(n)}:
        raise HlscError(
            f"ports of module {top} must belong to its description, not {', '.join(sorted(missed))}"
        )
    return _MAIN.format(body="\n".join(b.lines)), parameters


def _unbound(bundles: set[str]) -> list[str]:
    return [f"s_axi_{bundle}_{n}" for bundle in bundles for n in ("BRESP", "RRESP", "AWPROT", "ARPROT")]


def _bind_stream(b: _Binder, port: Mapping[str, Any]) -> Parameter:
    name = re.sub(r"\W", "_", port["name"])
    width = port.get("data_width") or b.width(f"{name}_TDATA")
    is_input = port["direction"] == "in"
    b.add("bench.streams.emplace_back();")
    b.add(f'bench.streams.back().name = "{name}";')
    b.add(f"bench.streams.back().input = {'true' if is_input else 'false'};")
    b.add(f"bench.streams.back().data_bits = {width};")
    for signal in _AXIS:
        needed = signal in ("DATA", "VALID", "READY")
        b.bind(f"bench.streams.back().{signal.lower()}", f"{name}_T{signal}", needed=needed)
    if (b.direction(f"{name}_TVALID") == "in") != is_input:
        raise HlscError(
            f"stream {name} of module {b.top} must go {port['direction']}, as its description"
        )
    kind = "axis" if b.find(f"{name}_TLAST") else "stream"
    sides = sum(b.width(f"{name}_T{s}") for s in _AXIS if s not in ("DATA", "VALID", "READY"))
    return Parameter(
        port["name"], kind, width, bool(port.get("signed")), port["direction"], width + sides
    )


def _bind_memory(b: _Binder, port: Mapping[str, Any]) -> Parameter:
    name, width = re.sub(r"\W", "_", port["name"]), port["width"]
    b.add("bench.memories.emplace_back();")
    b.add(f'bench.memories.back().name = "{port["name"]}";')
    b.add(f"bench.memories.back().width = {width};")
    b.add(f"bench.memories.back().depth = {port['depth']};")
    for side in "01":
        for pin in ("address", "ce", "we", "d", "q"):
            b.bind(f"bench.memories.back().sides[{side}].{pin}", f"{name}_{pin}{side}")
    if not any(b.find(f"{name}_ce{side}") for side in "01"):
        raise HlscError(f"module {b.top} must have a port {name}_ce0")
    return Parameter(port["name"], "pointer", width, bool(port.get("signed")), port["direction"])


def _bind_scalar(b: _Binder, port: Mapping[str, Any]) -> Parameter:
    name, width = port["name"], port["width"]
    is_input = port["direction"] == "in"
    b.add("bench.scalars.emplace_back();")
    b.add(f'bench.scalars.back().name = "{name}";')
    b.add(f"bench.scalars.back().input = {'true' if is_input else 'false'};")
    b.add(f"bench.scalars.back().width = {width};")
    if port["kind"] == "s_axilite":
        b.add(f"bench.scalars.back().offset = {port['offset']};")
        if not is_input and name != "ap_return":
            b.add("bench.scalars.back().vld_register = true;")
    elif port["kind"] in ("ap_none", "ap_vld"):
        b.bind("bench.scalars.back().wire", name, needed=True)
        needed = port["kind"] == "ap_vld"
        b.bind("bench.scalars.back().vld", f"{name}_ap_vld", needed=needed)
    else:
        raise HlscError(
            f"port {name} must be axis, s_axilite, ap_none, ap_vld or ap_memory, not {port['kind']}"
        )
    kind = "value" if is_input else "reference"
    name = "return" if name == "ap_return" and not is_input else name
    return Parameter(name, kind, width, bool(port.get("signed")), port["direction"])


_MAIN = """\
#include "Vtop.h"
#include "Vtop___024root.h"
#include "rtlsim_harness.h"
#if VM_TRACE
#include "verilated_vcd_c.h"
#endif

int main(int argc, char** argv) {{
  if (argc != 3) return 2;
  const std::vector<uint8_t> request = hlsc_csim::read_file(argv[1]);
  VerilatedContext context;
  context.randReset(2);  // before the model is made: its constructor gives the values
  context.randSeed(static_cast<int>(hlsc_rtlsim::seed_of(request) % 0x7fffffff) + 1);
#if VM_TRACE
  const char* path = std::getenv("HLSC_TRACE");
  context.traceEverOn(true);
#endif
  Vtop top{{&context}};
#if VM_TRACE
  static VerilatedVcdC trace;
  top.trace(&trace, 99);
  trace.open(path ? path : "trace.vcd");
#endif
  hlsc_rtlsim::Bench bench;
{body}
  bench.model = &top;
  bench.eval = [](void* model) {{
    static_cast<Vtop*>(model)->eval();
#if VM_TRACE
    static_cast<Vtop*>(model)->contextp()->timeInc(1);
    trace.dump(static_cast<Vtop*>(model)->contextp()->time());
#endif
  }};
  hlsc_csim::reply_path() = argv[2];
  const int code = hlsc_csim::write_reply(bench.serve(request));
  top.final();
#if VM_TRACE
  trace.close();
#endif
  return code;
}}
"""
