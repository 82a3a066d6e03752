# SPDX-License-Identifier: Apache-2.0
"""C++ to LLVM IR with facts: see `hlsc.frontend.driver` and `hlsc.frontend.program`."""

from hlsc.frontend.driver import STAGES, compile_program

__all__ = ["STAGES", "compile_program"]
