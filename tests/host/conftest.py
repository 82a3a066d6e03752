# SPDX-License-Identifier: Apache-2.0
"""Boards that the driver's tests share: `overlay` in memory, `gemm` virtual."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def overlay(tmp_path: Path) -> Iterator[Any]:
    """A ConvOverlay on a pynq device in memory; contiguous memory must be free afterwards."""
    from fake_board import make

    with make(tmp_path) as made:
        yield made
        device = made.device
    gc.collect()
    assert device.used == 0, "contiguous memory is leaked"


@pytest.fixture(scope="module", params=["pynq-z2", pytest.param("aup-zu3", marks=pytest.mark.nightly)])
def gemm(request: pytest.FixtureRequest) -> Iterator[tuple[Any, Any]]:
    """(board, overlay) of gemm_systolic tiny on a PYNQ-Z2, and nightly on an UltraScale+ board."""
    from virtual_board import load, start

    board = start("gemm_systolic", request.param)
    try:
        with load(board) as overlay:
            yield board, overlay
        assert board.counters()["cma"]["used"] == 0, "contiguous memory is leaked"
    finally:
        board.stop()
