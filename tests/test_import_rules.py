# SPDX-License-Identifier: Apache-2.0
"""The import rules of the three packages, read from the source with `ast`: nothing is imported.

The rules keep each package usable alone: the reference stays readable without the rest, the compiler
serves any C++, a board needs numpy and pynq only, and the virtual board can not share a driver's error.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE_ROOTS = ("host", "compiler", "rtl_sim")
OURS = ("convloom", "hlsc", "vboard")
COMMAND_LINE = ("convloom.cli", "convloom.__main__", "convloom.commands")


@dataclass(frozen=True)
class Rule:
    """Modules below `subject`, but those below `exempt`, must not import anything below `forbidden`.

    What lies below `allowed` may be imported although it lies below `forbidden`.
    """

    subject: str
    forbidden: tuple[str, ...]
    why: str
    allowed: tuple[str, ...] = ()
    exempt: tuple[str, ...] = ()


RULES = (
    Rule(
        "convloom.reference",
        OURS,
        "the reference defines what is correct and leans on nothing that it judges",
        allowed=("convloom.reference", "convloom.layer", "convloom.errors"),
    ),
    Rule(
        "convloom.layer",
        OURS,
        "the reference imports it, so it must not bring in what the reference may not",
        allowed=("convloom.layer", "convloom.errors"),
    ),
    Rule("convloom.errors", OURS, "everything imports it", allowed=("convloom.errors",)),
    Rule("hlsc", ("convloom", "vboard", "pynq"), "the compiler serves any C++"),
    Rule(
        "convloom",
        ("hlsc", "vboard"),
        "a board has neither compiler nor simulator; only the command line reaches them",
        exempt=COMMAND_LINE,
    ),
    Rule("convloom", COMMAND_LINE, "the library does not call its own command", exempt=COMMAND_LINE),
    Rule(
        "vboard",
        ("convloom",),
        "the virtual board knows the register table and the kernels' artefacts, never the driver",
        allowed=("convloom.kernels", "convloom.errors"),
    ),
)

# Third parties that convloom may import when a module loads: a board has nothing else.
BASE_INSTALL = ("numpy", "tomli", "pynq")

# What the compiler must not even name in code: comments and docstrings may give examples. The name of
# the distribution, "convloom", is needed to say what to install.
FOREIGN_TO_HLSC = re.compile(r"convol|conv2d|winograd|im2col|gemm|systolic|pynq|vboard|zynq", re.I)


def below(module: str, prefixes: tuple[str, ...]) -> bool:
    """Whether `module` is one of `prefixes` or inside one."""
    return any(module == p or module.startswith(p + ".") for p in prefixes)


def modules(root: Path) -> dict[str, Path]:
    """Dotted name of every module below the source roots → its file."""
    found = {}
    for source_root in SOURCE_ROOTS:
        base = root / source_root
        for package in OURS:
            for path in sorted((base / package).rglob("*.py")):
                parts = path.relative_to(base).with_suffix("").parts
                found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(name: str, path: Path) -> Iterator[tuple[int, str, bool]]:
    """(line, module or module.name, at load time) of every import in a file, dynamic ones included."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]

    def walk(node: ast.AST, load: bool) -> Iterator[tuple[int, str, bool]]:
        checked_only = isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or checked_only:
            load = False
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name, load
        elif isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                source = ".".join([*above, *([source] if source else [])])
            for alias in node.names:  # a name may be a submodule: `from convloom import driver`
                yield node.lineno, f"{source}.{alias.name}", load
        elif isinstance(node, ast.Call):
            dynamic = ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__")
            if dynamic and node.args and isinstance(node.args[0], ast.Constant):
                yield node.lineno, str(node.args[0].value), load
        for child in ast.iter_child_nodes(node):
            yield from walk(child, load)

    yield from walk(ast.parse(path.read_text(encoding="utf-8")), True)


