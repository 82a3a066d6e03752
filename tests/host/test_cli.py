# SPDX-License-Identifier: Apache-2.0
"""`convloom conv`: results against the reference, and every bad input as one line and exit code 1."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convloom.cli import main
from convloom.commands.ways import KERNELS
from convloom.kernels import kernel_names
from convloom.layer import ConvLayer, Requant
from convloom.reference import ALGORITHMS

LEVELS = ("reference", "csim")


class Files:
    """A folder with the tensors of one small legal layer, which tests spoil one by one."""

    def __init__(self, folder: Path, rng: np.random.Generator) -> None:
        self.folder = folder
        self.x = rng.integers(-128, 128, (2, 6, 5, 3), dtype=np.int8)
        self.w = rng.integers(-128, 128, (4, 3, 2, 3), dtype=np.int8)
        self.bias = rng.integers(-1000, 1000, 4, dtype=np.int32)
        self.requant = {
            "multiplier": [20000, 17000, 30000, 32767],
            "shift": [24, 23, 25, 22],
            "zero_point": -3,
            "clamp": [-100, 90],
        }
        self.output = folder / "y.npy"

    def write(self) -> None:
        for name in ("x", "w", "bias"):
            np.save(self.folder / f"{name}.npy", getattr(self, name))
        (self.folder / "q.json").write_text(json.dumps(self.requant))

    def argv(self, *more: str) -> list[str]:
        paths = {"--input": "x.npy", "--weights": "w.npy", "--bias": "bias.npy", "--output": "y.npy"}
        named = [word for option, name in paths.items() for word in (option, str(self.folder / name))]
        return ["conv", *named, *more]


@pytest.fixture
def files(tmp_path: Path, rng: np.random.Generator) -> Files:
    made = Files(tmp_path, rng)
    made.write()
    return made


GEOMETRY = ("--stride", "2", "1", "--pads", "1", "0", "2", "1", "--x-zero-point", "-7")
LAYER = ConvLayer(2, 6, 5, 3, 4, 3, 2, stride=(2, 1), pads=(1, 0, 2, 1), x_zero_point=-7)


@pytest.mark.parametrize("level", LEVELS)
def test_int32(files: Files, level: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(files.argv(*GEOMETRY, "--on", level)) == 0
    want = ALGORITHMS["direct"](LAYER, files.x, files.w, files.bias).y
    got = np.load(files.output)
    assert got.dtype == np.int32 and np.array_equal(got, want)
    assert LAYER.name in capsys.readouterr().out


@pytest.mark.parametrize("level", LEVELS)
def test_int8_with_json(files: Files, level: str, capsys: pytest.CaptureFixture[str]) -> None:
    argv = files.argv(*GEOMETRY, "--on", level, "--requant", str(files.folder / "q.json"), "--json")
    assert main(argv) == 0
    layer = replace(LAYER, requant=Requant.from_json(files.requant))
    want = ALGORITHMS["direct"](layer, files.x, files.w, files.bias).y
    got = np.load(files.output)
    assert got.dtype == np.int8 and np.array_equal(got, want)
    assert got.min() >= -100 and got.max() <= 90
    done = json.loads(capsys.readouterr().out)
    assert done["macs"] == layer.macs and done["on"] == level
    assert done["shape"] == list(layer.y_shape) and done["dtype"] == "int8"
    assert done["seconds"] >= 0
    if level == "csim":
        assert done["algorithm"] == "gemm_systolic" and done["lowering"] == "im2col"
        assert done["bytes_in"] >= files.w.nbytes and done["bytes_out"] >= got.nbytes
    else:
        assert done["algorithm"] == "im2col" and done["bytes_in"] == done["bytes_out"] == 0


@pytest.mark.parametrize("level", LEVELS)
def test_uint8_map_groups_and_dilation(files: Files, rng: np.random.Generator, level: str) -> None:
    x = rng.integers(0, 256, (1, 7, 6, 4), dtype=np.uint8)
    w = rng.integers(-128, 128, (6, 2, 2, 2), dtype=np.int8)
    np.save(files.folder / "x.npy", x)
    np.save(files.folder / "w.npy", w)
    np.save(files.folder / "bias.npy", np.zeros(6, np.int32))
    more = (
        "--groups",
        "2",
        "--dilation",
        "2",
        "3",
        "--x-zero-point",
        "200",
        "--pads",
        "1",
        "1",
        "1",
        "1",
    )
    assert main(files.argv(*more, "--on", level)) == 0
    # The definition, written out: differences from the zero point, products, sums.
    padded = np.pad(x.astype(np.int64) - 200, ((0, 0), (1, 1), (1, 1), (0, 0)))
    want = np.zeros((1, 7, 5, 6), np.int64)
    for k in range(6):
        own = padded[..., k // 3 * 2 : k // 3 * 2 + 2]
        for r in range(2):
            for s in range(2):
                want[..., k] += (own[:, 2 * r : 2 * r + 7, 3 * s : 3 * s + 5] * w[k, r, s]).sum(-1)
    assert np.array_equal(np.load(files.output), want)


@pytest.mark.parametrize("lowering", ["im2col", "mec", "indirect", "pack"])
def test_reference_lowerings_agree(
    files: Files, lowering: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(files.argv("--lowering", lowering, "--json")) == 0
    assert json.loads(capsys.readouterr().out)["algorithm"] in ALGORITHMS
    layer = ConvLayer(2, 6, 5, 3, 4, 3, 2)
    assert np.array_equal(
        np.load(files.output), ALGORITHMS["direct"](layer, files.x, files.w, files.bias).y
    )


def test_reference_winograd(files: Files, rng: np.random.Generator) -> None:
    files.w = rng.integers(-128, 128, (4, 3, 3, 3), dtype=np.int8)
    files.write()
    assert main(files.argv("--kernel", "winograd")) == 0
    layer = ConvLayer(2, 6, 5, 3, 4, 3, 3)
    assert np.array_equal(
        np.load(files.output), ALGORITHMS["direct"](layer, files.x, files.w, files.bias).y
    )


def test_output_replaces_what_was_there(files: Files) -> None:
    files.output.write_text("old")
    assert main(files.argv()) == 0
    assert np.load(files.output).shape == (2, 4, 4, 4)
    assert not list(files.folder.glob(".*"))


# Bad input ---------------------------------------------------------------------------------------
def save(name: str, value: Any) -> Callable[[Files], list[str]]:
    """Spoil one file: an array, or the raw bytes of it; None deletes it."""

    def spoil(files: Files) -> list[str]:
        path = files.folder / name
        path.unlink()
        if isinstance(value, bytes):
            path.write_bytes(value)
        elif value is not None:
            np.save(path, value, allow_pickle=True)
        return []

    return spoil


def options(*more: str) -> Callable[[Files], list[str]]:
    return lambda files: list(more)


def requant(**changes: Any) -> Callable[[Files], list[str]]:
    def spoil(files: Files) -> list[str]:
        files.requant.update(changes)
        files.requant = {k: v for k, v in files.requant.items() if v is not None}
        files.write()
        return ["--requant", str(files.folder / "q.json")]

    return spoil


def requant_text(text: str) -> Callable[[Files], list[str]]:
    def spoil(files: Files) -> list[str]:
        (files.folder / "q.json").write_text(text)
        return ["--requant", str(files.folder / "q.json")]

    return spoil


def output_to(name: str) -> Callable[[Files], list[str]]:
    return lambda files: ["--output", str(files.folder / name)]


def truncated(files: Files) -> list[str]:
    path = files.folder / "x.npy"
    path.write_bytes(path.read_bytes()[:-7])
    return []


def directory(files: Files) -> list[str]:
    (files.folder / "d").mkdir()
    return ["--input", str(files.folder / "d")]


def directory_as_output(files: Files) -> list[str]:
    (files.folder / "d").mkdir()
    return ["--output", str(files.folder / "d")]


def a_device(files: Files) -> list[str]:
    return ["--output", "/dev/null"]


NAN = np.array([[[[np.nan]]]], np.float32)
UNBUILT = [short for short, name in KERNELS.items() if name not in kernel_names()]
BAD: dict[str, tuple[Callable[[Files], list[str]], str]] = {
    "no input": (save("x.npy", None), "there is no such file"),
    "no weights": (save("w.npy", None), "there is no such file"),
    "no bias": (save("bias.npy", None), "there is no such file"),
    "no requant": (options("--requant", "/nonexistent/q.json"), "there is no such file"),
    "input a folder": (directory, "must be a file, not a directory"),
    "not npy": (save("x.npy", b"hello"), "must be a .npy file"),
    "empty file": (save("x.npy", b""), "must be a .npy file"),
    "broken header": (save("x.npy", b"\x93NUMPY\x01\x00\x05\x00{'de\n"), "must be a whole .npy file"),
    "truncated": (truncated, "must be a whole .npy file"),
    "objects": (save("x.npy", np.array([[[[{}]]]], object)), "must be a whole .npy file"),
    "float": (save("x.npy", np.zeros((2, 6, 5, 3), np.float32)), "not float32; quantise"),
    "NaN": (save("x.npy", NAN), "not float32 holding NaN"),
    "NaN weights": (save("w.npy", NAN.astype(np.float64)), "not float64 holding NaN"),
    "NaN bias": (save("bias.npy", np.full(4, np.nan)), "not float64 holding NaN"),
    "int16": (save("x.npy", np.zeros((2, 6, 5, 3), np.int16)), "must be int8 or uint8, not int16"),
    "uint8 weights": (save("w.npy", np.zeros((4, 3, 2, 3), np.uint8)), "must be int8, not uint8"),
    "three axes": (save("x.npy", np.zeros((6, 5, 3), np.int8)), "must have 4 axes (NHWC)"),
    "no element": (save("x.npy", np.zeros((0, 6, 5, 3), np.int8)), "at least one element"),
    "channels": (save("w.npy", np.zeros((4, 3, 2, 5), np.int8)), "as last axis, not 5"),
    "bias length": (save("bias.npy", np.zeros(5, np.int32)), "bias must have shape (4,)"),
    "bias axes": (save("bias.npy", np.zeros((4, 1), np.int32)), "must have 1 axes (K)"),
    "bias range": (save("bias.npy", np.full(4, 2**40)), "must fit int32"),
    "accumulator": (save("bias.npy", np.full(4, 2**31 - 1, np.int32)), "must stay in int32"),
    "filter too large": (save("x.npy", np.zeros((1, 2, 5, 3), np.int8)), "must fit the padded map"),
    "stride 0": (options("--stride", "0", "1"), "stride (h) must be at least 1, not 0"),
    "dilation 0": (options("--dilation", "1", "0"), "dilation (w) must be at least 1, not 0"),
    "negative pad": (options("--pads", "-1", "0", "0", "0"), "pads (top) must be at least 0, not -1"),
    "groups 0": (options("--groups", "0"), "--groups must be at least 1"),
    "groups 3": (options("--groups", "3"), "as last axis, not 3"),
    "zero point": (options("--x-zero-point", "128"), "must be in -128..127, not 128"),
    "word for a number": (options("--stride", "a", "1"), "invalid int value: 'a'"),
    "unknown option": (options("--strid", "1", "1"), "unrecognized arguments"),
    "unknown kernel": (options("--kernel", "fft"), "invalid choice: 'fft'"),
    "requant no JSON": (requant_text("{"), "must be a JSON object"),
    "requant a list": (requant_text("[1]"), "must be an object"),
    "requant NaN": (requant_text('{"multiplier": [NaN], "shift": [2]}'), "integers, not NaN"),
    "requant key": (requant(scale=1), "not 'scale'"),
    "requant lacks shift": (requant(shift=None), "must have 'shift'"),
    "requant length": (requant(multiplier=[1, 2], shift=[2, 2]), "one multiplier per filter (4)"),
    "requant shift": (requant(shift=[1, 2, 3, 4]), "must be in 2..62, not 1"),
    "requant multiplier": (requant(multiplier=[40000] * 4), "must be in 0..32767, not 40000"),
    "requant float": (requant(multiplier=[0.5] * 4), "must be integers"),
    "requant clamp": (requant(clamp=[3, -3]), "must have low <= high"),
    "requant zero point": (requant(zero_point=200), "must be in -128..127, not 200"),
    "output folder": (output_to("none/y.npy"), "must be in a folder that exists"),
    "output a folder": (directory_as_output, "must be a file, not a directory"),
    "output a device": (a_device, "must be an ordinary file"),
    "lowering": (options("--on", "csim", "--kernel", "gemm", "--lowering", "pack"), "not pack"),
    "lowering of winograd": (
        options("--kernel", "winograd", "--lowering", "mec"),
        "must be one of auto",
    ),
    "unknown lowering": (
        options("--lowering", "pixel"),
        "argument --lowering: must be one of auto, im2col, mec, indirect, stream, pack, pixels, "
        "not 'pixel'; the nearest is pixels",
    ),
    "unknown config": (options("--config", "tiny_f4"), "not 'tiny_f4'; the nearest is tiny_f2"),
    "config of another kernel": (
        options("--kernel", "gemm", "--on", "csim", "--config", "tiny_f2"),
        "config of gemm_systolic must be one of tiny, z2, not tiny_f2",
    ),
    "winograd 3x2": (options("--kernel", "winograd"), "3"),
    **{
        f"{name} unbuilt": (options("--kernel", name, "--on", "csim"), "not there yet")
        for name in UNBUILT
    },
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line(files: Files, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    spoil, named = BAD[case]
    more = spoil(files)
    files.output.write_text("kept")
    before = sorted(files.folder.iterdir())
    assert main(files.argv(*more)) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("convloom: ") and printed.err.count("\n") == 1
    assert named in printed.err and "internal error" not in printed.err
    assert files.output.read_text() == "kept" and sorted(files.folder.iterdir()) == before


@pytest.mark.parametrize("argv", [[], ["conv"], ["paint"], ["conv", "--json"]])
def test_bad_command_lines(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_full_disk_leaves_the_old_output(
    files: Files, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(file: Any, array: Any, **kwargs: Any) -> None:
        file.write(b"half")
        raise OSError(28, "No space left on device")

    files.output.write_text("kept")
    monkeypatch.setattr(np, "save", full)
    assert main(files.argv()) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert files.output.read_text() == "kept" and not list(files.folder.glob(".*"))


def test_an_interrupt_and_a_bug_are_one_line(
    files: Files, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from convloom.commands import conv

    monkeypatch.delenv("CONVLOOM_DEBUG", raising=False)
    for error, code in (
        (KeyboardInterrupt(), 130),
        (ZeroDivisionError("x\ny"), 70),
        (MemoryError(), 1),
    ):

        def fail(*args: Any, error: BaseException = error) -> None:
            raise error

        monkeypatch.setattr(conv, "compute", fail)
        assert main(files.argv()) == code
        assert capsys.readouterr().err.count("\n") == 1
        assert not files.output.exists()


def test_the_installed_command(files: Files) -> None:
    """As a process: exit codes, and nothing but the standard library and numpy gets imported."""
    guard = (
        "import sys, runpy\n"
        "class Guard:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('matplotlib', 'PIL', 'hlsc', 'vboard', 'pynq'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, Guard())\n"
        "runpy.run_module('convloom', run_name='__main__')\n"
    )

    def call(*more: str) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-c", guard, *files.argv(*more)]
        return subprocess.run(argv, capture_output=True, text=True, timeout=60, env=dict(os.environ))

    assert call("--json").returncode == 0
    refused = call("--on", "csim")
    assert refused.returncode == 1 and "convloom[flow]" in refused.stderr
    assert refused.stderr.count("\n") == 1
