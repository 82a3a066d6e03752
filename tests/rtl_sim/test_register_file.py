# SPDX-License-Identifier: Apache-2.0
"""Launches the bench of the AXI4-Lite register file."""

from __future__ import annotations

from pathlib import Path

from bench.register_file import write_sources
from bench.runner import simulate
from bench.verilate import Design


def test_register_file_follows_its_model_and_mutants_do_not(tmp_path: Path, seed: int) -> None:
    design = Design(tuple(write_sources(tmp_path)), "registers_top")
    cases = simulate(design, "bench.register_file_bench", "register_file", seed=seed)
    assert set(cases) == {"register_file", "mutants"}
