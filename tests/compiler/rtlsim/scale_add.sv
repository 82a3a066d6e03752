// SPDX-License-Identifier: Apache-2.0
// Test design with the ports of a Vitis HLS kernel: adds `addend` to `beats` beats of in0, counts them in
// `status` (negative) and `count`.  The register `defect` breaks one thing; see test_rtlsim.py.
module scale_add (
    input  logic        ap_clk,
    input  logic        ap_rst_n,
    output logic        interrupt,
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
    input  logic [63:0] in0_TDATA,
    input  logic [ 7:0] in0_TKEEP,
    input  logic [ 7:0] in0_TSTRB,
    input  logic        in0_TUSER,
    input  logic        in0_TLAST,
    input  logic        in0_TID,
    input  logic        in0_TDEST,
    input  logic        in0_TVALID,
    output logic        in0_TREADY,
    output logic [63:0] out_TDATA,
    output logic [ 7:0] out_TKEEP,
    output logic [ 7:0] out_TSTRB,
    output logic        out_TUSER,
    output logic        out_TLAST,
    output logic        out_TID,
    output logic        out_TDEST,
    output logic        out_TVALID,
    input  logic        out_TREADY
);
  localparam int NoLast = 1, Keep = 2, LeavesInput = 3, ReadsMore = 4, State = 5, Drops = 6,
      Changes = 7, NeverDone = 8, NeedsKeep = 9, Uninitialised = 10, Asserts = 11;

  logic gier, ier, isr, done_seen, busy, start, done;
  logic [31:0] beats, seen, calls, status;
  logic signed [11:0] addend;
  logic [3:0] defect;
  logic [7:0] never_written;

  // Register file: address and data are taken together, one transaction at a time.
  wire write = s_axi_control_AWVALID & s_axi_control_WVALID & ~s_axi_control_BVALID;
  wire read = s_axi_control_ARVALID & ~s_axi_control_RVALID;
  assign s_axi_control_AWREADY = write;
  assign s_axi_control_WREADY = write;
  assign s_axi_control_ARREADY = read;
  assign s_axi_control_BRESP = 0;
  assign s_axi_control_RRESP = 0;
  assign start = write & s_axi_control_AWADDR == 0 & s_axi_control_WDATA[0];
  assign interrupt = gier & isr;

  always_ff @(posedge ap_clk) begin
    if (~ap_rst_n) begin
      s_axi_control_BVALID <= 0;
      s_axi_control_RVALID <= 0;
      {gier, ier, isr, done_seen} <= 0;
    end else begin
      if (s_axi_control_BREADY) s_axi_control_BVALID <= 0;
      if (s_axi_control_RREADY) s_axi_control_RVALID <= 0;
      if (write) begin
        s_axi_control_BVALID <= 1;
        case (s_axi_control_AWADDR)
          'h04: gier <= s_axi_control_WDATA[0];
          'h08: ier <= s_axi_control_WDATA[0];
          'h0c: isr <= isr ^ s_axi_control_WDATA[0];
          'h10: beats <= s_axi_control_WDATA;
          'h18: addend <= s_axi_control_WDATA[11:0];
          'h20: defect <= s_axi_control_WDATA[3:0];
          default: ;
        endcase
      end
      if (read) begin
        s_axi_control_RVALID <= 1;
        case (s_axi_control_ARADDR)
          'h00: begin
            s_axi_control_RDATA <= {28'b0, 1'b0, ~busy, done_seen, busy};
            done_seen <= 0;
          end
          'h28: s_axi_control_RDATA <= status;
          'h30: s_axi_control_RDATA <= seen;
          default: s_axi_control_RDATA <= 0;
        endcase
      end
      if (done) begin
        done_seen <= 1;
        if (ier) isr <= 1;
      end
    end
  end

  // One register between in0 and out.
  wire [31:0] wanted = defect == LeavesInput ? beats - 3 : defect == ReadsMore ? beats + 1 : beats;
  wire take = in0_TVALID & in0_TREADY;
  assign in0_TREADY = busy & seen != wanted & (~out_TVALID | out_TREADY);
  assign out_TSTRB = '1;
  assign {out_TUSER, out_TID, out_TDEST} = 0;
  assign done = busy & seen == wanted & ~out_TVALID & defect != NeverDone;

  always_ff @(posedge ap_clk) begin
    if (~ap_rst_n) begin
      busy <= 0;
      out_TVALID <= 0;
      calls <= 0;
    end else begin
      if (out_TREADY | defect == Drops) out_TVALID <= 0;
      else if (defect == Changes) out_TDATA <= out_TDATA + 1;
      if (start) begin
        busy <= 1;
        seen <= 0;
      end
      if (done) begin
        busy <= 0;
        status <= -seen;
        calls <= calls + 1;
      end
      if (take) begin
        seen <= seen + 1;
        out_TVALID <= 1;
        out_TDATA <= in0_TDATA + 64'(addend) + (defect == State ? 64'(calls) : 0) +
            (defect == Uninitialised ? 64'(never_written) : 0);
        out_TLAST <= in0_TLAST & ~(defect == NoLast & seen >= beats - 2);
        out_TKEEP <= defect == Keep & seen == 2 ? 8'h7f : in0_TKEEP & in0_TSTRB;
      end
      if (seen == 3 & take & defect == Asserts) assert (0) else $error("beat three is one too many");
    end
  end
endmodule
