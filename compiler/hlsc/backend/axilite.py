# SPDX-License-Identifier: Apache-2.0
"""The AXI4-Lite register file of a design: SystemVerilog text with the register map of Vitis HLS.

Behaviour follows UG1399 ("S_AXILITE Control Register Map"): ap_start clears on the handshake, ap_done
and ap_ready clear on read, the interrupt status toggles where ones are written, an output scalar has
its data words followed by a control word whose bit 0 says that it was written since the last look.
Unmapped addresses read 0, swallow writes and answer OKAY, as the vendor's register file does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from hlsc.errors import HlscError
from hlsc.ir import Design, Port

__all__ = ["Register", "address_width", "generate", "module_name", "registers"]

_BUS = (
    "ACLK ARESET AWADDR AWVALID AWREADY WDATA WSTRB WVALID WREADY BRESP BVALID BREADY "
    "ARADDR ARVALID ARREADY RDATA RRESP RVALID RREADY"
).split()
_CONTROL = "interrupt ap_start ap_done ap_ready ap_idle".split()
# Words that C++ leaves free and SystemVerilog does not.
_KEYWORDS = (
    "accept_on alias always always_comb always_ff always_latch assert assign assume automatic before "
    "begin bind bins binsof bit buf byte cell checker clocking config constraint context cover "
    "covergroup coverpoint cross deassign defparam design disable dist edge end endcase expect fork "
    "forever function generate genvar global highz0 highz1 iff ifnone import include initial inout "
    "input inside instance interface intersect join large let liblist library local localparam logic "
    "longint macromodule matches medium modport module nand negedge nets new nor not null notif0 "
    "notif1 output package packed parameter posedge primitive priority program property pull0 pull1 "
    "pulldown pullup pure rand randc randcase randsequence real realtime ref reg reject_on release "
    "repeat restrict scalared sequence shortint shortreal small solve specify specparam string strong "
    "strong0 strong1 super supply0 supply1 table tagged task time timeprecision timeunit tran tri tri0 "
    "tri1 triand trior trireg type unique unique0 unsigned until untyped use var vectored wait "
    "wait_order wand weak weak0 weak1 wildcard wire with within wor xnor xor"
).split()
_BLOCK_END = 0x10  # 0x00..0x0C: CTRL, GIER, IER, ISR


@dataclass(frozen=True)
class Register:
    """One 32-bit word of the map: byte `offset`, `access` as the vendor's headers write it.

    `port` is the argument whose bits `lsb` and up the word holds ("" for the control block); `width` is
    the number of bits that mean something.
    """

    name: str
    offset: int
    width: int
    access: str
    doc: str
    port: str = ""
    lsb: int = 0


def module_name(design: Design) -> str:
    return f"{design.top}_{_bundle(design)}_s_axi"


def registers(design: Design) -> tuple[Register, ...]:
    """The register map by ascending offset; raises HlscError where arguments collide."""
    found: list[Register] = []
    if design.control_bundle:
        found += [
            Register(
                "CTRL", 0x00, 32, "R/W", "0 start, 1 done, 2 idle, 3 ready, 7 restart, 9 interrupt"
            ),
            Register("GIER", 0x04, 1, "R/W", "global interrupt enable"),
            Register("IER", 0x08, 2, "R/W", "interrupt enable: 0 ap_done, 1 ap_ready"),
            Register("ISR", 0x0C, 2, "R/TOW", "interrupt status: 0 ap_done, 1 ap_ready"),
        ]
    for port in _arguments(design):
        assert port.offset is not None
        words = -(-port.width // 32)
        for i in range(words):
            found.append(
                Register(
                    name=port.name if words == 1 else f"{port.name}_{i}",
                    offset=port.offset + 4 * i,
                    width=min(32, port.width - 32 * i),
                    access="R/W" if port.direction == "in" else "R",
                    doc=f"data of {port.name}",
                    port=port.name,
                    lsb=32 * i,
                )
            )
        if port.direction == "out":
            name, doc = f"{port.name}_ctrl", f"bit 0: {port.name} was written"
            found.append(Register(name, port.offset + 4 * words, 1, "R/COR", doc, port.name))
    found.sort(key=lambda r: r.offset)
    for a, b in pairwise(found):
        if a.offset == b.offset:
            raise HlscError(
                f"register {b.name} must have an offset of its own, not 0x{b.offset:02x} of {a.name}; "
                "leave offsets out to have them assigned"
            )
    return tuple(found)


def address_width(design: Design) -> int:
    """Bits of AWADDR and ARADDR: the fewest that cover the map, at least 6."""
    return max(6, max((r.offset + 3 for r in registers(design)), default=0).bit_length())


def generate(design: Design) -> str:
    """SystemVerilog text of the register file module `<top>_<bundle>_s_axi`.

    Ports beside the bus: `interrupt`, `ap_start`, `ap_done`, `ap_ready`, `ap_idle` (where the bundle
    carries ap_ctrl_hs); an output per input scalar; inputs `<name>` and `<name>_ap_vld` per output
    scalar.
    """
    table = registers(design)
    control = bool(design.control_bundle)
    args = _arguments(design)
    ins = [p for p in args if p.direction == "in"]
    outs = [p for p in args if p.direction == "out"]
    words: dict[str, list[Register]] = {p.name: [] for p in args}
    for r in table:
        if r.port and r.access != "R/COR":
            words[r.port].append(r)
    aw = address_width(design)
    parts = [
        _header(design, table),
        _ports(module_name(design), aw, control, ins, outs),
        _addresses(table, aw),
        _declarations(aw, control, ins, outs),
        _WRITE_CHANNELS,
        _read_channel(control, ins, outs, words),
        _BLOCK_CONTROL if control else "",
        *(_input(p, words[p.name]) for p in ins),
        *(_output(p) for p in outs),
        "endmodule\n",
    ]
    return "\n".join(p for p in parts if p)


def _bundle(design: Design) -> str:
    bundles = {p.bundle for p in design.ports if p.kind == "s_axilite"} | {design.control_bundle}
    bundles.discard("")
    if len(bundles) > 1:
        raise HlscError(
            f"{design.top} must have one s_axilite bundle, not {', '.join(sorted(bundles))}; "
            "give every INTERFACE s_axilite the same bundle="
        )
    return bundles.pop() if bundles else "control"


def _arguments(design: Design) -> list[Port]:
    _bundle(design)
    args = [p for p in design.ports if p.kind == "s_axilite"]
    taken = {n.lower() for n in (*_BUS, *_CONTROL, *_KEYWORDS)}
    for p in args:
        if p.offset is None or p.offset % 4 or p.offset < _BLOCK_END:
            value = "none" if p.offset is None else hex(p.offset)
            raise HlscError(
                f"register offset of {p.name} must be a multiple of 4 from 0x10, not {value}"
            )
        if p.width < 1:
            raise HlscError(f"width of {p.name} must be 1 bit or more, not {p.width}")
        names = [p.name.lower()] + ([f"{p.name}_ap_vld".lower()] if p.direction == "out" else [])
        if not re.fullmatch(r"(?!(bus|ctl|reg|at)_)[a-z]\w*", names[0]) or taken & set(names):
            raise HlscError(
                f"scalar argument must have a name that the register file's own ports leave free, "
                f"not {p.name}; rename it"
            )
        taken |= set(names)
    return args


def _header(design: Design, table: tuple[Register, ...]) -> str:
    lines = [
        f"// AXI4-Lite register file of {design.top}.  (COR: clears on read, TOW: toggles on write)"
    ]
    for r in table:
        lines.append(f"//   0x{r.offset:02x}  {r.name:<24} {r.access:<6} {r.doc}")
    return "\n".join(lines)


def _range(width: int) -> str:
    return f"[{width - 1}:0]"


def _ports(module: str, aw: int, control: bool, ins: list[Port], outs: list[Port]) -> str:
    rows = [
        ("input", 1, "ACLK"), ("input", 1, "ARESET"),
        ("input", aw, "AWADDR"), ("input", 1, "AWVALID"), ("output", 1, "AWREADY"),
        ("input", 32, "WDATA"), ("input", 4, "WSTRB"), ("input", 1, "WVALID"), ("output", 1, "WREADY"),
        ("output", 2, "BRESP"), ("output", 1, "BVALID"), ("input", 1, "BREADY"),
        ("input", aw, "ARADDR"), ("input", 1, "ARVALID"), ("output", 1, "ARREADY"),
        ("output", 32, "RDATA"), ("output", 2, "RRESP"), ("output", 1, "RVALID"),
        ("input", 1, "RREADY"),
    ]  # fmt: skip
    if control:
        rows += [("output", 1, "interrupt"), ("output", 1, "ap_start")]
        rows += [("input", 1, n) for n in ("ap_done", "ap_ready", "ap_idle")]
    rows += [("output", p.width, p.name) for p in ins]
    for p in outs:
        rows += [("input", p.width, p.name), ("input", 1, f"{p.name}_ap_vld")]
    body = ",\n".join(
        f"    {way:<6} logic {'' if w == 1 else _range(w):>8} {name}" for way, w, name in rows
    )
    return f"module {module} (\n{body}\n);"


def _addresses(table: tuple[Register, ...], aw: int) -> str:
    # Word addresses: the two lowest address bits choose a byte, which the strobes do as well.
    width = aw - 2
    return "\n".join(
        f"  localparam logic {_range(width)} {_at(r)} = {width}'h{r.offset // 4:x};" for r in table
    )


def _at(r: Register) -> str:
    return f"AT_{r.name.upper()}" if not r.port else f"AT_{r.name}"


def _declarations(aw: int, control: bool, ins: list[Port], outs: list[Port]) -> str:
    lines = [
        "  logic bus_aw_held, bus_w_held, bus_write, bus_read;",
        f"  logic {_range(aw - 2)} bus_aw_word, bus_ar_word;",
        "  logic [31:0] bus_w_data, bus_w_mask, bus_rdata;",
        "  logic [3:0] bus_w_strb;",
    ]
    if control:
        lines += [
            "  logic ctl_done, ctl_ready, ctl_auto_restart, ctl_restarting, ctl_idle, ctl_idle_before;",
            "  logic ctl_done_event, ctl_ready_event;",
            "  logic ctl_gier;",
            "  logic [1:0] ctl_ier, ctl_isr;",
        ]
    lines += [f"  logic {_range(p.width)} reg_{p.name};" for p in (*ins, *outs)]
    lines += [f"  logic reg_{p.name}_ap_vld;" for p in outs]
    lines += [
        "",
        "  // Not every map uses every bit of the bus.",
        "  logic bus_unused;",
        "  assign bus_unused = &{1'b0, AWADDR[1:0], ARADDR[1:0], bus_w_data, bus_w_strb, bus_w_mask};",
        "",
    ]
    return "\n".join(lines)


_WRITE_CHANNELS = """\
  // Address and data may come in either order; each waits in its own register for the other.
  assign AWREADY = ~bus_aw_held & ~ARESET;
  assign WREADY = ~bus_w_held & ~ARESET;
  assign bus_write = bus_aw_held & bus_w_held & (~BVALID | BREADY);
  assign bus_w_mask = {{8{bus_w_strb[3]}}, {8{bus_w_strb[2]}}, {8{bus_w_strb[1]}}, {8{bus_w_strb[0]}}};
  assign BRESP = 2'b00;

  always_ff @(posedge ACLK) begin
    if (ARESET) begin
      bus_aw_held <= 1'b0;
      bus_w_held  <= 1'b0;
      BVALID      <= 1'b0;
    end else begin
      bus_aw_held <= bus_aw_held ? ~bus_write : AWVALID;
      bus_w_held  <= bus_w_held ? ~bus_write : WVALID;
      BVALID      <= bus_write | (BVALID & ~BREADY);
    end
    if (AWVALID & AWREADY) bus_aw_word <= AWADDR[$bits(AWADDR)-1:2];
    if (WVALID & WREADY) begin
      bus_w_data <= WDATA;
      bus_w_strb <= WSTRB;
    end
  end
