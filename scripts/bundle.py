# SPDX-License-Identifier: Apache-2.0
"""`make deploy`: one archive with all that a board needs: overlay, wheel, test data, notebook.

The same inputs give the same archive, byte for byte. The overlay is that of `make bit`, or any pair of
.bit and .hwh of the kernel (`--bit`); that they belong together, and to this board, is checked first.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import string
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import numpy as np
from vendor_places import bitstreams

from convloom.driver.bitstream import read_files
from convloom.errors import ConvloomError
from convloom.kernels import KernelSpec, kernel_names, load_kernel
from convloom.layer import ConvLayer, Requant
from convloom.lowering import lower
from convloom.reference import ALGORITHMS
from hlsc.toolchain import build_root
from vboard.profile import Profile, load_profile, profile_names

ROOT = Path(__file__).resolve().parents[1]
PARTS = ROOT / "scripts" / "deploy"
"""What goes into the archive as it is."""

TOMLI = "tomli==2.2.1"
"""Reads kernel.toml under Python 3.10; the release is pinned so that archives are repeatable."""


def _scales(k: int) -> Requant:
    return Requant.from_scales(np.linspace(1e-4, 2e-2, k), zero_point=-7, clamp=(-120, 127))


LAYERS = (
    ConvLayer(1, 8, 8, 8, 8, 3, 3, pads=(1, 1, 1, 1)),
    ConvLayer(1, 13, 9, 5, 7, 3, 3, pads=(1, 0, 0, 1), x_zero_point=-128, requant=_scales(7)),
    ConvLayer(2, 12, 12, 16, 16, 3, 3, pads=(1, 1, 1, 1), x_zero_point=3, requant=_scales(16)),
    ConvLayer(1, 14, 14, 64, 64, 3, 3, pads=(1, 1, 1, 1), requant=_scales(64)),
    ConvLayer(1, 15, 15, 6, 10, 3, 3, stride=(2, 2), pads=(1, 1, 1, 1), requant=_scales(10)),
    ConvLayer(1, 7, 11, 32, 24, 1, 1, requant=_scales(24)),
    ConvLayer(1, 10, 10, 8, 8, 3, 3, pads=(1, 1, 1, 1), groups=8, requant=_scales(8)),
    ConvLayer(1, 1, 30, 3, 9, 1, 5, pads=(0, 2, 0, 2), requant=_scales(9)),
)
"""What validate.py runs, as far as the kernel takes it: odd sizes, zero points, both output types."""


def validation_files(spec: KernelSpec, config: str) -> Iterator[tuple[str, bytes]]:
    """(name, content) of one .npz per layer that this kernel can run, with the reference's output."""
    rng = np.random.default_rng(2024)
    for number, layer in enumerate(LAYERS):
        x = rng.integers(-128, 128, layer.x_shape, dtype=np.int8)
        w = rng.integers(-128, 128, layer.w_shape, dtype=np.int8)
        bias = rng.integers(-5000, 5000, layer.k, dtype=np.int32)
        try:
            lower(layer, x, w, bias, kernel=spec, config=config)
        except ConvloomError:
            continue  # not a layer of this kernel
        values = {f.name: getattr(layer, f.name) for f in fields(layer)}
        values["requant"] = layer.requant and layer.requant.to_json()
        file = io.BytesIO()
        y = ALGORITHMS["direct"](layer, x, w, bias).y
        np.savez(file, x=x, w=w, bias=bias, y=y, layer=np.array(json.dumps(values)))
        yield f"data/{number:02}_{layer.name}.npz", file.getvalue()


def _run(argv: list[str], what: str) -> None:
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise ConvloomError(f"{what} must succeed; it said: {lines[-1] if lines else 'nothing'}")


def wheels(folder: Path) -> None:
    """The wheel of this checkout, and what it needs beside numpy."""
    _run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        "the wheel's build",
    )
    fetch = [
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--only-binary=:all:",
        "-d",
        str(folder),
        TOMLI,
    ]
    target = [
        "--python-version",
        "3.10",
        "--implementation",
        "py",
        "--abi",
        "none",
        "--platform",
        "any",
    ]
    _run([sys.executable, *fetch, *target], f"fetching {TOMLI}")


