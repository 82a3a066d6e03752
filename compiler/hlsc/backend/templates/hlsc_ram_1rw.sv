// SPDX-License-Identifier: Apache-2.0
// Single-port block RAM: one access per cycle, while en is 1.  It writes where we is 1, and rdata becomes
// the word that was there before (read first); rdata holds its value while en is 0.
module hlsc_ram_1rw #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 1024,
    parameter int AW = 10
) (
    input  logic             clk,
    input  logic             en,
    input  logic             we,
    input  logic [   AW-1:0] addr,
    input  logic [WIDTH-1:0] wdata,
    output logic [WIDTH-1:0] rdata
);
  if (WIDTH < 1 || DEPTH < 1 || AW < 1 || AW < $clog2(DEPTH)) begin : g_bad
    $fatal(1, "hlsc_ram_1rw: WIDTH, DEPTH must be 1 or more, and 2**AW must be DEPTH or more");
  end

  (* ram_style = "block" *) logic [WIDTH-1:0] mem[DEPTH];

  always_ff @(posedge clk) begin
    if (en) begin
      rdata <= mem[addr];
      if (we) mem[addr] <= wdata;
    end
  end
endmodule
