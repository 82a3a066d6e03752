# SPDX-License-Identifier: Apache-2.0
"""hlsc's ap_int.h, hls_stream.h and ap_axi_sdata.h, held against the open Xilinx headers.

The programs under shim/ print one hash per operator and pair of types; over both header sets they
must print the same.  To find what differs, run a program by hand as `program SEED "label"`.
"""

from __future__ import annotations

import importlib.util
import logging
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from hlsc import toolchain
from hlsc.errors import ToolError

SHIM = Path(__file__).resolve().parent / "shim"
STRICT = ("-Wall", "-Wextra", "-Werror")

needs_xilinx = pytest.mark.skipif(
    importlib.util.find_spec("hls4ml") is None,
    reason="the open Xilinx headers come with hls4ml: pip install 'convloom[dev]'",
)


def compiled(
    source: str, *flags: str, std: str = "c++11", xilinx: bool = False, opt: str = "-O0"
) -> Path:
    """The cached program of one file under shim/."""
    path = SHIM / source
    if xilinx:
        includes = toolchain.xilinx_include_dirs()
        warnings: Sequence[str] = ("-w",)
    else:
        includes = [toolchain.shim_include_dir()]
        warnings = STRICT
    args = [f"-std={std}", opt, *warnings, *(f"-I{d}" for d in includes), *flags]

    def build(directory: Path) -> list[Path]:
        deps = directory / "d"
        tool = toolchain.gxx() if xilinx else toolchain.clang()
        tool.run(
            [*args, "-MD", "-MF", deps, "-c", path, "-o", directory / "o"],
            what=f"compiling {source}",
            timeout=300,
        )
        toolchain.gxx().run(
            [directory / "o", "-o", directory / "program"], what=f"linking {source}", timeout=120
        )
        (directory / "o").unlink()
        files = toolchain.depfile(deps, skip=[Path("/usr")])
        deps.unlink()
        return files

    version = toolchain.gxx().version if xilinx else toolchain.clang().version
    return toolchain.cached("test-shim", [source, args, version, path], build) / "program"


def output(program: Path, *args: str) -> str:
    return toolchain.run([program, *args], what=f"running {program.parent.name}", timeout=120).stdout


def refusal(code: str, *flags: str) -> str:
    """What clang says about a function body; "" when it takes it."""
    key = ["refusal", code, flags, toolchain.clang().version]

    def build(directory: Path) -> list[Path]:
        source, deps = directory / "s.cpp", directory / "d"
        head = "#include <ap_int.h>\n#include <ap_axi_sdata.h>\n"
        source.write_text(f"{head}void f() {{\nap_int<8> s = 1; ap_uint<8> u = 2;\n{code}\n}}\n")
        flags_ = [f"-I{toolchain.shim_include_dir()}", "-std=c++11", "-fsyntax-only", *flags]
        result = toolchain.clang().run(
            [*flags_, "-MD", "-MF", deps, source], what="compiling a refusal", check=False
        )
        files = toolchain.depfile(deps, skip=[directory, Path("/usr")]) if deps.exists() else []
        errors = [line for line in result.stderr.splitlines() if "error:" in line]
        (directory / "text").write_text("\n".join(errors))
        assert (result.code != 0) == bool(errors)
        return files

    return (toolchain.cached("test-shim", key, build) / "text").read_text()


def same_on_both(source: str, part: int, seed: int) -> None:
    logging.getLogger(__name__).info("%s part %d seed %d", source, part, seed)
    define = f"-DPART={part}"
    with ThreadPoolExecutor(2) as pool:
        ours = pool.submit(compiled, source, define)
        theirs = pool.submit(compiled, source, define, xilinx=True)
        got = output(ours.result(), str(seed)).splitlines()
        want = output(theirs.result(), str(seed)).splitlines()
    assert len(want) > 100
    wrong = [f"{g}   Xilinx: {w}" for g, w in zip(got, want, strict=True) if g != w]
    assert not wrong, f"{source} part {part} seed {seed}:\n" + "\n".join(wrong[:20])


@needs_xilinx
@pytest.mark.parametrize("source", ["small.cpp", "wide.cpp", "single.cpp"])
def test_agrees_with_xilinx_headers(source: str, seed: int) -> None:
    """All pairs of values to 4 bits, random ones to 512, every operator and C integer."""
    same_on_both(source, 0, seed)


@needs_xilinx
@pytest.mark.nightly
@pytest.mark.parametrize("source", ["small.cpp", "wide.cpp", "single.cpp"])
def test_agrees_with_xilinx_headers_on_more_widths(source: str, seed: int) -> None:
    for more in range(5):
        same_on_both(source, 0, seed + 1 + more)
        same_on_both(source, 1, seed + more)


def test_the_comparison_can_fail() -> None:
    """Another seed gives other hashes, so equal ones mean equal results."""
    program = compiled("wide.cpp", "-DPART=0")
    one, other = output(program, "1").splitlines(), output(program, "2").splitlines()
    assert len(one) == len(other)
    assert sum(a != b for a, b in zip(one, other, strict=True)) > 0.7 * len(
        one
    )  # without the empty ones


