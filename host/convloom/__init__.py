# SPDX-License-Identifier: Apache-2.0
"""convloom: plan, lower and run int8 convolution layers on PYNQ FPGA boards."""
