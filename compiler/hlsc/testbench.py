# SPDX-License-Identifier: Apache-2.0
"""An ordinary C++ (or C) test bench, compiled natively with its design and run.

    bench = Testbench([Path("fir.cpp")], [Path("fir_tb.cpp")], "fir")
    result = bench.run(record=("x=64",))
    result.code, result.stdout, result.calls

With `record`, the linker puts a recorder in the place of the top (`--wrap`), whose signature templates
take apart (cosim_record.h): neither the bench nor the design is changed.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import re
import struct
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hlsc import toolchain
from hlsc.errors import HlscError, ToolError
from hlsc.exchange import Reader
from hlsc.ir import Port

__all__ = ["Call", "Recorded", "Result", "Testbench", "Words", "is_source", "recorded_arrays"]

_HERE = Path(__file__).resolve().parent
_RECORDER = (_HERE / "cosim_record.h", _HERE / "csim_bytes.h")
_C = (".c",)
_CXX = (".cpp", ".cc", ".cxx", ".c++", ".C")
_SYSTEM = (Path("/usr/include"), Path("/usr/lib"))
_FLAGS = ("-O1", "-w", "-fno-strict-aliasing", "-fno-caret-diagnostics", "-ferror-limit=4")
# Inside the extern "C" of a C design these would declare templates: they come first.
_C_HEADERS = "stdio stdlib string math stdint limits float assert time ctype".split()


@dataclass(frozen=True)
class Words:
    """Words of one argument, (width + 7) // 8 bytes each, little-endian."""

    count: int
    data: bytes


@dataclass(frozen=True)
class Call:
    """One call of the top: per argument (the return value last) what it was given and what it gave."""

    given: tuple[Words, ...]
    gave: tuple[Words, ...]


@dataclass(frozen=True)
class Recorded:
    """An argument of the top, as its C++ type tells: `kind` value, pointer, stream or return.

    Each stream of an array of them is one, with the name of its port.
    """

    name: str
    kind: str
    width: int

    @property
    def bytes(self) -> int:
        return (self.width + 7) // 8


@dataclass(frozen=True)
class Result:
    """How a bench ended: exit code (negative: a signal), its output, whether its time ran out."""

    code: int
    stdout: str
    stderr: str
    seconds: float
    timed_out: bool = False
    arguments: tuple[Recorded, ...] = ()
    calls: tuple[Call, ...] = ()

    @property
    def ending(self) -> str:
        """How it failed, as words; "" if it passed."""
        if self.timed_out:
            return f"did not end within {self.seconds:.0f} s"
        return toolchain.ending(self.code) if self.code else ""


def is_source(path: Path) -> bool:
    """Whether a file of a bench is compiled; the others are its data."""
    return path.suffix in (*_C, *_CXX)