@pytest.mark.parametrize("std", ["c++11", "c++20"])
def test_values_where_the_xilinx_headers_are_no_yardstick(std: str) -> None:
    assert output(compiled("values.cpp", std=std)) == "ok\n"


@pytest.mark.nightly
@pytest.mark.parametrize("std", ["c++14", "c++17"])
def test_values_under_every_standard(std: str) -> None:
    assert output(compiled("values.cpp", std=std, opt="-O2")) == "ok\n"


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("s = s / u;", "must be signed or both unsigned"),
        ("u = u % s;", "must be signed or both unsigned"),
        ("s /= u;", "must be signed or both unsigned"),
        ("u %= s;", "must be signed or both unsigned"),
        ("s = s / u(3, 0);", "must be signed or both unsigned"),
        ("s = s / 3u;", "must be signed or both unsigned"),
        ("s = 3 / s;", "the dividend must be an ap_int or ap_uint, not a C integer"),
        ("u(3, 0) |= s;", "a part select must be assigned as a whole"),
        ("if (ap_uint<65>(u)) s = 1;", "more than 64 bits must be compared"),
        ("(s + s, u) = 3;", "must be a variable, not a constant"),
        ("ap_int<0> z;", "at least 1 bit"),
        ("hls::axis<int> w; w.user = 1;", "no viable overloaded '='"),
        ("const ap_uint<8> c = 1; c(3, 0) = 1;", "no viable overloaded '='"),
    ],
)
def test_refused_at_compile_time(code: str, message: str) -> None:
    text = refusal(code)
    assert re.search(re.escape(message), text), text or "it compiles"


@pytest.mark.parametrize(
    "code", ["s = s / ap_int<9>(u);", "u = u / 3;", "u %= 5;", "s %= 5;", "s = 3 % s; u(3, 0) = 1;"]
)
def test_taken_at_compile_time(code: str) -> None:
    assert refusal(code) == ""


def test_ap_fixed_is_refused_with_a_reason() -> None:
    assert "ap_fixed and ap_ufixed are not supported" in refusal('}\n#include "ap_fixed.h"\nvoid g() {')


class TestStreams:
    def test_calls(self) -> None:
        output(compiled("streams.cpp"), "calls")

    def test_a_harness_hears_of_leftovers_and_high_water(self) -> None:
        lines = output(compiled("streams.cpp"), "ask").splitlines()
        call = [
            "stream 'fifo' must be empty at the end of its life, not hold 7 elements that nobody "
            "read (100 written, 93 read)",
            "fifo\t100\t93\t7\t100\t4\tgone",
            "stream of ap_uint<8> #1\t2\t2\t0\t2\t0\tgone",
        ]
        empty = (
            "stream 'fifo' must hold an element when it is read, not be empty (3 written, 3 read): "
            "the hardware would wait for ever"
        )
        assert lines == [*call, *call, "[]", empty]

    def test_read_when_empty_ends_a_test_bench(self) -> None:
        with pytest.raises(ToolError, match="stream 'fifo' must hold an element when it is read"):
            output(compiled("streams.cpp"), "empty")

    def test_leftovers_fail_a_test_bench_that_does_not_ask(self) -> None:
        with pytest.raises(ToolError, match=r"exit code 1\n.*stream 'fifo' must be empty .* hold 1 el"):
            output(compiled("streams.cpp"), "leftover")
        assert output(compiled("streams.cpp"), "clean") == ""


class TestSynthesis:
    """With __HLSC_SYNTH__ the headers are plain integers to LLVM."""

    FLAGS = ("-D__HLSC_SYNTH__", "-std=c++17", "-fno-rtti", "-fno-exceptions")

    def clang(self, *args: str) -> str:
        include = f"-I{toolchain.shim_include_dir()}"
        argv: list[str | Path] = [*self.FLAGS, *STRICT, include, *args, SHIM / "synth.cpp", "-o", "-"]
        return toolchain.clang().run(argv, what="compiling synth.cpp", timeout=120).stdout

    def test_no_standard_header(self) -> None:
        files = set(re.findall(r'^# \d+ "([^"<]+)"', self.clang("-E"), re.M))
        ours = {f for f in files if Path(f).is_relative_to(toolchain.shim_include_dir())}
        assert ours and files - ours == {str(SHIM / "synth.cpp")}

    def test_no_memory_calls_or_loops_are_left(self) -> None:
        text = self.clang("-O2", "-S", "-emit-llvm")
        bodies = re.findall(r"^define [^\n]*@(\w+)\([^\n]*\{\n(.*?)^\}", text, re.M | re.S)
        assert len(bodies) == 12
        for name, body in bodies:
            assert "alloca" not in body, f"{name}:\n{body}"
            assert not re.search(r"\bcall (?!.*@llvm\.bitreverse)", body), f"{name}:\n{body}"
            assert not re.search(r"^\s*br ", body, re.M), f"{name}:\n{body}"
        assert re.search(r"sdiv i10[01] ", text)
        assert re.search(r"table.* constant \[4 x ", text), "constant tables must be constants"
