# SPDX-License-Identifier: Apache-2.0
"""The files that follow from kernel.toml are up to date, and the check can fail."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def generate():
    spec = importlib.util.spec_from_file_location("generate", ROOT / "scripts" / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_files_are_up_to_date(generate):
    stale = [p for p, text in generate.generated().items() if p.read_text("utf-8") != text]
    assert not stale, "run scripts/generate.py"


def test_check_names_an_edited_file(generate, tmp_path, monkeypatch, capsys):
    edited = tmp_path / "contract.h"
    edited.write_text("// edited\n")
    monkeypatch.setattr(generate, "generated", lambda: {edited: "// generated\n"})
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])
    assert generate.main() == 1
    assert "contract.h" in capsys.readouterr().out
    assert edited.read_text() == "// edited\n"
