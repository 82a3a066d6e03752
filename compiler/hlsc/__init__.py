# SPDX-License-Identifier: Apache-2.0
"""hlsc: an open HLS compiler, Vitis-style C++ to SystemVerilog, over LLVM and CIRCT."""
