// SPDX-License-Identifier: Apache-2.0
// Test design without a register file: ap_ctrl_hs as wires, scalars as wires, a 128-bit stream in and a
// 9-bit stream without TLAST (padded to 16) out: the sum of the 16 bytes of each beat, modulo 2**9.
module wires (
    input  logic         ap_clk,
    input  logic         ap_rst_n,
    input  logic         ap_start,
    output logic         ap_done,
    output logic         ap_idle,
    output logic         ap_ready,
    input  logic [ 99:0] offset,
    input  logic [  2:0] beats,
    input  logic         beats_ap_vld,
    output logic [ 99:0] total,
    output logic         total_ap_vld,
    input  logic [127:0] bytes_in_TDATA,
    input  logic         bytes_in_TLAST,
    input  logic         bytes_in_TVALID,
    output logic         bytes_in_TREADY,
    output logic [ 15:0] sums__out_TDATA,
    output logic         sums__out_TVALID,
    input  logic         sums__out_TREADY
);
  logic busy;
  logic [2:0] left;
  logic [8:0] sum;

  always_comb begin
    sum = 0;
    for (int i = 0; i < 16; ++i) sum += 9'(bytes_in_TDATA[8*i+:8]);
  end

  assign bytes_in_TREADY = busy & left != 0 & (~sums__out_TVALID | sums__out_TREADY);
  assign ap_done = busy & left == 0 & ~sums__out_TVALID;
  assign ap_ready = ap_done;
  assign ap_idle = ~busy;
  assign total_ap_vld = ap_done;

  always_ff @(posedge ap_clk) begin
    if (~ap_rst_n) begin
      busy <= 0;
      sums__out_TVALID <= 0;
    end else begin
      if (sums__out_TREADY) sums__out_TVALID <= 0;
      if (ap_start & ~busy & beats_ap_vld) begin
        busy  <= 1;
        left  <= beats;
        total <= offset;
      end
      if (ap_done) busy <= 0;
      if (bytes_in_TVALID & bytes_in_TREADY) begin
        left <= left - 1;
        total <= total + 100'(sum);
        sums__out_TVALID <= 1;
        sums__out_TDATA <= 16'(sum);
      end
    end
  end
endmodule
