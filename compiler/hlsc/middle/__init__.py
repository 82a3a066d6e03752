# SPDX-License-Identifier: Apache-2.0
"""Middle end: LLVM IR text → predicated, banked, narrowed data-flow regions (`hlsc.ir`)."""

from hlsc.middle.lower import Options, lower

__all__ = ["Options", "lower"]