def violations(root: Path) -> list[str]:
    """One line per broken rule: file, line, what is imported, why it must not be."""
    found = []
    for name, path in modules(root).items():
        where = path.relative_to(root).as_posix()
        for line, target, load in imports(name, path):
            for rule in RULES:
                if not below(name, (rule.subject,)) or below(name, rule.exempt):
                    continue
                if below(target, rule.forbidden) and not below(target, rule.allowed):
                    found.append(f"{where}:{line}: {name} must not import {target}: {rule.why}")
            top = target.partition(".")[0]
            known = top in OURS or top in BASE_INSTALL or top in sys.stdlib_module_names
            if load and not known and below(name, ("convloom",)):
                found.append(
                    f"{where}:{line}: {name} must import {top} inside the function that needs it: "
                    f"a base install has only {', '.join(BASE_INSTALL)}"
                )
        if below(name, ("hlsc",)):
            found += [f"{where}:{line}: hlsc must not know of {word!r}" for line, word in foreign(path)]
    return found


def foreign(path: Path) -> Iterator[tuple[int, str]]:
    """(line, word) of what the compiler must not know, but for docstrings, comments and imports."""
    text = path.read_text(encoding="utf-8")
    skipped: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.stmt) and (docstring or isinstance(node, ast.Import | ast.ImportFrom)):
            skipped.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT or token.start[0] in skipped:
            continue
        if match := FOREIGN_TO_HLSC.search(token.string):
            yield token.start[0], match.group()


def test_sources_obey_the_rules() -> None:
    assert {"convloom.layer", "hlsc.ir", "vboard"} <= set(modules(ROOT))
    assert violations(ROOT) == []


SEEDED = (
    ("host/convloom/reference/direct.py", "from convloom.lowering import lower\n", "convloom.lowering"),
    ("host/convloom/reference/direct.py", "from ..kernels import load_kernel\n", "convloom.kernels"),
    (
        "host/convloom/reference/__init__.py",
        "from . import driver\nfrom .. import driver\n",
        "convloom.driver",
    ),
    ("host/convloom/layer/conv.py", "import convloom.lowering\n", "convloom.lowering"),
    ("compiler/hlsc/csim.py", "import convloom.layer\n", "convloom.layer"),
    ("compiler/hlsc/csim.py", "def f() -> None:\n    import pynq.lib\n", "pynq.lib"),
    ("compiler/hlsc/csim.py", "import vboard\n", "vboard"),
    ("compiler/hlsc/csim.py", "TOP = 'gemm_systolic'\n", "gemm"),
    ("host/convloom/driver.py", "def f() -> None:\n    from hlsc import csim\n", "hlsc.csim"),
    (
        "host/convloom/driver.py",
        "import importlib\nimportlib.import_module('vboard.server')\n",
        "vboard.server",
    ),
    ("host/convloom/driver.py", "from .commands import levels\n", "convloom.commands"),
    ("host/convloom/driver.py", "import matplotlib.pyplot as plt\n", "matplotlib"),
    ("host/convloom/commands/run.py", "import PIL.Image\n", "PIL"),
    ("rtl_sim/vboard/server.py", "from convloom import driver\n", "convloom.driver"),
    ("rtl_sim/vboard/server.py", "from convloom.driver import ConvOverlay\n", "convloom.driver"),
)


@pytest.mark.parametrize(("file", "text", "named"), SEEDED)
def test_a_seeded_violation_is_found(tmp_path: Path, file: str, text: str, named: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(text)
    found = violations(tmp_path)
    assert len(found) == 1 and named in found[0] and file in found[0]


def test_what_the_rules_allow_passes(tmp_path: Path) -> None:
    for file, text in (
        (
            "host/convloom/reference/direct.py",
            "from convloom.layer import ConvLayer\nfrom . import gemm\n",
        ),
        ("host/convloom/commands/levels.py", "def f() -> None:\n    from hlsc.csim import Kernel\n"),
        ("host/convloom/driver.py", "import numpy as np\nimport pynq\nfrom .layer import ConvLayer\n"),
        ("compiler/hlsc/csim.py", '"""Runs a kernel, gemm_systolic for one."""\nimport llvmlite\n'),
        ("rtl_sim/vboard/server.py", "from convloom.kernels import load_kernel\nimport hlsc.rtlsim\n"),
    ):
        path = tmp_path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert violations(tmp_path) == []
