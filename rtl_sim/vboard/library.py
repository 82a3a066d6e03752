# SPDX-License-Identifier: Apache-2.0
"""The programmable logic as a shared library: Verilated kernel and C++ harness, built once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from convloom.kernels import KernelSpec, load_kernel
from hlsc import toolchain
from vboard.errors import VboardError

__all__ = ["Design", "build_library", "design"]

_HARNESS = Path(__file__).resolve().parent / "harness"
# Headers that stand for zlib and LZ4 in Verilator's FST writer; elsewhere the system's are taken.
_FST = Path(__file__).resolve().parents[1] / "bench" / "fst"

_VERILATE = (
    "--cc --prefix Vtop -O3 --assert --no-timing -Wno-fatal -Wno-lint -Wno-SYMRSVDWORD "
    "--x-assign unique --x-initial unique --output-split 20000"
).split()
_COMPILE = (
    "-std=gnu++17 -w -fPIC -DVM_COVERAGE=0 -DVM_SC=0 -DVM_TIMING=0 -DVM_TRACE_VCD=0 -DVM_TRACE_SAIF=0 "
    "-DVL_USER_FATAL -DVL_USER_STOP -DVL_USER_FINISH -fcf-protection=none"
).split()


@dataclass(frozen=True)
class Design:
    """A kernel's RTL: its contract, configuration, SystemVerilog file and port description."""

    spec: KernelSpec
    config: str
    sv: Path
    report: Path


@lru_cache
def design(kernel: str, config: str) -> Design:
    """Synthesise a kernel (or find it in the cache): the RTL of every other level of simulation."""
    try:
        from hlsc.flow import synthesized  # imports the compiler's engines, which takes seconds
    except ImportError as error:
        raise VboardError(
            f"{error.name} must be installed to synthesise a kernel: pip install 'convloom[flow]'"
        ) from None
    spec = load_kernel(kernel)
    made = synthesized(
        spec.sources, spec.top, include_dirs=spec.include_dirs, defines=spec.defines(config)
    )
    return Design(spec, config, made / f"{spec.top}.sv", made / "report.json")


# ------------------------------------------------------------------------------------- building


def build_library(made: Design, trace: bool = False) -> Path:
    """The shared library of a design; with `trace` it can record waveforms (and is slower)."""
    tool, gxx = toolchain.verilator(), toolchain.gxx()

    def build(work: Path) -> None:
        model = work / "model"
        args = [*_VERILATE, *(["--trace-fst"] if trace else []), "-Mdir", str(model)]
        args += ["--top-module", made.spec.top, str(made.sv)]
        tool.run(args, what=f"translating {made.spec.top}", timeout=300)
        pins = _pins((model / "Vtop.h").read_text())
        (model / "binding.h").write_text(_binding(made.spec.top, pins, trace))
        runtime = _runtime(_classes(model / "Vtop_classes.mk"), trace)
        _compile([*sorted(_HARNESS.glob("*.cpp")), *_units(model)], model, trace)
        objects = [*sorted(model.glob("*.o")), *sorted(runtime.glob("*.o"))]
        gxx.run(
            ["-shared", *objects, "-pthread", "-latomic", "-o", work / "board.so"],
            what=f"linking {made.spec.top}",
            timeout=120,
        )
        for path in sorted(model.rglob("*"), reverse=True):
            path.unlink()
        model.rmdir()

    key: list[object] = [made.sv, made.spec.top, trace, tool.version, gxx.version, _VERILATE, _COMPILE]
    key += [_HARNESS, Path(__file__), *([_FST] if trace else [])]
    return toolchain.cached("vboard", key, build) / "board.so"


def _runtime(names: Sequence[str], trace: bool) -> Path:
    """Directory of Verilator's runtime files, compiled once for all designs."""
    tool, gxx = toolchain.verilator(), toolchain.gxx()
    include = Path(tool.env["VERILATOR_ROOT"]) / "include"

    def build(work: Path) -> None:
        _compile([include / f"{n}.cpp" for n in names], work, trace)

    key = [sorted(names), trace, tool.version, gxx.version, _COMPILE, Path(__file__)]
    return toolchain.cached("vboard-runtime", [*key, *([_FST] if trace else [])], build)


