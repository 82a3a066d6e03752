// SPDX-License-Identifier: Apache-2.0
// Read-only memory: word i is INIT[i*WIDTH +: WIDTH].  Read latency 1; rdata holds its value while re is
// 0.  Synthesis chooses block RAM or LUTs by size.
module hlsc_rom #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 256,
    parameter int AW = 8,
    parameter logic [WIDTH*DEPTH-1:0] INIT = (WIDTH * DEPTH)'(0)
) (
    input  logic             clk,
    input  logic             re,
    input  logic [   AW-1:0] raddr,
    output logic [WIDTH-1:0] rdata
);
  if (WIDTH < 1 || DEPTH < 1 || AW < 1 || AW < $clog2(DEPTH)) begin : g_bad
    $fatal(1, "hlsc_rom: WIDTH, DEPTH must be 1 or more, and 2**AW must be DEPTH or more");
  end

  logic [WIDTH-1:0] mem[DEPTH];

  initial begin
    for (int i = 0; i < DEPTH; i++) mem[i] = INIT[i*WIDTH+:WIDTH];
  end

  always_ff @(posedge clk) begin
    if (re) rdata <= mem[raddr];
  end
endmodule
