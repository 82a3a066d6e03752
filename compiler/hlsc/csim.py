# SPDX-License-Identifier: Apache-2.0
"""C-simulation: the kernel's C++, compiled natively, called with numpy arrays, and checked.

    kernel = Kernel([Path("gemm_systolic.cpp")], "gemm_systolic", include_dirs=[Path("hls")])
    run = kernel.run({"in0": [beats], "in1": [weights]}, {"batch": 1})
    run.streams["out"][0], run.scalars["status"]

What C-simulation alone would let pass is an error here: a missing TLAST, a TKEEP that is not all ones,
words left in an input or an internal stream, a read of an empty stream, a second call that answers
otherwise than the first, a crash, a run that does not end.
"""

from __future__ import annotations

import concurrent.futures
import ctypes
import json
import os
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np

from hlsc import csim_wire as wire
from hlsc import toolchain
from hlsc.csim_wire import CsimError, Parameter, Run, as_signed
from hlsc.errors import HlscError
from hlsc.exchange import ask

__all__ = ["CsimError", "Kernel", "Parameter", "Run", "as_signed"]

_HERE = Path(__file__).resolve().parent
_HARNESS = tuple(
    _HERE / f"csim_{part}.h" for part in ("harness", "arguments", "words", "watch", "bytes")
)
_SANITIZERS = (
    "-fsanitize=address,undefined",
    "-fno-sanitize=vptr",
    "-fno-sanitize-recover=all",
    "-fno-omit-frame-pointer",
    "-g1",
)


