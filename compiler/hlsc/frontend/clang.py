# SPDX-License-Identifier: Apache-2.0
"""Calls of clang: preprocessing in two steps, and C++ → unoptimised LLVM IR."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from hlsc import toolchain
from hlsc.errors import SourceError, ToolError
from hlsc.frontend.memory import split
from hlsc.ir import Loc

__all__ = ["ClangError", "compile_ir", "expand", "is_library", "rewrite_includes"]

# The same for preprocessing and compiling: standard headers ask for exceptions and RTTI by macro.
# An assertion is for C-simulation: hardware has nobody to tell.
_LANGUAGE = "-std=c++17 -fno-rtti -fno-exceptions -DNDEBUG".split()
_FLAGS = [
    *_LANGUAGE,
    *(
        "-O1 -Xclang -disable-llvm-passes -fno-discard-value-names -gline-tables-only "
        "-gno-column-info -fno-threadsafe-statics -fno-stack-protector -w -ferror-limit=4 "
        "-fno-caret-diagnostics"
    ).split(),
]
_DIAGNOSTIC = re.compile(r"^(.+?):(\d+):(?:\d+:)? (?:fatal )?error: (.*)$", re.MULTILINE)
_NOTE = re.compile(r"^(.+?):(\d+):(?:\d+:)? note: in instantiation ", re.MULTILINE)
_INCLUDED = re.compile(r"^In file included from (.+?):(\d+)[:,]", re.MULTILINE)
_STATIC_STREAM = re.compile(r"\bstatic(?=\s+(?:::\s*)?(?:hls\s*::\s*)?stream\s*<)")
_TIMEOUT = 300.0


class ClangError(SourceError):
    """What clang refuses; `detail` is its own text."""

    def __init__(self, detail: str, loc: Loc) -> None:
        self.detail = detail
        super().__init__(f"clang: {detail}", loc)


def _defines(defines: Mapping[str, str]) -> list[str]:
    return [f"-D{k}" + (f"={v}" if v != "" else "") for k, v in defines.items()]


def _users_line(text: str, error: re.Match[str]) -> Loc:
    """Where the error stands; for one in a header of ours, the line that includes or uses it."""
    ours = str(toolchain.shim_include_dir())
    found = [(error.group(1), error.group(2))]
    if error.group(1).startswith(ours):
        found = _INCLUDED.findall(text[: error.start()]) + _NOTE.findall(text[error.end() :]) + found
        found = [x for x in found if not x[0].startswith((ours, "<"))] or found
    return Loc(found[0][0], int(found[0][1]))


def is_library(file: str) -> bool:
    """Whether a file is no source of the user's."""
    return file.startswith((str(toolchain.shim_include_dir()), "<")) or "/usr/" in file or not file


def _plain(detail: str) -> str:
    """Text of a diagnostic without what clang adds to a static_assert or quotes around #error."""
    detail = re.sub(r"^static assertion failed(?: due to requirement '.*?')?: ", "", detail)
    return detail[1:-1] if re.fullmatch(r'"[^"]*"', detail) else detail


def _run(args: Sequence[str | Path], what: str, cwd: Path | None = None) -> str:
    out = toolchain.clang().run(args, what=what, timeout=_TIMEOUT, check=False, cwd=cwd)
    if out.code == 0:
        return out.stdout
    m = _DIAGNOSTIC.search(out.stderr)
    if m:
        raise ClangError(_plain(m.group(3)), _users_line(out.stderr, m))
    plain = re.search(r"(?:fatal )?error: (.*)", out.stderr)
    text = plain.group(1) if plain else out.stderr.strip() or f"exit code {out.code}"
    raise ToolError(f"{what}: clang failed: {text[-2000:]}")


def rewrite_includes(source: Path, include_dirs: Sequence[Path], defines: Mapping[str, str]) -> str:
    """The source with every include in place, macros and pragmas untouched."""
    args: list[str | Path] = ["-E", "-frewrite-includes", *_LANGUAGE, "-w", "-x", "c++"]
    for d in include_dirs:
        args += ["-I", d]
    args += ["-isystem", toolchain.shim_include_dir(), "-include", "hlsc_stream_synth.h"]
    return _run([*args, *_defines(defines), source], f"preprocessing {source.name}")


def expand(text: str, name: str, defines: Mapping[str, str]) -> str:
    """Macro expansion of what `rewrite_includes` gave; line markers keep file and line."""
    with tempfile.TemporaryDirectory(prefix="hlsc-") as work:
        (Path(work) / "expand.cpp").write_text(text)
        args = ["-E", *_LANGUAGE, "-w", "-x", "c++", *_defines(defines), "expand.cpp"]
        return _run(args, f"preprocessing {name}", Path(work))


def compile_ir(text: str, name: str) -> str:
    """LLVM IR of preprocessed C++ before any LLVM pass."""
    # In hardware a FIFO keeps its words between runs whether its stream is static or not.
    text = _STATIC_STREAM.sub("      ", text)
    with tempfile.TemporaryDirectory(prefix="hlsc-") as work:
        (Path(work) / "unit.cpp").write_text(text)
        # Relative names, so that the module does not depend on where it was made.
        args = [*_FLAGS, "-fdebug-compilation-dir=.", "-x", "c++-cpp-output", "-S", "-emit-llvm"]
        _run([*args, "-o", "unit.ll", "unit.cpp"], f"compiling {name}", Path(work))
        return _whole_arrays(_without_iostream((Path(work) / "unit.ll").read_text()))


def _without_iostream(text: str) -> str:
    """The module without the constructor call that <iostream> puts into every file."""

    def body(m: re.Match[str]) -> str:
        return (
            f"{m.group(1)}\n  ret void\n}}" if "@_ZNSt8ios_base4InitC1Ev(" in m.group() else m.group()
        )

    pattern = r"^(define internal void @__cxx_global_var_init\b.*\{)\n(?:.*\n)*?\}"
    return re.sub(pattern, body, text, flags=re.MULTILINE)


def _whole_arrays(text: str) -> str:
    """The module with arrays in place of packed structures.

    Of an array whose initialiser ends in many zeros clang makes a structure of the other elements and
    an array of zeros, in which no pragma finds the dimensions.
    """

    def whole(m: re.Match[str]) -> str:
        types, values = split(m.group(2)), split(m.group(3))
        element, (*_, zeros) = types[0], types
        n = re.fullmatch(rf"\[(\d+) x {re.escape(element)}\]", zeros)
        alike = all(t == element for t in types[:-1])
        if n is None or not alike or values[-1] != f"{zeros} zeroinitializer":
            return m.group()
        words = [*values[:-1], *[f"{element} zeroinitializer"] * int(n.group(1))]
        return f"{m.group(1)}[{len(words)} x {element}] [{', '.join(words)}]{m.group(4)}"

    pattern = r"^(@\S+ = .*?(?:global|constant) )<\{ (.*?) \}> <\{ (.*) \}>(, .*)$"
    return re.sub(pattern, whole, text, flags=re.MULTILINE)
