// SPDX-License-Identifier: Apache-2.0
// True dual-port block RAM on one clock: each port reads or writes one address per cycle.  Port x acts
// while en_x is 1: it writes where we_x is 1, and rdata_x becomes the word that was there before (read
// first, also against a write through the other port); rdata_x holds its value while en_x is 0.
// Writing one address through both ports in one cycle is the user's error: the word is undefined.
module hlsc_ram_2rw #(
    parameter int WIDTH = 8,
    parameter int DEPTH = 1024,
    parameter int AW = 10
) (
    input  logic             clk,
    input  logic             en_a,
    input  logic             we_a,
    input  logic [   AW-1:0] addr_a,
    input  logic [WIDTH-1:0] wdata_a,
    output logic [WIDTH-1:0] rdata_a,
    input  logic             en_b,
    input  logic             we_b,
    input  logic [   AW-1:0] addr_b,
    input  logic [WIDTH-1:0] wdata_b,
    output logic [WIDTH-1:0] rdata_b
);
  if (WIDTH < 1 || DEPTH < 1 || AW < 1 || AW < $clog2(DEPTH)) begin : g_bad
    $fatal(1, "hlsc_ram_2rw: WIDTH, DEPTH must be 1 or more, and 2**AW must be DEPTH or more");
  end

  (* ram_style = "block" *) logic [WIDTH-1:0] mem[DEPTH];

  // Two processes write `mem`: the form from which vendor tools infer two write ports.
  always @(posedge clk) begin
    if (en_a) begin
      rdata_a <= mem[addr_a];
      if (we_a) mem[addr_a] <= wdata_a;
    end
  end

  always @(posedge clk) begin
    if (en_b) begin
      rdata_b <= mem[addr_b];
      if (we_b) mem[addr_b] <= wdata_b;
    end
  end
endmodule
