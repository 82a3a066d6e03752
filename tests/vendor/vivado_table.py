# SPDX-License-Identifier: Apache-2.0
"""Vivado's commands with their options (UG835), the boards' parts, and a report as Vivado prints it."""

from __future__ import annotations

from commands import spec

TABLE = {
    "create_project": spec("-part= -force -in_memory", 1, 2),
    "close_project": spec(""),
    "current_project": spec(""),
    "current_fileset": spec(""),
    "add_files": spec("-norecurse -fileset=", 1),
    "get_files": spec("", 1),
    "update_compile_order": spec("-fileset="),
    "update_ip_catalog": spec("-rebuild"),
    "set_property": spec("-dict=", 1, 3),
    "get_property": spec("", 2),
    "create_bd_design": spec("", 1),
    "create_bd_cell": spec("-type= -vlnv=", 1),
    "get_bd_intf_pins": spec("-quiet", 1),
    "get_bd_pins": spec("-quiet", 1),
    "get_bd_ports": spec("-quiet", 1),
    "get_bd_intf_ports": spec("-quiet", 1),
    "get_bd_addr_spaces": spec("-quiet", 1),
    "get_bd_addr_segs": spec("-quiet", 1),
    "connect_bd_intf_net": spec("", 2),
    "connect_bd_net": spec("", 2),
    "create_bd_intf_port": spec("-mode= -vlnv=", 1),
    "create_bd_port": spec("-dir= -from= -to= -type=", 1),
    "create_bd_addr_seg": spec("-offset= -range=", 3),
    "validate_bd_design": spec("-force"),
    "save_bd_design": spec(""),
    "generate_target": spec("", 2),
    "make_wrapper": spec("-files= -top"),
    "launch_runs": spec("-jobs= -to_step=", 1),
    "wait_on_run": spec("", 1),
    "get_runs": spec("", 1),
    "open_run": spec("", 1),
    "get_timing_paths": spec("-setup -hold -max_paths= -nworst="),
    "report_utilization": spec("-file= -hierarchical"),
    "report_timing_summary": spec("-file="),
    "write_bitstream": spec("-force", 1),
}
PARTS = {"xc7z020clg400-1", "xczu3eg-sfvc784-2-e", "xck26-sfvc784-2LV-c"}
UTILIZATION = """\
+----------------------------+-------+-------+-----------+-------+
|          Site Type         |  Used | Fixed | Available | Util% |
+----------------------------+-------+-------+-----------+-------+
| {kind} LUTs*               |  1234 |     0 |     53200 |  2.32 |
|   LUT as Logic             |  1000 |     0 |     53200 |  1.88 |
| {kind} Registers           |  2345 |     0 |    106400 |  2.20 |
| Block RAM Tile             |  12.5 |     0 |       140 |  8.93 |
| DSPs                       |    40 |     0 |       220 | 18.18 |
+----------------------------+-------+-------+-----------+-------+
"""