"""


def _read_channel(
    control: bool, ins: list[Port], outs: list[Port], words: dict[str, list[Register]]
) -> str:
    cases = []
    if control:
        cases = [
            "AT_CTRL: bus_rdata = {22'b0, interrupt, 1'b0, ctl_auto_restart, 3'b0,\n"
            "                          ctl_ready, ctl_idle, ctl_done, ap_start};",
            "AT_GIER: bus_rdata = {31'b0, ctl_gier};",
            "AT_IER: bus_rdata = {30'b0, ctl_ier};",
            "AT_ISR: bus_rdata = {30'b0, ctl_isr};",
        ]
    for p in (*ins, *outs):
        for r in words[p.name]:
            part = f"reg_{p.name}" + ("" if p.width <= 32 else f"[{r.lsb + r.width - 1}:{r.lsb}]")
            value = part if r.width == 32 else f"{{{32 - r.width}'b0, {part}}}"
            cases.append(f"{_at(r)}: bus_rdata = {value};")
        if p.direction == "out":
            cases.append(f"AT_{p.name}_ctrl: bus_rdata = {{31'b0, reg_{p.name}_ap_vld}};")
    body = "\n".join(f"      {c}" for c in [*cases, "default: bus_rdata = 32'b0;"])
    return f"""\
  assign ARREADY = ~RVALID & ~ARESET;
  assign bus_read = ARVALID & ARREADY;
  assign bus_ar_word = ARADDR[$bits(ARADDR)-1:2];
  assign RRESP = 2'b00;

  always_comb begin
    case (bus_ar_word)
{body}
    endcase
  end

  always_ff @(posedge ACLK) begin
    if (ARESET) RVALID <= 1'b0;
    else RVALID <= RVALID ? ~RREADY : ARVALID;
    if (bus_read) RDATA <= bus_rdata;
  end
