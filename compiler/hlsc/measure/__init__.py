# SPDX-License-Identifier: Apache-2.0
"""What yosys makes of SystemVerilog on Xilinx 7 series: cells and logic delay.

`yosys` runs synthesis, `library` reads the delays of yosys' own cell library, `timing` walks a netlist
with them, `resources` does both for a whole design of hlsc.  Nothing here is placed or routed.
"""
