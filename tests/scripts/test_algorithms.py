# SPDX-License-Identifier: Apache-2.0
"""docs/algorithms.md: its tables and pictures are current, and formulas that are wrong are found."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "algorithms.md"


@pytest.fixture
def algorithms(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    module = importlib.import_module("algorithms")
    yield module
    module._kernel.cache_clear()


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    return importlib.import_module("draw_algorithms")


def test_tables_are_current(algorithms):
    """Every kernel's table from its beats; the references' by formula, two of the layers by running."""
    text = DOCUMENT.read_text("utf-8")
    assert algorithms.updated(text, algorithms.by_formula) == text, "run scripts/algorithms.py"
    for example in (algorithms.FIVE[2], algorithms.FIVE[3]):  # the fast ones
        for name in algorithms.CPU:
            algorithms.measured(name, example)  # raises if it is not what the formula says


@pytest.mark.nightly
def test_tables_are_current_with_every_reference_run(algorithms):
    text = DOCUMENT.read_text("utf-8")
    assert algorithms.updated(text) == text, "run scripts/algorithms.py"


def test_five_layers_and_every_refusal_are_in_the_document(algorithms):
    tables = algorithms.marked(DOCUMENT.read_text("utf-8"))
    assert set(tables) == set(algorithms.names())
    for name, text in tables.items():
        for example in algorithms.FIVE:
            assert f"\n| {example.title} " in text, name
        if not name.startswith("cpu") and name != "overview":
            assert text.count("refused") == text.count("\n- ")


def test_check_finds_an_edited_table(algorithms, tmp_path, monkeypatch, capsys):
    # One fast layer is enough to see it.
    monkeypatch.setattr(algorithms, "FIVE", algorithms.FIVE[3:4])
    file = tmp_path / "algorithms.md"
    file.write_text(DOCUMENT.read_text("utf-8"), encoding="utf-8")
    assert algorithms.main([str(file), "--formulas"]) == 0
    assert algorithms.main([str(file), "--formulas", "--check"]) == 0
    file.write_text(file.read_text("utf-8").replace("6,422,528", "6,422,529", 1), encoding="utf-8")
    assert algorithms.main([str(file), "--formulas", "--check"]) == 1
    assert "algorithms.md must be up to date" in capsys.readouterr().err
    file.write_text(file.read_text("utf-8").replace("table: cpu mec", "cpu mec"), encoding="utf-8")
    assert algorithms.main([str(file), "--formulas"]) == 1
    assert "must have a marked table 'cpu mec'" in capsys.readouterr().err


def test_a_wrong_formula_is_found(algorithms, monkeypatch):
    example = algorithms.FIVE[3]
    for name, formula in algorithms.CPU.items():
        wrong = {name: lambda y, formula=formula: replace(formula(y), extra=formula(y).extra + 1)}
        if algorithms.cpu_formula(name, example.layer) is None:
            continue
        with monkeypatch.context() as patch:
            patch.setitem(algorithms.CPU, name, wrong[name])
            with pytest.raises(Exception, match=f"{name} on 1×1 s2 .*: formula must be"):
                algorithms.measured(name, example)
    cost = algorithms.kernel_cost("conv_linebuffer", "stream", example.layer)
    bad = replace(cost, formula=(cost.in0, cost.in1 + 8))
    monkeypatch.setattr(algorithms, "kernel_cost", lambda *_: bad)
    with pytest.raises(Exception, match=r"conv_linebuffer stream on 1×1 s2 .*: formula must be"):
        algorithms.kernel_table("conv_linebuffer", "stream", [example])


def test_pictures_are_current_and_all_shown(drawing, tmp_path, capsys):
    assert drawing.main(["--check"]) == 0, "run scripts/draw_algorithms.py"
    shown = re.findall(r"\]\((algorithm_\w+\.svg)\)", DOCUMENT.read_text("utf-8"))
    assert sorted(shown) == sorted(f"algorithm_{name}.svg" for name in drawing.PICTURES)
    assert drawing.main([str(tmp_path)]) == 0
    for file in tmp_path.iterdir():
        ElementTree.parse(file)
    (tmp_path / "algorithm_mec.svg").write_text("<svg/>")
    assert drawing.main([str(tmp_path), "--check"]) == 1
    assert "algorithm_mec.svg must be what" in capsys.readouterr().err
