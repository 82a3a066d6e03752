// SPDX-License-Identifier: Apache-2.0
// Block RAM with one read and one write port on one clock.  Read latency 1; rdata holds its value while
// re is 0, so that a stalled pipeline keeps its operand; a read of the address that is written in the
// same cycle gives the old word (read first).
module hlsc_ram_1r1w #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 1024,
    parameter int AW = 10
) (
    input  logic             clk,
    input  logic             re,
    input  logic [   AW-1:0] raddr,
    output logic [WIDTH-1:0] rdata,
    input  logic             we,
    input  logic [   AW-1:0] waddr,
    input  logic [WIDTH-1:0] wdata
);
  if (WIDTH < 1 || DEPTH < 1 || AW < 1 || AW < $clog2(DEPTH)) begin : g_bad
    $fatal(1, "hlsc_ram_1r1w: WIDTH, DEPTH must be 1 or more, and 2**AW must be DEPTH or more");
  end

  (* ram_style = "block" *) logic [WIDTH-1:0] mem[DEPTH];

  always_ff @(posedge clk) begin
    if (we) mem[waddr] <= wdata;
    if (re) rdata <= mem[raddr];
  end
endmodule
