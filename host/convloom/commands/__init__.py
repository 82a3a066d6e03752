# SPDX-License-Identifier: Apache-2.0
"""The subcommands of `convloom`; only these modules may reach compiler and simulators.

A command is a module with `NAME`, `HELP`, `configure(parser)` and `run(args) -> exit code`; its
docstring is its help. `COMMANDS` lists them in the order of `convloom --help`.
"""

from __future__ import annotations

import argparse
from typing import Protocol

from convloom.commands import bench, board, conv, doctor, run

__all__ = ["COMMANDS", "Command"]


class Command(Protocol):
    """What the command line needs of a command's module."""

    NAME: str
    HELP: str
    __doc__: str | None

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the command's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it; returns the exit code."""


COMMANDS: tuple[Command, ...] = (conv, run, bench, board, doctor)
