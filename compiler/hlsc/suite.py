# SPDX-License-Identifier: Apache-2.0
"""Checkouts of HLS examples through co-simulation: what passes, what is refused and why, what is wrong.

A case is a directory with `hls_config.cfg` or `run_hls.tcl`, or a line of a list file (the arguments of
`hlsc cosim`, relative to the list).  Each runs in a copy of the checkout and in a process of its own,
so that neither a crash nor what a bench writes reaches anything else.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hlsc import toolchain
from hlsc.errors import HlscError
from hlsc.testbench import is_source

__all__ = ["VERDICTS", "Case", "Outcome", "find_cases", "run_suite"]

VERDICTS = ("pass", "refused", "wrong", "crash", "timeout")
"""refused: hlsc says that it does not take the sources; wrong: the bench or the comparison fails;
crash: hlsc itself fails."""

_CONFIGS = ("hls_config.cfg", "run_hls.tcl")


@dataclass(frozen=True)
class Case:
    """One example: `argv` are the arguments of `hlsc cosim`, relative to `folder`.

    directives: lines for a directive file.  problem: why it can not be run (then it is refused).
    """

    name: str
    folder: Path
    argv: tuple[str, ...] = ()
    directives: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a case; `reason` is the first line of what hlsc said."""

    name: str
    verdict: str
    reason: str = ""
    seconds: float = 0.0


@dataclass
class _Project:
    """What a configuration file says."""

    top: str = ""
    sources: list[str] = field(default_factory=list)
    benches: list[str] = field(default_factory=list)
    cflags: list[str] = field(default_factory=list)
    clock: str = ""
    directives: list[str] = field(default_factory=list)


def find_cases(root: Path) -> list[Case]:
    """The cases below a directory, or those of a list file."""
    if root.is_file():
        return list(_listed(root))
    if not root.is_dir():
        raise HlscError(f"a suite must be a directory or a list file, not {root}")
    folders: dict[Path, Path] = {}
    for name in reversed(_CONFIGS):  # the cfg file wins
        for path in root.rglob(name):
            folders[path.parent] = path
    if not folders:
        raise HlscError(f"{root} must hold {' or '.join(_CONFIGS)} in some directory")
    return [_case(str(f.relative_to(root)), path) for f, path in sorted(folders.items())]


def _listed(path: Path) -> Iterator[Case]:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            raise HlscError(f"{path}:{number}: a line must be well quoted: {error}") from None
        if words:
            yield Case(f"{path.name}:{number}", path.absolute().parent, tuple(words))


def _case(name: str, path: Path) -> Case:
    folder = path.absolute().parent
    try:
        project = _cfg(path) if path.suffix == ".cfg" else _tcl(path)
    except ValueError as error:
        return Case(name, folder, problem=f"its compiler flags must be well quoted: {error}")
    if not project.top or not project.sources:
        return Case(name, folder, problem="its configuration names no top or no sources")
    benches = [b for b in dict.fromkeys(project.benches) if is_source(Path(b))]
    if not benches:
        return Case(name, folder, problem="it has no test bench")
    sources = [s for s in dict.fromkeys(project.sources) if is_source(Path(s))]
    data = [b for b in project.benches if not is_source(Path(b))]
    where = Path(data[0]) if data else Path(benches[0])
    place = where if _opens_inside(folder, benches, where) else where.parent
    argv = [*sources, "--top", project.top, "--tb", *benches, "--data", str(place)]
    flags = iter(project.cflags)
    for flag in flags:
        if flag[:2] in ("-I", "-D"):
            argv += [flag[:2], flag[2:] or next(flags, "")]
    if project.clock:
        argv += ["--clock", project.clock]
    return Case(name, folder, tuple(argv), tuple(project.directives))


def _opens_inside(folder: Path, benches: Sequence[str], data: Path) -> bool:
    """Whether a bench names the files of a data directory without that directory's name."""
    if not (folder / data).is_dir():
        return False
    texts = [(folder / b).read_text(errors="replace") for b in benches if (folder / b).is_file()]
    return not any(f"{data.name}/" in t for t in texts)


def _period(text: str) -> str:
    """Clock period in ns from 4, 4ns or 250MHz; "" for what is neither."""
    m = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*(ns|MHz|)", text.strip(), re.I)
    value = float(m.group(1)) if m else 0
    if not m or not value:
        return ""
    return f"{1000 / value if m.group(2).lower() == 'mhz' else value:g}"


def _cfg(path: Path) -> _Project:
    project = _Project()
    for line in path.read_text(errors="replace").splitlines():
        key, _, value = (x.strip() for x in line.partition("="))
        if key == "syn.file":
            project.sources.append(value)
        elif key == "tb.file":
            project.benches.append(value)
        elif key == "syn.top":
            project.top = value
        elif key == "clock":
            project.clock = _period(value)
        elif key in ("syn.cflags", "tb.cflags"):
            project.cflags += shlex.split(value)
        elif key in ("syn.file_cflags", "tb.file_cflags"):
            project.cflags += shlex.split(value.partition(",")[2])
        elif key.startswith("syn.directive."):
            project.directives.append(line.strip())
    return project


