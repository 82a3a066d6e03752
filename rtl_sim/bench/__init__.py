# SPDX-License-Identifier: Apache-2.0
"""cocotb benches on Verilator: for hlsc's building blocks, its register file, and whole kernels."""
