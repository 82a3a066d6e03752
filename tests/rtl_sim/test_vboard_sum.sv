// SPDX-License-Identifier: Apache-2.0
// A kernel for tests of the virtual board: out = in0 + in1, `beats` beats, TLAST on beat number `last_at`
// (0: never).  Registers: 0x10 beats, 0x18 last_at, 0x20 status (beats sent).
module sum_kernel (
    input  logic        ap_clk,
    input  logic        ap_rst_n,
    input  logic [63:0] in0_TDATA,
    input  logic [7:0]  in0_TKEEP,
    input  logic        in0_TLAST,
    input  logic        in0_TVALID,
    output logic        in0_TREADY,
    input  logic [63:0] in1_TDATA,
    input  logic        in1_TLAST,
    input  logic        in1_TVALID,
    output logic        in1_TREADY,
    output logic [63:0] out_TDATA,
    output logic [7:0]  out_TKEEP,
    output logic        out_TLAST,
    output logic        out_TVALID,
    input  logic        out_TREADY,
    input  logic [5:0]  s_axi_control_AWADDR,
    input  logic        s_axi_control_AWVALID,
    output logic        s_axi_control_AWREADY,
    input  logic [31:0] s_axi_control_WDATA,
    input  logic [3:0]  s_axi_control_WSTRB,
    input  logic        s_axi_control_WVALID,
    output logic        s_axi_control_WREADY,
    output logic [1:0]  s_axi_control_BRESP,
    output logic        s_axi_control_BVALID,
    input  logic        s_axi_control_BREADY,
    input  logic [5:0]  s_axi_control_ARADDR,
    input  logic        s_axi_control_ARVALID,
    output logic        s_axi_control_ARREADY,
    output logic [31:0] s_axi_control_RDATA,
    output logic [1:0]  s_axi_control_RRESP,
    output logic        s_axi_control_RVALID,
    input  logic        s_axi_control_RREADY,
    output logic        interrupt
);
  logic [31:0] beats, last_at, sent;
  logic busy, done;

  wire write = s_axi_control_AWVALID && s_axi_control_WVALID && !s_axi_control_BVALID;
  wire read = s_axi_control_ARVALID && !s_axi_control_RVALID;
  wire move = out_TVALID && out_TREADY;

  assign s_axi_control_AWREADY = write;
  assign s_axi_control_WREADY = write;
  assign s_axi_control_ARREADY = read;
  assign s_axi_control_BRESP = 0;
  assign s_axi_control_RRESP = 0;
  assign interrupt = 0;
  assign out_TVALID = busy && in0_TVALID && in1_TVALID;
  assign out_TDATA = in0_TDATA + in1_TDATA;
  assign out_TKEEP = in0_TKEEP;
  assign out_TLAST = sent + 1 == last_at;
  // Not for their own TVALID, so that the board can tell a stream that waits from one at rest.
  assign in0_TREADY = busy && in1_TVALID && out_TREADY;
  assign in1_TREADY = busy && in0_TVALID && out_TREADY;

  always_ff @(posedge ap_clk) begin
    if (!ap_rst_n) begin
      {beats, last_at, sent, busy, done} <= '0;
      {s_axi_control_BVALID, s_axi_control_RVALID} <= '0;
    end else begin
      if (s_axi_control_BREADY) s_axi_control_BVALID <= 0;
      if (s_axi_control_RREADY) s_axi_control_RVALID <= 0;
      if (read) begin
        s_axi_control_RVALID <= 1;
        case (s_axi_control_ARADDR)
          6'h00: begin
            s_axi_control_RDATA <= {28'b0, done, !busy, done, busy};
            done <= 0;
          end
          6'h10: s_axi_control_RDATA <= beats;
          6'h18: s_axi_control_RDATA <= last_at;
          6'h20: s_axi_control_RDATA <= sent;
          default: s_axi_control_RDATA <= 0;
        endcase
      end
      if (move) begin
        sent <= sent + 1;
        if (sent + 1 == beats) begin
          busy <= 0;
          done <= 1;
        end
      end
      if (write) begin
        s_axi_control_BVALID <= 1;
        case (s_axi_control_AWADDR)
          6'h00: if (s_axi_control_WDATA[0]) begin
            busy <= 1;
            sent <= 0;
          end
          6'h10: beats <= s_axi_control_WDATA;
          6'h18: last_at <= s_axi_control_WDATA;
          default: ;
        endcase
      end
    end
  end
endmodule
