// SPDX-License-Identifier: Apache-2.0
// Distributed RAM with one read and one write port: rdata follows raddr combinationally, a write is
// visible from the next cycle on.
module hlsc_lutram_1r1w #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 32,
    parameter int AW = 5
) (
    input  logic             clk,
    input  logic [   AW-1:0] raddr,
    output logic [WIDTH-1:0] rdata,
    input  logic             we,
    input  logic [   AW-1:0] waddr,
    input  logic [WIDTH-1:0] wdata
);
  if (WIDTH < 1 || DEPTH < 1 || AW < 1 || AW < $clog2(DEPTH)) begin : g_bad
    $fatal(1, "hlsc_lutram_1r1w: WIDTH, DEPTH must be 1 or more, and 2**AW must be DEPTH or more");
  end

  (* ram_style = "distributed" *) logic [WIDTH-1:0] mem[DEPTH];

  assign rdata = mem[raddr];

  always_ff @(posedge clk) begin
    if (we) mem[waddr] <= wdata;
  end
endmodule
