# SPDX-License-Identifier: Apache-2.0
"""The register file under test: a design that uses every kind of scalar, its mutants, their wrapper."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from hlsc.backend import axilite
from hlsc.ir import Design, Port

__all__ = ["DESIGN", "GOOD", "MUTANTS", "write_sources"]


def _port(name: str, width: int, offset: int, direction: str = "in") -> Port:
    return Port(name, "s_axilite", direction, width, offset, "control")


DESIGN = Design(
    "regs",
    (
        _port("word", 32, 0x10),
        _port("odd", 13, 0x18),
        _port("wide", 80, 0x20),
        _port("status", 32, 0x30, "out"),
        _port("flag", 1, 0x38),
        _port("big", 40, 0x40, "out"),
    ),
    (),
    control_bundle="control",
)

GOOD = "good"

MUTANTS: Mapping[str, tuple[str, str]] = {
    "strobes_ignored": ("{{8{bus_w_strb[3]}}, {8{bus_w_strb[2]}}", "{{8{1'b1}}, {8{bus_w_strb[2]}}"),
    "early_data_lost": ("? ~bus_write : WVALID", "? ~bus_write : WVALID & bus_aw_held"),
    "response_dropped": ("bus_write | (BVALID & ~BREADY)", "bus_write"),
    "response_overrun": ("(~BVALID | BREADY)", "1'b1"),
    "read_moves": ("if (bus_read) RDATA", "RDATA"),
    "done_stays": ("else if (bus_read && bus_ar_word == AT_CTRL) ctl_done <= 1'b0;", ""),
    "ready_stays": ("else if (bus_read && bus_ar_word == AT_CTRL) ctl_ready <= 1'b0;", ""),
    "done_lost": (
        "if (ctl_done_event) ctl_done <= 1'b1;",
        "if (ctl_done_event && !bus_read) ctl_done <= 1'b1;",
    ),
    "status_cleared_not_toggled": ("ctl_isr[i] ^ bus_w_data[i]", "ctl_isr[i] & ~bus_w_data[i]"),
    "start_unstrobed": ("bus_w_strb[0] && bus_w_data[0]) ap_start", "bus_w_data[0]) ap_start"),
    "start_stays": ("ap_start <= ctl_auto_restart", "ap_start <= 1'b1"),
    "no_restart": ("ap_start <= ctl_auto_restart", "ap_start <= 1'b0"),
    "done_every_run": ("ctl_restarting ? ctl_idle & ~ctl_idle_before : ap_done", "ap_done"),
    "interrupt_always": ("interrupt <= ctl_gier &", "interrupt <="),
    "channel_always": ("if (ctl_ier[i] & (i", "if ((i"),
    "valid_stays": ("reg_status_ap_vld <= 1'b0;\n  end", "reg_status_ap_vld <= 1'b1;\n  end"),
    "valid_of_data": ("AT_status_ctrl) reg_status_ap_vld", "AT_status) reg_status_ap_vld"),
    "aliased_word": ("bus_aw_word == AT_wide_2", "bus_aw_word[2:0] == AT_wide_2[2:0]"),
    "not_reset": ("if (ARESET) reg_word <= '0;\n    else if", "if"),
}


def write_sources(directory: Path) -> list[Path]:
    """Write the register file, its mutants and `registers_top.sv` to `directory`; all their paths."""
    directory.mkdir(parents=True, exist_ok=True)
    text, module = axilite.generate(DESIGN), axilite.module_name(DESIGN)
    files = []
    for name, (old, new) in {GOOD: ("", ""), **MUTANTS}.items():
        if old and text.count(old) != 1:
            raise ValueError(f"{name}: text of the mutant must occur once, not {text.count(old)} times")
        path = directory / f"{name}.sv"
        path.write_text(
            (text.replace(old, new) if old else text).replace(f"module {module}", f"module {name}")
        )
        files.append(path)
    top = directory / "registers_top.sv"
    top.write_text(_wrapper(text, [GOOD, *MUTANTS]))
    return [*files, top]


def _wrapper(text: str, names: list[str]) -> str:
    """Every instance's ports at the top, with the instance's name in front."""
    header = text[text.index("module ") : text.index(");")]
    ports = re.findall(r"(input|output) +logic +(\[\d+:0\])? *(\w+)", header)
    pins = ["input logic clk", "input logic rst"]
    body = []
    for name in names:
        used = [p for p in ports if p[2] not in ("ACLK", "ARESET")]
        pins += [f"{way} logic {width} {name}_{port}" for way, width, port in used]
        wires = "".join(f", .{port}({name}_{port})" for _, _, port in used)
        body.append(f"  {name} u_{name} (.ACLK(clk), .ARESET(rst){wires});")
    return "\n".join(["module registers_top (", ",\n".join(pins), ");", *body, "endmodule", ""])
