# SPDX-License-Identifier: Apache-2.0
"""The board of `sum_board`, for the tests of its DMAs and of its time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sum_board import SPEC, SV, make

from vboard.host import Host
from vboard.library import Design, build_library


@pytest.fixture(scope="module")
def library() -> Path:
    return build_library(Design(SPEC, "tiny", SV, SV))


@pytest.fixture
def host(library: Path) -> Iterator[Host]:
    made = make(library)
    yield made
    made.logic.close()
