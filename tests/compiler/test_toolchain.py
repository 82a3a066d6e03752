# SPDX-License-Identifier: Apache-2.0
"""Calling tools, and the build cache."""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from pathlib import Path

import pytest

from hlsc import toolchain
from hlsc.errors import ToolError


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CONVLOOM_BUILD", str(tmp_path / "build"))
    return tmp_path / "build"


def test_run_returns_output_and_sets_the_environment() -> None:
    code = "import os, sys; print(os.environ['LOOM']); print('e', file=sys.stderr)"
    out = toolchain.run([sys.executable, "-c", code], what="testing", env={"LOOM": "x"})
    assert (out.stdout, out.stderr, out.code) == ("x\n", "e\n", 0)
    assert out.seconds > 0


def test_a_failure_carries_what_the_tool_printed() -> None:
    code = "import sys; print('the reason', file=sys.stderr); sys.exit(3)"
    with pytest.raises(ToolError, match=r"testing: python\S* failed with exit code 3\nthe reason"):
        toolchain.run([sys.executable, "-c", code], what="testing")
    assert toolchain.run([sys.executable, "-c", code], what="testing", check=False).code == 3


def test_a_signal_is_named() -> None:
    code = "import os; os.kill(os.getpid(), 11)"
    with pytest.raises(ToolError, match="was ended by SIGSEGV"):
        toolchain.run([sys.executable, "-c", code], what="testing")


def test_a_long_output_is_cut() -> None:
    code = "import sys; print('\\n'.join(map(str, range(1000))), file=sys.stderr); sys.exit(1)"
    with pytest.raises(ToolError) as error:
        toolchain.run([sys.executable, "-c", code], what="testing")
    assert len(str(error.value).splitlines()) < 100
    assert "more lines" in str(error.value)


def test_time_limit_kills_children_too(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    child = f"import time, pathlib; time.sleep(2); pathlib.Path({str(mark)!r}).touch()"
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    start = time.monotonic()
    with pytest.raises(ToolError, match=r"must end within 0\.5 s"):
        toolchain.run([sys.executable, "-c", code], what="testing", timeout=0.5)
    assert time.monotonic() - start < 1.9
    time.sleep(2)
    assert not mark.exists()


def test_a_missing_program_is_one_line() -> None:
    with pytest.raises(ToolError, match=r"^testing: /nowhere must be a program, not No such file"):
        toolchain.run(["/nowhere"], what="testing")


def test_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolError, match=r"g\+\+ must be on PATH: apt-get install g\+\+"):
        toolchain.gxx.__wrapped__()
    with pytest.raises(ToolError, match=r"pip install 'convloom\[flow\]'"):
        toolchain._package("no_such_package", "flow")


def test_tools_are_found_and_have_versions() -> None:
    versions = toolchain.versions()
    assert versions["clang"].startswith("clang version 2")
    assert versions["g++"].startswith("g++ ")
    assert not any("missing" in v for v in versions.values())
    assert versions["verilator"].startswith("Verilator 5")


def test_digest_tells_values_apart(tmp_path: Path) -> None:
    file = tmp_path / "f"
    values: list[object] = [1, "1", b"1", None, [1], ["1", ""], ["", "1"], [[1]], {"a": 1}, {"a": 2}]
    values += [file, True, 1.5, ["a", "b"], ["ab"]]
    assert len({toolchain.digest(v) for v in values}) == len(values)
    before = toolchain.digest(file)
    file.write_text("x")
    assert toolchain.digest(file) != before
    assert toolchain.digest({"a": 1, "b": 2}) == toolchain.digest({"b": 2, "a": 1})
    folder = toolchain.digest(tmp_path)
    (tmp_path / "g").write_text("")
    assert toolchain.digest(tmp_path) != folder
    with pytest.raises(TypeError):
        toolchain.digest(object())


def test_cached_builds_once_per_content(build: Path, tmp_path: Path) -> None:
    header = tmp_path / "header.h"
    header.write_text("1")
    calls = []

    def make(work: Path) -> list[Path]:
        calls.append(work)
        (work / "out").write_text(header.read_text())
        return [header]

    one = toolchain.cached("kind", ["key"], make)
    assert one.parent == build / "kind"
    assert toolchain.cached("kind", ["key"], make) == one
    assert len(calls) == 1
    header.write_text("2")
    two = toolchain.cached("kind", ["key"], make)
    assert two != one
    assert (two / "out").read_text() == "2"
    assert toolchain.cached("kind", ["other"], make) not in (one, two)
    assert len(calls) == 3
    assert not [p for p in (build / "kind").iterdir() if p.name.startswith(".tmp")]


def test_a_failed_build_leaves_nothing(build: Path) -> None:
    def fail(work: Path) -> None:
        (work / "out").write_text("half")
        raise ToolError("no")

    with pytest.raises(ToolError, match="no"):
        toolchain.cached("kind", ["key"], fail)
    assert [p.name for p in (build / "kind").iterdir()] == [".deps"]
    done = toolchain.cached("kind", ["key"], lambda work: (work / "out").write_text("x") and None)
    assert (done / "out").read_text() == "x"


def test_a_source_edited_during_the_build_is_built_again(build: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("old")
    calls = []

    def make(work: Path) -> list[Path]:
        (work / "out").write_text(source.read_text())
        calls.append(1)
        if len(calls) == 1:
            time.sleep(0.02)
            source.write_text("new")
        time.sleep(0.02)
        return [source]

    assert (toolchain.cached("kind", [], make) / "out").read_text() == "new"


def _build_slowly(log: str) -> str:
    def make(work: Path) -> None:
        with open(log, "a") as stream:
            stream.write("built\n")
        time.sleep(0.3)
        (work / "out").write_text("x")

    return str(toolchain.cached("kind", ["parallel"], make))


def test_parallel_processes_build_once(build: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with multiprocessing.get_context("fork").Pool(3) as pool:
        results = pool.map_async(_build_slowly, [str(log)] * 3).get(30)
    assert len(set(results)) == 1
    assert log.read_text() == "built\n"


def test_build_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CONVLOOM_BUILD", raising=False)
    assert toolchain.build_root() == Path(__file__).resolve().parents[2] / "build"
    monkeypatch.setattr(toolchain, "_HERE", tmp_path / "lib" / "hlsc")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert toolchain.build_root() == tmp_path / "convloom"
    assert toolchain.cache_dir("k", 1).is_dir()


def test_depfile(tmp_path: Path) -> None:
    path = tmp_path / "x.d"
    path.write_text("x.o: /a/b.cpp /a/with\\ space.h \\\n /usr/include/c.h\n")
    files = toolchain.depfile(path, skip=[Path("/usr")])
    assert [os.fspath(f) for f in files] == ["/a/b.cpp", "/a/with space.h"]