@dataclass(frozen=True)
class Testbench:
    """Design and bench as a program; compiled once per content of their files.

    sources, benches: C++ or C files; one of `sources` defines `top`, one of `benches` main().
    include_dirs, defines: as -I and -D, for all of them.
    record: build with the recorder.
    Raises ToolError with the compiler's text, HlscError if the top is not there.
    """

    sources: Sequence[Path]
    benches: Sequence[Path]
    top: str
    include_dirs: Sequence[Path] = ()
    defines: Mapping[str, str] = field(default_factory=dict)
    record: bool = False
    directory: Path = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for what, files in (("source", self.sources), ("test bench", self.benches)):
            for path in files:
                if not Path(path).is_file():
                    raise HlscError(f"{what} must be a file, not {path}")
                if not is_source(Path(path)):
                    raise HlscError(f"{what} must be C++ or C (.cpp, .cc, .c), not {path}")
        if not self.benches:
            raise HlscError("a test bench must be given: --tb FILE")
        key = [toolchain.gxx().version, toolchain.clang().version, self.top, self.record, _RECORDER]
        key += [self._flags(), Path(__file__)]
        key += [(str(p), p) for p in (*self._paths(self.sources), *self._paths(self.benches))]
        object.__setattr__(self, "directory", toolchain.cached("testbench", key, self._build))

    def run(
        self,
        args: Sequence[str] = (),
        *,
        data: Path | None = None,
        arrays: Mapping[int, int | tuple[str, ...]] | None = None,
        timeout: float = 60,
    ) -> Result:
        """Run the bench in the directory `data` (default: where its first file lies).

        arrays: for the recorder, see `recorded_arrays`.
        """
        folder = Path(data) if data else Path(self.benches[0]).absolute().parent
        if not folder.is_dir():
            raise HlscError(f"the bench's data must be a directory, not {folder}")
        with tempfile.TemporaryDirectory(prefix="hlsc-bench-") as work:
            path = Path(work, "record")
            counts = {k: v if isinstance(v, int) else len(v) for k, v in (arrays or {}).items()}
            env = {"HLSC_RECORD_ARRAYS": ",".join(f"{k}={v}" for k, v in counts.items())}
            if self.record:
                env["HLSC_RECORD"] = str(path)
            out = toolchain.run(
                [self.directory / "bench", *args],
                what=f"test bench of {self.top}",
                cwd=folder,
                env=env,
                timeout=timeout,
                check=False,
                raise_timeout=False,
            )
            found: tuple[tuple[Recorded, ...], tuple[Call, ...]] = ((), ())
            if self.record and path.is_file() and path.stat().st_size:
                names = json.loads((self.directory / "names.json").read_text())
                streams = {k: v for k, v in (arrays or {}).items() if not isinstance(v, int)}
                found = _read(path.read_bytes(), [*names, "return"], streams)
        return Result(out.code, out.stdout, out.stderr, out.seconds, out.timed_out, *found)

    # ---------------------------------------------------------------------------------- building

    @staticmethod
    def _paths(files: Sequence[Path]) -> list[Path]:
        return [Path(f).absolute() for f in files]

    def _flags(self) -> list[str]:
        given = toolchain.preprocessing(self.include_dirs, self.defines)
        return [*_FLAGS, *given, f"-isystem{toolchain.shim_include_dir()}"]

    def _build(self, work: Path) -> list[Path]:
        sources, benches = self._paths(self.sources), self._paths(self.benches)
        units: list[tuple[Path, str, list[str]]] = []
        link: list[str] = []
        if self.record:
            home, function = self._find_top(sources)
            names = [p.get("name", f"arg{i}") for i, p in enumerate(_parameters(function))]
            (work / "names.json").write_text(json.dumps(names))
            symbol = function["mangledName"] if home.suffix not in _C else self.top
            wrapper = work / "wrapper.cpp"
            wrapper.write_text(_wrapper(home, self.top, symbol, len(names)))
            sources = [s for s in sources if s != home]
            extra = [f"-I{_HERE}", f"-I{home.parent}", "-std=gnu++17"]
            units.append((wrapper, home.name, extra))
            link = [f"-Wl,--wrap={symbol}"]
        for path in (*sources, *benches):
            units.append((path, path.name, [] if path.suffix in _C else ["-std=gnu++17"]))
        flags = self._flags()

        def compile_one(number: int) -> None:
            source, name, extra = units[number]
            out = work / f"{number}.o"
            made = ["-MD", "-MF", str(out.with_suffix(".d")), "-c", str(source), "-o", str(out)]
            toolchain.clang().run([*extra, *flags, *made], what=f"compiling {name}")

        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(compile_one, range(len(units))))
        objects = [work / f"{i}.o" for i in range(len(units))]
        try:
            toolchain.gxx().run(
                [*objects, *link, "-pthread", "-lm", "-o", work / "bench"],
                what="linking the test bench",
            )
        except ToolError as error:
            raise _link_error(str(error)) from None
        deps: set[Path] = set()
        for obj in objects:
            deps.update(toolchain.depfile(obj.with_suffix(".d"), skip=[work, *_SYSTEM]))
            obj.unlink()
        return sorted(deps)

    def _find_top(self, sources: Sequence[Path]) -> tuple[Path, dict[str, Any]]:
        """The source that defines the top, and clang's description of it."""
        word = re.compile(rf"\b{re.escape(self.top)}\s*\(")
        for source in sources:
            if not word.search(source.read_text(errors="replace")):
                continue
            args = [*self._flags(), "-fsyntax-only", "-Xclang", "-ast-dump=json"]
            args += [] if source.suffix in _C else ["-std=gnu++17"]
            args += ["-Xclang", f"-ast-dump-filter={self.top}", str(source)]
            text = toolchain.clang().run(args, what=f"parsing {source.name}").stdout
            found = [
                x
                for x in _json_objects(text)
                if x.get("kind") == "FunctionDecl"
                and x.get("name") == self.top
                and any(i.get("kind") == "CompoundStmt" for i in x.get("inner", []))
            ]
            if len(found) > 1:
                raise HlscError(f"top must be one function, not {self.top}, which is overloaded")
            if found:
                if "noexcept" in found[0]["type"]["qualType"]:
                    raise HlscError(f"top must be a function without noexcept, not {self.top}")
                return source, found[0]
        raise HlscError(f"top must be a function defined in the sources, not {self.top}")


