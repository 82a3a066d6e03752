# SPDX-License-Identifier: Apache-2.0
"""A Verilog wrapper around hlsc's RTL: port names of Vitis HLS, bus interfaces as attributes.

Vitis HLS appends `_r` to a port whose name is a reserved word of VHDL or Verilog: stream `out` has the
signals `out_r_TDATA` … there.  hlsc keeps the name of the argument; with this wrapper a block design
sees no difference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["RESERVED", "Port", "ports_of", "vendor_name", "wrapper_text"]

RESERVED = frozenset(
    """abs access after alias all always and architecture array assert assign attribute automatic begin
    block body buf buffer bufif0 bufif1 bus case casex casez cell cmos component config
    configuration constant deassign default defparam design disable disconnect downto edge else
    elsif end endcase endconfig endfunction endgenerate endmodule endprimitive endspecify
    endtable endtask entity event exit file for force forever fork function generate generic
    group guarded highz0 highz1 if ifnone impure in incdir include inertial initial inout input
    instance integer is join label large liblist library linkage literal localparam loop
    macromodule map medium mod module nand negedge new next nmos nor noshowcancelled not notif0
    notif1 null of on open or others out output package parameter pmos port posedge postponed
    primitive procedure process pull0 pull1 pulldown pullup pulsestyle_ondetect
    pulsestyle_onevent pure range rcmos real realtime record reg register reject release rem
    repeat report return rnmos rol ror rpmos rtran rtranif0 rtranif1 scalared select severity
    shared showcancelled signal signed sla sll small specify specparam sra srl strong0 strong1
    subtype supply0 supply1 table task then time to tran tranif0 tranif1 transport tri tri0 tri1
    triand trior trireg type unaffected units unsigned until use variable vectored wait wand
    weak0 weak1 when while wire with wor xnor xor
    """.split()
)
"""Reserved words of VHDL-93 and Verilog-2001."""


@dataclass(frozen=True)
class Port:
    """A port of a module; width in bits."""

    name: str
    direction: str
    width: int


def vendor_name(name: str) -> str:
    """What Vitis HLS calls a port of this argument."""
    return f"{name}_r" if name.lower() in RESERVED else name


def ports_of(text: str, top: str) -> list[Port]:
    """Ports of a module as hlsc writes it: a direction or range holds until the next."""
    found = re.search(rf"^module {top}\(\n(.*?)\n\);", text, re.M | re.S)
    if found is None:
        raise ValueError(f"the RTL must hold a module {top}")
    ports, direction, width = [], "", 1
    for item in found[1].split(","):
        parts = re.fullmatch(r"\s*(?:(input|output)\b)?\s*(?:\[(\d+):0\])?\s*(\w+)\s*", item)
        if parts is None:
            raise ValueError(f"a port must be a direction, a range and a name, not {item.strip()!r}")
        if parts[1]:
            direction, width = parts[1], 1
        if parts[2]:
            width = int(parts[2]) + 1
        ports.append(Port(parts[3], direction, width))
    return ports


def _attribute(port: Port, streams: list[str]) -> str:
    """What tells Vivado the bus that a port belongs to."""
    if port.name == "ap_clk":
        buses = ":".join(["s_axi_control", *streams])
        return (
            '(* X_INTERFACE_INFO = "xilinx.com:signal:clock:1.0 ap_clk CLK" *)\n'
            f'  (* X_INTERFACE_PARAMETER = "XIL_INTERFACENAME ap_clk, ASSOCIATED_BUSIF {buses}, '
            'ASSOCIATED_RESET ap_rst_n" *)'
        )
    if port.name == "ap_rst_n":
        return (
            '(* X_INTERFACE_INFO = "xilinx.com:signal:reset:1.0 ap_rst_n RST" *)\n'
            '  (* X_INTERFACE_PARAMETER = "XIL_INTERFACENAME ap_rst_n, POLARITY ACTIVE_LOW" *)'
        )
    if port.name == "interrupt":
        return (
            '(* X_INTERFACE_INFO = "xilinx.com:signal:interrupt:1.0 interrupt INTERRUPT" *)\n'
            '  (* X_INTERFACE_PARAMETER = "XIL_INTERFACENAME interrupt, SENSITIVITY LEVEL_HIGH" *)'
        )
    bus, _, signal = port.name.rpartition("_")
    kind = "aximm" if bus == "s_axi_control" else "axis"
    info = f'(* X_INTERFACE_INFO = "xilinx.com:interface:{kind}:1.0 {vendor_name(bus)} {signal}" *)'
    if port.name == "s_axi_control_AWADDR":  # parameters of a bus stand at any one of its ports
        return (
            f'{info}\n  (* X_INTERFACE_PARAMETER = "XIL_INTERFACENAME s_axi_control, ADDR_WIDTH '
            f'{port.width}, DATA_WIDTH 32, PROTOCOL AXI4LITE" *)'
        )
    return info


def wrapper_text(rtl: str, top: str) -> str:
    """The wrapper `<top>_ip` around `top` of the given SystemVerilog."""
    ports = ports_of(rtl, top)
    streams = [vendor_name(p.name.removesuffix("_TDATA")) for p in ports if p.name.endswith("_TDATA")]
    declared, connected = [], []
    for port in ports:
        bus, _, signal = port.name.rpartition("_")
        outer = f"{vendor_name(bus)}_{signal}" if bus else vendor_name(port.name)
        bits = f" [{port.width - 1}:0]" if port.width > 1 else ""
        declared.append(f"  {_attribute(port, streams)}\n  {port.direction}{bits} {outer}")
        connected.append(f"    .{port.name}({outer})")
    return (
        "// SPDX-License-Identifier: Apache-2.0\n"
        f"// {top} of hlsc with the port names that Vitis HLS gives.\n\n"
        f"module {top}_ip (\n" + ",\n".join(declared) + "\n);\n\n"
        f"  {top} kernel (\n" + ",\n".join(connected) + "\n  );\n\nendmodule\n"
    )