"""


_BLOCK_CONTROL = """\
  // Block control.  While the kernel restarts itself, done is not reported after every run but once,
  // when it has come to rest; an event in the cycle of a read is not lost.
  assign ctl_idle = ap_idle & ~ap_start;  // never 1 between the start and the kernel's first cycle
  assign ctl_done_event = ctl_restarting ? ctl_idle & ~ctl_idle_before : ap_done;
  assign ctl_ready_event = ap_ready & ~ctl_auto_restart;

  always_ff @(posedge ACLK) begin
    if (ARESET) begin
      ap_start         <= 1'b0;
      ctl_done         <= 1'b0;
      ctl_ready        <= 1'b0;
      ctl_auto_restart <= 1'b0;
      ctl_restarting   <= 1'b0;
      ctl_idle_before  <= 1'b1;
      ctl_gier         <= 1'b0;
      ctl_ier          <= 2'b0;
      ctl_isr          <= 2'b0;
      interrupt        <= 1'b0;
    end else begin
      ctl_idle_before <= ctl_idle;
      if (bus_write && bus_aw_word == AT_CTRL && bus_w_strb[0] && bus_w_data[0]) ap_start <= 1'b1;
      else if (ap_ready) ap_start <= ctl_auto_restart;
      if (bus_write && bus_aw_word == AT_CTRL && bus_w_strb[0]) ctl_auto_restart <= bus_w_data[7];
      if (ctl_auto_restart) ctl_restarting <= 1'b1;
      else if (ctl_idle) ctl_restarting <= 1'b0;
      if (ctl_done_event) ctl_done <= 1'b1;
      else if (bus_read && bus_ar_word == AT_CTRL) ctl_done <= 1'b0;
      if (ctl_ready_event) ctl_ready <= 1'b1;
      else if (bus_read && bus_ar_word == AT_CTRL) ctl_ready <= 1'b0;
      if (bus_write && bus_aw_word == AT_GIER && bus_w_strb[0]) ctl_gier <= bus_w_data[0];
      if (bus_write && bus_aw_word == AT_IER && bus_w_strb[0]) ctl_ier <= bus_w_data[1:0];
      for (int i = 0; i < 2; i++) begin
        if (ctl_ier[i] & (i == 0 ? ap_done : ap_ready)) ctl_isr[i] <= 1'b1;
        else if (bus_write && bus_aw_word == AT_ISR && bus_w_strb[0])
          ctl_isr[i] <= ctl_isr[i] ^ bus_w_data[i];
      end
      interrupt <= ctl_gier & (|ctl_isr);
    end
  end
"""


def _input(p: Port, words: list[Register]) -> str:
    lines = [
        f"  assign {p.name} = reg_{p.name};",
        "  always_ff @(posedge ACLK) begin",
        f"    if (ARESET) reg_{p.name} <= '0;",
    ]
    for r in words:
        part = f"reg_{p.name}" + ("" if p.width <= 32 else f"[{r.lsb + r.width - 1}:{r.lsb}]")
        bits = f"[{r.width - 1}:0]"
        lines += [
            f"    else if (bus_write && bus_aw_word == {_at(r)})",
            f"      {part} <= (bus_w_data{bits} & bus_w_mask{bits}) | ({part} & ~bus_w_mask{bits});",
        ]
    return "\n".join([*lines, "  end", ""])


def _output(p: Port) -> str:
    return f"""\
  always_ff @(posedge ACLK) begin
    if (ARESET) begin
      reg_{p.name} <= '0;
      reg_{p.name}_ap_vld <= 1'b0;
    end else if ({p.name}_ap_vld) begin
      reg_{p.name} <= {p.name};
      reg_{p.name}_ap_vld <= 1'b1;
    end else if (bus_read && bus_ar_word == AT_{p.name}_ctrl) reg_{p.name}_ap_vld <= 1'b0;
  end
"""
