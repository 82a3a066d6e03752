// SPDX-License-Identifier: Apache-2.0
// A FIFO of tokens: words that carry nothing, of which only the number counts.  INITIAL of them are in it
// after reset.  A token is visible one cycle after it was pushed; no combinational path runs through.
module hlsc_tokens #(
    parameter int DEPTH   = 2,
    parameter int INITIAL = 0
) (
    input  logic clk,
    input  logic rst,
    input  logic in_valid,
    output logic in_ready,
    output logic out_valid,
    input  logic out_ready
);
  if (DEPTH < 1 || INITIAL < 0 || INITIAL > DEPTH) begin : g_bad
    $fatal(1, "hlsc_tokens: DEPTH must be 1 or more, INITIAL 0 to DEPTH");
  end

  localparam int CW = $clog2(DEPTH + 1);
  logic [CW-1:0] count, count_next;

  assign count_next = count + CW'(in_valid & in_ready) - CW'(out_valid & out_ready);

  always_ff @(posedge clk) begin
    if (rst) begin
      count     <= CW'(INITIAL);
      in_ready  <= INITIAL != DEPTH;
      out_valid <= INITIAL != 0;
    end else begin
      count     <= count_next;
      in_ready  <= count_next != CW'(DEPTH);
      out_valid <= count_next != '0;
    end
  end
endmodule
