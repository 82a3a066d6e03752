// SPDX-License-Identifier: Apache-2.0
// Register slice for a valid/ready stream: out_valid, out_data and in_ready are flip-flops, so no path
// crosses it combinationally in either direction; one word per cycle, two words held at most.
// in_ready is 0 in reset: a sender that is not reset with us loses nothing.
module hlsc_axis_slice #(
    parameter int WIDTH = 8
) (
    input  logic             clk,
    input  logic             rst,
    input  logic             in_valid,
    output logic             in_ready,
    input  logic [WIDTH-1:0] in_data,
    output logic             out_valid,
    input  logic             out_ready,
    output logic [WIDTH-1:0] out_data
);
  // `spare` catches the word that arrives in the cycle in which the receiver stalls; in_ready is 1
  // exactly while it is empty.
  logic spare_valid;
  logic [WIDTH-1:0] spare;
  logic out_take;
  assign out_take = ~out_valid | out_ready;

  always_ff @(posedge clk) begin
    if (rst) begin
      out_valid   <= 1'b0;
      spare_valid <= 1'b0;
      in_ready    <= 1'b0;
    end else begin
      if (out_take) out_valid <= spare_valid | (in_valid & in_ready);
      spare_valid <= ~out_take & (spare_valid | (in_valid & in_ready));
      in_ready    <= out_take | ~(spare_valid | (in_valid & in_ready));
    end
    if (out_take) out_data <= spare_valid ? spare : in_data;
    if (in_ready) spare <= in_data;
  end
endmodule
