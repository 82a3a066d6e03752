# SPDX-License-Identifier: Apache-2.0
"""C-simulation: every kind of argument, and every check shown to fail on a kernel with that defect."""

from __future__ import annotations

import functools
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from hlsc import csim_wire as wire
from hlsc.csim import CsimError, Kernel, as_signed
from hlsc.errors import HlscError, ToolError

KERNELS = Path(__file__).parent / "csim"
TOOLS = [("shim", "clang"), ("xilinx", "clang"), ("xilinx", "g++")]
DEFECTS = dict(
    (name, i)
    for i, name in enumerate(
        "none no_last keep leaves_input reads_empty leaves_internal state crash hang out_of_bounds "
        "overflow slow".split()
    )
)
FIRST = np.array([0, 1, 2, 2**64 - 1, 5], np.uint64)
SECOND = np.arange(3)


@functools.cache
def scale_add(headers: str, compiler: str, sanitize: bool = False) -> Kernel:
    source = KERNELS / "scale_add.cpp"
    return Kernel([source], "scale_add", headers=headers, compiler=compiler, sanitize=sanitize)


@functools.cache
def shapes(top: str, headers: str = "shim", compiler: str = "clang") -> Kernel:
    return Kernel([KERNELS / "shapes.cpp"], top, headers=headers, compiler=compiler)


def run(kernel: Kernel, defect: str = "none", **options: object):
    scalars = {"beats": 8, "addend": -1, "defect": DEFECTS[defect]}
    return kernel.run({"in0": [FIRST, SECOND]}, scalars, **options)


@pytest.fixture(params=TOOLS, ids="-".join)
def kernel(request: pytest.FixtureRequest) -> Kernel:
    return scale_add(*request.param)


@pytest.mark.parametrize("isolated", [True, False])
def test_streams_and_scalars(kernel: Kernel, isolated: bool) -> None:
    result = run(kernel, isolated=isolated)
    first, second = result.streams["out"]
    assert first.dtype == np.uint64
    np.testing.assert_array_equal(first, FIRST - np.uint64(1))
    np.testing.assert_array_equal(second, np.array([2**64 - 1, 0, 1], np.uint64))
    assert result.scalars == {"status": -8, "count": 8}
    assert list(result.streams) == ["out"]
    assert result.seconds > 0


def test_names_and_kinds_of_parameters(kernel: Kernel) -> None:
    assert [(p.name, p.kind, p.width, p.signed) for p in kernel.parameters] == [
        ("in0", "axis", 64, False),
        ("out", "axis", 64, False),
        ("beats", "value", 32, False),
        ("addend", "value", 12, True),
        ("defect", "value", 4, False),
        ("status", "pointer", 32, True),
        ("count", "reference", 16, False),
    ]


@pytest.mark.parametrize(
    "defect, complaint",
    [
        ("no_last", r"last beat of stream out must carry TLAST, but 3 beats dangle .* last of 1 TLAST"),
        ("keep", r"TKEEP of stream out must be all ones, but is not in 1 of 8 beats, first in beat 2"),
        ("leaves_input", r"input stream in0 must be read to its end, but 3 of 8 beats are left"),
        ("reads_empty", r"in0.*empty"),
        ("leaves_internal", r"internal stream between must be empty at the end"),
        (
            "state",
            r"answer alike: beat 0 of transfer 0 of stream out is 0xf+ in the first call and 0x0 in",
        ),
        ("crash", r"SIGSEGV"),
    ],
)
def test_defect_is_caught(kernel: Kernel, defect: str, complaint: str) -> None:
    with pytest.raises(CsimError, match=complaint):
        run(kernel, defect)


def test_state_goes_unseen_when_called_once(kernel: Kernel) -> None:
    assert run(kernel, "state", twice=False).scalars["count"] == 8


def test_a_hanging_kernel_is_stopped() -> None:
    kernel = scale_add(*TOOLS[0])
    start = time.monotonic()
    with pytest.raises(HlscError, match=r"scale_add.* must end within 0.5 s"):
        run(kernel, "hang", timeout=0.5)
    assert time.monotonic() - start < 10