@dataclass(frozen=True)
class Kernel:
    """A top function, compiled (once per content of its files) and ready to run.

    sources: C++ files; one of them defines `top` (a free function; `ns::f` is taken).
    include_dirs, defines: as -I and -D; `defines={"X": ""}` gives -DX.
    headers: "shim" (hlsc's ap_int.h and so on; needs clang) or "xilinx" (the open Xilinx headers).
    compiler: "clang" or "g++".
    sanitize: compile with the address and undefined-behaviour sanitizers; runs are then isolated.
    std: language standard.
    Raises ToolError with the compiler's text if it does not compile, CsimError if `top` is not there.
    """

    sources: Sequence[Path]
    top: str
    include_dirs: Sequence[Path] = ()
    defines: Mapping[str, str | int] = field(default_factory=dict)
    headers: str = "shim"
    compiler: str = "clang"
    sanitize: bool = False
    std: str = "c++11"
    directory: Path = field(init=False, repr=False)
    parameters: tuple[Parameter, ...] = field(init=False, repr=False)
    result: Parameter | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if self.headers not in ("shim", "xilinx"):
            raise HlscError(f"headers must be shim or xilinx, not {self.headers}")
        if self.compiler not in ("clang", "g++"):
            raise HlscError(f"compiler must be clang or g++, not {self.compiler}")
        if self.headers == "shim" and self.compiler == "g++":
            raise HlscError(
                "compiler must be clang with the shim headers (g++ has no _BitInt), not g++"
            )
        sources = [Path(s).absolute() for s in self.sources]
        for source in sources:
            if not source.is_file():
                raise HlscError(f"source must be a file, not {source}")
        object.__setattr__(self, "sources", tuple(sources))
        key = [
            self.top,
            self.compiler,
            self.headers,
            self._flags(),
            [(str(s), s) for s in sources],
            _HARNESS,
        ]
        key += [toolchain.gxx().version, toolchain.clang().version]
        directory = toolchain.cached("csim", key, self._build)
        signature = json.loads((directory / "signature.json").read_text())
        parameters = [Parameter(**p) for p in signature]
        for p in parameters:
            if p.kind == "unknown":
                raise CsimError(
                    f"{self.top}: argument {p.name} must be a stream, an integer, ap_int, ap_uint or "
                    f"an array of them, not {p.type}"
                )
        result = parameters.pop()
        object.__setattr__(self, "directory", directory)
        object.__setattr__(self, "parameters", tuple(parameters))
        object.__setattr__(self, "result", None if result.kind == "none" else result)

    def run(
        self,
        streams: Mapping[str, Sequence[np.ndarray]] | None = None,
        scalars: Mapping[str, int] | None = None,
        arrays: Mapping[str, np.ndarray] | None = None,
        *,
        twice: bool = True,
        isolated: bool = True,
        timeout: float = 120,
    ) -> Run:
        """Call the top function and return everything it gave.

        streams: per input stream its transfers in order; a transfer is an array of beats: for D <= 64
            bits any integers, shape (beats,); for wider ones uint8, shape (beats, D/8), byte 0 lowest,
            or uint64 of shape (beats, D/64).  TLAST is set on the last beat of each transfer, TKEEP and
            TSTRB are all ones.  A stream without TLAST takes its transfers one behind the other.
            Streams that are not named are outputs.  The streams of an array `in` are in_0, in_1, ….
        scalars: integer arguments by name; also start values of pointers and references (else 0).
        arrays: array arguments by name; they are copied, the new content is in the result.
        twice: call it twice with the same inputs and check that both calls answer alike.
        isolated: in a process of its own (about 3 ms), so that a crash is an error and not the end of
            this one.  False: through ctypes, where that is possible (shim headers, no
            sanitizer); a run that exceeds its time is then left behind in a thread.
        timeout: seconds.
        Raises CsimError for everything that a correct kernel does not do.
        """
        names = [p.name for p in self.parameters]
        for given in (streams, scalars, arrays):
            for name in given or {}:
                if name not in names:
                    raise CsimError(
                        f"{self.top} must have an argument {name}; it has {', '.join(names)}"
                    )
        request = wire.encode(self.parameters, streams or {}, scalars or {}, arrays or {}, 1 + twice)
        # One run at a time here (std::cout is shared); a run that hung keeps the place.
        if isolated or not self._has_library or not _PLACE.acquire(blocking=False):
            reply = self._run_program(request, timeout)
        else:
            reply = self._run_here(request, timeout)
        runs = wire.decode(self.top, reply, self.parameters, self.result, streams or {}, arrays or {})
        if twice:
            wire.compare(self.top, runs[0], runs[1])
        return runs[0]

    def _run_program(self, request: bytes, timeout: float) -> bytes:
        reply, out = ask(
            self.directory / "kernel",
            request,
            what=f"C-simulation of {self.top}",
            timeout=timeout,
            # A leak is no fault of a kernel that is left by an exception.
            env={"ASAN_OPTIONS": "detect_leaks=0", "UBSAN_OPTIONS": "print_stacktrace=1"},
        )
        if reply is not None:
            return reply
        raise CsimError(
            f"{self.top} must run to its end, but it {toolchain.ending(out.code)}"
            + ("\n" + out.stderr.strip() if out.stderr.strip() else "; sanitize=True says more")
        )

    def _run_here(self, request: bytes, timeout: float) -> bytes:
        library = _load(self.directory / "libkernel.so")
        replies: list[bytes] = []

        def call() -> None:
            size = ctypes.c_size_t()
            try:
                data = library.hlsc_csim_run(request, len(request), ctypes.byref(size))
                replies.append(ctypes.string_at(data, size.value) if data else b"")
                library.hlsc_csim_free(data)
            finally:
                _PLACE.release()

        thread = threading.Thread(target=call, daemon=True, name=f"csim {self.top}")
        thread.start()
        thread.join(timeout)
        if thread.is_alive():
            raise CsimError(f"{self.top} must end within {timeout:g} s in C-simulation")
        if not replies or not replies[0]:
            raise CsimError(f"{self.top}: the C-simulation ran out of memory")
        return replies[0]

    # ---------------------------------------------------------------------------------- building

    @property
    def _has_library(self) -> bool:
        # A sanitizer must be in its process first; a read of an empty stream of the Xilinx headers can
        # only be answered by leaving the process.
        return not self.sanitize and self.headers == "shim"

    def _flags(self) -> list[str]:
        flags = [f"-std={self.std}", "-O1" if self.sanitize else "-O2", "-fPIC", "-w"]
        if self.sanitize:
            flags += _SANITIZERS
            if self.compiler == "clang":
                flags.append("-fno-sanitize=function")  # has no handler in GCC's runtime
        if self.headers == "shim":
            standard = [toolchain.shim_include_dir()]
            flags.append("-DHLSC_CSIM_SHIM")
        else:
            standard = toolchain.xilinx_include_dirs()
            if self.sanitize:
                flags.append("-fno-sanitize=shift")  # these headers shift negative numbers left
        flags += toolchain.preprocessing(self.include_dirs, self.defines)
        return flags + [f"-isystem{d}" for d in standard]

    def _build(self, work: Path) -> list[Path]:
        compiler = toolchain.clang() if self.compiler == "clang" else toolchain.gxx()
        flags = self._flags()
        function = self.top.rpartition("::")[2]
        word = re.compile(rf"\b{re.escape(function)}\s*\(")
        candidates = [s for s in self.sources if word.search(s.read_text(errors="replace"))]
        if not candidates:
            raise CsimError(f"top must be a function in the sources, not {self.top}")

        def compile_one(number: int, source: Path, what: str) -> None:
            out = work / f"{number}.o"
            made = ["-MD", "-MF", str(out.with_suffix(".d")), "-c", str(source), "-o", str(out)]
            compiler.run([*flags, *made], what=f"compiling {what}")

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            parsing = [pool.submit(self._parameter_names, s) for s in candidates]
            home = candidates[0]
            if len(candidates) > 1:  # else compile while clang looks for the names
                home = next((s for s, p in zip(candidates, parsing, strict=True) if p.result()), home)
            harness = work / "harness.cpp"
            harness.write_text(_generate(home, self.top))
            others = [s for s in self.sources if s != home]
            jobs = [pool.submit(compile_one, 0, harness, home.name)]
            jobs += [pool.submit(compile_one, i, s, s.name) for i, s in enumerate(others, 1)]
            for job in jobs:
                job.result()
            found = next((n for p in parsing if (n := p.result()) is not None), None)
        if found is None:
            raise CsimError(f"top must be a function defined in the sources, not {self.top}")
        objects = [work / f"{i}.o" for i in range(len(jobs))]
        sanitizers = _SANITIZERS[:1] if self.sanitize else ()
        link = toolchain.gxx().run
        link([*objects, *sanitizers, "-o", work / "kernel"], what=f"linking {self.top}")
        if self._has_library:
            link([*objects, "-shared", "-o", work / "libkernel.so"], what=f"linking {self.top}")
        (work / "signature.json").write_text(json.dumps(self._signature(work / "kernel", home, found)))
        deps: set[Path] = set()
        for obj in objects:
            deps.update(toolchain.depfile(obj.with_suffix(".d"), skip=[work, *_SYSTEM]))
            obj.unlink()
        return sorted(deps)

    def _parameter_names(self, source: Path) -> list[str] | None:
        """Names of the parameters of `top` if this file defines it: the templates do not know them."""
        text = self._parsed(source, "-ast-dump")
        blocks = re.split(r"^Dumping (.*):$", text, flags=re.M)
        names: list[str] | None = None
        for name, block in zip(blocks[1::2], blocks[2::2], strict=True):
            if name == self.top and re.search(r"^[|`]-CompoundStmt ", block, re.M):
                if names is not None:
                    raise CsimError(f"top must be one function, not {self.top}, which is overloaded")
                lines = re.findall(r"^[|`]-ParmVarDecl [^\n]*", block, re.M)
                names = [_parameter_name(line, i) for i, line in enumerate(lines)]
        return names

    def _parsed(self, source: Path, how: str) -> str:
        """What clang makes of the functions called `top` in a file."""
        args = [*self._flags(), "-fsyntax-only", "-Xclang", how]
        args += ["-Xclang", f"-ast-dump-filter={self.top}", str(source)]
        args = [a for a in args if not str(a).startswith(("-fsanitize", "-fno-sanitize"))]
        return toolchain.clang().run(args, what=f"parsing {source.name}").stdout

    def _signature(self, program: Path, home: Path, names: list[str]) -> list[dict[str, object]]:
        env = {"ASAN_OPTIONS": "detect_leaks=0"}
        text = toolchain.run([program, "--describe"], what="reading the types", env=env).stdout
        names = [*names, "return"]
        result = []
        for name, line in zip(names, text.splitlines(), strict=True):
            kind, width, signed, type_name, extents = line.split("\t")
            if extents.startswith("?"):  # what a parameter's type forgets, clang prints
                head = self._parsed(home, "-ast-print").partition("{")[0]
                m = re.search(rf"\b{name}\[(\d+)\]", head)
                kind, extents = (kind, extents.replace("?", m.group(1))) if m else ("unknown", "")
            same = dict(kind=kind, width=int(width), signed=signed == "1", type=type_name)
            counts = [range(int(n)) for n in extents.split(",") if n]
            for at in product(*counts):
                element = "_".join([name, *map(str, at)])
                result.append(dict(name=element, of=name if at else "", **same))
        return result


