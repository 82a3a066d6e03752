# SPDX-License-Identifier: Apache-2.0
"""`python -m convloom` is the command `convloom`."""

import sys

from convloom.cli import main

if __name__ == "__main__":
    sys.exit(main())