def _classes(makefile: Path) -> list[str]:
    """Runtime files that a model needs, from the lists that Verilator writes for make."""
    text = makefile.read_text().replace("\\\n", " ")
    return " ".join(re.findall(r"^VM_GLOBAL_(?:FAST|SLOW) \+=(.*)$", text, re.M)).split()


def _units(model: Path) -> list[Path]:
    """Two files that include the model's: what runs every cycle, and what runs once."""
    units = []
    for kind in ("fast", "slow"):
        paths = sorted(p for p in model.glob("Vtop*.cpp") if ("__Slow" in p.name) == (kind == "slow"))
        unit = model / f"{kind}.cc"
        unit.write_text("".join(f'#include "{p.name}"\n' for p in paths))
        units.append(unit)
    return units


def _compile(units: Sequence[Path], work: Path, trace: bool) -> None:
    gxx = toolchain.gxx()
    include = Path(toolchain.verilator().env["VERILATOR_ROOT"]) / "include"
    flags = [*_COMPILE, f"-DVM_TRACE={int(trace)}", f"-DVM_TRACE_FST={int(trace)}", f"-I{work}"]
    flags += [f"-I{include}", f"-I{include / 'vltstd'}", f"-I{_HARNESS}"]
    flags += [f"-I{_FST}"] if trace and _FST.is_dir() else []

    def one(unit: Path) -> None:
        # What is recorded is run once; -O2 of a large model takes three times as long as -O1 and gains
        # nothing, while the harness is small.
        level = "-O0" if unit.name == "slow.cc" or trace else "-O1"
        level = "-O2" if unit.parent == _HARNESS else level
        gxx.run(
            [*flags, level, "-c", unit, "-o", work / f"{unit.stem}.o"],
            what=f"compiling {unit.name}",
            timeout=900,
        )

    with ThreadPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        list(pool.map(one, units))


# -------------------------------------------------------------------------------------- binding


def _pins(header: str) -> dict[str, tuple[str, int]]:
    """Ports of the module: Verilog name → (name in C++, width), from the model's class."""
    found = {}
    for name, msb, lsb in re.findall(
        r"VL_(?:IN|OUT)(?:8|16|64|W)?\(&(\w+),(\d+),(\d+)(?:,\d+)?\)", header
    ):
        plain = name.removeprefix("__SYM__").replace("___05F", "__")
        found[plain] = (name, int(msb) - int(lsb) + 1)
    return found


