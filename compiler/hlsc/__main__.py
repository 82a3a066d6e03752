# SPDX-License-Identifier: Apache-2.0
"""`python -m hlsc`."""

import sys

from hlsc.cli import main

sys.exit(main())
