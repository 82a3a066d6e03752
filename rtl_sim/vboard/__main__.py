# SPDX-License-Identifier: Apache-2.0
"""`python -m vboard`."""

from __future__ import annotations

import sys

from vboard.cli import main

if __name__ == "__main__":
    sys.exit(main())
