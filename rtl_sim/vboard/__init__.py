# SPDX-License-Identifier: Apache-2.0
"""vboard: a virtual PYNQ board around the Verilated accelerator."""
