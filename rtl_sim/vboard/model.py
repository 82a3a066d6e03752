# SPDX-License-Identifier: Apache-2.0
"""The programmable logic as a shared library: Verilated kernel and C++ harness, built once and cached.

`Logic` is the harness behind ctypes; one object is one board's PL. It is not thread-safe: its
caller holds a lock. ctypes lets other Python threads run meanwhile.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from convloom.kernels import KernelSpec, load_kernel
from hlsc import toolchain
from vboard.errors import VboardError
from vboard.profile import Profile

__all__ = ["Design", "Logic", "build_library", "design"]

_HARNESS = Path(__file__).resolve().parent / "harness"
# Headers that stand for zlib and LZ4 in Verilator's FST writer; elsewhere the system's are taken.
_FST = Path(__file__).resolve().parents[1] / "bench" / "fst"

STREAMS = ("in0", "in1", "out")

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
    from hlsc.flow import synthesized  # imports the compiler's engines, which takes seconds

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
        _compile([_HARNESS / "board.cpp", *_units(model)], model, trace)
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


# ---------------------------------------------------------------------------------------- using

_STREAM_COUNTS = ("beats", "packets", "kernel_stalls", "ddr_stalls", "dma_stalls", "since_start")
_DMA_COUNTS = ("transfers", "bytes", "control", "status", "left")
_WORDS = 5 + 3 * len(_STREAM_COUNTS) + 3 * len(_DMA_COUNTS) + 3
_NEVER = (1 << 64) - 1
_POLL_MILLISECONDS = 100


class Logic:
    """The programmable logic of one board, in reset until `program`.

    memory: what the DMAs see as the CMA region, profile.cma_bytes long; untouched pages cost nothing.
    """

    def __init__(self, library: Path, profile: Profile) -> None:
        self.profile = profile
        self.memory = mmap.mmap(-1, profile.cma_bytes)
        self._library = _load(library)
        where = profile.addresses
        words = [profile.cma_base, profile.cma_bytes, profile.ddr_bytes]
        words += [round(1000 * profile.ddr_bytes_per_cycle), profile.ddr_latency]
        words += [profile.access_cycles, profile.dma_length_bits]
        words += [where[n] for n in ("kernel", "axi_dma_0", "axi_dma_1", "axi_gpio_led")]
        self._pointer = ctypes.c_char.from_buffer(self.memory)
        config = (ctypes.c_uint64 * len(words))(*words)
        self._handle = self._library.vb_create(config, ctypes.addressof(self._pointer))
        if not self._handle:
            raise VboardError(f"the RTL must start: {self._error()}")
        self.register_bytes = 1 << self._library.vb_register_bits()

    def _error(self) -> str:
        return self._library.vb_error().decode(errors="replace")

    def _check(self, code: int) -> None:
        if code:
            raise VboardError(self._error())

    def close(self) -> None:
        """Ends the model (and finishes a waveform); nothing may be called after it."""
        if self._handle:
            self._library.vb_destroy(self._handle)
            self._handle = None

    def program(self) -> None:
        """Reset everything in the PL and all counts."""
        self._check(self._library.vb_program(self._handle))

    def read(self, address: int) -> int:
        """One 32-bit register; a busy status runs the design, see the package's docstring."""
        value = ctypes.c_uint32()
        self._check(
            self._library.vb_read(self._handle, address, _POLL_MILLISECONDS, ctypes.byref(value))
        )
        return value.value

    def write(self, address: int, value: int) -> None:
        self._check(self._library.vb_write(self._handle, address, value))

    def run(self, cycles: int) -> None:
        """Let time pass without a host."""
        self._check(self._library.vb_run(self._handle, cycles))

    def record(self, file: Path, first: int, last: int) -> None:
        """Record cycles first to last (since programming) into an FST file."""
        self._check(self._library.vb_record(self._handle, os.fsencode(file), first, last))

    def set_buffers(self, bounds: Sequence[tuple[int, int]]) -> None:
        """Physical (first address, end) of all buffers, in rising order."""
        flat = [word for pair in bounds for word in pair]
        self._library.vb_buffers(self._handle, (ctypes.c_uint64 * len(flat))(*flat), len(bounds))

    def faults(self) -> list[str]:
        """What went wrong since the last call."""
        room = ctypes.create_string_buffer(1 << 16)
        size = self._library.vb_faults(self._handle, room, len(room))
        return room.raw[:size].decode(errors="replace").splitlines()

    def counters(self) -> dict[str, Any]:
        """`cycle`, `run`, `streams`, `dma` and `ddr` of the package's docstring."""
        out = (ctypes.c_uint64 * _WORDS)()
        self._library.vb_counters(self._handle, out)
        words = iter(out)
        now, starts, started, last_out, done = (next(words) for _ in range(5))
        streams = {s: {name: next(words) for name in _STREAM_COUNTS} for s in STREAMS}
        beats = {s: streams[s].pop("since_start") for s in STREAMS}
        channels = [{name: next(words) for name in _DMA_COUNTS} for _ in STREAMS]
        read, written, limited = (next(words) for _ in range(3))
        finished = started != _NEVER and last_out != _NEVER
        return {
            "cycle": now,
            "run": {
                "starts": starts,
                "started": None if started == _NEVER else started,
                "cycles": last_out - started if finished else None,
                "done": bool(done),
                "beats": beats,
                "bytes_in": 8 * (beats["in0"] + beats["in1"]),
                "bytes_out": 8 * beats["out"],
            },
            "streams": streams,
            "dma": {
                "axi_dma_0": {"mm2s": channels[0], "s2mm": channels[2]},
                "axi_dma_1": {"mm2s": channels[1]},
            },
            "ddr": {"bytes_read": read, "bytes_written": written, "limit_stalls": limited},
        }


def _load(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    handle, word = ctypes.c_void_p, ctypes.c_uint64
    library.vb_error.restype = ctypes.c_char_p
    for name, result, *arguments in (
        ("create", handle, ctypes.POINTER(word), handle),
        ("register_bits", ctypes.c_uint32),
        ("destroy", None, handle),
        ("program", ctypes.c_int, handle),
        ("read", ctypes.c_int, handle, word, ctypes.c_uint32, ctypes.POINTER(ctypes.c_uint32)),
        ("write", ctypes.c_int, handle, word, ctypes.c_uint32),
        ("run", ctypes.c_int, handle, word),
        ("record", ctypes.c_int, handle, ctypes.c_char_p, word, word),
        ("buffers", None, handle, ctypes.POINTER(word), word),
        ("counters", None, handle, ctypes.POINTER(word)),
        ("faults", word, handle, ctypes.c_char_p, word),
    ):
        function = getattr(library, f"vb_{name}")
        function.restype, function.argtypes = result, arguments
    return library
