# SPDX-License-Identifier: Apache-2.0
"""`make deploy`: the archive is repeatable, installs with nothing fetched, and validate.py judges."""

from __future__ import annotations

import importlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from test_base_install import NUMPY, python310

import vboard
from vboard.artefacts import build_overlay

SCRIPTS = Path(__file__).parents[2] / "scripts"
KERNEL, BOARD, CONFIG = "conv_winograd", "pynq-z2", "tiny"
LEGAL = 3
"""Layers of the bundle that this kernel takes at this size: 3×3, stride 1, no groups, 16 channels."""
NAME = f"convloom-{KERNEL}_{CONFIG}-{BOARD}"


@pytest.fixture(scope="module")
def deploy() -> ModuleType:
    sys.path.insert(0, str(SCRIPTS))
    try:
        return importlib.import_module("bundle")
    finally:
        sys.path.remove(str(SCRIPTS))


@pytest.fixture(scope="module")
def archive(deploy: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    bit = build_overlay(KERNEL, BOARD, CONFIG).bitstream
    return deploy.bundle(KERNEL, BOARD, CONFIG, bit, tmp_path_factory.mktemp("deploy"))


@pytest.fixture(scope="module")
def unpacked(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("board")
    with tarfile.open(archive) as file:
        file.extractall(folder)
    return folder / NAME


@pytest.fixture(scope="module")
def image(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a fresh environment with this one's numpy and pynq, and the bundle installed."""
    folder = tmp_path_factory.mktemp("image")
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    (own,) = (p for p in sys.path if p.endswith("site-packages") and Path(p, "numpy").is_dir())
    (site,) = folder.glob("lib/python3*/site-packages")
    (site / "image.pth").write_text(f"{own}\n")
    env = {**os.environ, "PYTHON": str(python), "PIP_NO_INDEX": "1"}
    argv = ["sh", str(unpacked / "install.sh")]
    done = subprocess.run(argv, capture_output=True, text=True, env=env, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return python


def validate(python: Path, folder: Path, address: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYNQ_REMOTE_DEVICES": address}
    env.pop("PYTHONPATH", None)
    argv = [str(python), str(folder / "validate.py")]
    return subprocess.run(
        argv, capture_output=True, text=True, env=env, cwd=folder, timeout=200, check=False
    )


def test_archive_holds_everything_and_is_repeatable(
    deploy: ModuleType, archive: Path, unpacked: Path, tmp_path: Path
) -> None:
    names = {str(p.relative_to(unpacked)) for p in unpacked.rglob("*") if p.is_file()}
    stem = f"{KERNEL}_{CONFIG}"
    assert {f"{stem}.bit", f"{stem}.hwh", "README.md", "install.sh", "validate.py"} <= names
    assert "quickstart.ipynb" in names and sum(n.startswith("wheels/") for n in names) == 2
    assert sum(n.startswith("data/") for n in names) == LEGAL
    assert f"{stem}.bit" in (unpacked / "quickstart.ipynb").read_text()
    assert "$" not in (unpacked / "README.md").read_text()
    again = deploy.bundle(KERNEL, BOARD, CONFIG, unpacked / f"{stem}.bit", tmp_path)
    assert again.read_bytes() == archive.read_bytes()


def test_wheel_pulls_in_nothing_of_the_compiler(unpacked: Path) -> None:
    """Base and board requirements, as pip reads them."""
    import zipfile

    (wheel,) = unpacked.glob("wheels/convloom-*.whl")
    with zipfile.ZipFile(wheel) as file:
        (meta,) = (n for n in file.namelist() if n.endswith("METADATA"))
        lines = file.read(meta).decode().splitlines()
        assert any(
            n.startswith("convloom/_hls/") and n.endswith("kernel.toml") for n in file.namelist()
        )
    required = [
        line.removeprefix("Requires-Dist: ") for line in lines if line.startswith("Requires-Dist")
    ]
    base = {r.split(">")[0].split(";")[0].strip() for r in required if "extra ==" not in r}
    board = {r.split("<")[0].split("=")[0].split(";")[0].strip() for r in required if "'board'" in r}
    assert base == {"numpy", "tomli"} and board == {"numpy", "pynq", "pycparser", "setuptools"}


def test_validate_on_a_board(image: Path, unpacked: Path) -> None:
    where = subprocess.run(
        [image, "-c", "import convloom; print(convloom.__file__)"],
        capture_output=True, text=True, check=True, cwd=unpacked,
    ).stdout  # fmt: skip
    assert where.startswith(str(image.parents[1]))  # the wheel, not this checkout
    with vboard.Board(KERNEL, board=BOARD, config=CONFIG) as board:
        done = validate(image, unpacked, board.address)
        assert done.returncode == 0, done.stdout + done.stderr
        assert (
            f"{LEGAL} of {LEGAL} layers exact" in done.stdout and done.stdout.count("| exact") == LEGAL
        )

        spoilt = min(unpacked.glob("data/*.npz"))
        right = spoilt.read_bytes()
        with np.load(io.BytesIO(right)) as file:
            arrays = dict(file)
        arrays["y"] = arrays["y"] + 1
        np.savez(spoilt, **arrays)
        done = validate(image, unpacked, board.address)
        spoilt.write_bytes(right)
        assert done.returncode == 1 and f"{LEGAL - 1} of {LEGAL} layers exact" in done.stdout
        assert f"{arrays['y'].size} of {arrays['y'].size} differ" in done.stdout

        hwh = next(unpacked.glob("*.hwh"))
        hwh.rename(hwh.with_suffix(".away"))
        done = validate(image, unpacked, board.address)
        hwh.with_suffix(".away").rename(hwh)
        assert done.returncode == 1 and "must have" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.nightly
def test_bundle_installs_under_python_3_10_with_nothing_fetched(unpacked: Path, tmp_path: Path) -> None:
    """The image's numpy, and a pynq that is only there: installing asks for it, these layers do not."""
    done = subprocess.run([python310(), "-m", "venv", "env"], cwd=tmp_path, timeout=120, check=False)
    assert done.returncode == 0
    python = tmp_path / "env" / "bin" / "python"
    argv = [str(python), "-m", "pip", "install", "-q", NUMPY]
    subprocess.run(argv, cwd=tmp_path, timeout=300, check=True)
    (site,) = (tmp_path / "env").glob("lib/python3.10/site-packages")
    (site / "pynq.py").touch()
    env = {**os.environ, "PYTHON": str(python), "PIP_NO_INDEX": "1", "PYTHONPATH": ""}
    program = """
import json, pathlib, sys
import numpy as np
from convloom.kernels import load_kernel
from convloom.layer import ConvLayer, Requant
from convloom.lowering import lower
from convloom.reference import ALGORITHMS
for path in sorted(pathlib.Path("data").glob("*.npz")):
    file = np.load(path)
    layer = json.loads(str(file["layer"]))
    layer["requant"] = layer["requant"] and Requant.from_json(layer["requant"])
    tensors = ConvLayer(**layer), file["x"], file["w"], file["bias"]
    assert (ALGORITHMS["im2col"](*tensors).y == file["y"]).all()
    lower(*tensors, kernel=load_kernel("%s"), config="%s")
    print(path.name)
"""
    for argv in (["sh", "install.sh"], [str(python), "-c", program % (KERNEL, CONFIG)]):
        done = subprocess.run(
            argv, cwd=unpacked, env=env, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(".npz") == LEGAL


@pytest.mark.parametrize("spoil", ["no overlay", "no data", "half a file", "no wheel"])
def test_a_bundle_that_is_not_whole_is_one_line(
    image: Path, unpacked: Path, tmp_path: Path, spoil: str
) -> None:
    shutil.copytree(unpacked, tmp_path / "b", ignore=shutil.ignore_patterns("wheels"))
    first = min((tmp_path / "b" / "data").iterdir())
    said = {
        "no overlay": "must hold one .bit, not 0; name it with --overlay",
        "no data": "must hold layers; unpack the bundle again",
        "half a file": f"{first.name} must be a layer of the bundle",
        "no wheel": "convloom must be installed for",
    }[spoil]
    if spoil == "no overlay":
        next((tmp_path / "b").glob("*.bit")).unlink()
    elif spoil == "no data":
        shutil.rmtree(first.parent)
    elif spoil == "half a file":
        first.write_bytes(first.read_bytes()[:1000])
    else:
        venv.create(tmp_path / "bare")
        image = tmp_path / "bare" / "bin" / "python"
        own = image.parents[1] / "lib" / f"python3.{sys.version_info[1]}" / "site-packages"
        (own / "numpy.py").touch()
    done = validate(image, tmp_path / "b", f"unix:{tmp_path}/none")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1) and said in done.stderr, done.stderr


def test_expected_outputs_are_those_of_the_layers(unpacked: Path) -> None:
    for path in unpacked.glob("data/*.npz"):
        with np.load(path) as file:
            assert file["y"].any() and json.loads(str(file["layer"]))["k"] == file["w"].shape[0]


def test_refusals(
    deploy: ModuleType, unpacked: Path, tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVLOOM_BUILD", str(tmp_path / "build"))  # where no bitstream is
    bit = str(next(unpacked.glob("*.bit")))
    out = ["--out", str(tmp_path / "out")]
    for argv, said in [
        (
            ["gemm_systolic", BOARD, "--config", "tiny", "--bit", bit],
            "must hold gemm_systolic, not conv_",
        ),
        ([KERNEL, BOARD, "--config", "z2", "--bit", bit], "must be of configuration z2, not tiny"),
        ([KERNEL, BOARD, "--config", "huge", "--bit", bit], "config must be one of"),
        ([KERNEL, BOARD, "--bit", str(tmp_path / "no.bit")], "there is no such file"),
        ([KERNEL, "kv260", "--config", "tiny"], "run make bit KERNEL=conv_winograd BOARD=kv260"),
        (
            [KERNEL, "kv260", "--config", "tiny", "--bit", bit],
            "must be for kv260 (xck26-sfvc784-2LV-c), not for 7z020clg400",
        ),
    ]:
        assert deploy.main([*argv, *out]) == 1
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())
