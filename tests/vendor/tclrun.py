# SPDX-License-Identifier: Apache-2.0
"""Runs Tcl scripts in a real Tcl interpreter, with the commands of a vendor tool played in Python."""

from __future__ import annotations

import functools
import importlib.util
import shutil
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest

RECORDER = Path(__file__).with_name("recorder.tcl")
SECONDS = 60
# Python's own Tcl as a tclsh: no window is made, and `exit` is given back to it.
_TKINTER = """
import os, sys, tkinter
t = tkinter.Tcl()
t.createcommand("exit", lambda code="0": (t.eval("flush stdout"), os._exit(int(code))))
t.setvar("argv", sys.argv[2:])
t.eval("source {" + sys.argv[1] + "}")
"""


class Refusal(Exception):
    """What a vendor tool would not take."""


class Tool(Protocol):
    """A vendor tool: takes the words of a command, gives its result or raises Refusal."""

    def call(self, words: list[str]) -> str: ...


@dataclass
class Run:
    """How a script ended: exit code, what it printed, and the commands in order."""

    code: int
    stderr: str
    commands: list[list[str]] = field(default_factory=list)


@functools.lru_cache
def interpreters() -> tuple[tuple[str, ...], ...]:
    """The Tcl interpreters that are here: tclsh, and the one inside Python, where it was built in."""
    found: list[tuple[str, ...]] = []
    if tclsh := shutil.which("tclsh") or shutil.which("tclsh8.6"):
        found.append((tclsh,))
    if importlib.util.find_spec("_tkinter"):
        found.append((sys.executable, "-c", _TKINTER))
    return tuple(found)


def tcl_argv() -> tuple[str, ...]:
    """The first interpreter.

    A test is skipped, which CI forbids, where tclsh is missing and Python was built without tkinter.
    """
    if not interpreters():
        pytest.skip("no Tcl interpreter: apt install tcl (or python3-tk)")
    return interpreters()[0]


def _decode(word: str) -> str:
    return bytes.fromhex(word[1:]).decode("utf-8")


def run_script(script: str, folder: Path, tool: Tool, argv: tuple[str, ...] | None = None) -> Run:
    """Run `script` with `folder` as the working directory; the run has SECONDS to end."""
    process = subprocess.Popen(
        [*(argv or tcl_argv()), str(RECORDER), script],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdin and process.stdout and process.stderr
    limit = threading.Timer(SECONDS, process.kill)
    limit.start()
    commands: list[list[str]] = []
    try:
        for line in process.stdout:
            if not line.startswith("\x01"):
                continue
            words = [_decode(w) for w in line[1:].split()]
            commands.append(words)
            try:
                kind, answer = "ok", tool.call(words)
            except Refusal as refusal:
                kind, answer = "error", str(refusal)
            process.stdin.write(f"{kind} x{answer.encode().hex()}\n")
            process.stdin.flush()
        stderr = process.stderr.read()
        return Run(process.wait(), stderr, commands)
    finally:
        limit.cancel()
        process.kill()
        process.communicate()