def test_a_run_in_this_process_that_takes_too_long_is_left_behind() -> None:
    kernel = scale_add(*TOOLS[0])
    with pytest.raises(CsimError, match=r"scale_add must end within 0\.3 s"):
        run(kernel, "slow", timeout=0.3, isolated=False)
    # Its place is taken, so this one gets a process of its own.
    assert run(kernel, isolated=False).scalars["count"] == 8


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("width", [1, 5, 8, 12, 16, 31, 33, 63, 64])
def test_words_up_to_64_bits(width: int, signed: bool) -> None:
    low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
    values = np.array([low, high, 0, high // 3], np.int64 if signed else np.uint64)
    raw = wire.to_words("x", values, width, signed)
    assert len(raw) == 4 * ((width + 7) // 8)
    np.testing.assert_array_equal(wire.from_words(raw, width, signed), values)
    for bad in (low - 1, high + 1):
        if -(2**63) <= bad < 2**64:
            with pytest.raises(
                CsimError, match=f"x must be in {low}..{high} .{width} bits., not {bad}"
            ):
                wire.to_words("x", np.array([bad], np.uint64 if bad > 0 else np.int64), width, signed)


def test_words_beyond_64_bits() -> None:
    values = np.random.default_rng(0).integers(0, 256, (5, 13), np.uint8)
    raw = wire.to_words("x", values, 100, False)
    np.testing.assert_array_equal(wire.from_words(raw, 100, False), values)
    with pytest.raises(CsimError, match="x must be uint8 with a last axis of 13 for words of 100 bits"):
        wire.to_words("x", values[:, :12], 100, False)


def test_internal_streams_have_high_water_marks() -> None:
    result = run(scale_add("shim", "clang"))
    assert result.high_water["between"] == 1
    assert result.high_water["out"] == 8


@pytest.mark.parametrize(
    "tools",
    [
        pytest.param(TOOLS[0], id="shim-clang"),
        pytest.param(TOOLS[2], id="xilinx-g++", marks=pytest.mark.nightly),
    ],
)
def test_sanitizers_report(tools: tuple[str, str]) -> None:
    kernel = scale_add(*tools, sanitize=True)
    assert run(kernel).scalars["count"] == 8
    # UBSan sees the bad index first where both look.
    with pytest.raises(CsimError, match=r"(?s)(out of bounds|AddressSanitizer).*"):
        run(kernel, "out_of_bounds")
    with pytest.raises(
        CsimError, match=r"scale_add.cpp:\d+:\d+: runtime error: signed integer overflow"
    ):
        run(kernel, "overflow")


@pytest.mark.parametrize("tools", [TOOLS[0], TOOLS[2]], ids="-".join)
def test_wide_beats_and_signed_axis(tools: tuple[str, str]) -> None:
    beats = np.random.default_rng(1).integers(0, 256, (3, 16), np.uint8)
    (out,) = shapes("wide", *tools).run({"in": [beats]}).streams["out"]
    np.testing.assert_array_equal(out, beats.reshape(-1).view("<u4"))
    (same,) = shapes("wide", *tools).run({"in": [beats.view(np.uint64)]}).streams["out"]
    np.testing.assert_array_equal(out, same)


@pytest.mark.parametrize("tools", [TOOLS[0], TOOLS[2]], ids="-".join)
def test_arrays_wide_scalars_and_the_return_value(tools: tuple[str, str]) -> None:
    big = 3 * 10**29
    arrays = {
        "a": np.array([1, -2, 3, 4]),
        "b": np.array([0, 15, -15, 3], np.int8),
        "matrix": np.arange(6, dtype=np.int16).reshape(2, 3),
    }
    kernel = shapes("shapes::arrays", *tools)
    result = kernel.run(scalars={"flip": 1, "big": big}, arrays=arrays)
    assert result.scalars == {"twice_big": 2 * big % 2**100, "return": -6}
    np.testing.assert_array_equal(result.arrays["b"], [0, -15, 15, -3])
    assert result.arrays["b"].dtype == np.int8
    np.testing.assert_array_equal(result.arrays["matrix"], 11 * arrays["matrix"])
    np.testing.assert_array_equal(arrays["matrix"], np.arange(6).reshape(2, 3))  # copied


def test_streams_without_tlast() -> None:
    kernel = shapes("plain")
    (out,) = kernel.run({"in": [np.array([-256, 255]), np.array([0])]}, {"n": 3}).streams["out"]
    assert out.tolist() == [2**32 - 512, 510, 0]
    assert as_signed(out, 32).tolist() == [-512, 510, 0]
    assert kernel.run({"in": []}, {"n": 0}).streams["out"] == []


@pytest.mark.parametrize(
    "streams, scalars, complaint",
    [
        ({"inn": []}, {}, "plain must have an argument inn; it has in, out, n"),
        ({"in": []}, {}, "argument n must be given"),
        ({"in": []}, {"n": 1 << 31}, "argument n must be in -2147483648..2147483647"),
        ({"in": [np.array([512])]}, {"n": 1}, r"transfer 0 of stream in must be in -256..511"),
        (
            {"in": [np.array([0.5])]},
            {"n": 1},
            "transfer 0 of stream in must hold integers, not float64",
        ),
        ({"in": [np.zeros(0, int)]}, {"n": 1}, "must have at least one beat"),
        ({"in": np.zeros((1, 3), int)}, {"n": 1}, "must be given as a list of transfers"),
        ({"n": [np.array([1])]}, {}, "argument n must be a stream"),
        ({}, {"in": 3, "n": 1}, "argument in must be given in streams"),
        ({}, {"n": 1}, "stream 'in' must hold an element"),
    ],
)
def test_wrong_arguments_are_refused(streams: dict, scalars: dict, complaint: str) -> None:
    with pytest.raises(CsimError, match=complaint):
        shapes("plain").run(streams, scalars)


def test_wrong_kernels_are_refused() -> None:
    source = KERNELS / "shapes.cpp"
    with pytest.raises(CsimError, match=r"argument in must be a stream, an integer.* not .*Pair"):
        Kernel([source], "structured")
    with pytest.raises(HlscError, match="top must be a function in the sources, not nothing"):
        Kernel([source], "nothing")
    with pytest.raises(HlscError, match=r"source must be a file, not .*missing\.cpp"):
        Kernel([KERNELS / "missing.cpp"], "f")
    with pytest.raises(HlscError, match="must be clang with the shim"):
        Kernel([source], "plain", compiler="g++")


def test_a_changed_header_causes_a_new_build(tmp_path: Path) -> None:
    for name in ("shapes.cpp", "shapes.h"):
        shutil.copy(KERNELS / name, tmp_path)
    make = functools.partial(Kernel, [tmp_path / "shapes.cpp"], "shapes::arrays")
    one = make()
    assert make().directory == one.directory
    header = tmp_path / "shapes.h"
    header.write_text(header.read_text().replace("10", "20"))
    two = make()
    assert two.directory != one.directory
    arrays = {"a": np.zeros(4, int), "b": np.zeros(4, int), "matrix": np.zeros((2, 3), int)}
    result = two.run(scalars={"flip": 0, "big": 0}, arrays=arrays)
    assert result.arrays["matrix"].max() == 20 * 5


def test_a_compile_error_shows_file_and_line(tmp_path: Path) -> None:
    source = tmp_path / "bad.cpp"
    source.write_text("void bad(int *x) {\n  *x = y;\n}\n")
    with pytest.raises(ToolError, match=r"(?s)compiling bad.cpp: clang failed.*bad\.cpp:2:8: error"):
        Kernel([source], "bad")


def test_several_sources_and_defines(tmp_path: Path) -> None:
    (tmp_path / "part.cpp").write_text("int half(int x) { return x / HALF; }\n")
    top = tmp_path / "top.cpp"
    top.write_text("int half(int);\nvoid top(int x, int *y) { *y = half(x); }\n")
    kernel = Kernel([tmp_path / "part.cpp", top], "top", defines={"HALF": 2})
    assert kernel.run(scalars={"x": -9}).scalars == {"y": -4}
