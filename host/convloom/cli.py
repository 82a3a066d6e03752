# SPDX-License-Identifier: Apache-2.0
"""The command `convloom`: finds the subcommand, and turns every error into one line and an exit code.

Exit codes: 0 done; 1 the input can not be used or results differ; 70 a bug of ours; 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from convloom.commands import COMMANDS
from convloom.commands.levels import LevelError
from convloom.errors import ConvloomError

__all__ = ["main"]


class _UsageError(ConvloomError):
    """The command line itself is wrong."""


class _Parser(argparse.ArgumentParser):
    """Raises what argparse would print over several lines with exit code 2."""

    def error(self, message: str) -> NoReturn:
        raise _UsageError(f"{message}; see {self.prog} --help")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="convloom",
        description="int8 convolution layers: compute, simulate and run them on PYNQ boards",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True, dest="command")
    for command in COMMANDS:
        sub = commands.add_parser(
            command.NAME,
            help=command.HELP,
            description=command.__doc__,
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.configure(sub)
        sub.set_defaults(run=command.run)
    return parser


def _complain(text: str) -> None:
    print(f"convloom: {text}", file=sys.stderr)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with `argv` (default: the process's arguments); returns the exit code."""
    try:
        args = _parser().parse_args(argv)
        code = int(args.run(args))
        sys.stdout.flush()
        return code
    except LevelError as error:  # what a compiler or simulator printed may need its lines
        _complain(str(error))
        return 1
    except ConvloomError as error:
        _complain(" ".join(str(error).split()))
        return 1
    except BrokenPipeError:  # the reader has gone, as with `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _complain(f"{where}{error.strerror or error}")
        return 1
    except MemoryError:
        _complain("not enough memory for this layer; split it into smaller ones")
        return 1
    except KeyboardInterrupt:
        _complain("interrupted")
        return 130
    except Exception as error:  # a bug of ours; the user gets a line, and a way to the rest
        if os.environ.get("CONVLOOM_DEBUG", "") not in ("", "0"):
            raise
        text = " ".join(str(error).split())
        _complain(
            f"internal error: {type(error).__name__}: {text}; please report it with what "
            "CONVLOOM_DEBUG=1 prints"
        )
        return 70