def _binding(top: str, pins: Mapping[str, tuple[str, int]], trace: bool) -> str:
    """binding.h: class Model, one inline function per access of the harness."""

    def pin(port: str, width: int | None = None) -> str:
        if port not in pins:
            raise VboardError(f"module {top} must have a port {port} to be on a board")
        if width is not None and pins[port][1] != width:
            raise VboardError(
                f"port {port} of module {top} must have {width} bits on this board, not {pins[port][1]}"
            )
        return f"top_.{pins[port][0]}"

    def optional(port: str, value: str) -> str:
        return f" {pin(port)} = {value};" if port in pins else ""

    bundles = [p.removesuffix("_AWADDR") for p in pins if p.endswith("_AWADDR")]
    if len(bundles) != 1:
        raise VboardError(f"module {top} must have one AXI4-Lite bundle, not {len(bundles)}")
    bus = bundles[0]
    lines = []
    for name in ("in0", "in1"):
        sides = optional(f"{name}_TKEEP", "keep") + optional(f"{name}_TSTRB", "keep")
        sides += "".join(optional(f"{name}_T{s}", "0") for s in ("USER", "ID", "DEST"))
        lines += [
            f"void {name}(uint64_t data, uint8_t keep, bool last) {{ {pin(f'{name}_TDATA', 64)} = data;"
            f" {pin(f'{name}_TLAST')} = last;{sides} }}",
            f"void {name}_valid(bool on) {{ {pin(f'{name}_TVALID')} = on; }}",
            f"bool {name}_ready() const {{ return {pin(f'{name}_TREADY')}; }}",
        ]
    keep = pin("out_TKEEP") if "out_TKEEP" in pins else "0xff"
    lines += [
        f"void out_ready(bool on) {{ {pin('out_TREADY')} = on; }}",
        f"bool out_valid() const {{ return {pin('out_TVALID')}; }}",
        f"vboard::Beat out() const {{ return {{{pin('out_TDATA', 64)}, "
        f"static_cast<uint8_t>({keep}), {pin('out_TLAST')} != 0}}; }}",
        f"void reset_n(bool on) {{ {pin('ap_rst_n')} = on; }}",
        "void lite(uint32_t ra, bool ask, bool rready, uint32_t wa, uint32_t wd, bool aw, bool w, "
        "bool br) {"
        f" {pin(bus + '_ARADDR')} = ra & {(1 << pins[bus + '_ARADDR'][1]) - 1};"
        f" {pin(bus + '_ARVALID')} = ask; {pin(bus + '_RREADY')} = rready;"
        f" {pin(bus + '_AWADDR')} = wa & {(1 << pins[bus + '_AWADDR'][1]) - 1};"
        f" {pin(bus + '_WDATA', 32)} = wd; {pin(bus + '_WSTRB')} = 15;"
        f" {pin(bus + '_AWVALID')} = aw; {pin(bus + '_WVALID')} = w; {pin(bus + '_BREADY')} = br; }}",
    ]
    for signal in ("ARREADY", "RVALID", "AWREADY", "WREADY", "BVALID"):
        lines.append(f"bool {signal.lower()}() const {{ return {pin(f'{bus}_{signal}')}; }}")
    lines.append(f"uint32_t rdata() const {{ return {pin(f'{bus}_RDATA', 32)}; }}")
    body = "\n  ".join(lines)
    bits = pins[f"{bus}_AWADDR"][1]
    recorder = _TRACE if trace else _NO_TRACE
    return _BINDING.format(body=body, clock=pin("ap_clk"), bits=bits, trace=recorder)


_BINDING = """\
#include <stdexcept>
#include <string>

#include "Vtop.h"
#include "dma.h"
#if VM_TRACE_FST
#include "verilated_fst_c.h"
#endif

// Registers and memories start with random values, the same in every run.
struct Seeded : VerilatedContext {{
  explicit Seeded(bool trace) {{
    randReset(2);
    randSeed(20);
    traceEverOn(trace);
  }}
}};

const uint32_t kRegisterBits = {bits};

class Model {{
 public:
  Model() : context_(VM_TRACE_FST), top_(&context_) {{ {clock} = 0; }}
  ~Model() {{ close(); top_.final(); }}
  void low(uint64_t now) {{ {clock} = 0; top_.eval(); dump(2 * now); }}
  void high(uint64_t now) {{ {clock} = 1; top_.eval(); dump(2 * now + 1); }}
  {body}
{trace}
  Seeded context_;
  Vtop top_;
}};
"""

_NO_TRACE = """\
  void record(const char*, uint64_t, uint64_t) {
    throw std::runtime_error("this model was built without a recorder");
  }

 private:
  void dump(uint64_t) {}
  void close() {}
"""

_TRACE = """\
  void record(const char* file, uint64_t first, uint64_t last) {
    file_ = file; first_ = 2 * first; last_ = 2 * last + 1;
  }

 private:
  void dump(uint64_t time) {
    if (file_.empty() || time < first_ || top_.ap_rst_n == 0) return;
    if (time > last_) return close();
    if (!fst_) {
      fst_.reset(new VerilatedFstC);
      top_.trace(fst_.get(), 99);
      fst_->open(file_.c_str());
    }
    fst_->dump(time);
  }
  void close() {
    if (!fst_) return;
    fst_->close();
    fst_.reset();
    file_.clear();
  }
  std::string file_;
  uint64_t first_ = 0, last_ = 0;
  std::unique_ptr<VerilatedFstC> fst_;
"""
