// SPDX-License-Identifier: Apache-2.0
// A kernel small enough to be right by inspection, for testing the kernel bench: out = in0 + in1 + addend
// beat by beat, TLAST every `beats`, `transfers` transfers per run; status counts the beats.
module adder_kernel (
    input  logic        ap_clk,
    input  logic        ap_rst_n,
    input  logic [ 5:0] s_axi_control_AWADDR,
    input  logic        s_axi_control_AWVALID,
    output logic        s_axi_control_AWREADY,
    input  logic [31:0] s_axi_control_WDATA,
    input  logic [ 3:0] s_axi_control_WSTRB,
    input  logic        s_axi_control_WVALID,
    output logic        s_axi_control_WREADY,
    output logic [ 1:0] s_axi_control_BRESP,
    output logic        s_axi_control_BVALID,
    input  logic        s_axi_control_BREADY,
    input  logic [ 5:0] s_axi_control_ARADDR,
    input  logic        s_axi_control_ARVALID,
    output logic        s_axi_control_ARREADY,
    output logic [31:0] s_axi_control_RDATA,
    output logic [ 1:0] s_axi_control_RRESP,
    output logic        s_axi_control_RVALID,
    input  logic        s_axi_control_RREADY,
    output logic        interrupt,
    input  logic [63:0] in0_TDATA,
    input  logic [ 7:0] in0_TKEEP,
    input  logic        in0_TLAST,
    input  logic        in0_TVALID,
    output logic        in0_TREADY,
    input  logic [63:0] in1_TDATA,
    input  logic [ 7:0] in1_TKEEP,
    input  logic        in1_TLAST,
    input  logic        in1_TVALID,
    output logic        in1_TREADY,
    output logic [63:0] out_TDATA,
    output logic [ 7:0] out_TKEEP,
    output logic [ 7:0] out_TSTRB,
    output logic [ 0:0] out_TUSER,
    output logic [ 0:0] out_TID,
    output logic [ 0:0] out_TDEST,
    output logic        out_TLAST,
    output logic        out_TVALID,
    input  logic        out_TREADY
);
  logic rst, ap_start, ap_done, ap_ready, ap_idle;
  logic [31:0] beats, transfers, beat, transfer, count;
  logic [63:0] addend;
  assign rst = ~ap_rst_n;

  adder_control_s_axi control (
      .ACLK(ap_clk),
      .ARESET(rst),
      .AWADDR(s_axi_control_AWADDR),
      .AWVALID(s_axi_control_AWVALID),
      .AWREADY(s_axi_control_AWREADY),
      .WDATA(s_axi_control_WDATA),
      .WSTRB(s_axi_control_WSTRB),
      .WVALID(s_axi_control_WVALID),
      .WREADY(s_axi_control_WREADY),
      .BRESP(s_axi_control_BRESP),
      .BVALID(s_axi_control_BVALID),
      .BREADY(s_axi_control_BREADY),
      .ARADDR(s_axi_control_ARADDR),
      .ARVALID(s_axi_control_ARVALID),
      .ARREADY(s_axi_control_ARREADY),
      .RDATA(s_axi_control_RDATA),
      .RRESP(s_axi_control_RRESP),
      .RVALID(s_axi_control_RVALID),
      .RREADY(s_axi_control_RREADY),
      .status(count + 1),
      .status_ap_vld(ap_done),
      .*
  );

  // Register slices where the streams cross the boundary.
  logic a_valid, b_valid, take, put_ready;
  logic [63:0] a, b, sum;
  hlsc_axis_slice #(.WIDTH(64)) slice_in0 (
      .clk(ap_clk), .rst(rst),
      .in_valid(in0_TVALID), .in_ready(in0_TREADY), .in_data(in0_TDATA),
      .out_valid(a_valid), .out_ready(take), .out_data(a)
  );
  hlsc_axis_slice #(.WIDTH(64)) slice_in1 (
      .clk(ap_clk), .rst(rst),
      .in_valid(in1_TVALID), .in_ready(in1_TREADY), .in_data(in1_TDATA),
      .out_valid(b_valid), .out_ready(take), .out_data(b)
  );
  logic last, put;
  logic [7:0] keep;
  hlsc_axis_slice #(.WIDTH(73)) slice_out (
      .clk(ap_clk), .rst(rst),
      .in_valid(put), .in_ready(put_ready), .in_data({last, keep, sum}),
      .out_valid(out_TVALID), .out_ready(out_TREADY), .out_data({out_TLAST, out_TKEEP, out_TDATA})
  );
  assign out_TSTRB = out_TKEEP;
  assign out_TUSER = 1'b0;
  assign out_TID = 1'b0;
  assign out_TDEST = 1'b0;

  logic running, final_beat;
  assign sum = a + b + addend;
  assign keep = 8'hff;
  assign last = beat == beats - 1;
  assign final_beat = last && transfer == transfers - 1;
  assign take = running & a_valid & b_valid & put_ready;
  assign put = take;
  assign ap_idle = ~running & ~ap_start;
  assign ap_done = take & final_beat;
  assign ap_ready = ap_done;

  always_ff @(posedge ap_clk) begin
    if (rst) begin
      running <= 1'b0;
      beat <= '0;
      transfer <= '0;
      count <= '0;
    end else if (!running) begin
      running <= ap_start;
      beat <= '0;
      transfer <= '0;
      count <= '0;
    end else if (take) begin
      running <= ~final_beat;
      beat <= last ? '0 : beat + 1;
      transfer <= last ? transfer + 1 : transfer;
      count <= count + 1;
    end
  end

  logic unused;
  assign unused = &{1'b0, in0_TKEEP, in0_TLAST, in1_TKEEP, in1_TLAST};
endmodule
