# SPDX-License-Identifier: Apache-2.0
"""The command `hlsc`: `hlsc synth FILES… --top NAME`.

Exit codes: 0 done; 1 the sources (or, with --strict, a warning) stop it; 2 wrong use of the command;
3 a fault of hlsc itself.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from hlsc.errors import HlscError
from hlsc.ir import IRError

__all__ = ["main"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hlsc", description="Vitis-style HLS C++ to SystemVerilog, without a vendor tool."
    )
    parser.add_argument("--debug", action="store_true", help="show where in hlsc an error arose")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    synth = commands.add_parser("synth", help="synthesise a top function to SystemVerilog")
    synth.add_argument("files", nargs="+", type=Path, metavar="FILE", help="C++ source files")
    synth.add_argument("--top", required=True, metavar="NAME", help="top function")
    synth.add_argument("--clock", default="10", metavar="NS", help="clock period in ns (%(default)s)")
    synth.add_argument("--part", default="xc7z020clg400-1", metavar="PART", help="device (%(default)s)")
    synth.add_argument("--directives", type=Path, metavar="FILE", help="Tcl or cfg file of directives")
    synth.add_argument(
        "-I", dest="include", action="append", default=[], type=Path, metavar="DIR", help="include path"
    )
    synth.add_argument(
        "-D", dest="define", action="append", default=[], metavar="NAME[=VALUE]", help="macro"
    )
    synth.add_argument(
        "--out",
        type=Path,
        default=Path("."),
        metavar="DIR",
        help="where NAME.sv and report.json go (.)",
    )
    synth.add_argument(
        "--dump",
        action="append",
        default=[],
        metavar="STAGE",
        help="also write NAME.STAGE.txt; 'all' for every stage, 'list' shows their names",
    )
    synth.add_argument("--strict", action="store_true", help="a warning is an error")
    synth.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser


def _defines(given: Sequence[str]) -> dict[str, str]:
    result = {}
    for text in given:
        name, _, value = text.partition("=")
        if not name.isidentifier():
            raise HlscError(f"-D must name a macro (NAME or NAME=VALUE), not {text!r}")
        result[name] = value if "=" in text else "1"
    return result


def _clock(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise HlscError(f"--clock must be a period in ns, such as 10, not {text!r}") from None


def _synth(options: argparse.Namespace) -> int:
    from hlsc.report import table
    from hlsc.synth import STAGES, synthesize

    if "list" in options.dump:
        print("\n".join(STAGES))
        return 0
    result = synthesize(
        options.files,
        options.top,
        clock_ns=_clock(options.clock),
        part=options.part,
        directives=options.directives,
        include_dirs=options.include,
        defines=_defines(options.define),
        out_dir=options.out,
        dump=STAGES if "all" in options.dump else options.dump,
        strict=options.strict,
    )
    for warning in result.report["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)
    if options.json:
        print(json.dumps(result.report, indent=2))
    else:
        print(table(result.report), end="")
        for path in (result.sv_path, result.report_path, *result.dumps):
            print(f"wrote {path}")
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code and never raises but for --help and wrong options."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.command is None:
        parser.print_help()
        return 2
    try:
        return _synth(options)
    except HlscError as error:
        if options.debug:
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # nothing more can be printed
        return 1
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except OSError as error:
        print(f"error: {error.filename or 'file'}: {error.strerror}", file=sys.stderr)
        return 1
    except Exception as error:
        if options.debug:
            traceback.print_exc()
        kind = "its own rules" if isinstance(error, IRError) else type(error).__name__
        print(
            f"error: hlsc itself failed ({kind}: {error}); this is a bug: please report it with the "
            "sources (hlsc --debug shows where)",
            file=sys.stderr,
        )
        return 3


if __name__ == "__main__":
    sys.exit(main())