_SYSTEM = (Path("/usr/include"), Path("/usr/lib"))


def _parameter_name(line: str, index: int) -> str:
    # `|-ParmVarDecl 0x5581 <col:21, col:37> col:37 used in0 'hls::stream<W> &'`
    head = re.sub(r"<[^>]*>", "", line.partition("'")[0])
    words = [w for w in head.split()[2:] if ":" not in w and w not in ("used", "referenced")]
    return words[-1] if words else f"argument{index}"


def _generate(source: Path, top: str) -> str:
    lines = ['#include "ap_int.h"', '#include "hls_stream.h"', '#include "ap_axi_sdata.h"']
    lines += [f'#include "{_HARNESS[0]}"']
    lines += [f'#include "{source}"', f"HLSC_CSIM({top})"]
    return "\n".join(lines) + "\n"


_PLACE = threading.Lock()
_LIBRARIES: dict[Path, ctypes.CDLL] = {}


def _load(path: Path) -> ctypes.CDLL:
    if path not in _LIBRARIES:
        library = ctypes.CDLL(str(path))
        library.hlsc_csim_run.argtypes = [
            ctypes.c_char_p,
            ctypes.c_size_t,
            ctypes.POINTER(ctypes.c_size_t),
        ]
        library.hlsc_csim_run.restype = ctypes.c_void_p
        library.hlsc_csim_free.argtypes = [ctypes.c_void_p]
        library.hlsc_csim_free.restype = None
        _LIBRARIES[path] = library
    return _LIBRARIES[path]