def _tcl(path: Path) -> _Project:
    """A flat reading of the first project: variables that are set once are known, conditions are not
    evaluated."""
    project = _Project()
    variables: dict[str, str] = {}
    text = path.read_text(errors="replace").replace("\\\n", " ")
    for line in text.splitlines():
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        stripped = re.sub(r"\$\{?(\w+)\}?", lambda m: variables.get(m.group(1), m.group()), stripped)
        words = ["".join(m) for m in re.findall(r'\{([^{}]*)\}|"([^"]*)"|([^\s;{}"]+)', stripped)]
        command, rest = words[0] if words else "", words[1:]
        if command in ("open_component", "open_project") and project.sources:
            break  # the same example another way
        if command == "set" and len(rest) == 2:
            variables[rest[0]] = rest[1]
        elif command == "add_files":
            _add_files(project, rest)
        elif command == "set_top" and rest and not project.top:
            project.top = rest[0]
        elif command == "create_clock" and "-period" in rest[:-1]:
            project.clock = _period(rest[rest.index("-period") + 1])
        elif command.startswith("set_directive_"):
            project.directives.append(stripped)
    return project


def _add_files(project: _Project, words: Sequence[str]) -> None:
    bench, files, i = False, list[str](), 0
    while i < len(words):
        if words[i] == "-tb":
            bench = True
        elif words[i] in ("-cflags", "-csimflags"):
            i += 1
            project.cflags += shlex.split(words[i]) if i < len(words) else []
        elif not words[i].startswith("-"):
            files += words[i].split()
        i += 1
    (project.benches if bench else project.sources).extend(files)


# ----------------------------------------------------------------------------------------- running


def run_suite(
    root: Path,
    *,
    stall: str = "none",
    timeout: float = 120,
    jobs: int = 0,
    only: str = "",
) -> Iterator[Outcome]:
    """Run the cases whose name holds `only`, `jobs` at a time (0: one per processor); as they end.

    HlscError if there is none.
    """
    if jobs < 0:
        raise HlscError(f"--jobs must be 0 or more, not {jobs}")
    there = find_cases(root)
    cases = [c for c in there if only in c.name]
    if not there:
        raise HlscError(f"{root} must hold at least one case")
    if not cases:
        raise HlscError(
            f"--only must be part of the name of one of {len(there)} cases, such as {there[0].name}, "
            f"not {only!r}"
        )
    base = root if root.is_dir() else root.parent
    with tempfile.TemporaryDirectory(prefix="hlsc-suite-") as work:
        copy = Path(work, "checkout")
        shutil.copytree(base, copy, symlinks=True, ignore=shutil.ignore_patterns(".git"))
        with concurrent.futures.ThreadPoolExecutor(jobs or os.cpu_count()) as pool:
            runs = [pool.submit(_run, c, base.absolute(), copy, stall, timeout) for c in cases]
            for run in concurrent.futures.as_completed(runs):
                yield run.result()


def _run(case: Case, base: Path, copy: Path, stall: str, timeout: float) -> Outcome:
    if case.problem:
        return Outcome(case.name, "refused", case.problem)
    folder = copy / case.folder.relative_to(base)
    argv = list(case.argv)
    if case.directives:
        tcl = case.directives[0].startswith("set_")
        path = folder / ("hlsc_directives.tcl" if tcl else "hlsc_directives.cfg")
        path.write_text("\n".join(case.directives) + "\n")
        argv += ["--directives", path.name]
    out = toolchain.run(
        [sys.executable, "-m", "hlsc", "cosim", *argv, "--stall", stall, "--json"],
        what=case.name,
        cwd=folder,
        timeout=timeout,
        check=False,
        raise_timeout=False,
    )
    return _judge(case.name, out)


def _judge(name: str, out: toolchain.Output) -> Outcome:
    lines = out.stderr.strip().splitlines()
    said = next((x for x in lines if x.startswith("error: ")), lines[-1] if lines else "")
    said = said.removeprefix("error: ")
    if out.timed_out:
        return Outcome(name, "timeout", f"did not end within {out.seconds:.0f} s", out.seconds)
    try:
        found: Mapping[str, object] = json.loads(out.stdout)
    except ValueError:
        verdict = "refused" if out.code == 1 and "error: " in out.stderr else "crash"
        return Outcome(name, verdict, said or toolchain.ending(out.code), out.seconds)
    problems = found["problems"]
    assert isinstance(problems, list)
    if found["passed"]:
        return Outcome(name, "pass", "", out.seconds)
    return Outcome(name, "wrong", str(problems[0]), out.seconds)
