# SPDX-License-Identifier: Apache-2.0
"""The command `hlsc`; its subcommands are the modules of `hlsc.commands`.

Exit codes: 0 done; 1 the sources (or, with --strict, a warning) stop it, or a simulation fails; 2 wrong
use of the command; 3 a fault of hlsc itself.
"""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from types import ModuleType

from hlsc.commands import cosim, csim, explain, fifo_depths, lint, suite, synth
from hlsc.errors import HlscError
from hlsc.ir import IRError

__all__ = ["main"]

_COMMANDS: Mapping[str, ModuleType] = {
    "synth": synth,
    "csim": csim,
    "cosim": cosim,
    "fifo-depths": fifo_depths,
    "explain": explain,
    "suite": suite,
    "lint": lint,
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hlsc", description="Vitis-style HLS C++ to SystemVerilog, without a vendor tool."
    )
    parser.add_argument("--debug", action="store_true", help="show where in hlsc an error arose")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for module in _COMMANDS.values():
        module.add(commands)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code and never raises but for --help and wrong options."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.command is None:
        parser.print_help()
        return 2
    try:
        return _COMMANDS[options.command].run(options)
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