def _parameters(function: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [x for x in function.get("inner", []) if x.get("kind") == "ParmVarDecl"]


def _json_objects(text: str) -> list[dict[str, Any]]:
    """The objects that clang prints one behind the other."""
    decoder, at, found = json.JSONDecoder(), 0, []
    while (at := text.find("{", at)) >= 0:
        value, at = decoder.raw_decode(text, at)
        found.append(value)
    return found


def _wrapper(home: Path, top: str, symbol: str, parameters: int) -> str:
    include = f'#include "{home}"'
    if home.suffix in _C:
        include = "".join(f"#include <{h}.h>\n" for h in _C_HEADERS) + f'extern "C" {{\n{include}\n}}'
    declared = ", ".join(f"HlscTop::Parameter<{i}> a{i}" for i in range(parameters))
    passed = "".join(f", a{i}" for i in range(parameters))
    return f"""\
#include "{_RECORDER[0]}"
{include}
typedef decltype(hlsc_record::top_of(&::{top})) HlscTop;
HlscTop::Result hlsc_recorded({declared}) __asm__("__wrap_{symbol}");
HlscTop::Result hlsc_recorded({declared}) {{ return HlscTop::call(&::{top}{passed}); }}
"""


def _link_error(text: str) -> HlscError:
    """What the linker says, in the words of the user's files."""
    if m := re.search(r"multiple definition of `([^']*)'", text):
        return HlscError(f"{m.group(1)} must be defined once in design and bench, not twice")
    missing = list(dict.fromkeys(re.findall(r"undefined reference to `([^']*)'", text)))
    if "main" in missing:
        return HlscError("the test bench must define main()")
    if missing:
        return HlscError(f"design and bench must define {', '.join(missing[:4])}")
    return ToolError(text)


def recorded_arrays(ports: Sequence[Port]) -> dict[int, int | tuple[str, ...]]:
    """Words of each array argument by position, and the names of the streams of arrays of streams."""
    groups: dict[str, list[Port]] = {}
    for p in ports:
        if p.name != "ap_return":
            groups.setdefault(p.part.argument if p.part else p.name, []).append(p)
    found: dict[int, int | tuple[str, ...]] = {}
    for i, group in enumerate(groups.values()):
        if group[0].part and group[0].kind == "axis":
            found[i] = tuple(p.name for p in group)
        elif group[0].part:
            found[i] = group[0].part.elements
        elif group[0].depth:
            found[i] = group[0].depth
    return found


def _read(
    data: bytes, names: Sequence[str], streams: Mapping[int, Sequence[str]]
) -> tuple[tuple[Recorded, ...], tuple[Call, ...]]:
    """The record of cosim_record.h; a call that is cut short is left out."""
    r = Reader(data)
    arguments = []
    for i in range(r.number("I")):
        kind = r.text()
        name = names[i] if kind != "return" else "return"
        width, elements = r.number("I"), r.number("I")
        arguments += [Recorded(n, kind, width) for n in streams.get(i, [name] * elements)]
    calls = []
    try:
        while r.left:
            r.number("I")
            lists: list[list[Words]] = [[], []]
            for a in arguments:
                for way in lists:
                    words = r.number("Q")
                    way.append(Words(words, r.take(words * a.bytes)))
            calls.append(Call(tuple(lists[0]), tuple(lists[1])))
    except struct.error:
        pass  # the bench died while it wrote
    return tuple(arguments), tuple(calls)
