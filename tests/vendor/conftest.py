# SPDX-License-Identifier: Apache-2.0
"""The scripts are no package of ours: their folder goes on the path for the tests of this folder."""

from __future__ import annotations

import sys
from pathlib import Path

SCRIPTS = str(Path(__file__).parents[2] / "scripts")
if SCRIPTS not in sys.path:
    sys.path.insert(0, SCRIPTS)
