# SPDX-License-Identifier: Apache-2.0
"""Options that several commands take, and what they mean."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hlsc.errors import HlscError
from hlsc.testbench import Result, is_source

__all__ = [
    "add_bench",
    "add_directives",
    "add_json",
    "add_preprocessing",
    "add_sources",
    "add_target",
    "bench_files",
    "compiling",
    "positive",
    "show_output",
    "targeting",
]


def add_sources(parser: argparse.ArgumentParser) -> None:
    """FILES, --top, -I, -D."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="C++ source files")
    parser.add_argument("--top", required=True, metavar="NAME", help="top function")
    add_preprocessing(parser)


def add_preprocessing(parser: argparse.ArgumentParser) -> None:
    """-I, -D."""
    parser.add_argument(
        "-I", dest="include", action="append", default=[], type=Path, metavar="DIR", help="include path"
    )
    parser.add_argument(
        "-D", dest="define", action="append", default=[], metavar="NAME[=VALUE]", help="macro"
    )


def add_target(parser: argparse.ArgumentParser) -> None:
    """--clock, --part, --directives."""
    parser.add_argument("--clock", default="10", metavar="NS", help="clock period in ns (%(default)s)")
    parser.add_argument(
        "--part", default="xc7z020clg400-1", metavar="PART", help="device (%(default)s)"
    )
    add_directives(parser)


def add_directives(parser: argparse.ArgumentParser) -> None:
    """--directives."""
    parser.add_argument("--directives", type=Path, metavar="FILE", help="Tcl or cfg file of directives")


def add_json(parser: argparse.ArgumentParser, what: str) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help=f"print {what} as JSON")


def add_bench(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """--tb, --data, --args, --timeout."""
    parser.add_argument(
        "--tb",
        nargs="+",
        action="extend",
        required=required,
        type=Path,
        metavar="FILE",
        help="test bench: C++ or C files (other files are data, and say where it runs)",
    )
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="where the bench runs (its first file's directory)"
    )
    parser.add_argument("--args", default="", metavar="'A B'", help="the bench's command line")
    parser.add_argument(
        "--timeout", default="600", metavar="S", help="seconds that a run may take (%(default)s)"
    )


def _defines(given: Sequence[str]) -> dict[str, str]:
    """Values of -D by name."""
    result = {}
    for text in given:
        name, _, value = text.partition("=")
        if not name.isidentifier():
            raise HlscError(f"-D must name a macro (NAME or NAME=VALUE), not {text!r}")
        result[name] = value if "=" in text else "1"
    return result


def targeting(options: argparse.Namespace) -> dict[str, Any]:
    """--clock, --part and --directives as keyword arguments."""
    try:
        clock_ns = float(options.clock)
    except ValueError:
        raise HlscError(f"--clock must be a period in ns, such as 10, not {options.clock!r}") from None
    return dict(clock_ns=clock_ns, part=options.part, directives=options.directives)


def positive(name: str, text: str) -> float:
    """A positive number of an option."""
    try:
        value = float(text)
    except ValueError:
        value = 0
    if not 0 < value < float("inf"):
        raise HlscError(f"{name} must be a positive number, not {text!r}")
    return value


def compiling(options: argparse.Namespace) -> dict[str, Any]:
    """-I and -D as keyword arguments."""
    for folder in options.include:
        if not folder.is_dir():
            raise HlscError(f"include path must be a directory, not {folder}")
    return dict(include_dirs=options.include, defines=_defines(options.define))


def bench_files(options: argparse.Namespace) -> tuple[list[Path], dict[str, Any]]:
    """Sources of the bench, and its data, args and timeout as keyword arguments."""
    for path in options.tb:
        if not path.exists():
            raise HlscError(f"--tb must name files, not {path}")
    sources = [p for p in options.tb if is_source(p)]
    folders = {p if p.is_dir() else p.absolute().parent for p in options.tb if not is_source(p)}
    data = options.data
    if data is None and folders:
        if len(folders) > 1:
            raise HlscError("data files must lie in one directory; say --data DIR")
        data = folders.pop()
    try:
        args = shlex.split(options.args)
    except ValueError as error:
        raise HlscError(f"--args must be a command line, not {options.args!r} ({error})") from None
    return sources, dict(data=data, args=args, timeout=positive("--timeout", options.timeout))


def show_output(result: Result) -> None:
    """What the bench printed."""
    sys.stdout.write(result.stdout)
    sys.stdout.flush()
    sys.stderr.write(result.stderr)
