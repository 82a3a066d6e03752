# SPDX-License-Identifier: Apache-2.0
"""Launches the benches of hlsc's building blocks, and keeps their sources free of lint."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.blocks import TEMPLATES, write_sources
from bench.runner import simulate
from bench.verilate import Design, lint
from hlsc import toolchain


@pytest.fixture
def blocks(tmp_path: Path) -> Design:
    options = ("-Wno-WIDTHCONCAT",)  # ROM images of the wrapper are long literals
    return Design(tuple(write_sources(tmp_path)), "blocks_top", options=options)


def test_blocks_follow_their_models_and_mutants_do_not(blocks: Design, seed: int) -> None:
    cases = simulate(blocks, "bench.blocks_bench", "blocks", seed=seed)
    assert set(cases) == {"streams", "memories", "mutants"}


@pytest.mark.parametrize(
    ("module", "sizes"),
    [
        ("hlsc_fifo", [(8, 1), (8, 2), (1, 3), (13, 5), (33, 33), (8, 64), (64, 100), (65, 64)]),
        ("hlsc_axis_slice", [(1, None), (73, None)]),
        ("hlsc_ram_1r1w", [(1, 1), (9, 3), (64, 100), (18, 1024)]),
        ("hlsc_ram_2rw", [(1, 1), (9, 3), (64, 100)]),
        ("hlsc_lutram_1r1w", [(1, 1), (9, 3), (64, 33)]),
        ("hlsc_rom", [(1, 1), (9, 3), (18, 1024)]),
    ],
)
def test_template_is_free_of_lint(module: str, sizes: list[tuple[int, int | None]]) -> None:
    for width, depth in sizes:
        parameters = {"WIDTH": width}
        if depth is not None:
            parameters["DEPTH"] = depth
            if module != "hlsc_fifo":
                parameters["AW"] = max(1, (depth - 1).bit_length())
        lint(Design((TEMPLATES / f"{module}.sv",), module, parameters))


@pytest.mark.parametrize(
    ("module", "parameters"),
    [
        ("hlsc_fifo", {"DEPTH": 0}),
        ("hlsc_fifo", {"WIDTH": 0}),
        ("hlsc_fifo", {"DEPTH": 3, "STYLE": 3}),
        ("hlsc_ram_1r1w", {"DEPTH": 17, "AW": 4}),
    ],
)
def test_impossible_sizes_do_not_elaborate(module: str, parameters: dict[str, int]) -> None:
    with pytest.raises(toolchain.ToolError, match=f"{module}: .* must be"):
        lint(Design((TEMPLATES / f"{module}.sv",), module, parameters))