def _notebook(stem: str) -> bytes:
    text = (ROOT / "host" / "notebooks" / "quickstart.ipynb").read_text(encoding="utf-8")
    return text.replace("gemm_systolic_tiny", stem).encode()


def _readme(spec: KernelSpec, config: str, profile: Profile, stem: str, count: int) -> bytes:
    template = string.Template((PARTS / "README.template.md").read_text(encoding="utf-8"))
    values = {"title": spec.title, "board": profile.title, "stem": stem, "config": config}
    return template.substitute(values, part=profile.part, count=count).encode()


def bundle(kernel: str, board: str, config: str, bit: Path, out: Path) -> Path:
    """Write the archive; returns its path. ConvloomError where overlay and arguments disagree."""
    spec, profile = load_kernel(kernel), load_profile(board)
    spec.config(config)
    files = read_files(bit)
    held = [s.name for s in files.kernels.values()]
    if kernel not in held:
        raise ConvloomError(f"overlay {bit.name} must hold {kernel}, not {', '.join(held)}")
    if files.config not in (None, config):
        raise ConvloomError(f"overlay {bit.name} must be of configuration {config}, not {files.config}")
    if not _bare(profile.part).startswith(_bare(files.part) or "?"):
        found = files.part or "an unknown part"
        raise ConvloomError(f"overlay {bit.name} must be for {board} ({profile.part}), not for {found}")
    stem = f"{kernel}_{config}"
    content = dict(validation_files(spec, config))
    content["README.md"] = _readme(spec, config, profile, stem, len(content))
    content[f"{stem}.bit"] = files.bitstream.read_bytes()
    content[f"{stem}.hwh"] = files.hwh.read_bytes()
    content["quickstart.ipynb"] = _notebook(stem)
    for name in ("validate.py", "install.sh"):
        content[name] = (PARTS / name).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        wheels(Path(folder))
        for wheel in Path(folder).glob("*.whl"):
            content[f"wheels/{wheel.name}"] = wheel.read_bytes()
    name = f"convloom-{stem}-{board}"
    out.mkdir(parents=True, exist_ok=True)
    archive = out / f"{name}.tar.gz"
    work = archive.with_suffix(".part")
    try:
        _write_archive(work, name, content)
        os.replace(work, archive)
    finally:
        work.unlink(missing_ok=True)
    return archive


def _bare(part: str) -> str:
    """A part as .bit files of all families begin: 7z020clg400, xczu3eg-sfvc784-2-e."""
    return part.lower().removeprefix("xc").replace("-", "")


def _write_archive(path: Path, name: str, content: dict[str, bytes]) -> None:
    """Sorted names and no times, so that equal content gives equal archives."""
    with (
        path.open("wb") as raw,
        gzip.GzipFile("", "wb", mtime=0, fileobj=raw) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for member in sorted(content):
            info = tarfile.TarInfo(f"{name}/{member}")
            info.size = len(content[member])
            info.mode = 0o755 if member in ("validate.py", "install.sh") else 0o644
            archive.addfile(info, io.BytesIO(content[member]))


def _built(kernel: str, board: str, config: str) -> Path:
    """The newest bitstream of `make bit` for these."""
    found = bitstreams(kernel, config, board)
    if not found:
        others = [b for b in profile_names() if bitstreams(kernel, config, b)]
        there = f" (there is one for {', '.join(others)})" if others else ""
        raise ConvloomError(
            f"make deploy must have a bitstream of {kernel} {config} for {board}{there}: run make bit "
            f"KERNEL={kernel} BOARD={board} CONFIG={config} first, or name one with BIT=FILE.bit"
        )
    return found[-1]


def main(argv: list[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = argparse.ArgumentParser(description="pack an overlay for a board")
    parser.add_argument("kernel", choices=kernel_names())
    parser.add_argument("board", choices=profile_names())
    parser.add_argument("--config", default="z2")
    parser.add_argument("--bit", type=Path, metavar="FILE.bit")
    parser.add_argument("--out", type=Path, default=build_root() / "deploy", metavar="DIR")
    args = parser.parse_args(argv)
    try:
        bit = args.bit or _built(args.kernel, args.board, args.config)
        print(f"overlay {bit}")
        print(f"wrote {bundle(args.kernel, args.board, args.config, bit, args.out)}")
    except ConvloomError as error:
        print(f"deploy: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
